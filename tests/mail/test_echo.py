"""The echo address answers people, and no machine."""

import email

import pytest

from cjsm.community.address import Address
from cjsm.mail.echo import Echo, is_automatic
from cjsm.mail.header import Header, HeaderReader
from tests.community.communities import SUFFIX

from .support import HOP, JO_ADDRESS, JO_MAILBOX, House, opened, result, small

LETTER = b"From: Jo <jo@x>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <one@x>\r\n%s\r\n"
QUEUE_ID = "0123456789abcdef"


def header(more: bytes = b"", name: bytes = b"<one@x>") -> Header:
    """A letter's header with *more* fields, and *name* for its Message-ID."""
    found = HeaderReader(small().mail).feed((LETTER % more).replace(b"<one@x>", name, 1))
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("field", "automatic"),
    [
        (b"", False),
        (b"Auto-Submitted: no\r\n", False),
        (b"Auto-Submitted: auto-replied; x=y\r\n", True),
        (b"AUTO-SUBMITTED: Auto-Generated\r\n", True),
        (b"Precedence: bulk\r\n", True),
        (b"Precedence: first-class\r\n", False),
        (b"List-Id: <all.example>\r\n", True),
        (b"List-Unsubscribe: <mailto:x@y>\r\n", True),
        (b"X-Auto-Response-Suppress: All\r\n", True),
    ],
)
def test_machines(field: bytes, automatic: bool) -> None:
    """As RFC 3834 section 2 and what programs really write tell them."""
    assert is_automatic(header(field)) == automatic


def answered(more: bytes = b"", sender: str | None = JO_ADDRESS, name: bytes = b"<one@x>") -> bytes | None:
    """What comes back."""
    house = House()
    echo = Echo(small(), house.acceptance.own_mail, house.clock.seconds)
    address = Address.parse(sender) if sender is not None else None
    batch = result(echo.answer(address, header(more, name), HOP, QUEUE_ID))
    if batch is None:
        return None
    (entry,) = batch.hosted
    (delivery,) = entry.deliveries
    assert entry.body is not None
    return opened(delivery.wrap, JO_MAILBOX, delivery.delivery_id, entry.body, entry.summary)[0]


def test_an_answer() -> None:
    """It continues the thread, says how the message came, and quotes its header as people read it."""
    text = answered()
    assert text is not None
    read = email.message_from_bytes(text)
    assert (read["In-Reply-To"], read["References"], read["Auto-Submitted"]) == ("<one@x>", "<one@x>", "auto-replied")
    assert QUEUE_ID in read["Subject"]
    assert is_automatic(HeaderReader(small().mail).feed(text)[0])  # type: ignore[index]  # it has a header
    words = read.get_payload(decode=True)
    assert isinstance(words, bytes)
    assert "TLS1.3 X25519MLKEM768" in words.decode()
    assert "> Subject: Grüße" in words.decode()
    assert all(len(line) <= 998 for line in text.split(b"\r\n"))


@pytest.mark.parametrize(
    "name",
    [b"<" + b"a" * 900 + b"@x>", b"<one\r\n two@x>", b"<\xc3\xb6\xff\x01\x7f@x>", b"", b"<one@x> (\xe2\x80\xa8Bcc: x)"],
    ids=["long", "folded", "other letters", "none", "line separator"],
)
def test_a_strange_message_id(name: bytes) -> None:
    """It cannot become a field of its own, nor a line that is too long or not plain."""
    text = answered(name=name)
    assert text is not None
    head, _, _ = text.partition(b"\r\n\r\n")
    assert head.isascii()
    assert not set(head) & {1, 127}
    assert all(len(line) <= 998 for line in text.split(b"\r\n"))
    thread = {"In-Reply-To", "References"} if name else set()
    expected = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version"} | thread
    found = set(email.message_from_bytes(text).keys())
    assert found - {"Content-Type", "Content-Transfer-Encoding", "Received", "Return-Path"} == expected


@pytest.mark.parametrize(
    ("more", "sender"),
    [
        (b"", None),
        (b"Auto-Submitted: auto-replied\r\n", JO_ADDRESS),
        (b"In-Reply-To: <echo.0123456789abcdef@%s>\r\n", JO_ADDRESS),
        (b"References: <one@x>\r\n <Echo.0123456789ABCDEF@%s> <two@x>\r\n", JO_ADDRESS),
        (b"In-Reply-To: <test.0123456789abcdef@%s>\r\n", JO_ADDRESS),
    ],
)
def test_no_answer(more: bytes, sender: str | None) -> None:
    """The null sender, machines, and whatever answers an answer get none, so that nothing goes round: not every
    machine says that it is one.
    """
    assert answered(more.replace(b"%s", SUFFIX.encode()), sender) is None


@pytest.mark.parametrize("earlier", [b"<echo.0123456789abcdef@x.test>", b"<one@x>", b"<echo.1@%s>"])
def test_other_answers(earlier: bytes) -> None:
    """Whoever goes on with a thread of his own is answered."""
    assert answered(b"In-Reply-To: " + earlier.replace(b"%s", SUFFIX.encode()) + b"\r\n") is not None


def test_a_message_that_fills_the_answer() -> None:
    """Only its beginning is quoted."""
    text = answered(b"".join(b"X-%d: %s\r\n" % (number, b"z" * 90) for number in range(30)))
    assert text is not None
    assert len(text) < 20_000
