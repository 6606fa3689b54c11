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
from tests.store.support import result

pytestmark = pytest.mark.torture

#: Kills; `CJSM_KILLS=1000 script/test tests/torture` for a long night.
_KILLS = int(os.environ.get("CJSM_KILLS", "25"))

#: For each line that it reads, a process that appends entries and signs, as fast as it can. It says its own number, and
#: after each checkpoint how many entries that is of; at the end there is an empty line.
_SIGNER = """
import os, random, sys
from pathlib import Path
from tests.jobs.test_checkpointing import Bench
from tests.store.support import result

def sign(seed):
    bench = Bench(Path(sys.argv[1]))
    bench.signer.check()
    chance = random.Random(seed)
    bench.count = bench.store.last_entry()
    while True:
        result(bench.signer.run())
        print(bench.signed().size, flush=True)
        bench.append(chance.choice([1, 1, 3, 40, 255, 256, 700]))

for line in sys.stdin:
    if (child := os.fork()) == 0:
        print(os.getpid(), flush=True)
        try:
            sign(line)
        finally:
            os._exit(1)
    os.waitpid(child, 0)
    print(flush=True)
"""


def test_killed_again_and_again(tmp_path: Path) -> None:
    """What was signed stays signed; the tree is that of the entries, each of which is there once."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    signed = 0
    command = [sys.executable, "-c", _SIGNER, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for kill in range(_KILLS):
            print(f"{seed} {kill}", file=process.stdin, flush=True)
            child, first = int(process.stdout.readline()), process.stdout.readline().strip()
            assert first, "it did not start"
            assert int(first) >= signed
            time.sleep(chance.uniform(0, 0.05))
            os.kill(child, signal.SIGKILL)
            told = [first]
            while line := process.stdout.readline().strip():
                told.append(line)
            # The last line may have been cut by the kill.
            signed = int(told[-2] if len(told) > 1 else first)
        process.stdin.close()
    bench = Bench(tmp_path)
    bench.signer.check()
    assert bench.signed().size >= signed > 0
    bench.count = 1 << 40
    bench.append()
    assert result(bench.signer.run()) > 0
    bench.check()
    entries = [decode_entry(octets) for _, octets in bench.store.entries_now(0, 1_000_000)]
    assert len({entry.act_id for entry in entries}) == len(entries) == bench.signed().size
    bench.close()
