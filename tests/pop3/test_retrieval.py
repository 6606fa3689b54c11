"""A message on its way out, in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport

from cjsm.pop3.retrieval import Retrieval
from cjsm.wire.flow import Outflow
from tests.pop3.support import MemoryReader

MESSAGE = b"Subject: x\r\n\r\none\r\n.two\r\nthree\r\n"


def sent(size: int, lines: int | None) -> tuple[bytes, int]:
    """What goes out, and how often the reader was asked."""
    transport, reader = StringTransport(), MemoryReader(MESSAGE, size, {})
    retrieval = Retrieval(reader, lines)

    async def go() -> None:
        await retrieval.begin()
        await retrieval.send(Outflow(transport), b"+OK\r\n", lambda: None)

    Deferred.fromCoroutine(go())
    return transport.value(), reader.reads


@given(st.integers(1, 40))
def test_any_pieces(size: int) -> None:
    """The same octets, dots doubled, with the end mark."""
    assert sent(size, None)[0] == b"+OK\r\n" + MESSAGE.replace(b"\r\n.", b"\r\n..") + b".\r\n"
    assert sent(size, 1)[0] == b"+OK\r\nSubject: x\r\n\r\none\r\n.\r\n"


def test_no_more_is_read_than_is_wanted() -> None:
    """TOP of a large message costs its first piece."""
    assert sent(18, 0)[1] < sent(18, None)[1]


def test_nothing_is_said_before_the_first_piece() -> None:
    """A message that cannot be opened is refused, not begun."""
    retrieval = Retrieval(MemoryReader(MESSAGE, 5, {0: ValueError("damaged")}), None)
    failures: list[object] = []
    Deferred.fromCoroutine(retrieval.begin()).addErrback(failures.append)
    with pytest.raises(ValueError, match="damaged"):
        failures[0].raiseException()  # type: ignore[attr-defined]  # a Failure
