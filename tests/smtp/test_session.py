"""The protocol's states without a network: what each command does in each state."""

import base64
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.smtp.actions import (
    Action,
    AddRecipient,
    Ask,
    Begin,
    Close,
    Forget,
    ReadChunk,
    ReadText,
    Say,
    SignIn,
    SkipChunk,
    StartTls,
)
from cjsm.smtp.grammar import Limits, reply
from cjsm.smtp.session import NEEDS, Session, stray
from cjsm.wire.lines import BadLine, LineTooLong

LIMITS = Limits(command=512, parameters=2048, auth=12_288)
LINES = {
    "EHLO": b"EHLO client.example",
    "NOOP": b"NOOP",
    "QUIT": b"QUIT",
    "STARTTLS": b"STARTTLS",
    "RSET": b"RSET",
    "HELP": b"HELP",
    "VRFY": b"VRFY jo",
    "EXPN": b"EXPN all",
    "AUTH": b"AUTH PLAIN " + base64.b64encode(b"\0alex\0secret"),
    "MAIL": b"MAIL FROM:<alex@firm>",
    "RCPT": b"RCPT TO:<sam@avon>",
    "DATA": b"DATA",
    "BDAT": b"BDAT 5 LAST",
}


def session(*, secure: bool = True, offers_tls: bool = False, bad: int = 10, failures: int = 3) -> Session:
    """A connection that has just begun."""
    return Session(
        host="mail.example",
        secure=secure,
        offers_tls=offers_tls,
        max_octets=1000,
        limits=LIMITS,
        failed_sign_ins=failures,
        bad_commands=bad,
    )


def answer(made: Session, action: Action) -> list[Action]:
    """Answer what the session asked for with yes."""
    match action:
        case SignIn():
            return made.signed_in()
        case Begin():
            return made.begun()
        case AddRecipient():
            return made.recipient_added()
        case ReadText():
            return made.accepted("abc")
        case StartTls():
            return made.secured()
        case ReadChunk(octets, last):
            return made.accepted("abc") if last else made.chunk_taken(octets)
        case SkipChunk(_, last, why):
            return made.chunk_skipped(last, why)
    return []


def ask(made: Session, *verbs: str) -> list[Action]:
    """Say commands, answer what they ask for with yes, return what came of the last."""
    found: list[Action] = []
    for verb in verbs:
        found = made.line(LINES[verb])
        found = [*found, *itertools.chain.from_iterable(answer(made, action) for action in found)]
    return found


def code(actions: list[Action]) -> int:
    """The first reply's code."""
    return next(action.reply.code for action in actions if isinstance(action, Say))


def test_greeting() -> None:
    """The host says its name first."""
    assert session().greeting() == [Say(reply(220, "", "mail.example ESMTP ready"))]


def test_a_whole_message() -> None:
    """EHLO, AUTH, MAIL, RCPT, DATA, QUIT, twice in one session."""
    made = session()
    codes = [code(ask(made, verb)) for verb in ("EHLO", "AUTH", "MAIL", "RCPT", "RCPT", "DATA", "MAIL", "RCPT", "DATA")]
    assert codes == [250, 235, 250, 250, 250, 354, 250, 250, 354]
    assert ask(made, "QUIT")[-1] == Close("quit")


#: State by the commands that lead to it.
STATES = {
    "nothing": (),
    "greeted": ("EHLO",),
    "signed in": ("EHLO", "AUTH"),
    "in mail": ("EHLO", "AUTH", "MAIL"),
    "with recipients": ("EHLO", "AUTH", "MAIL", "RCPT"),
}
#: Reply to each command in each of those states, inside TLS.
TABLE = {
    "EHLO": (250, 250, 250, 250, 250),
    "NOOP": (250, 250, 250, 250, 250),
    "QUIT": (221, 221, 221, 221, 221),
    "STARTTLS": (503, 503, 503, 503, 503),
    "RSET": (250, 250, 250, 250, 250),
    "HELP": (214, 214, 214, 214, 214),
    "VRFY": (252, 252, 252, 252, 252),
    "EXPN": (502, 502, 502, 502, 502),
    "AUTH": (503, 235, 503, 503, 503),
    "MAIL": (503, 530, 250, 503, 503),
    "RCPT": (503, 530, 503, 250, 250),
    "DATA": (503, 530, 503, 554, 354),
    "BDAT": (503, 530, 503, 554, 250),
}


@pytest.mark.parametrize("verb", TABLE)
def test_every_command_in_every_state(verb: str) -> None:
    """The reply depends on the state as the table says."""
    for path, expected in zip(STATES.values(), TABLE[verb], strict=True):
        made = session()
        ask(made, *path)
        assert code(ask(made, verb)) == expected, path


def test_the_table_is_whole() -> None:
    """There is no command without a rule, and none without a test."""
    assert set(NEEDS) == set(TABLE) == set(LINES)


@pytest.mark.parametrize("verb", sorted(set(NEEDS) - {"EHLO", "NOOP", "QUIT", "STARTTLS"}))
def test_nothing_in_the_clear(verb: str) -> None:
    """Before STARTTLS nothing else is taken."""
    made = session(secure=False, offers_tls=True)
    ask(made, "EHLO")
    assert code(ask(made, verb)) == (538 if verb == "AUTH" else 530)


def test_starttls_forgets() -> None:
    """After TLS has begun the client has to greet again; the offers change."""
    made = session(secure=False, offers_tls=True)
    before = ask(made, "EHLO")
    assert isinstance(before[0], Say)
    assert "STARTTLS" in before[0].reply.text
    assert not any(line.startswith("AUTH") for line in before[0].reply.text)
    assert isinstance(ask(made, "STARTTLS")[1], StartTls)
    assert code(ask(made, "AUTH")) == 503
    after = ask(made, "EHLO")
    assert isinstance(after[0], Say)
    assert after[0].reply.text == (
        "mail.example",
        "PIPELINING",
        "ENHANCEDSTATUSCODES",
        "SIZE 1000",
        "8BITMIME",
        "SMTPUTF8",
        "DSN",
        "CHUNKING",
        "REQUIRETLS",
        "LIMITS RCPTMAX=100",
        "AUTH PLAIN LOGIN",
    )
    assert code(ask(made, "STARTTLS")) == 503


def test_login_and_cancel() -> None:
    """LOGIN asks twice; an asterisk cancels and counts as a failure."""
    made = session()
    ask(made, "EHLO")
    assert isinstance(made.line(b"AUTH LOGIN")[0], Ask)
    assert isinstance(made.line(base64.b64encode(b"alex"))[0], Ask)
    (asked,) = made.line(base64.b64encode(b"secret"))
    assert isinstance(asked, SignIn)
    assert (asked.claim.name, asked.claim.secret) == ("alex", b"secret")
    assert isinstance(made.line(b"AUTH PLAIN")[0], Ask)
    assert code(made.line(b"*")) == 501
    assert code(made.line(b"AUTH XOAUTH2 abc")) == 504


def test_failures_end_the_session() -> None:
    """The third failed sign-in is the last; what is not the client's fault does not count."""
    made = session(failures=3)
    no = reply(535, "5.7.8", "no")
    assert made.not_signed_in(no, counts=True) == [Say(no)]
    assert made.not_signed_in(reply(454, "4.7.0", "later"), counts=False) == [Say(reply(454, "4.7.0", "later"))]
    assert made.not_signed_in(no, counts=True) == [Say(no)]
    said = made.not_signed_in(no, counts=True)
    assert [type(action) for action in said] == [Say, Say, Close]
    assert code(said[1:]) == 421


def test_bad_commands_end_the_session() -> None:
    """Nonsense is borne for a while."""
    made = session(bad=3)
    assert code(made.line(b"nonsense")) == 500
    assert code(made.line(LineTooLong(512))) == 500
    assert made.line(b"nonsense")[-1] == Close("bad commands")


def test_stray_octets_end_the_session() -> None:
    """A bare CR, LF or NUL in a command line is never passed over."""
    said = session().line(BadLine("bare LF"))
    assert code(said) == 550
    assert said[-1] == Close("bare LF")
    assert stray("bare CR").code == 550


def test_browsers_are_left() -> None:
    """Without a word, and only by the first line."""
    assert session().line(b"POST / HTTP/1.1") == [Close("HTTP")]
    made = session()
    ask(made, "EHLO")
    assert code(made.line(b"POST / HTTP/1.1")) == 500


@pytest.mark.parametrize("verb", ["RSET", "EHLO", "QUIT"])
def test_a_message_that_was_begun_is_forgotten(verb: str) -> None:
    """By RSET, a new EHLO, and QUIT."""
    made = session()
    ask(made, "EHLO", "AUTH", "MAIL", "RCPT")
    assert Forget() in ask(made, verb)
    assert not made.in_mail
    assert not made.has_recipients


def test_refusals_are_passed_on() -> None:
    """And leave the state as it was."""
    made = session()
    ask(made, "EHLO", "AUTH")
    made.line(LINES["MAIL"])
    assert code(made.not_begun(reply(552, "5.3.4", "too large"))) == 552
    assert code(ask(made, "RCPT")) == 503
    ask(made, "MAIL")
    made.line(LINES["RCPT"])
    assert code(made.recipient_refused(reply(550, "5.1.1", "nobody"))) == 550
    assert code(ask(made, "DATA")) == 554
    ask(made, "RCPT")
    made.line(LINES["DATA"])
    assert code(made.not_accepted(reply(550, "5.7.1", "no"))) == 550
    assert made.not_accepted(reply(550, "5.5.2", "no"), close="bare LF")[-1] == Close("bare LF")
    assert code(ask(made, "MAIL")) == 250


def test_trouble() -> None:
    """Something unexpected costs the command and its message, no more."""
    made = session()
    ask(made, "EHLO", "AUTH", "MAIL")
    assert [type(action) for action in made.broken()] == [Forget, Say]
    assert code(ask(made, "MAIL")) == 250


def test_line_limit() -> None:
    """Lines may be long only as long as somebody may sign in."""
    made = session()
    assert made.line_limit == LIMITS.auth
    ask(made, "EHLO", "AUTH")
    assert made.line_limit == LIMITS.parameters


@given(st.lists(st.sampled_from(sorted(LINES)), max_size=30), st.booleans())
def test_any_order(verbs: list[str], tls: bool) -> None:
    """Whatever the order, each command gets one first reply, and text is read only when all that it needs was said."""
    made = session(secure=not tls, offers_tls=tls, bad=1_000)
    ready: set[str] = set()
    for verb in verbs:
        said = ask(made, verb)
        assert sum(isinstance(action, Say) for action in said[:2]) >= 1
        done = code(said) < 400
        if done and verb in ("EHLO", "RSET", "DATA"):
            ready -= {"MAIL", "RCPT"}
        if any(isinstance(action, ReadText) for action in said):
            assert verb == "DATA"
        if verb == "DATA" and code(said) == 354:
            assert made.is_signed_in
        if done:
            ready.add(verb)
        if code(said) == 221:
            return
