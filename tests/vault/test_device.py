"""System-made secrets: a shape of their own, forgiving to type, checked in no time."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.vault.device import SecretKind, SecretVerifier, SystemSecret, key, make, parse, verifier, verify
from cjsm.vault.errors import MissingSecret, UnknownSuite, WrongSecret
from cjsm.vault.secrets import Versions, generate

PEPPERS = generate().peppers


def parsed(typed: str) -> SystemSecret:
    """The secret that *typed* must be."""
    found = parse(typed.encode())
    assert found is not None
    return found


@pytest.mark.parametrize("kind", SecretKind)
def test_round_trip(kind: SecretKind) -> None:
    """What is shown is what verifies, also when the verifier was stored."""
    secret = parsed(make(kind))
    known = msgspec.msgpack.decode(msgspec.msgpack.encode(verifier(secret, PEPPERS)), type=SecretVerifier)
    verify(known, secret, PEPPERS)
    assert secret.kind is kind
    with pytest.raises(WrongSecret):
        verify(known, parsed(make(kind)), PEPPERS)


def test_strength() -> None:
    """At least 128 bits for device passwords and recovery codes, 100 for what lives a day; none alike."""
    assert {kind: len(parsed(make(kind)).octets) * 8 for kind in SecretKind} == {
        SecretKind.DEVICE: 144,
        SecretKind.ONE_TIME: 104,
        SecretKind.RECOVERY: 144,
    }
    assert len({make(SecretKind.DEVICE) for _ in range(100)}) == 100


@given(kind=st.sampled_from(SecretKind), octets=st.binary(min_size=18, max_size=18), data=st.data())
def test_forgiving(kind: SecretKind, octets: bytes, data: st.DataObject) -> None:
    """Capitals, spaces and missing or other hyphens do not matter."""
    shown = make(kind, lambda length: octets[:length])
    written = "".join(
        data.draw(st.sampled_from(["", " ", "-", "- "])) + data.draw(st.sampled_from([letter, letter.upper()]))
        for letter in shown
        if letter != "-"
    )
    assert parse(written.encode()) == parsed(shown) or len(written) > 128


@pytest.mark.parametrize("kind", SecretKind)
def test_one_wrong_letter(kind: SecretKind) -> None:
    """Every mistyped letter of this secret is noticed by the checksum: it is never tried as another one."""
    shown = make(kind, lambda length: bytes(range(length)))
    for place, known in enumerate(shown):
        for letter in set("abcdefghijklmnopqrstuvwxyz234567") - {known} if known != "-" else ():
            assert parse((shown[:place] + letter + shown[place + 1 :]).encode()) is None


@given(st.binary(max_size=60))
def test_other_text(typed: bytes) -> None:
    """Anything else is a person's own password, and parsing it raises nothing."""
    assert parse(typed) is None


@pytest.mark.parametrize("typed", [b"", b"d", b"d-", b"d" * 129, b"x-abcd", "d-é".encode(), b"d-0189-0189"])
def test_awkward_text(typed: bytes) -> None:
    """Short, long, foreign and impossible ones likewise."""
    assert parse(typed) is None


def test_kinds_are_apart() -> None:
    """The same octets as another kind are another secret, with another key."""
    device, recovery = (SystemSecret(kind, bytes(18)) for kind in (SecretKind.DEVICE, SecretKind.RECOVERY))
    with pytest.raises(WrongSecret):
        verify(verifier(device, PEPPERS), recovery, PEPPERS)
    keys = {key(device, 1, PEPPERS), key(recovery, 1, PEPPERS), key(device, 1, generate().peppers)}
    assert len(keys) == 3
    assert verifier(device, PEPPERS).tag not in keys


def test_pepper_rotation() -> None:
    """Verifiers name their pepper; without it they say so."""
    secret = parsed(make(SecretKind.DEVICE))
    known = verifier(secret, PEPPERS)
    rotated = Versions("pepper", {1: PEPPERS.current, 2: bytes(32)})
    verify(known, secret, rotated)
    assert verifier(secret, rotated).pepper == 2
    with pytest.raises(MissingSecret):
        verify(known, secret, Versions("pepper", {2: bytes(32)}))
    with pytest.raises(UnknownSuite):
        verify(msgspec.structs.replace(known, suite=2), secret, PEPPERS)


def test_shows_nothing() -> None:
    """Neither secret nor verifier prints its octets."""
    secret = parsed(make(SecretKind.DEVICE))
    assert repr(secret) == "<SystemSecret DEVICE>"
    assert repr(verifier(secret, PEPPERS)) == "<SecretVerifier>"
