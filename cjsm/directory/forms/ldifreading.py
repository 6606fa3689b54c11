"""People from LDIF (RFC 2849), of this directory or another; what is wrong is told by its line."""

import base64
import binascii
from collections import Counter
from collections.abc import Iterator, Mapping

from msgspec import Struct

from cjsm.directory import names
from cjsm.directory.fields import ADDRESS, COLUMNS, ORGANISATION
from cjsm.directory.forms import encodings
from cjsm.directory.forms.csvfile import USER_ID
from cjsm.directory.forms.rows import FormError, Problem, Row, Source
from cjsm.directory.schema import Schema

_PEOPLE = frozenset(("person", "organizationalperson", "inetorgperson"))
_NOT_PEOPLE = "cjsmsharedmailbox"
#: Attributes of one value that are a column as they stand; two columns are one line of a street here.
_PLAIN: Mapping[str, str] = {
    column.attribute.lower(): column.title
    for column in COLUMNS
    if (column.profile or column.title == ADDRESS) and column.attribute != "street"
}


class _Line(Struct, frozen=True):
    number: int
    name: str
    value: str
    problem: str = ""


def read(
    octets: bytes, schema: Schema, suffix: str, *, most_rows: int, cell_characters: int, encoding: str | None = None
) -> Source:
    """Return the people of a file: its entries that are persons.

    :param suffix: the community's; entries below its name are in the organisation that their names say.
    :raises FormError: when it is no LDIF, or has more than *most_rows* people.
    """
    text, told = encodings.decoded(octets, encoding)
    base = names.parse(names.of_suffix(suffix))
    rows: list[Row] = []
    several: Counter[str] = Counter()
    left_out = 0
    for record in _records(text):
        classes = {line.value.strip().lower() for line in record if line.name == "objectclass"}
        change = next((line.value.strip() for line in record if line.name == "changetype"), "add")
        if change == "add" and (not classes & _PEOPLE or _NOT_PEOPLE in classes):
            left_out += 1
            continue
        if len(rows) == most_rows:
            cure = "divide it, or raise imports.directory_rows"
            raise FormError(f"the file has more than {most_rows:,} people", cure)
        rows.append(_row(record, schema, base, change, cell_characters, several))
    notes = tuple(
        f"{count:,} entries have more than one {name}: the first was taken" for name, count in several.items()
    )
    return Source(form="ldif", encoding=told, rows=rows, left_out=left_out, notes=notes)


def _records(text: str) -> Iterator[list[_Line]]:
    """Yield the lines of each record; the first one is its name."""
    record: list[_Line] = []
    for number, line in _unfolded(text):
        if not line:
            if record:
                yield record
            record = []
            continue
        found = _parsed(number, line)
        if not record and found.name == "version":
            if found.value.strip() != "1":
                raise FormError(f"line {number}: LDIF of version {found.value.strip()}", "write it as version 1")
            continue
        if not record and found.name != "dn":
            raise FormError(f"line {number}: a record begins with `dn:`", "see RFC 2849; is the file LDIF?")
        record.append(found)
    if record:
        yield record


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Yield whole lines with the number of their first; empty ones end records; remarks are left out."""
    whole, begun = "", 0
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if line.startswith(" ") and whole:
            whole += line[1:]
            continue
        if whole and not whole.startswith("#"):
            yield begun, whole
        whole, begun = line, number
        if not line:
            yield number, ""
    if whole and not whole.startswith("#"):
        yield begun, whole


def _parsed(number: int, line: str) -> _Line:
    if line == "-":
        return _Line(number, "-", "")
    description, colon, value = line.partition(":")
    if not colon or not description:
        raise FormError(f"line {number} is not LDIF: {line[:40]!r}", "a line is a name, a colon and a value")
    name = description.strip().lower()
    if value.startswith("<"):
        return _Line(number, name, "", "names a file: those are not read")
    if not value.startswith(":"):
        return _Line(number, name, value.removeprefix(" "))
    try:
        return _Line(number, name, base64.b64decode(value[1:].strip(), validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        return _Line(number, name, "", "is no text in base64")


def _row(
    record: list[_Line], schema: Schema, base: names.Name, change: str, longest: int, several: Counter[str]
) -> Row:
    first = record[0]
    if change != "add":
        problem = f"it has changetype {change[:20]}: only whole entries are taken"
        return Row(number=first.number, problems=(Problem("", problem, "export whole entries, without --since"),))
    values, problems = _organisation(first, base)
    street: list[str] = []
    for line in record[1:]:
        attribute = schema.attribute(line.name)
        title = _PLAIN.get(attribute.key) if attribute is not None and ";" not in line.name else None
        if attribute is not None and attribute.key == "uid" and "@" in line.value:
            title = USER_ID
        of_street = attribute is not None and attribute.key == "street"
        if title is None and not of_street:
            continue
        what = title or "Address1"
        if line.problem or len(line.value) > longest:
            problem = line.problem or f"has {len(line.value):,} characters, {longest:,} at most"
            problems.append(Problem(what, f"line {line.number} {problem}"))
        elif of_street:
            street.append(line.value.strip())
        elif what in values and what != USER_ID:
            several[what] += 1
        else:
            values[what] = line.value.strip()
    if len(street) > 1:
        values |= {"Address1": street[0], "Address2": street[1]}
    line_of_street = street[0] if len(street) == 1 else None
    return Row(number=first.number, values=values, problems=tuple(problems), street=line_of_street)


def _organisation(first: _Line, base: names.Name) -> tuple[dict[str, str], list[Problem]]:
    """Return the organisation that an entry's name says, where it is a name of this community."""
    if first.problem:
        return {}, [Problem("", f"its name {first.problem}")]
    try:
        name = names.parse(first.value)
    except names.BadName as error:
        return {}, [Problem("", f"its name cannot be read: {error}")]
    if name[-len(base) :] != base:
        return {}, []
    between = name[1 : -len(base)]
    slugs = [value for relative in between for kind, value in relative if kind in ("o", "ou")]
    return {ORGANISATION: "/".join(reversed(slugs))} if slugs else {}, []
