"""Acts on the second factor and recovery codes."""

from collections.abc import Callable

import pytest

from cjsm.community.acts import credentials, factors, keys
from cjsm.community.acts.credentials import KeyStep
from cjsm.community.errors import BadValue, Conflict, NotAllowed, Overtaken
from cjsm.community.memory import MemoryView
from cjsm.community.records import Credential
from cjsm.community.view import Change
from tests.community.communities import NOW, by, community, hosted

from .support import JO, VIEW, account

STEP = KeyStep(1, 2)
WITH = community(*hosted("jo.ward", "crime", "avon", factor_since=NOW, recovery_codes=10))

#: The person's own acts, with a view in which each can be.
OWN: list[tuple[str, Callable[..., Change]]] = [
    ("factor-prepare", lambda who, step: factors.prepare(VIEW, who, JO, step)),
    ("factor-on", lambda who, step: factors.turn_on(VIEW, who, JO, step, 10)),
    ("factor-off", lambda who, step: factors.turn_off(WITH, who, JO, step, 9)),
    ("recovery-codes-new", lambda who, step: factors.new_recovery_codes(WITH, who, JO, step, 10)),
]


@pytest.mark.parametrize(("name", "act"), OWN)
def test_ones_own(name: str, act: Callable[..., Change]) -> None:
    """Nobody else's, from keys that are in use, and in the ledger."""
    change = act(by("jo.ward"), STEP)
    assert change.entry is not None
    assert (change.entry.act, change.entry.subject) == (name, JO)
    assert account(VIEW.apply(change), "jo.ward").keys == 2
    for other in ("olive.marsh", "ada.central", "henry.desk", "sam.hill"):
        with pytest.raises(NotAllowed):
            act(by(other), STEP)
    with pytest.raises(Overtaken):
        act(by("jo.ward"), KeyStep(5, 6))


def test_in_force() -> None:
    """From a moment on, with so many recovery codes; sessions of the password end; a second one is not begun."""
    found = account(VIEW.apply(factors.turn_on(VIEW, by("jo.ward"), JO, STEP, 10)), "jo.ward")
    before = account(VIEW, "jo.ward")
    assert (found.factor_since, found.recovery_codes) == (NOW, 10)
    assert found.password_version == before.password_version + 1
    with pytest.raises(Conflict):
        factors.prepare(WITH, by("jo.ward"), JO, STEP)
    with pytest.raises(Conflict):
        factors.turn_on(WITH, by("jo.ward"), JO, STEP, 10)


def test_a_password_comes_first() -> None:
    """Whoever has a one-time password yet begins nothing."""
    view = community(*hosted("jo.ward", "crime", "avon", credential=Credential.ONE_TIME))
    with pytest.raises((Conflict, NotAllowed)):
        factors.prepare(view, by("jo.ward"), JO, STEP)


def test_a_lost_one() -> None:
    """An administrator takes it away, with a reason; never the helpdesk, who gives new one-time passwords."""
    change = factors.take_away(WITH, by("olive.marsh", "telephone lost"), JO, STEP)
    assert change.entry is not None
    assert (change.entry.act, change.entry.words) == ("factor-remove", (("reason", "telephone lost"),))
    assert account(WITH.apply(change), "jo.ward").factor_since == 0
    for other in ("henry.desk", "sam.hill", "jo.ward"):
        with pytest.raises(NotAllowed):
            factors.take_away(WITH, by(other), JO, STEP)
    with pytest.raises(BadValue):
        factors.take_away(WITH, by("olive.marsh", ""), JO, STEP)
    with pytest.raises(Conflict):
        factors.take_away(VIEW, by("olive.marsh"), JO, STEP)


def reset(view: MemoryView, who: str) -> Change:
    return keys.reset_password(view, by(who, "forgotten"), JO, KeyStep(account(view, "jo.ward").keys, 9), ())


def choose(view: MemoryView, using: str) -> MemoryView:
    step = KeyStep(account(view, "jo.ward").keys, 9)
    return view.apply(credentials.choose_password(view, by("jo.ward"), JO, step, using=using))


def take_away(view: MemoryView, who: str) -> Change:
    return factors.take_away(view, by(who, "telephone lost"), JO, KeyStep(account(view, "jo.ward").keys, 9))


def test_a_reset_and_a_lost_factor_are_two_people() -> None:
    """One administrator does not do both, in whatever order, and choosing with the one-time password changes nothing
    of that: it would make them the person. Another does, and so do the operator and, resetting, the helpdesk.
    """
    was_reset = WITH.apply(reset(WITH, "olive.marsh"))
    for view in (was_reset, choose(was_reset, "one-time"), choose(choose(was_reset, "one-time"), "device")):
        with pytest.raises(NotAllowed, match="two people"):
            take_away(view, "olive.marsh")
        assert account(view.apply(take_away(view, "ada.central")), "jo.ward").factor_since == 0
    taken = WITH.apply(take_away(WITH, "olive.marsh"))
    with pytest.raises(NotAllowed, match="two people"):
        reset(taken, "olive.marsh")
    for other in ("henry.desk", "ada.central"):
        assert account(taken.apply(reset(taken, other)), "jo.ward").credential is Credential.ONE_TIME


@pytest.mark.parametrize("using", ["password", "recovery"])
def test_what_only_the_person_shows_ends_it(using: str) -> None:
    """A password of one's own, with a code where there is a second factor, or a recovery code."""
    view = choose(WITH.apply(reset(WITH, "olive.marsh")), using)
    take_away(view, "olive.marsh")
    view = choose(WITH.apply(take_away(WITH, "olive.marsh")), using)
    reset(view, "olive.marsh")
    anew = WITH.apply(take_away(WITH, "olive.marsh"))
    anew = anew.apply(factors.turn_on(anew, by("jo.ward"), JO, KeyStep(account(anew, "jo.ward").keys, 9), 10))
    reset(anew, "olive.marsh")
