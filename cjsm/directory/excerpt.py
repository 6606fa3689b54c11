"""The directory a piece at a time, in tree order, for whoever asks once and has no catalogue at hand.

Each piece is a small catalogue of its own, through one reader's eyes: some organisations with those in them that are
kept, the organisations above, and the reader's own place, on which depends what the reader sees. What is found in it is
what a search over the whole community's catalogue finds there.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby

from msgspec import Struct

from cjsm.community import states
from cjsm.community.identifiers import AccountId, OrganisationId, RoleAssignmentId
from cjsm.community.records import Account, AddressRecord, MailList, Organisation, Role, RoleAssignment, SharedMailbox
from cjsm.community.view import View
from cjsm.directory import entries, listed, names
from cjsm.directory.loading import Gathering, delivering, finished, listing
from cjsm.directory.query import EVERYTHING, Filter, Limits, Query, Scope
from cjsm.directory.reading import Reading
from cjsm.directory.schema import Schema
from cjsm.directory.search import Search
from cjsm.directory.sieve import ALL, Said, Sieve, digits_of, text_of
from cjsm.directory.visibility import has_charge
from cjsm.store.interfaces import ICommunityStore

#: Reads as whoever administers the whole community: the shell on the server.
OPERATOR = AccountId(b"the operator    ")
_OPERATORS = RoleAssignment(
    id=RoleAssignmentId(bytes(16)), account=OPERATOR, role=Role.COMMUNITY_ADMINISTRATOR, organisation=None
)
#: Entries in one piece, about: some tens of megabytes.
_SIZE = 2_000
#: More than there can be: a piece is searched to its end.
_ALL = 1 << 40

#: The object classes of each kind of entry, in small letters.
_PERSON = frozenset(("top", "person", "organizationalperson", "inetorgperson", "cjsmmailbox"))
_SHARED = _PERSON | {"cjsmsharedmailbox"}
_LIST = frozenset(("top", "cjsmdistributionlist"))
_ORGANISATION = frozenset(("top", "organization", "organizationalunit", "cjsmorganisation"))

#: An organisation with all above it, the top one first.
Chain = tuple[Organisation, ...]
Addresses = tuple[AddressRecord, ...]
Watch = Callable[[int], object]


def _unwatched(looked_at: int) -> None:
    """Nobody waits."""


class Found(Struct, frozen=True):
    """One entry that was found.

    :ivar account: whose it is, with the addresses; None where it is nobody's.
    """

    reading: Reading
    position: int
    chain: Chain
    account: Account | None = None
    addresses: Addresses = ()


class Excerpt:
    """What one reader finds of the community.

    :param reader: None for the operator of the server.
    :ivar in_charge: whether the reader administers or supports any organisation.
    """

    def __init__(self, store: ICommunityStore, schema: Schema, reader: AccountId | None) -> None:
        self._store = store
        self._schema = schema
        self._reader = OPERATOR if reader is None else reader
        self._own, self._roles = store.read_now(self._context)
        self.in_charge = has_charge(self._roles)
        self.suffix = store.read_now(lambda view: view.suffix)

    def _context(self, view: View) -> tuple[tuple[Chain, Account, Addresses] | None, tuple[RoleAssignment, ...]]:
        if self._reader is OPERATOR:
            return None, (_OPERATORS,)
        account = view.account(self._reader)
        roles = tuple(view.roles_of(self._reader))
        if account is None:
            return None, roles
        return (_chain(view, account.organisation), account, _addresses(view, account.id)), roles

    def chains(self, within: OrganisationId | None = None) -> list[Chain]:
        """Return an organisation and all below it, or all there are, in the order of the tree."""
        return self._store.read_now(lambda view: list(_below(view, within)))

    def search(
        self, chains: Sequence[Chain], filter_: Filter, kept: Sieve, term_characters: int = 0, watch: Watch = _unwatched
    ) -> Iterator[Found]:
        """Yield what *filter_* finds in the organisations of *chains*, themselves included, as they are looked at.

        :param kept: what *filter_* may be true of: see :func:`~cjsm.directory.sieve.sieve`.
        :param term_characters: a member's search terms have at least as many characters.
        :param watch: told how many more organisations were looked at.
        :raises TermTooShort: when a member's filter would list nearly everybody.
        """
        for piece in self._pieces(chains, kept, watch):
            yield from piece.search(filter_, term_characters)

    def everything(self, chains: Sequence[Chain], watch: Watch = _unwatched) -> Iterator[Found]:
        """Yield all that the reader may see in the organisations of *chains*, themselves included."""
        return self.search(chains, EVERYTHING, ALL, watch=watch)

    def organisation(self, chain: Chain) -> Found | None:
        """Return the entry of the organisation at the end of *chain*; None where the reader may not see it."""
        piece = self._piece()
        piece.add(_Part(chain, first=True))
        return next(piece.search(EVERYTHING, 0), None)

    def root(self) -> Found:
        """Return the entry of the community itself, above all organisations."""
        reading = self._piece().reading()
        return Found(reading, reading.find(names.parse(reading.catalogue.base)), ())

    def _pieces(self, chains: Sequence[Chain], kept: Sieve, watch: Watch) -> Iterator["_Piece"]:
        piece = self._piece()
        for chain in chains:
            read = self._store.read_now(partial(_read, chain=chain, kept=kept))
            for part in _parts(read) if read is not None else ():
                piece.add(part)
                if piece.size >= _SIZE:
                    yield piece
                    piece = self._piece()
            watch(1)
        yield piece

    def _piece(self) -> "_Piece":
        return _Piece(self._schema, self.suffix, self._reader, self._own, self._roles)


class _Piece:
    """Some organisations, whom they have, and what is needed around them."""

    def __init__(
        self,
        schema: Schema,
        suffix: str,
        reader: AccountId,
        own: tuple[Chain, Account, Addresses] | None,
        roles: tuple[RoleAssignment, ...],
    ) -> None:
        self._schema = schema
        self._suffix = suffix
        self._reader = reader
        self._gathered = Gathering()
        self._gathered.roles[reader] = list(roles)
        self._people: dict[AccountId, tuple[Account, Addresses]] = {}
        self._chains: dict[str, tuple[Chain, Account | None, Addresses]] = {}
        self.size = 0
        if own is not None:
            chain, account, addresses = own
            self._around(chain)
            self._people[account.id] = (account, addresses)

    def add(self, part: "_Part") -> None:
        """Take a part of an organisation into the piece."""
        self._around(part.chain)
        home = part.chain[-1].id
        for account, addresses in part.accounts:
            self._people[account.id] = (account, addresses)
            self._chains[_told(account.id)] = (part.chain, account, addresses)
        for function, addresses in part.functions:
            record = listed.of_function(function, addresses)
            kept = (bytes(function.id), isinstance(function, MailList), record)
            self._gathered.functions.setdefault(home, []).append(kept)
            self._chains[_told(function.id)] = (part.chain, None, ())
        if part.first:
            self._chains[_told(home)] = (part.chain, None, ())
        self.size += len(part.accounts) + len(part.functions) + 1

    def _around(self, chain: Chain) -> None:
        for organisation in chain:
            self._gathered.organisations[organisation.id] = organisation

    def reading(self) -> Reading:
        """Return the catalogue of the piece as the reader sees it."""
        gathered = self._gathered
        for account, addresses in self._people.values():
            packed = entries.pack(listed.of_account(account, addresses))
            kept = (account.user_id, bytes(account.id), packed)
            gathered.people.setdefault(account.organisation, []).append(kept)
        return Reading(finished(listing(gathered, number=0, suffix=self._suffix, schema=self._schema)), self._reader)

    def search(self, filter_: Filter, term_characters: int) -> Iterator[Found]:
        """Yield what *filter_* finds of what was taken in, and nothing of what is only around it."""
        reading = self.reading()
        everyone = Limits(entries=_ALL, administrator_entries=_ALL, term_characters=term_characters)
        identity = self._schema.attribute("entryUUID")
        assert identity is not None, "the schema has it"
        for position in Search(reading, Query(scope=Scope.SUBTREE, filter=filter_), everyone).run():
            named = self._chains.get(reading.values(position, identity)[0])
            if named is not None:
                yield Found(reading, position, *named)


class _Part(Struct, frozen=True):
    """A part of the organisation at the end of *chain*; *first* where that itself is to be found with it."""

    chain: Chain
    first: bool
    accounts: tuple[tuple[Account, Addresses], ...] = ()
    functions: tuple[tuple[MailList | SharedMailbox, Addresses], ...] = ()


def _told(identifier: bytes) -> str:
    return str(entries.identity(identifier))


def _chain(view: View, organisation: OrganisationId) -> Chain:
    return tuple(states.chain(view, organisation))[::-1]


def _below(view: View, organisation: OrganisationId | None, above: Chain = ()) -> Iterator[Chain]:
    """Yield the chains of *organisation* and all below it; of every one for None."""
    if organisation is not None and not above:
        above = _chain(view, organisation)
        yield above
    for child in sorted(view.children(organisation), key=lambda found: found.slug):
        yield (*above, child)
        yield from _below(view, child.id, (*above, child))


def _addresses(view: View, owner: bytes) -> Addresses:
    return delivering(view, owner, {})


def _read(view: View, chain: Chain, kept: Sieve) -> _Part | None:
    """Return what is kept of one organisation; None where that is nothing, itself included."""
    organisation = chain[-1]
    around = text_of(text for found in chain for text in (found.name, found.slug))
    about = text_of((organisation.business_type, organisation.area, organisation.abbreviation or ""))
    part = _Part(
        chain,
        kept.test(Said(f"{around} {about}", classes=_ORGANISATION)),
        tuple(_accounts(view, organisation.id, around, kept)),
        tuple(_functions(view, organisation.id, around, kept)),
    )
    return part if part.first or part.accounts or part.functions else None


def _accounts(
    view: View, organisation: OrganisationId, around: str, kept: Sieve
) -> Iterator[tuple[Account, Addresses]]:
    """Yield the accounts that are kept, with those of equal local parts, on which their names depend."""
    found: dict[AccountId, Account] = {}
    names_taken: Counter[str] = Counter()
    for account in view.accounts_in(organisation):
        names_taken[_local(account)] += 1
        text = f"{around} {_text_of(account)}"
        digits = digits_of((account.profile.telephone, account.profile.mobile)) if kept.digits else ""
        if kept.test(Said(text, digits, _PERSON)) or (
            kept.addresses and kept.test(Said(f"{text} {_reached(view, account.id)}", digits, _PERSON))
        ):
            found[account.id] = account
    shared = {local for local in map(_local, found.values()) if names_taken[local] > 1}
    if shared:
        found |= {each.id: each for each in view.accounts_in(organisation) if _local(each) in shared}
    for account in found.values():
        yield account, _addresses(view, account.id)


def _text_of(account: Account) -> str:
    profile = account.profile
    return text_of(
        (
            *(account.user_id, profile.first_name, profile.last_name, profile.user_type, profile.address1),
            *(profile.address2, profile.town, profile.postcode, profile.description, profile.business_type),
            profile.area,
        )
    )


def _reached(view: View, owner: bytes) -> str:
    return text_of(record.address for record in view.addresses_of(owner))


def _functions(
    view: View, organisation: OrganisationId, around: str, kept: Sieve
) -> Iterator[tuple[MailList | SharedMailbox, Addresses]]:
    functions: tuple[MailList | SharedMailbox, ...] = (
        *view.lists_in(organisation),
        *view.kept_shared_mailboxes_in(organisation),
    )
    for function in functions:
        text = f"{around} {text_of((function.name, function.slug))} {_reached(view, function.id)}"
        if kept.test(Said(text, classes=_LIST if isinstance(function, MailList) else _SHARED)):
            yield function, _addresses(view, function.id)


def _local(account: Account) -> str:
    return account.user_id.partition("@")[0]


def _parts(read: _Part) -> Iterator[_Part]:
    """Yield an organisation in parts of a piece's size, people of equal local parts together, lists with the last."""
    waiting: list[tuple[Account, Addresses]] = []
    first = read.first
    people = sorted(read.accounts, key=lambda pair: pair[0].user_id)
    for _, alike in groupby(people, key=lambda pair: _local(pair[0])):
        if len(waiting) >= _SIZE:
            yield _Part(read.chain, first, tuple(waiting))
            waiting, first = [], False
        waiting += alike
    yield _Part(read.chain, first, tuple(waiting), read.functions)
