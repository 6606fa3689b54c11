"""Somebody's desk: a home directory that was set up by the sheets, where programs run as an ordinary user."""

import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tests.interop.sheets import Sheet, Told
from tests.running import Community

_ENDED = re.compile(r"session of (\w+): (\d+) messages, (\d+) octets sent, (\d+) deleted, [^\n]*\n")


class Session(NamedTuple):
    """What the service logs of one POP3 session when it ends.

    :ivar messages: how many it has sent, by RETR or TOP.
    """

    who: str
    messages: int
    octets: int
    deleted: int


class Desk:
    """A home with authority and device password in place. Use it as a context manager.

    Programs run as *nobody* where the tests run as root: some refuse to work for root.
    """

    def __init__(self, community: Community, account: dict[str, Any], recipient: dict[str, Any]) -> None:
        self.community = community
        self.account = account
        self.home = Path(tempfile.mkdtemp(prefix="cjsm-desk-"))
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        told = community.told
        self.told = Told(account, recipient, self.home, told["ports"], told["base_dn"])
        if self._user is not None:
            os.chown(self.home, self._user.pw_uid, self._user.pw_gid)

    def __enter__(self) -> "Desk":
        self.run(Sheet("README").commands("Once"))
        self.write(".config/cjsm/password", self.account["device_password"] + "\n")
        self.write(".config/cjsm/authority.pem", Path(self.community.told["ca_file"]).read_text())
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.home)

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file, as its owner would; scripts can be run."""
        path = self.home / name
        data = text.encode() if isinstance(text, str) else text
        self.run(f"mkdir -p '{path.parent}'")
        path.write_bytes(data)
        path.chmod(0o700 if data.startswith(b"#!") else 0o600)
        if self._user is not None:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)
        return path

    def set_up(self, sheet: Sheet) -> None:
        """Do once what the sheet wants done once, and write its files."""
        if "Once" in sheet.titles():
            self.run(sheet.commands("Once"))
        for name, text in sheet.files().items():
            self.write(name, self.told.fill(text))

    def change(self, sheet: Sheet, before: str, after: str) -> None:
        """Let *before* become *after* in the files of *sheet*; it must be there once."""
        changed = 0
        for name in sheet.files():
            text = (self.home / name).read_text()
            changed += text.count(before)
            self.write(name, text.replace(before, after))
        assert changed == 1, f"{before!r} is there {changed} times"

    # Programs

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return what programs find in their environment."""
        kept = {"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "vt100"}
        return kept | dict(more or {})

    def start(
        self, command: list[str], more: Mapping[str, str] | None = None, **options: Any
    ) -> "subprocess.Popen[bytes]":
        """Start a program."""
        who: dict[str, Any] = {}
        if self._user is not None:
            who = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": ()}
        return subprocess.Popen(command, cwd=self.home, env=self.environment(more), **options, **who)

    def run(self, line: str, codes: tuple[int, ...] = (0,)) -> bytes:
        """Run shell commands, wait for their end, and return what they say.

        :param codes: exit codes that mean no failure.
        """
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with self.start(["/bin/sh", "-euc", line], **pipes) as process:
            try:
                said, complained = process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert process.returncode in codes, (process.returncode, said + complained)
        return said

    # What the service saw

    def session(self, work: Callable[[], None]) -> Session:
        """Do *work*, in which a program opens the mailbox once, and return what the service saw of that."""
        before = len(self.sessions())
        work()
        (seen,) = self.sessions()[before:]
        return seen

    def sessions(self) -> list[Session]:
        """Return every session that has ended but those of the recipient.

        The recipient comes and goes first: when that is in the log, so is all that ended before.
        """
        before = len(self.logged(theirs=True))
        calling = self.told.recipient
        self.community.pop3(calling | {"password": calling["device_password"]}).quit()
        ends = time.monotonic() + 30
        while len(self.logged(theirs=True)) == before:
            assert time.monotonic() < ends, "the service does not log sessions"
            time.sleep(0.02)
        return self.logged()

    def logged(self, theirs: bool = False) -> list[Session]:
        """Return what the service has logged so far of sessions of everybody but the recipient, or of the recipient."""
        name = _name_in_logs(self.community, self.told.recipient["user_id"])
        found = (Session(who, *map(int, numbers)) for who, *numbers in _ENDED.findall(self.community.log()))
        return [session for session in found if (session.who == name) is theirs]


@cache
def _name_in_logs(community: Community, user_id: str) -> str:
    """Return what the log calls somebody."""
    shown = community.command("user", "show", user_id, "--json")
    return str(json.loads(shown.stdout)["name_in_logs"])
