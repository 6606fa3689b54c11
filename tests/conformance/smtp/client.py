"""A wire to an SMTP server: exact octets out, whole replies in, nothing said by itself."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from tests.conformance.wire import Connection, Ended, Malformed

_LINE = re.compile(rb"([2-5][0-5][0-9])(?:([ -])([\t -~\x80-\xff]*))?\Z")
_STATUS = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |\Z)")


@dataclass(frozen=True)
class Reply:
    """One reply; *lines* are its texts without codes."""

    code: int
    lines: tuple[str, ...]

    @property
    def statuses(self) -> tuple[str, ...]:
        """The enhanced status code of each line, empty where a line has none (RFC 2034)."""
        found = (_STATUS.match(line) for line in self.lines)
        return tuple(match[1] if match else "" for match in found)

    @property
    def status(self) -> str:
        """The enhanced status code of the first line, or nothing."""
        return self.statuses[0]

    def __str__(self) -> str:
        return f"{self.code} {' / '.join(self.lines)}"


class Wire(Connection):
    """One connection.

    :ivar heard: every reply so far, in order.
    """

    def __init__(self, host: str, port: int, *, seconds: float = 30.0) -> None:
        super().__init__(host, port, seconds=seconds)
        self.heard: list[Reply] = []

    def reply(self) -> Reply:
        """Read one reply.

        :raises Ended: when the connection is closed before it is whole.
        :raises Malformed: when it does not follow the grammar of replies.
        """
        code, more = b"", True
        texts: list[str] = []
        while more:
            line = self.line()
            match = _LINE.match(line)
            if match is None or (code and match[1] != code):
                raise Malformed(f"not a line of a reply: {line!r} after {texts}")
            code, more = match[1], match[2] == b"-"
            texts.append((match[3] or b"").decode("utf-8", "backslashreplace"))
        reply = Reply(int(code), tuple(texts))
        self.heard.append(reply)
        return reply

    def replies(self, count: int) -> list[Reply]:
        """Read *count* replies."""
        return [self.reply() for _ in range(count)]

    def say(self, command: str | bytes) -> Reply:
        """Send one command line, CRLF added, and read its reply."""
        octets = command.encode() if isinstance(command, str) else command
        self.send(octets + b"\r\n")
        return self.reply()

    def group(self, commands: Iterable[str | bytes]) -> list[Reply]:
        """Send several command lines in one write and read as many replies (RFC 2920)."""
        lines = [each.encode() if isinstance(each, str) else each for each in commands]
        self.send(b"".join(line + b"\r\n" for line in lines))
        return self.replies(len(lines))

    def rest(self) -> list[Reply]:
        """Read all replies until the server closes the connection."""
        found = []
        with suppress(Ended):
            while True:
                found.append(self.reply())
        return found
