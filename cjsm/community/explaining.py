"""Why a message would be taken or not: admission's answer with everything that led to it, in plain words."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from msgspec import Struct

from cjsm.community import finding
from cjsm.community.acts.domains import canonical_domain
from cjsm.community.address import Address
from cjsm.community.admission import admit, canonical, expand, read_address
from cjsm.community.errors import BadValue, NotFound
from cjsm.community.identifiers import AccountId, ListId, MailboxId
from cjsm.community.records import AccountKind, MailboxRight, OwnerKind
from cjsm.community.rules import OUTSIDE, OUTSIDE_SENTENCE
from cjsm.community.verdicts import (
    AccountOrigin,
    ConnectionOrigin,
    EchoRoute,
    HostedRoute,
    ListRoute,
    Origin,
    Refuse,
    RelayRoute,
    Route,
    Service,
    ServiceOrigin,
    Verdict,
    refuse,
)
from cjsm.community.view import View


class Explained(Struct, frozen=True, kw_only=True):
    """A verdict, who was taken to send (None: nobody of the community), and the addresses as they were decided on."""

    origin: Origin | None
    sender: str
    recipient: str
    verdict: Verdict


def explain(view: View, sender: str, recipient: str, kind: str | None = None, name: str | None = None) -> Explained:
    """Return the verdict on a message, and why.

    :param sender: an address, or an empty text or ``<>`` for the null sender.
    :param kind: ``account``, ``connection`` or ``service``; None: whichever the sender belongs to.
    :param name: which one; None: the sender's own.
    :raises NotFound: when *kind* or *name* name nobody.
    """
    told = sender.strip().removeprefix("<").removesuffix(">")
    path = read_address(view, told) if told else None
    if isinstance(path, Refuse):
        return Explained(origin=None, sender=told, recipient=recipient, verdict=path)
    origin = _origin(view, path, kind, name)
    if origin is None:
        return Explained(origin=None, sender=told, recipient=recipient, verdict=_outside(view))
    known = canonical(view, origin, path) if path is not None else None
    read = read_address(view, recipient.strip().removeprefix("<").removesuffix(">"))
    verdict = read if isinstance(read, Refuse) else admit(view, origin, known, read)
    return Explained(origin=origin, sender=str(known or ""), recipient=recipient, verdict=verdict)


def _outside(view: View) -> Refuse:
    return refuse(view, 530, "5.7.0", OUTSIDE_SENTENCE, OUTSIDE)


def _origin(view: View, sender: Address | None, kind: str | None, name: str | None) -> Origin | None:
    if kind is not None:
        return _KINDS[kind](view, sender, name)
    if sender is None:
        return ServiceOrigin(service=Service.DSN)
    record = view.reserved_address(str(sender))
    if record is not None and record.owner_kind is not OwnerKind.LIST:
        account = view.account(AccountId(record.owner))
        if account is None or account.kind is AccountKind.HOSTED:
            return _account(view, sender, None)
    with suppress(NotFound):
        return _connection(view, sender, None)
    return None


def _account(view: View, sender: Address | None, name: str | None) -> Origin:
    if name is not None:
        return AccountOrigin(account=finding.account_of(view, name).id)
    record = view.reserved_address(str(sender)) if sender is not None else None
    if record is not None and record.owner_kind is OwnerKind.ACCOUNT:
        return AccountOrigin(account=AccountId(record.owner))
    shared = view.shared_mailbox(MailboxId(record.owner)) if record is not None else None
    for member in shared.members if shared is not None else ():
        if MailboxRight.SEND in member.rights:
            return AccountOrigin(account=member.account)
    raise NotFound(f"no account has the address {sender or '<>'}", "name one: --as account USER")


def _connection(view: View, sender: Address | None, name: str | None) -> Origin:
    if name is not None:
        return ConnectionOrigin(connection=finding.connection_of(view, name).id)
    if sender is not None and sender.domain != view.suffix:
        with suppress(BadValue):
            domain = view.domain(canonical_domain(view, sender.domain))
            if domain is not None:
                return ConnectionOrigin(connection=domain.connection)
    raise NotFound(f"no connection has the address {sender or '<>'}", "name one: --as connection NAME")


def _service(view: View, sender: Address | None, name: str | None) -> Origin:
    try:
        service = Service(name or Service.NOTICE.value)
    except ValueError:
        raise NotFound(f"there is no service {name!r}", f"it is one of {', '.join(Service)}") from None
    record = view.address(str(sender)) if sender is not None else None
    listed = record is not None and record.owner_kind is OwnerKind.LIST and service is Service.LIST
    return ServiceOrigin(service=service, on_behalf=ListId(record.owner) if record is not None and listed else None)


_KINDS: dict[str, Callable[[View, Address | None, str | None], Origin]] = {
    "account": _account,
    "connection": _connection,
    "service": _service,
}
#: What ``--as`` may name.
KINDS = tuple(_KINDS)


def origin_named(view: View, origin: Origin | None) -> str:
    """Return who sends, in words."""
    match origin:
        case AccountOrigin(account):
            found = view.account(account)
            return f"account {found.user_id}" if found is not None else "an account that does not exist"
        case ConnectionOrigin(connection):
            known = view.connection(connection)
            return f"connection {finding.name_of(known)}" if known is not None else "a connection that does not exist"
        case ServiceOrigin(service):
            return f"service {service}"
        case None:
            return "nobody of the community"


def route_told(view: View, route: Route) -> dict[str, Any]:
    """Return where a message goes, for people and programs."""
    match route:
        case HostedRoute(mailbox):
            return {"kind": "mailbox", "mailbox": _mailbox(view, mailbox)}
        case ListRoute(mail_list):
            reached = expand(view, mail_list)
            found = view.mail_list(mail_list)
            return {
                "kind": "list",
                "list": found.slug if found is not None else "",
                "reaches": None if isinstance(reached, Refuse) else len(reached),
            }
        case RelayRoute(connection, domain):
            known = view.connection(connection)
            hops = known.next_hops if known is not None else ()
            return {
                "kind": "connection",
                "connection": finding.name_of(known) if known is not None else "",
                "domain": domain,
                "next_hops": [f"{hop.host}:{hop.port}" for hop in hops],
            }
        case EchoRoute():
            return {"kind": "echo"}


def _mailbox(view: View, mailbox: MailboxId) -> str:
    account = view.account_of_mailbox(mailbox)
    if account is not None:
        return account.user_id
    shared = view.shared_mailbox(mailbox)
    return f"shared mailbox {shared.slug}" if shared is not None else ""
