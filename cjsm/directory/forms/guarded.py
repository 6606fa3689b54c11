"""Cells that a spreadsheet would take for formulas, made harmless, and read back as they were.

A cell that begins with one of these characters is worked out by the program that opens the file, and what stands in a
directory is typed by many. An apostrophe in front makes it text. One is put in front of what has apostrophes there
already too, so that reading takes away what writing added, and nothing else.
"""

import re

#: What begins a formula, its full-width forms too; tab and return are skipped by some programs to get to one.
_FORMULA = re.compile("'*[=+\\-@\t\r＝＋－＠]")


def guarded(value: str) -> str:
    """Return *value* so that no program works it out."""
    return f"'{value}" if _FORMULA.match(value) else value


def plain(cell: str) -> str:
    """Return the value that :func:`guarded` made *cell* of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
