"""Organisations: what may be made where, and what their states need."""

import msgspec
import pytest

from cjsm.community import finding
from cjsm.community.acts import lists, organisations, shared
from cjsm.community.address import Address
from cjsm.community.errors import BadValue, Conflict, Exists, NotAllowed, NotFound
from cjsm.community.identifiers import ListId, MailboxId, OrganisationId
from cjsm.community.memory import MemoryView
from cjsm.community.records import MailList, OrganisationState, Recovery
from tests.community.communities import CRIME_LIST, DESK, SUFFIX, by, identifier, organisation, with_state

from .support import VIEW


def test_organisations() -> None:
    """Are found by their path; names and abbreviations are there once; depth has an end."""
    after = VIEW.apply(organisations.add(VIEW, by("olive.marsh"), organisation("homicide", "crime")))
    found = finding.organisation_of(after, "Avon/crime/homicide")
    assert finding.path_of(after, found.id) == "avon/crime/homicide"
    assert finding.abbreviation_for(after, found.id) == "avon"
    with pytest.raises(Exists):
        organisations.add(after, by(), organisation("homicide", "crime"))
    with pytest.raises(Exists):
        organisations.add(VIEW, by(), organisation("other", abbreviation="avon"))
    with pytest.raises(NotFound):
        organisations.add(VIEW, by(), organisation("orphan", "nowhere"))
    with pytest.raises(NotAllowed):
        organisations.add(VIEW, by("olive.marsh"), organisation("another-top"))
    for path in ("avon/nothing", "", "//"):
        with pytest.raises(NotFound):
            finding.organisation_of(VIEW, path)
    view: MemoryView = VIEW
    for depth in range(31):
        above = f"d{depth - 1}" if depth else None
        view = view.apply(organisations.add(view, by(), organisation(f"d{depth}", above)))
    with pytest.raises(BadValue):
        organisations.add(view, by(), organisation("d31", "d30"))


FIRM, CRIME, AVON = (OrganisationId(identifier(slug)) for slug in ("firm", "crime", "avon"))


def test_states_of_organisations() -> None:
    """Want a reason from the list; each step has its states to start from."""
    with pytest.raises(BadValue):
        organisations.set_state(VIEW, by(reason=""), FIRM, OrganisationState.SUSPENDED)
    with pytest.raises(BadValue):
        organisations.set_state(VIEW, by(reason="because"), FIRM, OrganisationState.SUSPENDED)
    after = VIEW.apply(organisations.set_state(VIEW, by(reason="terms"), FIRM, OrganisationState.SUSPENDED))
    found = after.organisation(FIRM)
    assert found is not None
    assert (found.state_reason, found.state_since) == ("terms", VIEW.moment)
    with pytest.raises(Conflict):
        organisations.set_state(after, by(reason="terms"), FIRM, OrganisationState.SUSPENDED)
    assert organisations.set_state(after, by(), FIRM, OrganisationState.ACTIVE).put
    with pytest.raises(NotFound):
        organisations.set_state(VIEW, by(), OrganisationId(identifier("no")), OrganisationState.ACTIVE)


def test_only_an_empty_one_is_deleted() -> None:
    """What is in it is named: people, organisations, lists, shared mailboxes, connections, domains."""
    for place, inside in ((FIRM, "law.yer"), (CRIME, "jo.ward")):
        with pytest.raises(Conflict, match=inside):
            organisations.set_state(VIEW, by(reason="other"), place, OrganisationState.DELETED)
    view: MemoryView = VIEW.apply(organisations.add(VIEW, by(), organisation("empty", "crime")))
    empty = OrganisationId(identifier("empty"))
    moved = msgspec.structs.replace(CRIME_LIST, organisation=empty)
    held = MemoryView([*view._records.values(), moved], suffix=view.suffix, moment=view.moment, number=view.number)
    with pytest.raises(Conflict, match="the list all"):
        organisations.set_state(held, by(reason="other"), empty, OrganisationState.DELETED)
    view = view.apply(organisations.set_state(view, by("olive.marsh", "other"), empty, OrganisationState.DELETED))
    with pytest.raises(Exists):
        organisations.add(view, by(), organisation("empty", "crime"))
    back = view.apply(organisations.set_state(view, by("olive.marsh"), empty, OrganisationState.ACTIVE))
    assert finding.organisation_of(back, "avon/crime/empty").state is OrganisationState.ACTIVE


def test_nobody_ends_the_place_that_they_administer() -> None:
    """Those above do; its own administrators change what it is called."""
    with pytest.raises(NotAllowed):
        organisations.set_state(VIEW, by("olive.marsh", "other"), AVON, OrganisationState.SUSPENDED)
    assert organisations.set_state(VIEW, by("olive.marsh", "other"), CRIME, OrganisationState.SUSPENDED).put
    assert organisations.set_state(VIEW, by("ada.central", "other"), AVON, OrganisationState.SUSPENDED).put
    assert organisations.change(VIEW, by("olive.marsh"), AVON, name="Avon and Somerset").put
    with pytest.raises(NotAllowed):
        organisations.change(VIEW, by("olive.marsh"), FIRM, name="Ours")


def test_change() -> None:
    """What is given and differs; the ledger tells which fields, and the choice of recovery."""
    change = organisations.change(VIEW, by(), CRIME, name="Crime", area=" West ", recovery=Recovery.NONE)
    found = VIEW.apply(change).organisation(CRIME)
    assert found is not None
    assert (found.area, found.recovery, found.recovery_since) == ("West", Recovery.NONE, VIEW.moment)
    assert change.entry is not None
    told = dict(change.entry.details)
    assert (told["changed"], told["recovery"]) == ("area recovery", "none")
    again = VIEW.apply(change)
    with pytest.raises(BadValue):
        organisations.change(again, by(), CRIME, area="West", recovery=Recovery.NONE)
    cleared = again.apply(organisations.change(again, by(), CRIME, area="")).organisation(CRIME)
    assert cleared is not None
    assert cleared.area == ""
    with pytest.raises(BadValue):
        organisations.change(VIEW, by(), CRIME, name="")
    with pytest.raises(BadValue):
        organisations.change(VIEW, by(), CRIME, area="a\nb")


def test_an_abbreviation_is_given_once() -> None:
    """By who gives them; addresses end in it, so it stays."""
    after = VIEW.apply(organisations.change(VIEW, by("ada.central"), CRIME, abbreviation="crime"))
    assert finding.abbreviation_for(after, CRIME) == "crime"
    with pytest.raises(Conflict):
        organisations.change(after, by("ada.central"), CRIME, abbreviation="other")
    with pytest.raises(Exists):
        organisations.change(VIEW, by("ada.central"), CRIME, abbreviation="firm")
    with pytest.raises(NotAllowed):
        organisations.change(VIEW, by("olive.marsh"), CRIME, abbreviation="crime")
    with pytest.raises(BadValue):
        organisations.change(VIEW, by("ada.central"), CRIME, abbreviation="not one")


def test_nothing_comes_into_what_is_no_more() -> None:
    """Lists and shared mailboxes, here as an example, nor below it: a deleted organisation is empty."""
    gone = with_state(VIEW, "avon", OrganisationState.DELETED)
    news = MailList(
        id=ListId(identifier("news")), organisation=OrganisationId(identifier("crime")), slug="news", name="N"
    )
    desk = msgspec.structs.replace(DESK, id=MailboxId(identifier("second")), slug="second")
    with pytest.raises(Conflict, match="deleted"):
        lists.add(gone, by(), news, Address.parse(f"news@avon.{SUFFIX}"))
    with pytest.raises(Conflict, match="deleted"):
        shared.add(gone, by(), desk, Address.parse(f"second@avon.{SUFFIX}"))
    assert lists.add(VIEW, by(), news, Address.parse(f"news@avon.{SUFFIX}")).put
    assert shared.add(VIEW, by(), desk, Address.parse(f"second@avon.{SUFFIX}")).put
