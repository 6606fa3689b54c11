"""Writing as fast as the peer reads, from a coroutine."""

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IConsumer, IPushProducer
from zope.interface import implementer


@implementer(IPushProducer)
class Outflow:
    """Lets a coroutine write to *transport* and wait while it is full, so that memory stays flat.

    ``await outflow.write(chunk)`` for each chunk, then :meth:`close`, however it ended.

    :ivar written: octets so far.
    """

    def __init__(self, transport: IConsumer) -> None:
        self.written = 0
        self._transport = transport
        self._waiting: Deferred[None] | None = None
        self._paused = False
        self._stopped = False
        transport.registerProducer(self, True)

    async def write(self, data: bytes) -> None:
        """Send *data*; return when there is room for more.

        :raises ConnectionLost: when there will never be.
        """
        if self._stopped:
            raise ConnectionLost
        self.written += len(data)
        self._transport.write(data)
        if self._paused:
            self._waiting = Deferred()
            await self._waiting

    def close(self) -> None:
        """Leave the transport to others. Idempotent."""
        if not self._stopped:
            self._stopped = True
            self._transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The transport has room."""
        self._paused = False
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def stopProducing(self) -> None:
        """The connection is lost."""
        self._stopped = True
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.errback(ConnectionLost())
