"""Writing as fast as the peer reads."""

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IPushProducer
from twisted.internet.testing import StringTransport
from zope.interface.verify import verifyObject

from cjsm.wire.flow import Outflow


def test_waits_while_the_transport_is_full() -> None:
    """And goes on when there is room."""
    transport = StringTransport()
    outflow = Outflow(transport)
    assert verifyObject(IPushProducer, outflow)
    assert Deferred.fromCoroutine(outflow.write(b"one ")).called
    outflow.pauseProducing()
    second = Deferred.fromCoroutine(outflow.write(b"two"))
    assert not second.called
    outflow.resumeProducing()
    assert second.called
    assert (transport.value(), outflow.written) == (b"one two", 7)
    outflow.close()
    outflow.close()
    assert transport.producer is None


def test_lost_connections() -> None:
    """Whoever waits is told, and nobody writes into nothing."""
    outflow = Outflow(StringTransport())
    outflow.pauseProducing()
    waiting = Deferred.fromCoroutine(outflow.write(b"x"))
    outflow.stopProducing()
    failures: list[object] = []
    waiting.addErrback(failures.append)
    Deferred.fromCoroutine(outflow.write(b"y")).addErrback(failures.append)
    assert [failure.check(ConnectionLost) for failure in failures] == [ConnectionLost] * 2  # type: ignore[attr-defined]
    outflow.close()


def test_progress_is_counted() -> None:
    """Octets, for the log of a session."""
    outflow = Outflow(StringTransport())
    for _ in range(3):
        Deferred.fromCoroutine(outflow.write(b"12345"))
    assert outflow.written == 15
