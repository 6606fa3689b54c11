"""The ledger's entries as the community's store has them, and the files that are derived from them.

Rooms import these from :mod:`cjsm.store.interfaces`.
"""

from collections.abc import Sequence

from msgspec import Struct
from twisted.internet.defer import Deferred
from zope.interface import Interface


class Words(Struct, frozen=True, kw_only=True):
    """Words about a *person* that an entry has a commitment to, and the *salt* of that.

    They are there as long as the person is.
    """

    name: str
    salt: bytes
    text: str
    person: bytes


class ILedgerEntries(Interface):
    """Entries have numbers from 1 on, without gaps, and never change. Each is written with the act that it tells of."""

    def entries(after: int, limit: int) -> "Deferred[Sequence[tuple[int, bytes]]]":
        """Ledger entries with a number above *after*: (number, canonical encoding), at most *limit*."""

    def entries_now(after: int, limit: int) -> "Sequence[tuple[int, bytes]]":
        """The same without a Deferred, for some hundred at a time on the reactor thread."""

    def last_entry() -> int:
        """The number of the last entry, 0 when there is none; cheap enough to ask every second."""

    def words(encoded: bytes) -> "Sequence[Words]":
        """What is kept beside the entry with this canonical encoding."""

    def bring_back(after: int, entries: "Sequence[bytes]") -> "Deferred[int]":
        """Put *entries* behind the entry with the number *after*, and those that are there now behind them.

        For a store that was put back to an earlier state than the ledger's checkpoint: entries are not lost with it.
        Fires with how many were there and have other numbers now.
        """


class ILedgerFiles(Interface):
    """What is derived from the entries: tiles of the tree, bundles, checkpoints. Names are paths with slashes."""

    def read(name: str) -> "bytes | None":
        """The file *name*; None where there is none."""

    def write(files: "Sequence[tuple[str, bytes]]") -> "Deferred[None]":
        """Write files: each is there whole or as it was before, and on stable storage when this fires."""

    def names(directory: str) -> "Sequence[str]":
        """The names of the files in *directory*, with it; none where it is not there."""

    def remove(names: "Sequence[str]") -> "Deferred[None]":
        """Remove files that are needed no more, and directories that are empty then."""
