"""The service as a process: how it starts, what it says when it cannot, how it reloads and stops."""

import os
import poplib
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import lmdb
import pytest

from benchmarks.processes import given
from cjsm.vault.certificates import Authority
from tests.interop.letters import letter
from tests.running import Community

_TWISTD = Path(sys.executable).parent / "twistd"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Community:
    """A community that does not run."""
    community = Community(tmp_path_factory.mktemp("service") / "demo")
    community.prepare()
    return community


@pytest.fixture
def stopped(made: Community, tmp_path: Path) -> Iterator[Community]:
    """A copy of it to spoil."""
    copy = Community(tmp_path / "demo")
    made.copy(copy)
    yield copy
    pid_file = Path(copy.told["pid_file"])
    if pid_file.is_file() and pid_file.read_text().strip():
        copy.kill()


def refused(community: Community, *, config: str = "", part: str = "cjsm") -> str:
    """Start it in vain; what it said, and that it ended by itself with 1."""
    command = [_TWISTD, "--nodaemon", "--pidfile=", "--logger=cjsm.logs.text", part]
    done = subprocess.run(
        [*command, "--config", config or community.config], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "cure: " in done.stderr
    return done.stderr


def setting(community: Community, section: str, line: str) -> None:
    """Change one setting."""
    config = Path(community.config)
    name = line.partition(" = ")[0]
    lines, inside = [], False
    for each in config.read_text().splitlines():
        inside = each == f"[{section}]" if each.startswith("[") else inside
        lines.append(line if inside and each.startswith(f"{name} = ") else each)
    config.write_text("\n".join(lines) + "\n")


def test_unknown_setting(stopped: Community) -> None:
    """Its name and the nearest that exists."""
    config = Path(stopped.config)
    config.write_text(config.read_text() + "[pop4]\n")
    assert "did you mean pop3?" in refused(stopped)


def test_ledger_put_back(stopped: Community) -> None:
    """A community.mdb that lacks entries which were signed: what it is, and what to do."""
    environment = lmdb.open(str(stopped.data / "community.mdb"), subdir=False, max_dbs=40, map_size=1 << 30)
    with environment.begin(write=True, db=environment.open_db(b"entries")) as transaction:
        cursor = transaction.cursor()
        assert cursor.last()
        cursor.delete()
    environment.close()
    said = refused(stopped)
    assert "it was put back to an earlier state" in said
    assert "cjsm audit recover" in said


def test_port_in_use(stopped: Community) -> None:
    """Which door, which port."""
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", stopped.port("pop3s")))
        other.listen()
        said = refused(stopped)
    assert "pop3s cannot listen on" in said
    assert "choose another port" in said


def test_bad_endpoint(stopped: Community) -> None:
    """An address in another form."""
    setting(stopped, "smtp", 'submissions = "465 please"')
    assert 'write it like "tcp:465"' in refused(stopped)


def test_data_directory_not_writable(stopped: Community) -> None:
    """A file where a directory should be is what even root cannot write into."""
    blocked = stopped.directory / "blocked"
    blocked.write_text("")
    setting(stopped, "store", f'data_directory = "{blocked}/data"')
    assert str(blocked) in refused(stopped)


def test_missing_secrets(stopped: Community) -> None:
    """Without them no mail opens: they are never made anew behind somebody's back."""
    secrets = stopped.directory / "secrets"
    (secrets / "queue.1").unlink()
    assert "queue" in refused(stopped)
    assert not (secrets / "queue.1").exists()


def test_open_secrets(stopped: Community) -> None:
    """Secrets that others may read are not used."""
    (stopped.directory / "secrets" / "pepper.1").chmod(0o644)
    assert "pepper.1" in refused(stopped)


def test_newer_store(stopped: Community) -> None:
    """It is not touched."""
    path = stopped.data / "community.mdb"
    with closing(lmdb.open(str(path), subdir=False, max_dbs=20)) as store:
        meta = store.open_db(b"meta")
        with store.begin(write=True) as transaction:
            transaction.put(b"schema", (99).to_bytes(4, "big"), db=meta)
    before = path.read_bytes()
    said = refused(stopped)
    assert "newer version" in said
    assert "install that version again" in said
    assert path.read_bytes() == before


def test_certificate_and_key_of_different_pairs(stopped: Community) -> None:
    """Are told apart from ones that are missing."""
    tls = stopped.directory / "tls"
    other = tls / "other.key"
    Authority.make("other", int(time.time()), 10).issue(("x",), int(time.time()), 10, tls / "other.pem", other)
    (tls / "server.key").write_bytes(other.read_bytes())
    assert "does not belong to the certificate" in refused(stopped)
    (tls / "server.pem").unlink()
    assert "does not exist" in refused(stopped)


def test_two_services(stopped: Community) -> None:
    """The second says who is first, and the first goes on."""
    stopped.start()
    try:
        assert f"process {stopped.pid}" in refused(stopped)
        assert stopped.command("status", "--json").returncode == 0
    finally:
        stopped.stop()


def test_expired_certificate(stopped: Community) -> None:
    """The service starts, since members may still choose to read; everybody who looks is told."""
    tls = stopped.directory / "tls"
    authority = Authority.load(tls / "authority.pem", tls / "authority.key")
    authority.issue(("localhost",), int(time.time()) - 20 * 86_400, 10, tls / "server.pem", tls / "server.key")
    stopped.start()
    try:
        assert "#critical] the certificate" in stopped.log() or "expired" in stopped.log()
        checked = stopped.command("check", "--json")
        assert checked.returncode == 1
        assert "expired" in checked.stdout
        with pytest.raises(ssl.SSLCertVerificationError):
            stopped.pop3(stopped.hosted()[0])
    finally:
        stopped.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_only_the_owner_of_the_data_runs_it(stopped: Community) -> None:
    """What root made there, the service's user could not write later."""
    os.chown(stopped.data, 65_534, 65_534)
    said = refused(stopped)
    assert "belongs to nobody" in said
    assert "runuser -u nobody" in said
    assert {path.stat().st_uid for path in stopped.data.rglob("*")} == {0}


def test_no_core_dumps(stopped: Community) -> None:
    """A crash writes nothing of what was in memory, whatever the shell or unit allows."""
    stopped.start()
    limits = Path(f"/proc/{stopped.pid}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]


def test_reload(stopped: Community) -> None:
    """New connections see the new certificate and limits; old ones go on; mistakes change nothing."""
    tls = stopped.directory / "tls"
    stopped.start()
    try:
        sender = stopped.person("jane.smith@avon")
        with closing(stopped.smtp(sender)) as session:
            first = _serial(stopped)
            authority = Authority.load(tls / "authority.pem", tls / "authority.key")
            authority.issue(("localhost",), int(time.time()), 10, tls / "server.pem", tls / "server.key")
            setting(stopped, "mail", "message_octets = 5000")
            assert stopped.command("reload").returncode == 0
            _until(lambda: _serial(stopped) != first)
            assert session.noop()[0] == 250
        with closing(stopped.smtp(sender)) as session:
            assert session.esmtp_features["size"] == "5000"
            assert session.docmd("MAIL", f"FROM:<{sender['address']}> SIZE=6000")[0] == 552
        (tls / "server.pem").write_text("nonsense")
        second = _serial(stopped)
        assert "cure:" in stopped.command("reload").stderr
        os.kill(stopped.pid, signal.SIGHUP)
        _until(lambda: "not reloaded" in stopped.log())
        assert _serial(stopped) == second
    finally:
        stopped.stop()


def test_pop3_policy_follows_the_settings(stopped: Community) -> None:
    """LOGIN-DELAY and EXPIRE are announced, and the first held to, from a reload on; 0 is no delay and NEVER."""
    reader = stopped.person("tom.harding@avon")

    def announced() -> dict[str, list[str]]:
        with closing(stopped.pop3(reader)) as session:
            told = session.capa()
            session.quit()
        return told

    stopped.start()
    try:
        assert announced()["EXPIRE"] == ["NEVER"]
        assert "LOGIN-DELAY" not in announced()
        setting(stopped, "pop3", "login_delay = 3600")
        setting(stopped, "pop3", "retention = 30")
        stopped.reload()
        told = announced()
        assert (told["LOGIN-DELAY"], told["EXPIRE"]) == (["3600"], ["30"])
        with pytest.raises(poplib.error_proto, match=r"-ERR \[LOGIN-DELAY\] "):
            stopped.pop3(reader)
        stopped.pop3(stopped.person("jane.smith@avon")).quit()
        setting(stopped, "pop3", "login_delay = 0")
        stopped.reload()
        announced()
    finally:
        stopped.stop()


def _serial(community: Community) -> bytes:
    with socket.create_connection(("localhost", community.port("pop3s")), timeout=10) as plain:
        context = community.tls()
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            return connection.getpeercert(binary_form=True) or b""


def _until(holds: Callable[[], object]) -> None:
    ends = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_stop_delivers_first(stopped: Community) -> None:
    """SIGTERM ends it in order: what was accepted is in the mailbox after the next start."""
    sender, reader = stopped.person("jane.smith@avon"), stopped.person("tom.harding@avon")
    stopped.start()
    for number in range(5):
        stopped.send(sender, reader, letter(sender, reader, 20_000, f"stop {number}"))
    stopped.stop()
    assert "Main loop terminated" in stopped.log() or "Server Shut Down" in stopped.log()
    stopped.start()
    try:
        assert len(stopped.messages(reader, at_least=5)) == 5
    finally:
        stopped.stop()


def test_disk_floor(stopped: Community) -> None:
    """Below the floor no mail comes in, reading goes on, and nothing is lost."""
    sender, reader = stopped.person("jane.smith@avon"), stopped.person("tom.harding@avon")
    stopped.start()
    stopped.send(sender, reader, letter(sender, reader, 5_000, "before"))
    stopped.stop()
    setting(stopped, "store", f"disk_floor = {2**60}")
    stopped.start()
    try:
        with closing(stopped.smtp(sender)) as session:
            code, text = session.mail(sender["address"])
            assert (code, text[:5]) == (452, b"4.3.1")
        assert len(stopped.messages(reader, at_least=1)) == 1
        checked = stopped.command("check", "--json")
        assert "new mail is refused" in checked.stdout
    finally:
        stopped.stop()


def test_parts_in_processes_of_their_own(stopped: Community) -> None:
    """Doors and delivery apart: mail goes in through one process and out through another."""
    config = Path(stopped.config)
    processes = []
    try:
        for part in ("cjsm-delivery", "cjsm-smtp", "cjsm-pop3", "cjsm-ldap"):
            processes.append(_part(part, config, stopped.directory / "parts.log"))
        for door in ("submissions", "pop3s", "ldaps"):
            _until(lambda door=door: _listens(stopped.port(door)))
        sender, reader = stopped.person("jane.smith@avon"), stopped.person("tom.harding@avon")
        stopped.send(sender, reader, letter(sender, reader, 5_000, "apart"))
        stopped.send(sender, reader, letter(sender, reader, 1_000_000, "large and apart"))
        assert len(stopped.messages(reader, at_least=2)) == 2
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(30)
    assert "Traceback" not in (stopped.directory / "parts.log").read_text()


def test_processes_share_sockets(stopped: Community) -> None:
    """Two that take mail at the same sockets, as docs/operator.md has it: where one hangs the other goes on, and no
    mail is lost.
    """
    config = Path(stopped.config)
    processes = []
    logs = [stopped.directory / f"sharing-{number}.log" for number in range(3)]
    with ExitStack() as stack:
        shared = {
            door: stack.enter_context(socket.create_server(("127.0.0.1", stopped.port(door))))
            for door in ("submissions", "submission", "relay")
        }
        told = config.read_text()
        for door in shared:
            told = re.sub(
                rf'^{door} = "[^"]*"', f'{door} = "systemd:domain=INET:name={door}"', told, flags=re.MULTILINE
            )
        config.write_text(told)
        sender, reader = stopped.person("jane.smith@avon"), stopped.person("tom.harding@avon")
        try:
            processes.append(_part("cjsm-delivery", config, logs[0]))
            taking = [_part("cjsm-smtp", config, log, shared) for log in logs[1:]]
            processes += taking
            _until(lambda: all("started" in log.read_text() for log in logs))
            for hanging in taking:
                hanging.send_signal(signal.SIGSTOP)
                for number in range(3):
                    stopped.send(sender, reader, letter(sender, reader, 5_000, f"without {hanging.pid}, {number}"))
                hanging.send_signal(signal.SIGCONT)
            assert all("submission, relay" in _doors(log) for log in logs[1:])
            processes.append(_part("cjsm-pop3", config, logs[0]))
            _until(lambda: _listens(stopped.port("pop3s")))
            assert len(stopped.messages(reader, at_least=6)) == 6
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGTERM)
            for process in processes:
                process.wait(30)
    assert not any("Traceback" in log.read_text() for log in logs)


def _doors(log: Path) -> str:
    """Return the names of the doors that a process opened."""
    (line,) = (line for line in log.read_text().splitlines() if "] started: " in line)
    return ", ".join(each.split(" on ")[0] for each in line.partition("] started: ")[2].split(", "))


def _part(
    part: str, config: Path, log: Path, listening: Mapping[str, socket.socket] | None = None
) -> "subprocess.Popen[bytes]":
    """Start *part*, with sockets as systemd passes them on."""
    command = [str(_TWISTD), "--nodaemon", "--pidfile=", "--logger=cjsm.logs.text", part, "--config", str(config)]
    passed = [each.fileno() for each in (listening or {}).values()]
    if listening:
        command = given(listening, command)
    with log.open("ab") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, pass_fds=passed)


def _listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_nothing_readable_by_others(stopped: Community) -> None:
    """Neither data nor secrets nor the demonstration's passwords."""
    for path in (*stopped.data.rglob("*"), *(stopped.directory / "secrets").iterdir(), stopped.directory / "demo.json"):
        if path.is_file() and path.suffix not in (".pid", ".public"):
            assert path.stat().st_mode & 0o077 == 0 or not os.access(stopped.data, os.R_OK) or _shut(path, stopped), (
                path
            )


def _shut(path: Path, community: Community) -> bool:
    """Whether a directory above, within the data, is closed to others."""
    return any(above.stat().st_mode & 0o077 == 0 for above in path.parents if community.directory in above.parents)
