"""The one signer of the ledger: follows the entries, goes on with the tree, and signs a checkpoint of what is new.

Only the process that owns delivery runs it. A kill after any step leaves what is done again: tiles are written and
synced first, then the checkpoint that needs them, and what no checkpoint needs any more is removed last.
"""

import hashlib
from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.logger import Logger

from cjsm.community.acts import servicesecrets
from cjsm.community.identifiers import LENGTH, ActId
from cjsm.community.view import Change, View
from cjsm.jobs import ledgertree
from cjsm.jobs.ledgerkeys import LedgerKeys
from cjsm.ledger import tiles
from cjsm.ledger.checkpoints import Checkpoint
from cjsm.ledger.errors import LedgerBroken
from cjsm.ledger.tree import WIDTH, Tile, Tree, leaf_hash, widths
from cjsm.store.interfaces import ICommunityStore, ILedgerFiles

#: Slices whose files are written and synced together.
_TOGETHER = 16


def _at_once() -> "Deferred[None]":
    return succeed(None)


class Checkpointing:
    """See the module.

    :param turn: gives everybody else on the reactor thread a turn.
    """

    _log = Logger()

    def __init__(
        self,
        keys: LedgerKeys,
        *,
        community: ICommunityStore,
        files: ILedgerFiles,
        turn: "Callable[[], Deferred[None]]" = _at_once,
    ) -> None:
        self._keys = keys
        self._community = community
        self._files = files
        self._turn = turn
        self._lock = DeferredLock()
        self._tree: Tree | None = None
        self._root = b""
        self._broken: LedgerBroken | None = None

    def check(self) -> None:
        """Look, before anything is served, whether the entries go on where the last checkpoint was signed.

        :raises LedgerBroken: when they do not: the service must not start.
        """
        checkpoint = ledgertree.signed(self._files, self._keys)
        if checkpoint is not None:
            ledgertree.check_newest(checkpoint, self._community, self._files)

    def run(self) -> "Deferred[int]":
        """Go on as far as there are entries, and sign where there are new ones; fires with how many those were.

        One run after the other: two that append to one tree would sign what no entries make.
        """
        return self._lock.run(lambda: Deferred.fromCoroutine(self._run()))

    async def _run(self) -> int:
        if self._broken is not None:
            raise self._broken
        try:
            if self._tree is None:
                await self._announce()
                self._tree = await self._begun()
            return await self._follow(self._tree)
        except LedgerBroken as error:
            # What is wrong stays so: nothing is signed until somebody looked.
            self._broken, self._tree = error, None
            self._log.critical("the ledger: {problem}; {cure}", problem=str(error), cure=error.cure)
            raise
        except BaseException:
            # What is written may be more, or less, than the tree in memory: it is read again.
            self._tree = None
            raise

    # Where it stands

    async def _begun(self) -> Tree:
        """Return the tree as it was signed last, from its files; where those are not whole, from the entries."""
        checkpoint = ledgertree.signed(self._files, self._keys)
        if checkpoint is None:
            return Tree()
        ledgertree.check_newest(checkpoint, self._community, self._files)
        self._root = checkpoint.root
        return ledgertree.tree_at(checkpoint, self._files) or await self._made_anew(checkpoint)

    async def _made_anew(self, checkpoint: Checkpoint) -> Tree:
        """Return the tree that the entries make, once they are known to be those that were signed; write its files."""
        self._log.warn("the ledger's tiles are not whole, they are made anew of {size} entries", size=checkpoint.size)
        tree = Tree()
        for entries in ledgertree.slices(self._community, 0, checkpoint.size):
            for entry in entries:
                tree.append(leaf_hash(entry))
            await self._turn()
        if tree.root() != checkpoint.root:
            raise LedgerBroken("some entry is not what it was when the ledger was signed", ledgertree.CHANGED)
        tree = Tree()
        await self._extend(tree, checkpoint.size)
        return tree

    async def _announce(self) -> None:
        """Write each key of the ledger into it once, and into the file for those who check it."""
        for number, key in self._keys.numbered():
            act_id = ActId(hashlib.sha256(b"cjsm ledger key" + key.public).digest()[:LENGTH])
            told = {"number": str(number), "key": key.text}
            await self._community.commit(act_id, partial(_announced, act_id=act_id, told=told))
        lines = [key.text for key in self._keys.known]
        kept = (self._files.read(tiles.KEYS) or b"").decode().split()
        text = "".join(f"{line}\n" for line in dict.fromkeys([*lines, *kept])).encode()
        if text != self._files.read(tiles.KEYS):
            await self._files.write([(tiles.KEYS, text)])

    # Going on

    async def _follow(self, tree: Tree) -> int:
        before, last = tree.size, self._community.last_entry()
        if last < before:
            ledgertree.check_newest(Checkpoint("", before, b""), self._community, self._files)
        if last == before:
            return 0
        await self._extend(tree, last)
        note = self._keys.sign(Checkpoint(self._keys.origin, tree.size, tree.root()))
        await self._files.write([(tiles.CHECKPOINT, bytes(note))])
        await self._tidy(tree, before)
        return tree.size - before

    async def _extend(self, tree: Tree, size: int) -> None:
        """Append the entries up to *size*; everything that a checkpoint of it needs is written then."""
        there = {tiles.tile_name(*each) for each in widths(tree.size)}
        together: list[tuple[str, bytes]] = []
        full: list[str] = []
        bundle: list[bytes] = []
        if tree.size % WIDTH:
            first = tree.size // WIDTH * WIDTH
            bundle = [entry for _, entry in self._community.entries_now(first, tree.size - first)]
        for number, entries in enumerate(ledgertree.slices(self._community, tree.size, size)):
            index = tree.size // WIDTH
            bundle += entries
            for entry in entries:
                for tile in tree.append(leaf_hash(entry)):
                    together.append((tiles.tile_name(tile.level, tile.index), tile.hashes))
            if len(bundle) == WIDTH:
                together.append((tiles.bundle_name(index), tiles.bundle(bundle)))
                bundle = []
            if number % _TOGETHER == _TOGETHER - 1:
                full += [name for name, _ in together]
                await self._files.write(together)
                together = []
            await self._turn()
        full += [name for name, _ in together]
        if bundle:
            together.append((tiles.bundle_name(tree.size // WIDTH, len(bundle)), tiles.bundle(bundle)))
        await self._files.write([*together, *(each for each in map(_file, tree.partial()) if each[0] not in there)])
        for name in full:
            # A full one takes the place of those that led to it.
            await self._files.remove(self._files.names(tiles.partial_directory(name)))

    async def _tidy(self, tree: Tree, before: int) -> None:
        """Remove partial tiles that neither this checkpoint nor the one before it needs."""
        needed = {_file(tile)[0] for tile in tree.partial()}
        needed |= {tiles.tile_name(*each) for each in widths(before)}
        for size in (before, tree.size):
            needed.add(tiles.bundle_name(size // WIDTH, size % WIDTH))
        directories = {tiles.partial_directory(_file(tile)[0]) for tile in tree.partial()}
        directories.add(tiles.partial_directory(tiles.bundle_name(tree.size // WIDTH)))
        for directory in directories:
            gone = [name for name in self._files.names(directory) if name not in needed]
            if gone:
                await self._files.remove(gone)


def _file(tile: Tile) -> tuple[str, bytes]:
    return tiles.tile_name(tile.level, tile.index, tile.width), tile.hashes


def _announced(view: View, act_id: ActId, told: dict[str, str]) -> Change:
    return Change(entry=servicesecrets.announced(act_id, view.moment, told))
