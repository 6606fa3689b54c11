"""Search and Compare against the directory, a step at a time, as encoded answers."""

from collections.abc import Callable

from twisted.logger import Logger

from cjsm.community.identifiers import AccountId
from cjsm.directory import names
from cjsm.directory.evaluation import compiled
from cjsm.directory.following import Directory
from cjsm.directory.query import Equal, Limits, Query
from cjsm.directory.reading import Reading
from cjsm.directory.search import Outcome, Search
from cjsm.directory.shapes import shape
from cjsm.ldap import refusals
from cjsm.ldap.encoded import EncodedEntries
from cjsm.ldap.grammar import responses
from cjsm.ldap.grammar.codes import Answer, ResultCode
from cjsm.ldap.grammar.requests import CompareRequest, SearchRequest

_CODES = {Outcome.COMPLETE: ResultCode.SUCCESS, Outcome.SIZE_LIMIT: ResultCode.SIZE_LIMIT_EXCEEDED}
_TEXTS = {
    ResultCode.SIZE_LIMIT_EXCEEDED: "there are more entries than are given at once: type more of the name",
    ResultCode.TIME_LIMIT_EXCEEDED: "the search took too long",
}


class Lookup:
    """One search on its way.

    :param who: how the log names the reader.
    :param until: the time of *clock* at which it is given up.
    :ivar result: its last answer, without message number; None while :meth:`step` has more.
    """

    _log = Logger()

    def __init__(
        self,
        request: SearchRequest,
        message_id: int,
        *,
        reading: Reading,
        limits: Limits,
        encoded: EncodedEntries,
        who: str,
        clock: Callable[[], float],
        until: float,
    ) -> None:
        self.result: bytes | None = None
        self._request = request
        self._message_id = message_id
        self._reading = reading
        self._encoder = encoded.encoder(reading, request.attributes, types_only=request.types_only)
        self._who = who
        self._clock = clock
        self._until = until
        self._search: Search | None = None
        query = Query(
            base=request.base,
            scope=request.scope,
            filter=request.filter,
            attributes=request.attributes,
            size_limit=request.size_limit,
        )
        try:
            self._search = Search(reading, query, limits)
        except refusals.REFUSALS as refusal:
            self._end(refusals.code(refusal), str(refusal), refusals.matched(refusal))

    def step(self) -> bytes:
        """Look at some entries and return the messages of those that match."""
        search = self._search
        if search is None:
            return b""
        found = search.step()
        if search.outcome is not None:
            self._end(_CODES[search.outcome])
        elif self._clock() >= self._until:
            self._end(ResultCode.TIME_LIMIT_EXCEEDED)
        return b"".join(self._message(position) for position in found)

    def _message(self, position: int) -> bytes:
        return responses.message(self._message_id, self._encoder.encode(position))

    def _end(self, code: ResultCode, text: str = "", matched: str = "") -> None:
        self.result = responses.result(Answer.DONE, code, text or _TEXTS.get(code, ""), matched=matched)
        self._log.info(
            "search by {who} at {base}, {scope}, for {filter}: {hits} entries, {code}",
            who=self._who,
            base=self._base(),
            scope=self._request.scope.name.lower(),
            filter=shape(self._request.filter, self._reading.schema),
            hits=self._search.hits if self._search else 0,
            code=code.name.lower(),
        )

    def _base(self) -> str:
        """The base as the log may show it: no name of a person, nothing that was only typed."""
        if self._search is None:
            return "?"
        reading, base = self._reading, self._search.base
        return "a person" if reading.is_person(base) else reading.dn(base)


def compare(request: CompareRequest, reading: Reading) -> bytes:
    """Return the answer to a Compare (RFC 4511 §4.10); what may not be read is not there."""
    code, text, matched = _compared(request, reading)
    return responses.result(Answer.COMPARE, code, text, matched=matched)


def _compared(request: CompareRequest, reading: Reading) -> tuple[ResultCode, str, str]:
    try:
        position = reading.find(names.parse(request.dn))
    except refusals.REFUSALS as refusal:
        return refusals.code(refusal), str(refusal), refusals.matched(refusal)
    attribute = reading.schema.attribute(request.attribute)
    if attribute is None:
        return ResultCode.UNDEFINED_ATTRIBUTE_TYPE, "this attribute is not known here", ""
    if not reading.values(position, attribute):
        return ResultCode.NO_SUCH_ATTRIBUTE, "the entry has no such attribute", ""
    if request.value is None:
        return ResultCode.INVALID_ATTRIBUTE_SYNTAX, "the value is not text", ""
    found = compiled(Equal(request.attribute, request.value), reading)(position)
    if found is None:
        return ResultCode.INVALID_ATTRIBUTE_SYNTAX, "the value does not fit the attribute", ""
    return (ResultCode.COMPARE_TRUE if found else ResultCode.COMPARE_FALSE), "", ""


def login_name(name: str, directory: Directory) -> str:
    """Return the user ID behind a bind *name* that is a distinguished name; other names stay as they are.

    A distinguished name that is nobody's becomes a name that cannot be anybody's, so that it is refused in the same
    words and time.

    :raises NotReady: before there is a directory.
    """
    try:
        parsed = names.parse(name) if "=" in name else ()
    except names.BadName:
        return name
    if not parsed:
        return name
    return directory.catalogue.user_id(parsed) or f"\0{name}"


def authorization(account: AccountId, name: str, directory: Directory) -> str:
    """Return how "Who am I?" names *account*, which signed in as *name* (RFC 4532)."""
    catalogue = directory.catalogue
    position = catalogue.position_of(account)
    return f"dn:{catalogue.dn(position)}" if position is not None else f"u:{name}"
