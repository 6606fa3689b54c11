"""Searches of the directory, a step at a time, as encoded answers."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct
from twisted.logger import Logger

from cjsm.directory.query import Limits, Query
from cjsm.directory.reading import Reading
from cjsm.directory.schema import STATE
from cjsm.directory.search import Outcome, Search, Unsortable
from cjsm.directory.shapes import shape
from cjsm.ldap import refusals
from cjsm.ldap.actions import Find
from cjsm.ldap.comparisons import ASSERTION_FAILED, holds
from cjsm.ldap.encoded import EncodedEntries
from cjsm.ldap.grammar import controls, responses
from cjsm.ldap.grammar.codes import Answer, ResultCode
from cjsm.ldap.grammar.controls import Extras
from cjsm.ldap.paging import OpenSearch, OpenSearches
from cjsm.ldap.rations import Ration, Rations

#: Entries of an answer that comes in pages, where nobody counts them.
_UNLIMITED = 2**31 - 1
_CODES = {Outcome.COMPLETE: ResultCode.SUCCESS, Outcome.SIZE_LIMIT: ResultCode.SIZE_LIMIT_EXCEEDED}
_TEXTS = {
    ResultCode.SIZE_LIMIT_EXCEEDED: "there are more entries than are given at once: type more of the name",
    ResultCode.TIME_LIMIT_EXCEEDED: "the search took too long",
}
#: The codes with which what was found is told in full, or as far as it goes.
_GIVEN = frozenset((ResultCode.SUCCESS, ResultCode.SIZE_LIMIT_EXCEEDED, ResultCode.TIME_LIMIT_EXCEEDED))


class LookupLimits(Struct, frozen=True, kw_only=True):
    """What one search may take and leave behind.

    :ivar query: of the directory.
    :ivar ration: in an hour and a day.
    :ivar seconds: until it is given up.
    :ivar open_searches: searches of one connection that wait for their next page.
    :ivar open_seconds: how long they do.
    """

    query: Limits
    ration: Ration
    seconds: float
    open_searches: int
    open_seconds: float


class Kept(Struct, frozen=True, kw_only=True):
    """What all searches of a process share."""

    encoded: EncodedEntries
    opened: OpenSearches
    rations: Rations


class _Refused(Exception):
    """This search ends before it begins."""

    def __init__(self, code: ResultCode, text: str, said: bytes = b"") -> None:
        super().__init__(text)
        self.code = code
        self.said = said


class Lookup:
    """One search on its way.

    :param reading: the newest catalogue; the search goes on with its own where it is the next page of another.
    :param owner: the connection.
    :param who: how the log names the reader.
    :ivar result: its last answer, without message number; None while :meth:`step` has more.
    """

    _log = Logger()

    def __init__(
        self,
        action: Find,
        *,
        reading: Reading,
        limits: LookupLimits,
        kept: Kept,
        owner: object,
        who: str,
        clock: Callable[[], float],
    ) -> None:
        self.result: bytes | None = None
        self._request = action.request
        self._extras = action.extras
        self._message_id = action.message_id
        self._reading = reading
        self._limits = limits
        self._kept = kept
        self._owner = owner
        self._who = who
        self._clock = clock
        self._until = clock() + min(action.request.time_limit or limits.seconds, limits.seconds)
        self._left: int | None = None
        self._hits = 0
        self._ahead: list[int] = []
        self._open: OpenSearch | None = None
        try:
            kept.rations.check(reading.account, clock())
            self._open = self._begin()
        except _Refused as refused:
            self._end(refused.code, str(refused), said=refused.said)
        except refusals.REFUSALS as refusal:
            self._end(refusals.code(refusal), str(refusal), refusals.matched(refusal))

    def step(self) -> bytes:
        """Look at some entries and return the messages of those that match."""
        if self._open is None:
            return b""
        search = self._open.search
        found = self._of_page(search) if self._left is not None else search.step()
        self._count(found)
        if search.outcome is not None and not self._ahead:
            self._end(_CODES[search.outcome])
        elif self._ahead:
            self._end(ResultCode.SUCCESS)
        elif self._clock() >= self._until:
            self._end(ResultCode.TIME_LIMIT_EXCEEDED)
        return self._open.encoder.messages(self._message_id, found) if found else b""

    def _of_page(self, search: Search) -> list[int]:
        """Return what comes on this page; a page is full when the first entry of the next one is found."""
        assert self._left is not None
        found = self._ahead
        if search.outcome is None and len(found) <= self._left:
            found = found + search.step(self._left + 1 - len(found))
        self._ahead = found[self._left :]
        found = found[: self._left]
        self._left -= len(found)
        return found

    # How it begins.

    def _begin(self) -> OpenSearch:
        extras, reading = self._extras, self._reading
        paging = extras.paging
        found = self._next_page(paging.cookie) if paging and paging.cookie else self._first()
        if extras.assertion is not None and not holds(extras.assertion, found.reading, found.search.base):
            raise _Refused(ResultCode.ASSERTION_FAILED, ASSERTION_FAILED)
        if paging:
            if not paging.size and paging.cookie:
                # The client does not want the rest (RFC 2696 §3).
                raise _Refused(ResultCode.SUCCESS, "", controls.paged(b""))
            # Of a member's answer all pages have a limit, of an administrator's each one.
            most = self._limits.query.administrator_entries if reading.in_charge else _UNLIMITED
            self._left = min(paging.size or most, most)
            self._ahead = list(found.ahead)
        return found

    def _next_page(self, cookie: bytes) -> OpenSearch:
        found = self._kept.opened.take(self._owner, cookie, self._request, self._extras.sorting)
        if found is None or not _same_rights(found.reading, self._reading):
            text = "this search is not open any more, or was another one: begin it anew"
            raise _Refused(ResultCode.UNWILLING_TO_PERFORM, text)
        return found

    def _first(self) -> OpenSearch:
        search, said = self._searching()
        reading, request = self._reading, self._request
        encoder = self._kept.encoded.encoder(reading, request.attributes, types_only=request.types_only)
        return OpenSearch(
            request=request,
            sorting=self._extras.sorting,
            reading=reading,
            search=search,
            encoder=encoder,
            sorted=said,
        )

    def _searching(self) -> tuple[Search, bytes]:
        """Return the search, and what is to be said of its order."""
        fault = controls.view_fault(self._extras)
        if fault is not None:
            raise _Refused(ResultCode.VIRTUAL_LIST_VIEW_ERROR, fault.text, controls.view_given(0, 0, fault.code))
        request, sorting, view = self._request, self._extras.sorting, self._extras.view
        query = Query(
            base=request.base,
            scope=request.scope,
            filter=request.filter,
            attributes=request.attributes,
            size_limit=request.size_limit,
        )
        limits = self._limits.query
        if self._extras.paging and self._reading.in_charge:
            limits = msgspec.structs.replace(limits, administrator_entries=_UNLIMITED)
        if sorting is None:
            return Search(self._reading, query, limits), b""
        try:
            ordered = msgspec.structs.replace(query, sort=sorting.keys, window=view)
            return Search(self._reading, ordered, limits), controls.sort_done(ResultCode.SUCCESS)
        except Unsortable as error:
            said = controls.sort_done(refusals.sorting(error), error.attribute)
            if view is not None:
                said += controls.view_given(0, 0, refusals.sorting(error))
                raise _Refused(ResultCode.VIRTUAL_LIST_VIEW_ERROR, str(error), said) from None
            if sorting.critical:
                raise _Refused(ResultCode.UNAVAILABLE_CRITICAL_EXTENSION, str(error), said) from None
            return Search(self._reading, query, limits), said

    # How it ends.

    def _count(self, found: Sequence[int]) -> None:
        self._hits += len(found)
        reading = self._open.reading if self._open else self._reading
        counted = len(found)
        if reading.in_charge:
            # Whoever is in charge of entries may list them all.
            counted = sum(not reading.granted(position) & STATE for position in found)
        self._kept.rations.given(reading.account, self._limits.ration, counted, self._clock())

    def _end(self, code: ResultCode, text: str = "", matched: str = "", *, said: bytes = b"") -> None:
        answer = responses.result(Answer.DONE, code, text or _TEXTS.get(code, ""), matched=matched)
        if code in _GIVEN and self._open is not None:
            said += self._given(self._open, code)
        self.result = responses.with_controls(answer, said)
        self._log.info(
            "search by {who} at {base}, {scope}, for {filter}{how}: {hits} entries, {code}",
            who=self._who,
            base=self._base(),
            scope=self._request.scope.name.lower(),
            filter=shape(self._request.filter, self._reading.schema),
            how=_how(self._extras, self._reading),
            hits=self._hits,
            code=code.name.lower(),
        )

    def _given(self, found: OpenSearch, code: ResultCode) -> bytes:
        """Return the controls that say how what was found came."""
        said = found.sorted
        if self._extras.paging:
            more = msgspec.structs.replace(found, ahead=tuple(self._ahead))
            said += controls.paged(self._keep(more) if self._ahead else b"")
        window = found.search.found_window
        if self._extras.view and window is not None:
            said += controls.view_given(window.target, window.count)
        return said

    def _keep(self, found: OpenSearch) -> bytes:
        limits = self._limits
        return self._kept.opened.keep(self._owner, found, most=limits.open_searches, seconds=limits.open_seconds)

    def _base(self) -> str:
        """The base as the log may show it: no name of a person, nothing that was only typed."""
        if self._open is None:
            return "?"
        reading, base = self._open.reading, self._open.search.base
        return "a person" if reading.is_person(base) else reading.dn(base)


def _how(extras: Extras, reading: Reading) -> str:
    """Return what the controls of a search change, as the log may show it."""
    said = []
    if extras.sorting:
        known = (reading.schema.attribute(key.attribute) for key in extras.sorting.keys)
        said.append(f"sorted by {' '.join(attribute.names[0] if attribute else '?' for attribute in known)}")
    if extras.view:
        said.append("a view by value" if extras.view.at_least is not None else "a view by offset")
    if extras.paging:
        said.append("the next page" if extras.paging.cookie else "a page")
    if extras.assertion is not None:
        said.append(f"asserting {shape(extras.assertion, reading.schema)}")
    return "".join(f", {what}" for what in said)


def _same_rights(before: Reading, now: Reading) -> bool:
    """Whether a reader may go on with what *before* showed."""
    old, new, account = before.catalogue, now.catalogue, now.account
    return (
        before.account == account
        and old.roles_of(account) == new.roles_of(account)
        and old.organisation_of(account) == new.organisation_of(account)
    )
