"""The newest catalogue: loaded once, then renewed whenever the community changed, a slice of time after another."""

import gc
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from cjsm.community.identifiers import AccountId
from cjsm.community.view import View
from cjsm.directory.catalogue import Catalogue
from cjsm.directory.drafting import Draft
from cjsm.directory.loading import Gathering, listing
from cjsm.directory.reading import Reading
from cjsm.directory.renewing import Renewal, concerns
from cjsm.directory.schema import Schema
from cjsm.store.interfaces import ICommunityStore, Unavailable

Made = TypeVar("Made")
_Change = tuple[int, str, bytes]

_SLICE = 0.010
_READINGS = 1_024
#: Seconds between looks whether addresses have come to the end of their dates.
_DATES = 60.0
#: Above so many changed entries, and this part of all, everything is loaded anew: it takes less time.
_MANY, _PART = 5_000, 4
#: People whose listing is not looked through for garbage.
_LARGE = 10_000
#: What an old catalogue leaves is freed in parts of so many.
_FREED = 16


class NotReady(Exception):
    """The first catalogue is still being made."""

    def __init__(self) -> None:
        super().__init__("the directory is being loaded, try again in a moment")


class Directory:
    """The directory that searches ask: always one whole catalogue, swapped when the next is made.

    :param every: seconds between looks at the store's change number.
    :param seconds: a running clock for slices.
    """

    _log = Logger()

    def __init__(
        self,
        store: ICommunityStore,
        schema: Schema,
        clock: IReactorTime,
        *,
        every: float = 0.25,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.schema = schema
        self._store = store
        self._clock = clock
        self._every = every
        self._seconds = seconds
        self._catalogue: Catalogue | None = None
        self._readings: dict[AccountId, Reading] = {}
        self._making: Deferred[None] | None = None
        self._sharpening: Deferred[None] | None = None
        self._not_before = 0.0
        self._dates_seen = 0.0
        self._seen = 0
        self._left: deque[list[list[object]]] = deque()
        self._watch = LoopingCall(self._look)
        self._watch.clock = clock

    @property
    def catalogue(self) -> Catalogue:
        """The newest catalogue.

        :raises NotReady: before the first one is made.
        """
        if self._catalogue is None:
            raise NotReady
        return self._catalogue

    def reading(self, account: AccountId) -> Reading:
        """Return the newest catalogue as *account* sees it.

        :raises NotReady: before the first one is made.
        """
        found = self._readings.get(account)
        if found is None:
            if len(self._readings) >= _READINGS:
                self._readings.clear()
            found = self._readings[account] = Reading(self.catalogue, account)
        return found

    def start(self) -> Deferred[None]:
        """Begin to follow the store; fires when the first catalogue was tried."""
        self._watch.start(self._every, now=False)
        return self._make(self._loaded())

    def stop(self) -> None:
        """Follow no more. What was made stays."""
        if self._watch.running:
            self._watch.stop()
        for work in (self._making, self._sharpening):
            if work is not None:
                work.cancel()

    def _look(self) -> None:
        self._free()
        if self._making is not None or self._clock.seconds() < self._not_before:
            return
        if self._catalogue is None:
            self._make(self._loaded())
            return
        try:
            newest = self._store.number()
            changes = self._store.changes(self._seen) if newest != self._seen else ()
        except Unavailable:
            return
        if changes is None:
            self._make(self._loaded())
        elif any(concerns(kind) for _, kind, _ in changes):
            self._make(self._renewed(self._catalogue, newest, changes))
        elif self._clock.seconds() - self._dates_seen >= _DATES and self._catalogue.dated:
            self._make(self._renewed(self._catalogue, newest, ()))
        else:
            self._seen = newest

    def _make(self, work: Coroutine[Deferred[Any], Any, None]) -> Deferred[None]:
        begun, first = self._seconds(), self._catalogue is None
        self._making = making = Deferred.fromCoroutine(work)
        done: Deferred[None] = Deferred()

        def ended(result: object) -> None:
            self._making = None
            # A community in which much changes at once costs at most half of the time.
            self._not_before = self._clock.seconds() + (0 if first else self._seconds() - begun)
            done.callback(None)

        making.addErrback(self._failed)
        making.addBoth(ended)
        return done

    def _failed(self, failure: Failure) -> None:
        if isinstance(failure.value, CancelledError):
            return
        if isinstance(failure.value, Unavailable):
            self._log.warn("directory not renewed: {reason}", reason=failure.getErrorMessage())
        else:
            self._log.failure("directory not renewed", failure=failure)

    async def _loaded(self) -> None:
        """List the whole community. Changes meanwhile raise the store's number: the next look takes them in."""
        number, suffix = await self._store.read(lambda view: (view.number, view.suffix))
        gathered = Gathering()
        await self._read(gathered.read)
        making = listing(gathered, number=number, suffix=suffix, schema=self.schema, leave=self._left.append)
        large = len(gathered) >= _LARGE
        del gathered
        self._swap(await self._made(making, large=large), number)

    async def _renewed(self, before: Catalogue, number: int, changes: Sequence[_Change]) -> None:
        """List what changed, and what had addresses that ended."""
        ended: list[bytes] = []
        if self._clock.seconds() - self._dates_seen >= _DATES:
            moment = await self._store.read(lambda view: view.moment)
            ended = [owner for owner, end in before.dated.items() if end <= moment]
            self._dates_seen = self._clock.seconds()
        draft = Draft(before, suffix=before.suffix, schema=self.schema)
        renewal = Renewal(draft, changes, ended)
        if len(renewal) > max(_MANY, len(before) // _PART):
            await self._loaded()
            return
        if renewal.rearranges:
            await self._read(renewal.read_organisations)
            fresh = await self._made(draft.rearrange())
            await self._store.read(lambda view: renewal.read_within(fresh, view))
        await self._read(renewal.read)
        if draft.changed:
            self._swap(await self._made(draft.finish(number, self._left.append)), number)
        self._seen = number

    async def _read(self, reading: Callable[[View], Iterator[bool]]) -> None:
        """Read until there is nothing left, each slice of a view of its own."""

        def slice_of(view: View) -> bool:
            until = self._seconds() + _SLICE
            for ended in reading(view):
                if ended or self._seconds() >= until:
                    return ended
            return True

        while not await self._store.read(slice_of):
            await deferLater(self._clock, 0)

    async def _made(self, making: Generator[None, None, Made], *, large: bool = False) -> Made:
        """Let *making* make what it makes, in slices; of what is *large*, nothing is looked through for garbage."""
        while True:
            until = self._seconds() + _SLICE
            try:
                next(making)
                while self._seconds() < until:
                    next(making)
            except StopIteration as done:
                made: Made = done.value
                return made
            if large:
                # It stays. Looking through all of it again and again would stop everybody for a twentieth of a second.
                gc.freeze()
            await deferLater(self._clock, 0)

    def _swap(self, catalogue: Catalogue, number: int) -> None:
        self._catalogue = catalogue
        self._readings = {}
        self._seen = number
        self._log.debug("directory at {number}: {entries} entries", number=number, entries=len(catalogue))
        if self._sharpening is None:
            self._sharpen()

    def _sharpen(self) -> None:
        """Make the newest catalogue quick at what values have inside, while it is asked already."""
        self._sharpening = sharpening = Deferred.fromCoroutine(self._sharpened())

        def ended(_result: object) -> None:
            self._sharpening = None

        sharpening.addErrback(self._failed)
        sharpening.addBoth(ended)

    async def _sharpened(self) -> None:
        while self._catalogue is not None and (index := self._catalogue.blunt_index()) is not None:
            await self._made(index.sharpen())

    def _free(self) -> None:
        """Let go of some of what old catalogues left."""
        until = self._seconds() + _SLICE
        while self._left and self._seconds() < until:
            held = self._left[0]
            while held and not held[-1]:
                held.pop()
            if held:
                del held[-1][-_FREED:]
            else:
                self._left.popleft()
