"""What the ledger costs: appending, signing, proving, and verifying all of it."""

import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cjsm.command.context import wait
from cjsm.community.acts import heads
from cjsm.community.identifiers import LENGTH, ActId
from cjsm.configuration import CommunitySettings, Settings, StoreSettings
from cjsm.jobs import ledgertree
from cjsm.jobs.checkpointing import Checkpointing
from cjsm.jobs.ledgertree import Verification
from cjsm.ledger import proofs
from cjsm.ledger.entries import decode_entry, encode_entry
from cjsm.ledger.tiles import HashTiles
from cjsm.ledger.tree import Tree, leaf_hash
from cjsm.suite import Suite
from cjsm.vault import secrets

_AT_ONCE = 20_000
_CHECKPOINTS = 200
_PROOFS = 200


@dataclass(frozen=True)
class Cost:
    """What *count* things took, in seconds of the clock and of the processor, of which the longest step had so many."""

    name: str
    count: int
    seconds: float
    processor: float
    longest: float = 0.0

    def line(self) -> str:
        """Return what people read."""
        each = self.processor / self.count * 1e6
        told = f"{self.name:<34} {self.count:>9,}  {self.seconds:8.2f} s  {each:9.2f} µs of processor each"
        return told + (f", longest step {self.longest * 1000:.2f} ms" if self.longest else "")


def _measured(name: str, count: int, steps: Iterable[object]) -> Cost:
    longest, clock, processor = 0.0, time.perf_counter(), time.process_time()
    before = processor
    for _ in steps:
        now = time.process_time()
        longest, before = max(longest, now - before), now
    return Cost(name, count, time.perf_counter() - clock, time.process_time() - processor, longest)


def measure(directory: Path, entries: int, say: Callable[[str], None]) -> list[Cost]:
    """Measure a ledger of so many entries."""
    home = directory / "ledger"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    secrets.create(home / "secrets")
    store = StoreSettings(data_directory=str(home / "data"), secrets_directory=str(home / "secrets"), map=1 << 34)
    suite = Suite(Settings(community=CommunitySettings(suffix="bench.test"), store=store))
    costs: list[Cost] = []

    def tell(cost: Cost) -> None:
        costs.append(cost)
        say(cost.line())

    _fill(suite, entries)
    octets = [octets for _, octets in suite.stores.community.entries_now(0, 100_000)]
    tell(_measured("hashed into the tree, in memory", len(octets), _hashed(octets)))
    tell(_measured("decoded", len(octets), (decode_entry(each) for each in octets)))
    signer = Checkpointing(suite.ledger_keys, community=suite.stores.community, files=suite.stores.ledger)
    tell(_measured("followed: read, hashed, written", entries, _followed(signer)))
    tell(_measured("checkpoints of one entry each", _CHECKPOINTS, _checkpoints(suite, signer)))
    checkpoint = ledgertree.signed(suite.stores.ledger, suite.ledger_keys)
    assert checkpoint is not None
    tell(_measured("signatures of a checkpoint", 2_000, (suite.ledger_keys.sign(checkpoint) for _ in range(2_000))))
    verification = Verification(checkpoint, suite.stores.community, suite.stores.ledger)
    tell(_measured("verified", checkpoint.size, verification.steps()))
    tell(_measured("proofs, each from the files", _PROOFS, _proved(suite, checkpoint.size)))
    wait(suite.stores.close())
    return costs


def _fill(suite: Suite, entries: int) -> None:
    for first in range(0, entries, _AT_ONCE):
        made = [
            encode_entry(heads.anchored(ActId(os.urandom(LENGTH)), 1_800_000_000, os.urandom(32), 1))
            for _ in range(min(_AT_ONCE, entries - first))
        ]
        wait(suite.stores.community.bring_back(first, made))


def _hashed(octets: list[bytes]) -> Iterable[object]:
    tree = Tree()
    for each in octets:
        yield tree.append(leaf_hash(each))


def _followed(signer: Checkpointing) -> Iterable[object]:
    yield wait(signer.run())


def _checkpoints(suite: Suite, signer: Checkpointing) -> Iterable[object]:
    for _ in range(_CHECKPOINTS):
        entry = heads.anchored(ActId(os.urandom(LENGTH)), 1_800_000_000, os.urandom(32), 1)
        wait(suite.stores.community.bring_back(suite.stores.community.last_entry(), [encode_entry(entry)]))
        yield wait(signer.run())


def _proved(suite: Suite, size: int) -> Iterable[object]:
    for number in range(_PROOFS):
        # Each reads its tiles anew, as a command does.
        yield proofs.inclusion(number * 7_919 % size, size, HashTiles(size, suite.stores.ledger.read).subtree)
