"""``cjsm login``: an agent of one's own, for a time."""

import os
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from cjsm.command import agent
from cjsm.command.agent import Kept
from tests.command.conftest import Run, refused, told
from tests.command.test_device import ready
from tests.command.test_factor import later, turned_on
from tests.command.test_recovery import HENRY, JANE, OLIVE, UNA, officers
from tests.command.test_user import PASSWORD

__all__ = ["officers"]


@pytest.fixture(autouse=True)
def run_directory(monkeypatch: pytest.MonkeyPatch, config: Path) -> Iterator[Path]:
    """The caller's own run directory, with a short name as such have; an agent that is left there ends."""
    with tempfile.TemporaryDirectory(prefix="cjsm-") as directory:
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        yield Path(directory)
        with suppress(PermissionError):
            agent.end(agent.place(config))


def login(run: Run, user: str, typed: str = PASSWORD) -> None:
    told(run("login", user, "--password-stdin", "--json", typed=f"{typed}\n"))


def test_signed_in(officers: Run, run_directory: Path) -> None:
    """Acts need no password until the end; the socket is the caller's alone, and goes."""
    login(officers, HENRY)
    (path,) = run_directory.glob("*/agent-*.sock")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    made = told(officers("user", "reset-password", JANE, "--reason", "forgotten", "--as", HENRY, "--json"))
    assert made["one_time_password"]
    assert "role" in refused(officers("user", "suspend", JANE, "--reason", "left", "--as", HENRY, "--json"))["error"]
    assert told(officers("logout", "--json")) == {"ended": True}
    assert told(officers("logout", "--json")) == {"ended": False}
    assert not path.exists()
    # Somebody else, and nobody signed in: asked for again, and there is no terminal to type at.
    assert officers("user", "reset-password", JANE, "--reason", "forgotten", "--as", HENRY).exit_code == 1


def test_with_a_second_factor(cjsm: Run) -> None:
    """A password alone is not enough: a code is asked for too, and each is good once."""
    ready(cjsm)
    one, _ = turned_on(cjsm)
    code = later(one)
    wrong = refused(cjsm("login", JANE, "--password-stdin", "--json", typed=f"{PASSWORD}\n"))
    assert "Code of the authenticator" in wrong["error"]
    assert refused(cjsm("login", JANE, "--password-stdin", "--json", typed=f"{PASSWORD}\n000000\n"))
    assert told(cjsm("login", JANE, "--password-stdin", "--json", typed=f"{PASSWORD}\n{code}\n"))["until"]
    assert refused(cjsm("login", JANE, "--password-stdin", "--json", typed=f"{PASSWORD}\n{code}\n"))


def test_officers_key(officers: Run) -> None:
    """An approval uses the key that the sign-in opened."""
    told(officers("keys", "rotate", JANE, "--json"))
    told(officers("user", "reset-password", JANE, "--reason", "forgotten", "--json"))
    made = told(officers("recovery", "request", JANE, "--reason", "forgotten", "--json"))
    for who, state in ((UNA, "counter-signed"), (OLIVE, "opened")):
        login(officers, who)
        assert told(officers("recovery", "approve", made["request"], "--as", who, "--json"))["state"] == state


def test_wrong_password_leaves_nothing(officers: Run, run_directory: Path) -> None:
    assert refused(officers("login", HENRY, "--password-stdin", "--json", typed="wrong\n"))["cure"]
    assert not list(run_directory.glob("*/agent-*.sock"))
    assert refused(officers("login", "nobody@avon", "--password-stdin", "--json", typed="x\n"))["cure"]


def test_ends_with_the_password(officers: Run) -> None:
    """Who was reset meanwhile acts no more, agent or not."""
    login(officers, HENRY)
    told(officers("user", "reset-password", HENRY, "--reason", "compromised", "--json"))
    assert refused(officers("user", "reset-password", JANE, "--reason", "other", "--as", HENRY, "--json"))["error"]


def test_ends_with_its_time(config: Path) -> None:
    """The agent's process and its socket are gone when the time is over; the newest one counts."""
    path = agent.place(config)
    for account in (b"one", b"two"):
        kept = Kept(account=account, password_version=1, seeds={1: b"seed"}, until=time.time() + 3)
        assert agent.hand_over(agent.begin(path), kept)
        found = agent.ask(path)
        assert found == kept
        assert "seed" not in repr(found)
    ends = time.monotonic() + 30
    while path.exists() and time.monotonic() < ends:
        time.sleep(0.05)
    assert not path.exists()
    assert agent.ask(path) is None


def test_garbage(config: Path) -> None:
    """Whatever is sent, and whoever goes away, the agent serves the next one; nothing handed over, nothing left."""
    path = agent.place(config)
    assert not agent.hand_over(agent.begin(path), None)
    kept = Kept(account=b"one", password_version=1, seeds={}, until=time.time() + 60)
    assert agent.hand_over(agent.begin(path), kept)
    for sent in (b"", b"\0" * 100_000, b"tel", b"tell me"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            with suppress(OSError):
                connection.sendall(sent)
    assert agent.ask(path) == kept
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
    kept = Kept(account=b"one", password_version=1, seeds={1: b"s" * 32}, until=time.time() + 60)
    process = agent.begin(agent.place(config))
    shown = Path(f"/proc/{process.pid}/cmdline").read_bytes() + Path(f"/proc/{process.pid}/environ").read_bytes()
    assert agent.hand_over(process, kept)
    assert kept.seeds[1] not in shown
    assert msgspec.msgpack.encode(kept) not in shown
    assert os.getuid() == agent.place(config).stat().st_uid
