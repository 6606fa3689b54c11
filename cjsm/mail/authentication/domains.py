"""Domain names of strangers: what is taken for one, and which belong to one organisation (RFC 7489 §3.1, §3.2)."""

import re
from functools import cache

from publicsuffixlist import PublicSuffixList

_LONGEST = 253
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")


def host_name(text: str) -> str:
    """Return *text* in lower case without a final dot, or an empty string where it is no name of ASCII labels."""
    name = text.removesuffix(".").lower() if text.isascii() else ""
    return name if len(name) <= _LONGEST and _HOST.fullmatch(name) else ""


def organisational(domain: str) -> str:
    """Return the organisational domain of the host name *domain*: one label more than its public suffix.

    A public suffix is its own.
    """
    return _suffixes().privatesuffix(domain) or domain


def aligned(one: str, other: str, *, strict: bool) -> bool:
    """Whether two host names are equal or, unless *strict*, have the same organisational domain."""
    if not one or not other:
        return False
    return one == other or (not strict and organisational(one) == organisational(other))


@cache
def _suffixes() -> PublicSuffixList:
    """The list that comes with the library; read at its first use, in some hundredths of a second."""
    return PublicSuffixList()
