"""Field values as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.mail.words import SHOWN, shown


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?caf=C3=A9?=", "café"),
        ("=?UTF-8?B?Y2Fmw6k=?=", "café"),
        ("=?iso-8859-1?q?caf=E9_noir?=", "café noir"),
        ("=?utf-8?q?one?= =?utf-8?q?two?= three", "onetwo three"),
        ("=?utf-8*en?q?x?=", "x"),
        ("=?rot13?q?x?=", "=?rot13?q?x?="),
        ("=?utf-8?q?=FF?=", "\N{REPLACEMENT CHARACTER}"),
        ("=?utf-8?b?!!!?=", ""),
        ("a\x1b[31mb\u202ec", "a [31mb c"),
    ],
)
def test_words(value: str, expected: str) -> None:
    """Decoded, nothing that moves a cursor or turns text around."""
    assert shown(value) == expected


@given(st.text(max_size=2_000))
def test_anything(value: str) -> None:
    """Never fails, never long, always printable."""
    made = shown(value)
    assert len(made) <= SHOWN
    assert made.isprintable()
