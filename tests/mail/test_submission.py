"""What submission changes in a header, byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.configuration import MailSettings
from cjsm.mail.header import Header, HeaderReader
from cjsm.mail.interfaces import Hop
from cjsm.mail.submission import Submitted, submitted

from .support import HOP

NOW = 1_767_225_600.75
DATE = "Thu, 01 Jan 2026 00:00:00 +0000"
RECEIVED = (
    b"Received: by mail.cjsm.test with ESMTPSA (TLS1.3 X25519MLKEM768)\r\n\tid 0123abcd;\r\n\t"
    + DATE.encode()
    + b"\r\n"
)
FROM = b"From: Jo Ward <jo.ward@avon.cjsm.test>\r\n"
GIVEN = b"Date: Wed, 31 Dec 2025 23:00:00 +0000\r\nMessage-ID: <one@avon>\r\n"


def header(octets: bytes) -> Header:
    found = HeaderReader(MailSettings()).feed(octets + b"\r\n")
    assert found is not None
    return found[0]


def told(octets: bytes, hop: Hop = HOP) -> Submitted:
    return submitted(header(octets), hop=hop, queue_id="0123abcd", host="mail.cjsm.test", unique="u1", now=NOW)


def test_a_complete_header_gets_a_trace_line_and_nothing_else() -> None:
    """In front, and with no address of the client."""
    octets = FROM + GIVEN + b"Subject:  odd   spaces \r\n\tand a fold\r\nX-Odd:\xff\r\n"
    assert told(octets).octets == RECEIVED + octets + b"\r\n"
    assert told(octets).message_id == "<one@avon>"


def test_date_and_message_id_are_added_where_absent() -> None:
    """RFC 6409 §8, at the end."""
    got = told(FROM)
    assert got.octets == RECEIVED + FROM + f"Date: {DATE}\r\nMessage-ID: <u1@mail.cjsm.test>\r\n\r\n".encode()
    assert got.message_id == "<u1@mail.cjsm.test>"
    assert got.summary.date == DATE
    assert told(FROM + b"Date: x\r\n").octets.endswith(b"Date: x\r\nMessage-ID: <u1@mail.cjsm.test>\r\n\r\n")
    assert told(FROM + b"Message-ID: <x>\r\n").octets.endswith(f"Message-ID: <x>\r\nDate: {DATE}\r\n\r\n".encode())


def test_who_wrote_for_a_shared_mailbox() -> None:
    """Takes the place of what the client said about that; everything else is as it was."""
    for said in (b"", b"Sender: Desk <desk@avon.cjsm.test>\r\n", b"SENDER:\r\n jo.ward@avon.cjsm.test\r\n"):
        made = submitted(
            header(FROM + said + GIVEN),
            hop=HOP,
            queue_id="0123abcd",
            host="mail.cjsm.test",
            unique="u1",
            now=NOW,
            sender="jo.ward@avon.cjsm.test",
        )
        assert made.octets == RECEIVED + FROM + GIVEN + b"Sender: <jo.ward@avon.cjsm.test>\r\n\r\n"


@pytest.mark.parametrize(
    "field",
    [
        b"Bcc: a@b.c\r\n",
        b"BCC: a@b.c,\r\n d@e.f,\r\n\tg@h.i\r\n",
        b"bcc:\r\n",
        b"Resent-Bcc: a@b.c\r\nresent-bcc: d@e.f\r\n",
        b"Return-Path: <forged@evil.example>\r\n",
        b"RETURN-PATH:<a@b.c>\r\nReturn-Path: <d@e.f>\r\n",
    ],
)
def test_bcc_and_return_path_are_taken_away(field: bytes) -> None:
    """Whole, wherever they stand; all around them stays."""
    rest = [FROM, GIVEN, b"Subject: Bcc: in a subject stays\r\n", b"X-Bcc: stays\r\n"]
    for place in range(len(rest) + 1):
        octets = b"".join([*rest[:place], field, *rest[place:]])
        assert told(octets).octets == RECEIVED + b"".join(rest) + b"\r\n"


values = st.binary(max_size=20).map(lambda octets: octets.translate(None, b"\r\n\0"))
names = st.sampled_from([b"X-One", b"Comments", b"Received", b"Resent-bCc", b"Return-Path", b"Resent-To", b"List-Id"])


@given(st.lists(st.tuples(names, values), max_size=10))
def test_what_stays_is_byte_for_byte_what_it_was(fields: list[tuple[bytes, bytes]]) -> None:
    """In its order too."""
    lines = [name + b":" + value + b"\r\n" for name, value in fields]
    kept = [line for line in lines if line.split(b":")[0].lower() not in (b"resent-bcc", b"return-path")]
    assert told(FROM + GIVEN + b"".join(lines)).octets == RECEIVED + FROM + GIVEN + b"".join(kept) + b"\r\n"


@pytest.mark.parametrize(
    ("version", "group", "shown"),
    [("TLS1.3", "", b"ESMTPSA (TLS1.3)\r\n"), ("", "", b"ESMTPSA\r\n"), ("", "x25519", b"ESMTPSA (x25519)\r\n")],
)
def test_the_trace_says_what_is_known_of_tls(version: str, group: str, shown: bytes) -> None:
    """No empty brackets."""
    hop = Hop(host="mail.cjsm.test", protocol="ESMTPSA", tls_version=version, tls_group=group)
    assert told(FROM, hop).octets.startswith(b"Received: by mail.cjsm.test with " + shown)


def test_the_summary_is_what_people_read() -> None:
    """Decoded and short; the length is told when it is known."""
    octets = b"From: =?utf-8?q?J=C3=B6?= <jo@a.b>\r\nTo: x@y.z\r\nSubject: " + b"s" * 900 + b"\r\nDate: " + b"d" * 90
    summary = told(octets + b"\r\n").summary
    assert (summary.sender, summary.to) == ("Jö <jo@a.b>", "x@y.z")
    assert summary.subject == "s" * 256
    assert summary.date == "d" * 64
    assert summary.octets == 0


def test_a_long_message_id_is_shortened_in_the_envelope_only() -> None:
    """The message keeps it."""
    got = told(FROM + b"Message-ID: <" + b"m" * 900 + b">\r\n")
    assert len(got.message_id) == 256
    assert b"m" * 900 in got.octets
