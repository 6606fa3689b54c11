"""What people are told who do not get in."""

import pytest

from cjsm.access.errors import (
    AccessError,
    AccessRefused,
    AccessUnavailable,
    CodeNeeded,
    CodeRefused,
    DevicePasswordNeeded,
    MailboxClosed,
    MaildropInUse,
    MustChoosePassword,
    NotOffered,
    PasswordExpired,
    TryLater,
)


@pytest.mark.parametrize(
    "kind",
    [
        *(AccessRefused, TryLater, MustChoosePassword, PasswordExpired, DevicePasswordNeeded, CodeNeeded, CodeRefused),
        *(MaildropInUse, MailboxClosed, AccessUnavailable),
    ],
)
def test_texts(kind: type[AccessError]) -> None:
    """Each says something printable by itself."""
    told = str(kind())
    assert told
    assert told.isprintable()
    assert told.isascii()


def test_refusal_has_one_text() -> None:
    """A refusal takes no reason, so none can slip into it."""
    with pytest.raises(TypeError):
        AccessRefused("locked")  # type: ignore[call-arg]


def test_a_warning_says_more() -> None:
    """And begins as the refusal that it is."""
    assert str(AccessRefused(warned=True)).startswith(f"{AccessRefused()}; ")


def test_try_later_says_when() -> None:
    """The text and the attribute agree."""
    assert TryLater(7).seconds == 7
    assert "7 seconds" in str(TryLater(7))
    assert str(NotOffered("no mailbox")) == "no mailbox"
