"""Reports about people: who does not sign in, is locked, or has no second factor."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from cjsm.command.context import wait
from cjsm.command.output import progressing, when
from cjsm.community import finding, states
from cjsm.community.acts.inactivity import last_sign
from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import Account, AccountKind, Credential, Life
from cjsm.community.view import View
from cjsm.suite import Suite

_DAY = 86_400
#: People of whom last uses are looked up at once.
_AT_ONCE = 500

_PERSON = ("user_id", "name", "organisation", "status")
INACTIVE = (*_PERSON, "last_sign_in", "days", "warned")
NEVER = (*_PERSON, "created", "one_time_password_ends")
LOCKED = (*_PERSON, "locked_by", "since", "until")
WITHOUT_FACTOR = (*_PERSON, "roles", "device_passwords")

Row = dict[str, Any]


def inactive(suite: Suite, places: Sequence[OrganisationId], days: int) -> Iterator[Row]:
    """Yield those who have chosen a password and did not sign in for *days*."""
    now = int(time.time())

    def wanted(account: Account) -> bool:
        return _signs_in(account) and account.credential is Credential.CHOSEN

    for person, account, used in _with_uses(suite, places, wanted):
        last = last_sign(account, used)
        if now - last >= days * _DAY:
            more = {"last_sign_in": when(used or None), "days": (now - last) // _DAY}
            yield person | more | {"warned": when(account.inactive_warned or None)}


def never(suite: Suite, places: Sequence[OrganisationId]) -> Iterator[Row]:
    """Yield those who never signed in."""
    for person, account, used in _with_uses(suite, places, _signs_in):
        if not used and not account.password_since:
            yield person | {
                "created": when(account.created),
                "one_time_password_ends": when(suite.enrolment.new_keys.one_time_ends(account)),
            }


def _signs_in(account: Account) -> bool:
    return account.kind is AccountKind.HOSTED and account.life in (Life.NEW, Life.ACTIVE)


def locked(suite: Suite, places: Sequence[OrganisationId]) -> Iterator[Row]:
    """Yield those who are locked."""
    now = int(time.time())

    def wanted(account: Account) -> bool:
        is_locked = account.locked or states.is_guarded(account, now)
        return is_locked and account.life not in (Life.DELETED, Life.SUSPENDED)

    for _, account, person in _people(suite, places, wanted):
        guard = account.guard if states.is_guarded(account, now) else None
        yield person | {
            "locked_by": "an administrator" if account.locked else "wrong passwords",
            "since": when(guard.since) if guard is not None else None,
            "until": when(guard.until) if guard is not None and not account.locked else None,
        }


def without_factor(suite: Suite, places: Sequence[OrganisationId], *, administrators: bool) -> Iterator[Row]:
    """Yield those without a second factor."""

    def wanted(account: Account) -> bool:
        return not account.factor_since and account.life in (Life.NEW, Life.ACTIVE)

    for view_roles, account, person in _people(suite, places, wanted):
        if view_roles or not administrators:
            yield person | {"roles": view_roles, "device_passwords": len(account.device_passwords)}


def _people(
    suite: Suite, places: Sequence[OrganisationId], wanted: Callable[[Account], bool]
) -> Iterator[tuple[list[str], Account, Row]]:
    """Yield the roles, the record and the row of those who are *wanted*, an organisation at a time."""
    with progressing("organisations", len(places), octets=False) as advance:
        for place in places:
            yield from suite.stores.community.read_now(partial(_in, place=place, wanted=wanted))
            advance(1)


def _in(view: View, place: OrganisationId, wanted: Callable[[Account], bool]) -> list[tuple[list[str], Account, Row]]:
    path = finding.path_of(view, place)
    return [
        (_roles(view, account), account, _person(view, account, path))
        for account in sorted(view.accounts_in(place), key=lambda each: each.user_id)
        if wanted(account)
    ]


def _roles(view: View, account: Account) -> list[str]:
    return [
        f"{held.role} of {finding.path_of(view, held.organisation) or 'the community'}"
        for held in view.roles_of(account.id)
    ]


def _person(view: View, account: Account, path: str) -> Row:
    return {
        "user_id": account.user_id,
        "name": f"{account.profile.first_name} {account.profile.last_name}",
        "organisation": path,
        "status": states.display_name(account, view.moment),
    }


def _with_uses(
    suite: Suite, places: Sequence[OrganisationId], wanted: Callable[[Account], bool]
) -> Iterator[tuple[Row, Account, int]]:
    """Yield the row and record of those who are *wanted*, and when they signed in last; 0 for never."""
    waiting: list[tuple[Row, Account]] = []
    for _, account, person in _people(suite, places, wanted):
        waiting.append((person, account))
        if len(waiting) == _AT_ONCE:
            yield from _used(suite, waiting)
            waiting.clear()
    yield from _used(suite, waiting)


def _used(suite: Suite, people: Sequence[tuple[Row, Account]]) -> list[tuple[Row, Account, int]]:
    uses = wait(suite.stores.activity.last_uses([account.id for _, account in people]))
    return [(person, account, uses.get(account.id, 0)) for person, account in people]
