"""Lines to commands and replies to octets: every line gives a command or a reply that says what is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.mail.envelope import Demands, Notify, Returned, Wish
from cjsm.smtp.grammar import (
    Auth,
    Bdat,
    Command,
    Ehlo,
    Limits,
    Mail,
    Plain,
    Problem,
    Rcpt,
    looks_like_http,
    parse,
    reply,
)

LIMITS = Limits(command=512, parameters=2048, auth=12_288)
#: What fuzzing is made of.
WORDS = [
    *(b"EHLO", b"HELO", b"MAIL FROM:", b"RCPT TO:", b"DATA", b"RSET", b"NOOP", b"QUIT", b"AUTH", b"STARTTLS", b"BDAT"),
    *(
        b"<",
        b">",
        b"<>",
        b"<a@b>",
        b"@",
        b'"',
        b"\\",
        b":",
        b" ",
        b"=",
        b"SIZE=",
        b"BODY=8BITMIME",
        b"AUTH=<>",
        b"\xff",
    ),
    *(
        b"PLAIN",
        b"LOGIN",
        b"XOAUTH2",
        b"AGEAYg==",
        b"RET=HDRS",
        b"9" * 30,
        b"%",
        b"[192.0.2.1]",
        b"\t",
        b"\0",
        b"a" * 70,
    ),
]


def test_commands() -> None:
    """Each command of RFC 5321 in any case of letters."""
    assert parse(b"ehlo client.example", LIMITS) == Ehlo(True, "client.example")
    assert parse(b"HELO [192.0.2.1]", LIMITS) == Ehlo(False, "[192.0.2.1]")
    assert parse(b"MAIL FROM:<jo@firm.cjsm.test>", LIMITS) == Mail("jo@firm.cjsm.test", None)
    assert parse(b"mail from:<> SIZE=1000 BODY=8BITMIME", LIMITS) == Mail("", 1000, Demands(eight_bit=True))
    assert parse(b"MAIL FROM: <jo@firm> AUTH=<>", LIMITS) == Mail("jo@firm", None)
    assert parse(b"RCPT TO:<sam@avon.cjsm.test>", LIMITS) == Rcpt("sam@avon.cjsm.test")
    assert parse(b'RCPT TO:<"a > b"@avon>', LIMITS) == Rcpt('"a > b"@avon')
    assert parse(b"AUTH plain AGEAYg==", LIMITS) == Auth(b"PLAIN", b"AGEAYg==")
    assert parse(b"AUTH LOGIN", LIMITS) == Auth(b"LOGIN", None)
    for verb in ("DATA", "RSET", "QUIT", "STARTTLS", "NOOP", "HELP", "VRFY", "EXPN"):
        assert parse(verb.lower().encode(), LIMITS) == Plain(verb)
    assert parse(b"NOOP whatever", LIMITS) == Plain("NOOP")


@pytest.mark.parametrize(
    ("line", "code", "status"),
    [
        (b"", 500, "5.5.2"),
        (b"BDAT", 501, "5.5.4"),
        (b"BDAT x", 501, "5.5.4"),
        (b"BDAT -1", 501, "5.5.4"),
        (b"BDAT 1 FIRST", 501, "5.5.4"),
        (b"BDAT 1 LAST LAST", 501, "5.5.4"),
        (b"\xff\xfe", 500, "5.5.2"),
        (b"EHLO", 501, "5.5.4"),
        (b"EHLO a b", 501, "5.5.4"),
        (b"EHLO " + b"a" * 256, 501, "5.5.4"),
        (b"EHLO " + b"a" * 600, 500, "5.5.2"),
        (b"DATA now", 501, "5.5.4"),
        (b"STARTTLS now", 501, "5.5.4"),
        (b"MAIL", 501, "5.5.4"),
        (b"MAIL TO:<a@b>", 501, "5.5.4"),
        (b"MAIL FROM:a@b", 501, "5.1.7"),
        (b"MAIL FROM:<a@b", 501, "5.1.7"),
        (b"MAIL FROM:<a@b>x", 501, "5.1.7"),
        (b"MAIL FROM:<<a@b>>", 501, "5.1.7"),
        (b"MAIL FROM:<a b@c>", 501, "5.1.7"),
        (b"MAIL FROM:<a@b> SIZE=x", 501, "5.5.4"),
        (b"MAIL FROM:<a@b> SIZE=" + b"9" * 21, 501, "5.5.4"),
        (b"MAIL FROM:<a@b> SIZE", 501, "5.5.4"),
        (b"MAIL FROM:<a@b> SIZE=1 SIZE=2", 501, "5.5.4"),
        (b"MAIL FROM:<a@b> BODY=BINARYMIME", 501, "5.5.4"),
        (b"MAIL FROM:<a@b> SMTPUTF8=1", 501, "5.5.4"),
        (b"MAIL FROM:<a@b> REQUIRETLS=1", 501, "5.5.4"),
        (b"MAIL FROM:<a@b> RET=ALL", 501, "5.5.4"),
        (b"MAIL FROM:<a@b> ENVID", 501, "5.5.4"),
        (b"MAIL FROM:<a@b> ENVID=a+2", 501, "5.5.4"),
        (b"MAIL FROM:<a@b> ENVID=" + b"a" * 101, 501, "5.5.4"),
        (b"MAIL FROM:<a@b> MT-PRIORITY=1", 555, "5.5.4"),
        (b"MAIL FROM:<a@b> =", 501, "5.5.4"),
        (b"MAIL FROM:<" + b"a" * 2050 + b">", 500, "5.5.2"),
        (b"RCPT FROM:<a@b>", 501, "5.5.4"),
        (b"RCPT TO:a@b", 501, "5.1.3"),
        (b"RCPT TO:<a@b> NOTIFY", 501, "5.5.4"),
        (b"RCPT TO:<a@b> NOTIFY=NEVER,DELAY", 501, "5.5.4"),
        (b"RCPT TO:<a@b> NOTIFY=DELAY,DELAY", 501, "5.5.4"),
        (b"RCPT TO:<a@b> NOTIFY=OFTEN", 501, "5.5.4"),
        (b"RCPT TO:<a@b> ORCPT=jo@b", 501, "5.5.4"),
        (b"RCPT TO:<a@b> ORCPT=rfc822;", 501, "5.5.4"),
        (b"RCPT TO:<a@b> RET=FULL", 555, "5.5.4"),
        (b"AUTH", 501, "5.5.4"),
        (b"AUTH PLAIN ", 501, "5.5.4"),
        (b"AUTH PLAIN a b", 501, "5.5.4"),
        (b"AUTH PLAIN " + b"a" * 13_000, 500, "5.5.2"),
    ],
)
def test_problems(line: bytes, code: int, status: str) -> None:
    """What is wrong is said with a code and words, on one line."""
    found = parse(line, LIMITS)
    assert isinstance(found, Problem)
    assert (found.reply.code, found.reply.status) == (code, status)
    assert found.reply.encode().count(b"\r\n") == 1


@given(st.one_of(st.binary(max_size=100), st.lists(st.sampled_from(WORDS), max_size=8).map(b"".join)))
def test_every_line_gives_something(line: bytes) -> None:
    """No line makes the parser fail, and no reply breaks the line it stands on."""
    found: Command = parse(line, LIMITS)
    assert isinstance(found, Command.__args__)  # type: ignore[attr-defined]
    if isinstance(found, Problem):
        assert found.reply.encode().count(b"\r\n") == 1
        assert found.reply.encode().isascii()


@given(
    st.from_regex(r"[a-z0-9.!#+-]{1,20}@[a-z0-9.-]{1,20}", fullmatch=True),
    st.none() | st.integers(0, 10**19),
    st.booleans(),
)
def test_round_trip(path: str, size: int | None, eight: bool) -> None:
    """What a client writes is what is read."""
    line = f"MAIL FROM:<{path}>"
    line += f" SIZE={size}" if size is not None else ""
    line += " BODY=8BITMIME" if eight else ""
    assert parse(line.encode(), LIMITS) == Mail(path, size, Demands(eight_bit=eight))


def test_what_senders_ask_for() -> None:
    """Reports, international addresses and TLS all the way, in any case of letters."""
    line = b"MAIL FROM:<jo@b> ret=hdrs ENVID=QQ+2B1 SMTPUTF8 requiretls"
    demands = Demands(returned=Returned.HEADERS, envelope_id="QQ+2B1", smtputf8=True, require_tls=True)
    assert parse(line, LIMITS) == Mail("jo@b", None, demands)
    wish = Wish(notify=frozenset({Notify.SUCCESS, Notify.DELAY}), original="rfc822;jo+2B@b")
    assert parse(b"RCPT TO:<jo@b> NOTIFY=success,DELAY ORCPT=rfc822;jo+2B@b", LIMITS) == Rcpt("jo@b", wish)


def test_chunks() -> None:
    """How many octets follow, and whether they are the last; what cannot be read ends the connection."""
    assert parse(b"BDAT 100", LIMITS) == Bdat(100, last=False)
    assert parse(b"bdat 0 last", LIMITS) == Bdat(0, last=True)
    for said in (b"BDAT\t5 LAST", b"BDAT5", b"bdat 5" + b" " * LIMITS.command + b"LAST"):
        wrong = parse(said, LIMITS)
        assert isinstance(wrong, Problem)
        assert wrong.close, said
    wrong = parse(b"BDAT ten", LIMITS)
    assert isinstance(wrong, Problem)
    assert wrong.close


def test_secrets_are_not_shown() -> None:
    """A command that carries a secret does not print it."""
    assert "AGEAYg" not in repr(parse(b"AUTH PLAIN AGEAYg==", LIMITS))


def test_replies() -> None:
    """Each line of a reply carries the code, and the status where there is one."""
    assert reply(250, "2.0.0", "done").encode() == b"250 2.0.0 done\r\n"
    assert reply(250, "", "host", "SIZE 5", "PIPELINING").encode() == b"250-host\r\n250-SIZE 5\r\n250 PIPELINING\r\n"
    assert reply(550, "5.1.1", "jös is nobody").encode() == b"550 5.1.1 j?s is nobody\r\n"


def test_browsers() -> None:
    """Methods of HTTP are known by their first words."""
    assert looks_like_http(b"POST / HTTP/1.1")
    assert looks_like_http(b"GET /")
    assert not looks_like_http(b"EHLO POST")
