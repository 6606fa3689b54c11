"""What one reader sees of each place: a byte of :mod:`cjsm.directory.visibility` for each handle."""

from collections.abc import Iterable, Sequence

from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import RoleAssignment
from cjsm.directory import visibility
from cjsm.directory.places import FLAT, Place, Tree


def sight(tree: Tree, organisation: OrganisationId | None, roles: Sequence[RoleAssignment]) -> bytes:
    """Return what a member of *organisation* with *roles* sees."""
    seen = bytearray((visibility.MEMBER,)) * tree.count
    home = tree.places.get(organisation) if organisation is not None else None
    if home is not None and home.top is not None:
        _grant(seen, tree.within(home.top), visibility.COLLEAGUE)
    for assignment in roles:
        bits = visibility.GRANTS.get(assignment.role, visibility.MEMBER)
        if assignment.organisation is None:
            seen = bytearray(seen.translate(bytes(byte | bits for byte in range(256))))
        else:
            _grant(seen, tree.within(assignment.organisation), bits)
    return bytes(seen)


def only(seen: bytes, places: Iterable[Place]) -> bytes:
    """Return *seen* of these places and nothing of others."""
    kept = bytearray(len(seen))
    for place in places:
        kept[place.handle] = seen[place.handle]
    return bytes(kept)


def own_tree(seen: bytes) -> bytes:
    """Return *seen* of the community's own tree alone."""
    return seen[:FLAT] + b"\0" + seen[FLAT + 1 :]


def _grant(seen: bytearray, places: Iterable[Place], bits: int) -> None:
    for place in places:
        seen[place.handle] |= bits
