"""What a new password must be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm import policies
from cjsm.vault.device import SecretKind, make
from cjsm.vault.errors import BadPassword
from cjsm.vault.passwords import normalise
from cjsm.vault.policy import check_password, is_for_administrators

POLICIES = {name: policies.load(name) for name in policies.NAMES}
NAMES = ("Josephine", "O'Sullivan-Smith", "jo.smith@avon", "Lee")


@pytest.mark.parametrize(
    "good",
    ["purple tractor window", "618033988749894", "hwyl fawr ffrind", "пароль длинный такой", "sleepy badger glass"],
)
def test_accepted(good: str) -> None:
    """Long enough and not common will do, in any script; three letters of a name do no harm."""
    for administrator in (False, True):
        check_password(good.encode(), POLICIES["ncsc"], NAMES, administrator=administrator)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("short", "12"),
        ("elevenchars", "12"),
        ("", "text"),
        ("x" * 129, "128"),
        ("josephine tractor", "name"),
        ("tractor SMITH glass", "name"),
        ("tractor sullivan glass", "name"),
        ("password1234", "first"),
        ("Password!!!!", "first"),
        ("123456789012", "first"),
        ("abcabcabcabc", "first"),
        ("aaaaaaaaaaaa", "first"),
        ("111password1", "first"),
        ("098765432109", "first"),
        ("qwertyuiopas", "first"),
        ("zyxwvutsrqponm", "first"),
    ],
)
def test_refused(bad: str, why: str) -> None:
    """Too short, too long, one's own name or a common one: refused with words that help."""
    with pytest.raises(BadPassword, match=why):
        check_password(bad.encode(), POLICIES["ncsc"], NAMES, administrator=False)


def test_length_in_characters() -> None:
    """Length counts characters, not octets."""
    with pytest.raises(BadPassword, match="12"):
        check_password(("é" * 3 + "äöüßñçø").encode(), POLICIES["ncsc"], (), administrator=False)
    check_password(("é" + "äöüßñçø" + "æðþő").encode(), POLICIES["ncsc"], (), administrator=False)


def test_administrators_need_more() -> None:
    """Twelve characters do for a user, fourteen for an administrator."""
    chosen = b"tractor glas"
    check_password(chosen, POLICIES["ncsc"], (), administrator=False)
    with pytest.raises(BadPassword, match="14"):
        check_password(chosen, POLICIES["ncsc"], (), administrator=True)


def test_legacy_profile() -> None:
    """Three of four classes, shorter."""
    check_password(b"Tractor9", POLICIES["legacy"], (), administrator=False)
    for bad in (b"tractor9", b"Tractor", b"Tractorr"):
        with pytest.raises(BadPassword):
            check_password(bad, POLICIES["legacy"], (), administrator=False)


def test_form_of_a_system_made_secret() -> None:
    """Chosen by a person, it could never sign in: such text is tried as a device password."""
    for kind in SecretKind:
        with pytest.raises(BadPassword, match="system"):
            check_password(make(kind).encode(), POLICIES["ncsc"], (), administrator=False)


@given(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=30))
def test_long_enough_for_administrators(password: str) -> None:
    """By its normal form, whatever script it is in."""
    try:
        length = len(normalise(password.encode()).decode())
    except BadPassword:
        return
    assert is_for_administrators(password.encode(), POLICIES["ncsc"]) == (length >= 14)
