"""What both imports do with a file of rows: read it, do what is planned a hundred at a time, say what is wrong."""

import os
import stat
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from cjsm.access.newkeys import KeyRecord
from cjsm.command import acting
from cjsm.command.context import as_caller, wait
from cjsm.command.directoryrows import Planned, problem_of
from cjsm.command.output import Refused, errors
from cjsm.community.acts import profiles
from cjsm.community.errors import CommunityError
from cjsm.community.view import Change, View
from cjsm.configuration import ImportSettings
from cjsm.directory.forms.rows import Row
from cjsm.suite import Suite

#: Rows with problems that are shown to people; all are in the results.
_SHOWN = 50


def octets_of(source: Path, settings: ImportSettings) -> bytes:
    """Read the file as whoever called."""
    with as_caller():
        try:
            descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise Refused(f"{source} cannot be read: {error.strerror}", "name a file of yours") from None
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Refused(f"{source} is no file", "name a CSV or LDIF file")
            octets = file.read(settings.directory_octets + 1)
    if len(octets) > settings.directory_octets:
        problem = f"{source} has more than {settings.directory_octets:,} octets"
        raise Refused(problem, "divide it, or raise imports.directory_octets")
    return octets


def batches(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Yield the rows of one commit after the other."""
    left = iter(rows)
    while batch := list(islice(left, acting.AT_ONCE)):
        yield batch


def decided(view: View, planned: Sequence[Planned], suite: Suite) -> None:
    """Ask each act what it would do, and refuse the rows whose acts are."""
    for each in planned:
        if each.decide is None:
            continue
        try:
            each.decide(view, acting.by(suite))
        except CommunityError as error:
            each.refuse(problem_of(error))


def write_keys(suite: Suite, planned: Sequence[Planned]) -> None:
    """Write the keys of those who are about to be made, in one commit; each has a one-time password then."""
    records: list[KeyRecord] = []
    for each in planned:
        if each.account is not None and each.decide is not None:
            keys = suite.enrolment.new_keys.of(each.account)
            each.one_time_password = keys.one_time_password
            records += keys.records
    if records:
        wait(suite.stores.keys.put_all(records))


def commit_each(suite: Suite, planned: Sequence[Planned]) -> list[Planned]:
    """Do what is planned of some rows in one commit; return those that were refused only then, each by itself."""
    acts = [(each, each.decide, acting.by(suite)) for each in planned if each.decide is not None]
    if not acts:
        return []
    refused: dict[int, CommunityError] = {}

    def decide(view: View) -> Change:
        refused.clear()
        changes = []
        for place, (_, act, by) in enumerate(acts):
            try:
                changes.append(act(view, by))
            except CommunityError as error:
                refused[place] = error
        return profiles.together(changes)

    wait(suite.stores.community.commit(acting.by(suite).act_id, decide))
    late = [acts[place][0] for place in refused]
    for each, error in zip(late, refused.values(), strict=True):
        # Somebody else came before, in the moment since it was looked at.
        each.refuse(problem_of(error))
    return late


def tell_problems(done: Sequence[Planned]) -> None:
    """Say to people what is wrong, by line and column: some of it, when it is much."""
    wrong = [(each, problem) for each in done for problem in each.problems]
    for each, problem in wrong[:_SHOWN]:
        where = f"line {each.row.number}" + (f", {problem.column}" if problem.column else "")
        cure = f" ({problem.cure})" if problem.cure else ""
        errors.print(f"{where}: {problem.problem}{cure}", markup=False, soft_wrap=True)
    if len(wrong) > _SHOWN:
        errors.print(f"and {len(wrong) - _SHOWN:,} more: see --json or --results")
