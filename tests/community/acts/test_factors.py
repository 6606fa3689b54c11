"""Acts on the second factor and recovery codes."""

from collections.abc import Callable

import pytest

from cjsm.community.acts import factors
from cjsm.community.acts.credentials import KeyStep
from cjsm.community.errors import BadValue, Conflict, NotAllowed, Overtaken
from cjsm.community.records import Credential
from cjsm.community.view import Change
from tests.community.communities import NOW, by, community, hosted

from .support import JO, VIEW, account

STEP = KeyStep(1, 2)
WITH = community(*hosted("jo.ward", "crime", "avon", factor_since=NOW, recovery_codes=10))

#: The person's own acts, with a view in which each can be.
OWN: list[tuple[str, Callable[..., Change]]] = [
    ("factor-prepare", lambda who, keys: factors.prepare(VIEW, who, JO, keys)),
    ("factor-on", lambda who, keys: factors.turn_on(VIEW, who, JO, keys, 10)),
    ("factor-off", lambda who, keys: factors.turn_off(WITH, who, JO, keys, 9)),
    ("recovery-codes-new", lambda who, keys: factors.new_recovery_codes(WITH, who, JO, keys, 10)),
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
