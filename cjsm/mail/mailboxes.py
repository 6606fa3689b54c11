"""Address lists in header fields, read strictly: what two readers could understand differently is refused.

RFC 5322 §3.4 without its obsolete forms, with less in comments and names than it allows. Total: every text gives
addresses or :class:`AmbiguousAddress`.
"""

import re
from collections.abc import Iterator, Sequence

from cjsm.community.address import Address, BadAddress

_LONGEST = 64 * 1024
#: In this order: white space, a quoted string, a comment without another in it, a special, a run of anything plain.
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<quoted>"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[ -~])*")
      | (?P<comment>\([^()\\<>@",\x00-\x08\x0a-\x1f\x7f]*\))
      | (?P<special>[<>,;:])
      | (?P<plain>[^ \t\r\n"()<>,;:\\\x00-\x1f\x7f]+)""",
    re.VERBOSE,
)
#: An encoded word (RFC 2047) without its end: some readers look for that behind what separates addresses.
_CUT = re.compile(r"=\?[^?]+\?[bq]\?[^?]*\Z", re.IGNORECASE)
#: One kind and text each.
_Token = tuple[str, str]


class AmbiguousAddress(Exception):
    """The field does not name addresses that everybody reads alike; the text says what is wrong."""


def addresses(value: str, *, groups: bool = True, international: bool = False) -> list[Address]:
    """Return the addresses of an address list; empty where it names none.

    :param value: a field's value, unfolded or not.
    :param groups: whether groups (``name: member, member;``) are taken.
    :param international: whether addresses may be of UTF-8.
    :raises AmbiguousAddress: for everything that is not plainly an address list.
    """
    if len(value) > _LONGEST:
        raise AmbiguousAddress("the list of addresses is too long")
    items = _items(list(_tokens(value)), groups)
    return [_mailbox(item, international=international) for item in items if item]


def _tokens(value: str) -> Iterator[_Token]:
    """Yield what the value is made of, white space and comments left out.

    They stay visible where they separate: two runs that they part are two tokens.
    """
    at = 0
    while at < len(value):
        match = _TOKEN.match(value, at)
        if match is None:
            raise AmbiguousAddress(_problem(value[at]))
        kind = match.lastgroup or ""
        if kind not in ("space", "comment"):
            yield kind, match[0]
        at = match.end()


def _problem(character: str) -> str:
    if character == '"':
        return "a quotation mark is not closed"
    if character in "()":
        return "brackets must be closed, must not stand in each other, and must not hold addresses"
    return "a character stands where it must not"


def _items(tokens: Sequence[_Token], groups: bool) -> list[list[_Token]]:
    """Split at the commas of the list, dissolving groups."""
    items: list[list[_Token]] = [[]]
    in_angle = in_group = False
    for token in tokens:
        kind, text = token
        if kind == "special" and not in_angle and text in ",:;":
            if text == ":":
                _check_group(items[-1], groups and not in_group)
                in_group, items[-1] = True, []
            elif text == ";":
                if not in_group:
                    raise AmbiguousAddress("a semicolon ends a group only")
                in_group = False
                items.append([])
            else:
                items.append([])
            continue
        in_angle = text == "<" or (in_angle and text != ">")
        items[-1].append(token)
    if in_group or in_angle:
        raise AmbiguousAddress("a group or angle bracket is not closed")
    return items


def _check_group(name: Sequence[_Token], allowed: bool) -> None:
    if not allowed:
        raise AmbiguousAddress("a group of addresses must not stand here")
    if not name or any(kind == "special" or "@" in text for kind, text in name):
        raise AmbiguousAddress("a group needs a plain name")
    _check_words(name)


def _check_words(name: Sequence[_Token]) -> None:
    if any(kind == "plain" and _CUT.match(text) for kind, text in name):
        raise AmbiguousAddress("an encoded word in a name does not end")


def _mailbox(item: Sequence[_Token], *, international: bool) -> Address:
    """Return the address of ``address`` or ``name <address>``."""
    *name, last = item
    if last == ("special", ">") and len(name) >= 2 and name[-2] == ("special", "<"):
        *name, _, last = name
        if any(kind == "special" or (kind == "plain" and "@" in text) for kind, text in name):
            raise AmbiguousAddress("put a name that has brackets or an at sign in quotation marks")
        _check_words(name)
    elif name:
        raise AmbiguousAddress("write an address as name@organisation, or as name <name@organisation>")
    kind, text = last
    if kind != "plain":
        raise AmbiguousAddress("an address must be plain: name@organisation")
    try:
        return Address.parse(text, international=international)
    except BadAddress as error:
        raise AmbiguousAddress(str(error)) from error
