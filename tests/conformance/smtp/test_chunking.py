"""BDAT: messages in chunks of announced sizes (RFC 3030)."""

import pytest

from tests.conformance.smtp.caller import Caller, finish
from tests.conformance.smtp.client import Wire
from tests.conformance.smtp.target import body_of

pytestmark = pytest.mark.usefixtures("chunking")

_REFUSED = (503, 530, 551, 554)


@pytest.fixture
def chunking(caller: Caller) -> None:
    """Leave these tests out where chunks are not taken."""
    caller.needs("CHUNKING")


def _chunk(octets: bytes, *, last: bool = False) -> bytes:
    """Return a chunk with its command."""
    return b"BDAT %d%s\r\n" % (len(octets), b" LAST" if last else b"") + octets


def _arrived(caller: Caller, wire: Wire, number: int, body: bytes) -> None:
    """Say goodbye, and hold what arrived against what was sent."""
    finish(wire)
    assert body_of(caller.arrived(number)[number]) == body


def test_one_chunk(caller: Caller) -> None:
    """One chunk is a message (RFC 3030 2)."""
    wire, number = caller.addressed(), caller.number()
    wire.send(_chunk(caller.target.message(number=number), last=True))
    assert wire.reply().code == 250
    _arrived(caller, wire, number, b"text\r\n")


@pytest.mark.parametrize("word", ["bdat {} last", "BDAT {} Last", "Bdat {} LAST "])
def test_case_of_bdat(caller: Caller, word: str) -> None:
    """BDAT and LAST are understood in either case, with a space behind (RFC 5321 2.4, 4.1.1)."""
    wire = caller.addressed()
    message = caller.target.message()
    wire.send(word.format(len(message)).encode() + b"\r\n" + message)
    assert wire.reply().code == 250
    finish(wire)


@pytest.mark.parametrize("octets", [1, 7, 100])
def test_several_chunks(caller: Caller, octets: int) -> None:
    """Each chunk is answered, together they are one message (RFC 3030 2)."""
    wire, number = caller.addressed(), caller.number()
    message = caller.target.message(b"a line\r\n" * 5, number=number)
    for start in range(0, len(message), octets):
        wire.send(_chunk(message[start : start + octets]))
        assert wire.reply().code == 250
    assert wire.say("BDAT 0 LAST").code == 250
    _arrived(caller, wire, number, b"a line\r\n" * 5)


def test_empty_chunks(caller: Caller) -> None:
    """A chunk may be empty, the first, the last or one between (RFC 3030 2)."""
    wire, number = caller.addressed(), caller.number()
    reply = wire.say("BDAT 0")
    caller.promise(reply.code == 250, f"an empty chunk that is not the last is answered {reply.code}")
    if reply.code != 250:
        return
    wire.send(_chunk(caller.target.message(number=number)))
    assert wire.reply().code == 250
    assert [reply.code for reply in map(wire.say, ("BDAT 0", "BDAT 0 LAST"))] == [250, 250]
    _arrived(caller, wire, number, b"text\r\n")


def test_empty_message(caller: Caller) -> None:
    """A message of no octets is taken or refused; the next may begin (RFC 3030 2)."""
    wire = caller.addressed()
    assert wire.say("BDAT 0 LAST").code in (250, 550, 554)
    wire.say("RSET")
    assert wire.say(caller.mail).code == 250
    finish(wire)


def test_pipelined(caller: Caller) -> None:
    """Envelope, chunks and the next command in one write: replies come in order (RFC 3030 4.2)."""
    caller.needs("PIPELINING")
    wire, number = caller.ready(), caller.number()
    head, body = caller.target.message(b"", number=number), b"in chunks\r\n" * 50
    envelope = f"{caller.mail}\r\n{caller.rcpt}\r\n".encode()
    wire.send(envelope + _chunk(head) + _chunk(body[:55]) + _chunk(body[55:], last=True) + envelope + b"RSET\r\n")
    assert [reply.code for reply in wire.replies(8)] == [250] * 8
    _arrived(caller, wire, number, body)


def test_many_messages(caller: Caller) -> None:
    """Messages follow each other without waiting (RFC 3030 4.2)."""
    caller.needs("PIPELINING")
    wire = caller.ready()
    envelope = f"{caller.mail}\r\n{caller.rcpt}\r\n".encode()
    wire.send((envelope + _chunk(caller.target.message(), last=True)) * 10)
    assert [reply.code for reply in wire.replies(30)] == [250] * 30
    finish(wire)


def test_octet_by_octet(caller: Caller) -> None:
    """Commands and chunks are the same however they are cut (RFC 3030 2)."""
    wire, number = caller.addressed(), caller.number()
    body = b"\r\n.\r\n"
    octets = _chunk(caller.target.message(b"", number=number)) + _chunk(body, last=True) + b"NOOP\r\n"
    wire.send(*(bytes((octet,)) for octet in octets))
    assert [reply.code for reply in wire.replies(3)] == [250] * 3
    _arrived(caller, wire, number, body)


@pytest.mark.parametrize("cut", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("octets", [16_384, 32_768, 65_536])
def test_edges(caller: Caller, octets: int, cut: int) -> None:
    """A chunk ends where it says, wherever the writes end (RFC 3030 2)."""
    caller.needs("PIPELINING")
    wire, number = caller.addressed(), caller.number()
    body = b"\r\n.\r\n..\r\n" * (octets // 9) + b"." * (octets % 9)
    sent = _chunk(caller.target.message(b"", number=number)) + _chunk(body) + b"BDAT 2 LAST\r\n\r\n" + b"NOOP\r\n"
    edge = sent.index(b"BDAT 2 LAST") + cut
    wire.send(sent[:edge], sent[edge:])
    assert [reply.code for reply in wire.replies(4)] == [250] * 4
    _arrived(caller, wire, number, body + b"\r\n")


def test_dots_are_data(caller: Caller) -> None:
    """Nothing is doubled in chunks, and no dot ends them (RFC 3030 2)."""
    wire, number = caller.addressed(), caller.number()
    body = b".\r\n..\r\n...\r\n\r\n.\r\nMAIL FROM:<a@b.example>\r\nQUIT\r\n.\r\n"
    wire.send(_chunk(caller.target.message(body, number=number), last=True) + b"NOOP\r\n")
    assert [reply.code for reply in wire.replies(2)] == [250, 250]
    _arrived(caller, wire, number, body)


def test_cut_between_cr_and_lf(caller: Caller) -> None:
    """A chunk may end between CR and LF; together they end a line (RFC 3030 2)."""
    wire, number = caller.addressed(), caller.number()
    for part in caller.target.message(b"one\r\ntwo\r\n", number=number).split(b"\n")[:-1]:
        wire.send(_chunk(part))
        assert wire.reply().code == 250
        wire.send(_chunk(b"\n"))
        assert wire.reply().code == 250
    assert wire.say("BDAT 0 LAST").code == 250
    _arrived(caller, wire, number, b"one\r\ntwo\r\n")


# Order


def test_before_mail(caller: Caller) -> None:
    """A chunk without a message is refused, and its octets are no commands (RFC 3030 2, 4.1)."""
    wire = caller.ready()
    wire.send(_chunk(b"NOOP\r\nMAIL FROM:<a@b.example>\r\n", last=True) + b"NOOP\r\n")
    assert wire.reply().code in _REFUSED
    assert wire.reply().code == 250
    finish(wire)


@pytest.mark.parametrize("chunks", [1, 3])
def test_all_recipients_refused(caller: Caller, chunks: int) -> None:
    """Chunks pipelined behind refused recipients are refused one by one, their octets are no commands (RFC 3030 2,
    4.2).
    """
    caller.needs("PIPELINING")
    wire = caller.ready()
    envelope = f"{caller.mail}\r\nRCPT TO:<{caller.target.refused}>\r\n".encode()
    sent = b"".join(_chunk(b"QUIT\r\nNOOP\r\n" * 5, last=number == chunks) for number in range(1, chunks + 1))
    wire.send(envelope + sent + b"RSET\r\n")
    codes = [reply.code for reply in wire.replies(3 + chunks)]
    assert codes[0] == 250
    assert 400 <= codes[1] < 600
    assert set(codes[2:-1]) <= set(_REFUSED)
    assert codes[-1] == 250
    finish(wire)


def test_another_message_behind_refused_chunks(caller: Caller) -> None:
    """A last chunk ends its message also where it is refused: what is pipelined behind it has an envelope of its own
    (RFC 3030 2, 4.2).
    """
    caller.needs("PIPELINING")
    wire = caller.ready()
    number = caller.number()
    refused = f"{caller.mail}\r\nRCPT TO:<{caller.target.refused}>\r\n".encode() + _chunk(b"text\r\n", last=True)
    taken = f"{caller.mail}\r\n{caller.rcpt}\r\n".encode()
    wire.send(refused + taken + _chunk(caller.target.message(number=number), last=True))
    codes = [reply.code for reply in wire.replies(6)]
    assert codes[2] in _REFUSED
    caller.promise(codes[3:] == [250] * 3, f"a message behind refused chunks is answered {codes[3:]}")
    finish(wire)


def test_data_after_bdat(caller: Caller) -> None:
    """A message in chunks is not ended with DATA; RSET gives it up (RFC 3030 2)."""
    wire = caller.addressed()
    wire.send(_chunk(caller.target.message()))
    assert wire.reply().code == 250
    assert wire.say("DATA").code == 503
    assert wire.say("RSET").code == 250
    assert wire.say(caller.mail).code == 250
    finish(wire)


@pytest.mark.parametrize("command", ["MAIL", "RCPT"])
def test_envelope_after_bdat(caller: Caller, command: str) -> None:
    """Behind the first chunk the envelope is closed (RFC 3030 2, RFC 5321 4.1.4)."""
    wire = caller.addressed()
    wire.send(_chunk(caller.target.message()))
    assert wire.reply().code == 250
    reply = wire.say(caller.mail if command == "MAIL" else caller.rcpt)
    assert command == "RCPT" or reply.code == 503
    caller.promise(reply.code == 503, f"{command} behind a chunk is answered {reply.code}")


def test_reset_between_chunks(caller: Caller) -> None:
    """RSET gives up what came so far; a later chunk belongs to nothing (RFC 3030 4.1)."""
    wire = caller.addressed()
    wire.send(_chunk(caller.target.message()))
    assert wire.reply().code == 250
    assert wire.say("RSET").code == 250
    wire.send(_chunk(b"rest\r\n", last=True))
    assert wire.reply().code in _REFUSED
    assert wire.say("NOOP").code == 250
    finish(wire)


def test_after_last(caller: Caller) -> None:
    """Behind the last chunk the message is over (RFC 3030 2)."""
    wire = caller.addressed()
    wire.send(_chunk(caller.target.message(), last=True))
    assert wire.reply().code == 250
    wire.send(_chunk(b"more\r\n", last=True))
    assert wire.reply().code in _REFUSED
    finish(wire)


@pytest.mark.parametrize("line", ["BDAT", "BDAT ", "BDAT x", "BDAT -1", "BDAT 1x", "BDAT 0 FIRST", "BDAT 0 LAST x"])
def test_bad_bdat(caller: Caller, line: str) -> None:
    """A BDAT of the wrong form is refused; nobody knows what follows it, so the server may close (RFC 3030 2)."""
    wire = caller.addressed()
    reply = wire.say(line)
    assert reply.code in (421, 500, 501, 503, 521, 554), reply


def test_enormous_chunk(caller: Caller) -> None:
    """A chunk of more octets than any number holds is refused at once, or its octets go to nobody (RFC 3030 2)."""
    wire = caller.addressed()
    reply = wire.say(f"BDAT {'9' * 25} LAST")
    assert reply.code in (421, 500, 501, 521, 552, 554), reply


# Sizes


def test_more_octets_than_said(caller: Caller) -> None:
    """What is over the stated size are commands (RFC 3030 2)."""
    wire = caller.addressed()
    message = caller.target.message()
    wire.send(_chunk(message, last=True) + b"XYZZY\r\nNOOP\r\n")
    assert wire.reply().code == 250
    assert wire.reply().code in (500, 502)
    assert wire.reply().code == 250
    finish(wire)


def test_fewer_octets_than_said(caller: Caller) -> None:
    """A chunk is as large as it said: commands that come too early are part of it (RFC 3030 2)."""
    wire, number = caller.addressed(), caller.number()
    message = caller.target.message(number=number)
    late = b"NOOP\r\nQUIT\r\n"
    wire.send(b"BDAT %d LAST\r\n" % (len(message) + len(late)) + message, late, b"NOOP\r\n")
    assert [reply.code for reply in wire.replies(2)] == [250, 250]
    _arrived(caller, wire, number, b"text\r\n" + late)


def test_vanished_in_a_chunk(caller: Caller) -> None:
    """A client that vanishes in the middle leaves nothing; the next is served (RFC 3030 2, RFC 5321 4.1.1.10)."""
    wire = caller.addressed()
    wire.send(b"BDAT 100000 LAST\r\n" + caller.target.message())
    wire.close()
    finish(caller.addressed())


def test_too_large(caller: Caller) -> None:
    """A message over the limit is refused with its chunk; what follows are commands (RFC 3030 4.1, RFC 1870 6.3)."""
    most = int(caller.needs("SIZE") or 0)
    if not 0 < most <= 64 * 1024 * 1024:
        caller.leave_out("the announced size is too large to try out")
    wire = caller.addressed()
    message = caller.target.message() + b"evidence\r\n" * (most // 10 + 1)
    half = len(message) // 2
    wire.send(_chunk(message[:half]), _chunk(message[half:], last=True), b"RSET\r\n")
    codes = [reply.code for reply in wire.replies(3)]
    assert codes in ([250, 552, 250], [552, 552, 250], [552, 503, 250]), codes
    assert wire.say(caller.mail).code == 250


@pytest.mark.parametrize("stray", [b"\n", b"\r", b"\0", b"\n.\n", b"\n.\r\n"], ids=repr)
def test_stray_octets(caller: Caller, stray: bytes) -> None:
    """Bare CR, bare LF and NUL are refused in chunks too, and never end a message (RFC 3030 3, RFC 5321 2.3.8)."""
    wire = caller.addressed()
    wire.send(_chunk(caller.target.message(b"te" + stray + b"xt\r\n"), last=True) + b"NOOP\r\n")
    reply = wire.reply()
    assert reply.code in (250, 500, 550, 554), reply
    caller.promise(
        (reply.code, reply.status) == (550, "5.5.2"), f"{stray!r} in a chunk is answered {reply.code} {reply.status}"
    )


def test_long_lines_are_text(caller: Caller) -> None:
    """Chunks are text: a line over the limit is taken or refused, nothing of it becomes commands (RFC 3030 3)."""
    wire = caller.addressed()
    wire.send(_chunk(caller.target.message(b"QUIT " * 10_000 + b"\r\n"), last=True) + b"NOOP\r\n")
    reply = wire.reply()
    assert reply.code in (250, 500, 550, 552, 554), reply
    assert wire.reply().code == 250
    finish(wire)


def test_binary_is_not_taken_for_text(caller: Caller) -> None:
    """BODY=BINARYMIME is refused where BINARYMIME is not offered (RFC 3030 3)."""
    if "BINARYMIME" in caller.offered:
        caller.leave_out("BINARYMIME is offered: this suite does not cover it")
    assert caller.ready().say(f"{caller.mail} BODY=BINARYMIME").code in (501, 504, 555)
