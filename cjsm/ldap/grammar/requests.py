"""Requests as typed values (RFC 4511 §4).

Two things can be wrong with octets. :class:`Malformed` says that they are no LDAP message: the connection ends.
:class:`Unacceptable` says that one request cannot be served as it is: it gets an answer and the next one is read.
"""

from collections.abc import Callable

from msgspec import Struct

from cjsm.directory.query import Filter, Scope
from cjsm.ldap.grammar import controls, filters
from cjsm.ldap.grammar.ber import ENUMERATED, OCTETS, SEQUENCE, BerError, Reader, spans
from cjsm.ldap.grammar.codes import ANSWERS, Operation, ResultCode
from cjsm.ldap.grammar.controls import BadControl, Control, Extras
from cjsm.ldap.grammar.limits import DecodingLimits

_MAX_INT = 2**31 - 1
_CONTROLS = 0xA0
_SIMPLE = 0x80
_SASL = 0xA3


class Malformed(ValueError):
    """Not an LDAP message that can be understood (RFC 4511 §4.1.1)."""


class Unacceptable(Exception):
    """A request that is answered with an error, by itself.

    :ivar operation: what it was.
    """

    def __init__(self, message_id: int, operation: Operation, code: ResultCode, text: str) -> None:
        super().__init__(text)
        self.message_id = message_id
        self.operation = operation
        self.code = code
        self.text = text


class BindRequest(Struct, frozen=True, kw_only=True):
    """:ivar mechanism: None for simple authentication. :ivar credentials: the password, or the mechanism's octets."""

    version: int
    name: str
    mechanism: str | None
    credentials: bytes | None

    def __repr__(self) -> str:
        return f"<BindRequest version={self.version} mechanism={self.mechanism}>"


class UnbindRequest(Struct, frozen=True):
    """The client goes."""


class SearchRequest(Struct, frozen=True, kw_only=True):
    """Limits in entries and seconds, 0 for none."""

    base: str
    scope: Scope
    size_limit: int
    time_limit: int
    types_only: bool
    filter: Filter
    attributes: tuple[str, ...]


class CompareRequest(Struct, frozen=True):
    """Whether an entry has a value; None for an assertion that is not text."""

    dn: str
    attribute: str
    value: str | None


class AbandonRequest(Struct, frozen=True):
    """No answer to *target* is wanted any more."""

    target: int


class ExtendedRequest(Struct, frozen=True):
    """An operation known by its OID."""

    oid: str
    value: bytes | None = None


class PasswordModify(Struct, frozen=True):
    """The value of a Password Modify request (RFC 3062 section 2); None for what is left out."""

    identity: str | None = None
    current: bytes | None = None
    chosen: bytes | None = None

    def __repr__(self) -> str:
        return "<PasswordModify>"


class UpdateRequest(Struct, frozen=True):
    """Any of the operations that change the directory: they are refused, whatever is in them."""

    operation: Operation


Request = (
    BindRequest | UnbindRequest | SearchRequest | CompareRequest | AbandonRequest | ExtendedRequest | UpdateRequest
)


class Message(Struct, frozen=True):
    """One request with its number, and what its controls ask for."""

    id: int
    operation: Operation
    request: Request
    extras: Extras = controls.NONE


def decode(octets: bytes, limits: DecodingLimits) -> Message:
    """Return the message that *octets* are, from its first to its last.

    :raises Malformed: when they are none.
    :raises Unacceptable: when its request cannot be served as it stands.
    """
    try:
        outer = Reader(octets)
        inner = outer.inside(SEQUENCE)
        outer.finish()
        message_id = inner.integer()
        if not 0 < message_id <= _MAX_INT:
            raise BerError("message number out of bounds")
        operation = Operation(inner.peek() or 0)
        return _message(message_id, operation, inner, limits)
    except ValueError as error:
        raise Malformed(str(error)) from None


def _message(message_id: int, operation: Operation, inner: Reader, limits: DecodingLimits) -> Message:
    def refuse(code: ResultCode, text: str) -> Unacceptable:
        return Unacceptable(message_id, operation, code, text)

    try:
        request = _DECODE[operation](inner, operation, limits)
        given = _controls(inner, limits.controls)
        # Where nothing can be answered controls are not looked at (RFC 4511 §4.1.11).
        extras = controls.decode(given, operation, limits) if operation in ANSWERS else controls.NONE
    except filters.FilterTooLarge as error:
        raise refuse(ResultCode.ADMIN_LIMIT_EXCEEDED, str(error)) from None
    except _OutOfBounds as error:
        raise refuse(ResultCode.PROTOCOL_ERROR, str(error)) from None
    except BadControl as error:
        raise refuse(error.code, str(error)) from None
    return Message(message_id, operation, request, extras)


class _OutOfBounds(Exception):
    """A number or list that the protocol does not allow, in a well-formed element."""


def text(octets: bytes) -> str:
    """Return *octets* as text; what is not UTF-8 becomes what no name has."""
    return octets.decode("utf-8", "replace")


def _name(body: Reader, limits: DecodingLimits) -> str:
    octets = body.octets()
    if len(octets) > limits.term_octets:
        raise filters.FilterTooLarge(f"name of more than {limits.term_octets} octets")
    return text(octets)


def _bind(inner: Reader, operation: Operation, _limits: DecodingLimits) -> BindRequest:
    body = inner.inside(operation)
    version = body.integer()
    name = text(body.octets())
    if body.peek() == _SASL:
        sasl = body.inside(_SASL)
        mechanism, credentials = text(sasl.octets()), sasl.optional(OCTETS)
        sasl.finish()
    elif body.peek() == _SIMPLE:
        mechanism, credentials = None, body.octets(_SIMPLE)
    else:
        # Some other choice, which RFC 4511 §4.2 leaves open: it is answered as a mechanism that is not offered.
        return BindRequest(version=version, name=name, mechanism="", credentials=None)
    body.finish()
    return BindRequest(version=version, name=name, mechanism=mechanism, credentials=credentials)


def _unbind(inner: Reader, operation: Operation, _limits: DecodingLimits) -> UnbindRequest:
    inner.octets(operation)
    return UnbindRequest()


def _search(inner: Reader, operation: Operation, limits: DecodingLimits) -> SearchRequest:
    body = inner.inside(operation)
    base = _name(body, limits)
    scope = body.integer(ENUMERATED)
    if not 0 <= body.integer(ENUMERATED) <= 3:
        raise _OutOfBounds("unknown way of dereferencing aliases")
    size_limit, time_limit = body.integer(), body.integer()
    types_only = body.boolean()
    filter_ = filters.decode(body, depth=limits.depth, most=limits.filter_elements, octets=limits.term_octets)
    attributes = _attributes(body, limits.attributes)
    body.finish()
    if not 0 <= scope <= 2:
        raise _OutOfBounds("unknown scope")
    if not (0 <= size_limit <= _MAX_INT and 0 <= time_limit <= _MAX_INT):
        raise _OutOfBounds("limit out of bounds")
    return SearchRequest(
        base=base,
        scope=Scope(scope),
        size_limit=size_limit,
        time_limit=time_limit,
        types_only=types_only,
        filter=filter_,
        attributes=attributes,
    )


def _attributes(body: Reader, most: int) -> tuple[str, ...]:
    data, listed, start, end = body.span()
    if listed != SEQUENCE:
        raise BerError("a list of attributes belongs here")
    names: list[str] = []
    for tag, first, last in spans(data, start, end):
        if tag != OCTETS:
            raise BerError("an attribute belongs here")
        if len(names) == most:
            raise filters.FilterTooLarge(f"more than {most} attributes asked for")
        names.append(text(data[first:last]))
    return tuple(names)


def _compare(inner: Reader, operation: Operation, limits: DecodingLimits) -> CompareRequest:
    body = inner.inside(operation)
    dn = _name(body, limits)
    assertion = body.inside(SEQUENCE)
    attribute, value = text(assertion.octets()), assertion.octets()
    if len(value) > limits.term_octets:
        raise filters.FilterTooLarge(f"value of more than {limits.term_octets} octets")
    assertion.finish()
    body.finish()
    try:
        return CompareRequest(dn, attribute, value.decode("utf-8"))
    except UnicodeDecodeError:
        return CompareRequest(dn, attribute, None)


def _abandon(inner: Reader, operation: Operation, _limits: DecodingLimits) -> AbandonRequest:
    return AbandonRequest(inner.integer(operation))


def _extended(inner: Reader, operation: Operation, _limits: DecodingLimits) -> ExtendedRequest:
    body = inner.inside(operation)
    oid, value = text(body.octets(0x80)), body.optional(0x81)
    body.finish()
    return ExtendedRequest(oid, value)


def decode_password_modify(value: bytes | None) -> PasswordModify:
    """Return what the value of a Password Modify request holds; without a value, nothing.

    :raises Malformed: when it is none.
    """
    if value is None:
        return PasswordModify()
    try:
        outer = Reader(value)
        body = outer.inside(SEQUENCE)
        outer.finish()
        identity, current, chosen = body.optional(0x80), body.optional(0x81), body.optional(0x82)
        body.finish()
    except ValueError as error:
        raise Malformed(str(error)) from None
    return PasswordModify(text(identity) if identity is not None else None, current, chosen)


def _update(inner: Reader, operation: Operation, _limits: DecodingLimits) -> UpdateRequest:
    inner.octets(operation)
    return UpdateRequest(operation)


def _controls(inner: Reader, most: int) -> tuple[Control, ...]:
    if inner.done:
        return ()
    if inner.peek() != _CONTROLS:
        raise BerError("controls expected")
    listed = inner.inside(_CONTROLS)
    inner.finish()
    return controls.read(listed, most)


_DECODE: dict[Operation, Callable[[Reader, Operation, DecodingLimits], Request]] = {
    Operation.BIND: _bind,
    Operation.UNBIND: _unbind,
    Operation.SEARCH: _search,
    Operation.COMPARE: _compare,
    Operation.ABANDON: _abandon,
    Operation.EXTENDED: _extended,
    Operation.MODIFY: _update,
    Operation.ADD: _update,
    Operation.DELETE: _update,
    Operation.MODIFY_DN: _update,
}
