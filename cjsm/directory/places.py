"""Organisations as places in the tree: where entries stand, what they are called after, who sees into them."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from msgspec import Struct

from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import Organisation
from cjsm.directory import names, visibility
from cjsm.directory.folding import fold

#: Handles of what is no organisation: the community's own tree, and the people in one list.
ROOT, FLAT = 0, 1
_FIRST = 2


class Place(Struct, frozen=True, kw_only=True):
    """Where an organisation stands.

    :ivar handle: its number, which stays the same however the tree changes.
    :ivar dn: its distinguished name.
    :ivar path: the names from the top down to it.
    :ivar needs: who may see it: a bit of :mod:`~cjsm.directory.visibility`.
    :ivar top: its top organisation, possibly itself.
    :ivar values: what all entries there say because of it, by attribute key, and *terms* as compared.
    """

    identifier: OrganisationId | None
    handle: int
    dn: str
    path: tuple[str, ...] = ()
    needs: int = visibility.LISTED
    parent: OrganisationId | None = None
    top: OrganisationId | None = None
    values: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    terms: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    @property
    def shown(self) -> str:
        """The path as people read it."""
        return " \N{EN DASH} ".join(self.path)


class Tree:
    """All places; it does not change.

    :ivar places: by organisation.
    :ivar below: the organisations directly below each, and below None the top ones, by short name.
    :ivar count: one more than the highest handle.
    """

    def __init__(self) -> None:
        self.places: dict[OrganisationId, Place] = {}
        self.below: dict[OrganisationId | None, tuple[OrganisationId, ...]] = {}
        self.count = _FIRST

    def within(self, identifier: OrganisationId) -> Iterator[Place]:
        """Yield the place of *identifier* and all below it, in tree order; nothing for one that is not there."""
        waiting = [identifier] if identifier in self.places else []
        while waiting:
            found = waiting.pop()
            yield self.places[found]
            waiting += reversed(self.below.get(found, ()))


def arranged(organisations: Iterable[Organisation], base: str, before: Tree) -> Iterator[Tree | None]:
    """Arrange *organisations* below *base*, a few at a time; the last one yielded is the tree.

    Those that were in *before* keep their handles; those without a way up to the top have no place.
    """
    tree = Tree()
    tree.count = before.count
    children: dict[OrganisationId | None, list[Organisation]] = {}
    for organisation in organisations:
        children.setdefault(organisation.parent, []).append(organisation)
    waiting: list[Place | None] = [None]
    while waiting:
        above = waiting.pop()
        own = sorted(children.get(above.identifier if above else None, ()), key=lambda each: (each.slug, each.id))
        tree.below[above.identifier if above else None] = tuple(organisation.id for organisation in own)
        for organisation in own:
            known = before.places.get(organisation.id)
            handle = known.handle if known is not None else tree.count
            tree.count += known is None
            tree.places[organisation.id] = _place(organisation, above, base, handle)
            yield None
        waiting += reversed([tree.places[organisation.id] for organisation in own])
    yield tree


def _place(organisation: Organisation, above: Place | None, base: str, handle: int) -> Place:
    kind = "o" if above is None else "ou"
    path = (*(above.path if above else ()), organisation.name)
    values = {key: tuple(dict.fromkeys(found)) for key, found in (("o", path[:1]), ("ou", path[1:])) if any(found)}
    return Place(
        identifier=organisation.id,
        handle=handle,
        dn=f"{names.relative(kind, organisation.slug)},{above.dn if above else base}",
        path=path,
        needs=visibility.needs_of_organisation(organisation, above.needs if above else visibility.LISTED),
        parent=organisation.parent,
        top=above.top if above else organisation.id,
        values=values,
        terms={key: tuple(dict.fromkeys(map(fold, found))) for key, found in values.items()},
    )
