"""The next catalogue in the making: what changed is put into a draft, which becomes a catalogue when it is finished."""

from array import array
from bisect import bisect_left, insort
from collections.abc import Callable, Generator, Iterator

from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import Organisation
from cjsm.directory import entries, indexing, listed, names, places
from cjsm.directory.catalogue import HANDLE_BITS, OWN, PERSON, PIECE_BITS, Catalogue
from cjsm.directory.entries import PEOPLE, Entry
from cjsm.directory.folding import fold
from cjsm.directory.index import Index, Term
from cjsm.directory.listed import ListedContext, ListedFunction, ListedPerson
from cjsm.directory.places import Place
from cjsm.directory.schema import Schema

_PIECE = 1 << PIECE_BITS
#: Pairs that are put into indexes before others have their turn.
_AT_ONCE = 256

#: Long texts that clients ask for by their beginning, if at all: what is inside them is looked for everywhere.
_SELDOM = frozenset(("postaladdress", "street"))

#: A name that siblings may share: place, attribute, folded value.
_Called = tuple[int, str, str]


class Draft:
    """A catalogue that may be changed. It takes what it needs of *before*, which stays as it is.

    :param before: the catalogue that the next one follows; None for the first.
    """

    def __init__(self, before: Catalogue | None, *, suffix: str, schema: Schema) -> None:
        self._before = before or Catalogue(0, suffix, schema)
        self._first = before is None
        self.kinds = entries.kinds(schema)
        self.tree = self._before.tree
        self.organisations = dict(self._before.organisations)
        self.roles = dict(self._before.roles)
        self.dated = dict(self._before.dated)
        self._suffix = suffix
        self._pieces = list(self._before.pieces)
        self._open: dict[int, list[Entry | None]] = {}
        self._codes = self._before.codes[:]
        self._free = list(self._before.free)
        self._named = dict(self._before.named)
        self._members = dict(self._before.members)
        self._own_members: set[int] = set()
        self._fresh: dict[bytes, int | None] = {}
        self._changes: dict[str, dict[tuple[Term, int], bool]] = {}
        self._called: dict[_Called, set[int]] = {}
        if self._first:
            self._add_contexts()

    def _add_contexts(self) -> None:
        label = self._suffix.partition(".")[0]
        base = self._before.base
        for kind, place, record in (
            (
                self.kinds.domain,
                Place(identifier=None, handle=places.ROOT, dn=base),
                ListedContext("dc", label, f"community {self._suffix}"),
            ),
            (
                self.kinds.people,
                Place(identifier=None, handle=places.FLAT, dn=PEOPLE),
                ListedContext("o", "people", "everybody, in one list"),
            ),
        ):
            slot = self._add(entries.made(kind, place, bytes(16), record))
            self._named[names.parse(place.dn)] = slot

    # Entries.

    @property
    def changed(self) -> bool:
        """Whether anything differs so far that searches find."""
        before = self._before
        return (
            self._first
            or bool(self._open)
            or self.tree is not before.tree
            or (self.roles, self.dated) != (before.roles, before.dated)
        )

    def entry(self, slot: int) -> Entry | None:
        """Return the entry in *slot*."""
        number, at = slot >> PIECE_BITS, slot & (_PIECE - 1)
        return self._open[number][at] if number in self._open else self._pieces[number][at]

    def slot_of(self, identity: bytes) -> int | None:
        """Return where what *identity* identifies is."""
        return self._fresh[identity] if identity in self._fresh else self._before.slot_of(identity)

    def put(self, entry: Entry) -> None:
        """Add *entry*, or put it where the earlier one of the same identity is; siblings' names are settled later."""
        slot = self.slot_of(entry.identity)
        if slot is None:
            self._note(entry, self._add(entry))
            return
        earlier = self.entry(slot)
        assert earlier is not None
        entry = entry if entry.whole == earlier.whole else entries.moved(entry, entry.place, whole=earlier.whole)
        if not entries.same(entry, earlier):
            self._note(earlier, slot)
            self._note(entry, slot)
            self._replace(slot, earlier, entry)

    def add_settled(self, entry: Entry) -> None:
        """Add a new *entry* whose name is settled among its siblings."""
        self._add(entry)

    def add_organisation(self, identifier: OrganisationId) -> None:
        """Add the entry of an organisation that has a place."""
        self._put_organisation(self.organisations[identifier], self.tree.places[identifier])
        self._name_organisation(self.tree.places[identifier])

    def drop(self, identity: bytes) -> None:
        """Take out what *identity* identifies, if it is there."""
        slot = self.slot_of(identity)
        if slot is None:
            return
        earlier = self.entry(slot)
        assert earlier is not None
        self._note(earlier, slot)
        for key, found in earlier.every_term():
            for term in found:
                self._change(key, term, slot, added=False)
        self._change("entryuuid", identity, slot, added=False)
        self._leave(earlier, slot)
        self._set(slot, None)
        self._free.append(slot)
        self._fresh[identity] = None

    def owner_of(self, address: str) -> bytes | None:
        """Return the identity of what had *address* in the catalogue before."""
        slot = next(self._before.slots("mail", fold(address)), None)
        return self._before.entry(slot).identity if slot is not None else None

    def _add(self, entry: Entry) -> int:
        if self._free:
            slot = self._free.pop()
        else:
            slot = len(self._codes)
            self._codes.append(0)
            if not slot & (_PIECE - 1):
                self._open[len(self._pieces)] = [None] * _PIECE
                self._pieces.append(())
        if not self._first:
            for key, found in entry.every_term():
                for term in found:
                    self._change(key, term, slot, added=True)
            self._change("entryuuid", entry.identity, slot, added=True)
        if not self._first or entry.kind.own:
            self._fresh[entry.identity] = slot
        self._set(slot, entry)
        self._enter(entry, slot)
        return slot

    def _replace(self, slot: int, earlier: Entry, entry: Entry) -> None:
        old = {(key, term) for key, found in earlier.every_term() for term in found}
        new = {(key, term) for key, found in entry.every_term() for term in found}
        for key, term in old - new:
            self._change(key, term, slot, added=False)
        for key, term in new - old:
            self._change(key, term, slot, added=True)
        self._leave(earlier, slot)
        self._set(slot, entry)
        self._enter(entry, slot)

    def _set(self, slot: int, entry: Entry | None) -> None:
        number = slot >> PIECE_BITS
        if number not in self._open:
            self._open[number] = list(self._pieces[number])
        self._open[number][slot & (_PIECE - 1)] = entry
        self._codes[slot] = 0 if entry is None else _code(entry)

    def _change(self, key: str, term: Term, slot: int, *, added: bool) -> None:
        changes = self._changes.setdefault(key, {})
        # What comes and goes within one draft was never there.
        if changes.pop((term, slot), None) is None:
            changes[term, slot] = added

    def _enter(self, entry: Entry, slot: int) -> None:
        if not entry.kind.own:
            insort(self._members_of(entry.place.handle), slot)

    def _leave(self, entry: Entry, slot: int) -> None:
        if not entry.kind.own:
            found = self._members_of(entry.place.handle)
            del found[bisect_left(found, slot)]

    def _members_of(self, handle: int) -> "array[int]":
        if handle not in self._own_members:
            self._own_members.add(handle)
            self._members[handle] = self._members.get(handle, array("I"))[:]
        return self._members[handle]

    # Names among siblings.

    def _note(self, entry: Entry, slot: int) -> None:
        record = entry.listed
        if isinstance(record, (ListedPerson, ListedFunction)):
            called = (entry.place.handle, record.named_by, fold(record.short))
            self._called.setdefault(called, set()).add(slot)

    def _settle_names(self) -> Iterator[None]:
        """Of siblings with one short name the first keeps it; the others are called by their whole ones."""
        for called, slots in self._called.items():
            handle, named_by, short = called
            siblings = []
            for slot in slots.union(self._before.slots(named_by, short)):
                entry = self.entry(slot)
                if entry is None or entry.kind.own or entry.place.handle != handle:
                    continue
                record = entry.listed
                assert isinstance(record, (ListedPerson, ListedFunction))
                if record.named_by == named_by and fold(record.short) == short:
                    siblings.append((record.order(entry.identity), slot, entry))
            for place, (_, slot, entry) in enumerate(sorted(siblings, key=lambda each: each[0])):
                if entry.whole != bool(place):
                    self._replace(slot, entry, entries.moved(entry, entry.place, whole=bool(place)))
            yield
        self._called = {}

    # Organisations.

    def rearrange(self) -> Generator[None, None, list[OrganisationId]]:
        """Arrange :attr:`organisations` anew, a few at a time; return those that have a place now and had none.

        All that stands where the place changed changes with it.
        """
        before, tree = self.tree, self.tree
        for found in places.arranged(self.organisations.values(), self._before.base, before):
            tree = found or tree
            yield
        self.tree = tree
        for identifier, gone in before.places.items():
            if identifier not in tree.places:
                yield from self._vanish(identifier, gone)
        for identifier, place in tree.places.items():
            earlier = before.places.get(identifier)
            self._put_organisation(self.organisations[identifier], place)
            if earlier is not None and earlier != place:
                self._named.pop(names.parse(earlier.dn), None)
                yield from self._move_members(place)
            yield
        for identifier, place in tree.places.items():
            if before.places.get(identifier) != place:
                self._name_organisation(place)
        return [identifier for identifier in tree.places if identifier not in before.places]

    def _put_organisation(self, organisation: Organisation, place: Place) -> None:
        kind = self.kinds.organisation if len(place.path) == 1 else self.kinds.unit
        self.put(entries.made(kind, place, organisation.id, listed.of_organisation(organisation)))

    def _name_organisation(self, place: Place) -> None:
        slot = self.slot_of(place.identifier) if place.identifier is not None else None
        if slot is not None:
            self._named[names.parse(place.dn)] = slot

    def _move_members(self, place: Place) -> Iterator[None]:
        for slot in self._members.get(place.handle, array("I"))[:]:
            entry = self.entry(slot)
            if entry is not None:
                self._note(entry, slot)
                self._replace(slot, entry, entries.moved(entry, place, whole=entry.whole))
            yield

    def _vanish(self, identifier: OrganisationId, place: Place) -> Iterator[None]:
        for slot in self._members.get(place.handle, array("I"))[:]:
            entry = self.entry(slot)
            if entry is not None:
                self.drop(entry.identity)
            yield
        self._members.pop(place.handle, None)
        self._named.pop(names.parse(place.dn), None)
        self.drop(identifier)

    # The catalogue.

    def finish(
        self, number: int, leave: Callable[[list[list[object]]], None] | None = None
    ) -> Generator[None, None, Catalogue]:
        """Make the catalogue, at change *number*, in slices of some milliseconds; the generator returns it.

        :param leave: what the catalogue leaves when nobody uses it any more is given to it, to be freed by and by.
        """
        yield from self._settle_names()
        before = self._before
        made = Catalogue(number, self._suffix, before.schema)
        indexes = dict(before.indexes)
        if self._first:
            indexes = yield from indexing.indexes(self._entries(), self.kinds, self._searched)
        for key in self._changes:
            indexes[key] = yield from self._changed(key, before.index(key))
        self._changes = {}
        for piece, found in self._open.items():
            self._pieces[piece] = tuple(found)
            yield
        made.pieces, made.codes, made.free = self._pieces, self._codes, tuple(self._free)
        made.indexes, made.tree, made.named, made.members = indexes, self.tree, self._named, self._members
        made.organisations, made.roles, made.dated = self.organisations, self.roles, self.dated
        made.sights = before.sights if self.tree is before.tree else {}
        made.leave = leave
        return made

    def _entries(self) -> Iterator[Iterator[tuple[int, Entry]]]:
        """Yield the pieces' slots and entries; all are open where everything is new."""
        for number in range(len(self._pieces)):
            numbered = enumerate(self._open[number], number << PIECE_BITS)
            yield ((slot, entry) for slot, entry in numbered if entry is not None)

    def _changed(self, key: str, index: Index) -> Generator[None, None, Index]:
        index = index.copy() if len(index) else Index(searched=self._searched(key))
        for at, ((term, slot), added) in enumerate(self._changes[key].items()):
            (index.add if added else index.remove)(term, slot)
            if not at % _AT_ONCE:
                yield
        index.settle()
        return index

    def _searched(self, key: str) -> bool:
        attribute = self._before.schema.attribute(key)
        return attribute is not None and attribute.substrings and key not in _SELDOM


def _code(entry: Entry) -> int:
    kind = entry.kind
    return entry.place.handle << HANDLE_BITS | entry.needs | (OWN if kind.own else 0) | (PERSON if kind.person else 0)
