"""Parameters of MAIL and RCPT by which a sender asks for delivery reports (RFC 3461 §4), and xtext.

Each function takes the value behind the equals sign as it was written, or gives it as it is to be written.
"""

import re

from cjsm.mail.envelope import Notify, Returned

#: RFC 3461 §5: what the longest values of ENVID and ORCPT are.
_LONGEST_ENVELOPE_ID = 100
_LONGEST_ORIGINAL = 500
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_HEX = re.compile(r"\+([0-9A-F]{2})")
_TO_ESCAPE = re.compile(rb"[^!-*,-<>-~]")
_PRINTABLE = re.compile(r"[ -~]*")
_TYPE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?")
#: What stands for itself in a UTF-8 address type, and how anything else is written (RFC 6533 §3).
_TO_ESCAPE_UTF8 = re.compile(r"[^!-*,-<>-\[\]-~]")
_UTF8_VALUE = re.compile(
    r"(?:[!-*,-<>-\[\]-~]|[^\x00-\x9f\ud800-\udfff]|\\x\{(?:0[1-9]|[1-9A-F][0-9A-F]{1,4}|10[0-9A-F]{4})\})+"
)


class BadParameter(ValueError):
    """The value is not of the form that its parameter has; the text says what is wrong."""


def encode_xtext(text: str) -> str:
    """Return *text* as xtext, its octets those of UTF-8 (RFC 3461 §4)."""
    octets = text.encode("utf-8", "replace")
    return _TO_ESCAPE.sub(lambda match: b"+%02X" % match[0][0], octets).decode("ascii")


def decode_xtext(xtext: str) -> str:
    """Return the text that *xtext* stands for.

    :raises BadParameter: when it is no xtext, or its octets are no UTF-8.
    """
    if not _XTEXT.fullmatch(xtext):
        raise BadParameter(
            "this is not xtext: write + and = and all but printable ASCII as + and two hexadecimal digits"
        )
    try:
        octets = _HEX.sub(lambda match: chr(int(match[1], 16)), xtext).encode("latin-1")
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadParameter("this xtext stands for no text") from error


def encode_utf8_address(address: str) -> str:
    """Return *address* in the ASCII form of the address type ``utf-8``, such as ``j\\x{F6}@example`` (RFC 6533 §3)."""
    return _TO_ESCAPE_UTF8.sub(lambda match: f"\\x{{{ord(match[0]):02X}}}", address)


def parse_notify(value: str) -> frozenset[Notify]:
    """Return what NOTIFY asks for (RFC 3461 §4.1).

    :raises BadParameter: when a word is not known or comes twice, or NEVER is not alone.
    """
    words = _upper(value).split(",")
    try:
        asked = frozenset(Notify(word) for word in words)
    except ValueError as error:
        raise BadParameter("NOTIFY is NEVER, or some of SUCCESS, FAILURE and DELAY with commas between") from error
    if Notify.NEVER in asked and len(asked) > 1:
        raise BadParameter("NOTIFY=NEVER stands alone")
    if len(words) > len(asked):
        raise BadParameter("NOTIFY names each of SUCCESS, FAILURE and DELAY once at most")
    return asked


def format_notify(notify: frozenset[Notify]) -> str:
    """Return the value of NOTIFY; the empty set asks for nothing, as NEVER does."""
    return ",".join(each for each in Notify if each in notify) or Notify.NEVER


def parse_returned(value: str) -> Returned:
    """Return what RET asks for (RFC 3461 §4.3).

    :raises BadParameter: when it is neither FULL nor HDRS.
    """
    try:
        return Returned(_upper(value))
    except ValueError as error:
        raise BadParameter("RET is FULL or HDRS") from error


def check_envelope_id(value: str) -> str:
    """Return ENVID as it was written (RFC 3461 §4.4).

    :raises BadParameter: when it is longer than 100 characters, or not xtext of printable ASCII.
    """
    if not 0 < len(value) <= _LONGEST_ENVELOPE_ID or not _PRINTABLE.fullmatch(decode_xtext(value)):
        raise BadParameter(f"ENVID is xtext of 1 to {_LONGEST_ENVELOPE_ID} characters that stands for printable ASCII")
    return value


def check_original(value: str) -> str:
    """Return ORCPT as it was written (RFC 3461 §4.2; its type ``utf-8``: RFC 6533 §3).

    :raises BadParameter: when it is longer than 500 characters or not an address type, a semicolon and its xtext.
    """
    if len(value) > _LONGEST_ORIGINAL:
        raise BadParameter(f"ORCPT has at most {_LONGEST_ORIGINAL} characters")
    split_original(value)
    return value


def split_original(value: str) -> tuple[str, str]:
    """Return ORCPT's address type and address, xtext decoded; of type ``utf-8`` in its ASCII form.

    :raises BadParameter: when it is malformed.
    """
    kind, semicolon, xtext = value.partition(";")
    if not semicolon or not xtext or not _TYPE.fullmatch(kind):
        raise BadParameter("ORCPT is an address type, a semicolon and an address, such as rfc822;bob@example")
    if kind.lower() == "utf-8":
        if not _UTF8_VALUE.fullmatch(xtext):
            raise BadParameter("ORCPT has an address that is not written as its type asks")
        return kind, _ascii_only(xtext)
    address = decode_xtext(xtext)
    if not _PRINTABLE.fullmatch(address):
        raise BadParameter("ORCPT stands for an address that is not printable ASCII")
    return kind, address


def _upper(value: str) -> str:
    """Return *value* in upper case; no other letter becomes an ASCII one."""
    return value.upper() if value.isascii() else value


def _ascii_only(written: str) -> str:
    return re.sub(r"[^\x00-\x7f]", lambda match: encode_utf8_address(match[0]), written)
