"""A whole report: header, the part for people, the part for programs, and room for the message (RFC 6522, RFC 3464)."""

import binascii
import re
from collections.abc import Sequence
from email.utils import formataddr

from cjsm.mail.envelope import Returned
from cjsm.mail.reports.facts import Enclosure, RecipientReport, Report, Reporter, Subject
from cjsm.mail.reports.status import date, status_part
from cjsm.mail.reports.text import folded, one_line
from cjsm.mail.reports.words import human_part, subject_line

#: Octets of random bits that boundary and Message-ID are made of.
UNIQUE_OCTETS = 16
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,254}>")
_NOT_IN_PATH = re.compile(r"[\s<>]+")
_EIGHT_BIT = "Content-Transfer-Encoding: 8bit\r\n"
#: RFC 3464 §2, RFC 6522 §4; for messages with UTF-8 headers RFC 6533 §5 and §6.
_TYPES = {
    (Returned.FULL, False): "message/rfc822",
    (Returned.FULL, True): "message/global",
    (Returned.HEADERS, False): "text/rfc822-headers",
    (Returned.HEADERS, True): "message/global-headers",
}


def report(
    subject: Subject,
    recipients: Sequence[RecipientReport],
    *,
    reporter: Reporter,
    enclosure: Enclosure | None,
    now: int,
    unique: bytes,
) -> Report:
    """Return the report on *recipients*, one or more.

    It is ASCII but for what it encloses, and for its To where the reverse-path is not: such a report needs SMTPUTF8.
    It goes out with the null reverse-path, so that nothing answers it (RFC 3464 §2).

    :param enclosure: None where nothing of the message is returned: on a hosted recipient.
    :param now: the moment, in seconds since the epoch.
    :param unique: 16 random octets, never used before: nobody who wrote the message can have known its boundary.
    :raises ValueError: when there is nobody to tell or nothing to tell, or *unique* is not 16 octets.
    """
    if not subject.reverse_path or not recipients:
        raise ValueError("a report is about recipients and goes to a sender, never to the null one")
    if len(unique) != UNIQUE_OCTETS:
        raise ValueError(f"a report needs {UNIQUE_OCTETS} random octets")
    # Quoted-printable never has its first two characters side by side (RFC 2045 §6.7), and no other line of ours
    # begins with text of others.
    boundary = f"=_{unique.hex()}"
    eight_bit = _EIGHT_BIT if enclosure is not None and (enclosure.eight_bit or enclosure.utf8) else ""
    pieces = [
        _head(subject, recipients, reporter, now, unique.hex()),
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"\r\n{eight_bit}\r\n',
        f"--{boundary}\r\n{_text(human_part(subject, recipients, reporter, enclosure))}",
        f"\r\n--{boundary}\r\nContent-Type: message/delivery-status\r\n\r\n",
        status_part(subject, recipients, reporter),
    ]
    if enclosure is not None:
        kind = _TYPES[enclosure.what, enclosure.utf8]
        pieces.append(f"\r\n--{boundary}\r\nContent-Type: {kind}\r\n{eight_bit}\r\n")
    return Report(before="".join(pieces).encode(), after=f"\r\n--{boundary}--\r\n".encode("ascii"))


def _head(subject: Subject, recipients: Sequence[RecipientReport], reporter: Reporter, now: int, unique: str) -> str:
    fields = [
        ("Date", date(now)),
        ("From", formataddr((one_line(reporter.service), reporter.postmaster))),
        ("To", f"<{_NOT_IN_PATH.sub('', one_line(subject.reverse_path))}>"),
        ("Subject", subject_line(recipients)),
        ("Message-ID", f"<{unique}@{reporter.host}>"),
        ("Auto-Submitted", "auto-replied"),
        ("MIME-Version", "1.0"),
    ]
    if _MESSAGE_ID.fullmatch(subject.message_id):
        fields += [("In-Reply-To", subject.message_id), ("References", subject.message_id)]
    return "".join(folded(name, value) for name, value in fields)


def _text(text: str) -> str:
    """Return a text/plain part with its fields; what is not ASCII is encoded, for peers without 8BITMIME."""
    if text.isascii():
        return f"Content-Type: text/plain; charset=us-ascii\r\n\r\n{text}"
    encoded = binascii.b2a_qp(text.encode()).decode("ascii")
    return f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{encoded}"
