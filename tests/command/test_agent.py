"""The agent that ``cjsm login`` leaves behind: a process and its socket, whoever asks it."""

import os
import signal
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from cjsm.command import agent
from cjsm.command.agent import Kept


@pytest.fixture
def run_directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The caller's own run directory, with a short name as such have."""
    with tempfile.TemporaryDirectory(prefix="cjsm-") as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        yield Path(directory)


@pytest.fixture
def config(run_directory: Path) -> Iterator[Path]:
    """A settings file that nobody reads; an agent for it that is left ends."""
    path = run_directory / "cjsm.toml"
    yield path
    with suppress(PermissionError):
        agent.end(agent.place(path))


def kept(account: bytes = b"one", seconds: float = 60) -> Kept:
    """What an agent keeps."""
    return Kept(account=account, password_version=1, seeds={1: b"s" * 32}, until=time.time() + seconds)


def test_ends_with_its_time(config: Path) -> None:
    """The agent's process and its socket are gone when the time is over; the newest one counts."""
    path = agent.place(config)
    for account in (b"one", b"two"):
        keeps = kept(account, seconds=3)
        assert agent.hand_over(agent.begin(path), keeps)
        found = agent.ask(path)
        assert found == keeps
        assert "sss" not in repr(found)
    ends = time.monotonic() + 30
    while path.exists() and time.monotonic() < ends:
        time.sleep(0.05)
    assert not path.exists()
    assert agent.ask(path) is None


def processes(path: Path) -> list[int]:
    """The agents that listen, or listened, there: by their command line."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.fsencode(path) in (directory / "cmdline").read_bytes().split(b"\0"):
                found.append(int(directory.name))
    return found


def test_the_one_before_ends(config: Path) -> None:
    """Who signs in again leaves no process behind that keeps the keys of before, and that `logout` does not find."""
    path = agent.place(config)
    for account in (b"one", b"two"):
        assert agent.hand_over(agent.begin(path), kept(account))
    ends = time.monotonic() + 30
    while len(processes(path)) > 1 and time.monotonic() < ends:
        time.sleep(0.05)
    assert len(processes(path)) == 1
    found = agent.ask(path)
    assert found is not None
    assert found.account == b"two"


def test_garbage(config: Path) -> None:
    """Whatever is sent, and whoever goes away, the agent serves the next one; nothing handed over, nothing left."""
    path = agent.place(config)
    assert not agent.hand_over(agent.begin(path), None)
    keeps = kept()
    assert agent.hand_over(agent.begin(path), keeps)
    for sent in (b"", b"\0" * 100_000, b"tel", b"tell me"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            with suppress(OSError):
                connection.sendall(sent)
    assert agent.ask(path) == keeps
    assert agent.end(path)


def test_directory_of_somebody_else(config: Path, run_directory: Path) -> None:
    """A directory that others can look into is not used, and a link is none."""
    directory = agent.place(config).parent
    directory.chmod(0o755)
    with pytest.raises(PermissionError):
        agent.place(config)
    directory.rmdir()
    (run_directory / "other").mkdir(mode=0o700)
    directory.symlink_to(run_directory / "other")
    with pytest.raises(PermissionError):
        agent.place(config)


def test_nothing_in_arguments_or_environment(config: Path) -> None:
    """What an agent keeps is not to be seen in the list of processes."""
    keeps = kept()
    process = agent.begin(agent.place(config))
    shown = Path(f"/proc/{process.pid}/cmdline").read_bytes() + Path(f"/proc/{process.pid}/environ").read_bytes()
    assert agent.hand_over(process, keeps)
    assert keeps.seeds[1] not in shown
    assert msgspec.msgpack.encode(keeps) not in shown
    assert os.getuid() == agent.place(config).stat().st_uid


def test_one_for_each_community(run_directory: Path, config: Path) -> None:
    """Who is signed in to one is not signed in to the other."""
    other = run_directory / "other.toml"
    assert agent.hand_over(agent.begin(agent.place(config)), kept())
    assert agent.ask(agent.place(other)) is None
    assert not agent.end(agent.place(other))
    assert agent.ask(agent.place(config)) is not None


def test_killed(config: Path) -> None:
    """A socket that nobody serves is none: asked in vain, and replaced at the next sign-in."""
    path = agent.place(config)
    process = agent.begin(path)
    assert agent.hand_over(process, kept())
    # What it left behind is in the group that it began.
    os.killpg(process.pid, signal.SIGKILL)
    assert path.exists()
    ends = time.monotonic() + 30
    while agent.ask(path) is not None and time.monotonic() < ends:
        time.sleep(0.01)
    assert agent.ask(path) is None
    assert agent.hand_over(agent.begin(path), kept(b"two"))
    found = agent.ask(path)
    assert found is not None
    assert found.account == b"two"


def test_somebody_elses_answer(config: Path) -> None:
    """What is no agent's answer, or is over, signs nobody in."""
    path = agent.place(config)
    for answer in (b"", b"\xc1garbage", msgspec.msgpack.encode(kept(seconds=-1)), b"\0" * 100_000):
        with suppress(FileNotFoundError):
            path.unlink()
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            listening.listen(1)
            told = _asked(listening, path, answer)
        assert told is None
    path.unlink()


def _asked(listening: socket.socket, path: Path, answer: bytes) -> Kept | None:
    """Ask, while a thread answers."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.recv(64)
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        return agent.ask(path)
    finally:
        thread.join(30)


def test_private(config: Path) -> None:
    """The socket and its directory are the caller's alone, whatever the mask."""
    previous = os.umask(0)
    try:
        path = agent.place(config)
        assert agent.hand_over(agent.begin(path), kept())
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
