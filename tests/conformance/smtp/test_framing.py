"""Where a message ends: at CRLF, dot, CRLF and nowhere else, so that nobody smuggles one message inside another."""

import pytest

from tests.conformance.smtp.caller import Caller
from tests.conformance.smtp.target import body_of

#: What only looks like the end of a message.
ENDS = [
    b"\n.\n",
    b"\r.\r",
    b"\r.\n",
    b"\n.\r",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\n\n.\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n.\x0b\r\n",
]


@pytest.mark.parametrize("end", ENDS, ids=repr)
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut"])
def test_never_two_messages(caller: Caller, end: bytes, cut: bool) -> None:
    """What only looks like the end of a message is part of it, or the message is refused as a whole; what stands behind
    it never becomes a message of its own (RFC 5321 2.3.8, 4.1.1.4).
    """
    wire = caller.addressed()
    assert wire.say("DATA").code == 354
    outer, inner = caller.number(), caller.number()
    envelope = f"{caller.mail}\r\n{caller.rcpt}\r\nDATA\r\n".encode()
    head = caller.target.message(b"text", number=outer)
    tail = envelope + caller.target.message(number=inner) + b".\r\nQUIT\r\n"
    wire.send(*((head, *(bytes((octet,)) for octet in end), tail) if cut else (head + end + tail,)))
    replies = wire.rest()
    codes = [reply.code for reply in replies]
    caller.promise(
        codes in ([250, 221], [550], [550, 221]),
        f"{end!r} in a message is answered {codes}",
    )
    if codes[0] == 550:
        caller.promise(replies[0].status == "5.5.2", f"{end!r} in a message is refused with {replies[0].status}")
    if caller.target.own:
        strays = end.replace(b"\r\n", b"")
        assert codes == ([550] if strays.strip(b".\x0b") else [250, 221])
        _nothing_arrived(caller, inner)


def _nothing_arrived(caller: Caller, inner: int) -> None:
    """Send another message, and see that no message with the number *inner* came before it."""
    if caller.target.mailbox is None:
        return
    wire, after = caller.addressed(), caller.number()
    assert wire.say("DATA").code == 354
    wire.send(caller.target.message(number=after) + b".\r\n")
    assert wire.reply().code == 250
    assert inner not in caller.arrived(after)


@pytest.mark.parametrize("stray", [b"\n", b"\r", b"\0", b"\r\r", b"\n\n"], ids=repr)
@pytest.mark.parametrize("place", ["header", "body", "last line"])
def test_stray_octets(caller: Caller, stray: bytes, place: str) -> None:
    """A bare CR, bare LF or NUL anywhere in a message: refused at its real end with 550 5.5.2, nothing behind it is
    carried out (RFC 5321 2.3.8, 4.1.1.4).
    """
    wire = caller.addressed()
    assert wire.say("DATA").code == 354
    text = {
        "header": caller.target.message(b"text\r\n", b"X-Stray: a" + stray + b"b"),
        "body": caller.target.message(b"te" + stray + b"xt\r\n"),
        "last line": caller.target.message(b"text" + stray + b"\r\n"),
    }[place]
    wire.send(text + b".\r\nNOOP\r\n")
    replies = wire.rest() if caller.target.own else [wire.reply()]
    assert replies[0].code in (250, 500, 521, 550, 554), replies
    if replies[0].code == 250:
        replies += wire.replies(1)
    caller.promise(
        (replies[0].code, replies[0].status, len(replies)) == (550, "5.5.2", 1),
        f"{stray!r} in a message is answered {replies[0].code} {replies[0].status}, not 550 5.5.2 and the end",
    )


@pytest.mark.parametrize("stray", [b"\n", b"\r", b"\0"], ids=repr)
def test_stray_octets_in_commands(caller: Caller, stray: bytes) -> None:
    """A bare CR, bare LF or NUL ends no command: refused with 550 5.5.2, then closed (RFC 5321 2.3.8)."""
    wire = caller.ready()
    wire.send(b"NOOP" + stray + b"NOOP\r\nQUIT\r\n")
    replies = wire.rest()
    caller.promise(
        [(reply.code, reply.status) for reply in replies] == [(550, "5.5.2")],
        f"{stray!r} in a command is answered {[reply.code for reply in replies]}, not 550 and the end",
    )


@pytest.mark.parametrize(
    "body",
    [b"", b".\r\n", b"..\r\n", b".a\r\n", b"\r\n.\r\n\r\n", b"a.\r\n.b.\r\n...\r\n", b"..QUIT\r\n"],
    ids=repr,
)
def test_dots(caller: Caller, body: bytes) -> None:
    """Lines that begin with a dot arrive as they were before dots were doubled (RFC 5321 4.5.2)."""
    wire = caller.addressed()
    assert wire.say("DATA").code == 354
    number = caller.number()
    whole = caller.target.message(body, number=number)
    wire.send(whole.replace(b"\r\n.", b"\r\n..") + b".\r\n")
    assert wire.reply().code == 250
    assert body_of(caller.arrived(number)[number]) == body
