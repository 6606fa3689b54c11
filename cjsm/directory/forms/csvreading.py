"""Tables as CSV (RFC 4180) with a line of titles, read: what separates cells shows there; faults by line and column."""

import csv
import difflib
import io
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from cjsm.directory.forms import encodings
from cjsm.directory.forms.guarded import plain
from cjsm.directory.forms.rows import FormError, Problem, Row, Source

_SEPARATORS = ",;\t"
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


class Table(Struct, frozen=True, kw_only=True):
    """What kind of table is read.

    :ivar titles: of the columns that there can be.
    :ivar needed: of those that there must be.
    :ivar also: other titles of columns, squeezed: small letters without spaces.
    :ivar why: what the needed ones are for, in words.
    :ivar setting: the name of that which limits the rows.
    :ivar told: how many of the titles an error names.
    """

    titles: Sequence[str]
    needed: Sequence[str]
    why: str
    setting: str
    also: Mapping[str, str] = {}
    told: int = 100

    def read(self, octets: bytes, *, most_rows: int, cell_characters: int, encoding: str | None = None) -> Source:
        """Return the rows of a file.

        :raises FormError: when the first line is not one of such a table, or there are more than *most_rows*.
        """
        text, told = encodings.decoded(octets, encoding)
        if "\0" in text:
            raise FormError("the file has NUL characters", "save it as CSV (UTF-8)")
        # Longer cells are told of by row and column; what is read at once stays bounded by the file's size.
        before = csv.field_size_limit(max(len(text), 1))
        try:
            rows = self._rows(text, most_rows, cell_characters)
        finally:
            csv.field_size_limit(before)
        return Source(form="csv", encoding=told, rows=rows)

    def _rows(self, text: str, most_rows: int, cell_characters: int) -> list[Row]:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=self._separator(text), strict=True)
        columns = self._columns(_next(lines))
        rows: list[Row] = []
        while True:
            number = lines.line_num + 1
            cells = _next(lines)
            if cells is None:
                return rows
            if not any(cell.strip() for cell in cells):
                continue
            if len(rows) == most_rows:
                raise FormError(f"the file has more than {most_rows:,} rows", f"divide it, or raise {self.setting}")
            rows.append(_row(number, cells, columns, cell_characters))

    def _known(self) -> dict[str, str]:
        return {_squeezed(title): title for title in self.titles} | dict(self.also)

    def _separator(self, text: str) -> str:
        first, known = text.partition("\n")[0], self._known()

        def titles(separator: str) -> int:
            return sum(_squeezed(cell.strip('" \r')) in known for cell in first.split(separator))

        return max(_SEPARATORS, key=titles)

    def _columns(self, cells: list[str] | None) -> list[str]:
        known = self._known()
        columns: list[str] = []
        for place, cell in enumerate(cells or (), 1):
            title = known.get(_squeezed(cell))
            if title is None:
                close = difflib.get_close_matches(cell[:60], self.titles, n=1)
                columns_are = ", ".join(self.titles[: self.told])
                cure = f"did you mean {close[0]}?" if close else f"the columns are {columns_are}"
                raise FormError(f"line 1: column {place} has the unknown title {cell[:60]!r}", cure)
            if title in columns:
                raise FormError(f"line 1: the column {title} is there twice", "take one of them out")
            columns.append(title)
        for title in self.needed:
            if title not in columns:
                raise FormError(f"line 1 has no column {title}", f"{self.why}; the first line has the titles")
        return columns


def _next(lines: "Iterator[list[str]]") -> list[str] | None:
    try:
        return next(lines, None)
    except csv.Error as error:
        number = getattr(lines, "line_num", 0)
        cure = "quotes in cells are doubled; a cell in quotes ends with one before the next separator"
        raise FormError(f"line {number} is not CSV: {error}", cure) from None


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
