"""A real community in a directory: made by ``cjsm demo``, run by twistd, spoken to by Python's own clients."""

import fcntl
import json
import os
import poplib
import random
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.peers.processes import free_port

_BIN = Path(sys.executable).parent
_WAIT = 120.0
_RELOADED = "settings reloaded"
#: Environment variable with the directory of what all processes of one run of the tests use.
SHARED = "CJSM_TESTS_SHARED"


#: What doors add to the base of their ports.
_DOORS = (25, 110, 465, 587, 636, 995)
#: Bases below the ports that the system gives away: so many for each worker of a run, and how far apart they begin. So
#: no two workers ever choose the same port; nor does one of them twice, whatever it has stopped meanwhile.
_FIRST, _BASES, _APART, _WORKERS = 20_000, 300, 1_300, 9
_given: set[int] = set()


def free_port_base() -> int:
    """Return a port base of which no door's port is taken, nor will be by another community of these tests."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _FIRST + worker % _WORKERS * _APART
    for _ in range(2):
        for base in random.sample(range(first, first + _BASES), _BASES):
            ports = {base + door for door in _DOORS}
            if not ports & _given and all(map(_is_free, ports)):
                _given.update(ports)
                return base
        # Where all are given away, the first ones are long free again.
        _given.clear()
    raise RuntimeError("no ports are free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Community:
    """The demonstration community in *directory*."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port_base = free_port_base()
        self.told: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make it, and run it."""
        self.prepare()
        self.start()

    def prepare(self) -> None:
        """Make it."""
        _first().copy(self)

    def _make_first(self) -> None:
        """Let ``cjsm demo`` make it. Nothing of it runs afterwards."""
        done = subprocess.run(
            [_BIN / "cjsm", "demo", "--directory", self.directory, "--port-base", str(self.port_base), "--detach"],
            capture_output=True,
            text=True,
            timeout=_WAIT,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self._read()
        self.stop()
        # Tests send faster than people may, and the names of their domains are nowhere. Notices would be among the mail
        # that they look for.
        self.set(r"(?:\w+_)?per_(?:minute|hour|day)", "0")
        self.set("lookup|message", "1")

    def _read(self) -> None:
        self.told = json.loads((self.directory / "demo.json").read_text())
        self.port_base = self.port("pop3s") - 995

    def copy(self, to: "Community") -> None:
        """Make *to* the same community in its own directory, behind its own ports; neither may run."""
        shutil.copytree(self.directory, to.directory, dirs_exist_ok=True)
        shutil.rmtree(to.directory / "data" / "run", ignore_errors=True)
        (to.directory / "service.log").write_text("")
        for name in ("cjsm.toml", "demo.json"):
            file = to.directory / name
            text = file.read_text().replace(str(self.directory), str(to.directory))
            for port in filter(None, self.told["ports"].values()):
                text = re.sub(rf"\b{port}\b", str(port - self.port_base + to.port_base), text)
            file.write_text(text)
        to._read()

    def set(self, names: str, value: str) -> None:
        """Change settings whose names match *names*, everywhere in the settings file; see :meth:`reload`."""
        config = Path(self.config)
        config.write_text(re.sub(rf"^({names}) = \S+$", rf"\1 = {value}", config.read_text(), flags=re.MULTILINE))

    def reload(self) -> None:
        """Let the service read certificates and settings again, and wait until it has."""
        before = self.log().count(_RELOADED)
        os.kill(self.pid, signal.SIGHUP)
        ends = time.monotonic() + _WAIT
        while self.log().count(_RELOADED) == before:
            assert time.monotonic() < ends, self.log()
            time.sleep(0.02)

    @property
    def config(self) -> str:
        """The settings file."""
        return str(self.told["config_file"])

    @property
    def data(self) -> Path:
        """The data directory."""
        return Path(self.told["data_directory"])

    @property
    def pid(self) -> int:
        """The service's process id."""
        return int(Path(self.told["pid_file"]).read_text())

    def hosted(self) -> list[dict[str, Any]]:
        """Return the people whose mail is kept here."""
        return [account for account in self.told["accounts"] if account["kind"] == "hosted"]

    def person(self, user_id: str) -> dict[str, Any]:
        """Return one account of ``demo.json``."""
        found: dict[str, Any] = next(each for each in self.told["accounts"] if each["user_id"] == user_id)
        return found

    def port(self, door: str) -> int:
        """Return a door's port."""
        return int(self.told["ports"][door])

    def command(self, *arguments: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
        """Run ``cjsm`` beside the service."""
        environment = os.environ | {"CJSM_CONFIG": self.config}
        return subprocess.run(
            [_BIN / "cjsm", *arguments], input=typed, capture_output=True, text=True, timeout=_WAIT, env=environment
        )

    def document(self, *arguments: str, typed: str = "") -> Any:
        """Run ``cjsm`` beside the service, which must do what it is asked; return the document that it prints."""
        done = self.command(*arguments, "--json", typed=typed)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    # The process

    def start(self) -> None:
        """Run the service again, after :meth:`kill` or :meth:`stop`."""
        command = [_BIN / "twistd", "--nodaemon", "--pidfile=", "--logger=cjsm.logs.text", "cjsm", "-c", self.config]
        with (self.directory / "service.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        ends = time.monotonic() + _WAIT
        while time.monotonic() < ends and self._process.poll() is None:
            if not _is_free(self.port("ldaps")):
                return
            time.sleep(0.02)
        raise RuntimeError(self.log()[-2000:])

    def kill(self) -> None:
        """End the service as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the service in order."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        pid = self.pid
        with suppress(ProcessLookupError):
            os.kill(pid, how)
        if self._process is not None:
            self._process.wait(_WAIT)
            self._process = None
            return
        ends = time.monotonic() + _WAIT
        while Path(f"/proc/{pid}").exists() and time.monotonic() < ends:
            time.sleep(0.02)

    def log(self) -> str:
        """Return what the service has logged."""
        return (self.directory / "service.log").read_text(errors="replace")

    # Clients

    def tls(self) -> ssl.SSLContext:
        """Return what trusts the community's authority, and nobody else."""
        return ssl.create_default_context(cafile=self.told["ca_file"])

    def smtp(self, account: dict[str, Any], timeout: float = 30) -> smtplib.SMTP_SSL:
        """Return a session that is signed in."""
        session = smtplib.SMTP_SSL("localhost", self.port("submissions"), context=self.tls(), timeout=timeout)
        try:
            session.login(account["user_id"], account["password"])
        except BaseException:
            session.close()
            raise
        return session

    def pop3(self, account: dict[str, Any], timeout: float = 30) -> poplib.POP3_SSL:
        """Return a session that is signed in."""
        session = poplib.POP3_SSL("localhost", self.port("pop3s"), context=self.tls(), timeout=timeout)
        try:
            # Without it a message with UTF-8 in its header is rewritten.
            session.utf8()
            session.user(account["user_id"])
            session.pass_(account["password"])
        except BaseException:
            session.close()
            raise
        return session

    def send(self, sender: dict[str, Any], recipient: dict[str, Any], message: bytes) -> None:
        """Send *message* over a session of its own."""
        session = self.smtp(sender)
        try:
            session.sendmail(sender["address"], [recipient["address"]], message)
            session.quit()
        finally:
            session.close()

    def messages(self, account: dict[str, Any], at_least: int = 0) -> dict[str, bytes]:
        """Return what is in a mailbox by unique-id, as soon as there are so many messages."""
        ends = time.monotonic() + 30
        while True:
            session = self.pop3(account)
            listed = [line.decode().split() for line in session.uidl()[1]]
            if len(listed) >= at_least:
                found = {unique: content(session, int(number)) for number, unique in listed}
                session.quit()
                return found
            session.quit()
            assert time.monotonic() < ends, f"{len(listed)} of {at_least} messages came"
            time.sleep(0.05)

    def empty(self, account: dict[str, Any]) -> None:
        """Delete what is in a mailbox."""
        session = self.pop3(account)
        for number in range(1, session.stat()[0] + 1):
            session.dele(number)
        session.quit()


def _first() -> Community:
    """The community that others are copies of: making one costs seconds of computing for its people's passwords."""
    shared = Path(os.environ[SHARED])
    first = Community(shared / "first")
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (shared / "made").exists():
            first._read()
        else:
            shutil.rmtree(first.directory, ignore_errors=True)
            first._make_first()
            (shared / "made").touch()
    return first


def content(session: poplib.POP3, number: int) -> bytes:
    """Return a message octet for octet."""
    return b"".join(line + b"\r\n" for line in session.retr(number)[1])


def without_trace(message: bytes) -> bytes:
    """Return *message* without what the service put in front: Return-Path, then Received with its folded lines."""
    path, rest = message.split(b"\r\n", 1)
    assert path.startswith(b"Return-Path: <"), path
    assert rest.startswith(b"Received: by "), rest[:60]
    lines = rest.split(b"\r\n")
    end = next(place for place, line in enumerate(lines[1:], 1) if not line.startswith(b"\t"))
    return b"\r\n".join(lines[end:])


class Beside(NamedTuple):
    """A part of the service in a process of its own: where its door listens, and its log."""

    port: int
    log: Path


@contextmanager
def beside(community: Community, part: str, door: str, directory: Path) -> Iterator[Beside]:
    """Run one *part* of the service beside *community*, with this *door* and no other.

    :param directory: for its settings and log.
    """
    port, config, log = free_port(), directory / "cjsm.toml", directory / "log"
    text = re.sub(
        r'^(ldaps?|pop3s?|submissions?|relay) = ".*"$',
        r'\1 = ""',
        Path(community.config).read_text(),
        flags=re.MULTILINE,
    )
    text = re.sub(rf'^{door} = ""$', f'{door} = "tcp:{port}:interface=127.0.0.1"', text, flags=re.MULTILINE)
    config.write_text(text)
    command = [_BIN / "twistd", "--nodaemon", "--pidfile=", "--logger=cjsm.logs.text", part, "-c", str(config)]
    with log.open("ab") as written:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=written, stderr=written)
    try:
        ends = time.monotonic() + _WAIT
        while "started: " not in log.read_text(errors="replace"):
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < ends
            time.sleep(0.02)
        yield Beside(port, log)
    finally:
        process.terminate()
        process.wait(_WAIT)
