"""``cjsm quota``: what mailboxes may hold, and what they hold."""

import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import open_suite, wait
from cjsm.command.mailboxnamed import named, see
from cjsm.command.mailboxshown import Shown
from cjsm.command.output import console, document, progressing, table, when
from cjsm.community import finding
from cjsm.community.acts import quotas
from cjsm.community.acts.mailboxes import those
from cjsm.community.acts.quotas import DEFAULT, QuotaLimits
from cjsm.community.authority import Action
from cjsm.community.identifiers import MailboxId, OrganisationId
from cjsm.community.view import View
from cjsm.store.errors import StoreError
from cjsm.suite import Suite

if TYPE_CHECKING:
    from cjsm.store.interfaces import Filling

#: Mailboxes whose owners are looked up at once.
_AT_ONCE = 500
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SIZE = re.compile(r"(\d{1,15})\s*([KMG]?)I?B?\Z", re.IGNORECASE)


def capacity(typed: str) -> int:
    """Read octets: ``750M``, ``1G``, a number, or ``default``.

    :raises click.BadParameter: for what is no size.
    """
    if typed.lower() == "default":
        return DEFAULT
    found = _SIZE.match(typed.strip())
    if found is None or not int(found[1]):
        raise click.BadParameter(f"{typed!r} is no size: write 750M, 1G, a number of octets, or default")
    return int(found[1]) * _UNITS[found[2].upper()]


def limits(suite: Suite) -> QuotaLimits:
    """Return what the settings let people give."""
    mail = suite.settings.mail
    return QuotaLimits(mail.quota_organisation, mail.quota_largest)


def check(suite: Suite, organisation: OrganisationId, octets: int | None) -> int:
    """Return the capacity of a new mailbox of *organisation*: what whoever acts gives it, or the usual one (None).

    :raises NotAllowed: when they may not give so much.
    """
    if octets is None:
        return suite.settings.mail.quota
    who = acting.actor(suite)
    suite.stores.community.read_now(lambda view: quotas.require_quota(view, who, organisation, octets, limits(suite)))
    return octets


@click.group()
def quota() -> None:
    """What mailboxes may hold: of people, and shared ones."""


@quota.command("set")
@click.argument("name")
@click.argument("size", type=capacity)
@acting.act_verb
def set_(name: str, size: int, config: Path, as_json: bool) -> None:
    """Let the mailbox NAME hold SIZE: 750M, 1G (of 1024 each), a number of octets, or default (mail.quota).

    An organisation's administrators give up to 1 GB (mail.quota_organisation), community administrators up to
    mail.quota_largest. Less than what is in it is taken too: then the mailbox is full until there is room.

    \b
    cjsm quota set jane.smith@avon 1G
    cjsm quota set desk@avon.cjsm.test 750M --as olive.marsh@avon
    cjsm quota set jane.smith@avon default
    """
    suite = open_suite(config)
    mailbox = named(suite, name)
    most = limits(suite)
    changed = acting.act_if_any(suite, lambda view, by: quotas.set_quota(view, by, mailbox, size, most))
    told = {**row_of(suite, mailbox), "changed": changed}
    if as_json:
        document(told)
        return
    _tell([told])
    if (told["percent"] or 0) >= 100:
        console.print("it is full: it takes no mail until there is room")


@quota.command("show")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--organisation", help="Only of this organisation and those below it, and what they hold in all.")
@click.option("--totals", is_flag=True, help="Only what is held in all, by organisation.")
@acting.verb
def show(names: tuple[str, ...], organisation: str | None, totals: bool, config: Path, as_json: bool) -> None:
    """Show what mailboxes may hold and hold: those of each NAME, or all that are yours to see.

    What waits for a mailbox in the spool counts against its capacity too.

    \b
    cjsm quota show jane.smith@avon desk@avon.cjsm.test
    cjsm quota show --organisation avon-police --as olive.marsh@avon
    cjsm quota show --totals --json
    """
    suite = open_suite(config)
    if names:
        which = [named(suite, name) for name in names]
        for each in which:
            see(suite, each)
    else:
        sight = acting.sight(suite, Action.SEE_MAILBOXES, organisation)
        tell = Shown(suite)
        every = tell.of_organisation(organisation) if organisation else tell.every()
        which = suite.stores.community.read_now(lambda view: those(view, every, sight(view)))
    sums: dict[str, dict[str, Any]] = {}
    rows = []
    for row in _rows(suite, which):
        _add(sums, row)
        if not totals:
            rows.append(row)
    found = sorted(sums.values(), key=lambda told: str(told["organisation"]))
    if as_json:
        document({"mailboxes": rows, "organisations": found})
        return
    if not totals:
        _tell(rows)
    if totals or not names:
        _tell_sums(found)


def _rows(suite: Suite, mailboxes: list[MailboxId]) -> Iterator[dict[str, Any]]:
    with progressing("mailboxes", len(mailboxes), octets=False) as advance:
        for at in range(0, len(mailboxes), _AT_ONCE):
            some = mailboxes[at : at + _AT_ONCE]
            owners = suite.stores.community.read_now(partial(_owners, mailboxes=some))
            for mailbox, owner in zip(some, owners, strict=True):
                yield _row(suite, mailbox, *owner)
                advance(1)


def _owners(view: View, mailboxes: list[MailboxId]) -> list[tuple[str, str, int | None]]:
    return [_owner(view, mailbox) for mailbox in mailboxes]


def row_of(suite: Suite, mailbox: MailboxId) -> dict[str, Any]:
    """Return what is told of a mailbox's capacity."""
    return _row(suite, mailbox, *suite.stores.community.read_now(lambda view: _owner(view, mailbox)))


def _owner(view: View, mailbox: MailboxId) -> tuple[str, str, int | None]:
    """Return the name of a mailbox, its organisation's path, and what it may hold: 0 the usual, None nobody's."""
    owner = finding.owner_of(view, mailbox)
    place = finding.path_of(view, owner.organisation) if owner is not None else ""
    return finding.mailbox_name(view, mailbox), place, owner.quota if owner is not None else None


def _row(suite: Suite, mailbox: MailboxId, name: str, place: str, quota_: int | None) -> dict[str, Any]:
    octets = (quota_ or suite.settings.mail.quota) if quota_ is not None else 0
    filling = filled(suite, mailbox)
    used = filling.octets if filling is not None else None
    waiting = suite.stores.spool.waiting(mailbox)
    return {
        "mailbox": name,
        "organisation": place,
        "quota": octets or None,
        "octets": used,
        "waiting_octets": waiting,
        "percent": (used + waiting) * 100 // octets if used is not None and octets else None,
        "full_since": when(filling.full_since) if filling is not None else None,
    }


def filled(suite: Suite, mailbox: MailboxId) -> "Filling | None":
    """Return how full a mailbox is; None for one that cannot be read."""
    try:
        return wait(suite.stores.mail.filling(mailbox))
    except StoreError:
        return None


def _add(sums: dict[str, dict[str, Any]], row: dict[str, Any]) -> None:
    """Count a mailbox with those of its organisation; the sums of those below an organisation are their own rows."""
    place = row["organisation"]
    fresh = {"organisation": place, "mailboxes": 0, "quota": 0, "octets": 0, "unreadable": 0}
    told = sums.setdefault(place, fresh)
    told["mailboxes"] += 1
    told["quota"] += row["quota"] or 0
    told["octets"] += row["octets"] or 0
    told["unreadable"] += row["octets"] is None


def _tell(rows: Iterable[dict[str, Any]]) -> None:
    table(
        [
            [
                row["mailbox"],
                row["organisation"] or "-",
                size(row["quota"]),
                size(row["octets"]),
                size(row["waiting_octets"]),
                f"{row['percent']} %" if row["percent"] is not None else "-",
                row["full_since"] or "-",
            ]
            for row in rows
        ],
        *("mailbox", "organisation", "may hold", "holds", "waiting", "full", "full since"),
    )


def _tell_sums(found: list[dict[str, Any]]) -> None:
    counted = [(told["mailboxes"], told["quota"], told["octets"]) for told in found]
    rows = [
        [told["organisation"] or "nobody's", f"{told['mailboxes']:,}", size(told["quota"]), size(told["octets"])]
        for told in found
    ]
    mailboxes, quotas_, octets = (sum(each[place] for each in counted) for place in range(3))
    rows.append(["in all", f"{mailboxes:,}", size(quotas_), size(octets)])
    table(rows, "organisation", "mailboxes", "may hold", "hold")


def size(octets: int | None) -> str:
    """Return octets as people read them."""
    if octets is None:
        return "-"
    for unit in ("", "KB", "MB", "GB"):
        if octets < 10_240 or unit == "GB":
            break
        octets //= 1024
    return f"{octets:,} {unit}".rstrip()
