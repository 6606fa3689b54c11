"""The whole of admission as one table: classes of who sends against classes of who is written to.

A class is everybody whom the rules cannot tell apart by kind and state. For each pair of classes a few members stand
for all, those of a list among them: where their answers differ, as they do for lists, the cell says so.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice, product

from msgspec import Struct

from cjsm.community import finding
from cjsm.community.address import Address
from cjsm.community.admission import admit
from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import (
    Account,
    AccountKind,
    Connection,
    Domain,
    DomainState,
    MailList,
    OrganisationState,
    OwnerKind,
)
from cjsm.community.states import display_name, organisation_state, takes_mail
from cjsm.community.verdicts import Accept, AccountOrigin, ConnectionOrigin, Origin, Service, ServiceOrigin, Verdict
from cjsm.community.view import View

#: Members of a class that stand for all of it.
_EXAMPLES = 3


class Sending(Struct, frozen=True):
    """Somebody who sends, and as whom."""

    origin: Origin
    sender: Address | None


class Class(Struct):
    """Everybody of one kind and state; ``sending`` and ``written`` are those who stand for them."""

    label: str
    count: int = 0
    sending: tuple[Sending, ...] = ()
    written: tuple[Address, ...] = ()


class Answer(Struct, frozen=True, kw_only=True):
    """One verdict, with the addresses that it was given for."""

    sender: str
    recipient: str
    verdict: Verdict


class Cell(Struct, frozen=True, kw_only=True):
    """What one class of origins is answered for one class of recipients."""

    origin: str
    recipient: str
    answers: tuple[Answer, ...]

    @property
    def said(self) -> str:
        """``yes``, ``no``, or ``some`` where it depends on who exactly."""
        accepted = {isinstance(answer.verdict, Accept) for answer in self.answers}
        if len(accepted) == 2:
            return "some"
        return "yes" if accepted == {True} else "no"


class Classes(Struct, frozen=True):
    """The two sides of the table."""

    origins: tuple[Class, ...]
    recipients: tuple[Class, ...]


class _Gathering:
    """Puts what is found into its class, and keeps the first few of each."""

    def __init__(self) -> None:
        self.classes: dict[str, Class] = {}

    def add(self, label: str, example: Callable[[], tuple[Sending | None, Address | None]]) -> None:
        found = self.classes.setdefault(label, Class(label))
        found.count += 1
        if found.count > _EXAMPLES:
            return
        sending, written = example()
        found.sending += (sending,) if sending is not None else ()
        found.written += (written,) if written is not None else ()

    def add_example(self, label: str, example: tuple[Sending | None, Address | None]) -> None:
        """Let one more stand for a class that is there."""
        found = self.classes.get(label)
        sending, _ = example
        if found is not None and sending is not None and sending not in found.sending:
            found.sending += (sending,)

    def all(self) -> Iterator[Class]:
        return (self.classes[label] for label in sorted(self.classes))


def classes(
    view: View,
    organisation: OrganisationId | None = None,
    *,
    limit: int | None = None,
    watch: Callable[[Iterable[Account]], Iterable[Account]] = iter,
) -> Classes:
    """Return the classes of a community, or of one organisation and all below it.

    :param limit: accounts that are looked at, at most.
    :param watch: is handed the accounts, of which there may be many, and hands them on.
    """
    places = _places(view, organisation)
    people, relayed = _Gathering(), _Gathering()
    for account in watch(islice(_accounts(view, places), limit)):
        people.add(_account_label(view, account), partial(_account, view, account))
    groups = list(_groups(view, places, people))
    for connection in view.connections():
        if places is None or connection.organisation in places:
            relayed.add(_connection_label(view, connection), partial(_connection, view, connection))
    hosted, written = list(people.all()), [*groups, *_domains(view, places), *_special(view)]
    services = [Class(f"service: {each}", 1, (Sending(ServiceOrigin(service=each), None),)) for each in Service]
    origins = [each for each in (*hosted, *relayed.all(), *services) if each.sending]
    return Classes(tuple(origins), tuple(each for each in (*hosted, *written) if each.written))


def cells(view: View, found: Classes) -> Iterator[Cell]:
    """Yield every cell of the table, row by row of recipients."""
    for recipients, origins in product(found.recipients, found.origins):
        answers = tuple(
            Answer(
                sender=str(sending.sender or ""),
                recipient=str(address),
                verdict=admit(view, sending.origin, sending.sender, address),
            )
            for sending, address in product(origins.sending, recipients.written)
        )
        yield Cell(origin=origins.label, recipient=recipients.label, answers=answers)


def _places(view: View, organisation: OrganisationId | None) -> set[OrganisationId] | None:
    if organisation is None:
        return None
    found, waiting = set(), [organisation]
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting += [child.id for child in view.children(place)]
    return found


def _accounts(view: View, places: set[OrganisationId] | None) -> Iterator[Account]:
    if places is None:
        yield from view.accounts()
    for place in sorted(places or ()):
        yield from view.accounts_in(place)


def _with_organisation(view: View, label: str, organisation: OrganisationId) -> str:
    state = organisation_state(view, organisation)
    return label if state is OrganisationState.ACTIVE else f"{label}, organisation {state}"


def _account_label(view: View, account: Account) -> str:
    label = f"{account.kind} account, {display_name(account)}"
    return _with_organisation(view, label, account.organisation)


def _account(view: View, account: Account) -> tuple[Sending | None, Address | None]:
    address = Address.parse(finding.primary_address(view, account.id))
    return Sending(AccountOrigin(account=account.id), address), address


def _connection_label(view: View, connection: Connection) -> str:
    return _with_organisation(view, f"{connection.kind} connection, {connection.state}", connection.organisation)


def _connection(view: View, connection: Connection) -> tuple[Sending | None, Address | None]:
    return _sending(view, connection), None


def _sending(view: View, connection: Connection) -> Sending:
    """A connection sends as somebody of its first approved domain: a listed member where only those are members."""
    origin = ConnectionOrigin(connection=connection.id)
    for domain in view.domains_of(connection.id):
        member = _somebody(view, domain) if domain.state is DomainState.APPROVED else None
        if member is not None:
            return Sending(origin, member)
    return Sending(origin, None)


def _somebody(view: View, domain: Domain) -> Address | None:
    if not domain.listed_members_only:
        return _unknown(view, "somebody", domain.name)
    for account in view.accounts_in(domain.organisation):
        if account.kind is AccountKind.RELAYED:
            address = Address.parse(finding.primary_address(view, account.id))
            if address.domain == domain.name:
                return address
    return None


def _unknown(view: View, local: str, domain: str) -> Address:
    """Return an address of *domain* that nobody is listed with."""
    return next(
        address
        for number in range(1_000_000)
        if view.reserved_address(str(address := Address.parse(f"{local}{number or ''}@{domain}"))) is None
    )


def _groups(view: View, places: set[OrganisationId] | None, people: _Gathering) -> Iterator[Class]:
    gathered = _Gathering()
    for organisation in view.organisations():
        if places is not None and organisation.id not in places:
            continue
        for mail_list in view.lists_in(organisation.id):
            label = _with_organisation(view, f"list for its {mail_list.who_may_post}", organisation.id)
            gathered.add(label, partial(_list, view, mail_list, places, people))
        for shared in view.kept_shared_mailboxes_in(organisation.id):
            label = "shared mailbox" if takes_mail(shared) else f"shared mailbox, {display_name(shared)}"
            label = _with_organisation(view, label, organisation.id)
            gathered.add(label, partial(_address_of, view, shared.id))
    return gathered.all()


def _list(
    view: View, found: MailList, places: set[OrganisationId] | None, people: _Gathering
) -> tuple[Sending | None, Address | None]:
    """A list's address; some of its managers and members stand for *people* like them, as others may not post."""
    records = (view.address(member) for member in found.members[:_EXAMPLES])
    members = (AccountId(each.owner) for each in records if each is not None and each.owner_kind is OwnerKind.ACCOUNT)
    for identifier in (*found.managers[:_EXAMPLES], *members):
        account = view.account(identifier)
        if account is not None and (places is None or account.organisation in places):
            people.add_example(_account_label(view, account), _account(view, account))
    return _address_of(view, found.id)


def _address_of(view: View, owner: bytes) -> tuple[Sending | None, Address | None]:
    record = next(iter(view.addresses_of(owner)), None)
    return None, Address.parse(record.address) if record is not None else None


def _domains(view: View, places: set[OrganisationId] | None) -> Iterator[Class]:
    gathered = _Gathering()
    for domain in view.domains():
        connection = view.connection(domain.connection)
        if connection is None or (places is not None and domain.organisation not in places):
            continue
        label = f"unlisted address, {_connection_label(view, connection)}"
        label += "" if domain.state is DomainState.APPROVED else ", domain suspended"
        label += ", listed members only" if domain.listed_members_only else ""
        gathered.add(label, partial(_unlisted, view, domain.name))
    return gathered.all()


def _unlisted(view: View, domain: str) -> tuple[Sending | None, Address | None]:
    return None, _unknown(view, "somebody", domain)


def _special(view: View) -> Iterator[Class]:
    """What every community has, and what none has."""
    yield Class("echo address", 1, (), (Address("echo", view.suffix),))
    yield Class("helpdesk address", 1, (), (Address("postmaster", view.suffix),))
    yield Class("nobody's address here", 1, (), (_unknown(view, "nobody", f"{_hosted(view)}.{view.suffix}"),))
    yield Class("address in a domain that is not approved", 1, (), (_unapproved(view),))
    yield Class("address outside", 1, (), (Address("somebody", "outside.invalid"),))


def _hosted(view: View) -> str:
    return next((found.abbreviation for found in view.organisations() if found.abbreviation), "none")


def _unapproved(view: View) -> Address:
    return next(
        Address("somebody", name)
        for number in range(1_000_000)
        if view.domain(name := f"unapproved{number or ''}.invalid.{view.suffix}") is None
    )
