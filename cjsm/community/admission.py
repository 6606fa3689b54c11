"""The one decision that makes the community closed (community §5).

:func:`admit` is asked by submission, relay, lists, filters, automatic answers, notices and web alike. Its parts are
:mod:`~cjsm.community.senders`, :mod:`~cjsm.community.recipients` and :mod:`~cjsm.community.posting`; all names that
other rooms need are here.
"""

from collections.abc import Iterable, Iterator

import msgspec

from cjsm.community.address import Address, BadAddress
from cjsm.community.identifiers import ListId
from cjsm.community.posting import LIST_DEPTH, LIST_TOTAL, may_post
from cjsm.community.recipients import is_member_address, leaves_to, read_address, route, visible_to
from cjsm.community.records import ConnectionState, WhoMayPost
from cjsm.community.senders import admit_sender, canonical, may_appear_as, may_use, sends_bounces
from cjsm.community.verdicts import (
    Accept,
    AccountOrigin,
    ConnectionOrigin,
    EchoRoute,
    HostedRoute,
    ListRoute,
    Origin,
    Refuse,
    RelayRoute,
    Route,
    SenderAccepted,
    Service,
    ServiceOrigin,
    Verdict,
    refuse,
)
from cjsm.community.view import View

__all__ = [
    "Accept",
    "AccountOrigin",
    "ConnectionOrigin",
    "EchoRoute",
    "HostedRoute",
    "ListRoute",
    "Origin",
    "Refuse",
    "RelayRoute",
    "Route",
    "SenderAccepted",
    "Service",
    "ServiceOrigin",
    "Verdict",
    "admit",
    "admit_sender",
    "canonical",
    "expand",
    "is_member_address",
    "leaves_to",
    "may_appear_as",
    "may_use",
    "read_address",
    "sends_bounces",
    "visible_to",
]

_MAY_POST = {
    WhoMayPost.MEMBERS: "only its members may write to this list",
    WhoMayPost.ORGANISATION: "only its organisation may write to this list",
    WhoMayPost.COMMUNITY: "automatic mail is not sent to lists",
}


def admit(view: View, origin: Origin, sender: Address | None, recipient: Address) -> Verdict:
    """Decide whether *origin* may send mail from *sender* (None: the null reverse-path) to *recipient*.

    Pure and total. The answer names the view and every rule that led to it.

    :param sender: canonical, see :func:`canonical`.
    :param recipient: with suffix; a member's address without it is refused with the right one.
    """
    first = admit_sender(view, origin, sender)
    if isinstance(first, Refuse):
        return first
    verdict = route(view, origin, recipient)
    if isinstance(verdict, Accept):
        verdict = _tested(view, origin, recipient, verdict) or _posted(view, origin, sender, verdict)
    return msgspec.structs.replace(verdict, rules=first.rules + verdict.rules)


def _tested(view: View, origin: Origin, recipient: Address, accepted: Accept) -> Refuse | None:
    """A connection in testing reaches itself and the service's own addresses."""
    if not isinstance(origin, ConnectionOrigin) or recipient.domain == view.suffix:
        return None
    connection = view.connection(origin.connection)
    itself = isinstance(accepted.route, RelayRoute) and accepted.route.connection == origin.connection
    if itself or connection is None or connection.state is not ConnectionState.TESTING:
        return None
    text = "this connection is being tested: until it is live it reaches the echo and helpdesk addresses"
    return refuse(view, 550, "5.7.1", text, "origin-connection-testing")


def _posted(view: View, origin: Origin, sender: Address | None, accepted: Accept) -> Verdict:
    if not isinstance(accepted.route, ListRoute):
        return accepted
    found = view.mail_list(accepted.route.mail_list)
    if found is None or not may_post(view, origin, sender, found):
        text = _MAY_POST[found.who_may_post if found is not None else WhoMayPost.MEMBERS]
        return refuse(view, 550, "5.7.1", text, "may-not-post")
    return msgspec.structs.replace(accepted, rules=(*accepted.rules, "may-post"))


def expand(
    view: View, identifier: ListId, *, depth: int = LIST_DEPTH, total: int = LIST_TOTAL
) -> tuple[tuple[Address, Accept], ...] | Refuse:
    """Return every address a list reaches and its route, each once, members asked again with ``service(list)``.

    Members that take no mail now are left out, and a loop ends by itself.

    :param depth: lists inside lists that count, the first included.
    :param total: addresses reached at most; more is refused.
    """
    reached: dict[Address, Accept] = {}
    seen: set[ListId] = {identifier}
    level = [identifier]
    for _ in range(depth):
        following: list[ListId] = []
        for address, accepted in _members(view, level):
            if not isinstance(accepted.route, ListRoute):
                reached[address] = accepted
            elif accepted.route.mail_list not in seen:
                seen.add(accepted.route.mail_list)
                following.append(accepted.route.mail_list)
            if len(reached) > total:
                return refuse(view, 550, "5.3.4", f"this list reaches more than {total} addresses", "list-too-large")
        level = following
    return tuple(reached.items())


def _members(view: View, lists: Iterable[ListId]) -> Iterator[tuple[Address, Accept]]:
    for identifier in lists:
        found = view.mail_list(identifier)
        origin = ServiceOrigin(service=Service.LIST, on_behalf=identifier)
        for member in found.members if found is not None else ():
            try:
                address = Address.parse(member)
            except BadAddress:
                # Reported by the invariants; one bad member never stops a list.
                continue
            verdict = admit(view, origin, None, address)
            if isinstance(verdict, Accept):
                yield address, verdict
