"""``cjsm directory search``: the service's four operators over everyday fields, with LDAP's answers."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import open_suite
from cjsm.command.directoryentries import chains, excerpt, told
from cjsm.command.output import Refused, console, document, progressing, shown, table
from cjsm.directory import asking, schema
from cjsm.directory.excerpt import Found
from cjsm.directory.fields import SEARCHED
from cjsm.directory.query import EVERYTHING, Filter, TermTooShort
from cjsm.directory.sieve import sieve
from cjsm.suite import Suite

F = TypeVar("F", bound=Callable[..., Any])

_COLUMNS = ("name", "kind", "address", "telephone", "town", "organisation")
_FIELD = click.Choice(list(SEARCHED))


def _operator(name: str, does: str) -> Callable[[F], F]:
    return click.option(f"--{name}", type=(_FIELD, str), multiple=True, metavar="FIELD VALUE", help=does)


@click.command()
@click.argument("text", nargs=-1)
@_operator("is", "The field is exactly this, case and number of spaces aside; of a telephone number the digits count.")
@_operator("contains", "This is somewhere in the field.")
@_operator("begins", "The field begins with this.")
@_operator("ends", "The field ends with this.")
@click.option("--kind", type=click.Choice(list(asking.KINDS)), help="Only such entries.")
@click.option("--in", "within", metavar="ORGANISATION", help="Only this organisation and those below it, by its path.")
@click.option("--limit", type=click.IntRange(min=1), help="Entries at most; never more than LDAP gives.")
@acting.verb
def search(
    text: tuple[str, ...],
    kind: str | None,
    within: str | None,
    limit: int | None,
    config: Path,
    as_json: bool,
    **conditions: tuple[tuple[str, str], ...],
) -> None:
    """Search the directory: entries of which every condition holds, and every word of TEXT is in name, address,
    organisation, town or telephone.

    Shows what LDAP shows: with --as what that user may see, at most ldap.entries of them (100), or
    ldap.administrator_entries (1,000) for whoever administers or supports; without --as what the operator may.
    The FIELDs are name, first-name, last-name, user-id, address, organisation, user-type, street, town, postcode,
    telephone, mobile, description, business-type, area and status.

    \b
    cjsm directory search jane avon
    cjsm directory search --begins last-name smi --is town Bristol
    cjsm directory search --kind list --in avon-police --as jane.smith@avon
    cjsm directory search --contains telephone 4960110 --json
    """
    asked = [asking.condition(name, *each) for name in asking.OPERATORS for each in conditions[name]]
    asked += [asking.text(" ".join(text))] if " ".join(text).strip() else []
    asked += [asking.KINDS[kind]] if kind else []
    if not asked and within is None:
        raise click.UsageError("Say what to look for: some text, or a condition such as --begins last-name smi.")
    if any(not value.strip() for name in asking.OPERATORS for _, value in conditions[name]):
        raise click.UsageError("A condition needs a value.")
    suite = open_suite(config)
    found, complete = _found(suite, asking.every(asked) if asked else EVERYTHING, within, limit)
    entries = [told(each) for each in found]
    if as_json:
        document({"entries": entries, "complete": complete})
        return
    table([[shown(entry[column]) for column in _COLUMNS] for entry in entries], *_COLUMNS)
    console.print(_count(len(entries), complete))


def _count(entries: int, complete: bool) -> str:
    counted = "1 entry" if entries == 1 else f"{entries:,} entries"
    return counted if complete else f"{counted}; there are more: narrow the search"


def _found(suite: Suite, filter_: Filter, within: str | None, limit: int | None) -> tuple[list[Found], bool]:
    """Return what was found, and whether that is all there is."""
    settings = suite.settings.ldap
    directory = excerpt(suite)
    places = chains(suite, directory, within)
    allowed = settings.administrator_entries if directory.in_charge else settings.entries
    most = min(limit or allowed, allowed)
    with progressing("organisations looked at", len(places), octets=False) as advance:
        found = directory.search(places, filter_, sieve(filter_, schema.load()), settings.term_characters, advance)
        try:
            listed = list(islice(found, most + 1))
        except TermTooShort as error:
            raise Refused(str(error), "or name an organisation with --in, or a --kind") from None
    return listed[:most], len(listed) <= most
