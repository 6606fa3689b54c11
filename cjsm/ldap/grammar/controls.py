"""Controls as typed values (RFC 4511 §4.1.11): what a request asks for beside its operation, and what is answered.

Simple paged results (RFC 2696), server-side sort (RFC 2891), virtual list view (draft-ietf-ldapext-ldapv3-vlv-09),
assertion (RFC 4528), and ManageDsaIT (RFC 3296), which means nothing where there are no references.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from cjsm.directory.query import Filter, SortKey, Window
from cjsm.ldap.grammar import filters
from cjsm.ldap.grammar.ber import BOOLEAN, ENUMERATED, OCTETS, SEQUENCE, BerError, Reader, element, number
from cjsm.ldap.grammar.codes import Operation, ResultCode
from cjsm.ldap.grammar.limits import DecodingLimits

PAGED_RESULTS = "1.2.840.113556.1.4.319"
SORT, SORTED = "1.2.840.113556.1.4.473", "1.2.840.113556.1.4.474"
VIRTUAL_LIST, VIRTUAL_LIST_GIVEN = "2.16.840.1.113730.3.4.9", "2.16.840.1.113730.3.4.10"
ASSERTION = "1.3.6.1.1.12"
MANAGE_DSA_IT = "2.16.840.1.113730.3.4.2"

_MAX_INT = 2**31 - 1
_RULE, _REVERSE = 0x80, 0x81
_BY_OFFSET, _AT_LEAST = 0xA0, 0x81
_SORT_ATTRIBUTE = 0x80
_SHOWN_OID = re.compile(r"[0-9.]{1,100}\Z")

_SEARCH = frozenset((Operation.SEARCH,))
_READ = frozenset((Operation.SEARCH, Operation.COMPARE))
_UPDATE = frozenset((Operation.ADD, Operation.MODIFY, Operation.DELETE, Operation.MODIFY_DN))

#: The controls that are known here, each with the operations that it means something to.
SERVED: Mapping[str, frozenset[Operation]] = MappingProxyType(
    {
        PAGED_RESULTS: _SEARCH,
        SORT: _SEARCH,
        VIRTUAL_LIST: _SEARCH,
        ASSERTION: _READ,
        MANAGE_DSA_IT: _READ | _UPDATE,
    }
)


class BadControl(Exception):
    """A control that its request cannot be served with; the text says so to the client."""

    def __init__(self, code: ResultCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class Control(Struct, frozen=True):
    """One control as it came."""

    oid: str
    critical: bool = False
    value: bytes | None = None


class Paging(Struct, frozen=True):
    """Entries come in pages of *size*; a *cookie* from the page before asks for the next one."""

    size: int
    cookie: bytes = b""


class Sorting(Struct, frozen=True):
    """Entries come in the order of *keys*; where that is *critical*, in no other."""

    keys: tuple[SortKey, ...]
    critical: bool = False


class Extras(Struct, frozen=True, kw_only=True):
    """What a request asks for beside its operation.

    :ivar view: the part of a sorted list that is wanted.
    :ivar assertion: must be true of the entry that the request names, or nothing is done.
    """

    paging: Paging | None = None
    sorting: Sorting | None = None
    view: Window | None = None
    assertion: "Filter | None" = None


NONE = Extras()


class ViewFault(Struct, frozen=True):
    """Why there is no view of a list."""

    code: ResultCode
    text: str


def view_fault(extras: Extras) -> ViewFault | None:
    """Return what makes the view that *extras* ask for impossible, whatever the list; None for nothing."""
    view = extras.view
    if view is None:
        return None
    if extras.sorting is None:
        return ViewFault(ResultCode.SORT_CONTROL_MISSING, "a virtual list view needs an order: add a sort control")
    if view.at_least is None and not view.offset:
        return ViewFault(ResultCode.OFFSET_RANGE_ERROR, "the first entry of a list has the offset 1")
    return None


def decode(controls: Sequence[Control], operation: Operation, limits: DecodingLimits) -> Extras:
    """Return what *controls* ask of *operation*; those that are not critical and mean nothing to it are ignored.

    :raises BadControl: for a critical one that means nothing, one that comes twice, and one that has no sense.
    :raises FilterTooLarge: for what is beyond the limits.
    """
    found: dict[str, Control] = {}
    for control in controls:
        if operation not in SERVED.get(control.oid, ()):
            if control.critical:
                raise BadControl(ResultCode.UNAVAILABLE_CRITICAL_EXTENSION, _unknown(control.oid))
            continue
        if control.oid in found:
            raise BadControl(ResultCode.PROTOCOL_ERROR, "a control comes twice")
        found[control.oid] = control
    if not found:
        return NONE
    try:
        return _extras(found, limits)
    except ValueError:
        # Not its own text: it may show what was typed.
        raise BadControl(ResultCode.PROTOCOL_ERROR, "the value of a control cannot be understood") from None


def _unknown(oid: str) -> str:
    which = f"the control {oid}" if _SHOWN_OID.match(oid) else "a control"
    return f"{which}, without which the request must not be served, is not known here for this operation"


def _extras(found: Mapping[str, Control], limits: DecodingLimits) -> Extras:
    paged, sort, view, assertion = (_value(found.get(oid)) for oid in (PAGED_RESULTS, SORT, VIRTUAL_LIST, ASSERTION))
    if paged and view:
        raise BadControl(ResultCode.UNWILLING_TO_PERFORM, "a virtual list view has no pages: ask for one of the two")
    return Extras(
        paging=_paging(paged) if paged else None,
        sorting=Sorting(_keys(sort, limits), found[SORT].critical) if sort else None,
        view=_window(view, limits) if view else None,
        assertion=_assertion(assertion, limits) if assertion else None,
    )


def _value(control: Control | None) -> Reader | None:
    if control is None:
        return None
    if control.value is None:
        raise BerError("a value is missing")
    return Reader(control.value)


def _paging(value: Reader) -> Paging:
    body = value.inside(SEQUENCE)
    value.finish()
    size, cookie = _count(body), body.octets()
    body.finish()
    return Paging(size, cookie)


def _count(body: Reader) -> int:
    count = body.integer()
    if not 0 <= count <= _MAX_INT:
        raise BerError("count out of bounds")
    return count


def _keys(value: Reader, limits: DecodingLimits) -> tuple[SortKey, ...]:
    listed = value.inside(SEQUENCE)
    value.finish()
    keys: list[SortKey] = []
    while not listed.done:
        if len(keys) == limits.sort_keys:
            raise filters.FilterTooLarge(f"more than {limits.sort_keys} sort keys")
        one = listed.inside(SEQUENCE)
        attribute, rule = one.octets(), one.optional(_RULE)
        if len(attribute) > limits.term_octets:
            raise filters.FilterTooLarge(f"name of more than {limits.term_octets} octets")
        descending = one.boolean(_REVERSE) if one.peek() == _REVERSE else False
        one.finish()
        named = None if rule is None else rule.decode("utf-8")
        keys.append(SortKey(attribute=attribute.decode("utf-8"), rule=named, descending=descending))
    if not keys:
        raise BerError("no sort keys")
    return tuple(keys)


def _window(value: Reader, limits: DecodingLimits) -> Window:
    body = value.inside(SEQUENCE)
    value.finish()
    before, after = _count(body), _count(body)
    if body.peek() == _BY_OFFSET:
        place = body.inside(_BY_OFFSET)
        offset, count = _count(place), _count(place)
        place.finish()
        window = Window(before=before, after=after, offset=offset, count=count)
    else:
        wanted = body.octets(_AT_LEAST)
        if len(wanted) > limits.term_octets:
            raise filters.FilterTooLarge(f"value of more than {limits.term_octets} octets")
        window = Window(before=before, after=after, at_least=wanted.decode("utf-8"))
    # A list is found again by what was asked: nothing is kept between two views, and so there is no context.
    body.optional(OCTETS)
    body.finish()
    return window


def _assertion(value: Reader, limits: DecodingLimits) -> Filter:
    found = filters.decode(value, depth=limits.depth, most=limits.filter_elements, octets=limits.term_octets)
    value.finish()
    return found


def read(listed: Reader, most: int) -> tuple[Control, ...]:
    """Return the controls in *listed*, at most so many.

    :raises BerError: when they are none, or more.
    """
    found: list[Control] = []
    while not listed.done:
        if len(found) == most:
            raise BerError("too many controls")
        one = listed.inside(SEQUENCE)
        oid = one.octets().decode("utf-8", "replace")
        critical = one.boolean() if one.peek() == BOOLEAN else False
        found.append(Control(oid, critical, one.optional(OCTETS)))
        one.finish()
    return tuple(found)


# Those of answers.


def paged(cookie: bytes) -> bytes:
    """Return the control that says how to ask for the next page; an empty *cookie* says that there is none.

    The number of entries is not told: nobody has counted them.
    """
    return _answer(PAGED_RESULTS, number(0) + element(OCTETS, cookie))


def sort_done(code: ResultCode, attribute: str = "") -> bytes:
    """Return the control that says whether entries are sorted; if not, because of which *attribute*."""
    named = element(_SORT_ATTRIBUTE, attribute.encode()) if attribute else b""
    return _answer(SORTED, number(code, ENUMERATED) + named)


def view_given(target: int, count: int, code: ResultCode = ResultCode.SUCCESS) -> bytes:
    """Return the control that says where in a list of *count* entries the view's *target* is, the first being 1."""
    return _answer(VIRTUAL_LIST_GIVEN, number(target) + number(count) + number(code, ENUMERATED))


def _answer(oid: str, value: bytes) -> bytes:
    return element(SEQUENCE, element(OCTETS, oid.encode()) + element(OCTETS, element(SEQUENCE, value)))


def of_few(extras: Extras, count: int) -> bytes:
    """Return the controls of an answer that has no more pages and no more than one entry, which *count* says."""
    said = (
        paged(b"") if extras.paging else b"",
        sort_done(ResultCode.SUCCESS) if extras.sorting else b"",
        view_given(1, count) if extras.view else b"",
    )
    return b"".join(said)
