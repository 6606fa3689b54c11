"""What a sender asks of delivery reports: every value is read as RFC 3461 says, or refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.mail.envelope import Notify, Returned
from cjsm.mail.notifications import (
    BadParameter,
    check_envelope_id,
    check_original,
    decode_xtext,
    encode_utf8_address,
    encode_xtext,
    format_notify,
    parse_notify,
    parse_returned,
    split_original,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(text)
def test_xtext_gives_the_text_back(written: str) -> None:
    """Whatever it is; and on the wire it is one word of ASCII."""
    xtext = encode_xtext(written)
    assert decode_xtext(xtext) == written
    assert xtext.isascii()
    assert "=" not in xtext
    assert xtext == "".join(xtext.split())


@pytest.mark.parametrize(
    ("written", "xtext"),
    [("a+b=c d", "a+2Bb+3Dc+20d"), ("QQ314159", "QQ314159"), ("", ""), ("ö", "+C3+B6"), ("\r\n", "+0D+0A")],
)
def test_xtext_is_what_the_standard_says(written: str, xtext: str) -> None:
    """RFC 3461 §4."""
    assert encode_xtext(written) == xtext


@pytest.mark.parametrize("xtext", ["+", "+2", "+2b", "a=b", "a b", "+FF", "ö", "\x7f", "+2B+", "a\n"])
def test_what_is_no_xtext_is_refused(xtext: str) -> None:
    """So are octets that stand for no text."""
    with pytest.raises(BadParameter):
        decode_xtext(xtext)


@given(st.text("+0123456789ABCDEFx=;-\\{}ö \r\n", max_size=20), st.sampled_from(["", "rfc822;", "utf-8;", "X-a;"]))
def test_every_value_is_read_or_refused(written: str, kind: str) -> None:
    """Total; and what is read has nothing in it that could end a line."""
    for read in (decode_xtext, parse_notify, parse_returned, check_envelope_id, check_original):
        with suppress(BadParameter):
            read(kind + written)
    try:
        _, address = split_original(kind + written)
    except BadParameter:
        return
    assert address.isascii()
    assert address.isprintable()


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ("NEVER", {Notify.NEVER}),
        ("SUCCESS,FAILURE,DELAY", {Notify.SUCCESS, Notify.FAILURE, Notify.DELAY}),
        ("failure", {Notify.FAILURE}),
        ("Delay,FAILURE", {Notify.DELAY, Notify.FAILURE}),
    ],
)
def test_notify(value: str, asked: set[Notify]) -> None:
    """In any letter case and order."""
    assert parse_notify(value) == asked


@pytest.mark.parametrize(
    "value", ["", ",", "NEVER,FAILURE", "DELAY,DELAY", "FAILURE,", "FAILURE, DELAY", "ALWAYS", "\u017fUCCESS"]
)
def test_notify_of_another_form_is_refused(value: str) -> None:
    """NEVER stands alone; nothing is guessed."""
    with pytest.raises(BadParameter):
        parse_notify(value)


@given(st.sets(st.sampled_from([each for each in Notify if each is not Notify.NEVER]), min_size=1))
def test_notify_is_passed_on_as_it_was_asked(asked: set[Notify]) -> None:
    """To the next server."""
    assert parse_notify(format_notify(frozenset(asked))) == asked


def test_notify_of_nothing_is_never() -> None:
    """The two mean the same."""
    assert format_notify(frozenset()) == format_notify(frozenset({Notify.NEVER})) == "NEVER"


def test_ret() -> None:
    """FULL or HDRS, in any letter case."""
    assert parse_returned("full") is Returned.FULL
    assert parse_returned("HDRS") is Returned.HEADERS
    for value in ("", "HEADERS", "FULL,HDRS", "HDR\u017f"):
        with pytest.raises(BadParameter):
            parse_returned(value)


def test_envelope_id() -> None:
    """Xtext of printable ASCII, 100 characters at most, kept as it was written."""
    for value in ("QQ314159", "a+2Bb", "+20", "x" * 100):
        assert check_envelope_id(value) == value
    for value in ("", "x" * 101, "+0D+0AX:+20y", "+C3+B6", "+7F", "a+2", "a b"):
        with pytest.raises(BadParameter):
            check_envelope_id(value)


@pytest.mark.parametrize(
    ("value", "kind", "address"),
    [
        ("rfc822;bob@example", "rfc822", "bob@example"),
        ("RFC822;bob+2Btag@example", "RFC822", "bob+tag@example"),
        ("x400;/S=bob".replace("=", "+3D"), "x400", "/S=bob"),
        ("utf-8;j\\x{F6}@example", "utf-8", "j\\x{F6}@example"),
        ("utf-8;jö@example", "utf-8", "j\\x{F6}@example"),
        ("UTF-8;\\x{1F600}@example", "UTF-8", "\\x{1F600}@example"),
    ],
)
def test_original_recipient(value: str, kind: str, address: str) -> None:
    """Kept as it was written, decoded for a report."""
    assert check_original(value) == value
    assert split_original(value) == (kind, address)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            ";",
            "rfc822",
            "rfc822;",
            ";bob@example",
            "rf c822;bob@example",
            "rfc822;b b",
            "rfc822;b+0D+0A",
            "rfc822;+C3+B6",
        ),
        *("utf-8;a\\x{}b", "utf-8;a\\b", "utf-8;a+b", "utf-8;a\nb", "utf-8;\x85", "rfc822;" + "x" * 494, "-a;b", "ä;b"),
    ],
)
def test_original_recipient_of_another_form_is_refused(value: str) -> None:
    """What it decodes to could otherwise be more than one field of a report."""
    with pytest.raises(BadParameter):
        check_original(value)


@given(text)
def test_addresses_beyond_ascii_are_written_in_ascii(address: str) -> None:
    """One word, each other character by its number (RFC 6533 §3)."""
    written = encode_utf8_address(address)
    assert written.isascii()
    assert written == "".join(written.split())
    assert not set(written) & set("+= \r\n")
