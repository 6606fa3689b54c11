"""The newest catalogue, made anew whenever the community changed, a slice of at most ten milliseconds at a time."""

import time
from collections.abc import Callable, Generator, Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.view import View
from cjsm.directory.branches import Branch, BranchReading, Census
from cjsm.directory.catalogue import Catalogue, building
from cjsm.directory.reading import Reading
from cjsm.directory.schema import Schema
from cjsm.store.interfaces import ICommunityStore, Unavailable

_SLICE = 0.010
_READINGS = 1_024
#: Seconds after which the catalogue is made anew without a change: addresses may have come to the end of their dates.
_RENEW = 3_600.0
#: Kinds of record that the directory lists nothing of.
_UNLISTED = frozenset(("jobs", "connections", "domains"))


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
        self._not_before = 0.0
        self._made_at = 0.0
        self._seen = 0
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
        return self._make()

    def stop(self) -> None:
        """Follow no more. What was made stays."""
        if self._watch.running:
            self._watch.stop()
        if self._making is not None:
            self._making.cancel()

    def _look(self) -> None:
        if self._making is None and self._clock.seconds() >= self._not_before and self._is_behind():
            self._make()

    def _is_behind(self) -> bool:
        if self._catalogue is None or self._clock.seconds() - self._made_at >= _RENEW:
            return True
        try:
            newest = self._store.number()
            if newest == self._seen:
                return False
            changes = self._store.changes(self._seen)
        except Unavailable:
            return False
        if changes is None or any(kind not in _UNLISTED for _, kind, _ in changes):
            return True
        self._seen = newest
        return False

    def _make(self) -> Deferred[None]:
        begun = self._seconds()
        self._making = making = Deferred.fromCoroutine(self._made())
        done: Deferred[None] = Deferred()

        def ended(result: object) -> None:
            self._making = None
            # A community too large to be listed anew at every change costs at most half of the time.
            self._not_before = self._clock.seconds() + self._seconds() - begun
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

    async def _made(self) -> None:
        making = building(await self._census(), self.schema)
        while True:
            try:
                self._advance(making)
            except StopIteration as done:
                self._swap(done.value)
                return
            await deferLater(self._clock, 0)

    def _advance(self, making: Generator[None, None, Catalogue]) -> None:
        until = self._seconds() + _SLICE
        while self._seconds() < until:
            next(making)

    def _swap(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._readings = {}
        self._seen = catalogue.number
        self._made_at = self._clock.seconds()
        self._log.debug(
            "directory at {number}: {entries} entries", number=catalogue.number, entries=len(catalogue.entries)
        )

    async def _census(self) -> Census:
        """Read all branches. Changes meanwhile raise the store's number, so that the next look reads them again."""
        number, suffix, roles, identifiers = await self._store.read(
            lambda view: (
                view.number,
                view.suffix,
                tuple(view.roles_over(None)),
                [organisation.id for organisation in view.organisations()],
            )
        )
        reader = _Reader(identifiers, self._seconds)
        while not await self._store.read(reader.read_slice):
            await deferLater(self._clock, 0)
        return Census(number=number, suffix=suffix, branches=reader.read, roles=roles)


class _Reader:
    """Reads branches, one slice of time after another."""

    def __init__(self, identifiers: Sequence[OrganisationId], seconds: Callable[[], float]) -> None:
        self.read: list[Branch] = []
        self._identifiers = iter(identifiers)
        self._seconds = seconds
        self._begun: BranchReading | None = None

    def read_slice(self, view: View) -> bool:
        """Read for a slice of time; True when everything was read."""
        until = self._seconds() + _SLICE
        while True:
            if self._begun is None:
                identifier = next(self._identifiers, None)
                if identifier is None:
                    return True
                self._begun = BranchReading(view, identifier)
            elif self._begun.read_on(view):
                self.read += [self._begun.branch] if self._begun.branch else []
                self._begun = None
            if self._seconds() >= until:
                return False
