"""Records of the community as directory entries: what they are compared by is at hand, what they show is packed."""

import itertools
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from types import MappingProxyType
from typing import TypeAlias

import msgspec
from msgspec import Struct

from cjsm.directory import names, visibility
from cjsm.directory.listed import Listed, ListedContext, ListedFunction, ListedOrganisation, ListedPerson
from cjsm.directory.matching import Rule, prepare, preparing, timestamp
from cjsm.directory.places import Place
from cjsm.directory.schema import AttributeType, Schema

#: Values or terms by attribute key. An attribute without any is not there.
Values = Mapping[str, tuple[str, ...]]
#: The terms of one attribute of an entry: None where it has none, one by itself.
Terms: TypeAlias = "str | tuple[str, ...] | None"
_EMPTY = ("",)

SUBSCHEMA = "cn=subschema"
PEOPLE = "o=people"

#: Values that many entries have: kept once.
_REPEATED = frozenset(
    ("sn", "givenName", "l", "businessCategory", "employeeType", "cjsmArea", "cjsmAccountStatus", "description")
)
pack = msgspec.msgpack.Encoder().encode
_stamps = itertools.count(1)


class Facts(Struct, frozen=True):
    """What an entry that stands by itself says.

    :ivar values: as shown.
    :ivar terms: as compared.
    """

    values: Values
    terms: Values


def facts(schema: Schema, values: Mapping[str, Sequence[str]]) -> Facts:
    """Return *values* by attribute name with their terms."""
    shown: dict[str, tuple[str, ...]] = {}
    terms: dict[str, tuple[str, ...]] = {}
    for name, given in values.items():
        attribute = schema.attribute(name)
        if attribute is None:
            raise KeyError(name)
        present = tuple(dict.fromkeys(value for value in given if value))
        if not present:
            continue
        shown[attribute.key] = present
        if attribute.rule is not None:
            compared = (prepare(attribute.rule, value) for value in present)
            terms[attribute.key] = tuple(dict.fromkeys(term for term in compared if term is not None))
    return Facts(MappingProxyType(shown), MappingProxyType(terms))


class Column(Struct, frozen=True):
    """An attribute that entries of some kind have, and how its values are prepared."""

    name: str
    attribute: AttributeType
    prepare: Callable[[str], str | None]


class Kind(Struct, frozen=True, eq=False):
    """What entries have in common that stand for the same kind of record.

    :ivar name: what the index of objectClass has instead of the many classes.
    :ivar classes: the values of their objectClass, and *class_terms* as compared.
    :ivar columns: their own attributes, in the order of :attr:`Entry.terms`, and *places* where each of them is there.
    :ivar inherits: whether they also say what their place does.
    """

    structural: str
    name: str
    classes: tuple[str, ...]
    class_terms: tuple[str, ...]
    columns: tuple[Column, ...]
    prepared: tuple[tuple[str, Callable[[str], str | None]], ...]
    places: Mapping[str, int]
    inherits: bool
    person: bool
    own: bool
    unpack: Callable[[bytes], Listed]


class Kinds(Struct, frozen=True, eq=False):
    """Every kind of entry under one schema."""

    person: Kind
    shared_mailbox: Kind
    mail_list: Kind
    organisation: Kind
    unit: Kind
    domain: Kind
    people: Kind

    def __iter__(self) -> Iterator[Kind]:
        return (getattr(self, name) for name in self.__struct_fields__)

    @property
    def indexed(self) -> Iterator[str]:
        """The keys of all attributes that there are indexes of."""
        own = {key: None for kind in self for key in kind.places}
        yield from (*own, "objectclass", "entryuuid", "createtimestamp", "modifytimestamp")

    def of_class(self, term: str) -> Iterator[Kind]:
        """Yield the kinds whose entries are of the object class *term*."""
        return (kind for kind in self if term in kind.class_terms)


class Entry(Struct, frozen=True, gc=False, eq=False):
    """One entry of the directory; a person's stands for the one in the flat context too.

    :ivar identity: of its record: what the entryUUID is made of.
    :ivar packed: what is kept of its record.
    :ivar terms: as compared, in the order of its kind's columns.
    :ivar needs: who may see it: a bit of :mod:`cjsm.directory.visibility`.
    :ivar whole: whether a sibling has its short name, so that it is called by its whole one.
    :ivar unaddressed: whether it has no address to show, though others of it may be known.
    :ivar stamp: another one for each entry that is made: what was made of it may be kept under this number.
    """

    kind: Kind
    place: Place
    identity: bytes
    packed: bytes
    terms: tuple[Terms, ...]
    needs: int
    whole: bool
    unaddressed: bool
    stamp: int

    @property
    def listed(self) -> Listed:
        """What is kept of its record."""
        return self.kind.unpack(self.packed)

    @property
    def relative(self) -> tuple[str, str]:
        """Attribute and value of the entry's own name, where it is not an organisation's."""
        record = self.listed
        assert isinstance(record, (ListedPerson, ListedFunction))
        return record.named_by, record.whole(self.identity) if self.whole else record.short

    @property
    def dn(self) -> str:
        """Its distinguished name in the community's own tree."""
        return self.place.dn if self.kind.own else f"{names.relative(*self.relative)},{self.place.dn}"

    @property
    def flat_dn(self) -> str:
        """A person's distinguished name in the flat context."""
        record = self.listed
        assert isinstance(record, ListedPerson)
        return f"{names.relative('uid', record.user_id)},{PEOPLE}"

    def compared(self, key: str) -> Sequence[str]:
        """Return the comparable values of the attribute with this *key*, which is not operational."""
        at = self.kind.places.get(key)
        if at is not None:
            found = self.terms[at]
            return () if found is None else (found,) if isinstance(found, str) else found
        if key == "objectclass":
            return self.kind.class_terms
        return self.place.terms.get(key, ()) if self.kind.inherits else ()

    def has(self, key: str) -> bool:
        """Whether the attribute with this *key*, which is not operational, has a value."""
        at = self.kind.places.get(key)
        if at is not None:
            return self.terms[at] is not None and not (key == "mail" and self.unaddressed)
        return bool(self.compared(key))

    def every_term(self) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield (attribute key, comparable values) of all that indexes have of it."""
        yield "objectclass", (self.kind.name,)
        for column, found in zip(self.kind.columns, self.terms, strict=True):
            if found is not None:
                yield column.attribute.key, (found,) if isinstance(found, str) else found or ("",)
        if self.kind.inherits:
            yield from self.place.terms.items()
        created, changed = timestamps(self)
        yield "createtimestamp", (created,)
        yield "modifytimestamp", (changed,)

    def values(self) -> Values:
        """Return the values of all that it has but operational attributes, by attribute key."""
        shown = self.listed.shown(self.place)
        found = {"objectclass": self.kind.classes}
        for column in self.kind.columns:
            present = tuple(dict.fromkeys(filter(None, shown.get(column.name, ()))))
            if present:
                found[column.attribute.key] = present
        if self.kind.inherits:
            found.update(self.place.values)
        return found

    def operational(self, key: str, dn: str, *, flat: bool) -> Sequence[str]:
        """Return the values of an operational attribute that do not depend on the reader."""
        match key:
            case "entryuuid":
                context = PEOPLE if flat else self.place.dn if self.place.identifier is None else ""
                return (str(identity(self.identity, context)),)
            case "entrydn":
                return (dn,)
            case "createtimestamp":
                return (_time(self.listed.created),)
            case "modifytimestamp":
                return (_time(self.listed.changed),)
            case "structuralobjectclass":
                return (self.kind.structural,)
            case "subschemasubentry":
                return (SUBSCHEMA,)
        return ()


def timestamps(entry: Entry) -> tuple[str, str]:
    """Return when the record of *entry* was made, and when it changed."""
    record = entry.listed
    return _time(record.created), _time(record.changed)


def made(
    kind: Kind, place: Place, identity: bytes, record: Listed, *, whole: bool = False, packed: bytes | None = None
) -> Entry:
    """Return the entry of *record*, which may be there *packed* already, at *place*."""
    shown = record.shown(place)
    get = shown.get
    # Much is empty: that costs a comparison and no call.
    terms = tuple([None if get(name, _EMPTY) == _EMPTY else _terms(each, shown[name]) for name, each in kind.prepared])
    if record.others:
        at = kind.places["mail"]
        terms = (*terms[:at], _terms(kind.columns[at].prepare, (*shown["mail"], *record.others)), *terms[at + 1 :])
    unaddressed = not getattr(record, "primary", ())
    needs = _needs(record, place)
    return Entry(kind, place, identity, packed or pack(record), terms, needs, whole, unaddressed, next(_stamps))


def moved(entry: Entry, place: Place, *, whole: bool) -> Entry:
    """Return *entry* at another place or under another of its names."""
    return made(entry.kind, place, entry.identity, entry.listed, whole=whole, packed=entry.packed)


def same(first: Entry, second: Entry) -> bool:
    """Whether both say the same."""
    return (
        first.kind is second.kind
        and first.place == second.place
        and (first.identity, first.packed, first.whole) == (second.identity, second.packed, second.whole)
    )


def identity(record: bytes, context: str = "") -> uuid.UUID:
    """Return the entryUUID of what *record* identifies: stable, and another one in each further *context*."""
    own = uuid.UUID(bytes=record)
    return uuid.uuid5(own, context) if context else own


@cache
def kinds(schema: Schema) -> Kinds:
    """Return the kinds of entry under *schema*."""
    shared = ("cn", "sn", "displayName", "mail", "cjsmAccountStatus")
    organisation = ("displayName", "businessCategory", "cjsmArea", "cjsmAbbreviation", "cjsmOrganisationState")
    return Kinds(
        person=_kind(schema, ListedPerson, ("inetOrgPerson", "cjsmMailbox"), _PERSON, inherits=True),
        shared_mailbox=_kind(
            schema, ListedFunction, ("inetOrgPerson", "cjsmMailbox", "cjsmSharedMailbox"), shared, inherits=True
        ),
        mail_list=_kind(
            schema,
            ListedFunction,
            ("cjsmDistributionList",),
            ("cn", "displayName", "mail", "rfc822MailMember"),
            inherits=True,
        ),
        organisation=_kind(schema, ListedOrganisation, ("organization", "cjsmOrganisation"), ("o", *organisation)),
        unit=_kind(schema, ListedOrganisation, ("organizationalUnit", "cjsmOrganisation"), ("ou", *organisation)),
        domain=_kind(schema, ListedContext, ("domain",), ("dc", "description")),
        people=_kind(schema, ListedContext, ("organization",), ("o", "description")),
    )


_PERSON = (
    *("uid", "cn", "sn", "givenName", "displayName", "mail", "street", "l", "postalCode", "postalAddress"),
    *("telephoneNumber", "mobile", "description", "businessCategory", "employeeType", "cjsmArea"),
    *("cjsmAccountStatus", "cjsmLocked"),
)


def _kind(
    schema: Schema, record: type[Listed], classes: Sequence[str], attributes: Sequence[str], *, inherits: bool = False
) -> Kind:
    chains = (found.chain for found in map(schema.object_class, classes) if found is not None)
    every = tuple(dict.fromkeys(name for chain in chains for name in chain))
    columns = tuple(_column(schema, name) for name in attributes)
    return Kind(
        structural=classes[0],
        name=" ".join(classes),
        classes=every,
        class_terms=tuple(name.lower() for name in every),
        columns=columns,
        prepared=tuple((column.name, column.prepare) for column in columns),
        places=MappingProxyType({column.attribute.key: at for at, column in enumerate(columns)}),
        inherits=inherits,
        person=record is ListedPerson,
        own=record in (ListedOrganisation, ListedContext),
        unpack=msgspec.msgpack.Decoder(record).decode,
    )


def _column(schema: Schema, name: str) -> Column:
    attribute = schema.attribute(name)
    if attribute is None or attribute.rule is None:
        raise KeyError(name)
    if attribute.rule is Rule.TEXT and name in _REPEATED:
        return Column(name, attribute, _repeated)
    return Column(name, attribute, preparing(attribute.rule))


_repeated = lru_cache(8_192)(preparing(Rule.TEXT))


def _terms(prepare_: Callable[[str], str | None], values: Sequence[str]) -> Terms:
    if not values:
        return None
    if len(values) == 1:
        if not values[0]:
            return None
        only = prepare_(values[0])
        # A value that cannot be compared is there all the same.
        return () if only is None else only
    given = [prepare_(value) for value in values if value]
    if not given:
        return None
    terms = tuple(dict.fromkeys(term for term in given if term is not None))
    return terms[0] if len(terms) == 1 else terms


def _needs(record: Listed, place: Place) -> int:
    if isinstance(record, ListedPerson):
        return visibility.needs_of_person(place.needs, withdrawn=record.withdrawn, ex_directory=record.ex_directory)
    if isinstance(record, ListedFunction):
        return visibility.needs_of_function(
            place.needs, withdrawn=bool(record.status), ex_directory=record.ex_directory
        )
    return place.needs


@lru_cache(4_096)
def _time(seconds: int) -> str:
    return timestamp(datetime.fromtimestamp(seconds, UTC))
