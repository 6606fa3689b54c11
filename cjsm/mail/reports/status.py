"""The part of a report for programs: message/delivery-status (RFC 3464 §2), always ASCII (RFC 6533 §3)."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from cjsm.mail.notifications import BadParameter, decode_xtext, encode_utf8_address, split_original
from cjsm.mail.reports.facts import Action, RecipientReport, Reporter, Subject
from cjsm.mail.reports.text import LONGEST, ascii_line, folded, one_line

_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_REPLY = re.compile(r"[245][0-9][0-9](?![0-9])")
#: RFC 3463 §3.1: the class alone, where nothing more is known.
_UNKNOWN = {Action.FAILED: "5.0.0", Action.DELAYED: "4.0.0"}


def status_part(subject: Subject, recipients: Sequence[RecipientReport], reporter: Reporter) -> str:
    """Return the fields of the message, then those of each recipient, blank lines between."""
    groups = [_of_message(subject, reporter), *(_of_recipient(each) for each in recipients)]
    return "\r\n".join("".join(folded(name, value) for name, value in group) for group in groups)


def known_status(recipient: RecipientReport) -> str:
    """Return the enhanced status code, or its class where none was given or it is malformed."""
    found = _STATUS.fullmatch(recipient.status)
    return recipient.status if found else _UNKNOWN.get(recipient.action, "2.0.0")


def is_reply(diagnostic: str) -> bool:
    """Whether *diagnostic* begins with a reply code (RFC 5321 §4.2); else nobody said it to us."""
    return _REPLY.match(diagnostic) is not None


def date(seconds: int) -> str:
    """Return a date-time (RFC 5322 §3.3)."""
    return format_datetime(datetime.fromtimestamp(seconds, UTC))


def envelope_id(subject: Subject) -> str:
    """Return ENVID decoded, as it goes into a report (RFC 3464 §2.2.1)."""
    try:
        return ascii_line(decode_xtext(subject.envelope_id))
    except BadParameter:
        return ascii_line(subject.envelope_id)


def _of_message(subject: Subject, reporter: Reporter) -> Iterator[tuple[str, str]]:
    yield "Reporting-MTA", f"dns; {ascii_line(reporter.host)}"
    if reference := envelope_id(subject):
        yield "Original-Envelope-Id", reference
    yield "Arrival-Date", date(subject.arrival)


def _of_recipient(recipient: RecipientReport) -> Iterator[tuple[str, str]]:
    if original := _original(recipient.original):
        yield "Original-Recipient", original
    yield "Final-Recipient", _final(one_line(recipient.final_recipient))
    yield "Action", recipient.action
    yield "Status", known_status(recipient)
    if remote := ascii_line(recipient.remote):
        yield "Remote-MTA", f"dns; {remote}"
    if words := ascii_line(recipient.diagnostic):
        yield "Diagnostic-Code", f"{'smtp' if is_reply(words) else 'x-cjsm'}; {words}"
    if recipient.last_attempt is not None:
        yield "Last-Attempt-Date", date(recipient.last_attempt)
    if recipient.retry_until is not None and recipient.action is Action.DELAYED:
        yield "Will-Retry-Until", date(recipient.retry_until)


def _final(address: str) -> str:
    return f"rfc822; {address}" if address.isascii() else f"utf-8; {encode_utf8_address(address)[:LONGEST]}"


def _original(written: str) -> str:
    try:
        kind, address = split_original(written)
    except BadParameter:
        return ""
    return f"{kind}; {ascii_line(address)}"
