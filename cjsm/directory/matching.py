"""Matching rules: how values are prepared so that equal ones compare equal (RFC 4517 §4, RFC 4518).

A rule turns a value or an assertion into its comparable form, or None where it cannot: such an assertion is Undefined.
"""

import re
import unicodedata
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum

from cjsm.directory import names
from cjsm.directory.folding import fold


class Rule(Enum):
    """The kinds of comparison that this directory's attributes need."""

    # Each is itself and nothing else; an enumeration's own hash is a call for each value that is prepared.
    __hash__ = object.__hash__

    TEXT = "text"
    EXACT = "exact"
    TELEPHONE = "telephone"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    TIME = "time"
    IDENTIFIER = "identifier"
    NAME = "name"
    UUID = "uuid"


#: The rule behind each equality rule's name and OID, in lower case.
RULES = {
    "caseignorematch": Rule.TEXT,
    "2.5.13.2": Rule.TEXT,
    "caseignoreia5match": Rule.TEXT,
    "1.3.6.1.4.1.1466.109.114.2": Rule.TEXT,
    "caseignorelistmatch": Rule.TEXT,
    "2.5.13.11": Rule.TEXT,
    "caseexactmatch": Rule.EXACT,
    "2.5.13.5": Rule.EXACT,
    "telephonenumbermatch": Rule.TELEPHONE,
    "2.5.13.20": Rule.TELEPHONE,
    "booleanmatch": Rule.BOOLEAN,
    "2.5.13.13": Rule.BOOLEAN,
    "integermatch": Rule.INTEGER,
    "2.5.13.14": Rule.INTEGER,
    "generalizedtimematch": Rule.TIME,
    "2.5.13.27": Rule.TIME,
    "objectidentifiermatch": Rule.IDENTIFIER,
    "2.5.13.0": Rule.IDENTIFIER,
    "objectidentifierfirstcomponentmatch": Rule.IDENTIFIER,
    "2.5.13.30": Rule.IDENTIFIER,
    "distinguishednamematch": Rule.NAME,
    "2.5.13.1": Rule.NAME,
    "uuidmatch": Rule.UUID,
    "1.3.6.1.1.16.2": Rule.UUID,
}


_NOT_DIGITS = re.compile(r"[^0-9]+")


def prepare(rule: Rule, value: str) -> str | None:
    """Return the comparable form of a whole *value* under *rule*, or None when it is not of its syntax."""
    return _PREPARE[rule](value)


def preparing(rule: Rule) -> Callable[[str], str | None]:
    """Return what prepares values under *rule*, for who prepares many."""
    return _PREPARE[rule]


def prepare_piece(rule: Rule, piece: str) -> str | None:
    """Return the comparable form of a *piece* of a substring assertion, or None when there is none.

    Spaces at the ends of a piece of text count, as one each: ``jane `` begins ``jane smith`` and not ``janet``.
    """
    if rule is not Rule.TEXT:
        return _PREPARE[rule](piece) if rule in (Rule.TELEPHONE, Rule.EXACT) else None
    folded = fold(piece)
    if not folded:
        return " " if piece else ""
    return (" " if piece[0].isspace() else "") + folded + (" " if piece[-1].isspace() else "")


def in_order(rule: Rule, first: str, second: str) -> bool:
    """Whether *first* is not after *second*, both prepared under *rule*."""
    if rule is Rule.INTEGER:
        return int(first) <= int(second)
    return first <= second


def _text(value: str) -> str | None:
    """A Directory String has at least one character (RFC 4517 §3.3.6), and spaces alone are one space."""
    return fold(value) or _spaces(value)


def _exact(value: str) -> str | None:
    return " ".join(unicodedata.normalize("NFKC", value).split()) or _spaces(value)


def _spaces(value: str) -> str | None:
    return " " if value else None


def _telephone(value: str) -> str | None:
    return _NOT_DIGITS.sub("", value) or None


def _boolean(value: str) -> str | None:
    upper = value.upper()
    return upper if upper in ("TRUE", "FALSE") else None


def _integer(value: str) -> str | None:
    digits = value.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        return None
    return str(int(value))


def _time(value: str) -> str | None:
    """GeneralizedTime in UTC or with a zone (RFC 4517 §3.3.13), to the second."""
    body, sign, zone = value, "", ""
    for mark in "+-":
        if mark in value:
            body, sign, zone = value.partition(mark)
    body = body.removesuffix("Z").partition(".")[0].partition(",")[0]
    digits = body + zone
    if (
        len(body) not in (10, 12, 14)
        or not (value.endswith("Z") or sign)
        or not digits.isascii()
        or not digits.isdigit()
    ):
        return None
    try:
        year, month, day, hour = int(body[:4]), int(body[4:6]), int(body[6:8]), int(body[8:10])
        moment = datetime(year, month, day, hour, int(body[10:12] or 0), int(body[12:14] or 0), tzinfo=UTC)
        if sign:
            ahead = timedelta(hours=int(zone[:2]), minutes=int(zone[2:4] or 0))
            moment = moment - ahead if sign == "+" else moment + ahead
    except (ValueError, OverflowError):
        return None
    return timestamp(moment)


def timestamp(moment: datetime) -> str:
    """Return *moment*, in UTC, as GeneralizedTime."""
    return f"{moment.year:04d}{moment:%m%d%H%M%S}Z"


def _identifier(value: str) -> str | None:
    return value.lower() or None


def _name(value: str) -> str | None:
    try:
        return repr(names.parse(value))
    except names.BadName:
        return None


def _uuid(value: str) -> str | None:
    try:
        return str(uuid.UUID(value)) if len(value) == 36 else None
    except ValueError:
        return None


_PREPARE: dict[Rule, Callable[[str], str | None]] = {
    Rule.TEXT: _text,
    Rule.EXACT: _exact,
    Rule.TELEPHONE: _telephone,
    Rule.BOOLEAN: _boolean,
    Rule.INTEGER: _integer,
    Rule.TIME: _time,
    Rule.IDENTIFIER: _identifier,
    Rule.NAME: _name,
    Rule.UUID: _uuid,
}
