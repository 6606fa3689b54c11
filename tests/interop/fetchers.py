"""Programs that fetch mail, each driven by its sheet of ``docs/clients``."""

import os
import pty
import re
import select
import time
from collections.abc import Mapping
from typing import Protocol

from tests.interop.desk import Desk
from tests.interop.sheets import Sheet


class Fetcher(Protocol):
    """A program at a desk.

    :ivar sheet: the page that says how it is set up.
    :ivar program: what must be installed.
    :ivar folds: long header fields may come out folded otherwise.
    """

    sheet: str
    program: str
    folds: bool

    def fetch(self, desk: Desk) -> None:
        """Fetch what is new."""

    def kept(self, desk: Desk) -> list[bytes]:
        """Return what it has fetched, lines ending with CRLF."""


class Command:
    """A program that fetches by one command, into files.

    :param codes: exit codes that are no failure.
    :param folds: it writes headers anew, as its sheet says.
    """

    def __init__(
        self,
        sheet: str,
        program: str,
        kept: str = "Mail/cjsm/new/*",
        codes: tuple[int, ...] = (0,),
        folds: bool = False,
    ) -> None:
        self.sheet = sheet
        self.program = program
        self.folds = folds
        self._kept = kept
        self._codes = codes

    def fetch(self, desk: Desk) -> None:
        """See :class:`Fetcher`."""
        desk.run(desk.told.fill(Sheet(self.sheet).commands("To fetch")), self._codes)

    def kept(self, desk: Desk) -> list[bytes]:
        """See :class:`Fetcher`."""
        return [with_crlf(path.read_bytes()) for path in sorted(desk.home.glob(self._kept))]


class Mutt:
    """mutt in a terminal of its own: whoever sits there looks at every message, and leaves."""

    sheet = "mutt"
    program = "mutt"
    folds = False
    _LOOK = "<first-entry>" + "<display-message><exit>" + "<next-undeleted><display-message><exit>" * 7

    def fetch(self, desk: Desk) -> None:
        """Look at every message."""
        self._keys(desk, self._LOOK)

    def delete(self, desk: Desk) -> None:
        """Look at every message, then delete the first one."""
        self._keys(desk, self._LOOK + "<first-entry><delete-message>")

    def kept(self, desk: Desk) -> list[bytes]:
        """Return its cache of messages."""
        cached = (path for path in (desk.home / ".cache/mutt/messages").rglob("*") if path.is_file())
        return [with_crlf(path.read_bytes()) for path in sorted(cached)]

    def refuse(self, desk: Desk) -> bytes:
        """Reject a certificate that it asks about, leave, and return what it shows."""
        command = ["mutt", "-F", str(desk.home / ".config/mutt/muttrc")]
        return in_terminal(desk, command, {b"(r)eject": b"r", b"(no mailbox)": b"q"})

    def _keys(self, desk: Desk, keys: str) -> None:
        commands = f"set pager=builtin delete=yes quit=yes sleep_time=0; push '{keys}<quit>'"
        shown = in_terminal(desk, ["mutt", "-F", str(desk.home / ".config/mutt/muttrc"), "-e", commands])
        assert b"Authenticating" in shown, shown


def in_terminal(
    desk: Desk, command: list[str], answers: Mapping[bytes, bytes] | None = None, seconds: float = 30
) -> bytes:
    """Run *command* in a terminal until it ends, and return what it shows.

    :param answers: what is typed when something is shown, once each.
    """
    ours, theirs = pty.openpty()
    shown = b""
    waiting = dict(answers or {})
    process = desk.start(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    ends = time.monotonic() + seconds
    try:
        while time.monotonic() < ends:
            if not select.select([ours], [], [], 0.2)[0]:
                continue
            try:
                shown += os.read(ours, 65_536)
            except OSError:  # the program has closed its side
                break
            for question in [each for each in waiting if each in shown]:
                os.write(ours, waiting.pop(question))
        else:
            process.kill()
    finally:
        os.close(ours)
        code = process.wait(10)
    assert code == 0, (code, shown)
    return shown


def with_crlf(text: bytes) -> bytes:
    """Return *text* with CRLF where a program wrote lines that end with LF, as files have them here."""
    return text if b"\r\n" in text else text.replace(b"\n", b"\r\n")


def unfolded(message: bytes) -> bytes:
    """Return *message* with each header field on one line."""
    header, body = message.split(b"\r\n\r\n", 1)
    return re.sub(rb" *\r\n[ \t]+", b" ", header) + b"\r\n\r\n" + body
