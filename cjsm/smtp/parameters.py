"""The parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152), AUTH (RFC 4954), RET, ENVID, NOTIFY, ORCPT
(RFC 3461 §4), SMTPUTF8 (RFC 6531), REQUIRETLS (RFC 8689). Pure and total.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from msgspec import Struct

from cjsm.mail import notifications
from cjsm.mail.envelope import Demands, Notify, Wish
from cjsm.mail.notifications import check_envelope_id, check_original, parse_notify, parse_returned

Meaning = TypeVar("Meaning")

_PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]{0,63})(?:=([!-<>-~]{1,1024}))?\Z")
_SIZE = re.compile(rb"[0-9]{1,20}\Z")
_BODIES = {b"7BIT": False, b"8BITMIME": True}


class BadParameter(Exception):
    """A parameter cannot be taken; the text says which and why.

    :ivar known: False for one that nobody here knows (555), True for one that is wrong (501).
    """

    def __init__(self, text: str, *, known: bool = True) -> None:
        super().__init__(text)
        self.known = known


class MailParameters(Struct, frozen=True):
    """What MAIL said beside the sender; *size* in octets, or None."""

    size: int | None
    demands: Demands


Parameters = Mapping[bytes, bytes | None]


def split(octets: bytes) -> Parameters:
    """Return the parameters by name in upper case.

    :raises BadParameter: when one is not of the form ``NAME`` or ``NAME=value``, or comes twice.
    """
    read: dict[bytes, bytes | None] = {}
    for word in octets.split():
        match = _PARAMETER.match(word)
        if match is None:
            raise BadParameter("a parameter is not of the form it should have")
        name = match[1].upper()
        if name in read:
            raise BadParameter("a parameter is given twice")
        read[name] = match[2]
    return read


def of_mail(given: Parameters) -> MailParameters:
    """Read the parameters of MAIL.

    :raises BadParameter: for one that is unknown or wrong.
    """
    size: int | None = None
    found: dict[str, object] = {}
    for name, value in given.items():
        match name:
            case b"SIZE":
                size = int(_matching(name, value, _SIZE))
            case b"BODY":
                found["eight_bit"] = _one_of(name, value, _BODIES)
            case b"AUTH":
                _given(name, value)
            case b"RET":
                found["returned"] = _read(parse_returned, name, value)
            case b"ENVID":
                found["envelope_id"] = _read(check_envelope_id, name, value)
            case b"SMTPUTF8":
                found["smtputf8"] = _bare(name, value)
            case b"REQUIRETLS":
                found["require_tls"] = _bare(name, value)
            case _:
                raise _unknown(name)
    return MailParameters(size, Demands(**found))  # type: ignore[arg-type]  # by name


def of_rcpt(given: Parameters) -> Wish:
    """Read the parameters of RCPT.

    :raises BadParameter: for one that is unknown or wrong.
    """
    notify: frozenset[Notify] | None = None
    original = ""
    for name, value in given.items():
        match name:
            case b"NOTIFY":
                notify = _read(parse_notify, name, value)
            case b"ORCPT":
                original = _read(check_original, name, value)
            case _:
                raise _unknown(name)
    return Wish(notify=notify, original=original)


def _read(read: Callable[[str], Meaning], name: bytes, value: bytes | None) -> Meaning:
    try:
        return read(_given(name, value).decode("ascii"))
    except notifications.BadParameter as error:
        raise BadParameter(str(error)) from error


def _given(name: bytes, value: bytes | None) -> bytes:
    if value is None:
        raise BadParameter(f"{name.decode()} needs a value")
    return value


def _bare(name: bytes, value: bytes | None) -> bool:
    if value is not None:
        raise BadParameter(f"{name.decode()} takes no value")
    return True


def _matching(name: bytes, value: bytes | None, form: re.Pattern[bytes]) -> bytes:
    given = _given(name, value)
    if not form.match(given):
        raise BadParameter(f"the value of {name.decode()} is not of the form it should have")
    return given


def _one_of(name: bytes, value: bytes | None, meanings: Mapping[bytes, Meaning]) -> Meaning:
    known = meanings.get(_given(name, value).upper())
    if known is None:
        allowed = " or ".join(word.decode() for word in meanings)
        raise BadParameter(f"{name.decode()} is {allowed}")
    return known


def _unknown(name: bytes) -> BadParameter:
    return BadParameter(f"the parameter {name.decode()} is not known here", known=False)
