"""The body of a short message of the service."""

import email

from hypothesis import given
from hypothesis import strategies as st

from cjsm.mail import plaintext


@given(st.text())
def test_every_text_comes_back(text: str) -> None:
    """Whatever is in it, in ASCII lines that every program takes."""
    octets = plaintext.HEAD.encode() + plaintext.lines(text)
    assert email.message_from_bytes(octets).get_payload(decode=True) == text.encode()
    assert all(len(line) <= 76 for line in plaintext.lines(text).split(b"\r\n"))
