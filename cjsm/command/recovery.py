"""``cjsm recovery``: mail that a reset closed, opened again by two people."""

from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting, proving, secrets, telling
from cjsm.command.context import open_suite, wait
from cjsm.command.output import Refused, console, document, facts, shown, table, when
from cjsm.command.reasons import REASON
from cjsm.community import finding
from cjsm.community.acts import recovery as acts
from cjsm.community.authority import Action, within
from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import COMMUNITY, RecoveryRequest, RequestState
from cjsm.community.view import View
from cjsm.suite import Suite

_where = click.option("--organisation", help="Slug path; the community's own authority when it is not given.")


@click.group()
def recovery() -> None:
    """Open mail again that a reset closed, or that somebody left behind: two officers of two authorities approve.

    \b
    1. cjsm recovery request jane.smith@avon --reason forgotten
    2. the counter-signer's officer (the authority above):  cjsm recovery approve 1a2b3c4d --as una.above@desk
    3. the organisation's officer:                          cjsm recovery approve 1a2b3c4d --as olive.marsh@avon
    """


@recovery.group("officer")
def officer() -> None:
    """Who approves: administrators to whom their organisation, or the community, gives this right."""


@officer.command("add")
@click.argument("user")
@_where
@acting.act_verb
def add(user: str, organisation: str | None, config: Path, as_json: bool) -> None:
    """Make USER, an administrator of just that organisation, its recovery officer. Asks for the password of USER.

    Mail is sealed for recovery from then on: mailboxes begin new generations of keys by themselves within hours. An
    officer cannot open what was sealed before they were one. With --as, the acting user's password is asked for first.

    \b
    cjsm recovery officer add olive.marsh@avon --organisation avon-police
    cjsm recovery officer add una.above@desk
    """
    suite = open_suite(config)
    place = _place(suite, organisation)
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, user))
    by = acting.by(suite)
    (password,) = secrets.ask(f"Password of {account.user_id}")
    proving.own(suite, account.user_id, password)
    made = wait(suite.recovering.appoint(by, place, account.id, password))
    _say_officers(suite, place, made.number, as_json)
    if not as_json:
        console.print(f"{account.user_id} opens nothing that was sealed before now: those do who were officers then")


@officer.command("remove")
@click.argument("user")
@_where
@acting.act_verb
def remove(user: str, organisation: str | None, config: Path, as_json: bool) -> None:
    """Take that right from USER; the others get a new recovery key.

    \b
    cjsm recovery officer remove olive.marsh@avon --organisation avon-police
    """
    suite = open_suite(config)
    place = _place(suite, organisation)
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, user))
    made = wait(suite.recovering.dismiss(acting.by(suite), place, account.id))
    _say_officers(suite, place, made.number, as_json)


@recovery.command("officers")
@acting.verb
def officers(config: Path, as_json: bool) -> None:
    """List the recovery authorities with their officers, and for whom they counter-sign.

    \b
    cjsm recovery officers
    """
    suite = open_suite(config)
    sight = acting.sight(suite, Action.ASK_RECOVERY)

    def look(view: View) -> list[dict[str, Any]]:
        sees = sight(view)
        places = [found.id for found in view.organisations() if sees(found.id)]
        if sees(None):
            places.append(COMMUNITY)
        return [_authority(view, place) for place in places if view.recovery_authority(place) is not None]

    found = suite.stores.community.read_now(look)
    if as_json:
        document(found)
    elif not found:
        console.print("there are none: what a reset closes stays closed (cjsm recovery officer add --help)")
    else:
        table([[shown(value) for value in each.values()] for each in found], *(n.replace("_", " ") for n in found[0]))


@recovery.command("request")
@click.argument("user")
@REASON
@click.option("--for", "beneficiary", help="Somebody else, who may read for a time; else the user themself.")
@click.option("--days", type=click.IntRange(min=1), help="For how long somebody else may read.")
@click.option(
    "--shared", metavar="ADDRESS", help="Mail of this shared mailbox, which USER reads, in place of their own."
)
@acting.act_verb
def request(
    user: str,
    reason: str,
    beneficiary: str | None,
    days: int | None,
    shared: str | None,
    config: Path,
    as_json: bool,
) -> None:
    """Ask that closed mail of USER is opened to them again, or for --days to somebody else (a leaver, a court order).

    Old mail of a shared mailbox is opened by another member (`cjsm shared open`); where there is none left, with
    --shared.

    \b
    cjsm recovery request jane.smith@avon --reason forgotten
    cjsm recovery request jane.smith@avon --reason left --for tom.harding@avon --days 14
    cjsm recovery request jane.smith@avon --reason forgotten --shared duty@avon.cjsm.test
    """
    suite = open_suite(config)
    by = acting.by(suite, reason)
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, user))
    other = None
    if beneficiary is not None:
        other = suite.stores.community.read_now(lambda view: finding.account_of(view, beneficiary)).id
    desk = None
    if shared is not None:
        desk = suite.stores.community.read_now(lambda view: finding.shared_mailbox_of(view, shared)).id
    made = wait(suite.recovering.request(by, account.id, other, days, shared=desk))
    _report(suite, made, as_json)


@recovery.command("approve")
@click.argument("request_id", metavar="REQUEST")
@acting.verb_of_people
def approve(request_id: str, config: Path, as_json: bool) -> None:
    """Approve REQUEST (its first digits will do): the counter-signer's officer first, then the organisation's.

    Nobody approves twice, and nobody for themselves. Until the second approval nothing is readable.

    \b
    cjsm recovery approve 1a2b3c4d --as una.above@desk
    """
    suite = open_suite(config)
    found = _find(suite, request_id)
    made = wait(suite.recovering.approve(acting.by(suite), found.id, acting.officer(suite)))
    _report(suite, made.request, as_json)


@recovery.command("refuse")
@click.argument("request_id", metavar="REQUEST")
@acting.act_verb
def refuse(request_id: str, config: Path, as_json: bool) -> None:
    """Say no to REQUEST.

    \b
    cjsm recovery refuse 1a2b3c4d --as olive.marsh@avon
    """
    suite = open_suite(config)
    found = _find(suite, request_id)
    _report(suite, wait(suite.recovering.refuse(acting.by(suite), found.id)), as_json)


@recovery.command("list")
@click.option("--all", "every", is_flag=True, help="Also those that are over.")
@acting.verb
def list_(every: bool, config: Path, as_json: bool) -> None:
    """List requests that wait for an approval, or give somebody access now; with --as those that concern this user.

    \b
    cjsm recovery list
    cjsm recovery list --all --json
    """
    suite = open_suite(config)
    who = acting.actor(suite)

    def look(view: View) -> list[dict[str, Any]]:
        kept = sorted(view.recovery_requests(), key=lambda each: each.created)
        found = [each for each in kept if acts.may_see(view, who, each).allowed]
        if not found:
            within(view, who, Action.ASK_RECOVERY)
        now = [each for each in found if each.state in acts.PENDING or acts.reading_until(view, each)]
        return [_told(view, each) for each in (found if every else now)]

    found = suite.stores.community.read_now(look)
    if as_json:
        document(found)
        return
    columns = ("request", "user", "shared", "for", "state", "waits_for", "until")
    table([[shown(told[name]) for name in columns] for told in found], *(name.replace("_", " ") for name in columns))


def _place(suite: Suite, path: str | None) -> OrganisationId:
    if path is None:
        return COMMUNITY
    return suite.stores.community.read_now(lambda view: finding.organisation_of(view, path).id)


def _find(suite: Suite, digits: str) -> RecoveryRequest:
    def look(view: View) -> RecoveryRequest:
        found = [each for each in view.recovery_requests() if each.id.hex().startswith(digits.lower())]
        if len(found) != 1:
            raise Refused(f"{len(found)} requests begin with {digits!r}", "see `cjsm recovery list --all`")
        return found[0]

    return suite.stores.community.read_now(look)


def _name(view: View, account: bytes) -> str:
    return finding.user_id_of(view, AccountId(account)) if account else "the operator"


def _authority_name(view: View, place: OrganisationId) -> str:
    return "the community" if place == COMMUNITY else finding.path_of(view, place)


def _authority(view: View, place: OrganisationId) -> dict[str, Any]:
    pair = acts.parties(view, place) if place != COMMUNITY else None
    return {
        "authority": _authority_name(view, place),
        "officers": [_name(view, each) for each in acts.officers(view, place)],
        "counter_signed_by": _authority_name(view, pair[1].id) if pair is not None else None,
    }


def _say_officers(suite: Suite, place: OrganisationId, number: int, as_json: bool) -> None:
    told = suite.stores.community.read_now(lambda view: _authority(view, place)) | {"recovery_key": number}
    if as_json:
        document(told)
        return
    console.print(f"{told['authority']}: recovery key {number}, officers {', '.join(told['officers'])}")
    if place != COMMUNITY and told["counter_signed_by"] is None:
        console.print("nobody counter-signs for it yet, so nothing is sealed for recovery: add an officer above it")


def _told(view: View, found: RecoveryRequest) -> dict[str, Any]:
    waits = {
        RequestState.REQUESTED: found.counter_signer,
        RequestState.COUNTER_SIGNED: found.organisation,
    }.get(found.state)
    other = found.beneficiary != found.account
    return {
        "request": found.id.hex()[:8],
        "user": _name(view, found.account),
        "shared": _shared(view, found),
        "for": _name(view, found.beneficiary),
        "reason": found.reason,
        "state": found.state,
        "waits_for": f"an officer of {_authority_name(view, waits)}" if waits is not None else None,
        "generations": len(found.generations),
        "requested_by": _name(view, found.requested_by),
        "counter_signed_by": _name(view, found.counter_signed_by) if found.counter_signed_by else None,
        "opened_by": _name(view, found.opened_by) if found.opened_by else None,
        "until": when(found.until),
        "expires": when(found.expires),
        "sign_in": f"{_name(view, found.beneficiary)}/{acts.recovered_name(found)}" if other else None,
    }


def _shared(view: View, found: RecoveryRequest) -> str | None:
    shared = view.kept_shared_mailbox(found.mailbox)
    return finding.primary_address(view, shared.id) if shared is not None else None


def _report(suite: Suite, found: RecoveryRequest, as_json: bool) -> None:
    told, account = suite.stores.community.read_now(lambda view: (_told(view, found), view.account(found.account)))
    if as_json:
        document(told | (telling.told(suite, account) if account is not None else {}))
        return
    facts(told, as_json=False)
    if account is not None:
        telling.say(suite, account)
