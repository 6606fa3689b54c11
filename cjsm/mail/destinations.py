"""Where a forward-path leads: one mailbox, an organisation's own server, those of a list's members, or the echo."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from cjsm.community import finding
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
from cjsm.community.states import takes_mail
from cjsm.community.view import View
from cjsm.mail.interfaces import Refused


class Through(Struct, frozen=True, kw_only=True):
    """The list that a copy comes through.

    ``reports_to`` is who hears of failures instead of the sender: its manager, or nobody where it is empty.
    """

    address: str
    name: str
    reports_to: str


class Destination(Struct, frozen=True, kw_only=True):
    """One mailbox that gets a copy, the address that led there, and the mailbox's quota in octets (0: the default).

    ``in_use`` is False where mail is kept for somebody who does not get at it.
    """

    mailbox: MailboxId
    address: str
    quota: int
    through: Through | None = None
    in_use: bool = True


class Relayed(Struct, frozen=True, kw_only=True):
    """One recipient behind a connection; ``limit`` is the largest message that the other side takes (0: any)."""

    connection: ConnectionId
    address: str
    limit: int
    through: Through | None = None
    in_use: bool = True


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
    found = view.mail_list(identifier)
    return _gathered(view, expanded, _through(view, found) if found is not None else None)


def _gathered(view: View, accepted: Iterable[tuple[Address, Accept]], through: Through | None = None) -> Destinations:
    hosted: list[Destination] = []
    relayed: list[Relayed] = []
    echo = False
    for address, verdict in accepted:
        told: Any = {"address": str(address), "through": through, "in_use": not verdict.notes}
        match verdict.route:
            case HostedRoute(mailbox):
                hosted.append(Destination(mailbox=mailbox, quota=_quota(view, mailbox), **told))
            case RelayRoute(connection):
                relayed.append(Relayed(connection=connection, limit=_limit(view, connection), **told))
            case EchoRoute():
                echo = True
            case ListRoute():
                raise TypeError("a list inside a list is expanded with it")
    return Destinations(every=tuple(hosted), relayed=tuple(relayed), echo=echo, of_list=through is not None)


def _quota(view: View, mailbox: MailboxId) -> int:
    owner = finding.owner_of(view, mailbox)
    return owner.quota if owner is not None else 0


def _limit(view: View, connection: ConnectionId) -> int:
    found = view.connection(connection)
    return (found.limits.message_octets or 0) if found is not None else 0


def _through(view: View, mail_list: MailList) -> Through:
    """Return what is told of a list; bounces go to its first manager who is there (community §8)."""
    managers = (view.account(manager) for manager in mail_list.managers)
    present = (manager for manager in managers if manager is not None and takes_mail(manager))
    reports_to = next((finding.primary_address(view, manager.id) for manager in present), "")
    return Through(address=finding.primary_address(view, mail_list.id), name=mail_list.name, reports_to=reports_to)
