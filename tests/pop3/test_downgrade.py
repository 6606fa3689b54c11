"""Header fields in ASCII for programs that do not say UTF8."""

from email import message_from_bytes, policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.pop3.downgrade import NOBODY, downgraded


def read(header: str) -> Any:
    """What a mail program makes of the downgraded header."""
    told = downgraded(header.encode())
    assert told.isascii()
    return message_from_bytes(told + b"\r\n", policy=policy.default)


def test_ascii_stays_as_it_is() -> None:
    """Octet for octet, whatever it looks like, also beside a field that is changed."""
    header = b"A:b\r\nTo:  x@y ,\r\n\t z@w\r\nnonsense\r\nSubject: =?utf-8?q?=C3?=\r\n"
    assert downgraded(header) == header
    assert downgraded(header + "X: é\r\n".encode()).startswith(header)


def test_text_is_read_as_it_was() -> None:
    """Subject and other text in encoded words, however long."""
    subject = "Achos y Goron yn erbyn Siôn ap Rhŷs " * 8 + "☃"
    assert read(f"Subject: {subject}\r\n")["Subject"] == subject
    assert read("X-Note: first\r\n\tŵyth\r\n")["X-Note"] == "first ŵyth"


@pytest.mark.parametrize(
    ("field", "addresses"),
    [
        ("Siân <sian@x.test>", [("Siân", "sian@x.test")]),
        ('"Ŵyn, Dai" <dai@x.test>, plain@x.test', [("Ŵyn, Dai", "dai@x.test"), ("", "plain@x.test")]),
        ('"a \\"é\\"" <b@x.test>', [('a "é"', "b@x.test")]),
        ("siân@x.test", [("siân@x.test", NOBODY[1:-1])]),
        ("Sian <siân@x.test>, b@x.test", [("Sian <siân@x.test>", NOBODY[1:-1]), ("", "b@x.test")]),
        ("b@x.test (tŷ)", [("", "b@x.test")]),
        ("<b@x.test> (tŷ)", [("", "b@x.test")]),
    ],
)
@pytest.mark.parametrize("name", ["From", "To", "Reply-To", "Cc"])
def test_addresses(name: str, field: str, addresses: list[tuple[str, str]]) -> None:
    """Addresses that can be written stay; where one cannot, its text is the name of an address that nobody has."""
    found = read(f"{name}: {field}\r\n")[name].addresses
    assert [(each.display_name, each.addr_spec) for each in found] == addresses


def test_groups() -> None:
    """A group's name is encoded, its members are addresses."""
    told = read("To: Tîm: a@x.test, é@x.test;\r\n")["To"]
    assert [each.addr_spec for each in told.addresses] == ["a@x.test", NOBODY[1:-1]]


def test_fields_that_programs_read_are_set_apart() -> None:
    """An identifier in encoded words would be another one: it is kept under another name (RFC 6857 §3.1.10)."""
    told = read("Message-ID: <é@x.test>\r\nReturn-Path: <é@x.test>\r\n")
    assert told["Message-ID"] is None
    assert told["Downgraded-Message-ID"] == "<é@x.test>"
    assert told["Return-Path"] == NOBODY


def test_parameters() -> None:
    """File names as RFC 2231 writes them, long ones in pieces."""
    name = "Tystiolaeth â llun o'r tŷ yng Nghaerdydd.pdf"
    told = read(
        f'Content-Type: application/pdf; name="{name}"; charset=x\r\n'
        f'Content-Disposition: attachment; filename="{name}"\r\n'
    )
    assert told.get_filename() == name
    assert told["Content-Type"].params["name"] == name
    assert told["Content-Type"].params["charset"] == "x"
    assert told.get_content_type() == "application/pdf"


def test_other_octets() -> None:
    """Letters of older programs are taken for Latin 1; a line that is no field goes."""
    assert message_from_bytes(downgraded(b"Subject: caf\xe9\r\n\r\n"), policy=policy.default)["Subject"] == "café"
    assert downgraded(b"\xff\xfe\r\n") == downgraded("é: x\r\n".encode()) == b""


FIELDS = st.tuples(
    st.sampled_from(
        ["From", "To", "Subject", "Message-ID", "Content-Type", "Content-Disposition", "X-É", "Return-Path"]
    ),
    st.text(st.sampled_from('aé"\\<>(),;:@=*% \t☃\r'), max_size=60),
)


@given(
    st.lists(st.one_of(FIELDS.map(lambda each: f"{each[0]}: {each[1]}".encode()), st.binary(max_size=40)), max_size=5)
)
def test_any_octets(fields: list[bytes]) -> None:
    """Always ASCII, never more lines that end a header, no line too long for mail."""
    header = b"".join(each.replace(b"\n", b"") + b"\r\n" for each in fields if each.strip())
    told = downgraded(header)
    assert told.isascii()
    if b"\r\n\r\n" not in header and not header.startswith(b"\r\n"):
        assert b"\r\n\r\n" not in told
        assert b"\n" not in told.replace(b"\r\n", b"")
    assert max(map(len, told.split(b"\r\n"))) <= 998
