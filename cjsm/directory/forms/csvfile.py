"""CSV with the 15 columns (RFC 4180): written so that spreadsheets and our own import read it, and read."""

import csv
import io
from collections.abc import Mapping, Sequence

from cjsm.directory.excerpt import Found
from cjsm.directory.fields import ADDRESS, COLUMNS, ORGANISATION, Column
from cjsm.directory.forms.csvreading import Table
from cjsm.directory.forms.guarded import guarded
from cjsm.directory.forms.rows import Source

#: Further columns that a result of an import has; they may stay when it is imported again.
USER_ID = "User ID"
RESULTS = (USER_ID, "One-time Password", "Result", "Problem")
_TITLES = (*(column.title for column in COLUMNS), *RESULTS)
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


class CsvWriter:
    """Makes lines of people.

    :param for_programs: cells as they are, also what a spreadsheet would take for formulas, and no mark in front.
    :param titles: of other columns than the 15.
    """

    def __init__(
        self, *, for_programs: bool = False, more: Sequence[str] = (), titles: Sequence[str] | None = None
    ) -> None:
        self._for_programs = for_programs
        self._titles = [*(titles if titles is not None else (column.title for column in COLUMNS)), *more]

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


_TABLE = Table(
    titles=_TITLES,
    needed=(ADDRESS,),
    why="people are known by it",
    setting="imports.directory_rows",
    told=len(COLUMNS),
)


def read(octets: bytes, *, most_rows: int, cell_characters: int, encoding: str | None = None) -> Source:
    """Return the people of a file; which character separates cells shows in its first line.

    :raises FormError: when the first line is not one of such a file, or there are more than *most_rows*.
    """
    return _TABLE.read(octets, most_rows=most_rows, cell_characters=cell_characters, encoding=encoding)
