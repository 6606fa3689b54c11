"""The contract's place on disk, and a disk that fails at a chosen step."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest.mock import patch

import lmdb

from cjsm.store.interfaces import StoreError
from cjsm.store.lmdb.bodies import FileBodyStore
from cjsm.store.lmdb.disk import InlineDisk
from cjsm.store.lmdb.space import Space
from cjsm.store.lmdb.spool import LmdbSpool

from ..support import Clock, MemoryAnchors, open_mailboxes, open_spool, result


class LmdbPlace:
    """Stores in *directory*. Anchors outlive the process, as those of ``activity.mdb`` do."""

    def __init__(self, directory: Path) -> None:
        self.clock = Clock()
        self._directory = directory
        self._anchors = MemoryAnchors()
        self._open()

    def _open(self) -> None:
        disk = InlineDisk()
        self.bodies = FileBodyStore(self._directory / "spool" / "bodies", disk, Space(self._directory, 0))
        self.mail = open_mailboxes(self._directory, disk, self._anchors, clock=self.clock)
        self.spool = self._own_spool()

    def _own_spool(self) -> LmdbSpool:
        for _ in range(3):
            try:
                spool = open_spool(self._directory, clock=self.clock)
            except StoreError:
                continue
            try:
                spool.own()
            except (StoreError, OSError):
                result(spool.close())
                continue
            return spool
        raise AssertionError("a start that failed once is tried again, and then it does not fail")

    def again(self) -> None:
        self._close()
        self._open()

    def _close(self) -> None:
        self.mail.close()
        result(self.spool.close())

    def __enter__(self) -> "LmdbPlace":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()


class _Steps:
    """Counts steps and fails one of them, once."""

    def __init__(self, failing: int = -1) -> None:
        self.seen = 0
        self._failing = failing

    def fails(self) -> bool:
        """One more step: whether it is the one."""
        self.seen += 1
        return self.seen == self._failing + 1

    def before(self, genuine: Callable[..., Any], error: Exception) -> Callable[..., Any]:
        def step(*arguments: Any, **more: Any) -> Any:
            if self.fails():
                raise error
            return genuine(*arguments, **more)

        return step


@contextmanager
def _watched(kind: str, steps: _Steps) -> Iterator[None]:
    disk_error = OSError(5, "Input/output error")
    if kind == "commit":

        def commit(transaction: lmdb.Transaction) -> None:
            if steps.fails():
                transaction.abort()
                raise lmdb.DiskError("it was foretold")
            transaction.commit()

        wanted = patch("cjsm.store.lmdb.environment.commit", commit)
    elif kind == "doubtful commit":

        def doubtful(transaction: lmdb.Transaction) -> None:
            transaction.commit()
            if steps.fails():
                raise lmdb.DiskError("it was foretold")

        wanted = patch("cjsm.store.lmdb.environment.commit", doubtful)
    elif kind == "sync":
        wanted = patch("os.fsync", steps.before(os.fsync, disk_error))
    elif kind == "link":
        wanted = patch("os.link", steps.before(os.link, disk_error))
    else:
        opening = steps.before(lmdb.open, lmdb.DiskError("it was foretold"))
        with patch("os.open", steps.before(os.open, disk_error)), patch.object(lmdb, "open", opening):
            yield
        return
    with wanted:
        yield


def counted(kind: str, act: Callable[[], None]) -> int:
    """How many steps of *kind* there are in *act*."""
    steps = _Steps()
    with _watched(kind, steps):
        act()
    return steps.seen


@contextmanager
def failing(kind: str, number: int) -> Iterator[None]:
    """The step of *kind* with that number fails, once."""
    steps = _Steps(number)
    with _watched(kind, steps):
        yield
    assert steps.seen > number, "it did not come to that step"
