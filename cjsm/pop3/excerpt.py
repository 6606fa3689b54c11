"""What TOP sends of a message (RFC 1939 §7)."""


class Excerpt:
    """Passes a message's header, the blank line and so many lines of its body, however it is cut.

    :param lines: lines of the body.
    :ivar complete: True once nothing more of the message is wanted.
    """

    def __init__(self, lines: int) -> None:
        self.complete = False
        self._lines = lines
        self._in_header = True
        self._tail = b"\r\n"

    def take(self, chunk: bytes) -> bytes:
        """Return what of *chunk*, the next octets of the message, belongs to the excerpt."""
        if self.complete:
            return b""
        start = self._body_start(chunk) if self._in_header else 0
        return chunk if start is None else chunk[: self._body_end(chunk, start)]

    def _body_start(self, chunk: bytes) -> int | None:
        joined = self._tail + chunk
        blank = joined.find(b"\r\n\r\n")
        if blank < 0:
            self._tail = joined[-3:]
            return None
        self._in_header = False
        return blank + 4 - len(self._tail)

    def _body_end(self, chunk: bytes, start: int) -> int:
        while self._lines:
            newline = chunk.find(b"\n", start)
            if newline < 0:
                return len(chunk)
            start = newline + 1
            self._lines -= 1
        self.complete = True
        return start
