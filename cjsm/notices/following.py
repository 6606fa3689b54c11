"""From the ledger to notices: what was done by commands, doors and jobs alike leads to them here, each act once."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cjsm.community.acts.moving import subtree
from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import LedgerEntry, Life
from cjsm.community.view import View
from cjsm.notices.desk import NoticeDesk
from cjsm.notices.rules import Due, ToMany, notices_of, to_many
from cjsm.store.interfaces import ICommunityStore, INoticeStore, StoreError

#: Entries in one step.
_ENTRIES = 64
#: People in one step, where many are told the same, and organisations that are looked at for it.
_PEOPLE, _ORGANISATIONS = 256, 64
#: Steps in one run: others have their turn.
_STEPS = 16


class _Place(Struct, frozen=True, array_like=True):
    """How far the ledger was followed: up to entry ``number``; of the next one up to a person of an organisation."""

    number: int
    organisation: OrganisationId = OrganisationId(b"")
    account: AccountId = AccountId(b"")


_places = msgspec.msgpack.Decoder(_Place)


class LedgerFollower:
    """See the module. What was done before it ran for the first time leads to nothing.

    :param decode: reads an entry; what it raises in *unreadable* is an entry that nobody is told of.
    """

    _log = Logger()

    def __init__(
        self,
        desk: NoticeDesk,
        *,
        community: ICommunityStore,
        store: INoticeStore,
        decode: Callable[[bytes], LedgerEntry],
        unreadable: type[Exception],
    ) -> None:
        self._desk = desk
        self._community = community
        self._store = store
        self._decode = decode
        self._unreadable = unreadable
        self._many: _Many | None = None

    def run(self) -> "Deferred[int]":
        """Follow what is new, at most so much at a time; fires with how many notices are on their way.

        What ends the process in between is done again from where it was kept: none is lost, and none comes twice.
        """
        return Deferred.fromCoroutine(self._run())

    async def _run(self) -> int:
        kept = 0
        for _ in range(_STEPS):
            place, last = self._place(), self._community.last_entry()
            if place is None or place.number > last:
                # A ledger that is shorter is not the one that was followed.
                await self._desk.tell((), followed=_encoded(_Place(last)))
                continue
            if place.number == last:
                break
            fresh = await self._community.entries(place.number, _ENTRIES)
            kept += await self._step(place, fresh)
        return kept

    def _place(self) -> _Place | None:
        kept = self._store.followed()
        return _places.decode(kept) if kept is not None else None

    async def _step(self, place: _Place, fresh: Sequence[tuple[int, bytes]]) -> int:
        dues: list[Due] = []
        number = place.number
        for following, encoded in fresh:
            entry = self._entry(following, encoded)
            many = to_many(entry) if entry is not None else None
            if many is not None:
                if number == place.number:
                    return await self._step_to_many(place, following, many)
                break
            dues += self._dues(following, entry) if entry is not None else ()
            number = following
            if len(dues) >= _PEOPLE:
                # An entry about a shared mailbox tells all of its members.
                break
        return await self._desk.tell(dues, followed=_encoded(_Place(number)))

    def _dues(self, number: int, entry: LedgerEntry) -> list[Due]:
        try:
            return self._community.read_now(lambda view: list(notices_of(view, entry)))
        except StoreError:
            raise
        except Exception:  # noqa: BLE001 - whatever it was, one entry must not keep people from hearing of the others
            self._log.failure(
                "nobody is told of entry {number} of the ledger: see `cjsm audit list`, and tell them", number=number
            )
            return []

    def _entry(self, number: int, encoded: bytes) -> LedgerEntry | None:
        try:
            return self._decode(encoded)
        except self._unreadable as error:
            self._log.error("nobody is told of entry {number} of the ledger: {error}", number=number, error=error)
            return None

    async def _step_to_many(self, place: _Place, number: int, told: ToMany) -> int:
        if self._many is None or self._many.number != number:
            organisations = await self._community.read(lambda view: sorted(_below(view, told.organisation)))
            self._many = _Many(number, organisations, self._community)
        people, organisation, account = await self._many.following(place.organisation, place.account)
        dues = [Due(kind=told.kind, account=each, date=told.date, code=told.code) for each in people]
        following = _Place(place.number, organisation, account) if organisation else _Place(number)
        return await self._desk.tell(dues, followed=_encoded(following))


class _Many:
    """Everybody who is told the same: organisations in order, and the people of each in order."""

    def __init__(self, number: int, organisations: Sequence[OrganisationId], community: ICommunityStore) -> None:
        self.number = number
        self._organisations = organisations
        self._community = community
        self._people: tuple[OrganisationId | None, list[AccountId]] = (None, [])

    async def following(
        self, organisation: OrganisationId, account: AccountId
    ) -> tuple[list[AccountId], OrganisationId, AccountId]:
        """Return who comes next after *account* of *organisation*, and up to whom that is; empty when all were."""
        found: list[AccountId] = []
        at = bisect_left(self._organisations, organisation)
        for each in self._organisations[at : at + _ORGANISATIONS]:
            people = await self._people_of(each)
            after = account if each == organisation else AccountId(b"")
            fresh = [person for person in people if person > after][: _PEOPLE - len(found)]
            found += fresh
            if len(found) == _PEOPLE:
                return found, each, fresh[-1]
        if at + _ORGANISATIONS < len(self._organisations):
            return found, self._organisations[at + _ORGANISATIONS], AccountId(b"")
        return found, OrganisationId(b""), AccountId(b"")

    async def _people_of(self, organisation: OrganisationId) -> list[AccountId]:
        if self._people[0] != organisation:
            people = await self._community.read(lambda view: sorted(_working(view, organisation)))
            self._people = (organisation, people)
        return self._people[1]


def people_in(view: View, organisation: OrganisationId | None) -> Iterator[AccountId]:
    """Yield who is told of what goes to everybody in *organisation* and below it, or in the community (None)."""
    for each in _below(view, organisation):
        yield from _working(view, each)


def _below(view: View, organisation: OrganisationId | None) -> Iterator[OrganisationId]:
    """Yield *organisation* and all below it; every organisation where it is None."""
    found = view.organisations() if organisation is None else subtree(view, organisation)
    yield from (each.id for each in found)


def _working(view: View, organisation: OrganisationId) -> Iterator[AccountId]:
    for account in view.accounts_in(organisation):
        if account.life in (Life.NEW, Life.ACTIVE):
            yield account.id


def _encoded(place: _Place) -> bytes:
    return msgspec.msgpack.encode(place)
