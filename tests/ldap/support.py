"""LDAP from the client's side: requests as octets, answers as values."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from cjsm.ldap.grammar.ber import ENUMERATED, OCTETS, SEQUENCE, SET, Reader, element, number
from cjsm.ldap.grammar.codes import Answer, Operation

PAGED_RESULTS = "1.2.840.113556.1.4.319"
SORT, SORTED = "1.2.840.113556.1.4.473", "1.2.840.113556.1.4.474"
VIRTUAL_LIST, VIRTUAL_LIST_GIVEN = "2.16.840.1.113730.3.4.9", "2.16.840.1.113730.3.4.10"
ASSERTION = "1.3.6.1.1.12"


class Result(Struct, frozen=True):
    """An LDAPResult."""

    id: int
    answer: Answer
    code: int
    matched: str
    text: str
    value: bytes | None = None
    oid: str | None = None
    controls: dict[str, bytes] = {}

    @property
    def cookie(self) -> bytes:
        """That of a page."""
        body = Reader(self.controls[PAGED_RESULTS]).inside()
        body.integer()
        return body.octets()

    @property
    def sorted(self) -> tuple[int, str]:
        """Result and attribute of a sort."""
        body = Reader(self.controls[SORTED]).inside()
        return body.integer(ENUMERATED), (body.optional(0x80) or b"").decode()

    @property
    def view(self) -> tuple[int, int, int]:
        """Target, count and result of a virtual list view."""
        body = Reader(self.controls[VIRTUAL_LIST_GIVEN]).inside()
        return body.integer(), body.integer(), body.integer(ENUMERATED)


class Found(Struct, frozen=True):
    """A SearchResultEntry."""

    id: int
    dn: str
    attributes: dict[str, list[str]]


def request(message_id: int, operation: bytes, *controls: bytes) -> bytes:
    """A whole request."""
    return element(SEQUENCE, number(message_id) + operation + (element(0xA0, b"".join(controls)) if controls else b""))


def control(oid: str, *, critical: bool = False, value: bytes | None = None) -> bytes:
    """One control."""
    content = element(OCTETS, oid.encode()) + (b"\x01\x01\xff" if critical else b"")
    return element(SEQUENCE, content + (element(OCTETS, value) if value is not None else b""))


def paged(size: int, cookie: bytes = b"", *, critical: bool = True) -> bytes:
    """Simple paged results."""
    value = element(SEQUENCE, number(size) + element(OCTETS, cookie))
    return control(PAGED_RESULTS, critical=critical, value=value)


def sort(*keys: str, critical: bool = True) -> bytes:
    """Server-side sort; a key is ``attribute``, ``-attribute`` or ``attribute:rule``."""
    return control(SORT, critical=critical, value=element(SEQUENCE, b"".join(map(_key, keys))))


def _key(key: str) -> bytes:
    attribute, _, rule = key.removeprefix("-").partition(":")
    content = element(OCTETS, attribute.encode()) + (element(0x80, rule.encode()) if rule else b"")
    return element(SEQUENCE, content + (b"\x81\x01\xff" if key.startswith("-") else b""))


def view(
    before: int, after: int, target: int | str, count: int = 0, *, context: bytes | None = None, critical: bool = True
) -> bytes:
    """Virtual list view, by offset or by value."""
    by_value = isinstance(target, str)
    place = element(0x81, target.encode()) if by_value else element(0xA0, number(target) + number(count))
    content = number(before) + number(after) + place + (element(OCTETS, context) if context is not None else b"")
    return control(VIRTUAL_LIST, critical=critical, value=element(SEQUENCE, content))


def asserted(filter_: bytes, *, critical: bool = True) -> bytes:
    """Assertion."""
    return control(ASSERTION, critical=critical, value=filter_)


def bind(message_id: int, name: str = "", secret: bytes = b"", *, version: int = 3) -> bytes:
    """A simple bind."""
    content = number(version) + element(OCTETS, name.encode()) + element(0x80, secret)
    return request(message_id, element(Operation.BIND, content))


def sasl(message_id: int, mechanism: str, credentials: bytes | None) -> bytes:
    """A SASL bind."""
    inner = element(OCTETS, mechanism.encode()) + (element(OCTETS, credentials) if credentials is not None else b"")
    content = number(3) + element(OCTETS, b"") + element(0xA3, inner)
    return request(message_id, element(Operation.BIND, content))


def present(attribute: str) -> bytes:
    """``(attribute=*)``"""
    return element(0x87, attribute.encode())


def equal(attribute: str, value: str | bytes) -> bytes:
    """``(attribute=value)``"""
    octets = value.encode() if isinstance(value, str) else value
    return element(0xA3, element(OCTETS, attribute.encode()) + element(OCTETS, octets))


def begins(attribute: str, value: str) -> bytes:
    """``(attribute=value*)``"""
    return element(0xA4, element(OCTETS, attribute.encode()) + element(SEQUENCE, element(0x80, value.encode())))


def named(attribute: str, value: str) -> bytes:
    """``(attribute:dn:=value)``"""
    return element(0xA9, element(0x82, attribute.encode()) + element(0x83, value.encode()) + b"\x84\x01\xff")


def either(*parts: bytes) -> bytes:
    """``(|…)``"""
    return element(0xA1, b"".join(parts))


def search(
    message_id: int,
    filter_: bytes,
    *,
    base: str = "",
    scope: int = 2,
    size: int = 0,
    time: int = 0,
    attributes: Sequence[str] = (),
    types_only: bool = False,
    controls: Sequence[bytes] = (),
) -> bytes:
    """A search."""
    content = (
        element(OCTETS, base.encode())
        + number(scope, ENUMERATED)
        + number(0, ENUMERATED)
        + number(size)
        + number(time)
        + element(0x01, b"\xff" if types_only else b"\0")
        + filter_
        + element(SEQUENCE, b"".join(element(OCTETS, name.encode()) for name in attributes))
    )
    return request(message_id, element(Operation.SEARCH, content), *controls)


def compare(message_id: int, dn: str, attribute: str, value: str | bytes, *controls: bytes) -> bytes:
    """A Compare."""
    content = element(OCTETS, dn.encode()) + element(SEQUENCE, Reader(equal(attribute, value)).octets(0xA3))
    return request(message_id, element(Operation.COMPARE, content), *controls)


def abandon(message_id: int, target: int) -> bytes:
    """An Abandon."""
    return request(message_id, number(target, Operation.ABANDON))


def unbind(message_id: int) -> bytes:
    """An Unbind."""
    return request(message_id, element(Operation.UNBIND, b""))


def password_modify(
    message_id: int, identity: str | None = None, current: bytes | None = None, chosen: bytes | None = None
) -> bytes:
    """A Password Modify (RFC 3062)."""
    given = ((0x80, identity.encode() if identity is not None else None), (0x81, current), (0x82, chosen))
    content = b"".join(element(tag, value) for tag, value in given if value is not None)
    return extended(message_id, "1.3.6.1.4.1.4203.1.11.1", element(SEQUENCE, content))


def extended(message_id: int, oid: str, value: bytes | None = None) -> bytes:
    """An extended operation."""
    content = element(0x80, oid.encode()) + (element(0x81, value) if value is not None else b"")
    return request(message_id, element(Operation.EXTENDED, content))


def answers(octets: bytes) -> list[Any]:
    """Return what the server said; anything but whole, well-formed answers is an error."""
    stream = Reader(octets)
    found: list[Any] = []
    while not stream.done:
        inner = stream.inside()
        message_id = inner.integer()
        answer = Answer(inner.peek() or 0)
        body = inner.inside(answer)
        given = _controls(inner)
        assert answer is not Answer.ENTRY or not given
        found.append(_entry(message_id, body) if answer is Answer.ENTRY else _result(message_id, answer, body, given))
    return found


def _controls(inner: Reader) -> dict[str, bytes]:
    if inner.done:
        return {}
    listed = inner.inside(0xA0)
    inner.finish()
    found: dict[str, bytes] = {}
    while not listed.done:
        one = listed.inside()
        oid, value = one.octets().decode(), one.octets()
        one.finish()
        assert oid not in found
        found[oid] = value
    return found


def _entry(message_id: int, body: Reader) -> Found:
    dn = body.octets().decode()
    listed = body.inside()
    body.finish()
    attributes: dict[str, list[str]] = {}
    while not listed.done:
        one = listed.inside()
        name = one.octets().decode()
        values = one.inside(SET)
        assert name not in attributes
        attributes[name] = []
        while not values.done:
            attributes[name].append(values.octets().decode())
    return Found(message_id, dn, attributes)


def _result(message_id: int, answer: Answer, body: Reader, controls: dict[str, bytes]) -> Result:
    code, matched, text = body.integer(ENUMERATED), body.octets().decode(), body.octets().decode()
    credentials = body.optional(0x87)
    oid, value = body.optional(0x8A), body.optional(0x8B)
    body.finish()
    return Result(
        message_id,
        answer,
        code,
        matched,
        text,
        value if credentials is None else credentials,
        oid.decode() if oid is not None else None,
        controls,
    )
