"""``cjsm audit verify``: everything is computed anew from the entries, and held against what was signed and mailed."""

import email
import email.policy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting
from cjsm.command.auditshown import Shown
from cjsm.command.context import as_caller, open_suite_for_files
from cjsm.command.output import console, document, progressing
from cjsm.community.records import LedgerEntry
from cjsm.jobs import ledgertree
from cjsm.jobs.ledgertree import Verification
from cjsm.ledger.checkpoints import Checkpoint
from cjsm.ledger.entries import MalformedEntry, commitment, decode_entry
from cjsm.ledger.errors import LedgerBroken, Malformed
from cjsm.ledger.notes import LONGEST
from cjsm.ledger.tiles import HashTiles
from cjsm.suite import Suite

#: Octets of a mail with a checkpoint at most.
_MAIL = 1_048_576


@click.command()
@click.option(
    "--checkpoint",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Also hold the ledger against this checkpoint: a saved mail, or its lines.",
)
@acting.verb
def verify(file: Path | None, config: Path, as_json: bool) -> None:
    """Compute the whole ledger anew, from its entries, and hold it against the last signed checkpoint.

    What was changed, removed, added between or put into another order is found, and the first entry that is not what it
    was is named. Ends with 1 then. Who could write all of the data directory, and has the ledger's key, could make
    another ledger that fits itself: a checkpoint that was mailed, and --checkpoint, find that too.

    \b
    cjsm audit verify
    cjsm audit verify --checkpoint checkpoint.eml --as olive.marsh@avon
    """
    suite = open_suite_for_files(config)
    Shown(suite)
    told = _verified(suite)
    if file is not None:
        told |= _compared(suite, file, told["signed"])
    if as_json:
        document(told)
        return
    signed = f"{told['signed']:,} are signed, root {told['root']}" if told["signed"] else "nothing is signed yet"
    console.print(f"{told['entries']:,} entries are as they were; {signed}")
    if file is not None:
        console.print(f"they begin with the {told['compared']:,} entries of the checkpoint in {file}", markup=False)


def _verified(suite: Suite) -> dict[str, Any]:
    """Return how many entries there are, when all of them are as they were.

    :raises LedgerBroken: naming the first that is not.
    """
    community, files = suite.stores.community, suite.stores.ledger
    checkpoint = ledgertree.signed(files, suite.ledger_keys) or Checkpoint(suite.ledger_keys.origin, 0, b"")
    total = community.last_entry()
    with progressing("entries verified", 2 * max(total, checkpoint.size), octets=False) as advance:
        if checkpoint.size:
            for count in Verification(checkpoint, community, files).steps():
                advance(count)
        first = 0
        for entries in ledgertree.slices(community, 0, total):
            _read(suite, first, entries)
            first += len(entries)
            advance(len(entries))
    return {"entries": total, "signed": checkpoint.size, "root": checkpoint.root.hex()}


def _read(suite: Suite, first: int, entries: Sequence[bytes]) -> None:
    for index, encoded in enumerate(entries, first):
        try:
            entry = decode_entry(encoded)
        except MalformedEntry as error:
            raise LedgerBroken(f"entry {index} is none any more: {error}", ledgertree.CHANGED, index) from error
        if entry.commitments:
            _check_words(suite, index, entry, encoded)


def _check_words(suite: Suite, index: int, entry: LedgerEntry, encoded: bytes) -> None:
    for kept in suite.stores.community.words(encoded):
        if (kept.name, commitment(kept.name, kept.salt, kept.text)) not in entry.commitments:
            raise LedgerBroken(
                f"the words beside entry {index} are not those that were written with it",
                ledgertree.CHANGED,
                index,
            )


def _compared(suite: Suite, file: Path, size: int) -> dict[str, Any]:
    with as_caller(), file.open("rb") as opened:
        octets = opened.read(_MAIL + 1)
    given = suite.ledger_keys.checked(found_in(octets, suite.ledger_keys.origin))
    if given.size > size:
        raise LedgerBroken(
            f"the checkpoint in {file} is of {given.size:,} entries, and {size:,} are left: the ledger was put back",
            ledgertree.CHANGED,
            size,
        )
    if HashTiles(size, ledgertree.reader(suite.stores.ledger)).subtree(0, given.size) != given.root:
        raise LedgerBroken(
            f"the first {given.size:,} entries are not those of the checkpoint in {file}: at least one was changed",
            "keep the disk as it is; older checkpoints that still fit show up to where nothing was changed",
        )
    return {"compared": given.size}


def found_in(octets: bytes, origin: str) -> bytes:
    """Return the signed checkpoint of the ledger *origin* in a mail, or in text that was copied out of one.

    :raises Malformed: when there is none.
    """
    if len(octets) > _MAIL:
        raise Malformed(f"a mail with a checkpoint has less than {_MAIL:,} octets")
    lines = [line.strip().removeprefix("> ").removeprefix(">") for line in _text(octets).splitlines()]
    if origin not in lines:
        raise Malformed(f"there is no checkpoint of {origin} in it", "save the mail as it came, or copy all its lines")
    found = lines[lines.index(origin) :]
    if "" not in found:
        raise Malformed("the checkpoint is cut short", "save the mail as it came, or copy all its lines")
    gap = found.index("")
    signatures = []
    for line in found[gap + 1 :]:
        if not line.startswith("\N{EM DASH} "):
            break
        signatures.append(line)
    return "".join(f"{line}\n" for line in (*found[: gap + 1], *signatures)).encode()[:LONGEST]


def _text(octets: bytes) -> str:
    if b":" in octets.split(b"\n", 1)[0]:
        message = email.message_from_bytes(octets, policy=email.policy.default)
        body = message.get_body(("plain",))
        if body is not None and message.keys():
            return str(body.get_content())
    return octets.decode("utf-8", errors="replace")
