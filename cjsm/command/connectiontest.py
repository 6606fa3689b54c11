"""``cjsm connection test``: a connection as relay will meet it, and whether mail goes there and back."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import rich_click as click
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from cjsm.command import acting
from cjsm.command.context import open_suite, run_reactor, wait
from cjsm.command.output import Refused, console, document, errors, table, when
from cjsm.community import finding
from cjsm.community.acts import connections
from cjsm.community.address import Address
from cjsm.community.authority import Action
from cjsm.community.records import Connection, Domain
from cjsm.community.view import View
from cjsm.instance import NotRunning
from cjsm.mail.assessment import Assessment, Assessor, Observation, Verdict, decode_assessment, encode_assessment
from cjsm.mail.authentication.interfaces import Kind
from cjsm.mail.authentication.resolver import DnsResolver
from cjsm.mail.echo import Echo
from cjsm.mail.entries import queue_id
from cjsm.mail.traced import Event, Result
from cjsm.service import client_tls
from cjsm.smtp.client import RelayConnector
from cjsm.suite import Suite, known_providers

_EVENTS = 1_000
_LOOK = 0.5


@click.command("test")
@click.argument("name", metavar="NAME")
@click.option("--to", help="Also send a letter to this address of the connection, and wait for the answer to it.")
@click.option("--wait", "patience", type=click.IntRange(1, 3_600), default=120, show_default=True, help="Seconds.")
@click.option("--last", is_flag=True, help="Test nothing: show what the last test found, and when.")
@acting.verb
def test(name: str, to: str | None, patience: int, last: bool, config: Path, as_json: bool) -> None:
    """Try out the connection NAME, whatever its state, and keep what was found with its date.

    Each next hop is called as relay calls it: reach, STARTTLS, certificate, name, version and group of TLS, our own
    certificate, extensions, and whether mail to its postmasters would be taken. Nothing of anybody's mail is sent.
    Then the domains' DNS is looked at. Ends with 1 where there is a problem.

    \b
    cjsm connection test firm
    cjsm connection test firm --to jo@firm.co.uk.cjsm.test --wait 300
    cjsm connection test firm --last --json
    cjsm connection test firm --as erin.wright@desk
    """
    suite = open_suite(config)
    found, domains = suite.stores.community.read_now(partial(_found, name=name))
    if last:
        acting.require(suite, Action.SEE_CONNECTIONS, found.organisation)
        _report(_last(suite, found, name), as_json=as_json)
        return
    acting.require(suite, Action.TEST_CONNECTIONS)
    recipient = _recipient(suite, domains, name, to) if to else None
    acting.act(suite, lambda view, by: connections.test(view, by, found.id))
    with _watched() as say:
        assessment = _assess(suite, found, domains, say)
        if recipient is not None:
            more = _round_trip(suite, recipient, patience, say)
            assessment = msgspec.structs.replace(assessment, observations=(*assessment.observations, *more))
    wait(suite.stores.trace.assessed(found.id, assessment.moment, encode_assessment(assessment)))
    _report(assessment, as_json=as_json)


def _found(view: View, name: str) -> tuple[Connection, tuple[Domain, ...]]:
    connection = finding.connection_of(view, name)
    return connection, tuple(view.domains_of(connection.id))


def _last(suite: Suite, connection: Connection, name: str) -> Assessment:
    kept = wait(suite.stores.trace.assessments(connection.id, 1))
    if not kept:
        raise Refused(f"{name} was not tested yet", f"run `cjsm connection test {name}`")
    return decode_assessment(kept[0])


def _assess(suite: Suite, found: Connection, domains: tuple[Domain, ...], say: Callable[[str], None]) -> Assessment:
    settings = suite.settings
    resolver = DnsResolver(settings.authentication.nameservers)

    def lookup(name: str, kind: Kind) -> "Deferred[tuple[bytes, ...]]":
        return deferToThread(resolver.lookup, name, kind, settings.authentication.lookup)

    async def work(reactor: Any) -> Assessment:
        connector = RelayConnector(settings.relay, client_tls(settings), settings.tls.authority, reactor)
        assessor = Assessor(connector, lookup, reactor, settings.community.suffix, known_providers())
        return await assessor.assess(found, domains, say)

    return run_reactor(work)


# There and back


def _recipient(suite: Suite, domains: tuple[Domain, ...], name: str, to: str) -> str:
    """Return the address, which must be one of the connection's, while there is a service that sends to it."""
    address = Address.parse(to)
    if address.domain not in {domain.name for domain in domains}:
        own = ", ".join(domain.name for domain in domains) or "none yet"
        raise Refused(f"{to} is no address of {name}", f"its domains are: {own}")
    try:
        suite.instance.pid()
    except NotRunning:
        raise Refused("no service runs, so nothing is sent", "start it, or test without --to") from None
    return str(address)


def _round_trip(suite: Suite, recipient: str, patience: int, say: Callable[[str], None]) -> Iterator[Observation]:
    """Send a letter that asks for an answer; yield how it went there, and whether the answer came."""
    say(f"a letter to {recipient}")
    word = os.urandom(8).hex()
    batch = wait(Echo(suite.settings, suite.own_mail(), time.time).ask(recipient, word))
    if batch is None:
        cure = f"see `cjsm policy explain --as service echo --to {recipient}`"
        yield Observation(where=recipient, what="there", verdict=Verdict.PROBLEM, text="not admitted", cure=cure)
        return
    wait(suite.stores.spool.put(batch))
    began, ends = time.monotonic(), time.monotonic() + patience
    sent, answered = _events(suite, queue_id(batch.id)), None
    while time.monotonic() < ends and answered is None:
        sent = _events(suite, queue_id(batch.id)) or sent
        if sent and sent[-1].result in (Result.FAILED, Result.EXPIRED):
            break
        answered = next(iter(_events(suite, word)), None)
        if sent and sent[-1].result is Result.RELAYED:
            say("an answer to the letter")
        time.sleep(_LOOK)
    yield _there(recipient, sent[-1] if sent else None)
    if answered is not None:
        text = f"answered after {time.monotonic() - began:.0f} s, from {answered.host} inside {answered.tls_version}"
        yield Observation(where=recipient, what="and back", text=text)
        yield _vouched(recipient, answered.words)
    elif sent and sent[-1].result is Result.RELAYED:
        cure = f"let somebody answer the letter {word!r}; then see `cjsm trace {word}`"
        text = f"no answer within {patience} s"
        yield Observation(where=recipient, what="and back", verdict=Verdict.WARNING, text=text, cure=cure)


def _vouched(recipient: str, found: str) -> Observation:
    """What SPF, DKIM and DMARC said of the answer."""
    what = "SPF, DKIM and DMARC of the answer"
    if "=fail" not in found:
        return Observation(where=recipient, what=what, text=found or "not looked at")
    cure = "let its engineer compare DNS with what its servers send; `Authentication-Results` of its mail says more"
    return Observation(where=recipient, what=what, verdict=Verdict.WARNING, text=found, cure=cure)


def _there(recipient: str, event: Event | None) -> Observation:
    if event is None:
        cure = "see `cjsm queue list`"
        return Observation(where=recipient, what="there", verdict=Verdict.PROBLEM, text="not tried yet", cure=cure)
    text = f"{event.code} {event.status} {event.words}".strip()
    if event.result is Result.RELAYED:
        return Observation(where=recipient, what="there", text=text)
    cure = "see `cjsm queue list`" if event.result is Result.DEFERRED else "let its engineer say why"
    return Observation(where=recipient, what="there", verdict=Verdict.PROBLEM, text=text, cure=cure)


def _events(suite: Suite, name: str) -> tuple[Event, ...]:
    return wait(suite.traces.events(name, _EVENTS))


# What is said


@contextmanager
def _watched() -> Iterator[Callable[[str], None]]:
    """Show at a terminal what is looked at."""
    with errors.status("looking") as status:
        yield lambda what: status.update(f"looking at {what}")


def _report(assessment: Assessment, *, as_json: bool) -> None:
    told = {
        "moment": when(assessment.moment),
        "well": assessment.well,
        "observations": [msgspec.to_builtins(each) for each in assessment.observations],
    }
    if as_json:
        document(told)
    else:
        rows = [[each.where, each.what, each.verdict, each.text, each.cure] for each in assessment.observations]
        table(rows, "where", "what", "how it is", "seen", "what to do", title=f"tested {told['moment']}")
        console.print("all well" if assessment.well else "there are problems")
    if not assessment.well:
        sys.exit(1)
