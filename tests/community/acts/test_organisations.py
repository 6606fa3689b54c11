"""Organisations: what may be made where, and what their states need."""

import pytest

from cjsm.community import finding
from cjsm.community.acts import organisations
from cjsm.community.errors import BadValue, Conflict, Exists, NotAllowed, NotFound
from cjsm.community.identifiers import (
    OrganisationId,
)
from cjsm.community.memory import MemoryView
from cjsm.community.records import (
    OrganisationState,
)
from tests.community.communities import (
    by,
    identifier,
    organisation,
)

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


def test_states_of_organisations() -> None:
    """Want a reason; only an empty one is deleted."""
    firm = OrganisationId(identifier("firm"))
    with pytest.raises(BadValue):
        organisations.set_state(VIEW, by(reason=""), firm, OrganisationState.SUSPENDED)
    assert organisations.set_state(VIEW, by(), firm, OrganisationState.SUSPENDED).put
    with pytest.raises(Conflict):
        organisations.set_state(VIEW, by(), firm, OrganisationState.DELETED)
    with pytest.raises(NotFound):
        organisations.set_state(VIEW, by(), OrganisationId(identifier("no")), OrganisationState.ACTIVE)
