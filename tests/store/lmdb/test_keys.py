"""Key records: versions by owner."""

import subprocess
import sys
from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from cjsm.store.interfaces import IKeyStore, Missing, VersionTaken
from cjsm.store.lmdb.disk import InlineDisk
from cjsm.store.lmdb.keys import LmdbKeyStore

from ..support import MAP, result

OWNER, OTHER = b"o" * 16, b"p" * 16


def test_versions(tmp_path: Path) -> None:
    """Versions are kept until swept, each owner's apart."""
    store = LmdbKeyStore(tmp_path, InlineDisk(), map_size=MAP)
    assert verifyObject(IKeyStore, store)
    for version in (1, 2, 300):
        result(store.put(OWNER, version, b"value"))
    result(store.put(OTHER, 1, b"other"))
    assert (store.latest(OWNER), store.latest(b"q" * 16)) == (300, 0)
    assert [result(store.sweep(OWNER, 2)) for _ in range(2)] == [1, 0]
    assert result(store.get(OWNER, 2)) == result(store.get(OWNER, 300)) == b"value"
    with pytest.raises(Missing):
        result(store.get(OWNER, 1))
    result(store.destroy(OWNER))
    assert (store.latest(OWNER), store.get_now(OTHER, 1)) == (0, b"other")
    result(store.close())


def test_a_version_is_written_once(tmp_path: Path) -> None:
    """Two who made the same version from the same one before it: the second is told, and nothing is lost."""
    store = LmdbKeyStore(tmp_path, InlineDisk(), map_size=MAP)
    result(store.put(OWNER, 1, b"first"))
    result(store.put(OWNER, 1, b"first"))
    with pytest.raises(VersionTaken):
        result(store.put(OWNER, 1, b"second"))
    assert store.get_now(OWNER, 1) == b"first"
    result(store.close())


def test_several_at_once(tmp_path: Path) -> None:
    """All are written, or where one may not be, none."""
    store = LmdbKeyStore(tmp_path, InlineDisk(), map_size=MAP)
    result(store.put_all([(OWNER, 1, b"one"), (OTHER, 1, b"two")]))
    with pytest.raises(VersionTaken):
        result(store.put_all([(OWNER, 2, b"more"), (OTHER, 1, b"another")]))
    assert (store.latest(OWNER), store.get_now(OWNER, 1), store.get_now(OTHER, 1)) == (1, b"one", b"two")
    result(store.close())


def everything(directory: Path) -> bytes:
    """All octets of all files of the key store."""
    return b"".join(path.read_bytes() for path in sorted(directory.glob("keys*")))


def test_what_was_removed_is_gone(tmp_path: Path) -> None:
    """Removed records stay readable in the file until it is replaced, and are nowhere then; the others stay."""
    store = LmdbKeyStore(tmp_path, InlineDisk(), map_size=MAP)
    result(store.put(OWNER, 1, b"old secret" * 300))
    result(store.put(OWNER, 2, b"new secret" * 300))
    result(store.put(OTHER, 1, b"other one!" * 300))
    result(store.sweep(OWNER, 2))
    result(store.destroy(OTHER))
    assert b"old secret" in everything(tmp_path)
    result(store.compact())
    assert b"old secret" not in everything(tmp_path)
    assert b"other one!" not in everything(tmp_path)
    assert store.get_now(OWNER, 2) == b"new secret" * 300
    assert [path.name for path in sorted(tmp_path.glob("keys*"))] == ["keys.2.mdb", "keys.2.mdb-lock"]
    result(store.put(OTHER, 1, b"again"))
    result(store.close())
    again = LmdbKeyStore(tmp_path, InlineDisk(), map_size=MAP)
    assert (again.latest(OWNER), again.get_now(OTHER, 1)) == (2, b"again")
    result(again.close())


def test_others_follow(tmp_path: Path) -> None:
    """Another process that has the store open reads and writes on in the new file, again and again."""
    store = LmdbKeyStore(tmp_path, InlineDisk(), map_size=MAP)
    result(store.put(OWNER, 1, b"one"))
    with subprocess.Popen(
        [sys.executable, "-c", _OTHER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        for version in (2, 3, 4):
            result(store.compact())
            print(version, file=other.stdin, flush=True)
            assert other.stdout.readline() == f"{version - 1}\n"
            assert store.get_now(OWNER, version) == b"theirs"
        other.stdin.close()
        assert other.wait(30) == 0
    result(store.close())


_OTHER = """
import sys
import subprocess
import sys
from pathlib import Path
from cjsm.store.lmdb.disk import InlineDisk
from cjsm.store.lmdb.keys import LmdbKeyStore
store = LmdbKeyStore(Path(sys.argv[1]), InlineDisk(), map_size=1 << 26)
for line in sys.stdin:
    before = store.latest(b"o" * 16)
    store.put(b"o" * 16, int(line), b"theirs")
    print(before, flush=True)
"""


@pytest.mark.parametrize("step", ["copy", "mark_superseded", "rename", "unlink"])
def test_crash_while_it_is_replaced(tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever step a crash comes before, the store opens with everything that was in it, and can be replaced."""
    store = LmdbKeyStore(tmp_path, InlineDisk(), map_size=MAP)
    result(store.put(OWNER, 1, b"kept"))

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        match step:
            case "copy":
                patched.setattr("cjsm.store.lmdb.environment.Environment.copy", crash)
            case "mark_superseded":
                patched.setattr("cjsm.store.lmdb.keys.mark_superseded", crash)
            case "rename":
                patched.setattr("cjsm.store.lmdb.home.os.rename", crash)
            case _:
                patched.setattr("cjsm.store.lmdb.home.remove_environment", crash)
        failed = []
        store.compact().addErrback(failed.append)
        assert failed[0].check(KeyboardInterrupt)
    result(store.close())
    again = LmdbKeyStore(tmp_path, InlineDisk(), map_size=MAP)
    assert again.get_now(OWNER, 1) == b"kept"
    result(again.put(OWNER, 2, b"more"))
    result(again.compact())
    assert (again.latest(OWNER), again.get_now(OWNER, 1)) == (2, b"kept")
    assert len(list(tmp_path.glob("keys*.mdb"))) == 1
    assert not list(tmp_path.glob("*.part*"))
    result(again.close())
