"""Dots and ends of messages at the edges of the blocks in which they are written and read."""

from collections.abc import Iterator

from tests.conformance.smtp.caller import Caller, finish
from tests.conformance.smtp.client import Wire
from tests.conformance.smtp.target import body_of

#: Where a write ends: around the largest TLS record and around blocks that servers are known to read in.
_EDGES = (*range(16_370, 16_401), *range(32_768 - 20, 32_768 + 21))
#: A dot at the beginning of a line, as it is on the wire.
_DOTTED = b"\r\n..x"
_END = b"\r\n.\r\n"


def _lines(octets: int) -> bytes:
    """Return text lines of exactly so many octets in all, without the last line's CRLF."""
    return (b"a" * 76 + b"\r\n") * (octets // 78) + b"b" * (octets % 78)


def _texts(caller: Caller, inside: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Return numbers, texts on the wire and places to cut: each splits *inside* at an edge, in every way."""
    for edge in _EDGES:
        for before in range(1, len(inside)):
            number = caller.number()
            head = caller.target.message(b"", number=number)
            start = edge - before
            text = head + _lines(start - len(head)) + inside
            yield number, text, edge


def _send(caller: Caller, wire: Wire, pieces: tuple[bytes, ...]) -> None:
    replies = wire.group([caller.mail, caller.rcpt, "DATA"])
    assert [reply.code for reply in replies] == [250, 250, 354], replies
    wire.send(*pieces)
    reply = wire.reply()
    assert reply.code == 250, reply


def _arrived(caller: Caller, sent: dict[int, bytes]) -> None:
    """Hold what arrived against the bodies that were sent, by number."""
    arrived = caller.arrived(*sent)
    wrong = [number for number, body in sent.items() if body_of(arrived[number]) != body]
    assert wrong == []


def test_dots_at_edges(caller: Caller) -> None:
    """A line that begins with a dot arrives as it was, wherever the writes were cut (RFC 5321 4.5.2)."""
    caller.needs("PIPELINING")
    wire = caller.ready()
    sent = {}
    for number, text, edge in _texts(caller, _DOTTED):
        _send(caller, wire, (text[:edge], text[edge:], _END))
        sent[number] = body_of(text + b"\r\n").replace(b"\r\n..", b"\r\n.")
    finish(wire)
    _arrived(caller, sent)


def test_ends_at_edges(caller: Caller) -> None:
    """A message ends at its end, wherever the writes were cut; what follows are commands (RFC 5321 4.1.1.4)."""
    caller.needs("PIPELINING")
    wire = caller.ready()
    sent = {}
    for number, text, edge in _texts(caller, _END):
        _send(caller, wire, (text[:edge], text[edge:]))
        sent[number] = body_of(text.removesuffix(b".\r\n"))
    finish(wire)
    _arrived(caller, sent)


def test_end_octet_by_octet(caller: Caller) -> None:
    """Every octet of the end in a write of its own, with a command behind it (RFC 5321 4.1.1.4)."""
    wire = caller.addressed()
    assert wire.say("DATA").code == 354
    text = caller.target.message(b"..\r\n...") + _END + b"NOOP\r\n"
    wire.send(*(bytes((octet,)) for octet in text))
    assert [reply.code for reply in wire.replies(2)] == [250, 250]
    finish(wire)
