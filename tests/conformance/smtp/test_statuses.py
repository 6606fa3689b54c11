"""Enhanced status codes: on every reply that has one, and of the reply's own class (RFC 2034, RFC 3463)."""

from tests.conformance.smtp.caller import Caller


def test_statuses(caller: Caller) -> None:
    """Greeting, EHLO and 3xx have none; all other replies have one on each line, of their class (RFC 2034 4)."""
    caller.needs("ENHANCEDSTATUSCODES")
    wire = caller.ready()
    said = [
        "NOOP",
        "HELP",
        "VRFY nobody",
        "EXPN nobody",
        "XYZZY",
        "RCPT",
        caller.mail,
        caller.mail,
        f"RCPT TO:<{caller.target.refused}>",
        "DATA",
        caller.rcpt,
        "RSET",
        "MAIL FROM:<> X-UNKNOWN",
        "STARTTLS",
        "QUIT",
    ]
    for line in said:
        reply = wire.say(line)
        assert all(reply.statuses), f"{line}: {reply}"
        assert {status[0] for status in reply.statuses} == {str(reply.code)[0]}, f"{line}: {reply}"


def test_statuses_of_messages(caller: Caller) -> None:
    """A message's own reply has one too, and 354 has none (RFC 2034 4)."""
    caller.needs("ENHANCEDSTATUSCODES")
    wire = caller.addressed()
    assert wire.say("DATA").statuses == ("",)
    wire.send(caller.target.message() + b".\r\n")
    assert wire.reply().status.startswith("2.")


def test_statuses_of_signing_in(caller: Caller) -> None:
    """Signing in has one, and 334 has none (RFC 4954 6)."""
    caller.needs("ENHANCEDSTATUSCODES")
    caller.needs("AUTH")
    wire = caller.greeted()
    assert wire.say("AUTH X-UNKNOWN").status.startswith("5.")
    assert wire.say("AUTH PLAIN").statuses == ("",)
    assert wire.say("*").status.startswith("5.")
    if caller.target.user:
        assert wire.say(caller.sign_in()).status == "2.7.0"


def test_what_they_say(caller: Caller) -> None:
    """Statuses that clients act upon are the registered ones (RFC 3463, RFC 5248)."""
    caller.needs("ENHANCEDSTATUSCODES")
    wire = caller.ready()
    for line, statuses in (
        ("XYZZY", ("5.5.1", "5.5.2")),
        (caller.rcpt, ("5.5.1",)),
        (f"{caller.mail} X-UNKNOWN", ("5.5.4",)),
        (f"{caller.mail} SIZE=99999999999", ("5.3.4",)),
        (caller.mail, ("2.1.0",)),
        (caller.rcpt, ("2.1.5",)),
    ):
        reply = wire.say(line)
        caller.promise(reply.status in statuses, f"{line[:4]} is answered {reply.code} {reply.status}")
