"""How tree and entries lie in files (C2SP tlog-tiles): names, bundles of entries, and hashes read from tiles."""

from collections.abc import Callable, Sequence

from cjsm.ledger.entries import LONGEST
from cjsm.ledger.errors import LedgerBroken, Malformed
from cjsm.ledger.tree import EMPTY, HASH, HEIGHT, WIDTH, Tile, cut, full_root, node_hash, split

#: Where the signed checkpoint is, and the keys that check it.
CHECKPOINT = "checkpoint"
KEYS = "keys"
_ENTRIES = "entries"
_KEPT = 64

Read = Callable[[str], bytes | None]


def tile_name(level: int, index: int, width: int = WIDTH) -> str:
    """Return the name of the tile with that *index* on a *level*."""
    return _name(str(level), index, width)


def bundle_name(index: int, width: int = WIDTH) -> str:
    """Return the name of the bundle with that *index*, of *width* entries."""
    return _name(_ENTRIES, index, width)


def partial_directory(name: str) -> str:
    """Return the directory that has the partial tiles, or bundles, that come before the full one of that *name*."""
    return f"{name.partition('.p/')[0]}.p"


def _name(kind: str, index: int, width: int) -> str:
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([f"x{part}" for part in parts[:-1]] + parts[-1:])
    return f"tile/{kind}/{path}" + (f".p/{width}" if width < WIDTH else "")


def bundle(entries: Sequence[bytes]) -> bytes:
    """Return the bundle of *entries*.

    :raises ValueError: when one is longer than a bundle can say.
    """
    if any(len(entry) > LONGEST for entry in entries):
        raise ValueError(f"an entry has more than {LONGEST} octets")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unbundled(octets: bytes) -> list[bytes]:
    """Return the entries of a bundle.

    :raises Malformed: when it is none.
    """
    entries, at = [], 0
    while at < len(octets):
        end = at + 2 + int.from_bytes(octets[at : at + 2], "big")
        if end > len(octets):
            raise Malformed("a bundle of entries is cut short")
        entries.append(octets[at + 2 : end])
        at = end
    return entries


class HashTiles:
    """The hashes of a tree of *size*, read from its tiles.

    :param read: gives a file by its name, None where there is none.
    """

    def __init__(self, size: int, read: Read) -> None:
        self.size = size
        self._read = read
        self._known: dict[tuple[int, int], Tile] = {}

    def subtree(self, low: int, high: int) -> bytes:
        """Return the hash over the entries from index *low* to below *high*.

        :raises LedgerBroken: when a tile that it needs is not there, or damaged.
        """
        if low == high:
            return EMPTY
        count = high - low
        if count & count - 1 == 0 and low % count == 0:
            return self._node(count.bit_length() - 1, low // count)
        middle = low + split(count)
        return node_hash(self.subtree(low, middle), self.subtree(middle, high))

    def root(self) -> bytes:
        """Return the root."""
        return self.subtree(0, self.size)

    def leaf(self, index: int) -> bytes:
        """Return the hash of the entry at *index*."""
        return self._node(0, index)

    def tile(self, level: int, index: int) -> Tile:
        """Return a tile as it is in this tree.

        :raises LedgerBroken: when it is not there, or damaged.
        """
        found = self._known.get((level, index))
        if found is None:
            if len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            width = min(WIDTH, (self.size >> HEIGHT * level) - index * WIDTH)
            found = self._known[level, index] = Tile(level, index, self._octets(level, index, width))
        return found

    def _octets(self, level: int, index: int, width: int) -> bytes:
        # A full tile takes the place of the partial ones before it.
        octets = None
        for name in dict.fromkeys((tile_name(level, index, width), tile_name(level, index))):
            octets = octets or self._read(name)
        if octets is None or len(octets) % HASH or len(octets) < width * HASH:
            name = tile_name(level, index, width)
            raise LedgerBroken(
                f"the tile {name} of the ledger is {'missing' if octets is None else 'damaged'}",
                "move the directory ledger/ away: the service makes it anew, and checks it against its checkpoint",
            )
        return octets[: width * HASH]

    def _node(self, height: int, index: int) -> bytes:
        """Return the hash of the perfect tree of that *height* that is the *index*-th of its kind."""
        level, inside = divmod(height, HEIGHT)
        first = index << inside
        tile = self.tile(level, first // WIDTH)
        at = first % WIDTH * HASH
        return full_root(cut(tile.hashes[at : at + (HASH << inside)]))
