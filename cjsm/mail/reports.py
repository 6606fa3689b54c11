"""Reports of what became of a message, as messages (RFC 3464 in RFC 6522, with what RFC 3461 and RFC 6533 ask for).

Pure: time and boundary are arguments. What other servers said is quoted, and can be nothing but a quotation.
"""

import re
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum

from msgspec import Struct

_LONGEST = 900
_WIDTH = 76


class Action(StrEnum):
    """What became of a recipient (RFC 3464 section 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"


class RecipientReport(Struct, frozen=True, kw_only=True):
    """What is told of one recipient.

    :ivar address: the recipient, in canonical form.
    :ivar original: ORCPT as the sender wrote it (xtext), or empty.
    :ivar status: such as ``5.1.1``.
    :ivar words: why, for people: the other server's reply or our own words.
    :ivar remote: the server that said so, or empty; then *words* are quoted as its own.
    """

    address: str
    action: Action
    status: str
    words: str
    original: str = ""
    remote: str = ""


class Original(StrEnum):
    """How much of the message is returned."""

    NOTHING = ""
    HEADER = "header"
    WHOLE = "whole"


class Report(Struct, frozen=True, kw_only=True):
    """What is told of one message; moments in seconds since the epoch.

    :ivar service: how the service calls itself, *host* its name, *postmaster* where people turn to.
    :ivar to: the message's sender.
    :ivar envelope_id: ENVID as the sender wrote it (xtext), or empty.
    :ivar expires: when what is delayed is given up; 0 where nothing is.
    :ivar unique: at least 32 hexadecimal digits of chance: Message-ID and boundary.
    """

    service: str
    host: str
    postmaster: str
    to: str
    message_id: str
    envelope_id: str
    arrived: int
    now: int
    expires: int
    unique: str
    recipients: tuple[RecipientReport, ...]
    original: Original


class Built(Struct, frozen=True):
    """A report: what stands before the returned message, and what stands after it."""

    before: bytes
    after: bytes


def build(report: Report) -> Built:
    """Return the report as a message; between its two parts goes what :attr:`Report.original` says."""
    boundary = f"report-{report.unique}"
    international = not all(each.address.isascii() for each in report.recipients) or not report.to.isascii()
    parts = [
        _header(report, boundary),
        f"--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        _words(report),
        f"\r\n--{boundary}\r\nContent-Type: message/{'global-' if international else ''}delivery-status\r\n",
        "Content-Transfer-Encoding: 8bit\r\n\r\n" if international else "\r\n",
        _status(report, international=international),
    ]
    if report.original is not Original.NOTHING:
        kind = "message/rfc822" if report.original is Original.WHOLE else "text/rfc822-headers"
        parts.append(f"\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
    return Built("".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode("ascii"))


def _header(report: Report, boundary: str) -> str:
    return (
        f"From: {_phrase(report.service)} <{report.postmaster}>\r\nTo: <{report.to}>\r\n"
        f"Subject: {_subject(report.recipients)}\r\nDate: {_date(report.now)}\r\n"
        f"Message-ID: <report.{report.unique}@{report.host}>\r\n"
        + (f"References: {_plain(report.message_id)}\r\n" if report.message_id else "")
        + "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="{boundary}"\r\n\r\n'
    )


def _subject(recipients: Sequence[RecipientReport]) -> str:
    actions = {each.action for each in recipients}
    if Action.FAILED in actions:
        return "Your message could not be delivered"
    if Action.DELAYED in actions:
        return "Your message is delayed"
    return "Your message was delivered"


_TOLD = {
    Action.FAILED: "It could not be delivered to",
    Action.DELAYED: "It has not been delivered yet to",
    Action.DELIVERED: "It was put into the mailbox of",
    Action.RELAYED: "It was handed to the organisation's own server for",
}


def _words(report: Report) -> str:
    """The part for people."""
    paragraphs = [f"This is {_shown(report.service)}. You sent a message on {_date(report.arrived)}."]
    if report.message_id:
        paragraphs[0] += f" Its Message-ID is {_shown(report.message_id)}"
    for action, told in _TOLD.items():
        for each in report.recipients:
            if each.action is action:
                paragraphs.append(f"{told} {_shown(each.address)}.{_reason(each)}")
    if any(each.action is Action.DELAYED for each in report.recipients):
        until = f" until {_date(report.expires)}" if report.expires else ""
        paragraphs.append(f"Nothing needs to be done: it is tried again{until}. You hear if it fails.")
    if any(each.action is Action.FAILED for each in report.recipients):
        paragraphs.append(
            "Check the address, or reach the person by another route. If you think that this is a mistake, "
            f"write to {_shown(report.postmaster)} and include this report."
        )
    filled = (textwrap.fill(paragraph, _WIDTH, break_on_hyphens=False) for paragraph in paragraphs)
    return "\r\n\r\n".join(text.replace("\n", "\r\n") for text in filled) + "\r\n"


def _reason(each: RecipientReport) -> str:
    if not each.words or each.action in (Action.DELIVERED, Action.RELAYED):
        return ""
    if each.remote:
        return f' The server {_shown(each.remote)} said: "{_shown(each.words)}"'
    return f" The reason: {_shown(each.words)}."


def _status(report: Report, *, international: bool) -> str:
    """The part for programs (RFC 3464 section 2)."""
    lines = [f"Reporting-MTA: dns; {_plain(report.host)}"]
    if report.envelope_id:
        lines.insert(0, f"Original-Envelope-Id: {_plain(_decoded(report.envelope_id))}")
    lines.append(f"Arrival-Date: {_date(report.arrived)}")
    kind = "utf-8" if international else "rfc822"
    for each in report.recipients:
        lines.append("")
        if each.original:
            given, _, address = each.original.partition(";")
            lines.append(f"Original-Recipient: {_plain(given)};{_plain(_decoded(address))}")
        lines += [f"Final-Recipient: {kind};{_shown(each.address)}", f"Action: {each.action}", f"Status: {each.status}"]
        if each.remote:
            lines.append(f"Remote-MTA: dns; {_plain(each.remote)}")
            lines.append(f"Diagnostic-Code: smtp; {_plain(each.words)}")
        lines.append(f"Last-Attempt-Date: {_date(report.now)}")
        if each.action is Action.DELAYED and report.expires:
            lines.append(f"Will-Retry-Until: {_date(report.expires)}")
    return "\r\n".join(lines) + "\r\n"


def _decoded(xtext: str) -> str:
    """Decode what RFC 3461 section 4 encodes; what does not decode to ASCII that can be shown stays as it is."""
    decoded = re.sub(r"\+([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), xtext)
    return decoded if decoded.isascii() and decoded.isprintable() else xtext


def _shown(text: str) -> str:
    """Return *text* as one line that people read."""
    return "".join(each if each.isprintable() else " " for each in text)[:_LONGEST].strip()


def _plain(text: str) -> str:
    """Return *text* as the value of a field: ASCII, one line, not too long."""
    return _shown(text).encode("ascii", "replace").decode()


def _phrase(text: str) -> str:
    """Return *text* as a display name."""
    return '"' + re.sub(r'["\\]', "", _plain(text)[:60]) + '"'


def _date(moment: int) -> str:
    return format_datetime(datetime.fromtimestamp(moment, UTC))
