"""Answers as octets (RFC 4511 §4). Entries come without their message number, so that one encoding serves all."""

from collections.abc import Iterable, Sequence

from cjsm.ldap.grammar.ber import ENUMERATED, OCTETS, SEQUENCE, SET, element, number
from cjsm.ldap.grammar.codes import Answer, ResultCode

_NOTICE_OF_DISCONNECTION = b"1.3.6.1.4.1.1466.20036"
_SASL_CREDENTIALS = 0x87
_OID = 0x8A
_VALUE = 0x8B
_CONTROLS = 0xA0


def message(message_id: int, operation: bytes) -> bytes:
    """Return the whole message that answers *message_id* with an encoded *operation*."""
    return element(SEQUENCE, number(message_id) + operation)


def result(answer: Answer, code: ResultCode, text: str = "", *, matched: str = "", more: bytes = b"") -> bytes:
    """Return an answer that is an LDAPResult, followed by *more* of its own (RFC 4511 §4.1.9)."""
    content = number(code, ENUMERATED) + element(OCTETS, matched.encode()) + element(OCTETS, text.encode())
    return element(answer, content + more)


def with_controls(operation: bytes, controls: bytes) -> bytes:
    """Return an encoded *operation* with encoded *controls* behind it, as :func:`message` takes it."""
    return operation + element(_CONTROLS, controls) if controls else operation


def sasl_challenge() -> bytes:
    """Return the answer that asks for the mechanism's first octets (RFC 4513 §5.2.1)."""
    return result(Answer.BIND, ResultCode.SASL_BIND_IN_PROGRESS, more=element(_SASL_CREDENTIALS, b""))


def extended(code: ResultCode, text: str = "", *, oid: str = "", value: bytes | None = None) -> bytes:
    """Return the answer to an extended operation; *oid* is its name where it has one."""
    more = (element(_OID, oid.encode()) if oid else b"") + (b"" if value is None else element(_VALUE, value))
    return result(Answer.EXTENDED, code, text, more=more)


def disconnection(code: ResultCode, text: str) -> bytes:
    """Return the whole message that announces the end of the connection (RFC 4511 §4.4.1)."""
    more = element(_OID, _NOTICE_OF_DISCONNECTION)
    return message(0, result(Answer.EXTENDED, code, text, more=more))


def entry(dn: str, attributes: Iterable[tuple[str, Sequence[str]]], *, types_only: bool = False) -> bytes:
    """Return one entry of a search's answer (RFC 4511 §4.5.2)."""
    encoded = [_attribute(name, () if types_only else values) for name, values in attributes]
    return element(Answer.ENTRY, element(OCTETS, dn.encode()) + element(SEQUENCE, b"".join(encoded)))


def _attribute(name: str, values: Sequence[str]) -> bytes:
    described = element(OCTETS, name.encode())
    return element(SEQUENCE, described + element(SET, b"".join(element(OCTETS, value.encode()) for value in values)))
