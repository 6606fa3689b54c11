"""Acts that are decided and not done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cjsm.community.acts import lists, organisations, roles
from cjsm.community.identifiers import JobId, OrganisationId
from cjsm.community.records import Job, OrganisationState, OwnerKind, Record
from cjsm.community.view import Change, View
from cjsm.store.rehearsal import Rehearsed, RehearsedCommunity, RehearsedKeys, Step
from tests.access.support import House, now
from tests.community.communities import CRIME_LIST, by, community, identifier


class Store:
    """A community that can be looked at."""

    def __init__(self, *more: Record) -> None:
        self.view = community(*more)

    def read_now(self, look: Callable[[View], object]) -> object:
        """Look."""
        return look(self.view)

    def number(self) -> int:
        """The change number."""
        return self.view.number


def rehearsed(decide: Callable[[View], Change], *more: Record) -> Rehearsed:
    store: Any = Store(*more)
    with pytest.raises(Rehearsed) as caught:
        now(RehearsedCommunity(store).commit(by().act_id, decide))
    return caught.value


def test_what_changes() -> None:
    """Each record as it is and as it would be."""
    firm = OrganisationId(identifier("firm"))
    found = rehearsed(lambda view: organisations.set_state(view, by(reason="terms"), firm, OrganisationState.SUSPENDED))
    (step,) = found.steps
    assert step.before is not None
    assert step.after is not None
    assert (step.before.state, step.after.state) == (OrganisationState.ACTIVE, OrganisationState.SUSPENDED)  # type: ignore[union-attr]
    assert found.change.entry is not None


def test_what_goes_and_comes() -> None:
    """A list that is deleted, with its address, which is there already; a role that is taken."""
    gone = rehearsed(lambda view: lists.delete(view, by(), CRIME_LIST.id, 1))
    assert [(type(step.before or step.after).__name__, step.after is None) for step in gone.steps] == [
        ("AddressRecord", False),
        ("MailList", True),
    ]
    assert gone.steps[0].before is not None
    assert gone.steps[0].before.owner_kind is OwnerKind.LIST  # type: ignore[union-attr]
    (held,) = community().roles_of(identifier("henry.desk"))  # type: ignore[arg-type]
    taken = rehearsed(lambda view: roles.revoke(view, by(), held.account, held.id))
    assert any(step.after is None for step in taken.steps)


def test_a_job_that_is_there_already() -> None:
    """What is put over it is a change of it, as of any other record."""
    job = Job(id=JobId(b"j" * 16), kind="rotation", due=1)
    later = msgspec.structs.replace(job, due=2)
    assert rehearsed(lambda view: Change(put=(later,)), job).steps == (Step(job, later),)


def test_everything_else_is_the_stores_own() -> None:
    """It can be read as ever."""
    store: Any = Store()
    assert RehearsedCommunity(store).number() == 7


def test_keys_stay_as_they_are(tmp_path: Path) -> None:
    """Whatever is put and destroyed."""
    house = House(tmp_path / "data")
    account = house.join()
    keys = RehearsedKeys(house.keys)
    latest = house.keys.latest(account.id)
    now(keys.put(account.id, latest + 1, b"x"))
    now(keys.put_all([(account.id, latest + 1, b"x")]))
    now(keys.destroy(account.id))
    assert keys.latest(account.id) == house.keys.latest(account.id) == latest
    house.close()
