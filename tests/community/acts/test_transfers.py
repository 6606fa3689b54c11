"""People moved to other organisations."""

import msgspec
import pytest

from cjsm.community import finding
from cjsm.community.acts import renaming, transfers
from cjsm.community.acts.renaming import Name, OldAddress
from cjsm.community.address import Address
from cjsm.community.errors import Conflict, NotAllowed, NotFound
from cjsm.community.identifiers import AccountId, MailboxId, OrganisationId, RequestId
from cjsm.community.invariants import problems
from cjsm.community.memory import MemoryView
from cjsm.community.records import (
    MailList,
    OrganisationState,
    RecoveryRequest,
    RequestState,
    Role,
    SharedMailbox,
)
from cjsm.community.view import Change
from tests.community.communities import CRIME_LIST, DESK, NOW, by, community, identifier, role, with_state

from .support import JO, VIEW, account

AVON, CRIME, FIRM, REFUGE = (OrganisationId(identifier(name)) for name in ("avon", "crime", "firm", "refuge"))
LAWYER = AccountId(identifier("law.yer"))
OLD = OldAddress(0, 10)


def without_desk(view: MemoryView = VIEW) -> MemoryView:
    return view.apply(Change(removed=(DESK,)))


def test_within_one_top_organisation() -> None:
    """Everything stays but the place; the mailbox is known to be moved."""
    after = VIEW.apply(transfers.move(VIEW, by("olive.marsh"), JO, AVON, OLD))
    before, made = account(VIEW, "jo.ward"), account(after, "jo.ward")
    assert made == msgspec.structs.replace(before, organisation=AVON, moved=NOW, version=before.version + 1)
    assert problems(after) == []


def test_to_another_abbreviation() -> None:
    """Another user ID and address; the old one delivers as long as was said; lists follow."""
    view = without_desk()
    after = view.apply(transfers.move(view, by("ada.central"), JO, FIRM, OLD))
    assert account(after, "jo.ward").user_id == "jo.ward@firm"
    assert finding.primary_address(after, JO) == "jo.ward@firm.cjsm.test"
    assert after.address("jo.ward@avon.cjsm.test") is None
    assert after.reserved_address("jo.ward@avon.cjsm.test") is not None
    found = after.mail_list(CRIME_LIST.id)
    assert isinstance(found, MailList)
    assert "jo.ward@firm.cjsm.test" in found.members
    entry = transfers.move(view, by("ada.central"), JO, FIRM, OLD).entry
    assert entry is not None
    assert entry.words[:2] == (("user", "jo.ward@firm"), ("address", "jo.ward@firm.cjsm.test"))
    forwarded = view.apply(transfers.move(view, by("ada.central"), JO, FIRM, OldAddress(5, 10)))
    assert forwarded.address("jo.ward@avon.cjsm.test") is not None
    assert problems(after) == []


def test_other_names_of_the_place_of_before() -> None:
    """An alias, and an address that still delivered, end as the old address does: they may be meant for who follows."""
    view = without_desk()
    sergeant = Address("sergeant", "avon.cjsm.test")
    view = view.apply(renaming.add_alias(view, by("olive.marsh"), JO, sergeant, 5))
    longer = OldAddress(90, 270)
    view = view.apply(renaming.rename(view, by("olive.marsh"), JO, Name(first="Jo", last="Hill"), longer))
    names = [str(sergeant), "jo.ward@avon.cjsm.test", "jo.hill@avon.cjsm.test"]
    assert all(view.address(name) for name in names)
    after = view.apply(transfers.move(view, by("ada.central"), JO, FIRM, OLD))
    assert [after.address(name) for name in names] == [None] * 3
    assert all(after.reserved_address(name) for name in names)
    forwarded = view.apply(transfers.move(view, by("ada.central"), JO, FIRM, OldAddress(100, 10)))
    assert [record.delivers_until for name in names if (record := forwarded.address(name))] == [
        NOW + 100,
        NOW + 90,
        NOW + 100,
    ]
    within = view.apply(transfers.move(view, by("olive.marsh"), JO, AVON, OLD))
    assert [within.address(name) for name in names] == [view.address(name) for name in names]


def test_names_that_give_no_user_id() -> None:
    """What somebody is known by stays, where nothing could be made of their names."""
    jo = account(VIEW, "jo.ward")
    unwritten = msgspec.structs.replace(
        jo, profile=msgspec.structs.replace(jo.profile, first_name="李", last_name="雷")
    )
    after = (view := without_desk(community(unwritten))).apply(transfers.move(view, by(), JO, FIRM, OLD))
    assert account(after, "jo.ward").user_id == "jo.ward@firm"


def test_who_may() -> None:
    """Who looks after people in both places."""
    for who in ("olive.marsh", "henry.desk", "jo.ward"):
        with pytest.raises(NotAllowed):
            transfers.move(without_desk(), by(who), JO, FIRM, OLD)
    both = without_desk(community(role("olive.marsh", Role.ORGANISATION_ADMINISTRATOR, "firm")))
    assert transfers.move(both, by("olive.marsh"), JO, FIRM, OLD).entry


def refused(view: MemoryView, who: AccountId, to: OrganisationId, word: str) -> None:
    with pytest.raises(Conflict) as caught:
        transfers.move(view, by(), who, to, OLD)
    assert word in f"{caught.value} {caught.value.cure}"
    assert caught.value.cure or "already" in str(caught.value)


def test_what_keeps_somebody() -> None:
    """Roles, shared mailboxes, lists, domains, requests: each with what to do first."""
    refused(VIEW, AccountId(identifier("olive.marsh")), FIRM, "role revoke")
    refused(VIEW, JO, FIRM, "cjsm shared leave desk@avon.cjsm.test jo.ward@avon")
    managed = msgspec.structs.replace(CRIME_LIST, managers=(JO,))
    refused(without_desk(community(managed)), JO, FIRM, "cjsm list dismiss all@avon.cjsm.test jo.ward@avon")
    refused(VIEW, AccountId(identifier("re.layed")), AVON, "domain")
    refused(VIEW, JO, CRIME, "already")
    refused(with_state(VIEW, "refuge", OrganisationState.SUSPENDED), JO, REFUGE, "resume")
    waiting = RecoveryRequest(
        id=RequestId(identifier("r")), mailbox=MailboxId(identifier("m-jo.ward")), account=JO, beneficiary=JO,
        organisation=AVON, counter_signer=FIRM, generations=(1,), reason="other", state=RequestState.REQUESTED,
    )  # fmt: skip
    refused(community(waiting), JO, AVON, "recovery refuse")
    with pytest.raises(NotFound):
        transfers.move(VIEW, by(), JO, OrganisationId(identifier("nowhere")), OLD)


def test_what_does_not() -> None:
    """A role over what is above both, and a list of the same top organisation."""
    managed = msgspec.structs.replace(CRIME_LIST, managers=(JO,))
    assert transfers.move(community(managed), by(), JO, REFUGE, OLD).entry
    shared = VIEW.shared_mailbox(DESK.id)
    assert isinstance(shared, SharedMailbox)
    above = community(role("jo.ward", Role.ORGANISATION_ADMINISTRATOR, "avon"))
    assert transfers.move(above, by(), JO, REFUGE, OLD).entry
