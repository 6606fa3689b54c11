"""What is read from files: rows of values by column, and what is wrong with one."""

from collections.abc import Mapping, Sequence

from msgspec import Struct


class FormError(Exception):
    """A file cannot be used at all.

    :ivar cure: what to do about it.
    """

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(problem)
        self.cure = cure


class Problem(Struct, frozen=True):
    """What is wrong with one row, and in which column; empty for the row as a whole."""

    column: str
    problem: str
    cure: str = ""


class Row(Struct, frozen=True, kw_only=True):
    """One person in a file.

    :ivar number: the line that it begins in; the first line of a file is 1.
    :ivar values: by column title; a column that the row does not have leaves what there is.
    :ivar street: where a file has an address in one line: that line.
    """

    number: int
    values: Mapping[str, str] = {}
    problems: tuple[Problem, ...] = ()
    street: str | None = None


class Source(Struct, frozen=True, kw_only=True):
    """A file that was read.

    :ivar form: what kind of file it is.
    :ivar encoding: how its characters were read, in words.
    :ivar left_out: how many things in it are no people.
    :ivar notes: what else whoever imports should know.
    """

    form: str
    encoding: str
    rows: Sequence[Row]
    left_out: int = 0
    notes: tuple[str, ...] = ()
