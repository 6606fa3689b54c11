"""The mark of a running service: one at a time, gone with its process."""

import subprocess
import sys
from pathlib import Path

import pytest

from cjsm.instance import AlreadyRunning, DoorStatus, Instance, InstanceStatus, NotRunning

HOLD = """
import sys, time
from pathlib import Path
from cjsm.instance import Instance
Instance(Path(sys.argv[1])).take()
print("held", flush=True)
time.sleep(60)
"""


def status(pid: int) -> InstanceStatus:
    """What a service says of itself."""
    doors = (DoorStatus(name="pop3s", listening="127.0.0.1:995"),)
    return InstanceStatus(pid=pid, started=1, written=2, connected=3, signed_in=2, doors=doors)


def test_one_at_a_time(tmp_path: Path) -> None:
    """A second service is told who has the mark; after a SIGKILL it is free again."""
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        mark = Instance(tmp_path)
        assert mark.pid() == other.pid
        with pytest.raises(AlreadyRunning) as refused:
            mark.take()
        assert refused.value.pid == other.pid
        other.kill()
    with pytest.raises(NotRunning):
        mark.pid()
    mark.take()
    mark.give_back()
    with pytest.raises(NotRunning):
        mark.pid()


def test_status(tmp_path: Path) -> None:
    """It is the running service's own; what a killed one left does not count."""
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        mark = Instance(tmp_path)
        with pytest.raises(NotRunning):
            mark.status()
        mark.write_status(status(other.pid - 1))
        with pytest.raises(NotRunning):
            mark.status()
        mark.write_status(status(other.pid))
        assert mark.status() == status(other.pid)
        other.kill()
    with pytest.raises(NotRunning):
        mark.status()


def test_never_started(tmp_path: Path) -> None:
    """There is nobody to speak of, or to reload."""
    mark = Instance(tmp_path)
    for ask in (mark.pid, mark.status, mark.reload):
        with pytest.raises(NotRunning):
            ask()


def test_damaged_status(tmp_path: Path) -> None:
    """Reads as none."""
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        (tmp_path / "cjsm.status.json").write_text("{")
        with pytest.raises(NotRunning):
            Instance(tmp_path).status()
        other.kill()
