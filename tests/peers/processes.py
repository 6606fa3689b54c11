"""Programs that tests run as servers: a place that other users may enter, free ports, a start and an end."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_STARTING = 30.0
_STOPPING = 20.0


def needs(*programs: str) -> None:
    """Skip a test where a program is missing, or where the tests do not run as root; with CI=true, fail it."""
    lacking = [program for program in programs if shutil.which(program, path="/usr/sbin:/usr/bin") is None]
    why = f"{', '.join(lacking)} missing; script/test, run as root on Debian, installs it" if lacking else ""
    if os.geteuid() != 0:
        why = f"{programs[0]} wants to be started by root"
    if why and os.environ.get("CI") == "true":
        pytest.fail(why)
    if why:
        pytest.skip(why)


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def open_directory() -> Iterator[Path]:
    """Yield a new directory that every user may enter, unlike those that pytest gives; it is removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="cjsm-peer-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def running(command: Sequence[str], *, log: Path, ports: Sequence[int]) -> Iterator[int]:
    """Run *command* until the block ends; yield its process id once it listens on *ports*.

    :raises RuntimeError: when it does not come up, with the end of its log.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait(lambda: process.poll() is not None or all(map(_listens, ports)))
        if process.poll() is not None or not all(map(_listens, ports)):
            raise RuntimeError(f"{command[0]} does not listen: {log.read_text(errors='replace')[-2000:]}")
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(holds: Callable[[], object], about: Callable[[], str], seconds: float = _STARTING) -> None:
    """Wait until *holds* says so.

    :raises TimeoutError: when it does not in time, with what *about* says.
    """
    if not _wait(holds, seconds):
        raise TimeoutError(about())


def _wait(holds: Callable[[], object], seconds: float = _STARTING) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if holds():
            return True
        time.sleep(0.05)
    return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
