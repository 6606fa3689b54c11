"""Who recovers what after somebody, or an organisation, is somewhere else."""

import os
from functools import partial

import msgspec
import pytest

from cjsm.access.mailboxkeys import read_mailbox_keys
from cjsm.community.acts import merging, moving, organisations, transfers
from cjsm.community.acts.merging import Merge
from cjsm.community.acts.renaming import OldAddress
from cjsm.community.errors import NotAllowed
from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import (
    COMMUNITY,
    Account,
    Organisation,
    Recovery,
    Role,
)

from .support import ORGANISATION, PASSWORD, now
from .test_recovering import OLIVE, UNA, Place, place, shared_desk

__all__ = ["place"]


def add_region(place: Place) -> tuple[OrganisationId, Account]:
    """Add another top organisation with a recovery officer; return both."""
    region = OrganisationId(b"the region above")
    above = Organisation(id=region, parent=None, slug="region", name="Region", abbreviation="region")
    place.house.commit(lambda view, by: organisations.add(view, by, above))
    chief = place.house.join("chief.two", PASSWORD)
    place.grant(chief, Role.ORGANISATION_ADMINISTRATOR, region)
    place.appoint(chief, region, PASSWORD)
    return region, chief


def test_moved_organisation(place: Place) -> None:
    """After a move mail is sealed to who is above now; nobody's mail closes, and what came before stays as it was."""
    region, chief = add_region(place)
    place.deliver(b"before\r\n")
    place.house.moment += 10
    place.house.commit(lambda view, by: moving.move(view, by, ORGANISATION, region))
    place.house.moment += 10
    assert place.rotate() == "4 mailboxes rotated"
    assert place.rotate() == "0 mailboxes rotated"
    record = read_mailbox_keys(place.house.keys, place.mailbox, place.house.account(place.jo.id).mailbox_keys)
    assert [(wrap.organisation, wrap.counter_signer) for wrap in record.recovery] == [
        (ORGANISATION, COMMUNITY),
        (ORGANISATION, region),
    ]
    place.deliver(b"after\r\n")
    assert place.letters(secret=PASSWORD) == [b"before\r\n", b"after\r\n"]
    place.reset()
    request = place.request()
    with pytest.raises(NotAllowed):
        place.approve(request, place.una, UNA)
    place.approve(request, chief, PASSWORD)
    place.approve(request, place.olive, OLIVE)
    assert place.letters() == [b"after\r\n"]


def test_merged(place: Place) -> None:
    """What comes after is for the officers there, of people and shared mailboxes; what came before those of before
    still open, over an organisation that is no more.
    """
    region, chief = add_region(place)
    desk = shared_desk(place)
    place.deliver(b"before\r\n")
    place.house.moment += 10
    place.rotate()
    asked = Merge(organisation=ORGANISATION, into=region, old=OldAddress(90, 90))
    for by in [place.house.enrolment.by(reason="requested") for _ in range(4)]:
        place.house.moment += 10
        act = partial(merging.acts, by=by, merge=asked, entropy=os.urandom)
        now(place.house.community.commit_each(by.act_id, act))
    gone = place.house.community.read_now(lambda view: view.organisation(ORGANISATION))
    assert gone is not None
    assert merging.is_over(gone, region)
    place.house.moment += 10
    assert place.rotate() == "5 mailboxes rotated"
    assert place.rotate() == "0 mailboxes rotated"
    shared = place.house.community.read_now(lambda view: view.shared_mailbox(desk))
    assert shared is not None
    assert read_mailbox_keys(place.house.keys, desk, shared.keys).recovery[-1].organisation == region
    place.deliver(b"after\r\n")
    place.reset()
    newest = place.request()
    assert (newest.organisation, newest.counter_signer) == (region, COMMUNITY)
    place.approve(newest, place.una, UNA)
    place.approve(newest, chief, PASSWORD)
    # Everybody here has one name: who comes first has it there.
    name = place.house.account(place.jo.id).user_id
    assert place.letters(name) == [b"after\r\n"]
    place.both(place.request())
    assert place.letters(name) == [b"before\r\n", b"after\r\n"]


def test_moved_person(place: Place) -> None:
    """The same of one person: the mailbox alone begins anew, sealed to the officers of the other organisation."""
    region, _ = add_region(place)
    place.deliver(b"before\r\n")
    place.house.moment += 10
    assert place.rotate() == "4 mailboxes rotated"
    place.house.moment += 10
    place.house.commit(lambda view, by: transfers.move(view, by, place.jo.id, region, OldAddress(0, 1)))
    place.house.moment += 10
    assert place.rotate() == "1 mailboxes rotated"
    assert place.rotate() == "0 mailboxes rotated"
    record = read_mailbox_keys(place.house.keys, place.mailbox, place.house.account(place.jo.id).mailbox_keys)
    assert [wrap.organisation for wrap in record.recovery] == [ORGANISATION, ORGANISATION, region]
    place.deliver(b"after\r\n")
    assert place.house.account(place.jo.id).user_id == "jo.ward@region"


def test_moved_to_where_nothing_is_recovered(place: Place) -> None:
    """The officers of before open nothing of what comes after, of a person and of a whole organisation."""
    refuge = Organisation(
        id=OrganisationId(b"a refuge........"),
        parent=None,
        slug="refuge",
        name="Refuge",
        abbreviation="refuge",
        recovery=Recovery.NONE,
    )
    place.house.commit(lambda view, by: organisations.add(view, by, refuge))
    desk = msgspec.structs.replace(refuge, id=OrganisationId(b"a desk of avon.."), parent=ORGANISATION, slug="desk")
    desk = msgspec.structs.replace(desk, recovery=Recovery.TWO_PERSON, abbreviation="desk")
    place.house.commit(lambda view, by: organisations.add(view, by, desk))
    place.house.commit(lambda view, by: transfers.move(view, by, place.jo.id, desk.id, OldAddress(0, 1)))
    place.house.moment += 10
    place.rotate()

    def sealed() -> int:
        keys = place.house.account(place.jo.id).mailbox_keys
        return len(read_mailbox_keys(place.house.keys, place.mailbox, keys).recovery)

    for act in (
        lambda view, by: moving.move(view, by, desk.id, None),
        lambda view, by: transfers.move(view, by, place.jo.id, refuge.id, OldAddress(0, 1)),
    ):
        before = sealed()
        place.house.moment += 10
        place.house.commit(act)
        place.house.moment += 10
        assert place.rotate() == "1 mailboxes rotated"
        assert place.rotate() == "0 mailboxes rotated"
        assert sealed() == before, "the newest generation is nobody else's"
