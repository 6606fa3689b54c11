"""SASL exchanges as the server sees them."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.wire.sasl import MECHANISMS, Challenge, Login, Plain, SaslFailure, SaslResult, Step


def claim(step: Step) -> tuple[str, bytes]:
    assert isinstance(step, SaslResult)
    return step.name, step.secret


def plain(*parts: bytes) -> bytes:
    return b64encode(b"\0".join(parts))


def test_plain_with_and_without_initial_response() -> None:
    """The answer may come with the command or after an empty challenge."""
    assert claim(Plain().start(plain(b"", b"alex", b"pass word"))) == ("alex", b"pass word")
    exchange = Plain()
    assert exchange.start(None) == Challenge(b"")
    assert claim(exchange.answer(plain(b"", b"alex", b"\xff\xfe"))) == ("alex", b"\xff\xfe")


def test_plain_authorisation_identity() -> None:
    """Acting as oneself is allowed, as somebody else is not."""
    assert claim(Plain().start(plain(b"alex", b"alex", b"x"))) == ("alex", b"x")
    assert Plain().start(plain(b"sam", b"alex", b"x")) is SaslFailure.REFUSED


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"=",
        b"!!!",
        b"YQ",
        b"YQ==YQ==",
        b"Y Q==",
        b"YR==",
        plain(b"alex", b"secret"),
        plain(b"", b"alex", b"a", b"b"),
        plain(b"", b"", b"x"),
        plain(b"", b"alex", b""),
        plain(b"", b"\xff", b"x"),
        plain(b"", b"n" * 513, b"x"),
    ],
)
def test_malformed_plain(sent: bytes) -> None:
    """Anything but strict base64 of exactly three parts is malformed, never an exception."""
    assert Plain().start(sent) is SaslFailure.MALFORMED


def test_login_with_and_without_initial_response() -> None:
    """Name, then password; some clients send the name with the command."""
    exchange = Login()
    assert exchange.start(None) == Challenge(b"VXNlcm5hbWU6")
    assert exchange.answer(b64encode(b"alex")) == Challenge(b"UGFzc3dvcmQ6")
    assert claim(exchange.answer(b64encode(b"s\0p"))) == ("alex", b"s\0p")
    shorter = Login()
    assert shorter.start(b64encode(b"alex")) == Challenge(b"UGFzc3dvcmQ6")
    assert claim(shorter.answer(b64encode(b"x"))) == ("alex", b"x")


def test_login_needs_a_name_and_a_password() -> None:
    """Empty answers are malformed."""
    exchange = Login()
    exchange.start(b"=")
    assert exchange.answer(b64encode(b"x")) is SaslFailure.MALFORMED


@pytest.mark.parametrize("mechanism", sorted(MECHANISMS))
def test_a_star_cancels(mechanism: bytes) -> None:
    """A client may give up at any challenge."""
    exchange = MECHANISMS[mechanism]()
    exchange.start(None)
    assert exchange.answer(b"*") is SaslFailure.CANCELLED


@given(st.sampled_from(sorted(MECHANISMS)), st.binary(max_size=60), st.binary(max_size=60))
def test_exchanges_are_total(mechanism: bytes, first: bytes, second: bytes) -> None:
    """Whatever is sent, an exchange answers."""
    exchange = MECHANISMS[mechanism]()
    if isinstance(exchange.start(first), Challenge):
        exchange.answer(second)


def test_a_claim_does_not_show_its_secret() -> None:
    """Nothing of a name or password reaches a log through repr."""
    assert repr(SaslResult("alex", b"secret")) == "<SaslResult>"
