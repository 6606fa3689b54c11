"""What the ledger has since a moment, or after an entry."""

from collections.abc import Iterator, Sequence

from cjsm.community.records import LedgerEntry
from cjsm.ledger.entries import decode_entry
from cjsm.store.interfaces import ICommunityStore

#: Clocks are set back at times: the ledger is read from so many seconds before, and its moments decide.
_SLACK = 3_600
_AT_ONCE = 1_000


def entries_since(store: ICommunityStore, moment: int) -> Iterator[LedgerEntry]:
    """Return the entries of *moment* and later, oldest first."""
    found = entries_after(store, _before(store, moment - _SLACK))
    return (entry for entry in found if entry.moment >= moment)


def entries_after(store: ICommunityStore, number: int) -> Iterator[LedgerEntry]:
    """Yield the entries after that of a number, oldest first."""
    while found := _some(store, number, _AT_ONCE):
        yield from (entry for _, entry in found)
        number = found[-1][0]


def _before(store: ICommunityStore, moment: int) -> int:
    """Return a number up to which every entry is older than *moment*, but for clocks that were set back."""
    low, step = 0, 1
    while (found := _some(store, low + step, 1)) and found[0][1].moment < moment:
        low, step = low + step, step * 2
    while step > 1:
        step //= 2
        found = _some(store, low + step, 1)
        if found and found[0][1].moment < moment:
            low += step
    return low


def _some(store: ICommunityStore, after: int, most: int) -> Sequence[tuple[int, LedgerEntry]]:
    return [(number, decode_entry(encoded)) for number, encoded in store.entries_now(after, most)]
