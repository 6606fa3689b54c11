"""The ledger's tree as files: read where a process ended, gone on with, held against the entries.

``docs/specifications/ledger.md`` has their form. They are derived: from the entries they can be made again at any time.
"""

from collections.abc import Callable, Iterator, Sequence

from cjsm.jobs.ledgerkeys import LedgerKeys
from cjsm.ledger import tiles
from cjsm.ledger.checkpoints import Checkpoint
from cjsm.ledger.errors import LedgerBroken, Malformed
from cjsm.ledger.tiles import HashTiles
from cjsm.ledger.tree import HASH, WIDTH, Tile, Tree, leaf_hash, widths
from cjsm.store.interfaces import ILedgerEntries, ILedgerFiles

#: Entries that are looked at in one slice: reading and hashing them takes less than a millisecond.
SLICE = WIDTH
_PUT_BACK = (
    "if community.mdb was restored, restore a newer one, or run `cjsm audit recover`: it takes what is missing out of "
    "the ledger's own files; else somebody changed it: keep the disk as it is"
)
CHANGED = "somebody changed community.mdb: keep the disk as it is, and compare with a checkpoint that was mailed"


def signed(files: ILedgerFiles, keys: LedgerKeys) -> Checkpoint | None:
    """Return the checkpoint that was signed last; None where there is none yet.

    :raises LedgerBroken: when it is not what this service signed.
    """
    octets = files.read(tiles.CHECKPOINT)
    if octets is None:
        return None
    try:
        return keys.checked(octets)
    except Malformed as error:
        raise LedgerBroken(
            f"the ledger's checkpoint is not what this service signed: {error}",
            "restore the directory ledger/ or the service secret `ledger`, whichever is not this community's own",
        ) from error


def reader(files: ILedgerFiles) -> Callable[[str], bytes | None]:
    """Return what reads tiles and bundles also when the tree has grown since: instead of a partial one that is not kept
    any more it gives a wider one, or the full one, that begins with the same.
    """

    def read(name: str) -> bytes | None:
        octets = files.read(name)
        if octets is not None or ".p/" not in name:
            return octets
        full, _, width = name.partition(".p/")
        partial = (each for each in files.names(f"{full}.p") if int(each.rpartition("/")[2]) > int(width))
        # What was listed may be gone by now; then the full one has taken its place, or a wider one.
        found = (files.read(each) for each in (full, *partial, full))
        return next((octets for octets in found if octets is not None), None)

    return read


def check_newest(checkpoint: Checkpoint, entries: ILedgerEntries, files: ILedgerFiles) -> None:
    """Check quickly that the entries go on where *checkpoint* was signed: as many are there, and the newest are those.

    :raises LedgerBroken: when they are not.
    """
    last = entries.last_entry()
    if last < checkpoint.size:
        raise LedgerBroken(
            f"the ledger's checkpoint is of {checkpoint.size:,} entries and community.mdb has {last:,}: "
            "it was put back to an earlier state",
            _PUT_BACK,
            last,
        )
    if tree_at(checkpoint, files) is None:
        # What says which entries those were is not whole: it is made anew, and checked, before anything is signed.
        return
    first = max(checkpoint.size - 1, 0) // WIDTH * WIDTH
    leaves = _edge(files, 0, first // WIDTH, checkpoint.size - first)
    for number, entry in entries.entries_now(first, checkpoint.size - first):
        at = (number - 1 - first) * HASH
        if leaves and leaf_hash(entry) != leaves[at : at + HASH]:
            raise LedgerBroken(
                f"entry {number - 1} is not what it was when the ledger was signed", _PUT_BACK, number - 1
            )


def tree_at(checkpoint: Checkpoint, files: ILedgerFiles) -> Tree | None:
    """Return the tree of which *checkpoint* tells, from the tiles at its edge; None where those are not whole."""
    found = []
    for level, index, width in widths(checkpoint.size):
        octets = _edge(files, level, index, width)
        if octets is None:
            return None
        found.append(Tile(level, index, octets))
    tree = Tree.at(checkpoint.size, found)
    return tree if tree.root() == checkpoint.root else None


def _edge(files: ILedgerFiles, level: int, index: int, width: int) -> bytes | None:
    """Return the hashes of a tile at the edge; where a crash came before the next checkpoint, the full one has them."""
    for name in (tiles.tile_name(level, index, width), tiles.tile_name(level, index)):
        octets = files.read(name)
        if octets is not None and len(octets) >= width * HASH:
            return octets[: width * HASH]
    return None


def slices(entries: ILedgerEntries, begin: int, end: int) -> Iterator[Sequence[bytes]]:
    """Yield the entries from index *begin* to below *end*, in slices that end where bundles do.

    :raises LedgerBroken: when one is missing.
    """
    while begin < end:
        wanted = min(end, (begin // SLICE + 1) * SLICE) - begin
        found = entries.entries_now(begin, wanted)
        for place, (number, _) in enumerate(found):
            if number != begin + place + 1:
                raise LedgerBroken(f"entry {begin + place} is missing", CHANGED, begin + place)
        if len(found) < wanted:
            raise LedgerBroken(f"entry {begin + len(found)} is missing", CHANGED, begin + len(found))
        yield [entry for _, entry in found]
        begin += wanted


class Verification:
    """Holds the entries against a signed *checkpoint*, a slice at a time, and says which is the first that is wrong.

    :param files: the ledger's: its tiles say what entries were.
    :ivar tree: what was made of the entries so far.
    """

    def __init__(self, checkpoint: Checkpoint, entries: ILedgerEntries, files: ILedgerFiles) -> None:
        self._checkpoint = checkpoint
        self._entries = entries
        self._read = reader(files)
        self._tiles = HashTiles(checkpoint.size, self._read)
        self.tree = Tree()
        #: The first entry that differs from its tile, whose tile may be what is wrong.
        self._differs: int | None = None
        self._damaged = ""

    def steps(self) -> Iterator[int]:
        """Do it; yield how many more entries were looked at.

        :raises LedgerBroken: when entries and checkpoint do not agree, or tiles are not those of the entries.
        """
        for found in slices(self._entries, 0, min(self._checkpoint.size, self._entries.last_entry())):
            self._look(found)
            yield len(found)
        self._conclude()

    def _look(self, entries: Sequence[bytes]) -> None:
        index = self.tree.size // WIDTH
        leaves = [leaf_hash(entry) for entry in entries]
        full: list[Tile] = []
        for leaf in leaves:
            full += self.tree.append(leaf)
        self._compare(index, leaves)
        for tile in (each for each in full if each.level):
            if self._read(tiles.tile_name(tile.level, tile.index)) != tile.hashes:
                self._damaged = self._damaged or tiles.tile_name(tile.level, tile.index)
        width = len(entries)
        bundle = self._read(tiles.bundle_name(index, width)) or self._read(tiles.bundle_name(index))
        if bundle is None or not bundle.startswith(tiles.bundle(entries)):
            self._damaged = self._damaged or tiles.bundle_name(index, width)

    def _compare(self, index: int, leaves: Sequence[bytes]) -> None:
        if self._differs is not None:
            return
        try:
            known = self._tiles.tile(0, index).hashes
        except LedgerBroken:
            self._damaged = self._damaged or tiles.tile_name(0, index, len(leaves))
            return
        for place, leaf in enumerate(leaves):
            if known[place * HASH : (place + 1) * HASH] != leaf:
                self._differs = index * WIDTH + place
                return

    def _conclude(self) -> None:
        first, size = self._differs, self._checkpoint.size
        if self.tree.size < size or self.tree.root() != self._checkpoint.root:
            if first is None and self.tree.size < size:
                first = self.tree.size
            where = f"entry {first} is the first that is" if first is not None else "some entry is"
            raise LedgerBroken(f"{where} not what it was when the ledger was signed", CHANGED, first)
        if first is not None:
            self._damaged = self._damaged or tiles.tile_name(
                0, first // WIDTH, min(WIDTH, size - first // WIDTH * WIDTH)
            )
        if self._damaged:
            raise LedgerBroken(
                f"the entries are those that were signed, and the ledger's file {self._damaged} is missing or damaged",
                "stop the service, move the directory ledger/tile away and start it: it makes it anew",
            )
