"""``cjsm audit recover``: entries that a restored, older community.mdb lacks, taken back out of the ledger's files."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import rich_click as click

from cjsm.command.context import config_option, open_suite, wait
from cjsm.command.output import Refused, console, document, json_option, progressing, reported
from cjsm.community.acts import servicesecrets
from cjsm.instance import NotRunning
from cjsm.jobs import ledgertree
from cjsm.ledger import tiles
from cjsm.ledger.checkpoints import Checkpoint
from cjsm.ledger.errors import LedgerBroken
from cjsm.ledger.tiles import HashTiles
from cjsm.ledger.tree import WIDTH, Tree, leaf_hash
from cjsm.suite import Suite, instance


@click.command()
@click.option("--reason", required=True, help="Why community.mdb was put back; the ledger keeps it.")
@config_option
@json_option
@reported
def recover(reason: str, config: Path, as_json: bool) -> None:
    """Complete the ledger after an older community.mdb was restored. The service must be stopped.

    Entries that are missing are taken out of the directory ledger/, which has to be as it was, and checked against its
    signed checkpoint. What was done since the backup is in the ledger then, but not in force: `cjsm audit list` says
    what has to be done again. What entries said of people in words is not brought back. An entry tells of the recovery.

    \b
    cjsm audit recover --reason "disk failed, backup of last night"
    """
    suite = open_suite(config)
    try:
        instance(suite.settings).status()
    except NotRunning:
        pass
    else:
        raise Refused("the service runs", "stop it, recover, start it again")
    checkpoint = ledgertree.signed(suite.stores.ledger, suite.ledger_keys)
    if checkpoint is None:
        raise Refused(
            "nothing of the ledger is signed", "restore the directory ledger/ as it was, beside community.mdb"
        )
    tree = _same(suite, checkpoint)
    there = tree.size
    if there == checkpoint.size:
        raise Refused("no entry is missing", "see `cjsm audit verify`")
    missing = _missing(suite, checkpoint, tree)
    moved = wait(suite.stores.community.bring_back(there, missing))
    by = suite.by(reason=reason)
    told = {"from": str(there), "entries": str(len(missing)), "moved": str(moved)}
    wait(suite.stores.community.commit(by.act_id, partial(servicesecrets.recovered, by=by, told=told)))
    if as_json:
        document({"from": there, "entries": len(missing), "moved": moved})
        return
    console.print(f"{len(missing):,} entries from {there} on are back; see what they were: cjsm audit list")
    if moved:
        console.print(f"{moved:,} that were written since the restore come after them")


def _same(suite: Suite, checkpoint: Checkpoint) -> Tree:
    """Return the tree of the entries that are the same in community.mdb and in what was signed."""
    signed, tree = HashTiles(checkpoint.size, suite.stores.ledger.read), Tree()
    total = min(suite.stores.community.last_entry(), checkpoint.size)
    with progressing("entries compared", total, octets=False) as advance:
        for entries in ledgertree.slices(suite.stores.community, 0, total):
            for entry in entries:
                if leaf_hash(entry) != signed.leaf(tree.size):
                    return tree
                tree.append(leaf_hash(entry))
            advance(len(entries))
    return tree


def _missing(suite: Suite, checkpoint: Checkpoint, tree: Tree) -> Sequence[bytes]:
    """Return the entries that were signed behind those of *tree*, which has them then.

    :raises LedgerBroken: when the files do not have them, or others.
    """
    there, found = tree.size, []
    for index in range(there // WIDTH, -(-checkpoint.size // WIDTH)):
        width = min(WIDTH, checkpoint.size - index * WIDTH)
        read = suite.stores.ledger.read
        octets = read(tiles.bundle_name(index, width)) or read(tiles.bundle_name(index)) or b""
        found += tiles.unbundled(octets)[max(0, there - index * WIDTH) : width]
    for entry in found:
        tree.append(leaf_hash(entry))
    if (tree.size, tree.root()) != (checkpoint.size, checkpoint.root):
        raise LedgerBroken(
            "the entries in the directory ledger/ are not those that were signed",
            "restore the directory ledger/ as it was when the disk was last well, or a newer community.mdb",
        )
    return found
