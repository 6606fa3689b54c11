"""A message's octets: sealed as they come, in memory while they are few, else in a file."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.community.identifiers import BodyId
from cjsm.mail.content import SealedContent
from cjsm.store.interfaces import DiskFull, Unavailable
from cjsm.vault.body import BodyOpener, SealedBody
from cjsm.vault.message import SEALED_SEGMENT, SEGMENT, sealed_length

from .memory import MemoryBodies, Platter
from .support import result
from .weather import Fate, Forecast

BODY = BodyId(b"body one 0000001")
INLINE = 2 * SEALED_SEGMENT


class Desk:
    """Content and where it goes."""

    def __init__(self, inline: int = INLINE) -> None:
        self.platter = Platter()
        self.forecast = Forecast()
        bodies = MemoryBodies(self.platter, self.forecast, lambda: 0.0)
        self.content = SealedContent(BODY, bodies=bodies, entropy=random.Random(1).randbytes, inline=inline)

    def write(self, octets: bytes) -> None:
        written = self.content.write(octets)
        if written is not None:
            result(written)

    def finish(self) -> SealedBody:
        return result(self.content.finish())

    def stored(self) -> bytes:
        inline = self.content.inline_body
        if inline is not None:
            assert BODY not in self.platter.files
            return inline
        file = self.platter.files[BODY]
        assert file.synced
        return bytes(file.octets)

    def plain(self, body: SealedBody) -> bytes:
        opener = BodyOpener(self.content.sealer._key, BODY, body.octets)
        stored, at, plain = self.stored(), 0, b""
        opener.check_length(len(stored))
        while opener.next_length:
            length = opener.next_length
            plain += opener.open(stored[at : at + length])
            at += length
        return plain


edges = st.sampled_from([0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT - 16, 2 * SEGMENT, 3 * SEGMENT])


@given(st.lists(edges | st.integers(0, 3 * SEGMENT), max_size=5), st.sampled_from([0, 100, SEALED_SEGMENT, INLINE]))
def test_what_was_written_is_read_again(lengths: list[int], inline: int) -> None:
    """In whatever pieces it came and wherever it is kept."""
    desk = Desk(inline)
    pieces = [bytes([65 + place]) * length for place, length in enumerate(lengths)]
    for piece in pieces:
        desk.write(piece)
    body = desk.finish()
    assert desk.plain(body) == b"".join(pieces)
    assert body.octets == sum(lengths)
    assert body.sealed_octets == sealed_length(body.octets) == len(desk.stored())
    assert (desk.content.inline_body is not None) == (body.sealed_octets <= inline)


def test_few_octets_never_trouble_the_disk() -> None:
    """Up to the limit, to the octet."""
    desk = Desk(100)
    desk.write(b"x" * 84)
    desk.finish()
    assert desk.forecast.calls == []
    desk = Desk(100)
    desk.write(b"x" * 85)
    desk.finish()
    assert desk.forecast.calls == ["create", "write", "finish"]


def test_many_octets_go_to_the_file_as_they_come() -> None:
    """What is held is the inline limit and a segment at most."""
    desk = Desk(INLINE)
    for _ in range(20):
        desk.write(b"x" * SEGMENT)
        assert sum(map(len, desk.content._gathered)) <= INLINE
        assert len(desk.content.sealer._sealer._pending) <= SEGMENT
    assert len(desk.platter.files[BODY].octets) >= 18 * SEALED_SEGMENT
    desk.finish()


def test_the_writer_waits_for_the_disk() -> None:
    """A Deferred is returned where waiting is called for."""
    desk = Desk(0)
    held = desk.forecast.hold("create")
    assert desk.content.write(b"x") is None
    waiting = desk.content.write(b"x" * SEGMENT)
    assert waiting is not None
    assert not waiting.called
    held.callback(None)
    assert waiting.called
    desk.finish()


@pytest.mark.parametrize("call", ["create", "write"])
def test_a_disk_that_fails_is_told_to_the_writer(call: str) -> None:
    """With the store's own exception."""
    desk = Desk(0)
    desk.forecast.foretell(call, Fate(DiskFull("full")))
    writing = desk.content.write(b"x" * (SEGMENT + 1))
    assert writing is not None
    with pytest.raises(DiskFull):
        result(writing)


@pytest.mark.parametrize("call", ["create", "write", "finish"])
def test_a_disk_that_fails_at_the_end(call: str) -> None:
    """Finishing says so."""
    desk = Desk(0)
    desk.content.write(b"x")
    desk.forecast.foretell(call, Fate(Unavailable("gone", maybe_committed=True), happens=True))
    with pytest.raises(Unavailable):
        desk.finish()
    result(desk.content.discard())
    if call != "create":
        assert not desk.platter.files


@pytest.mark.parametrize("octets", [10, SEGMENT + 1, 5 * SEGMENT])
@pytest.mark.parametrize("finished", [False, True])
def test_discarding_leaves_nothing(octets: int, finished: bool) -> None:
    """Neither in memory nor on the disk, and may be said again."""
    desk = Desk(100)
    desk.write(b"x" * octets)
    if finished:
        desk.finish()
    result(desk.content.discard())
    result(desk.content.discard())
    assert not desk.platter.files
    assert desk.content._gathered == []
    assert desk.forecast.calls.count("abort") <= 1
