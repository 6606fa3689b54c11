"""``cjsm connection dns``: the zone that the community publishes."""

from pathlib import Path

import rich_click as click

from cjsm.command.context import config_option, open_suite
from cjsm.command.output import Refused, console, document, json_option, reported, watched
from cjsm.community import zone
from cjsm.community.acts.connectionvalues import check_host
from cjsm.community.acts.domains import canonical_domain
from cjsm.community.address import Address
from cjsm.community.view import View
from cjsm.community.zone import Publisher, ZoneRecord
from cjsm.mail.authentication.signing import published
from cjsm.vault import secrets

_NO_KEYS = "there are no DKIM keys: outgoing mail is not signed; `cjsm init` makes them"


@click.command()
@click.option("--domain", "domains", multiple=True, help="Only these domains; else every domain with mail.")
@click.option("--host", help="The name of the door for connections; else the setting relay.host_name.")
@click.option("--reports", help="Where reports are sent; else postmaster@ the suffix, which only members reach.")
@config_option
@json_option
@reported
def dns(domains: tuple[str, ...], host: str | None, reports: str | None, config: Path, as_json: bool) -> None:
    """Print the zone to publish: MX, SPF, DKIM, DMARC, MTA-STS and TLS reports for every domain with mail.

    \b
    cjsm connection dns
    cjsm connection dns --domain cjsm.test --reports dns@example.org --json
    """
    suite = open_suite(config)
    suffix = suite.settings.community.suffix
    held = secrets.load(Path(suite.settings.store.secrets_directory))
    publisher = Publisher(
        suffix=suffix,
        host=_host(host or suite.settings.relay.host_name),
        reports=str(Address.parse(reports or f"postmaster@{suffix}")),
        keys=tuple((key.name.partition(".")[0], key.value) for key in published(suffix, held)),
    )
    notes = [] if publisher.keys else [_NO_KEYS]
    made = suite.stores.community.read_now(
        lambda view: list(watched(zone.records(publisher, _domains(view, domains)), "records"))
    )
    if as_json:
        document({"records": made, "mta_sts_policy": zone.policy_file(publisher), "notes": notes})
    else:
        _print(publisher, made, notes)


def _host(name: str) -> str:
    told = check_host(name)
    if "." not in told or ":" in told or told.replace(".", "").isdigit():
        raise Refused(f"{name!r} is no name for the DNS", "give one with --host, or as the setting relay.host_name")
    return told


def _domains(view: View, wanted: tuple[str, ...]) -> list[str]:
    known = list(dict.fromkeys(zone.mail_domains(view)))
    if not wanted:
        return known
    told = [_canonical(view, name, known) for name in wanted]
    for name in told:
        if name not in known:
            raise Refused(f"{name} has no mail", "see `cjsm connection list`")
    return told


def _canonical(view: View, name: str, known: list[str]) -> str:
    return name.lower() if name.lower() in known else canonical_domain(view, name)


def _print(publisher: Publisher, made: list[ZoneRecord], notes: list[str]) -> None:
    told: set[str] = set()
    for record in made:
        if record.why not in told:
            told.add(record.why)
            console.print(f"; {record.why}", markup=False)
        console.print(record.line(), markup=False, soft_wrap=True)
    console.print("; https://mta-sts.DOMAIN/.well-known/mta-sts.txt has to answer:", markup=False)
    for line in zone.policy_file(publisher).splitlines():
        console.print(f";   {line}", markup=False)
    for note in notes:
        console.print(f"; {note}", markup=False, soft_wrap=True)
