"""``cjsm audit prove``: a file that shows, without the ledger, that an entry is in it."""

import os
from pathlib import Path

import rich_click as click

from cjsm.command import acting
from cjsm.command.auditshown import Shown
from cjsm.command.context import as_caller, check_free, open_suite_for_files
from cjsm.command.output import Refused, console, document
from cjsm.jobs import ledgertree
from cjsm.ledger import proofs, tiles
from cjsm.ledger.prooffiles import ProofFile
from cjsm.ledger.tiles import HashTiles
from cjsm.ledger.tree import leaf_hash


@click.command()
@click.argument("index", type=click.IntRange(0))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it there, into a new file.")
@acting.verb
def prove(index: int, out: Path | None, config: Path, as_json: bool) -> None:
    """Prove that the entry at INDEX is in the ledger: its octets, the hashes up to the root, and a signed checkpoint.

    Whoever gets it checks it with docs/specifications/verify_ledger.py and the ledger's key, and needs nothing of us.

    \b
    cjsm audit prove 1234 --out 1234.tlog-proof
    cjsm audit prove 1234 --as olive.marsh@avon
    """
    suite = open_suite_for_files(config)
    if out is not None:
        check_free(out)
    _, encoded = Shown(suite).one(index)
    files = suite.stores.ledger
    # In this order: whatever is signed meanwhile, the tiles of an older checkpoint are still there.
    note = files.read(tiles.CHECKPOINT)
    checkpoint = ledgertree.signed(files, suite.ledger_keys)
    if note is None or checkpoint is None or index >= checkpoint.size:
        every = suite.settings.ledger.checkpoint_every
        raise Refused(
            f"no checkpoint covers entry {index} yet", f"the service signs one every {every} seconds: is it running?"
        )
    checkpoint = suite.ledger_keys.checked(note)
    tree = HashTiles(checkpoint.size, ledgertree.reader(files))
    hashes = proofs.inclusion(index, checkpoint.size, tree.subtree)
    proofs.check_inclusion(leaf_hash(encoded), index, checkpoint.size, checkpoint.root, hashes)
    proof = bytes(ProofFile(encoded, index, hashes, note))
    if out is not None:
        with as_caller(), out.open("xb") as file:
            file.write(proof)
            file.flush()
            os.fsync(file.fileno())
    if as_json:
        document({"index": index, "size": checkpoint.size, "file": str(out or ""), "proof": proof.decode()})
    elif out is not None:
        console.print(f"{out} proves entry {index} in the ledger of {checkpoint.size:,} entries", markup=False)
    else:
        console.print(proof.decode(), end="", markup=False, soft_wrap=True)
