"""What a server answers, octets to replies (RFC 5321 §4.2, RFC 2034). Pure and total: what is none raises."""

import re

from msgspec import Struct

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])([^\r\n]*))?\Z")
_STATUS = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |\Z)")
#: Octets of one line, and lines of one reply. RFC 5321 §4.5.3.1.5 says 512; servers say more.
_LONGEST = 4_096
_MOST = 200
#: Characters that are made of a reply in one line: there is one for each recipient.
_TEXT = 1_000


class BadReply(Exception):
    """The server said something that is no reply."""


class Answer(Struct, frozen=True):
    """One reply of a server.

    :ivar lines: its text, line by line, without codes; octets that are not UTF-8 are replaced.
    """

    code: int
    lines: tuple[str, ...]

    @property
    def status(self) -> str:
        """The enhanced status code (RFC 3463), or the one that the code alone gives."""
        match = _STATUS.match(self.lines[0])
        if match is not None and match[1][0] == str(self.code)[0]:
            return match[1]
        return f"{self.code // 100}.0.0"

    @property
    def text(self) -> str:
        """The first of it in one line, as reports quote it."""
        return " ".join((str(self.code), *self.lines)).strip()[:_TEXT]

    @property
    def is_good(self) -> bool:
        """2xx."""
        return self.code // 100 == 2

    @property
    def is_final(self) -> bool:
        """5xx: asking again gives nothing else."""
        return self.code // 100 == 5


class AnswerReader:
    """Takes octets as they come and gives replies.

    A line may end in LF alone: a server that is careless with its replies can smuggle nothing with them.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._code = 0
        self._lines: list[str] = []

    @property
    def buffered(self) -> bool:
        """Whether something was received that no reply was made of yet."""
        return bool(self._buffer or self._lines)

    @property
    def said(self) -> str:
        """What was received that no reply was made of yet, on one line, as reports quote it."""
        line, _, _ = bytes(self._buffer[:_LONGEST]).partition(b"\n")
        return " ".join((*self._lines, _shown(line.removesuffix(b"\r")))).strip()[:_TEXT]

    def feed(self, data: bytes) -> None:
        """Add what arrived."""
        self._buffer += data

    def next_answer(self) -> Answer | None:
        """Return the next reply, or None when it is not complete.

        :raises BadReply: when it is none.
        """
        while (end := self._buffer.find(b"\n", 0, _LONGEST)) >= 0:
            line = bytes(self._buffer[:end]).removesuffix(b"\r")
            del self._buffer[: end + 1]
            answer = self._line(line)
            if answer is not None:
                return answer
        if len(self._buffer) >= _LONGEST:
            raise BadReply("its reply has a line without end")
        return None

    def _line(self, line: bytes) -> Answer | None:
        match = _LINE.match(line)
        if match is None:
            raise BadReply(f"its reply is none: {_shown(line[:80])!r}")
        code = int(match[1])
        if self._lines and code != self._code:
            raise BadReply("its reply of several lines changes its code")
        if len(self._lines) == _MOST:
            raise BadReply("its reply has too many lines")
        self._code = code
        self._lines.append(_shown(match[3] or b""))
        if match[2] == b"-":
            return None
        lines, self._lines = tuple(self._lines), []
        return Answer(code, lines)


def _shown(octets: bytes) -> str:
    text = octets.decode("utf-8", "replace")
    return "".join(each if each.isprintable() else "?" for each in text)


class Capabilities(Struct, frozen=True):
    """What a server offers in its answer to EHLO.

    :ivar names: keywords in upper case.
    :ivar size: the largest message it takes; 0 for no limit that it says.
    :ivar recipients: the most recipients of one message (RFC 9422), 0 where it does not say.
    :ivar messages: the most messages of one session (RFC 9422), 0 where it does not say.
    """

    names: frozenset[str]
    size: int = 0
    recipients: int = 0
    messages: int = 0

    @classmethod
    def of(cls, answer: Answer) -> "Capabilities":
        """Read the answer to EHLO."""
        words = [line.upper().split() for line in answer.lines[1:]]
        found = {line[0]: line[1:] for line in words if line}
        limits = dict(limit.partition("=")[::2] for limit in found.get("LIMITS", ()))
        return cls(
            frozenset(found),
            size=_number(next(iter(found.get("SIZE", ())), "")),
            recipients=_number(limits.get("RCPTMAX", "")),
            messages=_number(limits.get("MAILMAX", "")),
        )

    def __contains__(self, name: str) -> bool:
        return name in self.names


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0
