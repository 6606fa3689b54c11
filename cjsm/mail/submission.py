"""What passing on changes in a header: trace in front; at submission Date and Message-ID where absent, Bcc away
(RFC 6409 §8), and who wrote for a shared mailbox.

Everything else stays byte for byte.
"""

from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from msgspec import Struct

from cjsm.mail.header import Header
from cjsm.mail.interfaces import Hop
from cjsm.mail.words import shown
from cjsm.vault.message import Summary

#: Bcc is nobody's business, Return-Path is ours to write.
_OURS_TO_WRITE = frozenset((b"return-path",))
_TAKEN_AWAY = frozenset((b"bcc", b"resent-bcc")) | _OURS_TO_WRITE
_LONGEST_ID = 256
_LONGEST_DATE = 64


class Submitted(Struct, frozen=True, kw_only=True):
    """A header as it is sealed, blank line included, and what is told of the message apart from it."""

    octets: bytes
    message_id: str
    summary: Summary


def submitted(
    header: Header, *, hop: Hop, queue_id: str, host: str, unique: str, now: float, sender: str = ""
) -> Submitted:
    """Return *header* as this service passes on what people submit.

    :param queue_id: how replies and traces call the message.
    :param unique: what a Message-ID begins with where the message has none.
    :param now: the time of acceptance, in seconds since the epoch.
    :param sender: who wrote it, where it is from a shared mailbox: it takes the place of a Sender field.
    """
    date = _date(int(now))
    message_id = header.first(b"message-id") or f"<{unique}@{host}>"
    added = "" if header.has(b"date") else f"Date: {date}\r\n"
    if not header.has(b"message-id"):
        added += f"Message-ID: {message_id}\r\n"
    without = _TAKEN_AWAY
    if sender:
        added += f"Sender: <{sender}>\r\n"
        without |= {b"sender"}
    octets = header.octets(before=_received(hop, queue_id, date), without=without, after=added.encode())
    return Submitted(octets=octets, message_id=message_id[:_LONGEST_ID], summary=_summary(header, date))


def relayed(header: Header, *, hop: Hop, queue_id: str, now: float) -> Submitted:
    """Return *header* as this service passes on what an organisation's server relays: nothing is added but trace."""
    date = _date(int(now))
    octets = header.octets(before=_received(hop, queue_id, date), without=_OURS_TO_WRITE, after=b"")
    message_id = header.first(b"message-id")[:_LONGEST_ID]
    return Submitted(octets=octets, message_id=message_id, summary=_summary(header, date))


def told_of(header: Header) -> Submitted:
    """Return what is told of a message that the service itself wrote."""
    return Submitted(
        octets=b"",
        message_id=header.first(b"message-id")[:_LONGEST_ID],
        summary=_summary(header, header.first(b"date")),
    )


def _summary(header: Header, date: str) -> Summary:
    return Summary(
        sender=shown(header.first(b"from")),
        to=shown(header.first(b"to")),
        subject=shown(header.first(b"subject")),
        date=shown(header.first(b"date") or date)[:_LONGEST_DATE],
        octets=0,
    )


@lru_cache(maxsize=4)
def _date(now: int) -> str:
    """Return a date-time (RFC 5322 §3.3); many messages share a second."""
    return format_datetime(datetime.fromtimestamp(now, UTC))


def _received(hop: Hop, queue_id: str, date: str) -> bytes:
    """Return the trace line: no client address where an account sent it, and no recipient (vault, "A message")."""
    tls = " ".join(part for part in (hop.tls_version, hop.tls_group) if part)
    agreed = f" ({tls})" if tls else ""
    origin = f"from {hop.client}\r\n\t" if hop.client else ""
    line = f"Received: {origin}by {hop.host} with {hop.protocol}{agreed}\r\n\tid {queue_id};\r\n\t{date}\r\n"
    return line.encode("ascii", "replace")
