"""Entries to write, by name."""

from cjsm.community.identifiers import AccountId
from cjsm.community.records import Record
from cjsm.directory.excerpt import Found
from tests.directory import support
from tests.directory.support import ADA
from tests.directory.test_excerpt import small

HOSTILE = AccountId(support.number(600))


def found(reader: AccountId | None = ADA, more: tuple[Record, ...] = ()) -> dict[str, Found]:
    """What somebody sees, by the first part of its name."""
    made = small(reader, more)
    return {each.reading.dn(each.position).split(",")[0]: each for each in made.everything(made.chains())}
