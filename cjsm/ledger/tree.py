"""The Merkle tree over the ledger's entries (RFC 6962 section 2.1), which only grows.

Of a tree nothing is held but its right edge: at most 255 hashes on each level of tiles (C2SP tlog-tiles). What is to
the left of it never changes again, and is in full tiles.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Self

from msgspec import Struct

#: Octets of every hash.
HASH = 32
#: Hashes in a full tile, and entries in a full bundle.
WIDTH = 256
#: Levels of the tree in one tile.
HEIGHT = 8
#: The root of a tree without entries.
EMPTY = hashlib.sha256().digest()


class Tile(Struct, frozen=True):
    """The *index*-th tile of a *level*: so many hashes of 32 octets, one after the other."""

    level: int
    index: int
    hashes: bytes

    @property
    def width(self) -> int:
        """How many hashes it has; fewer than 256 where it is at the right edge."""
        return len(self.hashes) // HASH


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of what is above two hashes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """Return the largest power of two below *size*, which is above 1: how many entries are on the left."""
    return 1 << (size - 1).bit_length() - 1


def full_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over hashes of one level, of which there is a power of two."""
    level = list(hashes)
    while len(level) > 1:
        level = [node_hash(*pair) for pair in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def cut(hashes: bytes) -> list[bytes]:
    """Return the hashes that a tile has one after the other."""
    return [hashes[at : at + HASH] for at in range(0, len(hashes), HASH)]


def widths(size: int) -> Iterator[tuple[int, int, int]]:
    """Yield for each level of a tree of *size*, from the lowest: the level, the index and the width of its last tile,
    as far as that is partial.
    """
    level = 0
    while size:
        if size % WIDTH:
            yield level, size // WIDTH, size % WIDTH
        size //= WIDTH
        level += 1


class Tree:
    """See the module.

    :ivar size: how many entries it has.
    """

    def __init__(self) -> None:
        self.size = 0
        self._edge: list[list[bytes]] = []
        #: The roots of the perfect trees that this one is made of, from the largest.
        self._perfect: list[bytes] = []

    @classmethod
    def at(cls, size: int, tiles: Sequence[Tile]) -> Self:
        """Return the tree of *size* with these partial tiles, of which :func:`widths` tells.

        :raises ValueError: when they are not those.
        """
        if [(tile.level, tile.index, tile.width) for tile in tiles] != list(widths(size)):
            raise ValueError("these are not the tiles at the edge of that tree")
        made = cls()
        made.size = size
        for tile in tiles:
            made._edge += [[] for _ in range(tile.level + 1 - len(made._edge))]
            made._edge[tile.level] = cut(tile.hashes)
        made._perfect = [root for hashes in reversed(made._edge) for root in _perfect(hashes)]
        return made

    def append(self, leaf: bytes) -> list[Tile]:
        """Append the entry with the hash *leaf*; return the tiles that are full now."""
        self.size += 1
        full: list[Tile] = []
        height, node = 0, leaf
        while True:
            if height % HEIGHT == 0:
                full += self._kept(height // HEIGHT, node)
            if self.size >> height & 1:
                self._perfect.append(node)
                return full
            node = node_hash(self._perfect.pop(), node)
            height += 1

    def _kept(self, level: int, node: bytes) -> list[Tile]:
        """Keep a hash that is in a tile of *level*; return that when it is full."""
        if level == len(self._edge):
            self._edge.append([])
        hashes = self._edge[level]
        hashes.append(node)
        if len(hashes) < WIDTH:
            return []
        self._edge[level] = []
        return [Tile(level, (self.size >> HEIGHT * (level + 1)) - 1, b"".join(hashes))]

    def partial(self) -> list[Tile]:
        """Return the tiles at the right edge, from the lowest level: those that :func:`widths` tells of."""
        return [Tile(level, index, b"".join(self._edge[level])) for level, index, _ in widths(self.size)]

    def root(self) -> bytes:
        """Return the root."""
        if not self._perfect:
            return EMPTY
        found = self._perfect[-1]
        for root in reversed(self._perfect[:-1]):
            found = node_hash(root, found)
        return found


def _perfect(hashes: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the roots of the perfect trees over fewer than 256 hashes of one level, from the largest."""
    at = 0
    for bit in reversed(range(HEIGHT)):
        if len(hashes) & 1 << bit:
            yield full_root(hashes[at : at + (1 << bit)])
            at += 1 << bit


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over hashes of entries."""
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()
