"""The life of an account: suspended, resumed, deleted, had back, ended."""

from itertools import product

import msgspec
import pytest

from cjsm.community import states
from cjsm.community.acts import destruction, lives
from cjsm.community.acts.lives import LifeStep
from cjsm.community.errors import BadValue, CommunityError, Conflict, NotAllowed, NotFound
from cjsm.community.identifiers import AccountId, ListId, MailboxId, OrganisationId
from cjsm.community.invariants import problems
from cjsm.community.memory import MemoryView
from cjsm.community.records import (
    Credential,
    Life,
    MailboxRight,
    MailList,
    OrganisationState,
    OwnerKind,
    Role,
    SharedMailbox,
    SharedMember,
)
from cjsm.community.view import Change
from tests.community.communities import NOW, SUFFIX, by, community, identifier, role, with_state
from tests.community.communities import address as address_of

from .support import JO, VIEW, account


def with_life(life: Life, credential: Credential = Credential.CHOSEN) -> MemoryView:
    found = msgspec.structs.replace(account(VIEW, "jo.ward"), life=life, credential=credential, state_since=NOW)
    return VIEW.apply(Change(put=(found,)))


def test_table() -> None:
    """Every step from every life: allowed ones lead where the table of community §6 says, others are refused."""
    allowed = {
        (LifeStep.SUSPEND, Life.NEW): Life.SUSPENDED,
        (LifeStep.SUSPEND, Life.ACTIVE): Life.SUSPENDED,
        (LifeStep.RESUME, Life.SUSPENDED): Life.ACTIVE,
        (LifeStep.DELETE, Life.NEW): Life.DELETED,
        (LifeStep.DELETE, Life.ACTIVE): Life.DELETED,
        (LifeStep.DELETE, Life.SUSPENDED): Life.DELETED,
        (LifeStep.UNDELETE, Life.DELETED): Life.ACTIVE,
    }
    for step, life in product(LifeStep, Life):
        view = with_life(life)
        if (step, life) in allowed:
            after = view.apply(lives.change_life(view, by("olive.marsh", "left"), JO, step))
            assert account(after, "jo.ward").life is allowed[step, life]
        else:
            with pytest.raises(Conflict):
                lives.change_life(view, by("olive.marsh", "left"), JO, step)


def test_who_never_chose_a_password_is_new_again() -> None:
    view = with_life(Life.SUSPENDED, Credential.ONE_TIME)
    after = view.apply(lives.change_life(view, by("olive.marsh"), JO, LifeStep.RESUME))
    assert account(after, "jo.ward").life is Life.NEW


@pytest.mark.parametrize("reason", ["", "she left us", "LEFT"])
def test_reason_is_a_code(reason: str) -> None:
    """Free text would stay in the ledger for ever."""
    for step in (LifeStep.SUSPEND, LifeStep.DELETE):
        with pytest.raises(BadValue, match="reason"):
            lives.change_life(VIEW, by("olive.marsh", reason), JO, step)


def test_note_stays_with_the_person() -> None:
    """What an administrator wrote is in the account, not in the entry."""
    change = lives.change_life(VIEW, by("olive.marsh", "absent"), JO, LifeStep.SUSPEND, note="ill")
    after = account(VIEW.apply(change), "jo.ward")
    assert (after.state_reason, after.state_note) == ("absent", "ill")
    assert change.entry is not None
    assert (change.entry.reason, "ill" in str(change.entry)) == ("absent", False)
    for note in ("x" * 1_001, "\x1b[2J"):
        with pytest.raises(BadValue, match="note"):
            lives.change_life(VIEW, by("olive.marsh", "absent"), JO, LifeStep.SUSPEND, note=note)


def test_nobody_is_taken_down_from_below() -> None:
    """An organisation's administrator suspends nobody who has more than they could give; helpdesk nobody at all."""
    view = community(role("sam.hill", Role.COMMUNITY_ADMINISTRATOR))
    sam = AccountId(identifier("sam.hill"))
    for who, whom in (("olive.marsh", sam), ("henry.desk", JO), ("jo.ward", JO)):
        with pytest.raises(NotAllowed):
            lives.change_life(view, by(who, "left"), whom, LifeStep.SUSPEND)
    assert lives.change_life(view, by("ada.central", "left"), sam, LifeStep.SUSPEND).put
    with pytest.raises(NotFound):
        lives.change_life(VIEW, by(), AccountId(identifier("nobody")), LifeStep.RESUME)


def test_the_last_administrator_stays() -> None:
    """Neither the community nor an organisation loses its last administrator who can work."""
    ada = AccountId(identifier("ada.central"))
    for step in (LifeStep.SUSPEND, LifeStep.DELETE):
        with pytest.raises(Conflict, match="administer"):
            lives.change_life(VIEW, by("ada.central", "left"), ada, step)
    view = community(role("sam.hill", Role.COMMUNITY_ADMINISTRATOR))
    suspended = view.apply(lives.change_life(view, by("sam.hill", "left"), ada, LifeStep.SUSPEND))
    with pytest.raises(Conflict, match="administer"):
        lives.change_life(suspended, by("sam.hill", "left"), AccountId(identifier("sam.hill")), LifeStep.DELETE)


def test_undelete_in_time() -> None:
    """Until the time is over; after it, and after the end has begun, never."""
    view = with_life(Life.DELETED)
    assert lives.change_life(view, by("olive.marsh"), JO, LifeStep.UNDELETE, undelete_within=1).put
    with pytest.raises(Conflict, match="over"):
        lives.change_life(view, by("olive.marsh"), JO, LifeStep.UNDELETE, undelete_within=0)
    ended = view.apply(destruction.begin(view, by(), JO, NOW + 1))
    with pytest.raises(Conflict, match="destroyed"):
        lives.change_life(ended, by("olive.marsh"), JO, LifeStep.UNDELETE)


def test_not_into_a_deleted_organisation() -> None:
    """It was empty when it was deleted, and is had back first."""
    view = with_state(with_life(Life.DELETED), "crime", OrganisationState.DELETED)
    with pytest.raises(Conflict, match="organisation"):
        lives.change_life(view, by("ada.central"), JO, LifeStep.UNDELETE)


def test_the_end() -> None:
    """Leaves lists, shared mailboxes and roles without the person, and the address reserved for its time."""
    where, address = OrganisationId(identifier("crime")), states_address()
    mail_list = MailList(
        id=ListId(b"l" * 16), organisation=where, slug="all", name="All", members=(address, "x@y"), managers=(JO,)
    )
    shared = SharedMailbox(
        id=MailboxId(b"s" * 16),
        organisation=where,
        slug="duty",
        name="Duty",
        members=(SharedMember(account=JO, rights=(MailboxRight.READ,)),),
        managers=(JO,),
    )
    held = role("jo.ward", Role.HELPDESK)
    desk = address_of(f"duty@avon.{SUFFIX}", shared.id, OwnerKind.SHARED_MAILBOX)
    view = with_life(Life.DELETED).apply(Change(put=(mail_list, shared, desk, held)))
    with pytest.raises(Conflict):
        destruction.begin(view, by(), JO, NOW)
    ended = view.apply(destruction.begin(view, by(), JO, NOW + 1))
    assert destruction.due(account(ended, "jo.ward"), 0)
    with pytest.raises(Conflict):
        destruction.begin(ended, by(), JO, NOW + 1)
    after = ended.apply(destruction.finish(ended, JO, 100))
    assert (after.account(JO), list(after.roles_of(JO))) == (None, [])
    found, box = after.mail_list(mail_list.id), after.shared_mailbox(shared.id)
    assert found is not None
    assert (found.members, found.managers) == (("x@y",), ())
    assert box is not None
    assert (box.members, box.managers) == ((), ())
    assert (after.address(address), bool(after.reserved_address(address))) == (None, True)
    later = after.apply(Change(), moment=NOW + 100)
    assert later.reserved_address(address) is None
    assert problems(after) == []
    assert destruction.finish(after, JO, 100) == Change()


def states_address() -> str:
    """The primary address of jo.ward."""
    return next(record.address for record in VIEW.addresses_of(JO) if not record.alias)


def test_nobody_ends_who_was_not_deleted() -> None:
    with pytest.raises(CommunityError):
        destruction.begin(VIEW, by(), JO, NOW + 1)
    with pytest.raises(CommunityError):
        destruction.finish(VIEW, JO, 1)
    assert not states.takes_mail(account(with_life(Life.DELETED), "jo.ward"))
