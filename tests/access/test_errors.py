"""What people are told who do not get in."""

import pytest

from cjsm.access.errors import (
    AccessError,
    AccessRefused,
    AccessUnavailable,
    MailboxClosed,
    MaildropInUse,
    MustChoosePassword,
    NotOffered,
    TryLater,
)


@pytest.mark.parametrize(
    "kind", [AccessRefused, TryLater, MustChoosePassword, MaildropInUse, MailboxClosed, AccessUnavailable]
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


def test_try_later_says_when() -> None:
    """The text and the attribute agree."""
    assert TryLater(7).seconds == 7
    assert "7 seconds" in str(TryLater(7))
    assert str(NotOffered("no mailbox")) == "no mailbox"
