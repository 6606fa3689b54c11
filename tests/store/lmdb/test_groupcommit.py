"""Group commit: everybody gets the answer of their own act, whatever else was in the batch."""

from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.store.interfaces import Unavailable
from cjsm.store.lmdb.environment import Environment, number
from cjsm.store.lmdb.groupcommit import GroupCommit

from ..support import MAP, HeldDisk, result


def opened(directory: Path) -> Environment:
    """A store with one table."""
    return Environment(directory / "acts.mdb", tables=("acts",), schema=1, map_size=MAP)


def writing(environment: Environment, key: int, *, bad: bool = False) -> Callable[[lmdb.Transaction], int]:
    """An act that writes *key*, and fails after it when *bad*."""

    def act(transaction: lmdb.Transaction) -> int:
        transaction.put(number(key), b"", db=environment.table("acts"))
        if bad:
            raise ZeroDivisionError
        return key

    return act


@given(
    st.lists(st.tuples(st.integers(0, 50), st.booleans(), st.booleans()), max_size=12),
    st.integers(1, 5),
    st.integers(1, 100),
)
def test_every_act_has_its_own_fate(
    tmp_path_factory: pytest.TempPathFactory, given_acts: list[tuple[int, bool, bool]], acts: int, octets: int
) -> None:
    """Good acts are written and answered, bad ones leave nothing, whatever was gathered with them."""
    environment, disk = opened(tmp_path_factory.mktemp("acts")), HeldDisk()
    commits = GroupCommit(environment, disk, acts=acts, octets=octets)
    waiting = []
    for key, (size, bad, disk_turns) in enumerate(given_acts):
        waiting.append(commits.write(writing(environment, key, bad=bad), size))
        if disk_turns and disk.held:
            disk.held.pop(0)()
    drained = commits.drained()
    disk.release()
    result(drained)
    for key, (_, bad, _) in enumerate(given_acts):
        if bad:
            with pytest.raises(ZeroDivisionError):
                result(waiting[key])
        else:
            assert result(waiting[key]) == key
    written = environment.read(lambda transaction: [*transaction.cursor(db=environment.table("acts"))])
    assert [key for key, _ in written] == [number(key) for key, (_, bad, _) in enumerate(given_acts) if not bad]
    environment.close()


def test_one_commit_for_what_gathered(tmp_path: Path) -> None:
    """While one commit runs, any number of acts wait for the next, and for no other."""
    environment, disk = opened(tmp_path), HeldDisk()
    commits = GroupCommit(environment, disk, acts=100, octets=1_000)
    for key in range(40):
        commits.write(writing(environment, key), 1)
    runs = 0
    while disk.held:
        disk.held.pop(0)()
        runs += 1
    assert runs == 2
    environment.close()


def test_everybody_is_told_when_nothing_can_be_written(tmp_path: Path) -> None:
    """And the next who comes is tried again."""
    environment, disk = opened(tmp_path), HeldDisk()
    commits = GroupCommit(environment, disk, acts=100, octets=1_000)
    write = environment.write

    def broken(act: object) -> None:
        raise Unavailable("no commit")

    environment.write = broken  # type: ignore[assignment,method-assign]  # the fault
    waiting = [commits.write(writing(environment, key), 1) for key in range(4)]
    disk.release()
    for one in waiting:
        with pytest.raises(Unavailable):
            result(one)
    environment.write = write  # type: ignore[method-assign]  # mended
    last = commits.write(writing(environment, 9), 1)
    disk.release()
    assert result(last) == 9
    environment.close()
