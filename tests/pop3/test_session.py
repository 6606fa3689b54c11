"""A POP3 session without network: what each command answers in each state."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.pop3.actions import Action, Close, Remove, Reply, Rows, SendMessage, SignIn, StartTls
from cjsm.pop3.grammar import Code
from cjsm.pop3.policy import Policy
from cjsm.pop3.session import TABLE, Session, State
from cjsm.wire.lines import BadLine, LineTooLong

from .support import Listed

MESSAGES = [Listed(120, "a"), Listed(200, "b"), Listed(7, "c")]
CHANGED = b"+OK the message follows, rewritten for a program that does not say UTF8\r\n"


def session(*, secure: bool = True, stls: bool = False, policy: Policy | None = None) -> Session:
    return Session(
        secure=secure,
        stls=stls,
        line_octets=255,
        auth_octets=12_288,
        failed_sign_ins=3,
        bad_commands=10,
        policy=policy,
    )


def in_transaction() -> Session:
    made = session()
    made.line(b"USER alex")
    made.line(b"PASS secret")
    made.signed_in(MESSAGES)
    return made


def said(actions: list[Action]) -> bytes:
    """Everything these actions send."""
    return b"".join(
        action.data if isinstance(action, Reply) else b"".join(action.pieces)
        for action in actions
        if isinstance(action, Reply | Rows)
    )


def is_error(actions: list[Action]) -> bool:
    return said(actions).startswith(b"-ERR ") and not any(isinstance(action, Close) for action in actions)


def only(actions: list[Action], kind: type) -> Action:
    (action,) = actions
    assert isinstance(action, kind)
    return action


def claim(actions: list[Action]) -> tuple[str, bytes]:
    (action,) = actions
    assert isinstance(action, SignIn)
    return action.name, action.secret


def test_a_whole_session() -> None:
    """Sign in, look, fetch, delete, quit."""
    one = session()
    assert said(one.greeting()) == b"+OK POP3 server ready\r\n"
    assert said(one.line(b"USER alex")) == b"+OK send PASS\r\n"
    assert claim(one.line(b"PASS secret word")) == ("alex", b"secret word")
    assert said(one.signed_in(MESSAGES)).startswith(b"+OK maildrop has 3 messages (327 octets)")
    assert said(one.line(b"STAT")) == b"+OK 3 327\r\n"
    assert said(one.line(b"LIST")).split(b"\r\n")[1:] == [b"1 120", b"2 200", b"3 7", b".", b""]
    assert said(one.line(b"UIDL")).split(b"\r\n")[1:] == [b"1 a", b"2 b", b"3 c", b".", b""]
    assert said(one.line(b"LIST 2")) == b"+OK 2 200\r\n"
    assert said(one.line(b"UIDL 3")) == b"+OK 3 c\r\n"
    assert one.line(b"RETR 1") == [SendMessage(0, b"+OK 120 octets\r\n", None, CHANGED)]
    assert one.sent() == []
    assert one.line(b"TOP 3 5") == [SendMessage(2, b"+OK top of message follows\r\n", 5, CHANGED)]
    assert one.sent() == []
    assert said(one.line(b"DELE 2")).startswith(b"+OK")
    assert said(one.line(b"STAT")) == b"+OK 2 127\r\n"
    assert said(one.line(b"LIST")).split(b"\r\n")[1:] == [b"1 120", b"3 7", b".", b""]
    assert said(one.line(b"NOOP")).startswith(b"+OK")
    assert one.line(b"QUIT") == [Remove((1,))]
    assert one.removed() == [Reply(b"+OK 1 message removed, goodbye\r\n"), Close("quit")]


@pytest.mark.parametrize(
    "line",
    [
        *(b"RETR 0", b"RETR -1", b"RETR 99999999999", b"RETR 1 2", b"RETR x", b"RETR \xc2\xb2", b"RETR 4", b"RETR"),
        *(b"TOP 1", b"TOP 1 -1", b"TOP 0 1", b"TOP 4 1", b"UIDL 999", b"LIST 0", b"LIST 4", b"DELE 0", b"DELE 9"),
        *(b"USER", b"USER alex", b"PASS x", b"AUTH PLAIN", b"STLS", b"AUTH"),
    ],
)
def test_wrong_arguments_never_cost_the_connection(line: bytes) -> None:
    """Each is an error, however often; the session goes on."""
    one = in_transaction()
    for _ in range(30):
        assert is_error(one.line(line))
    assert said(one.line(b"STAT")) == b"+OK 3 327\r\n"


def test_a_deleted_message_is_gone_until_rset() -> None:
    """Every command says so; numbers of the others do not move; RSET brings it back."""
    one = in_transaction()
    one.line(b"DELE 1")
    for line in (b"RETR 1", b"TOP 1 0", b"LIST 1", b"UIDL 1", b"DELE 1"):
        assert is_error(one.line(line))
    assert said(one.line(b"UIDL 2")) == b"+OK 2 b\r\n"
    assert said(one.line(b"RSET")).startswith(b"+OK")
    assert said(one.line(b"STAT")) == b"+OK 3 327\r\n"
    assert one.line(b"QUIT")[-1] == Close("quit")


def test_removing_that_fails_is_told() -> None:
    """QUIT answers with an error and ends all the same."""
    one = in_transaction()
    one.line(b"DELE 1")
    one.line(b"QUIT")
    assert one.not_removed("no message was removed", Code.SYS_TEMP) == [
        Reply(b"-ERR [SYS/TEMP] no message was removed\r\n"),
        Close("quit, removing failed"),
    ]


def test_capabilities_before_and_after_signing_in_are_the_same() -> None:
    """RFC 2449 §5; only TLS changes them: no USER and SASL before it, no STLS inside it."""
    before = said(session().line(b"CAPA"))
    assert before == said(in_transaction().line(b"CAPA"))
    assert set(before.split(b"\r\n")[1:-2]) == {
        *(b"TOP", b"UIDL", b"USER", b"SASL PLAIN", b"RESP-CODES", b"AUTH-RESP-CODE", b"PIPELINING"),
        *(b"UTF8 USER", b"LANG", b"EXPIRE NEVER", b"IMPLEMENTATION CJSM"),
    }
    clear = said(session(secure=False, stls=True).line(b"CAPA")).split(b"\r\n")
    assert b"STLS" in clear
    assert not {b"USER", b"SASL PLAIN", b"UTF8 USER", b"LANG"} & set(clear)


def test_policy_is_announced() -> None:
    """LOGIN-DELAY where there is one, EXPIRE in days where messages do not stay for ever (RFC 2449 §6.5, §6.7)."""
    told = said(session(policy=Policy(login_delay=60, retention=30)).line(b"CAPA")).split(b"\r\n")
    assert {b"LOGIN-DELAY 60", b"EXPIRE 30"} <= set(told)
    assert b"LOGIN-DELAY" not in said(session().line(b"CAPA"))


def test_languages() -> None:
    """LANG lists, chooses and keeps languages, before and after signing in; a new one holds from its own reply on."""
    one = session(policy=Policy(language="cy"))
    assert said(one.line(b"LANG")) == b"+OK languages follow\r\nen English\r\ncy Cymraeg\r\n.\r\n"
    assert said(one.line(b"LANG cy-GB")) == b"+OK cy dyma'r Gymraeg\r\n"
    assert said(one.line(b"LANG fr")) == b"-ERR nid yw'r iaith honno ar gael yma\r\n"
    assert said(one.line(b"PASS x")) == b"-ERR anfonwch USER yn gyntaf\r\n"
    assert said(one.line(b"LANG EN")) == b"+OK en this is English\r\n"
    assert said(one.line(b"LANG *")).startswith(b"+OK cy ")
    two = in_transaction()
    assert said(two.line(b"LANG cy")).startswith(b"+OK cy ")
    two.line(b"DELE 1")
    two.line(b"DELE 2")
    two.line(b"QUIT")
    assert said(two.removed()) == b"+OK 2 neges wedi'u dileu, hwyl fawr\r\n"
    for line in (b"LANG en fr", b"LANG toolonglanguage", b"LANG en_GB", b"LANG -", b"LANG \xc3\xa9"):
        assert is_error(session().line(line))


def test_everybody_is_spoken_to_in_english_again_after_stls() -> None:
    """Nothing that was said before TLS counts inside it, and before it no language is chosen."""
    one = session(secure=False, stls=True)
    assert is_error(one.line(b"LANG cy"))
    assert is_error(one.line(b"UTF8"))


def test_utf8() -> None:
    """UTF8 is for before signing in; afterwards messages come as they are (RFC 6856 §2.1)."""
    assert is_error(in_transaction().line(b"UTF8"))
    one = session()
    assert is_error(one.line(b"UTF8 now"))
    assert said(one.line(b"UTF8")).startswith(b"+OK")
    assert said(one.line(b"UTF8")).startswith(b"+OK")
    one.signed_in(MESSAGES)
    assert one.line(b"RETR 1") == [SendMessage(0, b"+OK 120 octets\r\n", None, None)]


def test_before_tls_nothing_but_capa_stls_and_quit() -> None:
    """No password is taken in the clear; after STLS it is, and what was said before is forgotten."""
    one = session(secure=False, stls=True)
    for line in (b"USER alex", b"PASS x", b"AUTH PLAIN AGEAYg==", b"STAT", b"NOOP", b"LANG"):
        assert is_error(one.line(line))
    assert one.line(b"STLS") == [Reply(b"+OK begin TLS\r\n"), StartTls()]
    assert one.secured() == []
    assert is_error(one.line(b"STLS"))
    assert is_error(one.line(b"PASS x"))
    assert said(one.line(b"USER alex")).startswith(b"+OK")


def test_pass_needs_user_right_before_it_fails_or_not() -> None:
    """PASS first is an error; after a failure USER is asked for again."""
    one = session()
    assert is_error(one.line(b"PASS x"))
    one.line(b"USER alex")
    claim(one.line(b"PASS x"))
    assert said(one.not_signed_in("no", Code.AUTH, counts=True)) == b"-ERR [AUTH] no\r\n"
    assert is_error(one.line(b"PASS x"))


def test_auth_plain() -> None:
    """In one line, or after a challenge, where the longer limit holds; a star cancels; rubbish is an error."""
    response = b64encode(b"\0alex\0" + b"x" * 600)
    assert claim(session().line(b"AUTH PLAIN " + response)) == ("alex", b"x" * 600)
    one = session()
    assert said(one.line(b"AUTH plain")) == b"+ \r\n"
    assert one.line_limit == 12_288
    assert is_error(one.line(b"*"))
    one.line(b"AUTH PLAIN")
    assert is_error(one.line(b"QUIT"))
    one.line(b"AUTH PLAIN")
    assert claim(one.line(response)) == ("alex", b"x" * 600)
    assert is_error(session().line(b"AUTH CRAM-MD5"))
    assert said(session().line(b"AUTH PLAIN " + b64encode(b"sam\0alex\0x"))).startswith(b"-ERR [AUTH] ")


def test_failed_sign_ins_end_the_session() -> None:
    """The third wrong password is answered, then the connection closes; being busy does not count."""
    one = session()
    for _ in range(5):
        assert is_error(one.not_signed_in("busy", Code.SYS_TEMP, counts=False))
    assert is_error(one.not_signed_in("no", Code.AUTH, counts=True))
    assert is_error(one.not_signed_in("no", Code.AUTH, counts=True))
    last = one.not_signed_in("no", Code.AUTH, counts=True)
    assert last == [Reply(b"-ERR [AUTH] no\r\n"), Close("too many failed sign-ins")]
    assert one.state is State.ENDED


def test_bad_commands_end_the_session() -> None:
    """Ten lines that are no commands; a fault of framing counts like one."""
    one = session()
    bad = [b"GET / HTTP/1.1", BadLine("NUL"), LineTooLong(255), b"x" * 300, b"", b"A", b"B", b"C", b"D"]
    for line in bad:
        assert is_error(one.line(line))
    assert one.line(b"E")[-1] == Close("too many bad commands")


def test_a_long_line_is_too_long_unless_it_is_auth() -> None:
    """255 octets with CRLF before signing in as after it."""
    one = session()
    assert said(one.line(b"USER " + b"a" * 248)).startswith(b"+OK")
    assert said(one.line(b"USER " + b"a" * 249)) == b"-ERR line too long\r\n"
    assert one.line_limit == 12_288
    assert in_transaction().line_limit == 255


def test_an_unexpected_failure_costs_one_command() -> None:
    """Whatever was going on, the session says so and is back where a next command makes sense."""
    one = session()
    one.line(b"USER alex")
    one.line(b"PASS x")
    assert said(one.broken()).startswith(b"-ERR [SYS/TEMP] ")
    assert one.state is State.AUTHORIZATION
    two = in_transaction()
    two.line(b"RETR 1")
    assert said(two.broken()).startswith(b"-ERR [SYS/TEMP] ")
    assert said(two.line(b"STAT")) == b"+OK 3 327\r\n"
    two.line(b"DELE 1")
    two.line(b"QUIT")
    assert two.broken()[-1] == Close("quit, removing failed")


def test_secrets_do_not_show() -> None:
    """A claim on its way to the checker has a silent repr."""
    assert repr(only(session().line(b"AUTH PLAIN AGEAYg=="), SignIn)) == "<SignIn>"


def test_every_state_is_in_the_table() -> None:
    """The table is complete."""
    assert set(TABLE) == set(State)


LINES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [
            *(b"USER a", b"PASS b", b"AUTH PLAIN", b"*", b"STAT", b"LIST", b"UIDL 1", b"RETR 1", b"TOP 2 1", b"DELE 1"),
            *(b"DELE 2", b"RSET", b"NOOP", b"CAPA", b"QUIT", b"STLS", b"AUTH PLAIN AGEAYg=="),
            *(b"UTF8", b"LANG", b"LANG cy", b"LANG *", b"LANG fr"),
        ]
    ),
    st.sampled_from([BadLine("NUL"), LineTooLong(255)]),
)


@given(st.booleans(), st.lists(st.tuples(LINES, st.booleans()), max_size=40))
def test_any_dialogue(secure: bool, steps: list[tuple[bytes | BadLine | LineTooLong, bool]]) -> None:
    """Each line gets exactly one answer, only marked messages are ever removed, and nothing after the end."""
    one, marked = session(secure=secure, stls=True), set[int]()
    for line, good in steps:
        actions = one.line(line)
        assert said(actions) or isinstance(actions[0], SignIn | SendMessage | Remove)
        for action in list(actions):
            match action:
                case SignIn():
                    actions += one.signed_in(MESSAGES) if good else one.not_signed_in("no", Code.AUTH, counts=True)
                case SendMessage(index, _, _):
                    assert index not in one.deleted
                    actions += one.sent() if good else one.not_sent("later", Code.SYS_TEMP)
                case Remove(indexes):
                    assert set(indexes) == marked != set()
                    actions += one.removed() if good else one.not_removed("later", Code.SYS_TEMP)
                case StartTls():
                    one.secured()
        marked = set(one.deleted)
        if any(isinstance(action, Close) for action in actions):
            assert one.state is State.ENDED
            return
