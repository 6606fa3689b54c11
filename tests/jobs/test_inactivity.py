"""The job that warns and suspends who does not sign in."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import Deferred, succeed

from cjsm.community.acts import roles
from cjsm.community.identifiers import JobId, RoleAssignmentId
from cjsm.community.records import Account, Job, Life, Role, RoleAssignment
from cjsm.configuration import AccessSettings
from cjsm.jobs import inactivity
from cjsm.jobs.inactivity import Inactivity
from cjsm.ledger.words import SERVICE, nobody_acting
from tests.access.support import ORGANISATION, SETTINGS, House, now

DAY = 86_400
JOB = Job(id=JobId(b"j" * 16), kind="inactivity", due=0)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def ran(house: House, days: int = 0, **settings: int) -> str:
    """Let days pass, and the job run."""
    house.moment += days * DAY
    chosen = msgspec.structs.replace(SETTINGS, **settings)
    return now(job(house, chosen, lambda: succeed(None)).run(JOB))


def job(house: House, settings: AccessSettings, turn: "Callable[[], Deferred[None]]") -> Inactivity:
    stores: Any = {"community": house.community, "activity": house.activity}
    return Inactivity(settings, **stores, clock=house.clock, entropy=os.urandom, turn=turn)


def administers(house: House, *people: Account) -> None:
    for person in people:
        held = RoleAssignment(
            id=RoleAssignmentId(os.urandom(16)),
            account=person.id,
            role=Role.ORGANISATION_ADMINISTRATOR,
            organisation=ORGANISATION,
        )
        house.commit(lambda view, by, held=held: roles.grant(view, by, held))  # type: ignore[misc]


def test_warned_then_suspended(house: House) -> None:
    """With a sign-in between they stay; each has an entry of the service's own."""
    jo, ed = house.join("jo.ward"), house.join("ed.two")
    assert ran(house, 149) == "0 people warned, 0 suspended"
    assert ran(house, 1) == "2 people warned, 0 suspended"
    assert ran(house) == "0 people warned, 0 suspended"
    house.activity.used(ed.id, "10.0.0.0/24", "pop3", None, int(house.moment))
    assert ran(house, 29) == "0 people warned, 0 suspended"
    assert ran(house, 1) == "0 people warned, 1 suspended"
    assert (house.account(jo.id).life, house.account(jo.id).state_reason) == (Life.SUSPENDED, "inactive")
    assert house.account(ed.id).life is Life.ACTIVE
    *_, first, second, last = house.entries()
    assert {first.subject, second.subject} == {jo.id, ed.id}
    assert [(each.act, each.actor) for each in (first, second, last)] == [
        *[("user-inactive", b"")] * 2,
        ("user-suspended", b""),
    ]
    assert {nobody_acting(each) for each in (first, second, last)} == {SERVICE}
    assert ran(house, 119) == "0 people warned, 0 suspended"
    assert ran(house, 1) == "1 people warned, 0 suspended"


def test_two_who_administer_together(house: House) -> None:
    """One stays, whoever it is; three lose two."""
    people = [house.join(name) for name in ("a.one", "b.two", "c.three")]
    administers(house, *people)
    ran(house, 150)
    assert ran(house, 30) == "0 people warned, 2 suspended"
    assert ran(house, 300) == "0 people warned, 0 suspended"
    assert [house.account(each.id).life for each in people].count(Life.ACTIVE) == 1


def test_nobody_at_once(house: House) -> None:
    """A community that gets the job late loses nobody unwarned; several commits do many."""
    for number in range(5):
        house.add(f"p{number}.x")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(inactivity, "_TOGETHER", 2)
        patched.setattr(inactivity, "_LOOKED_UP", 3)
        assert ran(house, 900) == "5 people warned, 0 suspended"
        assert ran(house, 29) == "0 people warned, 0 suspended"
        assert ran(house, 1) == "0 people warned, 5 suspended"


def test_turned_off(house: House) -> None:
    """By the settings, in whole or in part."""
    house.join()
    assert "access.inactive_warned is 0" in ran(house, 900, inactive_warned=0)
    assert ran(house, inactive_suspended=0) == "1 people warned, 0 suspended"
    assert ran(house, 900, inactive_suspended=0) == "0 people warned, 0 suspended"


def test_others_have_their_turn(house: House) -> None:
    """Before each organisation is looked at."""
    house.join()
    turn: Deferred[None] = Deferred()
    running = job(house, SETTINGS, lambda: turn).run(JOB)
    assert not running.called
    turn.callback(None)
    assert now(running) == "0 people warned, 0 suspended"
