"""The second factor: codes, their time, and the sealed secret."""

import msgspec
import pytest

from cjsm.community.identifiers import AccountId
from cjsm.vault import factor
from cjsm.vault.errors import NotAuthentic, UnknownSuite, WrongSecret
from cjsm.vault.secrets import Versions

JANE = AccountId(b"account of jane ")
JOHN = AccountId(b"account of john ")
PEPPERS = Versions("pepper", {1: b"p" * 32})
RENEWED = Versions("pepper", {1: b"p" * 32, 2: b"q" * 32})
#: RFC 6238, appendix B: the secret and the last six digits of its codes, SHA-1.
SECRET = b"12345678901234567890"
VECTORS = [
    (59, b"287082"),
    (1_111_111_109, b"081804"),
    (1_111_111_111, b"050471"),
    (1_234_567_890, b"005924"),
    (2_000_000_000, b"279037"),
    (20_000_000_000, b"353130"),
]


@pytest.mark.parametrize(("moment", "code"), VECTORS)
def test_vectors(moment: int, code: bytes) -> None:
    """The standard's own, with and without the space that authenticators show."""
    assert factor.step_of(SECRET, code, moment, 0) == moment // 30
    assert factor.step_of(SECRET, code[:3] + b" " + code[3:], moment, 0) == moment // 30


def test_drift() -> None:
    """A clock may be a step wrong either way, and no more; the step is the code's, not the clock's."""
    moment, code = VECTORS[1]
    step = moment // 30
    assert [factor.step_of(SECRET, code, moment + late, 1) for late in (-30, 0, 30)] == [step] * 3
    for late in (-60, 60):
        with pytest.raises(WrongSecret):
            factor.step_of(SECRET, code, moment + late, 1)
    with pytest.raises(WrongSecret):
        factor.step_of(SECRET, code, moment + 30, 0)


@pytest.mark.parametrize(
    "typed", [b"", b"287083", b"28708", b"2870820", b"\xff" * 6, "２８７０８２".encode(), b"0" * 10_000]
)
def test_what_is_no_code(typed: bytes) -> None:
    """Is wrong, nothing else."""
    with pytest.raises(WrongSecret):
        factor.step_of(SECRET, typed, 59, 1)


def test_sealed() -> None:
    """Opens with the pepper it was sealed under, for its own account, unchanged."""
    secret, sealed = factor.new_factor(JANE, PEPPERS)
    assert (len(secret), sealed.pepper) == (factor.SECRET, 1)
    assert secret not in msgspec.msgpack.encode(sealed)
    assert factor.open_factor(sealed, JANE, RENEWED) == secret
    assert factor.seal_factor(secret, JANE, RENEWED).pepper == 2
    swapped = msgspec.structs.replace(sealed, account=JOHN)
    for wrong, account in (
        (sealed, JOHN),
        (swapped, JOHN),
        (msgspec.structs.replace(sealed, sealed=sealed.sealed[:-1]), JANE),
        (msgspec.structs.replace(sealed, sealed=sealed.sealed[:-1] + bytes((sealed.sealed[-1] ^ 1,))), JANE),
        (msgspec.structs.replace(sealed, pepper=2), JANE),
    ):
        with pytest.raises(NotAuthentic):
            factor.open_factor(wrong, account, RENEWED)
    with pytest.raises(UnknownSuite):
        factor.open_factor(msgspec.structs.replace(sealed, suite=9), JANE, PEPPERS)


def test_what_an_authenticator_is_told() -> None:
    """The address that a picture holds, and the secret in groups to type."""
    assert factor.typed_form(SECRET) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
    address = factor.address(SECRET, "jane.smith@avon", "Secure mail")
    assert address.startswith("otpauth://totp/Secure%20mail:jane.smith%40avon?")
    assert "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" in address
    assert "issuer=Secure%20mail" in address
