"""Every implementation keeps what the contracts promise, whichever write, sync or opening fails."""

from collections.abc import Callable
from pathlib import Path

import pytest

from . import mailboxes, spool
from .lmdbplace import LmdbPlace, counted, failing
from .memoryplace import MemoryPlace
from .place import Place

PROMISES = mailboxes.PROMISES | spool.PROMISES
scenarios = pytest.mark.parametrize("name", PROMISES)


@scenarios
def test_in_memory(name: str) -> None:
    """The double that other tests use."""
    PROMISES[name](MemoryPlace())


@scenarios
@pytest.mark.parametrize("after", [False, True])
def test_in_memory_with_every_call_failing_in_turn(name: str, after: bool) -> None:
    """Done or not, a call that failed may be asked again."""
    place = MemoryPlace()
    PROMISES[name](place)
    for number in range(place.calls):
        PROMISES[name](MemoryPlace(failing=number, after=after))


@scenarios
def test_in_lmdb(name: str, tmp_path: Path) -> None:
    """On disk."""
    with LmdbPlace(tmp_path) as place:
        PROMISES[name](place)


@scenarios
@pytest.mark.parametrize("kind", ["commit", "doubtful commit", "sync", "opening", "link"])
def test_in_lmdb_with_every_step_failing_in_turn(name: str, kind: str, tmp_path: Path) -> None:
    """Whichever commit, sync, link or opening of a file fails: asked again, all is as if nothing had been."""
    steps = counted(kind, lambda: _run(PROMISES[name], tmp_path / "whole"))
    for number in range(steps):
        with failing(kind, number):
            _run(PROMISES[name], tmp_path / str(number))


def _run(scenario: Callable[[Place], None], directory: Path) -> None:
    directory.mkdir()
    with LmdbPlace(directory) as place:
        scenario(place)
