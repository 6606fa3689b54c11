"""Reports about mail: full mailboxes, traffic, and connections that are not safe."""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

import msgspec

from cjsm.command.context import wait
from cjsm.command.output import progressing, watched, when
from cjsm.command.quota import row_of
from cjsm.community import finding
from cjsm.community.identifiers import ConnectionId, MailboxId, OrganisationId
from cjsm.community.records import OwnerKind
from cjsm.community.view import View
from cjsm.mail.sending import INSECURE
from cjsm.mail.traced import Event, Result
from cjsm.suite import Suite

_DAY = 86_400
#: Events that are looked at in one slice.
_AT_ONCE = 2_000
#: Events of one message.
_EVENTS = 10_000

NEAR_QUOTA = ("mailbox", "organisation", "quota", "octets", "waiting_octets", "percent", "full_since")
TRAFFIC = ("organisation", "sent", "sent_octets", "received", "received_octets", "refused")
TLS_FAILURES = ("connection", "organisation", "failures", "messages", "first", "last", "problem")

Row = dict[str, Any]


def near_quota(suite: Suite, places: Sequence[OrganisationId], percent: int) -> Iterator[Row]:
    """Yield the mailboxes that are full to *percent* or more. One that nothing was written to is not opened."""
    every = wait(suite.stores.mail.mailboxes())
    there = frozenset(every)
    with progressing("organisations", len(places), octets=False) as advance:
        for place in places:
            for mailbox in suite.stores.community.read_now(partial(_mailboxes, place=place)):
                if mailbox in there or suite.stores.spool.waiting(mailbox):
                    told = row_of(suite, mailbox)
                    if (told["percent"] or 0) >= percent:
                        yield told
            advance(1)


def _mailboxes(view: View, place: OrganisationId) -> list[MailboxId]:
    people = (account.mailbox for account in view.accounts_in(place) if account.mailbox is not None)
    return [*people, *(shared.id for shared in view.shared_mailboxes_in(place))]


class _Sum(msgspec.Struct):
    """What one organisation sent and got."""

    sent: int = 0
    sent_octets: int = 0
    received: int = 0
    received_octets: int = 0
    refused: int = 0


def traffic(suite: Suite, places: Sequence[OrganisationId], days: int) -> Iterator[Row]:
    """Yield what each organisation sent and got; those with nothing are left out."""
    sums = {place: _Sum() for place in places}
    whose = suite.stores.community.read_now(partial(_names, places=frozenset(places), suite=suite))
    connections = suite.stores.community.read_now(_connections)
    last = ""
    for queue_id, event in watched(_events(suite, days), "events"):
        sender = _organisation(event.origin, connections) or whose.get(event.sender)
        fresh, last = queue_id != last, queue_id
        if event.result is Result.ACCEPTED:
            # Its events come one after the other: one for each recipient.
            if fresh and sender in sums:
                sums[sender].sent += 1
                sums[sender].sent_octets += event.octets
            got = _organisation(event.route, connections) or whose.get(event.recipient)
            if got in sums:
                sums[got].received += 1
                sums[got].received_octets += event.octets
        elif event.result is Result.REFUSED and sender in sums:
            sums[sender].refused += 1
    paths = suite.stores.community.read_now(lambda view: {place: finding.path_of(view, place) for place in sums})
    for place, path in sorted(paths.items(), key=lambda each: each[1]):
        if sums[place] != _Sum():
            yield {"organisation": path, **msgspec.structs.asdict(sums[place])}


def _events(suite: Suite, days: int) -> Iterator[tuple[str, Event]]:
    since, after = int(time.time()) - days * _DAY, 0
    while True:
        after, found = wait(suite.traces.since(since, after, _AT_ONCE))
        if not after:
            return
        yield from (each for each in found if each[1].moment >= since)


def _names(view: View, places: frozenset[OrganisationId], suite: Suite) -> Mapping[str, OrganisationId]:
    """Return the organisation of each address kept here, by what it is called in events."""
    found: dict[str, OrganisationId] = {}
    for place in places:
        owners: list[tuple[bytes, OwnerKind]]
        owners = [(account.id, OwnerKind.ACCOUNT) for account in view.accounts_in(place)]
        owners += [(shared.id, OwnerKind.SHARED_MAILBOX) for shared in view.kept_shared_mailboxes_in(place)]
        owners += [(each.id, OwnerKind.LIST) for each in view.lists_in(place)]
        for owner, kind in owners:
            for record in view.addresses_of(owner):
                if record.owner_kind is kind:
                    found |= dict.fromkeys(suite.traces.names(record.address), place)
    return found


def _connections(view: View) -> Mapping[str, OrganisationId]:
    return {connection.id.hex(): connection.organisation for connection in view.connections()}


def _organisation(told: str, connections: Mapping[str, OrganisationId]) -> OrganisationId | None:
    """Return the organisation of a connection that is an event's origin or route; None for others."""
    kind, _, identifier = told.partition(" ")
    return connections.get(identifier) if kind in ("connection", "relay") else None


def tls_failures(suite: Suite, places: Sequence[OrganisationId], days: int) -> Iterator[Row]:
    """Yield the connections to which mail could not be sent safely, with the last that was wrong."""
    wanted = frozenset(places)
    connections = suite.stores.community.read_now(_connections)
    found: dict[str, Row] = {}
    messages: dict[str, set[str]] = {}
    # A message fails as often as it is tried.
    relays = cache(partial(_relays, suite))
    for queue_id, event in watched(_events(suite, days), "events"):
        if event.status != INSECURE or event.result not in (Result.DEFERRED, Result.FAILED):
            continue
        identifier = relays(queue_id).get(event.recipient, "")
        if connections.get(identifier) not in wanted:
            continue
        told = found.setdefault(identifier, {"failures": 0, "first": when(int(event.moment))})
        told["failures"] += 1
        told |= {"last": when(int(event.moment)), "problem": event.words}
        messages.setdefault(identifier, set()).add(queue_id)
    for identifier, told in found.items():
        place = suite.stores.community.read_now(partial(_named, identifier=identifier))
        yield {**place, **told, "messages": len(messages[identifier])}


def _relays(suite: Suite, queue_id: str) -> Mapping[str, str]:
    """Return the identifiers of the connections that a message was to go to, by recipient."""
    accepted = (each for each in wait(suite.traces.events(queue_id, _EVENTS)) if each.result is Result.ACCEPTED)
    routes = ((each.recipient, each.route.partition(" ")) for each in accepted)
    return {recipient: identifier for recipient, (kind, _, identifier) in routes if kind == "relay"}


def _named(view: View, identifier: str) -> Row:
    connection = view.connection(ConnectionId(bytes.fromhex(identifier)))
    assert connection is not None, "it was there just now"
    return {
        "connection": finding.name_of(connection),
        "organisation": finding.path_of(view, connection.organisation),
    }
