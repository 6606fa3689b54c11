"""Searches whose next page may still be asked for (RFC 2696): few on each connection, for a short time.

An open search holds the directory as it was when it began. So that changes of the directory do not pile up in memory,
open searches hold a few catalogues in all, and those on the oldest give way.
"""

import secrets
from collections import Counter, OrderedDict
from typing import TypeVar

from msgspec import Struct
from twisted.internet.interfaces import IReactorTime

from cjsm.directory.reading import Reading
from cjsm.directory.search import Search
from cjsm.ldap.encoded import Encoder
from cjsm.ldap.grammar.controls import Sorting
from cjsm.ldap.grammar.requests import SearchRequest
from cjsm.wire.timing import Timer

#: Catalogues, the newest one among them, that open searches hold at most.
_CATALOGUES = 3
_COOKIE_OCTETS = 16

_Key = TypeVar("_Key")


class OpenSearch(Struct, frozen=True, kw_only=True):
    """A search that can go on.

    :ivar sorted: the control that says whether its entries are sorted; empty where that was not asked for.
    :ivar ahead: what was found already of the pages to come, so that the last page is known to be the last.
    """

    request: SearchRequest
    sorting: Sorting | None
    reading: Reading
    search: Search
    encoder: Encoder
    sorted: bytes = b""
    ahead: tuple[int, ...] = ()


class _Kept(Struct, frozen=True):
    owner: object
    until: float
    found: OpenSearch


class OpenSearches:
    """The open searches of all connections of a process, each under a cookie that says nothing and is used once.

    :param clock: they are forgotten in time.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._owners: Counter[object] = Counter()
        self._catalogues: Counter[int] = Counter()
        self._timer = Timer(clock, self._forget_old)

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, owner: object, found: OpenSearch, *, most: int, seconds: float) -> bytes:
        """Return the cookie that :meth:`take` gives *found* back for.

        :param owner: the connection; nobody else can go on.
        :param most: open searches of *owner*; beyond it the oldest is forgotten.
        :param seconds: how long it is kept.
        """
        if self._owners[owner] >= most:
            self._drop(next(cookie for cookie, kept in self._kept.items() if kept.owner is owner))
        cookie = secrets.token_bytes(_COOKIE_OCTETS)
        self._kept[cookie] = _Kept(owner, self._clock.seconds() + seconds, found)
        self._owners[owner] += 1
        self._catalogues[found.reading.catalogue.number] += 1
        while len(self._catalogues) > _CATALOGUES:
            self._drop_catalogue(min(self._catalogues))
        if not self._timer.running:
            self._timer.start(seconds)
        return cookie

    def take(self, owner: object, cookie: bytes, request: SearchRequest, sorting: Sorting | None) -> OpenSearch | None:
        """Return what is kept under *cookie* for the same request again, else None; the cookie is used up."""
        kept = self._kept.get(cookie)
        if kept is None or kept.owner is not owner:
            return None
        self._drop(cookie)
        same = kept.found.request == request and kept.found.sorting == sorting
        return kept.found if same and self._clock.seconds() < kept.until else None

    def forget(self, owner: object) -> None:
        """The client of *owner* is not who it was, or gone."""
        if self._owners[owner]:
            for cookie in [cookie for cookie, kept in self._kept.items() if kept.owner is owner]:
                self._drop(cookie)
        self._owners.pop(owner, None)

    def _drop(self, cookie: bytes) -> None:
        kept = self._kept.pop(cookie)
        _decrease(self._owners, kept.owner)
        _decrease(self._catalogues, kept.found.reading.catalogue.number)
        if not self._kept:
            self._timer.stop()

    def _drop_catalogue(self, number: int) -> None:
        for cookie in [cookie for cookie, kept in self._kept.items() if kept.found.reading.catalogue.number == number]:
            self._drop(cookie)

    def _forget_old(self) -> None:
        now = self._clock.seconds()
        for cookie in [cookie for cookie, kept in self._kept.items() if kept.until <= now]:
            self._drop(cookie)
        if self._kept:
            self._timer.start(min(kept.until for kept in self._kept.values()) - now)


def _decrease(counts: "Counter[_Key]", key: _Key) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
