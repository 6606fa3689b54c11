"""``cjsm notice``: what people are told, and notices of interruptions to many."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting
from cjsm.command.context import config_option, load, open_suite
from cjsm.command.output import Refused, console, document, facts, json_option, reported, shown, table, watched, when
from cjsm.community import finding
from cjsm.community.acts import notices as acts
from cjsm.community.acts.acting import By
from cjsm.community.authority import Action
from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.view import Change, View
from cjsm.notices.following import people_in
from cjsm.notices.notice import SYSTEM, BadNotice, Kind, Language, Notice, decode
from cjsm.notices.samples import sample
from cjsm.notices.texts import words
from cjsm.store.interfaces import KeptNotice
from cjsm.suite import Suite

_KINDS = [kind.value for kind in Kind]
_SYSTEM = [kind.value for kind in SYSTEM]
#: Of so many notices those are listed that are for people whom somebody sees.
_LOOKED_AT = 5_000
#: Times are UTC.
_TIME = click.DateTime(formats=("%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"))


@click.group()
def notice() -> None:
    """What people are told of what is done to their accounts; and interruptions, which many are told of.

    Notices have fixed texts with a date and a number in them, in English and Welsh. Nobody writes one.
    """


@notice.command("list")
@click.option("--user", help="Only those for this user.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The last so many.")
@acting.verb
def list_(user: str | None, limit: int, config: Path, as_json: bool) -> None:
    """List the last notices, the newest first, and how far each has come: inside, and to the ordinary address.

    With --as those for people whom this user may find; the own ones with --user.

    \b
    cjsm notice list
    cjsm notice list --user jane.smith@avon --as henry.desk@desk
    cjsm notice list --user jane.smith@avon --as jane.smith@avon
    """
    suite = open_suite(config)
    community = suite.stores.community
    if user is not None:
        account = community.read_now(lambda view: finding.account_of(view, user))
        acting.require_or_own(suite, Action.FIND_USERS, account)
        found = [_told(suite, each) for each in suite.stores.notices.newest(limit, account.id)]
    else:
        sight = acting.sight(suite, Action.FIND_USERS)
        kept = suite.stores.notices.newest(max(limit, _LOOKED_AT))
        seen = community.read_now(lambda view: _seen(view, sight(view), kept))
        found = [_told(suite, each) for each in seen[:limit]]
    counts = suite.stores.notices.counts()
    if as_json:
        document({"notices": found, "waiting_inside": counts.inside, "waiting_ordinary": counts.ordinary})
        return
    columns = ("number", "user", "kind", "made", "inside", "ordinary", "reason")
    table([[shown(each[name]) for name in columns] for each in found], *columns)
    console.print(f"waiting: {counts.inside} inside, {counts.ordinary} for ordinary addresses")


@notice.command("show")
@click.argument("number", type=click.IntRange(min=1))
@acting.verb
def show(number: int, config: Path, as_json: bool) -> None:
    """Show the notice NUMBER, with what it says: with --as one for a person whom this user may find, or an own one.

    \b
    cjsm notice show 17
    """
    suite = open_suite(config)
    who, found = acting.actor(suite), suite.stores.notices.get(number)
    seen = [found] if found is not None else []
    if found is None or found.account != who:
        sight = acting.sight(suite, Action.FIND_USERS)
        seen = suite.stores.community.read_now(lambda view: _seen(view, sight(view), seen))
    if not seen:
        raise Refused(f"there is no notice {number}, or it is not yours to see", "see `cjsm notice list`")
    kept = seen[0]
    told = _told(suite, kept)
    try:
        said = words(decode(kept.notice))
        told |= {"subject": said.subject, "text": said.text}
    except BadNotice as error:
        told |= {"subject": None, "text": str(error)}
    facts(told, as_json=as_json)


@notice.command("send")
@click.option("--kind", type=click.Choice(_SYSTEM), required=True, help="What is told.")
@click.option("--organisation", help="Slug path: everybody there and below; else everybody in the community.")
@click.option("--from", "begins", type=_TIME, required=True, help="When it begins, such as 2027-03-01T22:00 (UTC).")
@click.option("--until", "ends", type=_TIME, help="When it ends.")
@click.option("--dry-run", is_flag=True, help="Only show what would be said, and to how many.")
@acting.verb
def send(
    kind: str,
    organisation: str | None,
    begins: datetime,
    ends: datetime | None,
    dry_run: bool,
    config: Path,
    as_json: bool,
) -> None:
    """Tell everybody in an organisation, or in the community, of an interruption. There is no text to write.

    The service sends them one after the other; `cjsm notice list` shows how far it is.

    \b
    cjsm notice send --kind planned-outage --from 2027-03-01T22:00 --until 2027-03-02T02:00 --dry-run
    cjsm notice send --kind planned-outage --organisation avon-police --from 2027-03-01T22:00 --until 2027-03-01T23:00
    cjsm notice send --kind outage-cancelled --from 2027-03-01T22:00 --as una.above@desk
    """
    suite = open_suite(config)
    community = suite.stores.community
    first, last = _moment(begins), _moment(ends) if ends is not None else None

    def place(view: View) -> Any:
        return finding.organisation_of(view, organisation).id if organisation else None

    def decide(view: View, by: By) -> Change:
        with_end = kind == Kind.PLANNED_OUTAGE
        return acts.send(view, by, kind, place(view), first, last, kinds=_SYSTEM, with_end=with_end)

    if dry_run:
        by = acting.by(suite)
        community.read_now(lambda view: decide(view, by))
    else:
        acting.act(suite, decide)
    people = community.read_now(lambda view: sum(1 for _ in watched(people_in(view, place(view)), "people")))
    minutes = str((last - first) // 60) if last is not None else ""
    said = words(_notice(suite, Kind(kind), first, minutes))
    told = {"kind": kind, "from": when(first), "until": when(last), "people": people, "sent": not dry_run}
    if as_json:
        document(told | {"subject": said.subject})
        return
    console.print(f"{said.subject}\n\n{said.text}", markup=False)
    console.print(f"{people:,} people {'would be' if dry_run else 'are'} told")


@notice.command("preview")
@click.argument("kind", metavar="KIND", type=click.Choice(_KINDS))
@click.option("--language", type=click.Choice([each.value for each in Language]), help="Else the service's.")
@config_option
@json_option
@reported
def preview(kind: str, language: str | None, config: Path, as_json: bool) -> None:
    """Show what a notice of KIND says, with a date and number made up.

    \b
    cjsm notice preview password-changed
    cjsm notice preview near-quota --language cy
    """
    spoken = Language(language) if language else Language(load(config).notices.language)
    said = words(sample(Kind(kind), spoken, int(time.time())))
    if as_json:
        document({"kind": kind, "language": spoken, "subject": said.subject, "text": said.text})
    else:
        console.print(f"{said.subject}\n\n{said.text}", markup=False)


def _moment(written: datetime) -> int:
    return int(written.replace(tzinfo=UTC).timestamp())


def _notice(suite: Suite, kind: Kind, date: int, code: str) -> Notice:
    language = Language(suite.settings.notices.language)
    return Notice(kind=kind, account=AccountId(bytes(16)), date=date, language=language, code=code)


def _seen(view: View, sees: Callable[[OrganisationId | None], bool], kept: Sequence[KeptNotice]) -> list[KeptNotice]:
    """Return those that are for people in organisations that whoever acts *sees*."""
    accounts = ((each, view.account(each.account)) for each in kept)
    return [each for each, account in accounts if sees(account.organisation if account is not None else None)]


def _told(suite: Suite, kept: KeptNotice) -> dict[str, Any]:
    account = suite.stores.community.read_now(lambda view: view.account(kept.account))
    try:
        said = decode(kept.notice)
        kind, date, code, language = said.kind.value, when(said.date), said.code, said.language.value
    except BadNotice:
        kind, date, code, language = "unreadable", None, "", ""
    return {
        "number": kept.number,
        "user": account.user_id if account is not None else None,
        "kind": kind,
        "language": language,
        "date": date,
        "code": code,
        "made": when(kept.made),
        "inside": kept.inside,
        "ordinary": kept.ordinary,
        "attempts": kept.attempts,
        "due": when(kept.due) if kept.ordinary == "waiting" else None,
        "reason": kept.reason,
    }
