"""Who may send as whom: the reverse-path at MAIL, and the header's From (community §5, rules 1 and 2)."""

from collections.abc import Iterable

from cjsm.community.address import Address, BadAddress
from cjsm.community.identifiers import AccountId, ConnectionId, MailboxId
from cjsm.community.records import (
    AccountKind,
    AddressRecord,
    ConnectionState,
    Domain,
    DomainState,
    Life,
    MailboxRight,
    OrganisationState,
    OwnerKind,
)
from cjsm.community.states import may_send, organisation_state
from cjsm.community.verdicts import (
    AccountOrigin,
    ConnectionOrigin,
    Origin,
    Refuse,
    SenderAccepted,
    ServiceOrigin,
    refuse,
)
from cjsm.community.view import View


def canonical(view: View, origin: Origin, address: Address) -> Address:
    """Return *address* in canonical form: a connection may write its own domains without the suffix, and its members
    as the exceptions of those domains have them (§3).

    Anything else comes back as it is, for the rules to judge.
    """
    if not isinstance(origin, ConnectionOrigin) or address.has_suffix(view.suffix):
        return address
    try:
        suffixed = address.with_suffix(view.suffix)
    except BadAddress:
        return address
    domain = view.domain(suffixed.domain)
    if domain is not None and domain.connection != origin.connection:
        return address
    # In a connected domain only that domain's own exceptions can be.
    places = (domain,) if domain is not None else view.domains_of(origin.connection)
    member = _excepted(places, str(address))
    if member:
        return Address.parse(member)
    return suffixed if domain is not None else address


def _excepted(domains: Iterable[Domain], outside: str) -> str:
    """Return the member that an exception calls *outside*; empty where none does."""
    return next((pair[0] for domain in domains for pair in domain.exceptions if pair[1] == outside), "")


def admit_sender(view: View, origin: Origin, reverse_path: Address | None) -> SenderAccepted | Refuse:
    """Decide whether *origin* may use *reverse_path* (None: the null sender) in MAIL.

    Pure and total. *reverse_path* is canonical, see :func:`canonical`.
    """
    refused = _origin_refused(view, origin)
    if refused is not None:
        return refused
    if reverse_path is not None:
        return may_appear_as(view, origin, reverse_path)
    if isinstance(origin, AccountOrigin):
        return refuse(view, 550, "5.7.1", "mail from an account needs its own address as sender", "sender-null")
    return SenderAccepted(rules=(_origin_rule(origin), "sender-null"))


def sends_bounces(view: View, connection: ConnectionId) -> bool:
    """Whether mail with the null sender, which does not say whose it is, may be taken for *connection*'s."""
    found = view.connection(connection)
    live = found is not None and found.state is ConnectionState.LIVE
    return live and isinstance(admit_sender(view, ConnectionOrigin(connection=connection), None), SenderAccepted)


def may_appear_as(view: View, origin: Origin, identity: Address) -> SenderAccepted | Refuse:
    """Decide whether *origin* may appear as *identity*, in the reverse-path or the header's From."""
    if may_use(view, origin, identity):
        return SenderAccepted(rules=(_origin_rule(origin), "sender-own"))
    if isinstance(origin, ConnectionOrigin):
        text = f"this connection may not send as {identity}: use an address of its own domains"
    else:
        text = f"you may not send as {identity}: use your own address"
    return refuse(view, 550, "5.7.1", text, "sender-not-own")


def may_use(view: View, origin: Origin, identity: Address) -> bool:
    """Whether *identity* is one of *origin*'s own: says nothing of the origin's state."""
    if isinstance(origin, ServiceOrigin):
        return identity.has_suffix(view.suffix)
    record = view.address(str(identity))
    if isinstance(origin, ConnectionOrigin):
        return _bound(view, origin, view.domain(identity.domain), record)
    if record is None:
        return False
    if record.owner_kind is OwnerKind.ACCOUNT:
        return record.owner == origin.account
    return record.owner_kind is OwnerKind.SHARED_MAILBOX and _sends_for(view, origin, MailboxId(record.owner))


def _origin_rule(origin: Origin) -> str:
    if isinstance(origin, ServiceOrigin):
        return f"origin-service-{origin.service}"
    return "origin-connection" if isinstance(origin, ConnectionOrigin) else "origin-account"


def _origin_refused(view: View, origin: Origin) -> Refuse | None:
    if isinstance(origin, AccountOrigin):
        return _account_refused(view, origin)
    if isinstance(origin, ConnectionOrigin):
        return _connection_refused(view, origin)
    return None


def _account_refused(view: View, origin: AccountOrigin) -> Refuse | None:
    account = view.account(origin.account)
    if account is None or not may_send(view, account):
        return refuse(view, 550, "5.7.1", "this account may not send mail at the moment", "origin-account-state")
    if account.kind is not AccountKind.HOSTED:
        text = "your mail goes through your organisation's own mail server: this account is for the directory"
        return refuse(view, 550, "5.7.1", text, "origin-account-relayed")
    return None


def _connection_refused(view: View, origin: ConnectionOrigin) -> Refuse | None:
    connection = view.connection(origin.connection)
    if connection is None or connection.state is ConnectionState.SUSPENDED:
        return refuse(view, 550, "5.7.1", "this connection is not approved at the moment", "origin-connection-state")
    if organisation_state(view, connection.organisation) is not OrganisationState.ACTIVE:
        return refuse(view, 550, "5.7.1", "this organisation is not active", "origin-organisation-state")
    return None


def _bound(view: View, origin: ConnectionOrigin, domain: Domain | None, record: AddressRecord | None) -> bool:
    """Sender domain and connection belong together, and a member who is listed is in a state to send."""
    if domain is None or domain.connection != origin.connection or domain.state is not DomainState.APPROVED:
        return False
    if organisation_state(view, domain.organisation) is not OrganisationState.ACTIVE:
        return False
    if record is None:
        return not domain.listed_members_only
    if record.owner_kind is not OwnerKind.ACCOUNT:
        return False
    account = view.account(AccountId(record.owner))
    if account is None or account.kind is not AccountKind.RELAYED:
        return False
    active = organisation_state(view, account.organisation) is OrganisationState.ACTIVE
    return active and account.life in (Life.NEW, Life.ACTIVE)


def _sends_for(view: View, origin: AccountOrigin, mailbox: MailboxId) -> bool:
    shared = view.shared_mailbox(mailbox)
    if shared is None or organisation_state(view, shared.organisation) is not OrganisationState.ACTIVE:
        return False
    return any(member.account == origin.account and MailboxRight.SEND in member.rights for member in shared.members)
