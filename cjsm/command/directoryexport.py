"""``cjsm directory export``: the people that somebody looks after, as files for other systems."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

import rich_click as click

from cjsm.command import acting, directorychanges
from cjsm.command.context import as_caller, check_free, open_suite_for_files
from cjsm.command.directorychanges import Changes
from cjsm.command.directoryentries import chains, excerpt
from cjsm.command.output import console, document, errors, progressing, when
from cjsm.command.trace import moment_of
from cjsm.community import finding
from cjsm.community.acts import profiles
from cjsm.community.authority import Action
from cjsm.community.identifiers import OrganisationId
from cjsm.community.view import View
from cjsm.directory import schema
from cjsm.directory.excerpt import Chain, Found
from cjsm.directory.fields import ADDRESS, REMOVED, STATUS
from cjsm.directory.forms.csvfile import CsvWriter
from cjsm.directory.forms.ldif import LdifWriter
from cjsm.directory.forms.vcard import VCardWriter
from cjsm.directory.matching import timestamp
from cjsm.store.backup import writing
from cjsm.suite import Suite

FORMS = ("csv", "ldif", "vcard", "vcard3")
_ENDINGS = {".csv": "csv", ".ldif": "ldif", ".ldf": "ldif", ".vcf": "vcard"}


class _Writer(Protocol):
    """Makes octets of entries."""

    def begin(self) -> bytes:
        """What is in front of all entries."""

    def entry(self, found: Found) -> bytes:
        """One entry; nothing for what the form has no place for."""


@click.command()
@click.argument("destination", required=False, type=click.Path(dir_okay=False, path_type=Path), metavar="[FILE]")
@click.option("--format", "form", type=click.Choice(FORMS), help="Else what the FILE's ending says, else csv.")
@click.option("--organisation", help="Only this organisation and those below it, by its path.")
@click.option("--since", help="Only what changed since: 2026-01-31, 2026-01-31T09:30 (UTC), or 30m, 12h, 7d ago.")
@click.option("--for-programs", is_flag=True, help="CSV without a mark in front, and cells just as they are.")
@click.option("--replace", is_flag=True, help="Also where FILE exists already.")
@acting.verb
def export(
    destination: Path | None,
    form: str | None,
    organisation: str | None,
    since: str | None,
    for_programs: bool,
    replace: bool,
    config: Path,
    as_json: bool,
) -> None:
    """Write the directory to FILE, or to standard output: CSV with the 15 columns, LDIF (RFC 2849), or vCard (4.0, and
    3.0 as vcard3).

    It is for administrators and the helpdesk, and has the places that they look after, with what LDAP lets them read;
    the ledger tells of it. CSV has people, as `cjsm directory import` reads them; LDIF and vCard have organisations,
    lists and shared mailboxes too. Cells that a spreadsheet would take for formulas (= + - @ in front) have an
    apostrophe before them, which `import` takes away again. FILE is there when it is whole, and only you may read it.

    With --since it has what changed, and people who are no more: in CSV with the status Removed; LDIF becomes changes.
    It begins where the last one ended, when you give the time that the last one told.

    \b
    cjsm directory export people.csv
    cjsm directory export avon.ldif --organisation avon-police --as olive.marsh@avon
    cjsm directory export --format vcard > people.vcf
    cjsm directory export changes.csv --since 2026-01-31T09:30 --json
    """
    if as_json and destination is None:
        raise click.UsageError("--json tells what was written to a FILE: name one.")
    begun = int(time.time())
    suite = open_suite_for_files(config)
    sight = acting.sight(suite, Action.FIND_USERS, organisation)
    suite.stores.community.read_now(sight)
    form = form or _ENDINGS.get(destination.suffix.lower() if destination is not None else "", "csv")
    moment = max(int(moment_of(since)), 0) if since else None
    changes = directorychanges.since(suite.stores.community, moment, sight) if moment is not None else None
    if destination is not None and not replace:
        check_free(destination, "name another file, or say --replace")
    acting.act(suite, lambda view, by: profiles.take_out(view, by, _place(view, organisation), form))
    directory = excerpt(suite)
    listed, whole = _looked_after(suite, chains(suite, directory, organisation), sight)
    writer = _writer(form, moment, for_programs=for_programs)
    with (
        progressing("organisations written", len(listed), octets=False) as advance,
        writing(destination, as_caller) if destination is not None else nullcontext(sys.stdout.buffer) as file,
    ):
        file.write(writer.begin())
        if whole and organisation is None and changes is None and isinstance(writer, LdifWriter):
            file.write(writer.entry(directory.root()))
        found = directory.everything(listed, advance)
        written = _write(file, writer, found if changes is None else filter(changes.has, found))
        file.write(b"".join(_removed(writer, changes)))
    if destination is None:
        sys.stdout.flush()
        return
    _report(destination, form, written, changes, begun, as_json=as_json)


def _place(view: View, organisation: str | None) -> OrganisationId | None:
    return finding.organisation_of(view, organisation).id if organisation is not None else None


def _looked_after(
    suite: Suite, listed: Sequence[Chain], sight: Callable[[View], Callable[[OrganisationId | None], bool]]
) -> tuple[list[Chain], bool]:
    """Return the organisations of *listed* that whoever acts looks after, and whether that is the whole community."""

    def look(view: View) -> tuple[list[Chain], bool]:
        sees = sight(view)
        return [chain for chain in listed if sees(chain[-1].id)], sees(None)

    return suite.stores.community.read_now(look)


def _writer(form: str, moment: int | None, *, for_programs: bool) -> _Writer:
    if form == "csv":
        return CsvWriter(for_programs=for_programs)
    if form == "ldif":
        since = timestamp(datetime.fromtimestamp(moment, UTC)) if moment is not None else None
        return LdifWriter(schema.load(), since)
    return VCardWriter("4.0" if form == "vcard" else "3.0")


def _write(file: BinaryIO, writer: _Writer, found: Iterable[Found]) -> int:
    written = 0
    for each in found:
        entry = writer.entry(each)
        file.write(entry)
        written += bool(entry)
    return written


def _removed(writer: _Writer, changes: Changes | None) -> Iterator[bytes]:
    for each in changes.gone if changes is not None else ():
        if isinstance(writer, CsvWriter):
            yield writer.row({ADDRESS: each.address, STATUS: REMOVED})
        elif isinstance(writer, LdifWriter):
            yield writer.removed(each.address, each.identity)


def _report(destination: Path, form: str, written: int, changes: Changes | None, begun: int, *, as_json: bool) -> None:
    removed = [each.address for each in changes.gone] if changes is not None else []
    moved = changes is not None and changes.moved
    told = {"file": str(destination), "form": form, "entries": written, "removed": removed, "as_of": when(begun)}
    if as_json:
        document({**told, "moved": moved})
        return
    console.print(f"{written:,} entries written to {destination}, as of {told['as_of']}", markup=False)
    if removed:
        console.print(f"{len(removed):,} are no more: {', '.join(removed)}", markup=False)
    if moved:
        errors.print("note: something was moved or renamed: entries have other names since. Export everything anew.")
