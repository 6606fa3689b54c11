"""Sealing the message trace."""

import pytest

from cjsm.vault.errors import MissingSecret, NotAuthentic, UnknownSuite, VaultError
from cjsm.vault.secrets import Versions
from cjsm.vault.traces import TraceSealer

OLD = TraceSealer(Versions("cache", {1: b"1" * 32}))
BOTH = TraceSealer(Versions("cache", {1: b"1" * 32, 2: b"2" * 32}))
NEW = TraceSealer(Versions("cache", {2: b"2" * 32}))
GAP = TraceSealer(Versions("cache", {1: b"1" * 32, 3: b"3" * 32}))


def test_opens_where_it_belongs_and_nowhere_else() -> None:
    """Not at another moment, in another message, changed, cut or empty."""
    sealed = OLD.seal(b"event", 5, b"queue")
    assert OLD.open(sealed, 5, b"queue") == b"event"
    assert b"event" not in sealed
    for place in ((6, b"queue"), (5, b"other"), (5,), (5, b"queue", b"")):
        with pytest.raises(NotAuthentic):
            OLD.open(sealed, *place)
    for number in range(2, len(sealed)):
        with pytest.raises(NotAuthentic):
            OLD.open(sealed[:number] + bytes((sealed[number] ^ 1,)) + sealed[number + 1 :], 5, b"queue")
    for cut in (b"", sealed[:1], sealed[:-1]):
        with pytest.raises(VaultError):
            OLD.open(cut, 5, b"queue")
    with pytest.raises(UnknownSuite):
        OLD.open(b"\x63" + sealed[1:], 5, b"queue")


def test_two_of_the_same_differ() -> None:
    """Equal events cannot be told to be equal."""
    assert OLD.seal(b"event") != OLD.seal(b"event")


def test_rotated() -> None:
    """What an earlier version sealed, named or tagged is still found; without that version it is not."""
    sealed = OLD.seal(b"event", 5)
    assert BOTH.open(sealed, 5) == b"event"
    assert BOTH.seal(b"event")[1] == 2
    with pytest.raises(MissingSecret):
        NEW.open(sealed, 5)
    assert BOTH.messages("id") == (NEW.message("id"), OLD.message("id"))
    assert BOTH.names("jo@firm") == (NEW.name("jo@firm"), OLD.name("jo@firm"))
    assert len(GAP.names("jo@firm")) == len(GAP.messages("id")) == 2


def test_tags_tell_nothing() -> None:
    """Of fixed length, the same each time, another for each; names do not care for case, Message-IDs do."""
    assert len(OLD.message("id")) == 16
    assert OLD.message("id") == OLD.message("id") != OLD.message("ID")
    assert OLD.name("Jo@Firm") == OLD.name("jo@firm") != OLD.name("jo@firm2")


def test_golden() -> None:
    """What this version sealed and tagged still opens and is found in every later one."""
    sealed = bytes.fromhex(GOLDEN)
    assert OLD.open(sealed, 1_700_000_000, b"12345678", b"") == b"golden"
    assert OLD.message("golden@id").hex() == GOLDEN_TAG


GOLDEN = "01013fafd587f7e61475315ceb66e8d515d3c30e51303e7a8c02cacbc51c0bdf36e3395f"
GOLDEN_TAG = "c3cf2ee71b57c147d41a684cf8017415"
