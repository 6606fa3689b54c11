"""The lists in which POP3 servers over Maildir keep unique-ids, read from and written to a directory.

``dovecot-uidlist`` (versions 1 and 3; a record's ``P`` is its POP3 unique-id, ``O`` its place in POP3's order),
``courierpop3dsizelist`` (versions 0 to 3) and ``courierimapuiddb``. A line that cannot be understood is left out.
"""

import os
import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from cjsm.mail.folders import files, uidlformat
from cjsm.mail.folders.errors import FolderError
from cjsm.mail.folders.uidlformat import UidlFormat
from cjsm.store.interfaces import UNIQUE_ID

#: Octets of a line: a file name has at most 255, a few numbers stand before it.
_LINE = 4_096
_DOVECOT = "dovecot-uidlist"
_COURIER_POP3 = "courierpop3dsizelist"
_COURIER_IMAP = "courierimapuiddb"
#: What Courier's POP3 server makes of a UID.
_COURIER_FORMAT = "UID%u-%v"
_COURIER_LINE = re.compile(r"(.+) \d+ (\d{1,20}):(\d{1,20})(?::\d+)?")
_COURIER_OLD_LINE = re.compile(r"(.+) \d+")
#: Characters of a file name that Courier writes as ``+`` and two hexadecimal digits.
_COURIER_ESCAPED = re.compile(rb"[^!-~]|['\"+]")
_GOOD = re.compile(f"[!-~]{{1,{UNIQUE_ID}}}")

#: Where POP3 lists a message: those with a place before those without.
Place = tuple[int, int]


class Listed(Struct, frozen=True):
    """What a list says of one file.

    :ivar place: where in the order; None where the order is that of the files' names.
    """

    unique_id: str
    place: Place | None = None


Lists = dict[str, Listed]


def is_good(unique_id: str) -> bool:
    """Whether it may be a unique-id: 1 to 70 characters from ``!`` to ``~`` (RFC 1939 §7)."""
    return _GOOD.fullmatch(unique_id) is not None


def base_name(name: str) -> str:
    """Return a Maildir file's name without its flags."""
    return name.partition(":")[0]


# Reading


def read(directory: int, most_octets: int, chosen: str = "") -> tuple[str, Lists]:
    """Return the name of the list that the directory has, or an empty one, and by base name what it says.

    :param most_octets: of a list.
    :param chosen: the server's own ``pop3_uidl_format``; empty where it was the usual one.
    :raises FolderError: when a list is too long or not of a known form.
    """
    given = uidlformat.parse(chosen) if chosen else None
    for name, understand in ((_DOVECOT, dovecot), (_COURIER_POP3, courier_pop3), (_COURIER_IMAP, courier_imap)):
        descriptor = files.open_file(directory, name)
        if descriptor is None:
            continue
        try:
            if os.fstat(descriptor).st_size > most_octets:
                raise FolderError(f"{name} has over {most_octets} octets", "raise imports.list_octets")
            return name, understand(map(os.fsdecode, files.lines(descriptor, _LINE)), given)
        finally:
            os.close(descriptor)
    return "", {}


def dovecot(lines: Iterable[str], given: UidlFormat | None = None) -> Lists:
    """Return what a ``dovecot-uidlist`` says.

    :param given: goes before the format that the list itself names.
    :raises FolderError: when it is of another version.
    """
    found = iter(lines)
    version, _, more = next(found, "").partition(" ")
    if version == "1":
        return _plain(found, more, given or uidlformat.parse(uidlformat.USUAL))
    if version != "3":
        raise _unknown(_DOVECOT)
    extensions = {word[0]: word[1:] for word in more.split()}
    validity = extensions.get("V", "")
    if not validity.isdecimal():
        raise _unknown(_DOVECOT)
    made = given or uidlformat.parse(extensions.get("P", "") or uidlformat.USUAL)
    listed: Lists = {}
    for line in found:
        words, colon, name = line.partition(" :")
        uid, *records = words.split(" ")
        if not colon or not _is_number(uid) or not name:
            continue
        told = {word[0]: word[1:] for word in records if word}
        base, place = base_name(name), told.get("O", "")
        unique_id = told.get("P") or made.unique_id(int(uid), int(validity), base, told.get("G", ""))
        listed[base] = Listed(unique_id, (0, int(place)) if _is_number(place) else (1, int(uid)))
    return listed


def courier_pop3(lines: Iterable[str], given: UidlFormat | None = None) -> Lists:
    """Return what a ``courierpop3dsizelist`` says; POP3 lists in the order of names there."""
    listed: Lists = {}
    for number, line in enumerate(lines):
        if number == 0 and line.startswith("/"):
            if line[1:2] not in ("1", "2", "3"):
                raise _unknown(_COURIER_POP3)
            continue
        if match := _COURIER_LINE.fullmatch(line):
            name, uid, validity = base_name(match[1]), int(match[2]), int(match[3])
            made = f"UID{uid}-{validity}" if validity else f"UID{uid}"
            listed[name] = Listed(made if uid else _of_name(name))
        elif match := _COURIER_OLD_LINE.fullmatch(line):
            listed[base_name(match[1])] = Listed(_of_name(base_name(match[1])))
    return listed


def courier_imap(lines: Iterable[str], given: UidlFormat | None = None) -> Lists:
    """Return what a ``courierimapuiddb`` says: UIDs of IMAP, for those whose POP3 server made its ids of them."""
    found = iter(lines)
    version, _, more = next(found, "").partition(" ")
    if version != "1":
        raise _unknown(_COURIER_IMAP)
    return _plain(found, more, given or uidlformat.parse(_COURIER_FORMAT))


def _plain(lines: Iterator[str], header: str, made: UidlFormat) -> Lists:
    """Return what lines of UID and file name say, after a header of UIDVALIDITY and the next UID."""
    validity = header.partition(" ")[0]
    if not _is_number(validity):
        raise FolderError("the list of UIDs has no UIDVALIDITY", "move it away to import without unique-ids")
    listed: Lists = {}
    for line in lines:
        uid, space, name = line.partition(" ")
        if space and _is_number(uid) and name:
            base = base_name(name)
            listed[base] = Listed(made.unique_id(int(uid), int(validity), base), (1, int(uid)))
    return listed


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 20


def _of_name(name: str) -> str:
    return _COURIER_ESCAPED.sub(lambda match: b"+%02X" % match[0][0], os.fsencode(name)).decode("ascii")


def _unknown(name: str) -> FolderError:
    return FolderError(f"{name} is of a version that is not known", "move it away to import without unique-ids")


# Writing


def written(entries: Iterable[tuple[str, str]], validity: int, guid: str) -> Iterator[str]:
    """Yield the lines of a ``dovecot-uidlist`` that gives each (file name, unique-id) its unique-id, in order.

    :param validity: UIDVALIDITY, seconds since the epoch.
    :param guid: 32 hexadecimal digits.
    """
    listed = list(entries)
    yield f"3 V{validity} N{len(listed) + 1} G{guid}\n"
    for uid, (name, unique_id) in enumerate(listed, 1):
        yield f"{uid} P{unique_id} :{name}\n"


#: What the list that is written is called.
WRITTEN = _DOVECOT
