"""What a list puts on top of mail."""

from email import message_from_bytes, policy
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.mail.destinations import Through
from cjsm.mail.listfields import list_fields


def told(name: str) -> Through:
    return Through(address="all-crime@avon.cjsm.test", name=name, reports_to="")


def test_fields() -> None:
    """Octet for octet."""
    assert list_fields(told("All of crime")) == (
        b'List-Id: "All of crime" <all-crime.avon.cjsm.test>\r\n'
        b"List-Post: <mailto:all-crime@avon.cjsm.test>\r\n"
        b"Precedence: list\r\n"
    )


@pytest.mark.parametrize("name", ['Say "hello" \\ <all>', "Heddlu Dyfed-Powys – pawb", "محكمة " * 30, "x" * 200])
def test_any_name(name: str) -> None:
    """Comes out as it went in, in ASCII, in lines that every server takes."""
    octets = list_fields(told(name))
    assert octets.isascii()
    assert all(len(line) <= 998 for line in octets.split(b"\r\n"))
    value = message_from_bytes(octets + b"\r\n", policy=policy.compat32)["List-Id"]
    phrase = value.rpartition(" <")[0]
    read = str(make_header(decode_header(phrase)))
    if phrase.startswith('"'):
        read = phrase[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    assert read.rstrip() == name.rstrip()


@given(st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=1, max_size=200))
def test_no_name_makes_another_field(name: str) -> None:
    """Whatever an administrator calls a list."""
    message = message_from_bytes(list_fields(told(name)) + b"\r\nbody", policy=policy.compat32)
    assert message.keys() == ["List-Id", "List-Post", "Precedence"]
    assert message.get_payload() == "body"
