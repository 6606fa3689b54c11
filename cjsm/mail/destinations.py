"""Where a forward-path leads: one mailbox, or those of a list's members."""

from msgspec import Struct

from cjsm.community.address import Address
from cjsm.community.admission import (
    Accept,
    HostedRoute,
    ListRoute,
    Origin,
    Refuse,
    RelayRoute,
    admit,
    expand,
    read_address,
)
from cjsm.community.identifiers import MailboxId
from cjsm.community.view import View
from cjsm.mail.interfaces import Refused


class Destination(Struct, frozen=True, kw_only=True):
    """One mailbox that gets a copy, the address that led there, and the mailbox's quota in octets (0: the default)."""

    mailbox: MailboxId
    address: str
    quota: int


class Destinations(Struct, frozen=True, kw_only=True):
    """What one recipient stands for. Mailboxes of a list's members are not asked for room: see :attr:`of_list`.

    A list reaches all who take mail or nobody: one member's full mailbox must not close it to the others.
    """

    every: tuple[Destination, ...]
    of_list: bool


def refused(verdict: Refuse) -> Refused:
    """Return the reply that says what admission decided."""
    return Refused(verdict.code, verdict.status, verdict.text)


def destinations(view: View, origin: Origin, sender: Address | None, forward_path: str) -> Destinations:
    """Return where mail from *origin* as *sender* to *forward_path* goes.

    :raises Refused: when admission says no, or the way there is not built yet.
    """
    address = read_address(view, forward_path)
    if isinstance(address, Refuse):
        raise refused(address)
    verdict = admit(view, origin, sender, address)
    if isinstance(verdict, Refuse):
        raise refused(verdict)
    if not isinstance(verdict.route, ListRoute):
        return Destinations(every=(_hosted(view, address, verdict),), of_list=False)
    expanded = expand(view, verdict.route.mail_list)
    if isinstance(expanded, Refuse):
        raise refused(expanded)
    if not expanded:
        raise Refused(550, "5.1.1", "this list has no members who take mail at the moment")
    return Destinations(every=tuple(_hosted(view, member, accepted) for member, accepted in expanded), of_list=True)


def _hosted(view: View, address: Address, verdict: Accept) -> Destination:
    route = verdict.route
    if not isinstance(route, HostedRoute):
        raise _no_way(address, relayed=isinstance(route, RelayRoute))
    owner = view.account_of_mailbox(route.mailbox) or view.shared_mailbox(route.mailbox)
    return Destination(mailbox=route.mailbox, address=str(address), quota=owner.quota if owner is not None else 0)


def _no_way(address: Address, *, relayed: bool) -> Refused:
    if relayed:
        return Refused(550, "5.4.4", f"{address.domain} is not connected to this service yet: use another route")
    return Refused(550, "5.3.3", f"{address} does not answer yet")
