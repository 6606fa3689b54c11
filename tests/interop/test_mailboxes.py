"""Mail that moves from a real Dovecot to here and from here to a real Dovecot: unique-ids and octets stay."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.command.conftest import ran, told
from tests.mail.folders.support import maildir
from tests.running import Community

pytestmark = pytest.mark.interop

#: Dovecot keeps mail for nobody with the rights of root.
_MAIL = 8


class Dovecot:
    """Dovecot's POP3 server, signed in, over a pipe."""

    def __init__(self, program: Callable[[str], str], home: Path) -> None:
        self._program = program("/usr/lib/dovecot/pop3")
        self._setpriv = program("setpriv")
        self.home = home
        self._config = home / "dovecot.conf"
        self._config.write_text(
            f"base_dir = {home}/run\nlog_path = {home}/log\nprotocols = pop3\nssl = no\n"
            "first_valid_uid = 1\nfirst_valid_gid = 1\nmail_fsync = never\n"
        )

    def messages(self, location: str, *settings: str) -> dict[str, bytes]:
        """What POP3 gives of the mail at *location*, by unique-id, in order."""
        rights = []
        if os.geteuid() == 0:
            for path in (self.home, *self.home.rglob("*")):
                os.chown(path, _MAIL, _MAIL)
            for above in self.home.parents:
                above.chmod(above.stat().st_mode | 0o011)
            rights = [self._setpriv, f"--reuid={_MAIL}", f"--regid={_MAIL}", "--clear-groups"]
        command = [*rights, self._program, "-c", str(self._config), "-o", f"mail_location={location}"]
        for setting in settings:
            command += ["-o", setting]
        environment = {"USER": "mail", "HOME": str(self.home), "PATH": os.environ["PATH"]}
        process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with process:
            assert process.stdin is not None
            assert process.stdout is not None

            def ask(line: str) -> list[bytes]:
                process.stdin.write(line.encode() + b"\r\n")  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
                answer = iter(process.stdout.readline, b".\r\n")  # type: ignore[union-attr]
                first = next(answer)
                assert first.startswith(b"+OK"), first
                return list(answer)

            ids = [line.decode().split() for line in ask("UIDL")]
            found = {unique_id: b"".join(map(unstuffed, ask(f"RETR {number}"))) for number, unique_id in ids}
            process.stdin.write(b"QUIT\r\n")
        return found


def unstuffed(line: bytes) -> bytes:
    return line[1:] if line.startswith(b".") else line


@pytest.fixture
def dovecot(program: Callable[[str], str], tmp_path: Path) -> Dovecot:
    """One with a home of its own."""
    home = tmp_path / "dovecot"
    home.mkdir()
    return Dovecot(program, home)


def run(community: Community, *words: str, typed: str = "") -> Any:
    return told(ran("mailbox", *words, "--json", config=Path(community.config), typed=typed))


@pytest.mark.parametrize("chosen", ["", "UID%u-%v", "%Mf", "%5v.%u"])
def test_from_dovecot(community: Community, dovecot: Dovecot, chosen: str) -> None:
    """Whatever its unique-ids look like: a program that left mail there fetches nothing twice here."""
    person = community.hosted()[-1]
    community.empty(person)
    files = {f"new/17000000{n}.M{chosen.encode().hex()}{n}.host": f"From: a@b\n\n{chosen}.{n}\n" for n in (1, 2, 3)}
    path = maildir(dovecot.home / "Maildir", {name: text.encode() for name, text in files.items()})
    settings = [f"pop3_uidl_format={chosen}"] if chosen else []
    there = dovecot.messages(f"maildir:{path}", *settings)
    assert len(there) == 3
    options = ["--uidl-format", chosen] if chosen else []
    assert run(community, "import", person["user_id"], str(path), *options)["imported"] == 3
    here = community.messages(person)
    assert list(here.items()) == list(there.items())
    community.empty(person)


def test_to_dovecot(community: Community, dovecot: Dovecot) -> None:
    """A Maildir of ours with its list, and an mbox of ours, are the same mail there."""
    person = community.hosted()[-1]
    community.empty(person)
    for number in range(3):
        text = f"From: {person['address']}\r\nSubject: {number}\r\n\r\nFrom here\r\n.dots\r\n"
        community.send(person, person, text.encode())
        community.messages(person, at_least=number + 1)
    here = community.messages(person)
    for form, settings in (("maildir", ()), ("mbox", ("pop3_reuse_xuidl=yes",))):
        place = dovecot.home / form
        words = ("export", person["user_id"], str(place), "--format", form, "--password-stdin")
        run(community, *words, typed=person["password"] + "\n")
        location = f"maildir:{place}" if form == "maildir" else f"mbox:{dovecot.home}/boxes:INBOX={place}"
        there = dovecot.messages(location, *settings)
        assert list(there) == list(here), form
        if form == "maildir":
            assert there == here
    community.empty(person)
