"""``cjsm audit export`` and ``cjsm audit keys``: what others need to verify the ledger without us."""

import os
from collections.abc import Iterator
from pathlib import Path

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import as_caller, config_option, open_suite, open_suite_for_files
from cjsm.command.output import Refused, console, document, json_option, progressing, reported
from cjsm.community.authority import Action
from cjsm.jobs import ledgertree
from cjsm.ledger import tiles
from cjsm.ledger.checkpoints import Checkpoint
from cjsm.ledger.errors import LedgerBroken
from cjsm.ledger.notes import parse
from cjsm.ledger.tiles import HashTiles
from cjsm.ledger.tree import HEIGHT, WIDTH
from cjsm.suite import Suite


@click.command()
@config_option
@json_option
@reported
def keys(config: Path, as_json: bool) -> None:
    """Show the public keys that check the ledger's checkpoints, the newest first. Give them to whoever verifies.

    \b
    cjsm audit keys
    cjsm audit keys > ledger-keys
    """
    suite = open_suite(config)
    told = [{"number": number, "key": key.text} for number, key in reversed(suite.ledger_keys.numbered())]
    if as_json:
        document(told)
        return
    for each in told:
        console.print(each["key"], markup=False, soft_wrap=True)


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@acting.verb
def export(directory: Path, config: Path, as_json: bool) -> None:
    """Write the ledger into DIRECTORY for others: entries, tree, checkpoint and keys, as far as it is signed.

    Where an earlier export is, the new one takes its place once it is known to go on where that ended. What entries say
    of people in words is not in it, nor the salts: entries have commitments to those only. Others verify it with
    docs/specifications/verify_ledger.py.

    \b
    cjsm audit export /srv/ledger
    cjsm audit export /srv/ledger --as olive.marsh@avon
    """
    suite = open_suite_for_files(config)
    acting.require(suite, Action.READ_LEDGER)
    note = suite.stores.ledger.read(tiles.CHECKPOINT)
    if note is None:
        raise Refused("nothing of the ledger is signed yet", "start the service: it signs a checkpoint at once")
    checkpoint = suite.ledger_keys.checked(note)
    tree = HashTiles(checkpoint.size, ledgertree.reader(suite.stores.ledger))
    _check_goes_on(directory, checkpoint, tree)
    bundles = -(-checkpoint.size // WIDTH)
    with progressing("bundles written", bundles, octets=False) as advance:
        for name, octets in _files(suite, checkpoint, tree):
            _write(directory / name, octets)
            advance(name.startswith("tile/entries/"))
    _write(directory / tiles.KEYS, "".join(f"{key.text}\n" for key in suite.ledger_keys.known).encode())
    # Last: what it needs is there.
    _write(directory / tiles.CHECKPOINT, note)
    if as_json:
        document({"directory": str(directory), "entries": checkpoint.size, "root": checkpoint.root.hex()})
    else:
        console.print(f"{checkpoint.size:,} entries are in {directory}", markup=False)


def _check_goes_on(directory: Path, checkpoint: Checkpoint, tree: HashTiles) -> None:
    with as_caller():
        there = (directory / tiles.CHECKPOINT).read_bytes() if (directory / tiles.CHECKPOINT).exists() else None
    if there is None:
        return
    earlier = Checkpoint.parse(parse(there).text)
    same = earlier.origin == checkpoint.origin and earlier.size <= checkpoint.size
    if not same or tree.subtree(0, earlier.size) != earlier.root:
        raise LedgerBroken(
            f"the ledger does not go on where the export in {directory} ended, with {earlier.size:,} entries",
            "keep that export, write into another directory, and compare: verify_ledger.py --earlier names the entry",
        )


def _files(suite: Suite, checkpoint: Checkpoint, tree: HashTiles) -> Iterator[tuple[str, bytes]]:
    """Yield what a tree of that size is made of, entries as the store has them; the tree's hashes prove them later."""
    for index, entries in enumerate(ledgertree.slices(suite.stores.community, 0, checkpoint.size)):
        yield tiles.bundle_name(index, len(entries)), tiles.bundle(entries)
    level, hashes = 0, checkpoint.size
    while hashes:
        for index in range(-(-hashes // WIDTH)):
            tile = tree.tile(level, index)
            yield tiles.tile_name(level, index, tile.width), tile.hashes
        level, hashes = level + 1, hashes >> HEIGHT


def _write(path: Path, octets: bytes) -> None:
    with as_caller():
        if path.exists() and path.stat().st_size == len(octets) and path.read_bytes() == octets:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
