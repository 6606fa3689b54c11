"""What an act would have done that was only rehearsed, see :mod:`cjsm.store.rehearsal`."""

from collections.abc import Sequence

from msgspec import Struct

from cjsm.community.records import Record
from cjsm.community.view import Change


class Step(Struct, frozen=True):
    """A record as it is (None: it is not there) and as it would be (None: removed)."""

    before: Record | None
    after: Record | None


class Rehearsed(Exception):
    """An act would be done; the change that it would be, record by record.

    :ivar change: as it would be committed.
    """

    def __init__(self, change: Change, steps: Sequence[Step]) -> None:
        super().__init__("nothing was changed")
        self.change = change
        self.steps = steps
