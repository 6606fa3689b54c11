"""People: added and locked."""

import msgspec
import pytest

from cjsm.community import finding
from cjsm.community.acts import accounts
from cjsm.community.address import Address
from cjsm.community.errors import BadValue, Conflict, Exists, NotAllowed
from cjsm.community.identifiers import (
    AccountId,
    OrganisationId,
)
from cjsm.community.invariants import problems
from cjsm.community.records import (
    Account,
    Life,
    OrganisationState,
)
from tests.community.communities import (
    FIRM_DOMAIN,
    SUFFIX,
    by,
    identifier,
    with_state,
)

from .support import JO, PROFILE, VIEW, account, new_account


def test_new_people() -> None:
    """Get an address from their user ID; nobody gets one that is taken or still reserved."""
    after = VIEW.apply(accounts.add_hosted(VIEW, by("olive.marsh"), new_account()))
    assert finding.primary_address(after, AccountId(identifier("new.comer"))) == f"new.comer@avon.{SUFFIX}"
    assert finding.account_of(after, "New.Comer@avon").life is Life.NEW
    with pytest.raises(Exists):
        accounts.add_hosted(after, by(), new_account())
    assert finding.free_user_id(after, "new.comer", "avon") == "new.comer-2@avon"
    with pytest.raises(BadValue):
        accounts.add_hosted(VIEW, by(), new_account(abbreviation="firm"))
    with pytest.raises(Conflict):
        accounts.add_hosted(with_state(VIEW, "avon", OrganisationState.SUSPENDED), by(), new_account())


def test_relayed_people() -> None:
    """Have an address in a domain of their own organisation, and no mailbox here."""
    made = Account(
        id=AccountId(identifier("r.new")),
        organisation=OrganisationId(identifier("firm")),
        kind=account(VIEW, "re.layed").kind,
        user_id="r.new@firm",
        profile=PROFILE,
    )
    own = Address.parse(f"r.new@{FIRM_DOMAIN.name}")
    assert problems(VIEW.apply(accounts.add_relayed(VIEW, by(), made, own))) == []
    with pytest.raises(BadValue):
        accounts.add_relayed(VIEW, by(), made, Address.parse(f"r.new@avon.{SUFFIX}"))
    elsewhere = msgspec.structs.replace(made, organisation=OrganisationId(identifier("avon")))
    with pytest.raises(BadValue):
        accounts.add_relayed(VIEW, by(), elsewhere, own)


def test_locking() -> None:
    """Leaves everything else as it was. The helpdesk lets people in again, it does not keep them out."""
    locked = VIEW.apply(accounts.set_locked(VIEW, by("olive.marsh"), JO, locked=True))
    assert account(locked, "jo.ward").locked
    free = locked.apply(accounts.set_locked(locked, by("henry.desk"), JO, locked=False))
    assert msgspec.structs.replace(account(free, "jo.ward"), version=1) == account(VIEW, "jo.ward")
    with pytest.raises(NotAllowed):
        accounts.set_locked(VIEW, by("henry.desk"), JO, locked=True)
