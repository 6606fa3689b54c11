"""LDIF (RFC 2849): entries as the directory shows them, whole or as changes, written."""

import base64
from collections.abc import Iterable, Iterator, Sequence

from cjsm.directory.excerpt import Found
from cjsm.directory.schema import Schema
from cjsm.directory.selection import Selection, attributes, selected

#: Octets of a line, its end not counted (RFC 2849, note 10).
_LINE = 76
_UNSAFE_FIRST = frozenset(b" :<")


class LdifWriter:
    """Makes records of entries: whole ones, or with *since* changes that bring another copy up to date.

    :param since: the moment as GeneralizedTime from which on changes count.
    """

    def __init__(self, schema: Schema, since: str | None = None) -> None:
        self._selection: Selection = selected(schema, ())
        self._created: Selection = selected(schema, ("createTimestamp",))
        self._since = since

    def begin(self) -> bytes:
        """Return what is in front: nothing. RFC 2849 has ``version: 1`` there, which slapadd refuses."""
        return b""

    def entry(self, found: Found) -> bytes:
        """Return the record of an entry."""
        values = dict(attributes(found.reading, found.position, self._selection))
        lines = [*_line("dn", found.reading.dn(found.position))]
        if self._since is None:
            lines += _content(values.items())
        elif self._is_new(found):
            lines += [b"changetype: add", *_content(values.items())]
        else:
            lines += [b"changetype: modify", *self._replaced(values)]
        return b"".join(line + b"\n" for line in (*lines, b""))

    def removed(self, address: str, identity: str) -> bytes:
        """Return a remark on somebody who is no more: the name of their entry is known to nobody any more."""
        return f"# removed: {address}, entryUUID {identity}\n\n".encode()

    def _is_new(self, found: Found) -> bool:
        created = [values[0] for _, values in attributes(found.reading, found.position, self._created)]
        return self._since is not None and bool(created) and created[0] >= self._since

    def _replaced(self, values: dict[str, Sequence[str]]) -> Iterator[bytes]:
        """Yield a replacement of every attribute that there is; without values it takes those of before away."""
        for name, _ in self._selection.attributes:
            yield from _line("replace", name)
            for value in values.get(name, ()):
                yield from _line(name, value)
            yield b"-"


def _content(values: Iterable[tuple[str, Sequence[str]]]) -> Iterator[bytes]:
    for name, several in values:
        for value in several:
            yield from _line(name, value)


def _line(name: str, value: str) -> Iterator[bytes]:
    """Yield the lines of one value, folded; in base64 where it is not safe as it stands."""
    octets = value.encode()
    written = b": " + octets if _is_safe(octets) else b":: " + base64.b64encode(octets)
    line = name.encode() + written
    yield line[:_LINE]
    for at in range(_LINE, len(line), _LINE - 1):
        yield b" " + line[at : at + _LINE - 1]


def _is_safe(octets: bytes) -> bool:
    """Whether a value is a SAFE-STRING that does not end with a space (RFC 2849, note 8)."""
    if not octets:
        return True
    within = all(each < 128 and each not in b"\0\r\n" for each in octets)
    return within and octets[0] not in _UNSAFE_FIRST and not octets.endswith(b" ")
