"""Address lists in header fields, read strictly: what two readers could understand differently is refused.

Follows RFC 5322 §3.4, without the obsolete forms of §4.4. Total: every text gives addresses or
:class:`AmbiguousAddress`.
"""

import re

from cjsm.community.address import Address, BadAddress

_LONGEST = 64 * 1024
#: A quoted string, a comment's delimiter, or any other single character.
_TOKEN = re.compile(r'"(?:[^"\\\r\n]|\\.)*"|\\.|[^"\\]', re.DOTALL)


class AmbiguousAddress(Exception):
    """The field does not name addresses that everybody reads alike; the text says what is wrong."""


def addresses(value: str) -> list[Address]:
    """Return the addresses of an address list, groups included; empty where it names none.

    :param value: a field's value, unfolded or not.
    :raises AmbiguousAddress: for everything that is not plainly an address list.
    """
    if len(value) > _LONGEST:
        raise AmbiguousAddress("the list of addresses is too long")
    found = []
    for item in _items(_tokens(value)):
        address = _mailbox(item)
        if address is not None:
            found.append(address)
    return found


def _tokens(value: str) -> list[str]:
    """Split into characters and quoted strings; comments and folding become one space."""
    tokens = []
    depth = 0
    end = 0
    for match in _TOKEN.finditer(value):
        if match.start() != end:
            raise AmbiguousAddress("a quotation mark is not closed")
        end = match.end()
        token = match[0]
        if token == "(":
            depth += 1
            tokens.append(" ")
        elif token == ")":
            depth -= 1
            if depth < 0:
                raise AmbiguousAddress("a bracket is not opened")
        elif depth == 0:
            tokens.append(" " if token in "\r\n\t" else token)
    if depth or end != len(value):
        raise AmbiguousAddress("a quotation mark or bracket is not closed")
    return tokens


def _items(tokens: list[str]) -> list[list[str]]:
    """Split at the commas of the list, dissolving groups (``name: member, member;``)."""
    items: list[list[str]] = [[]]
    in_angle = in_group = False
    for token in tokens:
        if token == "<":
            in_angle = True
        elif token == ">":
            in_angle = False
        elif token == ":" and not in_angle and not in_group:
            in_group = True
            items[-1] = []
            continue
        elif token == ";" and in_group and not in_angle:
            in_group = False
            items.append([])
            continue
        if token == "," and not in_angle:
            items.append([])
        else:
            items[-1].append(token)
    if in_group or in_angle:
        raise AmbiguousAddress("a group or angle bracket is not closed")
    return items


def _mailbox(item: list[str]) -> Address | None:
    text = "".join(item).strip()
    if not text:
        return None
    if "<" not in item:
        return _parse(text)
    start = item.index("<")
    name, rest = item[:start], "".join(item[start + 1 :])
    address, closing, after = rest.partition(">")
    if not closing or after.strip() or "@" in name or "<" in address:
        raise AmbiguousAddress("an address in angle brackets must stand once, behind a plain or quoted name")
    return _parse(address.strip())


def _parse(text: str) -> Address:
    try:
        return Address.parse(text)
    except BadAddress as error:
        raise AmbiguousAddress(str(error)) from error
