"""A message's text as it comes in: ended by a dot (DATA), or counted (BDAT, RFC 3030); watched for faults and pace."""

from typing import Protocol

from cjsm.wire.dots import Unstuffed
from cjsm.wire.text import ChunkedText, TextFault
from cjsm.wire.timing import MinimumRate


class TextReader(Protocol):
    """Gives what a text holds and knows where it ends."""

    @property
    def fault(self) -> TextFault | None:
        """What is wrong with the text so far, or None."""

    def feed(self, chunk: bytes) -> Unstuffed:
        """Take the next octets."""


class ChunkReader:
    """Reads one chunk of a text.

    :param octets: its length.
    :param text: what the chunk belongs to; None where it is forgotten.
    :param last: the text ends with this chunk.
    """

    def __init__(self, octets: int, text: ChunkedText | None, *, last: bool) -> None:
        self._left = octets
        self._text = text
        self._last = last

    @property
    def fault(self) -> TextFault | None:
        """What is wrong with the text so far, or None."""
        return self._text.fault if self._text is not None else None

    def feed(self, chunk: bytes) -> Unstuffed:
        """Take the next octets, none where there are none to come."""
        mine, rest = chunk[: self._left], chunk[self._left :]
        self._left -= len(mine)
        ended = self._left == 0
        data = self._text.feed(mine, last=self._last and ended) if self._text is not None else b""
        return Unstuffed(data, ended, rest)


class TooSlow(Exception):
    """The text comes more slowly than is allowed."""


class Reception:
    """One text, or one chunk, on its way in.

    :param rate: octets a second at least, after *grace* seconds.
    :ivar octets: what it held so far.
    """

    def __init__(self, reader: TextReader, *, rate: int, grace: float, since: float) -> None:
        self._reader = reader
        self._rate = MinimumRate(rate, grace=grace, since=since)
        self.octets = 0

    @property
    def fault(self) -> TextFault | None:
        """What is wrong with the text, or None."""
        return self._reader.fault

    def received(self, data: bytes, now: float) -> Unstuffed:
        """Take the next octets.

        :raises TooSlow: when the least rate was not met.
        """
        self._rate.received(len(data))
        if self._rate.too_slow(now):
            raise TooSlow
        taken = self._reader.feed(data)
        self.octets += len(taken.data)
        return taken
