"""Files that are replaced while others use them: space comes back, nothing is lost, whatever stops halfway."""

import errno
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cjsm.store.interfaces import DiskFull, Head, Unavailable
from cjsm.store.lmdb.environment import Environment
from cjsm.store.lmdb.home import Home, _is_in_memory
from cjsm.store.lmdb.mailboxes import LmdbMailStore

from ..support import MAILBOX, Clock, MemoryAnchors, delivery, open_mailboxes, result

SEALED = bytes(range(256)) * 64


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[LmdbMailStore]:
    opened = open_mailboxes(tmp_path, clock=clock)
    yield opened
    opened.close()


def fill(store: LmdbMailStore, *numbers: int) -> None:
    result(store.deliver(MAILBOX, [delivery(number, SEALED) for number in numbers], 0))


def numbers(store: LmdbMailStore) -> list[int]:
    rows = result(store.list(MAILBOX)).rows
    for row in rows:
        body = result(store.open(MAILBOX, row.delivery_id)).body
        assert result(body.read(0, body.octets))[:6] in (SEALED[:6], b"sealed")
        body.close()
    return [int(row.delivery_id.strip(b".").split()[1]) for row in rows]


def size(store: LmdbMailStore) -> int:
    """Octets of all files of the mailbox."""
    return sum(path.stat().st_blocks * 512 for path in store.home(MAILBOX).iterdir() if path.is_file())


def files(store: LmdbMailStore) -> list[str]:
    return sorted(path.name for path in store.home(MAILBOX).iterdir() if path.is_file())


def test_deletion_gives_space_back(store: LmdbMailStore, clock: Clock) -> None:
    """A file that is more than half empty shrinks to what is in it; a fuller one is left alone."""
    fill(store, *range(1, 301))
    before = size(store)
    result(store.delete(MAILBOX, [delivery(number).delivery_id for number in range(1, 101)]))
    result(store.purge(int(clock()) + 1))
    assert files(store) == ["mailbox.mdb", "mailbox.mdb-lock"]
    assert size(store) >= before
    result(store.delete(MAILBOX, [delivery(number).delivery_id for number in range(101, 271)]))
    clock.now += 1
    result(store.purge(int(clock())))
    assert size(store) < before / 5
    assert numbers(store) == list(range(271, 301))
    assert files(store) == ["mailbox.2.mdb", "mailbox.2.mdb-lock"]
    fill(store, 301)
    store.close()
    store = open_mailboxes(store.home(MAILBOX).parents[2])
    assert numbers(store) == list(range(271, 302))
    store.close()


def test_small_files_are_not_compacted(store: LmdbMailStore, clock: Clock) -> None:
    """It is not worth it."""
    fill(store, *range(1, 30))
    result(store.delete(MAILBOX, [delivery(number).delivery_id for number in range(1, 30)]))
    result(store.purge(int(clock()) + 1))
    assert files(store) == ["mailbox.mdb", "mailbox.mdb-lock"]


def test_destroyed_messages_leave_the_file_in_time(store: LmdbMailStore, clock: Clock) -> None:
    """What LMDB keeps of them in unused pages goes with the next copy, at the latest when the settings say."""
    canary = b"canary of a wrap"
    result(store.deliver(MAILBOX, [msgspec.structs.replace(delivery(1), wrap=canary), delivery(2)], 0))
    fill(store, *range(3, 40))
    result(store.delete(MAILBOX, [delivery(1).delivery_id]))
    result(store.purge(int(clock()) + 1))
    clock.now += store.compact_after
    result(store.purge(0))
    assert any(canary in path.read_bytes() for path in store.home(MAILBOX).glob("*.mdb"))
    clock.now += 1
    result(store.purge(0))
    assert not any(canary in path.read_bytes() for path in store.home(MAILBOX).glob("*.mdb"))
    assert numbers(store) == list(range(2, 40))
    clock.now += store.compact_after * 2
    before = files(store)
    result(store.purge(0))
    assert files(store) == before


def test_others_go_on_while_a_file_is_replaced(tmp_path: Path, clock: Clock) -> None:
    """A reader that began before reads on; everybody else finds the new file; nothing is delivered into the old."""
    store = open_mailboxes(tmp_path, clock=clock)
    fill(store, 1)
    with store.opened(MAILBOX) as opened, opened._environment.reading() as transaction:
        opened.compact()
        assert transaction.get(delivery(1).delivery_id, db=opened._environment.table("messages")) is not None
        fill(store, 2)
        assert numbers(store) == [1, 2]
    assert numbers(store) == [1, 2]
    assert len(store._open) == 1
    assert files(store) == ["mailbox.2.mdb", "mailbox.2.mdb-lock"]
    store.close()


def _in_another_process(act: Callable[[], None]) -> int:
    pid = os.fork()
    if not pid:
        status = 1
        try:
            act()
            status = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(status)
    return pid


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_processes_deliver_while_others_replace_the_file(tmp_path: Path) -> None:
    """Three deliver, one compacts again and again: every message is there once, and one file."""

    def deliver(first: int) -> None:
        store = open_mailboxes(tmp_path)
        for number in range(first, first + 60):
            result(store.deliver(MAILBOX, [delivery(number)], 0))
        store.close()

    def compact() -> None:
        store = open_mailboxes(tmp_path)
        for _ in range(25):
            store._in(MAILBOX, lambda opened: opened.compact())
        store.close()

    store = open_mailboxes(tmp_path)
    fill(store, 1)
    store.close()
    pids = [_in_another_process(partial(deliver, first)) for first in (100, 200, 300)]
    pids.append(_in_another_process(compact))
    assert [ended(pid) for pid in pids] == [0, 0, 0, 0]
    store = open_mailboxes(tmp_path)
    assert sorted(numbers(store)) == [1, *range(100, 160), *range(200, 260), *range(300, 360)]
    assert files(store) == ["mailbox.26.mdb", "mailbox.26.mdb-lock"]
    store.close()


STEPS: dict[str, tuple[Any, str]] = {
    "the copy": (Environment, "copy"),
    "the mark": (Environment, "write"),
    "the name": (os, "rename"),
    "the removal": (Path, "unlink"),
}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_killed_while_a_file_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    """Before or after any step: the mailbox is what it was, and one file is left."""
    store = open_mailboxes(tmp_path)
    fill(store, 1, 2)
    store.close()
    holder, name = STEPS[step]
    genuine = getattr(holder, name)

    def deadly(*arguments: Any, **more: Any) -> Any:
        # A leftover of nothing is looked for before the copy: that is not the step that is meant.
        if name == "unlink" and not arguments[0].exists():
            return genuine(*arguments, **more)
        if after:
            genuine(*arguments, **more)
        os.kill(os.getpid(), signal.SIGKILL)

    def compact() -> None:
        opened = open_mailboxes(tmp_path)
        with opened.opened(MAILBOX) as mailbox:
            monkeypatch.setattr(holder, name, deadly)
            mailbox.compact()

    assert ended(_in_another_process(compact)) == -signal.SIGKILL
    store = open_mailboxes(tmp_path)
    assert numbers(store) == [1, 2]
    fill(store, 3)
    assert numbers(store) == [1, 2, 3]
    assert files(store) in ([f"{name}", f"{name}-lock"] for name in ("mailbox.mdb", "mailbox.2.mdb"))
    store.close()


def test_a_mark_that_others_find_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds the mark of a compaction that stopped there gives the copy its name."""
    store = open_mailboxes(tmp_path)
    fill(store, 1)

    def stop(self: Home, by: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(Home, "name_successor", stop)
        with pytest.raises(Unavailable), store.opened(MAILBOX) as opened:
            opened.compact()
    assert (store.home(MAILBOX) / "mailbox.2.part").exists()
    fill(store, 2)
    assert numbers(store) == [1, 2]
    assert files(store) == ["mailbox.2.mdb", "mailbox.2.mdb-lock"]
    store.close()


def test_no_room_for_a_copy(store: LmdbMailStore, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mailbox stays as it is, and what was to be destroyed is."""
    fill(store, *range(1, 200))
    result(store.delete(MAILBOX, [delivery(number).delivery_id for number in range(1, 190)]))

    def full(self: Environment, path: Path) -> None:
        raise DiskFull("no space")

    with monkeypatch.context() as patched:
        patched.setattr(Environment, "copy", full)
        assert result(store.purge(int(clock()) + 1)) == 189
    assert numbers(store) == list(range(190, 200))
    assert files(store) == ["mailbox.mdb", "mailbox.mdb-lock"]


def test_destroyed_halfway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was to be destroyed does not come back, whoever opens it next; what comes later is a new mailbox."""
    anchors = MemoryAnchors()
    store = open_mailboxes(tmp_path, anchors=anchors)
    fill(store, 1)

    def stop(self: Home) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(Home, "take_away", stop)
        with pytest.raises(Unavailable):
            result(store.destroy(MAILBOX))
    store.close()
    store = open_mailboxes(tmp_path, anchors=anchors)
    result(store.destroy(MAILBOX))
    assert result(store.list(MAILBOX)).rows == ()
    fill(store, 2)
    assert numbers(store) == [2]
    assert result(store.list(MAILBOX)).head == msgspec.structs.replace(
        Head(), appended=1, edition=1, chain=result(store.list(MAILBOX)).head.chain
    )
    result(store.purge(0))
    assert [path.name for path in store.home(MAILBOX).parent.iterdir()] == [MAILBOX.hex()]
    store.close()


def test_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever changes the files' names, or is replacing them, would be waited for; a file that is not in memory too."""
    store = open_mailboxes(tmp_path)
    fill(store, 1)
    home = Home(store.home(MAILBOX))
    store.close()
    monkeypatch.setattr("cjsm.store.lmdb.home._is_in_memory", lambda path: path.exists())
    assert home.at_hand()
    with home.locked(exclusive=True):
        assert not home.at_hand()
    home.part(2).touch()
    assert not home.at_hand()
    home.part(2).unlink()
    home.condemn()
    assert not home.at_hand()
    assert not Home(tmp_path / "nowhere").at_hand()


def test_what_is_in_memory(tmp_path: Path) -> None:
    """A file that was just written is, if the system tells; one that is too short to be a mailbox is not."""
    path = tmp_path / "file"
    path.write_bytes(bytes(8191))
    assert not at_hand_or_unknown(path)
    path.write_bytes(bytes(8192))
    assert at_hand_or_unknown(path) in (True, None)


def at_hand_or_unknown(path: Path) -> bool | None:
    try:
        return _is_in_memory(path)
    except OSError as error:
        # A file system that cannot say: then mailboxes are opened on the disk's threads.
        return None if error.errno == errno.EOPNOTSUPP else False
