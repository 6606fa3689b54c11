"""What tests of acts share."""

from cjsm.community.acts import accounts
from cjsm.community.identifiers import (
    AccountId,
    MailboxId,
    OrganisationId,
    SecretId,
)
from cjsm.community.memory import MemoryView
from cjsm.community.records import (
    Account,
    DevicePassword,
    Profile,
)
from tests.community.communities import (
    NOW,
    community,
    identifier,
)

VIEW = community()
JO = AccountId(identifier("jo.ward"))
PROFILE = Profile(first_name="New", last_name="Comer")


def new_account(name: str = "new.comer", where: str = "crime", abbreviation: str = "avon") -> Account:
    """Somebody who is not there yet."""
    return accounts.new_hosted(
        AccountId(identifier(name)),
        MailboxId(identifier(f"m-{name}")),
        OrganisationId(identifier(where)),
        f"{name}@{abbreviation}",
        PROFILE,
        0,
    )


def device(name: str = "laptop", *protocols: str) -> DevicePassword:
    """A device password."""
    return DevicePassword(id=SecretId(identifier(name)), name=name, protocols=protocols or ("smtp",), created=NOW)


def account(view: MemoryView, name: str) -> Account:
    """Somebody who is there."""
    found = view.account(AccountId(identifier(name)))
    assert found is not None
    return found
