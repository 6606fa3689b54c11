"""A short message that the service writes: text for people, which every mail program shows."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, formataddr

from cjsm.configuration import CommunitySettings

#: The last fields of its header, and the line that ends it.
HEAD = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"


def postmaster(names: CommunitySettings) -> str:
    """Return the one fixed sender, as a From field has it."""
    return formataddr((names.service_name, f"postmaster@{names.suffix}"))


def date(moment: float) -> str:
    """Return *moment*, in seconds since the epoch, as a Date field has it."""
    return format_datetime(datetime.fromtimestamp(int(moment), UTC))


def letter(
    text: str, *, sender: str, to: str, subject: str, moment: float, message_id: str, fields: Sequence[str] = ()
) -> bytes:
    """Return a whole message that says *text*.

    :param sender: as its From field has it.
    :param subject: folded and encoded where that is needed.
    :param moment: its date, in seconds since the epoch.
    :param message_id: without angle brackets.
    :param fields: further ones, without the ends of their lines.
    """
    head = (
        f"From: {sender}",
        f"To: <{to}>",
        f"Subject: {subject}",
        f"Date: {date(moment)}",
        f"Message-ID: <{message_id}>",
        *fields,
    )
    return "".join(f"{field}\r\n" for field in head).encode() + HEAD.encode() + lines(text)


def lines(text: str) -> bytes:
    """Return *text* as it is transmitted, in lines of at most 76 characters."""
    encoded = base64.b64encode(text.encode())
    return b"".join(encoded[at : at + 76] + b"\r\n" for at in range(0, len(encoded), 76))


async def nothing() -> bytes:
    """Return what follows the beginning of such a message: its end."""
    return b""
