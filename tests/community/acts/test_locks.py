"""Locked by guesses, and unlocked by helpdesk, administrator and oneself."""

import pytest

from cjsm.community import states
from cjsm.community.acts import accounts, locks
from cjsm.community.acts.credentials import KeyStep
from cjsm.community.errors import Conflict, NotAllowed, NotFound, Overtaken
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Credential, Guard, Life
from tests.community.communities import NOW, by, community, hosted, identifier

from .support import JO, VIEW, account

SAME = KeyStep(1, 1)


def test_a_guard() -> None:
    """Begins once, ends at its time, shuts nobody out for good; nobody asked for it."""
    change = locks.guard(VIEW, by(), JO, NOW + 10)
    view = VIEW.apply(change)
    found = account(view, "jo.ward")
    assert found.guard == Guard(since=NOW, until=NOW + 10)
    assert change.entry is not None
    assert (change.entry.act, dict(change.entry.details)) == ("user-guard", {"who": "service"})
    assert states.may_sign_in(view, found)
    assert [states.is_guarded(found, NOW + late) for late in (0, 9, 10)] == [True, True, False]
    assert [states.display_name(found, NOW + late) for late in (0, 10)] == ["Locked", "Active"]
    with pytest.raises(Conflict):
        locks.guard(view, by(), JO, None)
    with pytest.raises(NotFound):
        locks.guard(VIEW, by(), AccountId(identifier("nobody")), None)


def test_a_guard_that_is_over() -> None:
    """Is taken away by the service, and not before."""
    view = community(*hosted("jo.ward", "crime", "avon", guard=Guard(since=NOW - 20, until=NOW)))
    assert account(view.apply(locks.end_guard(view, by(), JO)), "jo.ward").guard is None
    for guard in (None, Guard(since=NOW), Guard(since=NOW, until=NOW + 1)):
        view = community(*hosted("jo.ward", "crime", "avon", guard=guard))
        with pytest.raises(Conflict):
            locks.end_guard(view, by(), JO)


def test_a_guard_without_end() -> None:
    """Stays."""
    found = account(VIEW.apply(locks.guard(VIEW, by(), JO, None)), "jo.ward")
    assert states.is_guarded(found, NOW + 10**9)


@pytest.mark.parametrize("who", ["henry.desk", "olive.marsh", "ada.central", None])
@pytest.mark.parametrize(
    "state",
    [
        {},
        {"life": Life.NEW, "credential": Credential.ONE_TIME},
        {"credential": Credential.ONE_TIME},
        {"life": Life.SUSPENDED},
    ],
)
def test_unlocked_by_others(who: str | None, state: dict[str, object]) -> None:
    """Guarded or locked, the account returns to what it was."""
    for lock in ({"locked": True}, {"guard": Guard(since=NOW)}, {"locked": True, "guard": Guard(since=NOW)}):
        view = community(*hosted("jo.ward", "crime", "avon", **{**state, **lock}))
        after = account(view.apply(accounts.set_locked(view, by(who), JO, locked=False)), "jo.ward")
        was = account(community(*hosted("jo.ward", "crime", "avon", **state)), "jo.ward")
        assert (after.locked, after.guard) == (False, None)
        assert (after.life, after.credential) == (was.life, was.credential)
        assert states.display_name(after) == states.display_name(was)


@pytest.mark.parametrize("who", ["sam.hill", "jo.ward", "erin.wright"])
def test_not_by_just_anybody(who: str) -> None:
    """A colleague, an engineer, oneself without more."""
    view = community(*hosted("jo.ward", "crime", "avon", locked=True))
    with pytest.raises(NotAllowed):
        accounts.set_locked(view, by(who), JO, locked=False)


def test_locking_keeps_a_guard() -> None:
    """Somebody's act on top of what guesses led to."""
    view = VIEW.apply(locks.guard(VIEW, by(), JO, None))
    found = account(view.apply(accounts.set_locked(view, by("olive.marsh"), JO, locked=True)), "jo.ward")
    assert (found.locked, found.guard is not None) == (True, True)


def test_oneself() -> None:
    """With a second factor only, for oneself only, while the account would be let in; from keys that are in use."""
    locked = {"locked": True, "guard": Guard(since=NOW), "factor_since": NOW, "recovery_codes": 9}
    view = community(*hosted("jo.ward", "crime", "avon", **locked))
    found = account(view.apply(locks.unlock_self(view, by("jo.ward"), JO, KeyStep(1, 2), 8)), "jo.ward")
    assert (found.locked, found.guard, found.keys, found.recovery_codes) == (False, None, 2, 8)
    with pytest.raises(NotAllowed):
        locks.unlock_self(view, by("olive.marsh"), JO, SAME, 9)
    with pytest.raises(Overtaken):
        locks.unlock_self(view, by("jo.ward"), JO, KeyStep(7, 8), 9)
    for changes, error in (
        ({"factor_since": 0}, Conflict),
        ({"life": Life.SUSPENDED}, NotAllowed),
        ({"life": Life.DELETED}, NotAllowed),
    ):
        view = community(*hosted("jo.ward", "crime", "avon", **{**locked, **changes}))
        with pytest.raises(error):
            locks.unlock_self(view, by("jo.ward"), JO, SAME, 9)
