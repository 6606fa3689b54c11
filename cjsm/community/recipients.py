"""Where an address of the community leads, and what anything else is answered (community §5, rules 3 to 5)."""

from cjsm.community.address import Address, BadAddress
from cjsm.community.identifiers import AccountId, ConnectionId, ListId, MailboxId, OrganisationId
from cjsm.community.records import (
    Account,
    AccountKind,
    AddressRecord,
    Connection,
    ConnectionState,
    Domain,
    DomainState,
    Life,
    MailList,
    OrganisationState,
    OwnerKind,
    Role,
    SharedMailbox,
)
from cjsm.community.states import chain, organisation_state, takes_mail
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
    Service,
    ServiceOrigin,
    Verdict,
    refuse,
)
from cjsm.community.view import View

#: What an outsider's address is answered with; the words never depend on who asks.
_OUTSIDE = "this address is outside the secure community: mail to it is not possible from here"
_UNKNOWN = "nobody has this address"
_ANOTHER_ROUTE = "this organisation takes no mail at the moment: use another route"
_NOT_IN_USE = "the mailbox is not in use at the moment"


def read_address(view: View, text: str, *, international: bool = False) -> Address | Refuse:
    """Return the address that *text* writes, or the refusal of its form (553 5.1.3).

    :param international: the part before @ may hold letters that are not ASCII (RFC 6531).
    """
    try:
        return Address.parse(text, international=international)
    except BadAddress as error:
        return refuse(view, 553, "5.1.3", f"{error}", "address-syntax")


def route(view: View, origin: Origin, recipient: Address) -> Verdict:
    """Decide where mail to *recipient* goes; who may send it and who may post to a list is asked elsewhere."""
    if recipient.domain == view.suffix:
        return _service_address(view, origin, recipient)
    if not recipient.has_suffix(view.suffix):
        return _outside(view, origin, recipient)
    record = view.address(str(recipient))
    if record is not None:
        return _owner(view, origin, recipient, record)
    if recipient.domain.count(".") == view.suffix.count(".") + 1:
        return refuse(view, 550, "5.1.1", _UNKNOWN, "hosted-address-unknown")
    return _connected(view, origin, recipient, None)


def is_member_address(view: View, origin: Origin, address: Address) -> bool:
    """Whether mail from *origin* can reach *address*: asked of Reply-To and the other answer-to headers."""
    return isinstance(route(view, origin, address), Accept)


def visible_to(view: View, origin: Origin, record: AddressRecord) -> bool:
    """Whether *origin* may learn that *record* exists: its owner and all organisations above are listed."""
    if isinstance(origin, ServiceOrigin):
        return True
    if isinstance(origin, AccountOrigin) and record.owner == origin.account:
        return True
    owner = _owner_of(view, record)
    if owner is None or owner.ex_directory:
        return False
    if isinstance(owner, Account) and owner.life not in (Life.NEW, Life.ACTIVE):
        return False
    return _organisation_visible(view, owner.organisation)


def _owner_of(view: View, record: AddressRecord) -> Account | MailList | SharedMailbox | None:
    if record.owner_kind is OwnerKind.LIST:
        return view.mail_list(ListId(record.owner))
    if record.owner_kind is OwnerKind.SHARED_MAILBOX:
        return view.shared_mailbox(MailboxId(record.owner))
    return view.account(AccountId(record.owner))


def _organisation_visible(view: View, organisation: OrganisationId) -> bool:
    above = tuple(chain(view, organisation))
    if organisation_state(view, organisation) is not OrganisationState.ACTIVE:
        return False
    return not any(found.ex_directory or found.protected for found in above)


def _accept(view: View, route: Route, rule: str, *notes: str) -> Accept:
    return Accept(route=route, view=view.number, rules=(rule,), notes=notes)


def _service_address(view: View, origin: Origin, recipient: Address) -> Verdict:
    if recipient.local == "echo":
        if isinstance(origin, ServiceOrigin):
            return refuse(view, 550, "5.7.1", "the echo address answers members only", "echo-of-service")
        return _accept(view, EchoRoute(), "recipient-echo")
    record = view.address(str(recipient))
    if record is not None:
        return _owner(view, origin, recipient, record)
    helpdesk = _helpdesk(view) if recipient.local == "postmaster" else None
    if helpdesk is not None:
        return _accept(view, HostedRoute(mailbox=helpdesk), "recipient-helpdesk")
    return refuse(view, 550, "5.1.1", _UNKNOWN, "service-address-unknown")


def _helpdesk(view: View) -> MailboxId | None:
    """The mailbox of the first person of the helpdesk, or else of the community's administrators."""
    for role in (Role.HELPDESK, Role.COMMUNITY_ADMINISTRATOR):
        for assignment in view.roles_over(None):
            account = view.account(assignment.account) if assignment.role is role else None
            if account is not None and account.mailbox is not None and account.life in (Life.NEW, Life.ACTIVE):
                return account.mailbox
    return None


def _outside(view: View, origin: Origin, recipient: Address) -> Refuse:
    """Refuse an address without suffix, and name the right one if a member was meant who may be seen."""
    try:
        suffixed = recipient.with_suffix(view.suffix)
    except BadAddress:
        return refuse(view, 550, "5.7.1", _OUTSIDE, "recipient-outside")
    if not isinstance(origin, ServiceOrigin) and _may_be_named(view, origin, suffixed):
        text = f"write to {suffixed}: addresses in this community end in .{view.suffix}"
        return refuse(view, 550, "5.7.1", text, "suffix-missing")
    return refuse(view, 550, "5.7.1", _OUTSIDE, "recipient-outside")


def _may_be_named(view: View, origin: Origin, suffixed: Address) -> bool:
    """In a domain whose every address is a member, a name tells nothing; elsewhere only what is listed is named."""
    domain = view.domain(suffixed.domain)
    if domain is not None and not domain.listed_members_only:
        return domain.state is DomainState.APPROVED and _organisation_visible(view, domain.organisation)
    record = view.address(str(suffixed))
    return record is not None and visible_to(view, origin, record)


def _owner(view: View, origin: Origin, recipient: Address, record: AddressRecord) -> Verdict:
    owner = _owner_of(view, record)
    if owner is None or (isinstance(owner, Account) and not takes_mail(owner)):
        return refuse(view, 550, "5.1.1", _UNKNOWN, "recipient-deleted")
    if organisation_state(view, owner.organisation) is not OrganisationState.ACTIVE:
        return refuse(view, 550, "5.7.1", _ANOTHER_ROUTE, "organisation-state")
    if isinstance(owner, MailList):
        return _accept(view, ListRoute(mail_list=owner.id), "recipient-list")
    if isinstance(owner, SharedMailbox):
        return _accept(view, HostedRoute(mailbox=owner.id), "recipient-shared-mailbox")
    if owner.kind is AccountKind.RELAYED:
        return _connected(view, origin, recipient, owner)
    if owner.mailbox is None:
        return refuse(view, 450, "4.2.1", "this mailbox is being made: try again later", "mailbox-not-made")
    return _accept(view, HostedRoute(mailbox=owner.mailbox), "recipient-hosted", *_notes(owner))


def _notes(account: Account | None) -> tuple[str, ...]:
    return (_NOT_IN_USE,) if account is not None and account.life is Life.SUSPENDED else ()


def _connected(view: View, origin: Origin, recipient: Address, listed: Account | None) -> Verdict:
    """Decide about an address in a connection's domain; *listed* is the account that has it."""
    domain = view.domain(recipient.domain)
    connection = view.connection(domain.connection) if domain is not None else None
    if domain is None or connection is None:
        return refuse(view, 550, "5.7.1", _OUTSIDE, "domain-not-approved")
    refused = _domain_refuses(view, domain) or _connection_refuses(view, origin, connection)
    if refused is not None:
        return refused
    if domain.listed_members_only and listed is None:
        return refuse(view, 550, "5.1.1", _UNKNOWN, "member-not-listed")
    leaving = RelayRoute(connection=connection.id, domain=domain.name)
    return _accept(view, leaving, "recipient-connected", *_notes(listed))


def leaves_to(view: View, connection: ConnectionId, recipient: Address) -> Refuse | None:
    """Decide again, when the queue sends, whether *recipient* may be reached over *connection*; None for yes.

    Only the destination is asked. A connection that is not live keeps its mail waiting; a domain that is no longer
    approved, or somebody else's, returns it.
    """
    domain = view.domain(recipient.domain)
    if domain is None or domain.connection != connection:
        return refuse(view, 550, "5.7.1", _ANOTHER_ROUTE, "domain-not-approved")
    refused = _domain_refuses(view, domain)
    if refused is not None:
        return refused
    record = view.address(str(recipient))
    listed = view.account(AccountId(record.owner)) if record and record.owner_kind is OwnerKind.ACCOUNT else None
    if listed is not None and not takes_mail(listed):
        return refuse(view, 550, "5.1.1", _UNKNOWN, "recipient-deleted")
    if listed is None and domain.listed_members_only:
        return refuse(view, 550, "5.1.1", _UNKNOWN, "member-not-listed")
    return None


def _domain_refuses(view: View, domain: Domain) -> Refuse | None:
    if domain.state is not DomainState.APPROVED:
        return refuse(view, 550, "5.7.1", _ANOTHER_ROUTE, "domain-state")
    if organisation_state(view, domain.organisation) is not OrganisationState.ACTIVE:
        return refuse(view, 550, "5.7.1", _ANOTHER_ROUTE, "organisation-state")
    return None


def _connection_refuses(view: View, origin: Origin, connection: Connection) -> Refuse | None:
    """Members reach live connections only; one in testing gets the service's own mail and its own."""
    if organisation_state(view, connection.organisation) is not OrganisationState.ACTIVE:
        return refuse(view, 550, "5.7.1", _ANOTHER_ROUTE, "organisation-state")
    if connection.state is ConnectionState.LIVE:
        return None
    own = isinstance(origin, ConnectionOrigin) and origin.connection == connection.id
    # A list is the service's origin but a member's words.
    service = isinstance(origin, ServiceOrigin) and origin.service not in (Service.LIST, Service.REDIRECT)
    if connection.state is ConnectionState.TESTING and (own or service):
        return None
    return refuse(view, 550, "5.7.1", _ANOTHER_ROUTE, "connection-state")
