"""An mbox as a source, in each of its variants (RFC 4155; the names are those of qmail's mbox page).

They differ in how a line of text that begins with ``From`` is told from the line that begins a message.

mboxrd quotes every such line with one more ``>``; mboxo quotes only those without, so that nobody can undo it;
mboxcl2 quotes nothing and gives the length of each message in ``Content-Length``. An ``X-UIDL`` field directly behind
the line that begins the message is the mbox's own and not the message's; everything else is left as it is.
"""

import os
import re
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO

from msgspec import Struct

from cjsm.configuration import ImportSettings
from cjsm.mail.folders import files, uidlformat
from cjsm.mail.folders.errors import FolderError
from cjsm.mail.folders.quoting import Quoting
from cjsm.mail.folders.source import Found
from cjsm.mail.folders.uidlformat import UidlFormat

VARIANTS = ("mboxrd", "mboxo", "mboxcl2")

#: Begins a message: whoever it is from, and a time. A line of text seldom has one, even where quoting was forgotten.
_FROM = re.compile(rb"From .*[0-9]:[0-9]{2}")
_BLANK = (b"\n", b"\r\n")
_FIELD = re.compile(rb"(content-length|x-uidl|x-uid|x-imap(?:base)?):[ \t]*([^\r\n]*?)[ \t]*\r?\n", re.IGNORECASE)
#: Octets of a line that are looked at.
_LINE = 64 * 1024


class _Message(Struct):
    """A message while it is looked for: where it begins and ends, and what its header says to the mbox."""

    start: int
    end: int = 0
    body: int | None = None
    own_unique_id: bytes | None = None
    fields: dict[bytes, bytes] = {}


class Mbox:
    """See :class:`~cjsm.mail.folders.source.Source`.

    :param descriptor: of the file, closed with this.
    :param variant: one of :data:`VARIANTS`; empty to find out: mboxcl2 where every message has its right length.
    :param chosen: how unique-ids follow from ``X-UID`` and ``X-IMAPbase``; empty for the usual way.
    """

    x_uidl = False
    listed_by = ""

    def __init__(self, descriptor: int, limits: ImportSettings, variant: str = "", chosen: str = "") -> None:
        self._descriptor = descriptor
        self._limits = limits
        self.notes: list[str] = []
        messages = self._messages(by_length=True) if variant in ("", "mboxcl2") else None
        if messages is None and variant == "mboxcl2":
            self.notes.append("not every Content-Length is right: messages end where the next begins")
        self.form = "mboxcl2" if messages is not None else variant or "mboxrd"
        self._found = messages if messages is not None else self._messages(by_length=False) or []
        ids = _unique_ids(self._found, uidlformat.parse(chosen or uidlformat.USUAL))
        self.found = [
            Found(place=place, name=f"message {place + 1}", octets=each.end - each.start, unique_id=unique_id)
            for place, (each, unique_id) in enumerate(zip(self._found, ids, strict=True))
        ]

    def read(self, found: Found) -> Iterator[bytes]:
        """See :class:`~cjsm.mail.folders.source.Source`."""
        each = self._found[found.place]
        pieces = files.blocks(self._descriptor, each.start, each.end)
        if self.form != "mboxrd":
            yield from pieces
            return
        quoting = Quoting(take=True)
        for piece in pieces:
            yield quoting.write(piece)
        yield quoting.finish()

    def close(self) -> None:
        """See :class:`~cjsm.mail.folders.source.Source`."""
        os.close(self._descriptor)

    def _messages(self, *, by_length: bool) -> list[_Message] | None:
        """Return every message; None where lengths were to be relied on and one is missing or wrong."""
        found: list[_Message] = []
        with closing(os.fdopen(os.dup(self._descriptor), "rb", files.BLOCK)) as file:
            file.seek(0)
            lines = _Lines(file)
            for line in lines:
                if lines.after_blank and _FROM.match(line):
                    _end(found, lines)
                    if len(found) == self._limits.messages:
                        raise FolderError(f"it has over {self._limits.messages} messages", "raise imports.messages")
                    found.append(_Message(start=lines.following, fields={}))
                elif found and found[-1].body is None:
                    _header(found[-1], line, lines)
                    if by_length and found[-1].body is not None and not _jump(found[-1], file, lines):
                        return None
                elif not found and line not in _BLANK:
                    raise FolderError("the file does not begin as an mbox does", "name the form with --format")
            lines.at = lines.following
            _end(found, lines)
        return found if not by_length or all(each.body is not None for each in found) else None


class _Lines:
    """The lines of a file, each as far as it is looked at; knows where it is.

    :ivar at: where the line begins.
    :ivar following: where the next one does.
    :ivar after_blank: whether the line before was blank, or there was none.
    :ivar blank: octets of the blank line before, 0 where there was none.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.at = self.following = 0
        self.after_blank = True
        self.blank = 0

    def __iter__(self) -> Iterator[bytes]:
        before = b""
        while line := self._file.readline(_LINE):
            self.at, self.following = self.following, self.following + len(line)
            yield line
            while not line.endswith(b"\n") and (more := self._file.readline(_LINE)):
                self.following += len(more)
                line = more
                before = b"long"
            self.blank = len(line) if line in _BLANK and before != b"long" else 0
            self.after_blank, before = bool(self.blank), b""

    def move(self, to: int) -> None:
        """Go on at *to*, as after a blank line that belongs to nobody."""
        self._file.seek(to)
        self.following = to


def _end(found: list[_Message], lines: _Lines) -> None:
    """The last message ends before the blank line before this line, unless its length said where."""
    if found and not found[-1].end:
        found[-1].end = max(found[-1].start, lines.at - lines.blank)


def _header(message: _Message, line: bytes, lines: _Lines) -> None:
    """Take one line of a message's header section."""
    if line in _BLANK:
        message.body = lines.following
        return
    match = _FIELD.fullmatch(line)
    if match is None:
        return
    name = match[1].lower()
    if name == b"x-uidl" and lines.at == message.start and message.own_unique_id is None:
        message.own_unique_id, message.start = match[2], lines.following
    else:
        message.fields.setdefault(b"x-imapbase" if name == b"x-imap" else name, match[2])


def _jump(message: _Message, file: BinaryIO, lines: _Lines) -> bool:
    """Go to where the message's length says that it ends; return whether the next begins there, or the file ends."""
    length = message.fields.get(b"content-length", b"")
    if message.body is None or not length.isdigit() or len(length) > 18:
        return False
    end = message.body + int(length)
    file.seek(0, os.SEEK_END)
    last = file.tell()
    file.seek(min(end, last))
    following = file.read(2) if end <= last else b"?"
    blank = next((each for each in (b"\r\n", b"\n") if following.startswith(each)), b"")
    begins = end + len(blank)
    if begins != last:
        file.seek(begins)
        if not blank or not _FROM.match(file.readline(_LINE)):
            return False
    message.end = end
    lines.move(begins)
    return True


def _unique_ids(found: list[_Message], made: UidlFormat) -> list[str]:
    """Return what each message's unique-id was: the mbox's own, that of its UID, or that which its header names."""
    base = next((each.fields[b"x-imapbase"] for each in found[:1] if b"x-imapbase" in each.fields), b"")
    validity = base.split(b" ")[0] if base else b""
    ids = []
    for each in found:
        uid = each.fields.get(b"x-uid", b"")
        if each.own_unique_id:
            ids.append(_text(each.own_unique_id))
        elif validity.isdigit() and uid.isdigit() and len(validity) <= 20 and len(uid) <= 20:
            ids.append(made.unique_id(int(uid), int(validity), ""))
        else:
            ids.append(_text(each.fields.get(b"x-uidl", b"")))
    return ids


def _text(octets: bytes) -> str:
    return octets.decode("ascii", "replace")
