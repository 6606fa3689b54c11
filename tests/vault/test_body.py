"""Sealed bodies: every length and chunking comes back, and nothing else does."""

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cjsm.vault.body import (
    SEALED_SEGMENT,
    SEGMENT,
    BodyOpener,
    BodySealer,
    SealedBody,
    sealed_length,
    verify_body,
)
from cjsm.vault.errors import Malformed, NotAuthentic

from .conftest import BODY, OTHER_BODY

KEY = bytes(range(32))
EDGES = (0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 2 * SEGMENT + 1, 3 * SEGMENT - 1)
lengths = st.one_of(st.sampled_from(EDGES), st.integers(0, 3 * SEGMENT))
cuts = st.lists(st.integers(0, 4 * SEGMENT), max_size=6)


def text(octets: int) -> bytes:
    """A plaintext without repeats that a reordering could hide behind."""
    return b"".join(number.to_bytes(4, "big") for number in range(octets // 4 + 1))[:octets]


def pieces(whole: bytes, at: Iterable[int]) -> list[bytes]:
    """*whole*, cut at the offsets *at*."""
    edges = [0, *sorted(min(cut, len(whole)) for cut in at), len(whole)]
    return [whole[start:end] for start, end in itertools.pairwise(edges)]


def seal(plaintext: bytes, at: Iterable[int] = ()) -> tuple[bytes, SealedBody]:
    """Seal *plaintext*, written in the pieces that *at* cuts."""
    sealer = BodySealer(KEY, BODY)
    sealed = b"".join(sealer.write(piece) for piece in pieces(plaintext, at))
    last, body = sealer.finish()
    return sealed + last, body


def opened(sealed: bytes, octets: int, at: Iterable[int] = ()) -> bytes:
    """Open *sealed*, arriving in the pieces that *at* cuts."""
    opener = BodyOpener(KEY, BODY, octets)
    plaintext = b"".join(opener.write(piece) for piece in pieces(sealed, at))
    opener.finish()
    return plaintext


@settings(deadline=None, max_examples=40)
@given(octets=lengths, written=cuts, read=cuts)
def test_round_trip(octets: int, written: list[int], read: list[int]) -> None:
    """Whatever the pieces it is written and read in, a body comes back, and its form does not depend on them."""
    plaintext = text(octets)
    sealed, body = seal(plaintext, written)
    assert sealed == seal(plaintext)[0]
    assert len(sealed) == sealed_length(octets) == body.sealed_octets
    assert body.octets == octets
    assert opened(sealed, octets, read) == plaintext
    verify_body(body.digest, pieces(sealed, read))


@pytest.mark.parametrize("octets", EDGES)
def test_segment_by_segment(octets: int) -> None:
    """A reader that asks for one segment after the other gets the same, and knows where the body ends."""
    plaintext = text(octets)
    sealed, _ = seal(plaintext)
    opener = BodyOpener(KEY, BODY, octets)
    opener.check_length(len(sealed))
    found, position = b"", 0
    while length := opener.next_length:
        found += opener.open(sealed[position : position + length])
        position += length
    assert (found, position) == (plaintext, len(sealed))


def test_memory_is_bounded() -> None:
    """A body is sealed as it comes: no more than one segment waits."""
    sealer = BodySealer(KEY, BODY)
    out = sum(len(sealer.write(bytes(10_000))) for _ in range(100))
    assert out >= sealed_length(1_000_000) - SEALED_SEGMENT


def test_nothing_after_the_end() -> None:
    """A finished body takes no more: its nonces would repeat."""
    sealer = BodySealer(KEY, BODY)
    sealer.finish()
    with pytest.raises(Malformed):
        sealer.finish()
    with pytest.raises(Malformed):
        sealer.write(b"more")


OCTETS = 2 * SEGMENT + 100


def tampered() -> dict[str, bytes]:
    """Every way of changing a sealed body that somebody at the disk might try."""
    sealed, _ = seal(text(OCTETS))
    first, second, last = pieces(sealed, (SEALED_SEGMENT, 2 * SEALED_SEGMENT))
    short, _ = seal(text(2 * SEGMENT))
    return {
        "empty": b"",
        "truncated by an octet": sealed[:-1],
        "truncated by a segment": first + second,
        "truncated at the front": second + last,
        "extended by an octet": sealed + b"\0",
        "extended by a segment": sealed + last,
        "reordered": second + first + last,
        "repeated": first + first + last,
        "last first": last + first + second,
        "injected": first + second + seal(text(100))[0],
        "of another length": short,
        "flipped bit at the start": bytes((sealed[0] ^ 1,)) + sealed[1:],
        "flipped bit in a tag": sealed[:-1] + bytes((sealed[-1] ^ 128,)),
    }


@pytest.mark.parametrize("change", tampered())
@pytest.mark.parametrize("step", [1_000_000, 50_000])
def test_a_changed_body_does_not_open(change: str, step: int) -> None:
    """Truncated, extended, reordered, repeated, injected or altered: opening raises, and so does the keyless check."""
    changed = tampered()[change]
    with pytest.raises(NotAuthentic):
        opened(changed, OCTETS, range(0, len(changed), step))
    with pytest.raises(NotAuthentic):
        verify_body(seal(text(OCTETS))[1].digest, [changed])


def test_only_verified_octets_come_out() -> None:
    """What was given out before the changed segment was the true beginning."""
    plaintext = text(OCTETS)
    sealed = bytearray(seal(plaintext)[0])
    sealed[SEALED_SEGMENT + 5] ^= 1
    opener = BodyOpener(KEY, BODY, OCTETS)
    assert opener.write(bytes(sealed[:SEALED_SEGMENT])) == plaintext[:SEGMENT]
    with pytest.raises(NotAuthentic):
        opener.write(bytes(sealed[SEALED_SEGMENT:]))


@pytest.mark.parametrize("octets", [OCTETS - 1, OCTETS + 1, 2 * SEGMENT, OCTETS + SEGMENT, 0])
def test_another_length_is_noticed(octets: int) -> None:
    """A body opens only under the length that was accepted."""
    sealed, _ = seal(text(OCTETS))
    with pytest.raises(NotAuthentic):
        opened(sealed, octets)
    with pytest.raises(NotAuthentic):
        BodyOpener(KEY, BODY, octets).check_length(len(sealed))


def test_another_body_is_noticed() -> None:
    """Neither another message's key nor another body's id opens it."""
    sealed, _ = seal(b"short")
    for opener in (BodyOpener(bytes(32), BODY, 5), BodyOpener(KEY, OTHER_BODY, 5)):
        with pytest.raises(NotAuthentic):
            opener.open(sealed)


def test_no_segment_after_the_last() -> None:
    """An opener that is through opens nothing more, not even the same again."""
    sealed, _ = seal(b"short")
    opener = BodyOpener(KEY, BODY, 5)
    opener.open(sealed)
    with pytest.raises(NotAuthentic):
        opener.open(sealed)
