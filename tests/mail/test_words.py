"""Values as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.mail.words import SHOWN, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Bail hearing", "Bail hearing"),
        ("", ""),
        ("=?utf-8?q?M=C3=BCller?=", "Müller"),
        ("=?UTF-8?B?TcO8bGxlcg==?=", "Müller"),
        ("=?iso-8859-1?Q?M=FCller_and_sons?=", "Müller and sons"),
        ("=?utf-8*de?q?M=C3=BCller?=", "Müller"),
        ("=?utf-8?q?one?= =?utf-8?q?_two?=", "one two"),
        ("=?utf-8?q?one?= \t =?utf-8?q?two?= three", "onetwo three"),
        ("Re: =?windows-1252?q?=93x=94?= (=?koi8-r?b?xA==?=)", "Re: “x” (д)"),
        ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        ("a\tb\x00c\x1b[31m", "a b c [31m"),
        ("left\u202eright", "left right"),
        ("=?utf-8?b?AAoN?=", "   "),
        ("=?utf-8?q?=FF?=", "\ufffd"),
    ],
)
def test_encoded_words_are_decoded(value: str, text: str) -> None:
    """RFC 2047, and nothing that a terminal would act on is left."""
    assert shown(value) == text


@pytest.mark.parametrize(
    "value",
    [
        *("=?rot13?q?uryyb?=", "=?zlib?b?eJw=?=", "=?unicode_escape?q?x?=", "=?utf-7?q?+AGE-?=", "=?idna?q?x?="),
        *("=?utf-8?x?abc?=", "=?utf-8?b?a?=", "=?utf-8?q?a b?=", "=?utf-8?q?open", "=?iso-8859-99?q?x?=", "=??q?x?="),
        "=?utf-8?q?é?=",
    ],
)
def test_what_is_no_encoded_word_stays(value: str) -> None:
    """Codecs that are no character sets are never asked."""
    assert shown(value) == value


def test_long_values_are_shortened() -> None:
    """Before and after decoding."""
    assert shown("x" * 10_000) == "x" * SHOWN
    assert len(shown("=?utf-8?q?" + "y" * 900 + "?=")) == SHOWN


@given(
    st.text()
    | st.lists(st.sampled_from(["=?utf-8?q?", "=?utf-8?b?", "?=", " ", "=", "?", "_", "=C3", "YQ==", "x"])).map("".join)
)
def test_every_value_is_shown(value: str) -> None:
    """It never fails, is short and holds nothing unprintable."""
    text = shown(value)
    assert len(text) <= SHOWN
    assert text.isprintable()


@given(st.binary(max_size=40), st.sampled_from(["utf-8", "iso-2022-jp", "gb18030", "big5", "shift_jis", "euc-kr"]))
def test_every_octet_of_every_character_set_is_shown(octets: bytes, charset: str) -> None:
    """Whatever is sent as encoded word."""
    value = f"=?{charset}?q?" + "".join(f"={octet:02X}" for octet in octets) + "?="
    assert shown(value).isprintable()
