"""A message on its way to where it is kept: in memory while it is small, in a file when it is not."""

import pytest
from twisted.internet.defer import Deferred

from cjsm.community.identifiers import BodyId
from cjsm.mail.content import SealedContent
from cjsm.store.interfaces import Unavailable
from tests.mail.world import MemoryBodies, result

BODY = BodyId(b"b" * 16)


def content(bodies: MemoryBodies, inline: int = 1_000) -> SealedContent:
    """Content that begins."""
    return SealedContent(BODY, bodies=bodies, entropy=lambda length: b"e" * length, inline=inline)


def test_small() -> None:
    """Stays in memory, sealed."""
    bodies = MemoryBodies()
    made = content(bodies)
    assert made.write(b"plain text " * 5) is None
    body = result(Deferred.fromCoroutine(made.finish()))
    assert made.inline_body is not None
    assert b"plain" not in made.inline_body
    assert (len(made.inline_body), bodies.kept) == (body.sealed_octets, {})


@pytest.mark.parametrize("octets", [2_000, 65_536, 200_000])
def test_large(octets: int) -> None:
    """Goes to a file; memory holds a segment at most."""
    bodies = MemoryBodies()
    made = content(bodies)
    for _ in range(octets // 1_000):
        waiting = made.write(b"p" * 1_000)
        if waiting is not None:
            result(waiting)
    body = result(Deferred.fromCoroutine(made.finish()))
    assert made.inline_body is None
    assert len(bodies.kept[BODY]) == body.sealed_octets
    assert bodies.open == 0


def test_given_up() -> None:
    """Nothing is left of it, whether or not a file was begun."""
    for octets in (10, 200_000):
        bodies = MemoryBodies()
        made = content(bodies)
        made.write(b"p" * octets)
        result(Deferred.fromCoroutine(made.discard()))
        assert (bodies.kept, bodies.open) == ({}, 0)
        result(Deferred.fromCoroutine(made.discard()))


def test_disk_troubles() -> None:
    """Reach whoever waits."""
    bodies = MemoryBodies()

    def trouble(step: str) -> None:
        raise Unavailable(f"no {step}")

    bodies.trouble = trouble
    made = content(bodies)
    waiting = made.write(b"p" * 70_000)
    assert waiting is not None
    with pytest.raises(Unavailable):
        result(waiting)
