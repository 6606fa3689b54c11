"""The table of who may write to whom, as it is shown for a community."""

from collections.abc import Iterable, Iterator

import msgspec
from hypothesis import given

from cjsm.community import finding, matrix
from cjsm.community.admission import Accept
from cjsm.community.identifiers import OrganisationId
from cjsm.community.matrix import Cell
from cjsm.community.memory import MemoryView
from cjsm.community.records import Account, AccountKind, DomainState, OrganisationState
from tests.community.communities import (
    CRIME_LIST,
    FIRM_DOMAIN,
    SUFFIX,
    communities,
    community,
    identifier,
    with_state,
)


def table(view: MemoryView) -> dict[tuple[str, str], Cell]:
    """Every cell by its two classes."""
    return {(cell.origin, cell.recipient): cell for cell in matrix.cells(view, matrix.classes(view))}


def test_a_community() -> None:
    """Each kind and state is one class; what differs inside a class is said."""
    cells = table(community())
    said = {classes: cell.said for classes, cell in cells.items()}
    member, firm = "hosted account, Active", "server connection, live"
    assert said[member, member] == said[firm, member] == said[member, f"unlisted address, {firm}"] == "yes"
    assert said["relayed account, Active", member] == "no"
    assert said[member, "list for its members"] == "some"
    assert said["service: dsn", "list for its members"] == "no"
    assert said[member, "echo address"] == said[member, "helpdesk address"] == "yes"
    for nobody in ("nobody's address here", "address in a domain that is not approved", "address outside"):
        assert {answer for classes, answer in said.items() if classes[1] == nobody} == {"no"}


def test_counts() -> None:
    """How many stand behind a class, and few that stand for them."""
    found = {each.label: each for each in matrix.classes(community()).origins}
    assert found["hosted account, Active"].count == 8
    assert 3 <= len(found["hosted account, Active"].sending) <= 6
    assert found["server connection, live"].count == 1


def test_who_may_post_is_among_those_who_stand_for_all() -> None:
    """However few they are, and wherever they come in the order: a list that some may post to is never shown closed."""
    view = community()
    people = sorted(each.id for each in view.accounts() if each.kind is AccountKind.HOSTED)
    for last in people[-3:]:
        address = finding.primary_address(view, last)
        alone = msgspec.structs.replace(CRIME_LIST, members=(address,), managers=())
        assert table(community(alone))["hosted account, Active", "list for its members"].said == "some"


def test_states_are_classes_of_their_own() -> None:
    """A suspended organisation's people, and a suspended domain."""
    closed = with_state(community(), "avon", OrganisationState.SUSPENDED)
    assert "hosted account, Active, organisation suspended" in {each.label for each in matrix.classes(closed).origins}
    domain = msgspec.structs.replace(FIRM_DOMAIN, state=DomainState.SUSPENDED, listed_members_only=True)
    labels = {each.label for each in matrix.classes(community(domain)).recipients}
    assert "unlisted address, server connection, live, domain suspended, listed members only" in labels


def test_listed_members_send_where_only_they_are_members() -> None:
    """A connection is shown with a sender that it has."""
    view = community(msgspec.structs.replace(FIRM_DOMAIN, listed_members_only=True))
    assert table(view)["server connection, live", "hosted account, Active"].said == "yes"


def test_one_organisation_and_a_few() -> None:
    """Big communities are looked at in parts."""
    avon = OrganisationId(identifier("avon"))
    found = matrix.classes(community(), avon)
    assert {each.count for each in found.origins if each.label == "hosted account, Active"} == {4}
    assert not any("connection" in each.label for each in found.origins)
    watched = []

    def watch(accounts: Iterable[Account]) -> Iterator[Account]:
        for account in accounts:
            watched.append(account)
            yield account

    assert sum(each.count for each in matrix.classes(community(), limit=2, watch=watch).origins[:1]) <= 2
    assert len(watched) == 2


def test_an_empty_community() -> None:
    """Nothing but the service itself, which reaches nobody."""
    view = MemoryView(suffix=SUFFIX)
    assert {cell.said for cell in table(view).values()} == {"no"}


def test_lists_without_an_address_are_left_out() -> None:
    """They cannot be written to."""
    lost = msgspec.structs.replace(CRIME_LIST, id=identifier("lost"), who_may_post="community")
    assert "list for its community" not in {each.label for each in matrix.classes(community(lost)).recipients}


@given(communities())
def test_cells_say_what_admission_says(view: MemoryView) -> None:
    """Whatever state a community is in, yes means that all were accepted and no that none was."""
    for cell in table(view).values():
        accepted = [isinstance(answer.verdict, Accept) for answer in cell.answers]
        assert accepted
        assert cell.said == ("yes" if all(accepted) else "some" if any(accepted) else "no")
