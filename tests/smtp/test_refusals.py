"""What the rooms refuse, as replies."""

import pytest

from cjsm.access import errors
from cjsm.access.errors import (
    AccessError,
    AccessRefused,
    AccessUnavailable,
    DevicePasswordNeeded,
    LoginTooSoon,
    MustChoosePassword,
    NotOffered,
    PasswordExpired,
    TryLater,
)
from cjsm.mail.interfaces import Refused
from cjsm.smtp import refusals


@pytest.mark.parametrize(
    ("error", "code", "counts"),
    [
        (AccessRefused(), 535, True),
        (MustChoosePassword(), 535, True),
        (PasswordExpired(), 535, True),
        (DevicePasswordNeeded(), 535, True),
        (NotOffered("mail is kept elsewhere"), 535, True),
        (TryLater(30), 454, False),
        (AccessUnavailable(), 454, False),
    ],
)
def test_signing_in(error: AccessError, code: int, counts: bool) -> None:
    """Only what the client did counts as a failed sign-in; the words say what to do."""
    said, counted = refusals.signing_in(error)
    assert (said.code, counted) == (code, counts)
    assert said.status.startswith("5." if code == 535 else "4.")
    assert said.text[0]


def test_every_error_has_a_reply() -> None:
    """A new kind of error is at least 'try later'."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AccessError)]
    for kind in kinds:
        error = kind(1) if kind in (TryLater, LoginTooSoon) else kind("words") if kind is NotOffered else kind()
        assert refusals.signing_in(error)[0].code in (454, 535)


def test_message() -> None:
    """The room's verdict goes out as it is."""
    said = refusals.of_message(Refused(552, "5.3.4", "too large"))
    assert said.encode() == b"552 5.3.4 too large\r\n"
