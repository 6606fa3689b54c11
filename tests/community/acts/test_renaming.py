"""Other names, and the addresses of before."""

import msgspec
import pytest

from cjsm.community import finding
from cjsm.community.acts import renaming
from cjsm.community.acts.renaming import Name, OldAddress
from cjsm.community.address import Address
from cjsm.community.errors import BadValue, Conflict, Exists, NotAllowed, NotFound
from cjsm.community.identifiers import AccountId
from cjsm.community.invariants import problems
from cjsm.community.memory import MemoryView
from cjsm.community.records import Life, MailList
from tests.community.communities import CRIME_LIST, NOW, address, by, community, hosted, identifier

from .support import JO, VIEW, account

DAY = 86_400
OLD = OldAddress(90 * DAY, 270 * DAY)
JO_HILL = Name(first="Jo", last="Hill")
RE = AccountId(identifier("re.layed"))


def at(view: MemoryView, moment: int) -> MemoryView:
    return MemoryView(view._records.values(), suffix=view.suffix, moment=moment, number=view.number)


def renamed(name: Name = JO_HILL, view: MemoryView = VIEW) -> MemoryView:
    return view.apply(renaming.rename(view, by("olive.marsh"), JO, name, OLD))


def test_renamed() -> None:
    """Another user ID and address; the old one delivers three months and is nobody else's for nine."""
    after = renamed()
    assert problems(after) == []
    made = account(after, "jo.ward")
    before = account(VIEW, "jo.ward")
    assert (made.user_id, made.profile.last_name, made.version) == ("jo.hill@avon", "Hill", before.version + 1)
    assert (made.mailbox, made.keys, made.mailbox_keys) == (before.mailbox, before.keys, before.mailbox_keys)
    assert finding.primary_address(after, JO) == "jo.hill@avon.cjsm.test"
    old = "jo.ward@avon.cjsm.test"
    for days, delivers, reserved in ((0, True, True), (89, True, True), (91, False, True), (271, False, False)):
        then = at(after, NOW + days * DAY)
        assert (then.address(old) is not None) is delivers
        assert (then.reserved_address(old) is not None) is reserved
    assert after.account_of_user_id("jo.ward@avon") is None
    assert finding.account_of(after, old).id == JO


def test_lists() -> None:
    """Those that had the old address have the new one, in its place."""
    found = renamed().mail_list(CRIME_LIST.id)
    assert isinstance(found, MailList)
    assert found.members == ("jo.hill@avon.cjsm.test", *CRIME_LIST.members[1:])
    assert found.version == CRIME_LIST.version + 1


def test_and_back() -> None:
    """The own address of before is the own one again; only one is primary."""
    twice = renamed(Name(first="Jo", last="Ward"), renamed())
    assert account(twice, "jo.ward").user_id == "jo.ward@avon"
    record = twice.address("jo.ward@avon.cjsm.test")
    assert record is not None
    assert (record.alias, record.delivers_until) == (False, None)
    assert problems(twice) == []
    found = twice.mail_list(CRIME_LIST.id)
    assert found is not None
    assert found.members == CRIME_LIST.members


def test_a_namesake() -> None:
    """Who has the name of somebody else gets -2; a user ID that is given has to be free."""
    view = community(*hosted("jo.hill", "avon", "avon"))
    assert account(renamed(view=view), "jo.ward").user_id == "jo.hill-2@avon"
    with pytest.raises(Exists):
        renamed(msgspec.structs.replace(JO_HILL, user_id="jo.hill@avon"), view)
    with pytest.raises(BadValue, match="@avon"):
        renamed(msgspec.structs.replace(JO_HILL, user_id="jo.hill@firm"))


def test_an_address_that_is_still_somebodys() -> None:
    """Nine months are kept, whoever asks; afterwards the address can be given."""
    old = address("jo.hill@avon.cjsm.test", identifier("gone"), delivers_until=1, reserved_until=NOW + 5)
    view = community(old)
    with pytest.raises(Exists):
        renamed(msgspec.structs.replace(JO_HILL, user_id="jo.hill@avon"), view)
    after = renamed(JO_HILL, at(view, NOW + 5))
    assert account(after, "jo.ward").user_id == "jo.hill@avon"


def test_the_same_user_id() -> None:
    """A name can be put right without another address."""
    after = renamed(Name(first="Joanna", last="Ward", user_id="jo.ward@avon"))
    assert finding.primary_address(after, JO) == "jo.ward@avon.cjsm.test"
    assert len(list(after.addresses_of(JO))) == 1


def test_relayed() -> None:
    """The address stays, or becomes another of the organisation's own domains."""
    name = Name(first="Re", last="Named")
    after = VIEW.apply(renaming.rename(VIEW, by(), RE, name, OLD))
    assert account(after, "re.layed").user_id == "re.named@firm"
    assert finding.primary_address(after, RE) == "re.layed@firm.co.uk.cjsm.test"
    other = msgspec.structs.replace(name, address=Address("re.named", "firm.co.uk.cjsm.test"))
    after = VIEW.apply(renaming.rename(VIEW, by(), RE, other, OLD))
    assert finding.primary_address(after, RE) == "re.named@firm.co.uk.cjsm.test"
    assert after.address("re.layed@firm.co.uk.cjsm.test") is not None
    with pytest.raises(BadValue):
        renaming.rename(VIEW, by(), RE, msgspec.structs.replace(name, address=Address("re", "avon.cjsm.test")), OLD)
    with pytest.raises(BadValue, match="follows"):
        renaming.rename(VIEW, by(), JO, other, OLD)


def test_who_may() -> None:
    """Who looks after the person; nobody who is deleted."""
    for who in ("jo.ward", "henry.desk", "law.yer"):
        with pytest.raises(NotAllowed):
            renaming.rename(VIEW, by(who), JO, JO_HILL, OLD)
    deleted = community(*hosted("jo.ward", "crime", "avon", life=Life.DELETED))
    with pytest.raises(Conflict):
        renaming.rename(deleted, by(), JO, JO_HILL, OLD)


def test_aliases() -> None:
    """Deliver until they are taken away; then they are nobody's for a time; nobody else has them."""
    sergeant = Address("sergeant", "avon.cjsm.test")
    after = VIEW.apply(renaming.add_alias(VIEW, by("olive.marsh"), JO, sergeant, 1))
    record = after.address(str(sergeant))
    assert record is not None
    assert (record.owner, record.alias) == (JO, True)
    with pytest.raises(Conflict, match="at most 1"):
        renaming.add_alias(after, by(), JO, Address("other", "avon.cjsm.test"), 1)
    for taken in ("sergeant", "desk", "sam.hill"):
        with pytest.raises(Exists):
            renaming.add_alias(after, by(), JO, Address(taken, "avon.cjsm.test"), 5)
    with pytest.raises(BadValue):
        renaming.add_alias(after, by(), JO, Address("jo", "firm.cjsm.test"), 5)
    with pytest.raises(Conflict, match="own address"):
        renaming.remove_alias(after, by(), JO, Address("jo.ward", "avon.cjsm.test"), DAY)
    gone = after.apply(renaming.remove_alias(after, by(), JO, sergeant, DAY))
    assert gone.address(str(sergeant)) is None
    assert gone.reserved_address(str(sergeant)) is not None
    again = gone.apply(renaming.add_alias(gone, by(), JO, sergeant, 1))
    assert again.address(str(sergeant)) is not None
    with pytest.raises(NotFound):
        renaming.remove_alias(VIEW, by(), JO, sergeant, DAY)
    assert problems(again) == []
