"""What states mean, for people and organisations."""

import pytest

from cjsm.community.identifiers import AccountId, OrganisationId
from cjsm.community.records import Credential, Life, OrganisationState
from cjsm.community.states import (
    administers,
    chain,
    display_name,
    may_send,
    may_sign_in,
    must_choose_password,
    organisation_state,
    takes_mail,
)
from tests.community.communities import community, hosted, identifier, with_state


@pytest.mark.parametrize(
    ("life", "credential", "locked", "name", "signs_in"),
    [
        (Life.NEW, Credential.ONE_TIME, False, "New User", True),
        (Life.NEW, Credential.ONE_TIME, True, "Locked (new user)", False),
        (Life.ACTIVE, Credential.CHOSEN, False, "Active", True),
        (Life.ACTIVE, Credential.CHOSEN, True, "Locked", False),
        (Life.ACTIVE, Credential.ONE_TIME, False, "Reset", True),
        (Life.ACTIVE, Credential.ONE_TIME, True, "Locked (reset)", False),
        (Life.SUSPENDED, Credential.CHOSEN, False, "Suspended", False),
        (Life.SUSPENDED, Credential.CHOSEN, True, "Suspended", False),
        (Life.DELETED, Credential.CHOSEN, False, "Deleted", False),
    ],
)
def test_accounts(life: Life, credential: Credential, locked: bool, name: str, signs_in: bool) -> None:
    """Three independent states, one name for people, one answer for doors."""
    account, _ = hosted("jo.ward", "crime", "avon", life=life, credential=credential, locked=locked)
    assert display_name(account) == name
    assert may_sign_in(community(), account) is signs_in
    assert may_send(community(), account) is signs_in
    assert must_choose_password(account) is (credential is Credential.ONE_TIME)
    assert takes_mail(account) is (life is not Life.DELETED)


def test_the_worst_state_above_counts() -> None:
    """An organisation below a suspended one is suspended, below a deleted one deleted."""
    view = community()
    crime = OrganisationId(identifier("crime"))
    assert [found.slug for found in chain(view, crime)] == ["crime", "avon"]
    assert organisation_state(view, crime) is OrganisationState.ACTIVE
    for state in (OrganisationState.SUSPENDED, OrganisationState.DELETED):
        assert organisation_state(with_state(view, "avon", state), crime) is state
    assert organisation_state(view, OrganisationId(identifier("nowhere"))) is OrganisationState.DELETED


def test_suspended_organisations_keep_their_administrators() -> None:
    """They sign in to put it right, and send nothing; others do not get in; of a deleted one nobody does."""
    for state, expected in ((OrganisationState.SUSPENDED, [True, False]), (OrganisationState.DELETED, [False, False])):
        view = with_state(community(), "avon", state)
        people = [view.account(AccountId(identifier(name))) for name in ("olive.marsh", "jo.ward")]
        assert [may_sign_in(view, person) for person in people if person] == expected
        assert not any(may_send(view, person) for person in people if person)


def test_administrators() -> None:
    """Of an organisation, or of one above it, or of everything."""
    view, crime = community(), OrganisationId(identifier("crime"))
    found = [
        name
        for name in ("olive.marsh", "ada.central", "henry.desk", "jo.ward")
        if administers(view, AccountId(identifier(name)), crime)
    ]
    assert found == ["olive.marsh", "ada.central"]
    assert not administers(view, AccountId(identifier("olive.marsh")), OrganisationId(identifier("firm")))
