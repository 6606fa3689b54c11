"""The directory at one change number: every entry with what finds it. It never changes; the next one shares most of it.

An entry has a slot as long as it is listed. Its position is its slot, or for a person's second entry, in the context
that lists all people flat, the slot and :data:`FLAT`. To others a position means nothing by itself.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence

from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import Organisation, RoleAssignment
from cjsm.directory import names
from cjsm.directory.entries import PEOPLE, Entry
from cjsm.directory.folding import fold
from cjsm.directory.index import Index
from cjsm.directory.listed import ListedPerson
from cjsm.directory.places import Tree
from cjsm.directory.schema import Schema

#: What tells a position in the flat context from one in the community's own tree.
FLAT = 1 << 32
#: Slots of the two contexts' own entries.
ROOT_SLOT, PEOPLE_SLOT = 0, 1

#: Entries are kept in pieces of so many.
PIECE_BITS = 10
_PIECE = (1 << PIECE_BITS) - 1

#: What :attr:`Catalogue.codes` holds beside the handle: who may see the entry, whether it stands for the place itself,
#: whether it is a person's.
NEEDS, OWN, PERSON, HANDLE_BITS = 7, 8, 16, 5

_PEOPLE_NAME = names.parse(PEOPLE)
_NO_INDEX = Index()


class Browsed:
    """Long sorted answers that are looked at part by part: those that were asked for last."""

    def __init__(self, most: int = 16) -> None:
        self._most = most
        self._orders: dict[object, Sequence[int]] = {}

    def get(self, asked: object) -> Sequence[int] | None:
        """Return the positions that answer what was *asked*, in order."""
        found = self._orders.pop(asked, None)
        if found is not None:
            self._orders[asked] = found
        return found

    def remember(self, asked: object, order: Sequence[int]) -> None:
        """Keep *order*; what was not asked for longest goes."""
        if len(self._orders) >= self._most:
            del self._orders[next(iter(self._orders))]
        self._orders[asked] = order


class Catalogue:
    """Entries by slot, and what finds them.

    :ivar number: the community's change sequence number it was made at.
    :ivar base: the distinguished name of the community's own tree.
    :ivar pieces: the entries in order of slots; None where there is none.
    :ivar codes: for each slot its place's handle and the flags above; 0 where there is no entry.
    :ivar free: slots without an entry.
    :ivar indexes: by attribute key; ``entryuuid`` has the octets of identifiers in the community's own tree.
    :ivar named: slots of organisations and contexts by name.
    :ivar members: by handle the slots of the entries there that are not organisations.
    :ivar organisations: their records.
    :ivar roles: by account.
    :ivar dated: owners of addresses that will not always deliver, with the moment at which the first one ends.
    :ivar browsed: what whole lists were asked for, in order, by who asked for what.
    """

    def __init__(self, number: int, suffix: str, schema: Schema) -> None:
        self.number = number
        self.suffix = suffix
        self.base = names.of_suffix(suffix)
        self.schema = schema
        self.pieces: list[Sequence[Entry | None]] = []
        self.codes: "array[int]" = array("I")
        self.free: tuple[int, ...] = ()
        self.indexes: Mapping[str, Index] = {}
        self.tree = Tree()
        self.named: dict[names.Name, int] = {}
        self.members: "dict[int, array[int]]" = {}
        self.organisations: dict[OrganisationId, Organisation] = {}
        self.roles: dict[AccountId, tuple[RoleAssignment, ...]] = {}
        self.dated: dict[bytes, int] = {}
        self.sights: dict[object, tuple[bytes, bytes]] = {}
        self.browsed = Browsed()
        self.leave: Callable[[list[list[object]]], None] | None = None

    def __len__(self) -> int:
        return len(self.codes) - len(self.free)

    def __del__(self) -> None:
        # Freeing all at once takes long: whoever gave `leave` does it by and by.
        if self.leave is not None:
            held: list[list[object]] = [list(index.buckets) for index in self.indexes.values()]
            held.append(list(self.pieces))
            self.leave(held)

    def entry(self, position: int) -> Entry:
        """Return the entry at *position*."""
        slot = position & (FLAT - 1)
        found = self.pieces[slot >> PIECE_BITS][slot & _PIECE]
        if found is None:
            raise IndexError(position)
        return found

    def positions(self) -> Iterator[int]:
        """Yield every position: all of the community's own tree, then all of the flat context."""
        flat = []
        for slot, code in enumerate(self.codes):
            if code and slot != PEOPLE_SLOT:
                yield slot
                if code & PERSON:
                    flat.append(slot)
        yield PEOPLE_SLOT
        yield from (FLAT + slot for slot in flat)

    def blunt_index(self) -> Index | None:
        """Return an index that is to be sharpened, or None where all are sharp."""
        return next((index for index in self.indexes.values() if index.is_blunt), None)

    def index(self, key: str) -> Index:
        """Return the index of the attribute with this *key*."""
        return self.indexes.get(key, _NO_INDEX)

    def slots(self, key: str, term: object) -> Iterator[int]:
        """Yield the slots of entries that have *term* in the attribute *key*."""
        for found in self.index(key).equal(term).slots():
            yield from found

    def slot_of(self, identity: bytes) -> int | None:
        """Return where what *identity* identifies is."""
        return next(self.slots("entryuuid", identity), None)

    def dn(self, position: int) -> str:
        """Return the distinguished name of the entry at *position*."""
        entry = self.entry(position)
        return entry.flat_dn if position >= FLAT else entry.dn

    # Names and accounts.

    def position(self, name: names.Name) -> int | None:
        """Return where the entry with this distinguished name is."""
        slot = self.named.get(name)
        if slot is not None or len(name) < 2 or len(name[0]) != 1:
            return slot
        (kind, value), above = name[0][0], name[1:]
        if above == _PEOPLE_NAME:
            return self._in_flat_context(kind, value)
        home = self.named.get(above)
        return None if home is None else self._in_place(kind, value, self.codes[home] >> HANDLE_BITS)

    def _in_flat_context(self, kind: str, value: str) -> int | None:
        for slot in self.slots("uid", value) if kind == "uid" else ():
            record = self.entry(slot).listed
            if isinstance(record, ListedPerson) and fold(record.user_id) == value:
                return FLAT + slot
        return None

    def _in_place(self, kind: str, value: str, handle: int) -> int | None:
        if kind not in ("uid", "cn"):
            return None
        # What has a sibling of its name may be called by it and eight digits more.
        for term in (value, value[:-9]) if kind == "cn" else (value,):
            for slot in self.slots(kind, term):
                code = self.codes[slot]
                if code >> HANDLE_BITS == handle and not code & OWN:
                    named_by, called = self.entry(slot).relative
                    if named_by == kind and fold(called) == value:
                        return slot
        return None

    def position_of(self, account: AccountId) -> int | None:
        """Return where the entry of *account* in the community's own tree is."""
        slot = self.slot_of(account)
        return slot if slot is not None and self.codes[slot] & PERSON else None

    def user_id(self, name: names.Name) -> str | None:
        """Return the user ID of the account whose entry, in either context, has this distinguished name."""
        position = self.position(name)
        record = self.entry(position).listed if position is not None else None
        return record.user_id if isinstance(record, ListedPerson) else None

    def organisation_of(self, account: AccountId) -> OrganisationId | None:
        """Return the organisation that *account* is in."""
        position = self.position_of(account)
        return self.entry(position).place.identifier if position is not None else None

    def roles_of(self, account: AccountId) -> tuple[RoleAssignment, ...]:
        """Return the role assignments of *account*."""
        held = self.roles.get(account, ())
        return tuple(each for each in held if each.organisation is None or each.organisation in self.organisations)

    def children(self, position: int) -> Iterator[int]:
        """Yield the positions directly below *position*."""
        if position == PEOPLE_SLOT:
            yield from (FLAT + slot for slot, code in enumerate(self.codes) if code & PERSON)
        elif position < FLAT and self.codes[position] & OWN:
            place = self.entry(position).place
            yield from self.members.get(place.handle, ())
            for identifier in self.tree.below.get(place.identifier, ()):
                slot = self.slot_of(identifier)
                if slot is not None:
                    yield slot
