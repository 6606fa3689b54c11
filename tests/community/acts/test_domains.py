"""Domains of connections."""

import msgspec
import pytest

from cjsm.community.acts import domains
from cjsm.community.errors import BadValue, CommunityError, Conflict, Exists, NotAllowed, NotFound
from cjsm.community.identifiers import ConnectionId, OrganisationId
from cjsm.community.memory import MemoryView
from cjsm.community.records import Account, Connection, ConnectionState, Domain, DomainState, Life
from cjsm.community.view import Change
from tests.community.communities import FIRM_CONNECTION, FIRM_DOMAIN, SUFFIX, by, identifier, organisation

from .support import VIEW

SUSPENDED = msgspec.structs.replace(FIRM_CONNECTION, state=ConnectionState.SUSPENDED)


def domain(change: Change) -> Domain:
    """The domain that a change writes."""
    (found,) = (record for record in change.put if isinstance(record, Domain))
    return found


def test_add() -> None:
    """A domain is approved once, with or without the suffix; its connection's version rises."""
    change = domains.add(VIEW, by("ada.central"), "New.Example", FIRM_CONNECTION.id, listed_members_only=True)
    made = domain(change)
    assert (made.name, made.organisation, made.listed_members_only) == (
        f"new.example.{SUFFIX}",
        FIRM_CONNECTION.organisation,
        True,
    )
    (connection,) = (record for record in change.put if isinstance(record, Connection))
    assert connection.version == FIRM_CONNECTION.version + 1
    after = VIEW.apply(change)
    for name in ("new.example", f"new.example.{SUFFIX}", f"NEW.example.{SUFFIX.upper()}"):
        with pytest.raises(Exists):
            domains.add(after, by(), name, FIRM_CONNECTION.id)
    with pytest.raises(NotFound):
        domains.add(VIEW, by(), "a.example", ConnectionId(identifier("no")))
    with pytest.raises(NotAllowed):
        domains.add(VIEW, by("olive.marsh"), "a.example", FIRM_CONNECTION.id)


@pytest.mark.parametrize(
    "name",
    [
        *("localhost", "", f"avon.{SUFFIX}", SUFFIX, f"firm.co.uk.{SUFFIX}.{SUFFIX}", f"{SUFFIX}.{SUFFIX}", "1.2"),
        *("a..b", "a_b.example", "firm.co.uk.", "*.example", "\u0441.example", f"{'a.' * 122}{'b' * 9}"),
    ],
)
def test_names_that_are_not_taken(name: str) -> None:
    """The community's own, hosted ones, the suffix twice, and what is no domain."""
    with pytest.raises(BadValue):
        domains.add(VIEW, by(), name, FIRM_CONNECTION.id)


def test_below() -> None:
    """A connection serves the organisations below its own, and no other."""
    view = VIEW.apply(Change(put=(organisation("branch", "firm"),)))
    branch, avon = OrganisationId(identifier("branch")), OrganisationId(identifier("avon"))
    made = domain(domains.add(view, by(), "branch.example", FIRM_CONNECTION.id, organisation=branch))
    assert made.organisation == branch
    with pytest.raises(BadValue):
        domains.add(view, by(), "avon.example", FIRM_CONNECTION.id, organisation=avon)


def test_suspended_and_resumed() -> None:
    """With a reason, and not twice."""
    with pytest.raises(BadValue):
        domains.set_state(VIEW, by(reason=""), "firm.co.uk", DomainState.SUSPENDED)
    with pytest.raises(Conflict):
        domains.set_state(VIEW, by(), "firm.co.uk", DomainState.APPROVED)
    change = domains.set_state(VIEW, by(), "firm.co.uk", DomainState.SUSPENDED)
    assert domain(change).state is DomainState.SUSPENDED
    after = VIEW.apply(change)
    resumed = domain(domains.set_state(after, by(reason=""), FIRM_DOMAIN.name, DomainState.APPROVED))
    assert resumed.state is DomainState.APPROVED
    with pytest.raises(NotFound):
        domains.set_state(VIEW, by(), "other.example", DomainState.SUSPENDED)
    with pytest.raises(NotAllowed):
        domains.set_state(VIEW, by("olive.marsh"), "firm.co.uk", DomainState.SUSPENDED)


def without_members() -> MemoryView:
    """The community whose one relayed member is deleted."""
    member = VIEW.account_of_user_id("re.layed@firm")
    assert isinstance(member, Account)
    return VIEW.apply(Change(put=(msgspec.structs.replace(member, life=Life.DELETED),)))


def test_remove() -> None:
    """Nobody is left in it, and a live connection keeps one."""
    with pytest.raises(Conflict, match="live connection"):
        domains.remove(VIEW, by(), "firm.co.uk")
    with pytest.raises(Conflict, match=r"re\.layed@firm"):
        domains.remove(VIEW.apply(Change(put=(SUSPENDED,))), by(), "firm.co.uk")
    view = without_members().apply(Change(put=(SUSPENDED,)))
    change = domains.remove(view, by(), "firm.co.uk")
    assert change.removed == (FIRM_DOMAIN,)
    assert view.apply(change).domain(FIRM_DOMAIN.name) is None
    with pytest.raises(NotAllowed):
        domains.remove(view, by("olive.marsh"), "firm.co.uk")


def test_one_of_two_may_go() -> None:
    """A live connection with two domains loses one."""
    view = without_members()
    view = view.apply(domains.add(view, by(), "new.example", FIRM_CONNECTION.id))
    assert domains.remove(view, by(), "firm.co.uk").removed == (FIRM_DOMAIN,)


def test_exceptions() -> None:
    """Pairs in canonical form, each way unique, so that the map can be turned round."""
    jo = f"jo@firm.co.uk.{SUFFIX}"
    made = domain(domains.set_exceptions(VIEW, by(), "firm.co.uk", ((jo.upper(), "J.Law@mail.firm.example"),)))
    assert made.exceptions == ((jo, "j.law@mail.firm.example"),)
    swapped = ((jo, "al@firm.co.uk"), (f"al@firm.co.uk.{SUFFIX}", "jo@firm.co.uk"))
    assert len(domain(domains.set_exceptions(VIEW, by(), "firm.co.uk", swapped)).exceptions) == 2
    assert domain(domains.set_exceptions(VIEW, by(), "firm.co.uk", ())).exceptions == ()


@pytest.mark.parametrize(
    "pairs",
    [
        ((f"jo@avon.{SUFFIX}", "jo@mail.example"),),
        ((f"jo@firm.co.uk.{SUFFIX}", f"jo@mail.example.{SUFFIX}"),),
        ((f"jo@firm.co.uk.{SUFFIX}", "al@firm.co.uk"),),
        ((f"jo@firm.co.uk.{SUFFIX}", "a@b.example"), (f"jo@firm.co.uk.{SUFFIX}", "c@b.example")),
        ((f"jo@firm.co.uk.{SUFFIX}", "a@b.example"), (f"al@firm.co.uk.{SUFFIX}", "A@b.example")),
        ((f"jo@firm.co.uk.{SUFFIX}", "no address"),),
        tuple((f"p{number}@firm.co.uk.{SUFFIX}", f"p{number}@b.example") for number in range(1_001)),
    ],
    ids=["another domain", "suffix outside", "taken by the rule", "twice inside", "twice outside", "none", "too many"],
)
def test_exceptions_that_are_not_taken(pairs: tuple[tuple[str, str], ...]) -> None:
    """Said in words."""
    with pytest.raises(CommunityError):
        domains.set_exceptions(VIEW, by(), "firm.co.uk", pairs)


def test_exceptions_do_not_reach_into_another_domain() -> None:
    """Mail for one organisation is not made to look like another's."""
    view = VIEW.apply(domains.add(VIEW, by(), "other.example", FIRM_CONNECTION.id))
    with pytest.raises(BadValue, match=r"other\.example"):
        domains.set_exceptions(view, by(), "firm.co.uk", ((f"jo@firm.co.uk.{SUFFIX}", "jo@other.example"),))
