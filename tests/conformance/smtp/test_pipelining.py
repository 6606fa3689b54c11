"""Groups of commands in one write: each is answered, in order (RFC 2920)."""

import pytest

from tests.conformance.smtp.caller import Caller, finish

pytestmark = pytest.mark.usefixtures("pipelining")


@pytest.fixture
def pipelining(caller: Caller) -> None:
    """Leave these tests out where groups are not taken."""
    caller.needs("PIPELINING")


def test_group(caller: Caller) -> None:
    """Sender, recipients and DATA in one write, one of them refused: one reply for each, in order (RFC 2920 3.1)."""
    wire = caller.ready()
    refused = f"RCPT TO:<{caller.target.refused}>"
    codes = [reply.code for reply in wire.group([caller.mail, caller.rcpt, refused, caller.rcpt, "DATA"])]
    assert codes[:2] == [250, 250]
    assert 400 <= codes[2] < 600
    assert codes[3:] == [250, 354]
    wire.send(caller.target.message() + b".\r\n")
    assert wire.reply().code == 250
    finish(wire)


def test_refused_sender(caller: Caller) -> None:
    """Where the sender is refused, so is everything behind it, and nothing is taken for a message (RFC 2920 3.1)."""
    wire = caller.ready()
    codes = [reply.code for reply in wire.group(["MAIL FROM:<", caller.rcpt, "DATA", "RSET"])]
    assert codes[0] in (500, 501, 550, 553, 555)
    assert codes[1:] == [503, 503, 250]
    finish(wire)


def test_all_recipients_refused(caller: Caller) -> None:
    """DATA behind refused recipients only: refused too, and what follows are commands; a server that says 354 refuses
    the empty message (RFC 2920 3.1).
    """
    wire = caller.ready()
    refused = f"RCPT TO:<{caller.target.refused}>"
    replies = wire.group([caller.mail, refused, refused, "DATA"])
    if replies[-1].code == 354:
        wire.send(b".\r\n")
        assert wire.reply().code == 554
    else:
        assert replies[-1].code in (503, 554)
    assert [reply.code for reply in wire.group(["RSET", caller.mail, caller.rcpt])] == [250, 250, 250]
    finish(wire)


@pytest.mark.parametrize("behind", [["NOOP"], ["RSET", "QUIT"], ["MAIL", "RCPT", "DATA"], ["QUIT"]], ids=" ".join)
def test_behind_the_end_of_a_message(caller: Caller, behind: list[str]) -> None:
    """Commands in the same write behind the end of a message are carried out after it (RFC 2920 3.1)."""
    wire = caller.ready()
    wire.group([caller.mail, caller.rcpt, "DATA"])
    told = {"MAIL": caller.mail, "RCPT": caller.rcpt}
    lines = b"".join(told.get(line, line).encode() + b"\r\n" for line in behind)
    wire.send(caller.target.message() + b".\r\n" + lines)
    expected = {"QUIT": 221, "DATA": 354}
    assert [reply.code for reply in wire.replies(1 + len(behind))] == [
        250,
        *(expected.get(line, 250) for line in behind),
    ]


def test_several_messages(caller: Caller) -> None:
    """Each next group travels with the end of the message before (RFC 2920 3.1)."""
    wire = caller.ready()
    group = f"{caller.mail}\r\n{caller.rcpt}\r\nDATA\r\n".encode()
    wire.send(group)
    for _ in range(5):
        assert [reply.code for reply in wire.replies(3)] == [250, 250, 354]
        wire.send(caller.target.message() + b".\r\n" + group)
        assert wire.reply().code == 250
    assert [reply.code for reply in wire.replies(3)] == [250, 250, 354]


def test_long_group(caller: Caller) -> None:
    """Replies to fifty recipients, every fifth of them refused, come in the order of the commands (RFC 2920 3.2)."""
    wire = caller.ready()
    recipients = [f"RCPT TO:<{caller.target.refused}>" if number % 5 == 4 else caller.rcpt for number in range(50)]
    replies = wire.group([caller.mail, *recipients, "RSET"])[1:-1]
    assert [reply.code == 250 for reply in replies] == [command == caller.rcpt for command in recipients]
    finish(wire)


@pytest.mark.parametrize("count", [50, 2_000])
def test_many_commands(caller: Caller, count: int) -> None:
    """All are answered, however many wait (RFC 2920 3.2); a server may leave when they are too many (RFC 5321 3.8)."""
    wire = caller.ready()
    wire.send(b"RSET\r\n" * count + b"QUIT\r\n")
    codes = [reply.code for reply in wire.rest()]
    whole = codes == [250] * count + [221]
    assert whole or (count > 50 and set(codes[:-1]) == {250} and codes[-1] == 421), codes[-3:]
    caller.promise(whole, f"{count} commands in one group are not all carried out")


def test_octet_by_octet(caller: Caller) -> None:
    """Commands are the same however they are cut (RFC 5321 2.3.8)."""
    wire = caller.ready()
    lines = f"{caller.mail}\r\n{caller.rcpt}\r\nRSET\r\nNOOP\r\n".encode()
    wire.send(*(bytes((octet,)) for octet in lines))
    assert [reply.code for reply in wire.replies(4)] == [250] * 4
    finish(wire)


def test_behind_sign_in(caller: Caller) -> None:
    """What is sent along with AUTH waits until it is known who sends (RFC 4954 4)."""
    caller.needs_user()
    wire = caller.greeted()
    codes = [reply.code for reply in wire.group([caller.sign_in(), caller.mail, caller.rcpt, "RSET"])]
    assert codes == [235, 250, 250, 250]
    finish(wire)
