"""What became of whom by a merge, or would: of the ledger's entries of it, and of what is there now."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from cjsm.command.output import console, errors, shown, table
from cjsm.community import finding
from cjsm.community.acts.merging import Merge
from cjsm.community.errors import CommunityError
from cjsm.community.identifiers import AccountId, ConnectionId, OrganisationId
from cjsm.community.records import LedgerEntry
from cjsm.community.view import View

#: Lines of each kind that people are shown; all are in the document.
_SHOWN = 50


def told(view: View, merge: Merge, entries: Iterable[LedgerEntry]) -> dict[str, Any]:
    """Return who and what came up, and whose roles ended, as *view* has them.

    :param entries: of the ledger, those of the merge among them.
    """
    moved: dict[str, dict[bytes, None]] = {}
    ended: list[tuple[AccountId, str]] = []
    place, into = merge.organisation.hex(), merge.into.hex()
    for entry in entries:
        details = dict(entry.details)
        if (details.get("from"), details.get("to")) == (place, into):
            moved.setdefault(entry.subject_kind, {})[entry.subject] = None
        elif entry.act == "role-revoke" and details.get("organisation") == place:
            ended.append((AccountId(entry.subject), details.get("role", "")))
    return {
        "people": _each(moved, "account", lambda found: _person(view, found)),
        "sub_organisations": _each(moved, "organisation", lambda found: _path(view, found)),
        "lists": _each(moved, "list", lambda found: _addresses(view, found)),
        "shared_mailboxes": _each(moved, "shared-mailbox", lambda found: _addresses(view, found)),
        "connections": _each(moved, "connection", lambda found: _connection(view, found)),
        "domains": _each(moved, "domain", lambda found: found.decode(errors="replace")),
        "roles_ended": [{"user_id": _user_id(view, account), "role": role} for account, role in ended],
        "recovery_officers": sorted(
            _user_id(view, held.account) for held in view.roles_over(merge.organisation) if held.recovery_officer
        ),
    }


def _each(moved: dict[str, dict[bytes, None]], kind: str, one: Callable[[bytes], Any]) -> list[Any]:
    found = (one(subject) for subject in moved.get(kind, ()))
    return sorted((each for each in found if each is not None), key=str)


def _person(view: View, identifier: bytes) -> dict[str, Any] | None:
    found = view.account(AccountId(identifier))
    return {"user_id": found.user_id, **_addresses(view, identifier)} if found is not None else None


def _addresses(view: View, owner: bytes) -> dict[str, Any]:
    """Return the address of an owner, and those of before that deliver for a time."""
    former = (record for record in view.addresses_of(owner) if record.alias and record.delivers_until is not None)
    return {
        "address": finding.primary_address(view, owner),
        "former_addresses": [record.address for record in former if view.address(record.address) is not None],
    }


def _path(view: View, identifier: bytes) -> str | None:
    return finding.path_of(view, OrganisationId(identifier)) or None


def _connection(view: View, identifier: bytes) -> str | None:
    found = view.connection(ConnectionId(identifier))
    return finding.name_of(found) if found is not None else None


def _user_id(view: View, identifier: AccountId) -> str:
    found = view.account(identifier)
    return found.user_id if found is not None else identifier.hex()


def show(told: dict[str, Any]) -> None:
    """Print for people what :func:`told` returned."""
    _rows("people", (_addressed(each) for each in told["people"]), "former address", "user ID", "address")
    for kind in ("lists", "shared_mailboxes"):
        _rows(kind, (_addressed(each) for each in told[kind]), "former address", "address")
    for kind in ("sub_organisations", "connections", "domains"):
        if told[kind]:
            console.print(f"{kind.replace('_', '-')}: {', '.join(told[kind])}", markup=False)
    _rows("roles that end", ((each["user_id"], each["role"]) for each in told["roles_ended"]), "user ID", "role")
    if told["roles_ended"]:
        console.print("give others where they are to administer something: `cjsm role grant`", markup=False)
    if told["recovery_officers"]:
        console.print(f"recover mail of before, as until now: {', '.join(told['recovery_officers'])}", markup=False)
    if told.get("until_now_recovered_by"):
        console.print(f"what came until now is recovered by {' and '.join(told['until_now_recovered_by'])}")


def _addressed(each: dict[str, Any]) -> list[str]:
    user_id = [each["user_id"]] if "user_id" in each else []
    return [shown(each["former_addresses"]), *user_id, each["address"]]


def _rows(title: str, rows: Iterator[Sequence[str]], *columns: str) -> None:
    found = list(rows)
    if not found:
        return
    table(found[:_SHOWN], *columns, title=title.replace("_", " "))
    if len(found) > _SHOWN:
        console.print(f"and {len(found) - _SHOWN:,} more: see --json")


def show_obstacles(obstacles: Sequence[CommunityError]) -> None:
    """Print for people what keeps an organisation from being merged, each with its cure."""
    for each in obstacles[:_SHOWN]:
        errors.print(f"{each}\n    cure: {each.cure}", markup=False, soft_wrap=True)
    if len(obstacles) > _SHOWN:
        errors.print(f"and {len(obstacles) - _SHOWN:,} more: see --json")
    many = "1 thing keeps" if len(obstacles) == 1 else f"{len(obstacles):,} things keep"
    errors.print(f"{many} it from being merged: nothing was begun", markup=False)
