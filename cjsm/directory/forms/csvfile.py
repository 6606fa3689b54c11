"""CSV with the 15 columns (RFC 4180): written so that spreadsheets and our own import read it, and read."""

import csv
import difflib
import io
from collections.abc import Iterator, Mapping, Sequence

from cjsm.directory.excerpt import Found
from cjsm.directory.fields import ADDRESS, COLUMNS, ORGANISATION, Column
from cjsm.directory.forms import encodings
from cjsm.directory.forms.guarded import guarded, plain
from cjsm.directory.forms.rows import FormError, Problem, Row, Source

#: Further columns that a result of an import has; they may stay when it is imported again.
USER_ID = "User ID"
RESULTS = (USER_ID, "One-time Password", "Result", "Problem")
_TITLES = (*(column.title for column in COLUMNS), *RESULTS)
_SEPARATORS = ",;\t"
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


class CsvWriter:
    """Makes lines of people.

    :param for_programs: cells as they are, also what a spreadsheet would take for formulas, and no mark in front.
    """

    def __init__(self, *, for_programs: bool = False, more: Sequence[str] = ()) -> None:
        self._for_programs = for_programs
        self._titles = [*(column.title for column in COLUMNS), *more]

    def begin(self) -> bytes:
        """Return the first line."""
        mark = "" if self._for_programs else _MARK
        return (mark + _line(self._titles)).encode()

    def entry(self, found: Found) -> bytes:
        """Return the line of a person; nothing for what is none."""
        return self.row(row_of(found)) if found.account is not None else b""

    def row(self, values: Mapping[str, str]) -> bytes:
        """Return the line of *values* by column."""
        cells = [values.get(title, "") for title in self._titles]
        return _line(cells if self._for_programs else [guarded(cell) for cell in cells]).encode()


def _line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    # All in quotes: a program that separates by something else does not find cells within cells.
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def row_of(found: Found) -> dict[str, str]:
    """Return what the reader may read of a person, by column."""
    return {column.title: _cell(found, column) for column in COLUMNS}


def _cell(found: Found, column: Column) -> str:
    reading, position, account = found.reading, found.position, found.account
    attribute = reading.schema.attribute(column.attribute)
    if account is None or attribute is None or not reading.readable(position, attribute):
        return ""
    if column.title == ORGANISATION:
        return "/".join(organisation.slug for organisation in found.chain)
    if column.profile:
        value: str = getattr(account.profile, column.profile)
        return value
    return next(iter(reading.values(position, attribute)), "")


def read(octets: bytes, *, most_rows: int, cell_characters: int, encoding: str | None = None) -> Source:
    """Return the people of a file; which character separates cells shows in its first line.

    :raises FormError: when the first line is not one of such a file, or there are more than *most_rows*.
    """
    text, told = encodings.decoded(octets, encoding)
    if "\0" in text:
        raise FormError("the file has NUL characters", "save it as CSV (UTF-8)")
    separator = _separator(text)
    # Longer cells are told of by row and column; what is read at once stays bounded by the file's size.
    csv.field_size_limit(max(len(text), 1))
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    columns = _columns(_next(lines))
    rows: list[Row] = []
    while True:
        number = lines.line_num + 1
        cells = _next(lines)
        if cells is None:
            break
        if not any(cell.strip() for cell in cells):
            continue
        if len(rows) == most_rows:
            raise FormError(f"the file has more than {most_rows:,} rows", "divide it, or raise imports.directory_rows")
        rows.append(_row(number, cells, columns, cell_characters))
    return Source(form="csv", encoding=told, rows=rows)


def _separator(text: str) -> str:
    first = text.partition("\n")[0]
    return max(_SEPARATORS, key=lambda each: sum(title in _TITLES for title in _split(first, each)))


def _split(line: str, separator: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(separator)]


def _next(lines: "Iterator[list[str]]") -> list[str] | None:
    try:
        return next(lines, None)
    except csv.Error as error:
        number = getattr(lines, "line_num", 0)
        cure = "quotes in cells are doubled; a cell in quotes ends with one before the next separator"
        raise FormError(f"line {number} is not CSV: {error}", cure) from None


def _columns(cells: list[str] | None) -> list[str]:
    known = {_squeezed(title): title for title in _TITLES}
    columns: list[str] = []
    for place, cell in enumerate(cells or (), 1):
        title = known.get(_squeezed(cell))
        if title is None:
            close = difflib.get_close_matches(cell, _TITLES, n=1)
            cure = f"did you mean {close[0]}?" if close else f"the columns are {', '.join(_TITLES[: len(COLUMNS)])}"
            raise FormError(f"line 1: column {place} has the unknown title {cell[:60]!r}", cure)
        if title in columns:
            raise FormError(f"line 1: the column {title} is there twice", "take one of them out")
        columns.append(title)
    if ADDRESS not in columns:
        raise FormError(f"line 1 has no column {ADDRESS}", "people are known by it; the first line has the titles")
    return columns


def _squeezed(title: str) -> str:
    return "".join(title.replace(_MARK, "").lower().split())


def _row(number: int, cells: list[str], columns: list[str], longest: int) -> Row:
    problems = []
    if len(cells) > len(columns) and any(cells[len(columns) :]):
        problems.append(Problem("", f"it has {len(cells)} cells, line 1 has {len(columns)} titles"))
    values = {}
    for title, cell in zip(columns, cells, strict=False):
        if len(cell) > longest:
            problems.append(Problem(title, f"this has {len(cell):,} characters, {longest:,} at most"))
            continue
        values[title] = plain(cell).strip()
    return Row(number=number, values=values, problems=tuple(problems))
