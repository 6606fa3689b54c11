"""Finding by the names that people give: paths, user IDs, addresses."""

import msgspec
import pytest

from cjsm.community import finding
from cjsm.community.errors import Conflict, NotFound
from cjsm.community.identifiers import AccountId, MailboxId, OrganisationId, text
from cjsm.community.records import AddressRecord, OwnerKind
from cjsm.community.view import Change
from tests.community.communities import (
    DESK,
    FIRM_CONNECTION,
    NOW,
    SUFFIX,
    community,
    hosted,
    identifier,
    organisation,
)

VIEW = community()
CRIME = OrganisationId(identifier("crime"))


@pytest.mark.parametrize("way", ["{}", "/{}/", "{upper}"])
def test_paths(way: str) -> None:
    """A path leads to its organisation and back, in either case, with or without outer slashes."""
    path = finding.path_of(VIEW, CRIME)
    found = finding.organisation_of(VIEW, way.format(path, upper=path.upper()))
    assert found.id == CRIME
    assert path.count("/") == 1
    assert finding.path_of(VIEW, None) == ""


@pytest.mark.parametrize("path", ["", "/", "nowhere", "avon/nowhere", "avon//crime"])
def test_paths_that_lead_nowhere(path: str) -> None:
    """The cure names the command that lists what there is."""
    with pytest.raises(NotFound) as refused:
        finding.organisation_of(VIEW, path)
    assert "organisation list" in refused.value.cure


def test_accounts() -> None:
    """A user is found by user ID or by any address, in either case, and by nothing else."""
    account = AccountId(identifier("jo.ward"))
    address = finding.primary_address(VIEW, account)
    found = VIEW.account(account)
    assert found is not None
    assert address.endswith(SUFFIX)
    for name in (found.user_id, address, found.user_id.upper(), address.upper()):
        assert finding.account_of(VIEW, name).id == account
    for name in ("", "jo.ward", "nobody@avon", f"nobody@avon.{SUFFIX}"):
        with pytest.raises(NotFound):
            finding.account_of(VIEW, name)


def test_a_user_id_of_before() -> None:
    """Is found while its address is nobody else's; whoever has it now comes first."""
    jo = AccountId(identifier("jo.ward"))
    old = AddressRecord(address=f"jo.old@avon.{SUFFIX}", owner_kind=OwnerKind.ACCOUNT, owner=jo, alias=True,
                        delivers_until=NOW - 5, reserved_until=NOW + 5)  # fmt: skip
    assert finding.account_of(community(old), "jo.old@avon").id == jo
    gone = msgspec.structs.replace(old, reserved_until=NOW)
    with pytest.raises(NotFound):
        finding.account_of(community(gone), "jo.old@avon")
    other, address = hosted("jo.old", "avon", "avon")
    assert finding.account_of(community(other, address), "jo.old@avon").id == other.id


def test_abbreviations() -> None:
    """The nearest abbreviation on the way up is in force; where there is none, that is said."""
    assert finding.abbreviation_for(VIEW, CRIME) == "avon"
    bare = organisation("bare")
    with pytest.raises(Conflict):
        finding.abbreviation_for(VIEW.apply(Change(put=(bare,))), bare.id)


def test_free_user_ids() -> None:
    """A name that is taken gets a number."""
    user_id = "jo.ward@avon"
    assert VIEW.account_of_user_id(user_id)
    assert finding.free_user_id(VIEW, "jo.ward", "avon") == "jo.ward-2@avon"
    assert finding.free_user_id(VIEW, "new.comer", "avon") == "new.comer@avon"


def test_connections() -> None:
    """By short name in either case, or by identifier; what is shown is what finds it."""
    for name in ("firm", "FIRM", FIRM_CONNECTION.id.hex(), FIRM_CONNECTION.id.hex().upper()):
        assert finding.connection_of(VIEW, name) == FIRM_CONNECTION
    assert finding.name_of(FIRM_CONNECTION) == "firm"
    old = msgspec.structs.replace(FIRM_CONNECTION, slug="")
    assert finding.connection_of(community(old), finding.name_of(old)) == old


@pytest.mark.parametrize("name", ["", "none", "00" * 16, "zz" * 16, "firm "])
def test_connections_that_are_not_there(name: str) -> None:
    """The cure names the command that lists what there is."""
    with pytest.raises(NotFound) as refused:
        finding.connection_of(VIEW, name)
    assert "connection list" in refused.value.cure


def test_mailboxes() -> None:
    """By whose they are, and back; by their identifiers where they are nobody's."""
    jos, nobodys = MailboxId(identifier("m-jo.ward")), MailboxId(identifier("m-nobody"))
    for name in ("jo.ward@avon", f"Jo.Ward@avon.{SUFFIX}", text(jos)):
        assert finding.mailbox_of(VIEW, name) == jos
    assert finding.mailbox_name(VIEW, jos) == "jo.ward@avon"
    assert finding.mailbox_of(VIEW, f"desk@avon.{SUFFIX}") == DESK.id
    assert finding.mailbox_name(VIEW, DESK.id) == f"desk@avon.{SUFFIX}"
    assert finding.mailbox_of(VIEW, finding.mailbox_name(VIEW, nobodys)) == nobodys
    for name in ("no.body@avon", "re.layed@firm", f"all@avon.{SUFFIX}", "12ab"):
        with pytest.raises(NotFound):
            finding.mailbox_of(VIEW, name)
