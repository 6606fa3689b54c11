"""What submission changes in a header, and nothing else."""

from cjsm.configuration import MailSettings
from cjsm.mail.header import HeaderReader
from cjsm.mail.submission import Submitted, submitted
from tests.mail.world import HOP


def submit(section: bytes) -> Submitted:
    """Pass a header on."""
    found = HeaderReader(MailSettings()).feed(section + b"\r\n")
    assert found is not None
    return submitted(found[0], hop=HOP, queue_id="abc", host="mail.cjsm.test", unique="u1", now=1_767_225_600.7)


TRACE = (
    b"Received: by mail.cjsm.test with ESMTPSA (TLSv1.3 X25519MLKEM768)\r\n"
    b"\tid abc;\r\n\tThu, 01 Jan 2026 00:00:00 +0000\r\n"
)


def test_trace_in_front() -> None:
    """The rest stays byte for byte."""
    section = b"DATE: Mon, 1 Jan 2024 00:00:00 +0000\r\nfrom: a@b\r\n\t folded\r\nMessage-Id: <1@c>\r\n"
    made = submit(section)
    assert made.octets == TRACE + section + b"\r\n"
    assert made.message_id == "<1@c>"


def test_what_is_missing_is_added() -> None:
    """Date and Message-ID (RFC 6409 §8)."""
    made = submit(b"From: a@b\r\n")
    assert made.octets == TRACE + (
        b"From: a@b\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <u1@mail.cjsm.test>\r\n\r\n"
    )
    assert made.message_id == "<u1@mail.cjsm.test>"


def test_blind_copies_stay_blind() -> None:
    """Bcc goes, and what only we may write."""
    made = submit(b"Bcc: x@y\r\nFrom: a@b\r\nReturn-Path: <x@y>\r\nResent-Bcc: z@y\r\nDate: d\r\nMessage-ID: <1@c>\r\n")
    assert made.octets == TRACE + b"From: a@b\r\nDate: d\r\nMessage-ID: <1@c>\r\n\r\n"


def test_summary() -> None:
    """What a list of messages shows, decoded and short."""
    made = submit(b"From: =?utf-8?q?J=C3=B6?= <a@b>\r\nTo: c@d\r\nSubject: " + b"s" * 500 + b"\r\n")
    assert (made.summary.sender, made.summary.to) == ("Jö <a@b>", "c@d")
    assert len(made.summary.subject) == 256
    assert made.summary.date == "Thu, 01 Jan 2026 00:00:00 +0000"
