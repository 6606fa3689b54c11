"""The signer of the ledger ended by SIGKILL, again and again, while entries come: nothing is lost, nothing is twice."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cjsm.ledger.entries import decode_entry
from tests.jobs.test_checkpointing import Bench

pytestmark = pytest.mark.torture

#: Kills; `CJSM_KILLS=1000 script/test tests/torture` for a long night.
_KILLS = int(os.environ.get("CJSM_KILLS", "25"))

#: Appends entries and signs, as fast as it can, and says after each checkpoint how many entries it is of.
_SIGNER = """
import random, sys
from pathlib import Path
from tests.jobs.test_checkpointing import Bench
from tests.store.support import result
bench = Bench(Path(sys.argv[1]))
bench.signer.check()
chance = random.Random(sys.argv[2])
bench.count = bench.store.last_entry()
while True:
    result(bench.signer.run())
    print(bench.signed().size, flush=True)
    bench.append(chance.choice([1, 1, 3, 40, 255, 256, 700]))
"""


def test_killed_again_and_again(tmp_path: Path) -> None:
    """What was signed stays signed; the tree is that of the entries, each of which is there once."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    signed = 0
    for kill in range(_KILLS):
        command = [sys.executable, "-c", _SIGNER, str(tmp_path), f"{seed} {kill}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
            assert process.stdout is not None
            told = process.stdout.readline()
            assert told, "it did not start"
            assert int(told) >= signed
            signed = int(told)
            time.sleep(chance.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            for line in process.stdout:
                signed = int(line) if line.endswith("\n") else signed
    bench = Bench(tmp_path)
    bench.signer.check()
    assert bench.signed().size >= signed
    bench.append()
    assert next(bench.verified())
    bench.signer.run()
    bench.check()
    entries = [decode_entry(octets) for _, octets in bench.store.entries_now(0, 1_000_000)]
    assert len({entry.act_id for entry in entries}) == len(entries) == bench.signed().size
    bench.close()
