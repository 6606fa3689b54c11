"""People who do not sign in."""

import msgspec
import pytest

from cjsm.community.acts import inactivity
from cjsm.community.acts.inactivity import Patience
from cjsm.community.identifiers import AccountId
from cjsm.community.memory import MemoryView
from cjsm.community.records import Life
from cjsm.community.view import Change
from tests.community.communities import by, community, hosted, identifier

from .support import JO, account

DAY = 86_400
PATIENCE = Patience(150 * DAY, 180 * DAY)
ADA = AccountId(identifier("ada.central"))


def at(view: MemoryView, days: int) -> MemoryView:
    return MemoryView(view._records.values(), suffix=view.suffix, moment=days * DAY, number=view.number)


def warned(days: int, view: MemoryView | None = None, used: int = 0, who: AccountId = JO) -> MemoryView:
    view = at(view or community(), days)
    return view.apply(inactivity.warn(view, by(), who, used * DAY, PATIENCE))


def test_warned_once() -> None:
    """After five months; the entry says until when; not again before somebody was there and away again."""
    view = at(community(), 150)
    change = inactivity.warn(view, by(), JO, 0, PATIENCE)
    assert change.entry is not None
    assert (change.entry.act, change.entry.subject) == ("user-inactive", JO)
    assert dict(change.entry.details) == {"until": str(180 * DAY)}
    after = view.apply(change)
    assert account(after, "jo.ward").inactive_warned == 150 * DAY
    assert inactivity.warn(at(after, 170), by(), JO, 0, PATIENCE) == Change()
    assert inactivity.warn(at(after, 320), by(), JO, 165 * DAY, PATIENCE).entry
    assert inactivity.warn(at(community(), 149), by(), JO, 0, PATIENCE) == Change()
    assert inactivity.warn(at(community(), 400), by(), JO, 0, Patience(0, 0)) == Change()


def test_suspended_after_the_warning() -> None:
    """Never sooner than the month after it, however long somebody was away before that."""
    assert inactivity.suspend(at(community(), 400), by(), JO, 0, PATIENCE) == Change()
    late = warned(400)
    entry = inactivity.warn(at(community(), 400), by(), JO, 0, PATIENCE).entry
    assert entry is not None
    assert dict(entry.details) == {"until": str(430 * DAY)}
    assert inactivity.suspend(at(late, 429), by(), JO, 0, PATIENCE) == Change()
    change = inactivity.suspend(at(late, 430), by(), JO, 0, PATIENCE)
    made = account(at(late, 430).apply(change), "jo.ward")
    assert (made.life, made.state_reason, made.state_since) == (Life.SUSPENDED, "inactive", 430 * DAY)
    assert change.entry is not None
    assert (change.entry.act, change.entry.reason, change.entry.actor) == ("user-suspended", "inactive", b"")


def test_who_signs_in_stays() -> None:
    """Between the warning and the end."""
    assert inactivity.suspend(at(warned(150), 200), by(), JO, 160 * DAY, PATIENCE) == Change()
    assert inactivity.suspend(at(warned(150), 400), by(), JO, 160 * DAY, PATIENCE) == Change()


def test_never() -> None:
    """Whose mail is kept elsewhere, and who is suspended or deleted already."""
    relayed = AccountId(identifier("re.layed"))
    assert inactivity.warn(at(community(), 900), by(), relayed, 0, PATIENCE) == Change()
    for life in (Life.SUSPENDED, Life.DELETED):
        view = at(community(*hosted("jo.ward", "crime", "avon", life=life)), 900)
        assert inactivity.warn(view, by(), JO, 0, PATIENCE) == Change()
    assert inactivity.warn(at(community(), 900), by(), AccountId(identifier("nobody")), 0, PATIENCE) == Change()


@pytest.mark.parametrize("who", ["ada.central", "olive.marsh"])
def test_the_last_administrator(who: str) -> None:
    """Is warned, and stays."""
    view = warned(150, who=AccountId(identifier(who)))
    assert account(view, who).inactive_warned
    assert inactivity.suspend(at(view, 900), by(), AccountId(identifier(who)), 0, PATIENCE) == Change()


def test_suspending_can_be_left_out() -> None:
    """With a warning only."""
    only = msgspec.structs.replace(PATIENCE, suspended=0)
    view = at(community(), 150)
    after = view.apply(inactivity.warn(view, by(), JO, 0, only))
    assert inactivity.suspend(at(after, 900), by(), JO, 0, only) == Change()
