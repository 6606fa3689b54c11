"""Who calls the server: opens wires in the states that tests begin with, and judges what is answered."""

import base64
import itertools
from collections.abc import Collection
from contextlib import suppress

from tests.conformance.judgement import Judge, Notes
from tests.conformance.smtp.client import Reply, Wire
from tests.conformance.smtp.target import Target, number_of
from tests.conformance.target import Security

#: Replies that refuse a line for its form: unknown command, bad arguments, bad address, unknown parameter.
SYNTAX = (500, 501, 502, 504, 550, 553, 555)
#: Replies that refuse a command that is not there; some servers leave (RFC 5321 section 3.8, RFC 7504).
NO_COMMAND = (500, 502, 521)
#: Replies that refuse a parameter that is not there (RFC 5321 section 4.1.1.11).
NO_PARAMETER = (501, 504, 555)


class Caller(Judge):
    """Speaks to one target on behalf of one test."""

    _numbers = itertools.count(1)

    def __init__(self, target: Target, offered: dict[str, str], notes: Notes, test: str) -> None:
        super().__init__(target, offered, notes, test)
        self.target = target
        self.mail = f"MAIL FROM:<{target.sender}>"
        self.rcpt = f"RCPT TO:<{target.recipient}>"
        self.wires: list[Wire] = []

    # Wires in the states that tests begin with.

    def wire(self) -> Wire:
        """Return a connection on which nothing has been read or said."""
        wire = Wire(self.target.host, self.target.port)
        self.wires.append(wire)
        return wire

    def met(self) -> Wire:
        """Return a connection that was greeted; inside TLS where that comes first."""
        wire = self.wire()
        if self.target.security is Security.IMPLICIT:
            wire.secure(self.target.context(), self.target.host)
        assert wire.reply().code == 220
        return wire

    def secured(self) -> Wire:
        """Return a connection inside TLS on which nothing has been said since."""
        wire = self.met()
        if self.target.security is Security.STARTTLS:
            assert wire.say("EHLO client.example").code == 250
            assert wire.say("STARTTLS").code == 220
            wire.secure(self.target.context(), self.target.host)
        return wire

    def greeted(self) -> Wire:
        """Return a connection inside TLS that said EHLO."""
        wire = self.secured()
        assert wire.say("EHLO client.example").code == 250
        return wire

    def ready(self) -> Wire:
        """Return a connection that may begin a message: signed in, where there is somebody to sign in as."""
        wire = self.greeted()
        if self.target.user:
            signed_in = wire.say(self.sign_in())
            assert signed_in.code == 235, signed_in
        return wire

    def in_mail(self) -> Wire:
        """Return a connection after MAIL."""
        wire = self.ready()
        begun = wire.say(self.mail)
        assert begun.code == 250, begun
        return wire

    def addressed(self) -> Wire:
        """Return a connection after MAIL and RCPT."""
        wire = self.in_mail()
        added = wire.say(self.rcpt)
        assert added.code == 250, added
        return wire

    def sign_in(self, password: str | None = None) -> str:
        """Return the AUTH command."""
        secret = self.target.password if password is None else password
        return "AUTH PLAIN " + base64.b64encode(f"\0{self.target.user}\0{secret}".encode()).decode()

    def number(self) -> int:
        """Return a number that no other message of this run has."""
        return next(self._numbers)

    def fill(self, line: str) -> str:
        """Put the target's addresses into *line*."""
        told = {"{A}": self.target.sender, "{B}": self.target.recipient, "{R}": self.target.refused}
        for name, value in told.items():
            line = line.replace(name, value)
        return line

    # Judgement.

    def answers(self, reply: Reply, allowed: Collection[int], promised: int | None = None, about: str = "") -> None:
        """Hold a reply against what the standard allows and the one code that our service promises."""
        assert reply.code in allowed, f"{about}: {reply}, not one of {sorted(allowed)}"
        if promised is not None:
            self.promise(reply.code == promised, f"{about}: {reply.code}, not {promised}")

    def needs_user(self) -> None:
        """Leave the test out where there is nobody to sign in as."""
        if not self.target.user:
            self.leave_out("there is nobody to sign in as")

    def arrived(self, *numbers: int) -> dict[int, bytes]:
        """Return what the recipient got by number, as soon as *numbers* are among it; leave the rest of the test out
        where that cannot be read.
        """
        if self.target.mailbox is None:
            self.leave_out("the recipient's mailbox cannot be read: it is not known whether octets arrive unchanged")
        found: dict[int, bytes] = {}
        while set(numbers) - found.keys():
            found |= {number_of(message): message for message in self.target.mailbox.take(1)}
        return found

    def close(self) -> None:
        """Close all wires, orderly where they still can."""
        for wire in self.wires:
            wire.close()


def offered_by(reply: Reply) -> dict[str, str]:
    """Return the extensions in a reply to EHLO: parameters by keyword."""
    found = {}
    for line in reply.lines[1:]:
        keyword, _, parameters = line.partition(" ")
        found[keyword.upper()] = parameters
    return found


def offers(target: Target) -> dict[str, str]:
    """Ask *target* what it offers to who is signed in, and AUTH from before that."""
    caller = Caller(target, {}, Notes(), "")
    try:
        before = offered_by(caller.secured().say("EHLO client.example"))
        ready = caller.ready()
        now = offered_by(ready.say("EHLO client.example"))
    finally:
        caller.close()
    return now | {keyword: before[keyword] for keyword in ("AUTH",) if keyword in before}


def finish(wire: Wire) -> None:
    """Say QUIT and wait for the end, so that the server has no more to do for this connection."""
    with suppress(OSError):
        wire.say("QUIT")
    assert wire.rest() == []
