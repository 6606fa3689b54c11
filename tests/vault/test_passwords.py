"""Passwords that people choose: normalised, peppered, verified, stretched."""

from collections.abc import Callable

import bcrypt
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjsm.vault.errors import BadPassword, Malformed, MissingSecret, UnknownSuite, WrongSecret
from cjsm.vault.passwords import (
    LONGEST,
    PasswordVerifier,
    Stretch,
    dummy_verifier,
    hash_password,
    new_stretch,
    normalise,
    stretch,
    verify_password,
)
from cjsm.vault.secrets import ServiceSecrets, Versions, generate

PEPPERS = generate().peppers
CHOSEN = "correct horse bättery".encode()
KNOWN = hash_password(CHOSEN, PEPPERS, cost=4)
STRETCH = new_stretch(PEPPERS, memory=64, iterations=1)


def test_right_password() -> None:
    """The password verifies, also when the verifier was stored."""
    verify_password(KNOWN, CHOSEN, PEPPERS)
    verify_password(msgspec.msgpack.decode(msgspec.msgpack.encode(KNOWN), type=PasswordVerifier), CHOSEN, PEPPERS)


def test_same_text_typed_otherwise() -> None:
    """Decomposed letters and other spaces are the same password; capitals are not (RFC 8265 section 4.2)."""
    verify_password(KNOWN, "correct\u00a0horse ba\u0308ttery".encode(), PEPPERS)
    with pytest.raises(WrongSecret):
        verify_password(KNOWN, "Correct horse bättery".encode(), PEPPERS)


@pytest.mark.parametrize("wrong", [b"", b"\xff\xfe", b"with\x00null", b"x" * (LONGEST + 1), b"correct horse", b"\x7f"])
def test_wrong_password(wrong: bytes) -> None:
    """A wrong one is wrong, whatever its octets: never another error."""
    with pytest.raises(WrongSecret):
        verify_password(KNOWN, wrong, PEPPERS)


@settings(deadline=None, max_examples=30)
@given(st.binary(max_size=80))
def test_no_octets_confuse(wrong: bytes) -> None:
    """Any octets at all are refused the same way."""
    with pytest.raises(WrongSecret):
        verify_password(KNOWN, wrong, PEPPERS)


def test_every_octet_counts() -> None:
    """Passwords that agree in their first 72 octets differ."""
    long = b"x" * 100
    known = hash_password(long + b"a", PEPPERS, cost=4)
    verify_password(known, long + b"a", PEPPERS)
    with pytest.raises(WrongSecret):
        verify_password(known, long + b"b", PEPPERS)


def test_unknown_user_costs_the_same_path() -> None:
    """The verifier of nobody has the form and cost of a real one, and matches nothing."""
    nobody = dummy_verifier(PEPPERS, cost=4)
    assert nobody.hashed[:7] == KNOWN.hashed[:7] == b"$2b$04$"
    for tried in (CHOSEN, b"", b"\xff"):
        with pytest.raises(WrongSecret):
            verify_password(nobody, tried, PEPPERS)


def rounds_of(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> int:
    """Return the rounds of bcrypt that a refusal took."""
    spent: list[int] = []
    check, make = bcrypt.checkpw, bcrypt.hashpw

    def checked(password: bytes, hashed: bytes) -> bool:
        spent.append(int(hashed.split(b"$")[2]))
        return check(password, hashed)

    def made(password: bytes, salt: bytes) -> bytes:
        spent.append(int(salt.split(b"$")[2]))
        return make(password, salt)

    with monkeypatch.context() as patched:
        patched.setattr(bcrypt, "checkpw", checked)
        patched.setattr(bcrypt, "hashpw", made)
        with pytest.raises(WrongSecret):
            act()
    return sum(1 << each for each in spent)


@pytest.mark.parametrize("cost", [0, 4, 5, 7])
def test_an_older_verifier_refuses_no_sooner(monkeypatch: pytest.MonkeyPatch, cost: int) -> None:
    """What was made before the cost was raised takes as many rounds to refuse as what nobody has."""
    wrong = b"wrong"
    older = rounds_of(monkeypatch, lambda: verify_password(KNOWN, wrong, PEPPERS, cost=cost))
    nobody = dummy_verifier(PEPPERS, cost=max(cost, 4))
    unknown = rounds_of(monkeypatch, lambda: verify_password(nobody, wrong, PEPPERS, cost=cost))
    assert older == unknown == 1 << max(4, cost)
    verify_password(KNOWN, CHOSEN, PEPPERS, cost=cost)


def test_pepper_counts() -> None:
    """Without the pepper the verifier is no test of a password; after a rotation it still is one with the old."""
    other = generate().peppers
    with pytest.raises(WrongSecret):
        verify_password(KNOWN, CHOSEN, other)
    rotated = Versions("pepper", {1: PEPPERS.current, 2: other.current})
    verify_password(KNOWN, CHOSEN, rotated)
    assert hash_password(CHOSEN, rotated, cost=4).pepper == 2
    with pytest.raises(MissingSecret):
        verify_password(KNOWN, CHOSEN, Versions("pepper", {2: other.current}))


@pytest.mark.parametrize("refused", [b"", b"\xff", b"tab\there", b"x" * (LONGEST + 1), "\u1100\u00ad".encode()])
def test_unacceptable_text(refused: bytes) -> None:
    """What is no text cannot be set."""
    with pytest.raises(BadPassword):
        normalise(refused)
    with pytest.raises(BadPassword):
        hash_password(refused, PEPPERS, cost=4)
    with pytest.raises(BadPassword):
        stretch(STRETCH, refused, PEPPERS)


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(typed: str) -> None:
    """What came out goes in again unchanged."""
    try:
        once = normalise(typed.encode())
    except BadPassword:
        return
    assert normalise(once) == once


def test_key_of_a_password() -> None:
    """The same password gives the same key; another password, salt, cost or pepper another."""
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(STRETCH), type=Stretch)
    key = stretch(stored, CHOSEN, PEPPERS)
    assert key == stretch(STRETCH, "correct horse ba\u0308ttery".encode(), PEPPERS)
    others = {
        stretch(STRETCH, b"correct horse battery", PEPPERS),
        stretch(STRETCH, CHOSEN, generate().peppers),
        stretch(msgspec.structs.replace(STRETCH, salt=bytes(16)), CHOSEN, PEPPERS),
        stretch(msgspec.structs.replace(STRETCH, memory=72), CHOSEN, PEPPERS),
        stretch(msgspec.structs.replace(STRETCH, iterations=2), CHOSEN, PEPPERS),
        KNOWN.hashed,
    }
    assert len(key) == 32
    assert len(others | {key}) == 7


def test_damage_and_newer_versions() -> None:
    """Damaged and newer records are told apart from a wrong password."""
    with pytest.raises(Malformed):
        verify_password(msgspec.structs.replace(KNOWN, hashed=b"$2b$"), CHOSEN, PEPPERS)
    for change in ({"memory": 1}, {"iterations": 0}, {"memory": 1 << 40}, {"salt": b""}):
        with pytest.raises(Malformed):
            stretch(msgspec.structs.replace(STRETCH, **change), CHOSEN, PEPPERS)
    with pytest.raises(UnknownSuite):
        verify_password(msgspec.structs.replace(KNOWN, suite=2), CHOSEN, PEPPERS)
    with pytest.raises(UnknownSuite):
        stretch(msgspec.structs.replace(STRETCH, suite=2), CHOSEN, PEPPERS)


def test_shows_nothing(secrets: ServiceSecrets) -> None:
    """Verifiers do not print what an attacker would want."""
    assert repr(KNOWN) == "<PasswordVerifier>"
