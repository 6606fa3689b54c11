"""The server that is spoken to, and how messages get into its user's mailbox."""

import itertools
import os
import re
import shlex
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.conformance.target import Server
from tests.running import Community

_NUMBER = re.compile(rb"^X-Conformance: (\d+)\r?$", re.MULTILINE)


class Deliverer(Protocol):
    """Puts messages into the user's mailbox."""

    def deliver(self, message: bytes) -> None:
        """Deliver *message*, whose lines end in CRLF; it may arrive a moment later."""


@dataclass(frozen=True, kw_only=True)
class Target(Server):
    """The server that is spoken to, and who signs in.

    :ivar deliverer: puts messages into the mailbox; without one only what needs none is tested.
    """

    sender: str = "sender@client.example"
    recipient: str = "user@client.example"
    deliverer: Deliverer | None = None

    def message(self, body: bytes, number: int, fields: bytes = b"") -> bytes:
        """Return a message with *body* and further *fields*, found again by *number*."""
        head = (
            f"From: <{self.sender}>\r\nTo: <{self.recipient}>\r\nSubject: conformance\r\n"
            "Date: Tue, 24 Nov 2026 12:00:00 +0000\r\n"
            f"Message-ID: <{number}.conformance@client.example>\r\nX-Conformance: {number}\r\n"
        )
        return head.encode() + fields + b"\r\n" + body


def number_of(text: bytes) -> int:
    """Return the number that :meth:`Target.message` gave a message; -1 for none."""
    found = _NUMBER.search(text)
    return int(found[1]) if found else -1


class Maildir:
    """The user's Maildir, in which a message is a file and its lines end in LF."""

    _numbers = itertools.count(1)

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def deliver(self, message: bytes) -> None:
        """See :class:`Deliverer`."""
        name = f"{int(time.time())}.M{next(self._numbers):06d}.conformance"
        new, made = self._directory / "new", self._directory / "tmp" / name
        made.write_bytes(message.replace(b"\r\n", b"\n"))
        # As whoever the mailbox belongs to: servers read it as that user.
        owner = self._directory.stat()
        os.chown(made, owner.st_uid, owner.st_gid)
        made.rename(new / name)


class Command:
    """A command that takes a message from its input, its lines ending in LF, as delivery programs do."""

    def __init__(self, command: str) -> None:
        self._command = shlex.split(command)

    def deliver(self, message: bytes) -> None:
        """See :class:`Deliverer`."""
        subprocess.run(self._command, input=message.replace(b"\r\n", b"\n"), check=True, timeout=60)


class Submission:
    """Another member of a running community, who writes to the user."""

    def __init__(self, community: Community, sender: dict[str, Any], recipient: dict[str, Any]) -> None:
        self._community = community
        self._sender = sender
        self._recipient = recipient

    def deliver(self, message: bytes) -> None:
        """See :class:`Deliverer`."""
        header = message.partition(b"\r\n\r\n")[0]
        options = ["BODY=8BITMIME"] if header.isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
        session = self._community.smtp(self._sender)
        try:
            session.sendmail(self._sender["address"], [self._recipient["address"]], message, mail_options=options)
        finally:
            session.quit()
