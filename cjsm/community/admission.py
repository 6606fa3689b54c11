"""The one decision that makes the community closed (community §5)."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec
from msgspec import Struct

from cjsm.community.address import Address
from cjsm.community.identifiers import AccountId, ConnectionId, ListId, MailboxId, OrganisationId
from cjsm.community.records import (
    AccountKind,
    AddressRecord,
    ConnectionState,
    DomainState,
    Life,
    MailboxRight,
    MailList,
    OrganisationState,
    OwnerKind,
    WhoMayPost,
)
from cjsm.community.states import chain, may_sign_in, organisation_state, takes_mail
from cjsm.community.view import View


class Service(StrEnum):
    """The service's own origins."""

    DSN = "dsn"
    NOTICE = "notice"
    ECHO = "echo"
    LIST = "list"
    REDIRECT = "redirect"


class AccountOrigin(Struct, frozen=True, tag="account"):
    """Mail that a signed-in account submits."""

    account: AccountId


class ConnectionOrigin(Struct, frozen=True, tag="connection"):
    """Mail that a proved connection relays in."""

    connection: ConnectionId


class ServiceOrigin(Struct, frozen=True, tag="service"):
    """Mail that the service itself makes; *on_behalf* is the list it expands, where it is one."""

    service: Service
    on_behalf: ListId | None = None


Origin = AccountOrigin | ConnectionOrigin | ServiceOrigin


class HostedRoute(Struct, frozen=True, tag="hosted"):
    """Into a mailbox kept here, personal or shared."""

    mailbox: MailboxId


class ListRoute(Struct, frozen=True, tag="list"):
    """To the members of a list, each asked again with the origin ``service(list)``."""

    mail_list: ListId


class RelayRoute(Struct, frozen=True, tag="relay"):
    """Out over an approved connection."""

    connection: ConnectionId
    domain: str


class EchoRoute(Struct, frozen=True, tag="echo"):
    """To the echo responder."""


Route = HostedRoute | ListRoute | RelayRoute | EchoRoute


class Accept(Struct, frozen=True, kw_only=True):
    """Yes. ``notes`` tell the sender something, such as that the mailbox is not in use at the moment."""

    route: Route
    view: int
    rules: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Refuse(Struct, frozen=True, kw_only=True):
    """No: SMTP reply code, enhanced status code and plain words."""

    code: int
    status: str
    text: str
    view: int
    rules: tuple[str, ...]


Verdict = Accept | Refuse


#: What an outsider's address is answered with; the words never depend on who asks.
_OUTSIDE = "this address is outside the secure community: mail to it is not possible from here"
_UNKNOWN = "nobody has this address"
_LIST_DEPTH = 4
_LIST_TOTAL = 10_000


def admit(view: View, origin: Origin, sender: Address | None, recipient: Address) -> Verdict:
    """Decide whether *origin* may send mail from *sender* (None: the null reverse-path) to *recipient*.

    Pure and total. The answer names the view and every rule that led to it.
    """
    refused = admit_sender(view, origin, sender)
    if isinstance(refused, Refuse):
        return refused
    found = _route(view, origin, recipient)
    if isinstance(found, Refuse):
        return _after(refused.rules, found)
    if isinstance(found.route, ListRoute):
        return _may_post(view, origin, found.route.mail_list, refused.rules + found.rules)
    return msgspec.structs.replace(found, rules=refused.rules + found.rules)


def _after(rules: tuple[str, ...], refused: Refuse) -> Refuse:
    return msgspec.structs.replace(refused, rules=rules + refused.rules)


def _refuse(view: View, code: int, status: str, text: str, rule: str) -> Refuse:
    return Refuse(code=code, status=status, text=text, view=view.number, rules=(rule,))


class SenderAccepted(Struct, frozen=True, kw_only=True):
    """The origin may use the sender."""

    rules: tuple[str, ...]


def admit_sender(view: View, origin: Origin, sender: Address | None) -> SenderAccepted | Refuse:
    """Decide whether *origin* may use *sender* as reverse-path."""
    if isinstance(origin, ServiceOrigin):
        return SenderAccepted(rules=(f"origin-service-{origin.service}",))
    if isinstance(origin, ConnectionOrigin):
        return _admit_connection_sender(view, origin, sender)
    account = view.account(origin.account)
    if account is None or not may_sign_in(view, account):
        return _refuse(view, 550, "5.7.1", "this account may not send mail at the moment", "origin-account-state")
    if sender is None:
        return _refuse(view, 550, "5.7.1", "mail from an account needs its address as sender", "null-sender")
    if not may_use(view, origin, sender):
        return _refuse(
            view, 550, "5.7.1", f"you may not send as {sender}: use your own address", "sender-not-own"
        )
    return SenderAccepted(rules=("origin-account", "sender-own"))


def _admit_connection_sender(
    view: View, origin: ConnectionOrigin, sender: Address | None
) -> SenderAccepted | Refuse:
    connection = view.connection(origin.connection)
    if connection is None or connection.state is ConnectionState.SUSPENDED:
        return _refuse(view, 550, "5.7.1", "this connection is not approved at the moment", "origin-connection-state")
    if organisation_state(view, connection.organisation) is not OrganisationState.ACTIVE:
        return _refuse(view, 550, "5.7.1", "this organisation is not active", "origin-organisation-state")
    if sender is None:
        return SenderAccepted(rules=("origin-connection", "null-sender-from-connection"))
    if not may_use(view, origin, sender):
        return _refuse(
            view, 550, "5.7.1", f"{sender.domain} is not a domain of this connection", "sender-domain-not-bound"
        )
    return SenderAccepted(rules=("origin-connection", "sender-domain-bound"))


def may_use(view: View, origin: Origin, identity: Address) -> bool:
    """Whether *origin* may appear as *identity*, in the reverse-path and in the header's From."""
    if isinstance(origin, ServiceOrigin):
        return True
    if isinstance(origin, ConnectionOrigin):
        domain = view.domain(identity.domain)
        return (
            domain is not None and domain.connection == origin.connection and domain.state is DomainState.APPROVED
        )
    record = view.address(str(identity))
    if record is None:
        return False
    if record.owner_kind is OwnerKind.ACCOUNT:
        return record.owner == origin.account
    if record.owner_kind is OwnerKind.SHARED_MAILBOX:
        shared = view.shared_mailbox(MailboxId(record.owner))
        members = shared.members if shared is not None else ()
        return any(
            member.account == origin.account and MailboxRight.SEND in member.rights for member in members
        )
    return False


def is_member_address(view: View, address: Address) -> bool:
    """Whether *address* is one that mail inside the community can reach, for answer-to headers."""
    return isinstance(_route(view, ServiceOrigin(service=Service.NOTICE), address), Accept)


def _route(view: View, origin: Origin, recipient: Address) -> Accept | Refuse:
    suffix = view.suffix
    if recipient.domain == suffix:
        return _service_address(view, recipient)
    if not recipient.domain.endswith("." + suffix):
        return _outside(view, origin, recipient)
    record = view.address(str(recipient))
    if record is not None:
        return _owner(view, recipient, record)
    if recipient.domain.removesuffix("." + suffix).count(".") == 0:
        return _refuse(view, 550, "5.1.1", _UNKNOWN, "hosted-address-unknown")
    return _connected_domain(view, recipient, listed=False)


def _service_address(view: View, recipient: Address) -> Accept | Refuse:
    if recipient.local == "echo":
        return Accept(route=EchoRoute(), view=view.number, rules=("recipient-echo",))
    record = view.address(str(recipient))
    if record is not None:
        return _owner(view, recipient, record)
    return _refuse(view, 550, "5.1.1", _UNKNOWN, "service-address-unknown")


def _outside(view: View, origin: Origin, recipient: Address) -> Refuse:
    suffixed = Address(recipient.local, f"{recipient.domain}.{view.suffix}")
    if isinstance(origin, AccountOrigin) and _is_visible_member(view, suffixed):
        return _refuse(
            view, 550, "5.7.1", f"write to {suffixed}: addresses here end in .{view.suffix}", "suffix-missing"
        )
    return _refuse(view, 550, "5.7.1", _OUTSIDE, "recipient-outside")


def _is_visible_member(view: View, address: Address) -> bool:
    record = view.address(str(address))
    if record is None or record.owner_kind is not OwnerKind.ACCOUNT:
        return False
    account = view.account(AccountId(record.owner))
    if account is None or account.ex_directory or account.life is not Life.ACTIVE:
        return False
    above = tuple(chain(view, account.organisation))
    return bool(above) and not any(found.ex_directory or found.protected for found in above)


def _owner(view: View, recipient: Address, record: AddressRecord) -> Accept | Refuse:
    if record.owner_kind is OwnerKind.LIST:
        return _list_route(view, ListId(record.owner))
    if record.owner_kind is OwnerKind.SHARED_MAILBOX:
        return _shared_route(view, MailboxId(record.owner))
    account = view.account(AccountId(record.owner))
    if account is None or not takes_mail(account):
        return _refuse(view, 550, "5.1.1", _UNKNOWN, "recipient-deleted")
    refused = _organisation_refuses(view, account.organisation)
    if refused is not None:
        return refused
    if account.kind is AccountKind.RELAYED:
        return _connected_domain(view, recipient, listed=True)
    if account.mailbox is None:
        return _refuse(view, 450, "4.2.1", "this mailbox is being made, try again later", "mailbox-not-made")
    notes = ("the mailbox is not in use at the moment",) if account.life is Life.SUSPENDED else ()
    return Accept(
        route=HostedRoute(mailbox=account.mailbox), view=view.number, rules=("recipient-hosted",), notes=notes
    )


def _organisation_refuses(view: View, organisation: OrganisationId) -> Refuse | None:
    if organisation_state(view, organisation) is OrganisationState.ACTIVE:
        return None
    return _refuse(
        view, 550, "5.7.1", "this organisation takes no mail at the moment: use another route", "organisation-state"
    )


def _list_route(view: View, identifier: ListId) -> Accept | Refuse:
    found = view.mail_list(identifier)
    if found is None:
        return _refuse(view, 550, "5.1.1", _UNKNOWN, "list-unknown")
    return _organisation_refuses(view, found.organisation) or Accept(
        route=ListRoute(mail_list=found.id), view=view.number, rules=("recipient-list",)
    )


def _shared_route(view: View, identifier: MailboxId) -> Accept | Refuse:
    found = view.shared_mailbox(identifier)
    if found is None:
        return _refuse(view, 550, "5.1.1", _UNKNOWN, "shared-mailbox-unknown")
    return _organisation_refuses(view, found.organisation) or Accept(
        route=HostedRoute(mailbox=found.id), view=view.number, rules=("recipient-shared-mailbox",)
    )


def _connected_domain(view: View, recipient: Address, *, listed: bool) -> Accept | Refuse:
    """An address in a connection's domain; *listed* when an account has it."""
    domain = view.domain(recipient.domain)
    if domain is None:
        return _refuse(view, 550, "5.7.1", _OUTSIDE, "domain-not-approved")
    connection = view.connection(domain.connection)
    if connection is None or domain.state is not DomainState.APPROVED:
        return _refuse(view, 550, "5.7.1", "this domain takes no mail at the moment: use another route", "domain-state")
    if connection.state is ConnectionState.SUSPENDED:
        return _refuse(
            view, 550, "5.7.1", "this organisation takes no mail at the moment: use another route", "connection-state"
        )
    refused = _organisation_refuses(view, domain.organisation)
    if refused is not None:
        return refused
    if domain.listed_members_only and not listed:
        return _refuse(view, 550, "5.1.1", _UNKNOWN, "member-not-listed")
    return Accept(
        route=RelayRoute(connection=connection.id, domain=domain.name),
        view=view.number,
        rules=("recipient-connected-domain",),
    )


def _may_post(view: View, origin: Origin, identifier: ListId, rules: tuple[str, ...]) -> Verdict:
    found = view.mail_list(identifier)
    accepted = Accept(route=ListRoute(mail_list=identifier), view=view.number, rules=(*rules, "may-post"))
    if found is None or found.who_may_post is WhoMayPost.COMMUNITY or isinstance(origin, ServiceOrigin):
        return accepted
    if _posts_from_inside(view, origin, found):
        return accepted
    who = "its members" if found.who_may_post is WhoMayPost.MEMBERS else "its organisation"
    return Refuse(
        code=550,
        status="5.7.1",
        text=f"only {who} may write to this list",
        view=view.number,
        rules=(*rules, "may-not-post"),
    )


def _posts_from_inside(view: View, origin: Origin, found: MailList) -> bool:
    if isinstance(origin, AccountOrigin):
        if origin.account in found.managers:
            return True
        if found.who_may_post is WhoMayPost.MEMBERS:
            own = {record.address for record in view.addresses_of(origin.account)}
            return not own.isdisjoint(found.members)
        account = view.account(origin.account)
        return account is not None and _same_top(view, account.organisation, found.organisation)
    if isinstance(origin, ConnectionOrigin) and found.who_may_post is WhoMayPost.ORGANISATION:
        connection = view.connection(origin.connection)
        return connection is not None and _same_top(view, connection.organisation, found.organisation)
    return False


def _same_top(view: View, one: OrganisationId, other: OrganisationId) -> bool:
    tops = [tuple(chain(view, organisation))[-1:] for organisation in (one, other)]
    return bool(tops[0]) and tops[0] == tops[1]


def expand(view: View, identifier: ListId) -> tuple[tuple[Address, Accept], ...] | Refuse:
    """Return every address a list reaches and its route, each once, members asked again with ``service(list)``.

    Members that take no mail now are left out. Lists inside lists count to a depth of 4 and 10,000 members in all;
    a loop ends by itself.
    """
    reached: dict[Address, Accept] = {}
    seen: set[ListId] = {identifier}
    level = [identifier]
    for _ in range(_LIST_DEPTH):
        following: list[ListId] = []
        for address, accepted in _members(view, level):
            if isinstance(accepted.route, ListRoute):
                if accepted.route.mail_list not in seen:
                    seen.add(accepted.route.mail_list)
                    following.append(accepted.route.mail_list)
            else:
                reached[address] = accepted
            if len(reached) > _LIST_TOTAL:
                return _refuse(view, 550, "5.3.4", f"this list reaches more than {_LIST_TOTAL}", "list-too-large")
        level = following
    return tuple(reached.items())


def _members(view: View, lists: Iterable[ListId]) -> Iterator[tuple[Address, Accept]]:
    for identifier in lists:
        found = view.mail_list(identifier)
        origin = ServiceOrigin(service=Service.LIST, on_behalf=identifier)
        for member in found.members if found is not None else ():
            address = Address.parse(member)
            verdict = admit(view, origin, None, address)
            if isinstance(verdict, Accept) and not isinstance(verdict.route, EchoRoute):
                yield address, verdict
