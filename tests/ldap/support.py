"""LDAP from the client's side: requests as octets, answers as values."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from cjsm.ldap.grammar.ber import ENUMERATED, OCTETS, SEQUENCE, SET, Reader, element, number
from cjsm.ldap.grammar.codes import Answer, Operation


class Result(Struct, frozen=True):
    """An LDAPResult."""

    id: int
    answer: Answer
    code: int
    matched: str
    text: str
    value: bytes | None = None
    oid: str | None = None


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


def compare(message_id: int, dn: str, attribute: str, value: str | bytes) -> bytes:
    """A Compare."""
    content = element(OCTETS, dn.encode()) + element(SEQUENCE, Reader(equal(attribute, value)).octets(0xA3))
    return request(message_id, element(Operation.COMPARE, content))


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
        inner.finish()
        found.append(_entry(message_id, body) if answer is Answer.ENTRY else _result(message_id, answer, body))
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


def _result(message_id: int, answer: Answer, body: Reader) -> Result:
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
    )
