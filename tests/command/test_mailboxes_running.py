"""``cjsm mailbox`` beside the running service, seen over POP3: unique-ids, kills, memory."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command.conftest import ran, refused, told
from tests.mail.folders.support import maildir
from tests.running import Community, content

_BIN = Path(sys.executable).parent
_WAIT = 60
FROM = b"From jo@firm.example Sat Jan 31 09:30:00 2026\n"

Person = dict[str, Any]


@pytest.fixture(scope="module")
def somebody(community: Community) -> Iterator[Person]:
    """Somebody of the community, whose mailbox is emptied at first and in the end."""
    person = community.hosted()[-1]
    community.empty(person)
    yield person
    community.empty(person)


@pytest.fixture(scope="module")
def another(community: Community) -> Iterator[Person]:
    """Somebody else."""
    person = community.hosted()[-2]
    community.empty(person)
    yield person
    community.empty(person)


@pytest.fixture(autouse=True)
def _emptied(community: Community, somebody: Person, another: Person) -> None:
    """Each test begins with nothing."""
    for person in (somebody, another):
        community.empty(person)


def done(community: Community, *words: str, typed: str = "") -> Any:
    """What a command says that is run beside the service, in this process."""
    return told(ran("mailbox", *words, "--json", config=Path(community.config), typed=typed))


def begun(community: Community, *words: str) -> "subprocess.Popen[bytes]":
    """A command that goes on."""
    environment = os.environ | {"CJSM_CONFIG": community.config}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([_BIN / "cjsm", *words], env=environment, **pipes)  # type: ignore[call-overload,no-any-return]


def killed_when(process: "subprocess.Popen[bytes]", seen: Callable[[], bool]) -> None:
    """Kill a command as soon as something of its work is seen; one that is faster has ended by then."""
    ends = time.monotonic() + _WAIT
    while process.poll() is None and not seen():
        assert time.monotonic() < ends, "nothing was done"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def listed(community: Community, person: Person) -> list[str]:
    """What UIDL says."""
    session = community.pop3(person)
    found = [line.decode().split()[1] for line in session.uidl()[1]]
    session.quit()
    return found


def count(community: Community, person: Person) -> int:
    session = community.pop3(person)
    found, _ = session.stat()
    session.quit()
    return found


def messages(number: int, octets: int, mark: str = "message") -> list[bytes]:
    """Messages that no other test imports: what was deleted before would not come again."""
    head = f"Subject: {mark} %d\nFrom: jo@firm.example\n\n".encode()
    return [head % each + b"From here on\n" * (octets // 13) for each in range(number)]


def mbox(path: Path, texts: list[bytes]) -> str:
    """Make an mbox."""
    path.write_bytes(b"".join(FROM + text.replace(b"\nFrom ", b"\n>From ") + b"\n" for text in texts))
    return str(path)


def send(community: Community, person: Person, *subjects: str) -> None:
    """Send somebody mail, and wait until it is there."""
    for subject in subjects:
        before = count(community, person)
        message = f"Subject: {subject}\r\nFrom: {person['address']}\r\n\r\n{subject}\r\n"
        community.send(person, person, message.encode())
        community.messages(person, at_least=before + 1)


def test_import(community: Community, somebody: Person, tmp_path: Path) -> None:
    """Programs that left mail on the old server know every message, and find it octet for octet."""
    texts = messages(3, 400_000)
    path = maildir(tmp_path / "m", {f"cur/{number}.h:2,S": text for number, text in enumerate(texts)})
    (path / "dovecot-uidlist").write_text("3 V1275660208 N9 Gx\n1 :1.h\n2 Pold-one :0.h\n7 :2.h\n")
    assert done(community, "import", somebody["user_id"], str(path))["imported"] == 3
    wanted = [("000000014c0907b0", texts[1]), ("old-one", texts[0]), ("000000074c0907b0", texts[2])]
    session = community.pop3(somebody)
    assert [line.decode().split()[1] for line in session.uidl()[1]] == [unique_id for unique_id, _ in wanted]
    for number, (_, text) in enumerate(wanted, 1):
        expected = text.replace(b"\n", b"\r\n")
        assert content(session, number) == expected
        assert session.list(number).split()[2] == str(len(expected)).encode()
    session.quit()
    send(community, somebody, "new")
    assert len(listed(community, somebody)) == 4


def test_undelete(community: Community, somebody: Person) -> None:
    """A message that a program deleted is where it was."""
    send(community, somebody, "one", "two", "three")
    before = listed(community, somebody)
    session = community.pop3(somebody)
    session.dele(2)
    session.quit()
    assert listed(community, somebody) == [before[0], before[2]]
    typed = somebody["password"] + "\n"
    done(community, "undelete", somebody["user_id"], before[1], "--password-stdin", typed=typed)
    assert listed(community, somebody) == before


def test_import_killed(community: Community, somebody: Person, tmp_path: Path) -> None:
    """What it had taken is there, and running it again takes the rest, once."""
    texts = messages(400, 30_000, "killed")
    texts[5] += b"large\n" * 100_000
    words = ("import", somebody["user_id"], mbox(tmp_path / "mbox", texts))
    killed_when(begun(community, "mailbox", *words), lambda: count(community, somebody) > 0)
    before = count(community, somebody)
    again = done(community, *words)
    assert (again["imported"], again["present"]) == (400 - before, before)
    found = community.messages(somebody)
    assert sorted(found.values()) == sorted(text.replace(b"\n", b"\r\n") for text in texts)
    assert done(community, "verify", somebody["user_id"])["sound"]


def test_backup_killed_and_restored(community: Community, somebody: Person, tmp_path: Path) -> None:
    """A backup of everything, made while mail comes, killed and gone on with; one mailbox restored from it."""
    send(community, somebody, "canary one", "canary two")
    before = community.messages(somebody)
    place = tmp_path / "backup"
    manifest = place / "manifest.jsonl"
    killed_when(
        begun(community, "mailbox", "backup", "--all", str(place)),
        lambda: manifest.exists() and manifest.read_bytes().count(b"\n") > 1,
    )
    if b"finished" not in manifest.read_bytes():
        assert done(community, "backup", "--all", str(place))["from_before"] > 0
    assert not [path for path in place.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]
    send(community, somebody, "too late for the backup")
    community.empty(somebody)
    words = ("restore", somebody["user_id"], str(place), "--replace", "--reason", "emptied by mistake")
    assert done(community, *words)[0]["problems"] == []
    assert community.messages(somebody) == before
    assert listed(community, somebody) == list(before)
    send(community, somebody, "later")
    assert listed(community, somebody)[:2] == list(before)
    assert done(community, "verify", "--all")["sound"]


@pytest.mark.parametrize("form", ["mbox", "maildir", "eml"])
def test_export(community: Community, somebody: Person, another: Person, tmp_path: Path, form: str) -> None:
    """To elsewhere and back, the same mail with the same unique-ids; for one form killed, and run again."""
    done(community, "import", somebody["user_id"], mbox(tmp_path / "source", messages(60, 30_000, form)))
    send(community, somebody, "of this community")
    place, typed = tmp_path / "place", somebody["password"] + "\n"
    words = ("export", somebody["user_id"], str(place), "--format", form, "--password-stdin")
    if form == "maildir":
        process = begun(community, "mailbox", *words)
        assert process.stdin is not None
        process.stdin.write(typed.encode())
        process.stdin.flush()
        killed_when(process, lambda: len(list(place.glob("cur/*"))) > 1)
    again = done(community, *words, typed=typed)
    assert again["written"] + again["present"] == 61
    assert (form == "maildir") == (again["present"] > 0)
    assert done(community, "import", another["user_id"], str(place))["imported"] == 61
    assert community.messages(another) == community.messages(somebody)
    assert listed(community, another) == listed(community, somebody)


def test_in_use(community: Community, somebody: Person, tmp_path: Path) -> None:
    """Nothing is exported while a mail program has the mailbox; a session outlives an import."""
    session = community.pop3(somebody)
    words = ("mailbox", "export", somebody["user_id"], str(tmp_path / "it"), "--password-stdin", "--json")
    said = refused(ran(*words, config=Path(community.config), typed=somebody["password"] + "\n"))
    assert "end that session" in said["cure"]
    (tmp_path / "a.eml").write_bytes(b"Subject: a\n\nb\n")
    done(community, "import", somebody["user_id"], str(tmp_path / "a.eml"))
    assert session.stat()[0] == 0
    session.quit()
    assert count(community, somebody) == 1


#: Runs a command and says how much memory it had at most, in KiB. A process of its own, and small: a child begins with
#: what its parent had.
_PEAK = (
    "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]);"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(code)"
)


def peak(community: Community, *words: str, typed: str = "") -> int:
    """Run a command; return the most memory it had, in KiB."""
    command = [sys.executable, "-I", "-S", "-c", _PEAK, str(_BIN / "cjsm"), "mailbox", *words]
    environment = os.environ | {"CJSM_CONFIG": community.config}
    ran_ = subprocess.run(command, input=typed, env=environment, capture_output=True, text=True, timeout=_WAIT)
    assert ran_.returncode == 0, ran_.stderr
    return int(ran_.stderr.split()[-1])


def test_memory(community: Community, somebody: Person, another: Person, tmp_path: Path) -> None:
    """A message of 25 MB takes no more memory than one of a line, on each way."""
    peaks = []
    for person, octets in ((somebody, 100), (another, 25 << 20)):
        text = b"Subject: a\nFrom: a@b\n\n" + (b"x" * 70 + b"\n") * (octets // 71)
        user, name = person["user_id"], str(tmp_path / str(octets))
        peaks.append(
            {
                "import": peak(community, "import", user, mbox(Path(name), [text])),
                "backup": peak(community, "backup", user, f"{name}.mailbox"),
                "export": peak(
                    community, "export", user, f"{name}.mbox", "--password-stdin", typed=person["password"] + "\n"
                ),
            }
        )
    grown = {verb: peaks[1][verb] - peaks[0][verb] for verb in peaks[0]}
    assert max(grown.values()) < 8 * 1024, grown
