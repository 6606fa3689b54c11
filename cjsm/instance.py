"""The running service's mark on its data directory: a locked pid file and a status file beside it.

The lock tells, without a race, whether a service runs: it ends with the process that holds it.
"""

import fcntl
import os
import signal
import time
from pathlib import Path

import msgspec
from msgspec import Struct

#: A look at the lock holds it for a moment, so taking it is tried more than once.
_TRIES = 5
_PAUSE = 0.02


class AlreadyRunning(Exception):
    """Another service holds the mark.

    :ivar pid: its process id.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(f"a service is running already (process {pid})")
        self.pid = pid


class NotRunning(Exception):
    """No service holds the mark."""


class DoorStatus(Struct, frozen=True, kw_only=True):
    """One door: its name and where it listens."""

    name: str
    listening: str


class InstanceStatus(Struct, frozen=True, kw_only=True):
    """What the running service says of itself; times in seconds since the epoch.

    ``connected`` counts connections of all doors, ``signed_in`` those that are somebody's.
    """

    pid: int
    started: int
    written: int
    connected: int
    signed_in: int
    doors: tuple[DoorStatus, ...]


class Instance:
    """The mark of one kind of service (``name``) in *run_directory*."""

    def __init__(self, run_directory: Path, name: str = "cjsm") -> None:
        self.pid_file = run_directory / f"{name}.pid"
        self._status_file = run_directory / f"{name}.status.json"
        self._descriptor: int | None = None

    def take(self) -> None:
        """Hold the mark until :meth:`give_back` or the end of this process.

        :raises AlreadyRunning: while another process holds it.
        """
        descriptor = os.open(self.pid_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _locked(descriptor):
            os.close(descriptor)
            raise AlreadyRunning(self._written_pid())
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def give_back(self) -> None:
        """Let the next service start."""
        if self._descriptor is not None:
            self._status_file.unlink(missing_ok=True)
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def pid(self) -> int:
        """Return the process id of the running service.

        :raises NotRunning: when none runs.
        """
        try:
            descriptor = os.open(self.pid_file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotRunning from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._written_pid()
        finally:
            os.close(descriptor)
        raise NotRunning

    def reload(self) -> int:
        """Ask the running service to read certificates and settings again; return its process id.

        :raises NotRunning: when none runs.
        """
        pid = self.pid()
        os.kill(pid, signal.SIGHUP)
        return pid

    def write_status(self, status: InstanceStatus) -> None:
        """Replace the status file in one step."""
        fresh = self._status_file.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(status))
        fresh.replace(self._status_file)

    def status(self) -> InstanceStatus:
        """Return what the running service wrote last.

        :raises NotRunning: when none runs, or it has not written anything yet.
        """
        pid = self.pid()
        try:
            found = msgspec.json.decode(self._status_file.read_bytes(), type=InstanceStatus)
        except (FileNotFoundError, msgspec.DecodeError):
            raise NotRunning from None
        if found.pid != pid:
            # A service that was killed left it.
            raise NotRunning
        return found

    def _written_pid(self) -> int:
        digits = self.pid_file.read_text(encoding="ascii").strip()
        return int(digits) if digits.isdigit() else 0


def _locked(descriptor: int) -> bool:
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        else:
            return True
    return False
