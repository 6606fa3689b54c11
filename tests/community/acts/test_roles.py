"""Roles: granted and revoked."""

import pytest

from cjsm.community.acts import roles
from cjsm.community.errors import BadValue, Conflict, Exists, NotFound
from cjsm.community.identifiers import AccountId
from cjsm.community.records import OrganisationState, Role
from tests.community.communities import by, identifier, role, with_state

from .support import JO, VIEW, account


def test_roles() -> None:
    """Are given once, over an organisation where they need one; the last administrator stays."""
    made = role("jo.ward", Role.ORGANISATION_ADMINISTRATOR, "crime")
    after = VIEW.apply(roles.grant(VIEW, by("olive.marsh"), made))
    assert account(after, "jo.ward").version > account(VIEW, "jo.ward").version
    with pytest.raises(Exists):
        roles.grant(after, by(), made)
    with pytest.raises(BadValue):
        roles.grant(VIEW, by(), role("jo.ward", Role.ORGANISATION_ADMINISTRATOR))
    with pytest.raises(NotFound):
        roles.grant(VIEW, by(), role("jo.ward", Role.HELPDESK, "nowhere"))
    ada = AccountId(identifier("ada.central"))
    held = next(iter(VIEW.roles_of(ada)))
    with pytest.raises(Conflict):
        roles.revoke(VIEW, by(), ada, held.id)
    two = VIEW.apply(roles.grant(VIEW, by(), role("jo.ward", Role.COMMUNITY_ADMINISTRATOR)))
    assert list(two.apply(roles.revoke(two, by(), ada, held.id)).roles_of(ada)) == []
    with pytest.raises(NotFound):
        roles.revoke(VIEW, by(), JO, held.id)


def test_over_what_is_no_more() -> None:
    """There is nothing to do, nor below it: whoever has it back gives roles then."""
    gone = with_state(VIEW, "avon", OrganisationState.DELETED)
    for place in ("avon", "crime"):
        with pytest.raises(Conflict, match="deleted"):
            roles.grant(gone, by(), role("jo.ward", Role.HELPDESK, place))
