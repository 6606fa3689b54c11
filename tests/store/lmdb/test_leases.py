"""Leases: one session in all processes; a dead process has none."""

import os
import signal
from pathlib import Path

import pytest

from cjsm.store.interfaces import LeaseTaken
from cjsm.store.lmdb.leases import Leases


def test_two_processes(tmp_path: Path) -> None:
    """What another process holds is taken until it is killed."""
    reading, telling = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            Leases(tmp_path).take(b"maildrop")
            os.write(telling, b"held")
            signal.pause()
        finally:
            os._exit(1)
    assert os.read(reading, 4) == b"held"
    here = Leases(tmp_path)
    with pytest.raises(LeaseTaken):
        here.take(b"maildrop")
    here.take(b"another").release()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    here.take(b"maildrop").release()
    here.close()
    os.close(reading)
    os.close(telling)


def test_release(tmp_path: Path) -> None:
    """Released twice, an old lease does not end a new one."""
    leases = Leases(tmp_path)
    first = leases.take(b"maildrop")
    first.release()
    second = leases.take(b"maildrop")
    first.release()
    assert second.fence > first.fence
    with pytest.raises(LeaseTaken):
        leases.take(b"maildrop")
    leases.close()


def test_fences_rise_over_all_processes(tmp_path: Path) -> None:
    """Whoever has a maildrop later has a higher number, whichever process it is."""
    here, fences = Leases(tmp_path), []
    for _ in range(3):
        lease = here.take(b"maildrop")
        fences.append(lease.fence)
        lease.release()
        reading, telling = os.pipe()
        pid = os.fork()
        if not pid:
            os.write(telling, Leases(tmp_path).take(b"maildrop").fence.to_bytes(8, "big"))
            os._exit(0)
        fences.append(int.from_bytes(os.read(reading, 8), "big"))
        os.waitpid(pid, 0)
        os.close(reading)
        os.close(telling)
    assert fences == sorted(set(fences))
    here.close()
