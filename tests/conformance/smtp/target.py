"""The server that is spoken to, and how its mailbox is read where that is possible."""

import email.utils
import os
import re
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.conformance.target import Server
from tests.running import Community, content

_WAIT = 30.0
_NUMBER = re.compile(rb"^X-Conformance: (\d+)\r?$", re.MULTILINE)


class Mailbox(Protocol):
    """What the recipient has got."""

    def take(self, at_least: int) -> list[bytes]:
        """Return and remove all messages, as soon as there are so many; line ends are CRLF."""


@dataclass(frozen=True, kw_only=True)
class Target(Server):
    """The server that is spoken to, and who speaks.

    :ivar refused: an address that the server refuses as a recipient.
    """

    sender: str = "sender@example.test"
    recipient: str = "recipient@example.test"
    refused: str = "nobody@refused.example"
    mailbox: Mailbox | None = None

    def message(self, text: bytes = b"text\r\n", *fields: bytes, number: int = 0) -> bytes:
        """Return a message with *text* as its body, found again by *number*; a last CRLF is *text*'s own."""
        head = (
            f"From: <{self.sender}>\r\nTo: <{self.recipient}>\r\nSubject: conformance\r\n"
            f"Date: {email.utils.formatdate()}\r\nMessage-ID: {email.utils.make_msgid(domain='client.example')}\r\n"
            f"X-Conformance: {number:08d}\r\n"
        ).encode()
        return head + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + text


def number_of(message: bytes) -> int:
    """Return the number that :meth:`Target.message` gave a message; -1 for none."""
    found = _NUMBER.search(message)
    return int(found[1]) if found else -1


def body_of(message: bytes) -> bytes:
    """Return what follows the header."""
    return message.partition(b"\r\n\r\n")[2]


class CommunityMailbox:
    """The mailbox of a member of a running community, read over POP3."""

    def __init__(self, community: Community, account: dict[str, Any]) -> None:
        self._community = community
        self._account = account

    def take(self, at_least: int) -> list[bytes]:
        """See :class:`Mailbox`."""
        ends = time.monotonic() + _WAIT
        while True:
            # In one session, since what arrives between two would be deleted unread.
            with closing(self._community.pop3(self._account)) as session:
                count = session.stat()[0]
                if count >= at_least:
                    found = [content(session, number) for number in range(1, count + 1)]
                    for number in range(1, count + 1):
                        session.dele(number)
                    session.quit()
                    return found
                session.quit()
            assert time.monotonic() < ends, f"{count} of {at_least} messages came"
            time.sleep(0.05)


class Maildir:
    """A directory with one file for each message, as servers write it: lines end in LF there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def take(self, at_least: int) -> list[bytes]:
        """See :class:`Mailbox`."""
        ends = time.monotonic() + _WAIT
        while len(paths := self._paths()) < at_least:
            if time.monotonic() > ends:
                raise AssertionError(f"{len(paths)} of {at_least} messages came")
            time.sleep(0.05)
        found = [path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for path in paths]
        for path in paths:
            path.unlink()
        return found

    def _paths(self) -> list[Path]:
        new = self._directory / "new"
        return sorted(new / name for name in os.listdir(new)) if new.is_dir() else []
