"""Key records: versions by owner."""

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
