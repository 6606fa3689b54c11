"""``benchmarks/run``: one command for everything, and one for each measurement."""

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import rich_click as click

from benchmarks import access as signing_in
from benchmarks import administration as administration_of_many
from benchmarks import bodies as bodies_for_many
from benchmarks import growth as growth_of_all
from benchmarks import idle as idle_connections
from benchmarks import ldap as ldap_beside_slapd
from benchmarks import ledger as ledger_of_many
from benchmarks import memory as memory_of_one
from benchmarks import pop3 as pop3_beside_dovecot
from benchmarks import relay as relay_beside_postfix
from benchmarks import report
from benchmarks import smtp as smtp_beside_others
from benchmarks.peers import opendkim, postfix_dovecot, sink, slapd

_directory = click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(tempfile.gettempdir()) / "cjsm-benchmarks",
    show_default=True,
    help="Where both sides keep their files; used again when it is there.",
)
_json = click.option(
    "--json", "document", type=click.Path(dir_okay=False, path_type=Path), help="Also write one JSON document."
)


def _say(line: str) -> None:
    click.echo(f"{report.load_line()}   {line}")


@click.group()
def main() -> None:
    """Measure this service. Machines are noisy: look at ratios, not at times.

    \b
    benchmarks/run smtp
    benchmarks/run smtp --pairs 9 --everything --json result.json
    benchmarks/run relay
    benchmarks/run pop3
    benchmarks/run ldap
    benchmarks/run ldap --entries 500000 --alone
    benchmarks/run idle --connections 10000
    benchmarks/run growth --people 100000    (half an hour the first time)
    benchmarks/run memory
    benchmarks/run bodies
    benchmarks/run access
    benchmarks/run administration       (ten minutes the first time)
    benchmarks/run ledger --entries 1000000
    """


@main.command()
@_directory
@_json
@click.option("--pairs", default=5, show_default=True, type=click.IntRange(1, 99), help="Runs of each side.")
@click.option("--everything", is_flag=True, help="Also 75 KB, 1 MB and ten recipients.")
def smtp(directory: Path, document: Path | None, pairs: int, everything: bool) -> None:
    """Mail accepted and readable, beside Postfix, LMTP and Dovecot (mail_crypt)."""
    cure = postfix_dovecot.missing()
    if cure:
        click.echo(f"benchmarks/run: cannot compare: {cure}", err=True)
        sys.exit(1)
    before = report.machine()
    comparisons = smtp_beside_others.compare(directory.resolve(), pairs, everything, _say)
    click.echo()
    for comparison in comparisons:
        click.echo(comparison.line())
    if document is not None:
        report.write(document, comparisons, before)


@main.command()
@_directory
@_json
@click.option("--pairs", default=5, show_default=True, type=click.IntRange(1, 99), help="Runs of each side.")
def relay(directory: Path, document: Path | None, pairs: int) -> None:
    """Mail submitted and relayed to other servers over TLS, to one and to 100 destinations, beside Postfix.

    With signatures (DKIM) on both sides, without on both, and with ours alone.
    """
    cure = postfix_dovecot.missing() or sink.missing() or opendkim.missing()
    if cure:
        click.echo(f"benchmarks/run: cannot compare: {cure}", err=True)
        sys.exit(1)
    before = report.machine()
    comparisons = relay_beside_postfix.compare(directory.resolve() / "relay", pairs, _say)
    click.echo()
    for comparison in comparisons:
        click.echo(comparison.line())
    if document is not None:
        report.write(document, comparisons, before)


@main.command()
@_directory
@_json
@click.option("--pairs", default=5, show_default=True, type=click.IntRange(1, 99), help="Runs of each side.")
def pop3(directory: Path, document: Path | None, pairs: int) -> None:
    """Mail read over POP3 and TLS, beside Dovecot (mail_crypt)."""
    cure = postfix_dovecot.missing()
    if cure:
        click.echo(f"benchmarks/run: cannot compare: {cure}", err=True)
        sys.exit(1)
    before = report.machine()
    comparisons = pop3_beside_dovecot.compare(directory.resolve() / "pop3", pairs, _say)
    click.echo()
    for comparison in comparisons:
        click.echo(comparison.line())
    if document is not None:
        report.write(document, comparisons, before)


@main.command()
@_directory
@_json
@click.option("--pairs", default=5, show_default=True, type=click.IntRange(1, 99), help="Runs of each side.")
@click.option("--entries", default=100_000, show_default=True, type=click.IntRange(1_000, 1_000_000), help="People.")
@click.option("--alone", is_flag=True, help="Without slapd.")
def ldap(directory: Path, document: Path | None, pairs: int, entries: int, alone: bool) -> None:
    """People looked up over LDAP and TLS, beside slapd: processor time of a request, memory, start, changes."""
    cure = "" if alone else slapd.missing()
    if cure:
        click.echo(f"benchmarks/run: cannot compare: {cure}", err=True)
        sys.exit(1)
    before = report.machine()
    found = ldap_beside_slapd.measure(directory.resolve() / "ldap", entries, pairs, not alone, _say)
    click.echo()
    for question in found.questions:
        click.echo(question.line())
    if document is not None:
        told = {"before": before, "after": report.machine(), "ldap": found.document()}
        document.write_text(json.dumps(told, indent=2) + "\n")


@main.command()
@_directory
@_json
@click.option("--connections", default=10_000, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--people", type=click.IntRange(1_000, 1_000_000), help="Of the community; as many as are needed.")
def idle(directory: Path, document: Path | None, connections: int, people: int | None) -> None:
    """Memory of POP3 connections that are signed in and silent, beside Dovecot."""
    found = idle_connections.measure(directory.resolve(), connections, people or connections + 1_000, _say)
    click.echo()
    for each in found:
        click.echo(each.line())
    if document is not None:
        told = {"machine": report.machine(), "idle": [asdict(each) for each in found]}
        document.write_text(json.dumps(told, indent=2) + "\n")


@main.command()
@_directory
@_json
@click.option("--pairs", default=5, show_default=True, type=click.IntRange(1, 99), help="Runs of each side.")
@click.option("--people", default=100_000, show_default=True, type=click.IntRange(1_000, 1_000_000))
def growth(directory: Path, document: Path | None, pairs: int, people: int) -> None:
    """A POP3 session in a community of 100,000 mailboxes and 1,000,000 messages, beside one of a hundred."""
    before = report.machine()
    comparisons = growth_of_all.compare(directory.resolve(), people, pairs, _say)
    click.echo()
    for comparison in comparisons:
        click.echo(comparison.line())
    if document is not None:
        report.write(document, comparisons, before)


@main.command()
@_directory
@_json
def memory(directory: Path, document: Path | None) -> None:
    """One message of 25 MB in and out: memory, and the waits of a neighbour."""
    costs = memory_of_one.measure(directory.resolve(), _say)
    if document is not None:
        told = {"machine": report.machine(), "costs": [asdict(cost) for cost in costs]}
        document.write_text(json.dumps(told, indent=2) + "\n")


@main.command()
@_directory
@_json
@click.option("--recipients", default=1_000, show_default=True, type=click.IntRange(2, 60_000))
def bodies(directory: Path, document: Path | None, recipients: int) -> None:
    """One message to many mailboxes: time and disk."""
    costs = bodies_for_many.measure(directory.resolve(), _say, recipients)
    if document is not None:
        told = {"machine": report.machine(), "costs": [cost.document() for cost in costs]}
        document.write_text(json.dumps(told, indent=2) + "\n")


@main.command()
@_directory
@_json
@click.option(
    "--samples", default=200, show_default=True, type=click.IntRange(2, 10_000), help="Refusals of each kind."
)
def access(directory: Path, document: Path | None, samples: int) -> None:
    """What signing in costs, and whether refusals can be told apart by their time."""
    costs, refusals = signing_in.measure(directory.resolve(), _say, samples)
    if document is not None:
        told = {
            "machine": report.machine(),
            "costs": [asdict(cost) for cost in costs],
            "refusals": [asdict(refusal) for refusal in refusals],
        }
        document.write_text(json.dumps(told, indent=2) + "\n")


@main.command()
@_directory
@_json
@click.option("--entries", default=1_000_000, show_default=True, type=click.IntRange(1_000, 100_000_000))
def ledger(directory: Path, document: Path | None, entries: int) -> None:
    """What the ledger costs: appending, signing, proving, and verifying all of it."""
    costs = ledger_of_many.measure(directory.resolve(), entries, _say)
    if document is not None:
        told = {"machine": report.machine(), "costs": [asdict(cost) for cost in costs]}
        document.write_text(json.dumps(told, indent=2) + "\n")


@main.command()
@_directory
@_json
@click.option("--organisations", default=10_000, show_default=True, type=click.IntRange(10, 100_000))
@click.option("--people", default=500_000, show_default=True, type=click.IntRange(100, 2_000_000))
def administration(directory: Path, document: Path | None, organisations: int, people: int) -> None:
    """What verbs of administration take in a large community, beside a small one; 200 ms are the bar."""
    made, answers = administration_of_many.measure(directory.resolve(), organisations, people, _say)
    if document is not None:
        told = {"machine": report.machine(), "made": asdict(made), "answers": [asdict(each) for each in answers]}
        document.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main(prog_name="benchmarks/run")
