"""Values that rooms and stores exchange."""

import pytest

from cjsm.store import interfaces
from cjsm.store.interfaces import CannotOpen, DiskFull, Head, NewerStore, StoreError, Unavailable


def test_errors_are_one_family() -> None:
    """Whoever catches StoreError catches all of them; those that stop a service say the cure."""
    family = [
        found
        for found in vars(interfaces).values()
        if isinstance(found, type) and issubclass(found, Exception) and found is not StoreError
    ]
    assert len(family) >= 6
    assert all(issubclass(found, StoreError) for found in family)
    assert CannotOpen("no", "do this").cure == "do this"
    assert NewerStore("x").cure == "install that version again"
    assert StoreError("x").cure


@pytest.mark.parametrize("error", [Unavailable("x"), DiskFull("x")])
def test_nothing_is_committed_unless_it_says_so(error: Unavailable) -> None:
    """Only a store that does not know says so."""
    assert not getattr(error, "maybe_committed", False)
    assert Unavailable("x", maybe_committed=True).maybe_committed


def test_head_of_an_empty_mailbox() -> None:
    """A mailbox begins with nothing appended and a chain of noughts."""
    assert Head() == Head(appended=0, deleted=0, chain=bytes(32))
