"""One message on its way to the client, in pieces."""

from collections.abc import Callable

from cjsm.access.interfaces import IMessageReader
from cjsm.pop3.excerpt import Excerpt
from cjsm.pop3.surrogate import SurrogateReader
from cjsm.wire.dots import Stuffer
from cjsm.wire.flow import Outflow


class Retrieval:
    """Sends what *reader* gives. Nothing is said before its first piece has been read and verified.

    :param lines: how many lines of the body (TOP), or None for all of the message (RETR).
    :param ascii_only: the client takes UTF-8 in bodies only.
    """

    def __init__(self, reader: IMessageReader, lines: int | None, *, ascii_only: bool = False) -> None:
        self._surrogate = SurrogateReader(reader) if ascii_only else None
        self._reader = self._surrogate or reader
        self._excerpt = None if lines is None else Excerpt(lines)
        self._stuffer = Stuffer()
        self._piece = b""

    @property
    def changed(self) -> bool:
        """Whether the message had to be rewritten for the client, as far as it was read."""
        return self._surrogate is not None and self._surrogate.changed

    async def begin(self) -> None:
        """Read the first piece; whatever this raises, nothing has been sent."""
        self._piece = await self._reader.read()

    async def send(self, outflow: Outflow, first: bytes, progress: Callable[[], None]) -> None:
        """Send the reply *first*, the message and the terminator; call *progress* before each piece.

        :raises Exception: whatever the reader raises: then the connection must be cut, for the client cannot know.
        """
        opening = first
        while self._piece and not (self._excerpt and self._excerpt.complete):
            progress()
            wanted = self._excerpt.take(self._piece) if self._excerpt else self._piece
            await outflow.write(opening + self._stuffer.write(wanted))
            opening = b""
            if not (self._excerpt and self._excerpt.complete):
                self._piece = await self._reader.read()
        await outflow.write(opening + self._stuffer.finish())
