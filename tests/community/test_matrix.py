"""Admission as a whole: every origin, sender form and recipient form in every state, against what the design says.

One community holds everything in every state at once. Beside each origin and each address stands what may be done with
it, declared from the words of the design; nothing here calls what admission is made of.
"""

from collections.abc import Iterator
from functools import cache
from itertools import product

import msgspec
import pytest
from msgspec import Struct

from cjsm.community.address import Address
from cjsm.community.admission import (
    Accept,
    AccountOrigin,
    ConnectionOrigin,
    Origin,
    Refuse,
    Service,
    ServiceOrigin,
    admit,
    canonical,
)
from cjsm.community.identifiers import AccountId, ConnectionId, ListId, MailboxId, OrganisationId
from cjsm.community.memory import MemoryView
from cjsm.community.records import (
    Account,
    Connection,
    ConnectionKind,
    ConnectionState,
    Credential,
    Domain,
    DomainState,
    Life,
    MailboxRight,
    MailList,
    OrganisationState,
    OwnerKind,
    Record,
    Role,
    SharedMailbox,
    SharedMember,
    WhoMayPost,
)
from cjsm.community.rules import SENTENCES
from tests.community.communities import NOW, SUFFIX, address, hosted, identifier, organisation, relayed, role

# What the design says of states (community §6, §12), as tables.

#: Mail from and to an organisation: open only where it and all above it are active.
OPEN = {"open": True, "shut": False, "gone": False, "under": False}
WRITES = {Life.NEW: True, Life.ACTIVE: True, Life.SUSPENDED: False, Life.DELETED: False}
TAKES = {Life.NEW: True, Life.ACTIVE: True, Life.SUSPENDED: True, Life.DELETED: False}
LOCKED_WRITES = {False: True, True: False}
SPEAKS = {ConnectionState.TESTING: True, ConnectionState.LIVE: True, ConnectionState.SUSPENDED: False}

#: Classes of those who write: a member, a connection that is tested, and the service's own voices.
MEMBER, TESTER = "member", "tester"
AUTOMATIC = frozenset({"dsn", "notice", "echo"})
SERVICES = AUTOMATIC | {"list", "redirect"}
EVERYBODY = SERVICES | {MEMBER}
NOBODY: frozenset[str] = frozenset()

#: Whom a connection takes mail from, by its state; a connection that is tested also reaches itself.
REACHED_BY = {
    ConnectionState.LIVE: EVERYBODY,
    ConnectionState.TESTING: AUTOMATIC,
    ConnectionState.SUSPENDED: NOBODY,
}


class Writer(Struct, frozen=True):
    """Somebody who sends. ``own`` are the addresses that it may use; ``null``: whether it may use none."""

    label: str
    origin: Origin
    kind: str
    speaks: bool
    own: frozenset[str]
    null: bool
    place: str = ""


class Target(Struct, frozen=True):
    """An address. ``takes`` are the classes of writers that reach it; ``tested``: the connection that does beside.

    ``posters`` are the identities that a list takes mail from, where it does not take everybody's.
    """

    label: str
    address: str
    takes: frozenset[str]
    tested: bytes = b""
    is_list: bool = False
    posters: frozenset[str] | None = None


class World:
    """A community with everything in every state, and what is true of each."""

    def __init__(self) -> None:
        self.records: list[Record] = [
            organisation("open", abbreviation="open"),
            organisation("shut", abbreviation="shut", state=OrganisationState.SUSPENDED),
            organisation("gone", abbreviation="gone", state=OrganisationState.DELETED),
            organisation("under", "shut", abbreviation="under"),
            organisation("aside", abbreviation="aside"),
        ]
        self.writers: list[Writer] = []
        self.targets: list[Target] = []
        self.special: dict[str, str] = {}
        self._accounts()
        self._shared()
        self._connections()
        self._lists()
        self._service()
        self._nobody()
        self.view = MemoryView(self.records, suffix=SUFFIX, moment=NOW, number=3)

    def _hosted(self, name: str, place: str, **more: object) -> Account:
        account, record = hosted(name, place, place, **more)
        self.records += [account, record]
        return account

    def _accounts(self) -> None:
        states = product(OPEN, Life, (False, True), Credential)
        for number, (place, life, locked, credential) in enumerate(states):
            name = f"h{number}.x"
            account = self._hosted(name, place, life=life, locked=locked, credential=credential)
            own, alias = f"{name}@{place}.{SUFFIX}", f"a{number}.x@{place}.{SUFFIX}"
            former = f"f{number}.x@{place}.{SUFFIX}"
            self.records += [
                address(alias, account.id, alias=True),
                address(former, account.id, alias=True, delivers_until=NOW, reserved_until=NOW + 9),
            ]
            writes = OPEN[place] and WRITES[life] and LOCKED_WRITES[locked]
            label = f"{place} {life} {'locked ' if locked else ''}{credential}"
            self._write(label, account, writes, {own, alias}, place)
            takes = EVERYBODY if OPEN[place] and TAKES[life] else NOBODY
            self.targets += [Target(label, own, takes), Target(f"alias {label}", alias, takes)]
            self.targets.append(Target(f"former {label}", former, NOBODY))
        # An administrator of a suspended organisation signs in to put things right, and still sends nothing.
        self._write("administrator of a suspended one", self._hosted("adm.shut", "shut"), False, set(), "shut")
        self.records.append(role("adm.shut", Role.ORGANISATION_ADMINISTRATOR, "shut"))
        unmade = msgspec.structs.replace(self._hosted("un.made", "open"), mailbox=None)
        self.records.append(unmade)
        self.targets.append(Target("mailbox not made", f"{unmade.user_id}.{SUFFIX}", NOBODY))
        self._write("no account", None, False, set(), "")

    def _write(self, label: str, account: Account | None, speaks: bool, own: set[str], place: str) -> None:
        origin = AccountOrigin(account=account.id if account is not None else AccountId(identifier("nobody")))
        self.writers.append(Writer(f"account {label}", origin, MEMBER, speaks, frozenset(own), False, place))

    def _shared(self) -> None:
        """The first active person of the open organisation may send for the first two, and read in the third."""
        sender = self._hosted("sen.der", "open")
        own = {f"sen.der@open.{SUFFIX}"}
        for place, rights, life in (
            ("open", (MailboxRight.SEND,), Life.ACTIVE),
            ("aside", (MailboxRight.READ, MailboxRight.SEND), Life.ACTIVE),
            ("open", (MailboxRight.READ, MailboxRight.DELETE), Life.ACTIVE),
            ("shut", (MailboxRight.SEND,), Life.ACTIVE),
            ("open", (MailboxRight.READ, MailboxRight.SEND), Life.DELETED),
        ):
            slug = f"s{len(self.special)}"
            where = f"{slug}@{place}.{SUFFIX}"
            shared = SharedMailbox(
                id=MailboxId(identifier(slug)),
                organisation=OrganisationId(identifier(place)),
                slug=slug,
                name=slug,
                members=(SharedMember(account=sender.id, rights=rights),),
                life=life,
            )
            self.records += [shared, address(where, shared.id, OwnerKind.SHARED_MAILBOX)]
            self.special[f"shared {place} {slug}"] = where
            is_open = OPEN.get(place, True) and life is Life.ACTIVE
            own |= {where} if is_open and MailboxRight.SEND in rights else set()
            self.targets.append(Target(f"shared {place} {life}", where, EVERYBODY if is_open else NOBODY))
        self._write("sender for shared mailboxes", sender, True, own, "open")

    def _connections(self) -> None:
        states = product(ConnectionState, OPEN, DomainState, (False, True))
        for number, (state, place, domain_state, listed_only) in enumerate(states):
            name = f"d{number}.example.{SUFFIX}"
            connection = Connection(
                id=ConnectionId(identifier(f"c{number}")),
                organisation=OrganisationId(identifier(place)),
                kind=list(ConnectionKind)[number % 3],
                name=f"c{number}",
                slug=f"c{number}",
                state=state,
            )
            domain = Domain(
                name=name,
                connection=connection.id,
                organisation=connection.organisation,
                state=domain_state,
                listed_members_only=listed_only,
            )
            self.records += [connection, domain]
            approved = domain_state is DomainState.APPROVED
            label = f"{state} {place} {domain_state}{' listed only' if listed_only else ''}"
            own = self._members(number, place, domain, state, label) if approved else set()
            if not approved:
                self._members(number, place, domain, state, label)
            own |= {f"new@{name}"} if approved and not listed_only else set()
            reached = OPEN[place] and approved and not listed_only
            self.targets.append(self._relayed(f"unlisted {label}", f"new@{name}", connection, reached))
            kind = MEMBER if state is ConnectionState.LIVE else TESTER
            speaks = OPEN[place] and SPEAKS[state]
            origin = ConnectionOrigin(connection=connection.id)
            self.writers.append(Writer(f"connection {label}", origin, kind, speaks, frozenset(own), True, place))
        nobody = ConnectionOrigin(connection=ConnectionId(identifier("nobody")))
        self.writers.append(Writer("no connection", nobody, MEMBER, False, frozenset(), True))

    def _members(self, number: int, place: str, domain: Domain, state: ConnectionState, label: str) -> set[str]:
        """Listed members in every life; returns those that may be used as senders."""
        own = set()
        connection = next(found for found in self.records if getattr(found, "id", None) == domain.connection)
        assert isinstance(connection, Connection)
        for life in Life:
            name = f"r{number}.{life[:3]}"
            account, record = relayed(name, place, domain.name, life=life)
            self.records += [account, record]
            own |= {record.address} if WRITES[life] else set()
            reached = OPEN[place] and domain.state is DomainState.APPROVED and TAKES[life]
            self.targets.append(self._relayed(f"listed {life} {label}", record.address, connection, reached))
            self._write(f"relayed {life} {label}", account, False, {record.address}, place)
        return own

    def _relayed(self, label: str, where: str, connection: Connection, reached: bool) -> Target:
        testing = connection.state is ConnectionState.TESTING
        takes = REACHED_BY[connection.state] if reached else NOBODY
        return Target(label, where, takes, connection.id if reached and testing else b"")

    def _lists(self) -> None:
        inside = frozenset({f"h4.x@open.{SUFFIX}", f"new@d16.example.{SUFFIX}"})
        for place, who in product(("open", "aside", "shut"), WhoMayPost):
            slug = f"l-{place}-{who[:3]}"
            mail_list = MailList(
                id=ListId(identifier(slug)),
                organisation=OrganisationId(identifier(place)),
                slug=slug,
                name=slug,
                members=tuple(sorted(inside)),
                who_may_post=who,
            )
            where = f"{slug}@{place}.{SUFFIX}"
            self.records += [mail_list, address(where, mail_list.id, OwnerKind.LIST)]
            self.special[f"list {place} {who}"] = where
            self.targets.append(self._list(f"list {place} {who}", where, place, who, inside))

    def _list(self, label: str, where: str, place: str, who: WhoMayPost, inside: frozenset[str]) -> Target:
        """Notices reach lists; other voices of the service only where everybody may write; reports and echoes never."""
        if not OPEN.get(place, True):
            return Target(label, where, NOBODY, is_list=True)
        voices = {"notice", "list", "redirect"} if who is WhoMayPost.COMMUNITY else {"notice"}
        posters = inside if who is WhoMayPost.MEMBERS else None
        if who is WhoMayPost.ORGANISATION:
            posters = frozenset(
                own for writer in self.writers if writer.place == place and writer.speaks for own in writer.own
            )
        return Target(label, where, frozenset(voices | {MEMBER}), is_list=True, posters=posters)

    def _service(self) -> None:
        helper = self._hosted("hel.per", "open")
        self.records.append(role("hel.per", Role.HELPDESK))
        self._write("helpdesk", helper, True, {f"hel.per@open.{SUFFIX}"}, "open")
        self.targets += [
            Target("echo", f"echo@{SUFFIX}", frozenset({MEMBER, TESTER})),
            Target("helpdesk", f"postmaster@{SUFFIX}", EVERYBODY | {TESTER}),
            Target("no such service", f"nobody@{SUFFIX}", NOBODY),
        ]
        for service in Service:
            origin = ServiceOrigin(service=service)
            self.writers.append(Writer(f"service {service}", origin, service.value, True, frozenset(), True))

    def _nobody(self) -> None:
        self.targets += [
            Target("nobody here", f"nobody@open.{SUFFIX}", NOBODY),
            Target("no such abbreviation", f"nobody@other.{SUFFIX}", NOBODY),
            Target("domain not approved", f"jo@elsewhere.example.{SUFFIX}", NOBODY),
            Target("below a domain", f"jo@mail.d0.example.{SUFFIX}", NOBODY),
            Target("outside", "jo@example.org", NOBODY),
            Target("without suffix", "new@d16.example", NOBODY),
            Target("hosted without suffix", "h4.x@open.example", NOBODY),
            Target("beside the suffix", f"jo@not{SUFFIX}", NOBODY),
            Target("suffix in front", f"jo@{SUFFIX}.example.org", NOBODY),
            Target("suffix in the middle", f"jo@example.org.{SUFFIX}.example.org", NOBODY),
        ]


WORLD = World()


def senders() -> list[str | None]:
    """Every form of sender: none, everybody's own, and those that are nobody's."""
    some = {target.address for target in WORLD.targets}
    return [None, *sorted(some | set(WORLD.special.values()))]


def may_use(writer: Writer, sender: str | None) -> bool:
    """Accounts and connections use what is theirs; the service any address of the community, or none."""
    if sender is None:
        return writer.null
    if isinstance(writer.origin, ServiceOrigin):
        return sender.endswith((f".{SUFFIX}", f"@{SUFFIX}"))
    return sender in writer.own


def expected(writer: Writer, sender: str | None, target: Target) -> bool:
    """What the design says: the origin may speak, the sender is its own, and the recipient takes mail from it."""
    if not (writer.speaks and may_use(writer, sender)):
        return False
    if isinstance(writer.origin, ConnectionOrigin) and target.tested == writer.origin.connection:
        return True
    if writer.kind not in target.takes:
        return False
    if not target.is_list or isinstance(writer.origin, ServiceOrigin):
        return True
    if sender is None or target.posters is None:
        return sender is not None
    return not target.posters.isdisjoint(identities(writer, sender))


def identities(writer: Writer, sender: str) -> frozenset[str]:
    """A person is known by every address of theirs; a connection speaks for one of many people."""
    return writer.own if isinstance(writer.origin, AccountOrigin) else frozenset({sender})


def rows(kind: type) -> list[Writer]:
    """The writers of one kind of origin."""
    return [writer for writer in WORLD.writers if isinstance(writer.origin, kind)]


def check(writer: Writer, sender: str | None, target: Target) -> set[str]:
    """Compare one cell; returns the rules that were named."""
    path = Address.parse(sender) if sender is not None else None
    verdict = admit(WORLD.view, writer.origin, path, Address.parse(target.address))
    said = isinstance(verdict, Accept)
    assert said == expected(writer, sender, target), (writer.label, sender, target, verdict)
    if isinstance(verdict, Refuse):
        assert verdict.text
        later = writer.speaks and may_use(writer, sender) and target.label == "mailbox not made"
        assert verdict.code == (450 if later else 550)
    return set(verdict.rules)


KINDS = pytest.mark.parametrize("kind", [AccountOrigin, ConnectionOrigin, ServiceOrigin])


@cache
def everything(kind: type) -> frozenset[str]:
    """Check every sender that an origin may use with every address; return the rules that were named."""
    every = 7 if kind is ServiceOrigin else 1  # the service may use them all, and admission does not look which
    cells = ((writer, sender) for writer in rows(kind) for sender in senders()[::every])
    allowed = [(writer, sender) for writer, sender in cells if writer.speaks and may_use(writer, sender)]
    return frozenset(rule for cell in allowed for target in WORLD.targets for rule in check(*cell, target))


@cache
def nothing(kind: type) -> frozenset[str]:
    """Check every other sender with some addresses that take mail from everybody."""
    easy = [target for target in WORLD.targets if target.takes >= EVERYBODY or target.label == "echo"][::5]
    assert len(easy) > 5
    some = [None, "jo@example.org", *senders()[1::13]]
    cells = ((writer, sender) for writer in rows(kind) for sender in (*some, *sorted(writer.own)))
    others = [(writer, sender) for writer, sender in cells if not (writer.speaks and may_use(writer, sender))]
    return frozenset(rule for cell in others for target in easy for rule in check(*cell, target))


@KINDS
def test_everything(kind: type) -> None:
    """Every origin with every sender it may use reaches exactly whom the design says it reaches."""
    assert everything(kind)


@KINDS
def test_nobody_else_speaks(kind: type) -> None:
    """Whoever may not speak, and whoever uses another's name, reaches nobody: not even those who take all mail."""
    assert nothing(kind)


def test_there_is_something_to_see() -> None:
    """The world has both answers for every kind of origin, so that no table above is empty."""
    for kind in (AccountOrigin, ConnectionOrigin, ServiceOrigin):
        cells = list(_cells(kind))
        assert any(cells)
        assert not all(cells)


def _cells(kind: type) -> Iterator[bool]:
    for writer in rows(kind):
        for sender in [None, *sorted(writer.own)[:1]]:
            for target in WORLD.targets:
                yield expected(writer, sender, target)


def test_connections_may_leave_the_suffix_away() -> None:
    """The same sender without the suffix is the same sender, for the connection that has the domain and no other."""
    for writer, target in product(rows(ConnectionOrigin), WORLD.targets):
        if not target.address.endswith(f".example.{SUFFIX}"):
            continue
        plain = Address.parse(target.address.removesuffix(f".{SUFFIX}"))
        verdict = admit(WORLD.view, writer.origin, canonical(WORLD.view, writer.origin, plain), Address("echo", SUFFIX))
        assert isinstance(verdict, Accept) == (writer.speaks and may_use(writer, target.address)), (writer, target)


def test_every_rule_was_seen() -> None:
    """The matrix leads to every rule that a verdict can name, but for those of forms and of very large lists."""
    kinds = (AccountOrigin, ConnectionOrigin, ServiceOrigin)
    seen = frozenset().union(*(everything(kind) | nothing(kind) for kind in kinds))
    assert set(SENTENCES) - seen == {"address-syntax", "list-too-large"}
    assert set(SENTENCES) >= seen
