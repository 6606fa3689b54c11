"""What admission is asked with and what it answers: origins, routes and verdicts (community §5)."""

from enum import StrEnum

from msgspec import Struct

from cjsm.community.identifiers import AccountId, ConnectionId, ListId, MailboxId
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


class SenderAccepted(Struct, frozen=True, kw_only=True):
    """The origin may use the sender."""

    rules: tuple[str, ...]


def refuse(view: View, code: int, status: str, text: str, rule: str) -> Refuse:
    """Return the refusal of one rule."""
    return Refuse(code=code, status=status, text=text, view=view.number, rules=(rule,))
