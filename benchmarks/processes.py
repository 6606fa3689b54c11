"""Servers as processes: start one, wait for it, and see what it and its children use."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_STARTING = 30.0
_STOPPING = 20.0
_SETTLING = 600.0
_QUIET = 2.0


@contextmanager
def running(
    command: Sequence[str],
    *,
    log: Path,
    ports: Sequence[int],
    host: str = "127.0.0.1",
    passed: Sequence[int] = (),
) -> Iterator[int]:
    """Run *command* until the block ends; yield its process id once it listens on *ports* of *host*.

    :param passed: descriptors that it gets.
    :raises RuntimeError: when it does not come up, with the end of its log.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, pass_fds=passed
        )
    try:
        for port in ports:
            _wait_for(host, port, process, log)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def given(listening: Mapping[str, socket.socket], command: Sequence[str]) -> list[str]:
    """Return *command* begun as systemd does: with *listening* sockets by name, which must be passed on to it."""
    begin = (
        "import fcntl, os, sys; sockets, command = sys.argv[1].split(), sys.argv[2:]; "
        # Out of the way first: where one goes, another may be.
        "held = [fcntl.fcntl(int(each.partition('=')[2]), fcntl.F_DUPFD_CLOEXEC, 100) for each in sockets]; "
        "[os.dup2(each, 3 + place) for place, each in enumerate(held)]; "
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(sockets)), "
        "LISTEN_FDNAMES=':'.join(each.partition('=')[0] for each in sockets)); "
        "os.execv(command[0], command)"
    )
    sockets = " ".join(f"{name}={each.fileno()}" for name, each in listening.items())
    return [sys.executable, "-c", begin, sockets, *command]


def _wait_for(host: str, port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    ends = time.monotonic() + _STARTING
    while time.monotonic() < ends and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port}: {log.read_text(errors='replace')[-2000:]}")


def free_ports(count: int) -> tuple[int, ...]:
    """Return ports of this machine that are free now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return tuple(int(probe.getsockname()[1]) for probe in probes)
    finally:
        for probe in probes:
            probe.close()


def processor_seconds(*roots: int) -> float:
    """Return user and system time of the processes *roots*, their descendants, and those that have ended."""
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.name))
        used[int(entry.name)] = sum(int(ticks) for ticks in fields[11:15]) / _TICK
    waiting, total = list(roots), 0.0
    while waiting:
        process = waiting.pop()
        total += used.get(process, 0.0)
        waiting += children.get(process, [])
    return total


def _with_descendants(roots: Sequence[int]) -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1]) if entry.name.isdigit() else 0
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent:
            children.setdefault(parent, []).append(int(entry.name))
    waiting = list(roots)
    while waiting:
        process = waiting.pop()
        yield process
        waiting += children.get(process, [])


def settle(process: int) -> None:
    """Wait until *process* has nothing to do: a service that starts reads the whole directory first."""
    used = processor_seconds(process)
    ends = time.monotonic() + _SETTLING
    while time.monotonic() < ends:
        time.sleep(_QUIET)
        before, used = used, processor_seconds(process)
        if used - before < _QUIET * 0.05:
            return


def anonymous_memory_of_all(*roots: int) -> int:
    """Return the memory that the processes *roots* and their descendants have to themselves, in octets.

    What several of them share is counted once: each has its part of it.
    """
    total = 0
    for process in _with_descendants(roots):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss_Anon:"))
    return total


def anonymous_memory(process: int) -> int:
    """Return the memory that *process* has to itself, in octets: not pages of files, which the system takes back."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(process)


@contextmanager
def memory_peak(process: int) -> Iterator[list[int]]:
    """Look at the memory of *process* all the time until the block ends; yield a list whose one item is the most."""
    peak = [anonymous_memory(process)]
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.002):
            peak[0] = max(peak[0], anonymous_memory(process))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield peak
    finally:
        ended.set()
        looking.join()
