"""Where a forward-path leads: one mailbox, an organisation's own server, those of a list's members, or the echo."""

from collections.abc import Iterable

from msgspec import Struct

from cjsm.community.address import Address
from cjsm.community.admission import (
    Accept,
    EchoRoute,
    HostedRoute,
    ListRoute,
    Origin,
    Refuse,
    RelayRoute,
    admit,
    expand,
    read_address,
)
from cjsm.community.identifiers import ConnectionId, ListId, MailboxId
from cjsm.community.records import MailList
from cjsm.community.view import View
from cjsm.mail.interfaces import Refused


class Destination(Struct, frozen=True, kw_only=True):
    """One mailbox that gets a copy, the address that led there, and the mailbox's quota in octets (0: the default)."""

    mailbox: MailboxId
    address: str
    quota: int


class Relayed(Struct, frozen=True, kw_only=True):
    """One recipient behind a connection; ``limit`` is the largest message that the other side takes (0: any).

    ``reports_to`` is who hears of failures instead of the sender: a list's manager, or nobody where it is empty.
    """

    connection: ConnectionId
    address: str
    limit: int
    reports_to: str | None = None


class Destinations(Struct, frozen=True, kw_only=True):
    """What one recipient stands for. Mailboxes of a list's members are not asked for room: see :attr:`of_list`.

    A list reaches all who take mail or nobody: one member's full mailbox must not close it to the others.
    """

    every: tuple[Destination, ...] = ()
    relayed: tuple[Relayed, ...] = ()
    echo: bool = False
    of_list: bool = False


def refused(verdict: Refuse) -> Refused:
    """Return the reply that says what admission decided."""
    return Refused(verdict.code, verdict.status, verdict.text)


def destinations(
    view: View, origin: Origin, sender: Address | None, forward_path: str, *, international: bool = False
) -> Destinations:
    """Return where mail from *origin* as *sender* to *forward_path* goes.

    :param international: SMTPUTF8 was said, so that the address may be one of UTF-8.
    :raises Refused: when admission says no.
    """
    # RFC 5321 section 4.1.1.3: the one address that needs no domain.
    path = f"postmaster@{view.suffix}" if forward_path.lower() == "postmaster" else forward_path
    address = read_address(view, path, international=international)
    if isinstance(address, Refuse):
        raise refused(address)
    verdict = admit(view, origin, sender, address)
    if isinstance(verdict, Refuse):
        raise refused(verdict)
    if isinstance(verdict.route, ListRoute):
        return _of_list(view, verdict.route.mail_list)
    return _gathered(view, [(address, verdict)])


def _of_list(view: View, identifier: ListId) -> Destinations:
    expanded = expand(view, identifier)
    if isinstance(expanded, Refuse):
        raise refused(expanded)
    if not expanded:
        raise Refused(550, "5.1.1", "this list has no members who take mail at the moment")
    return _gathered(view, expanded, view.mail_list(identifier))


def _gathered(
    view: View, accepted: Iterable[tuple[Address, Accept]], mail_list: MailList | None = None
) -> Destinations:
    hosted: list[Destination] = []
    relayed: list[Relayed] = []
    echo = False
    reports_to = _manager(view, mail_list) if mail_list is not None else None
    for address, verdict in accepted:
        match verdict.route:
            case HostedRoute(mailbox):
                hosted.append(_hosted(view, address, mailbox))
            case RelayRoute(connection):
                relayed.append(_relayed(view, address, connection, reports_to))
            case EchoRoute():
                echo = True
            case ListRoute():
                raise TypeError("a list inside a list is expanded with it")
    return Destinations(every=tuple(hosted), relayed=tuple(relayed), echo=echo, of_list=mail_list is not None)


def _hosted(view: View, address: Address, mailbox: MailboxId) -> Destination:
    owner = view.account_of_mailbox(mailbox) or view.shared_mailbox(mailbox)
    return Destination(mailbox=mailbox, address=str(address), quota=owner.quota if owner is not None else 0)


def _relayed(view: View, address: Address, connection: ConnectionId, reports_to: str | None) -> Relayed:
    found = view.connection(connection)
    limit = (found.limits.message_octets or 0) if found is not None else 0
    return Relayed(connection=connection, address=str(address), limit=limit, reports_to=reports_to)


def _manager(view: View, mail_list: MailList) -> str:
    """Return the address of the first manager who has one; bounces of a list go there (community section 8)."""
    for manager in mail_list.managers:
        for record in view.addresses_of(manager):
            if not record.alias:
                return record.address
    return ""
