"""Where a forward-path leads."""

import msgspec
import pytest

from cjsm.community.address import Address
from cjsm.community.identifiers import AccountId, ListId, MailboxId
from cjsm.community.memory import MemoryView
from cjsm.community.records import Life, MailList, OwnerKind, RelayLimits
from cjsm.mail.destinations import Destination, Destinations, Relayed, Through, destinations
from cjsm.mail.interfaces import Refused
from tests.community.communities import CRIME_LIST, FIRM_CONNECTION, SUFFIX, address, community, hosted, identifier

from .support import DESK, DESK_ADDRESS, JO, JO_ADDRESS, JO_MAILBOX, LIST_ADDRESS, SAM, SAM_ADDRESS, without_mailbox


def found(path: str, view: MemoryView | None = None) -> Destinations:
    return destinations(view or community(), JO, Address.parse(JO_ADDRESS), path)


def refused(path: str, view: MemoryView | None = None) -> str:
    with pytest.raises(Refused) as caught:
        found(path, view)
    return str(caught.value)


def listing(*members: str) -> MemoryView:
    """The community with a list of *members*."""
    mail_list = MailList(
        id=ListId(identifier("some")),
        organisation=CRIME_LIST.organisation,
        slug="some",
        name="Some",
        members=members,
    )
    return community(mail_list, address(f"some@avon.{SUFFIX}", mail_list.id, OwnerKind.LIST))


@pytest.mark.parametrize("path", [SAM_ADDRESS, SAM_ADDRESS.upper()])
def test_a_members_mailbox(path: str) -> None:
    """One, under its canonical address, with the default quota."""
    (only,) = found(path).every
    assert only == Destination(mailbox=SAM, address=SAM_ADDRESS, quota=0)
    assert not found(path).of_list


def test_quotas_come_along() -> None:
    """Of people and of shared mailboxes."""
    changed, _ = hosted("sam.hill", "avon", "avon", quota=77)
    assert found(SAM_ADDRESS, community(changed)).every[0].quota == 77
    assert found(DESK_ADDRESS).every == (Destination(mailbox=DESK, address=DESK_ADDRESS, quota=0),)


def test_postmaster_is_a_person() -> None:
    """The helpdesk's mailbox, under the address that was asked for."""
    (only,) = found(f"postmaster@{SUFFIX}").every
    assert found("PostMaster") == found(f"postmaster@{SUFFIX}")
    assert (only.mailbox, only.address) == (MailboxId(identifier("m-henry.desk")), f"postmaster@{SUFFIX}")


def test_a_list_is_its_members_each_once() -> None:
    """Members that take no mail are left out."""
    view = listing(SAM_ADDRESS, JO_ADDRESS, SAM_ADDRESS.upper(), f"nobody@avon.{SUFFIX}", "no address")
    got = found(f"some@avon.{SUFFIX}", view)
    assert got.of_list
    assert [each.mailbox for each in got.every] == [SAM, JO_MAILBOX]


def test_lists_that_reach_nobody_or_too_far() -> None:
    """A list of nobody is no way to reach anybody."""
    assert refused(f"some@avon.{SUFFIX}", listing()).startswith("550 5.1.1")
    assert refused(f"some@avon.{SUFFIX}", listing(f"nobody@avon.{SUFFIX}")).startswith("550 5.1.1")


def test_members_elsewhere() -> None:
    """A list reaches them over their organisation's connection, and its manager hears what goes wrong."""
    got = found(LIST_ADDRESS)
    assert got.of_list
    (behind,) = got.relayed
    assert (behind.connection, behind.address) == (FIRM_CONNECTION.id, f"re.layed@firm.co.uk.{SUFFIX}")
    assert behind.through == Through(address=LIST_ADDRESS, name=CRIME_LIST.name, reports_to="")


def test_bounces_of_a_list_go_to_a_manager_who_is_there() -> None:
    """The first who takes mail: one who left hears of nothing."""
    managed = msgspec.structs.replace(
        CRIME_LIST, managers=(AccountId(identifier("sam.hill")), AccountId(identifier("olive.marsh")))
    )
    (behind,) = found(LIST_ADDRESS, community(managed)).relayed
    assert behind.through is not None
    assert behind.through.reports_to == SAM_ADDRESS
    gone, _ = hosted("sam.hill", "avon", "avon", life=Life.DELETED)
    got = found(LIST_ADDRESS, community(managed, gone))
    assert {each.through.reports_to for each in (*got.every, *got.relayed) if each.through} == {
        f"olive.marsh@avon.{SUFFIX}"
    }


def test_an_organisations_own_server() -> None:
    """The connection of its domain, and no mailbox; the limit is the connection's own."""
    got = found(f"re.layed@firm.co.uk.{SUFFIX}")
    assert got == Destinations(
        relayed=(Relayed(connection=FIRM_CONNECTION.id, address=f"re.layed@firm.co.uk.{SUFFIX}", limit=0),)
    )
    narrow = msgspec.structs.replace(FIRM_CONNECTION, limits=RelayLimits(message_octets=1000))
    (behind,) = found(f"re.layed@firm.co.uk.{SUFFIX}", community(narrow)).relayed
    assert behind.limit == 1000


def test_the_echo() -> None:
    """It is no mailbox."""
    assert found(f"echo@{SUFFIX}") == Destinations(echo=True)


@pytest.mark.parametrize(
    ("path", "reply"),
    [
        ("someone@evil.example", "550 5.7.1"),
        (f"nobody@avon.{SUFFIX}", "550 5.1.1"),
        ("sam.hill@avon", "553 5.1.3"),
        ("", "553 5.1.3"),
        ("abuse", "553 5.1.3"),
        (f"@evil.example:{SAM_ADDRESS}", "553 5.1.3"),
        (f'"sam.hill"@avon.{SUFFIX}', "553 5.1.3"),
    ],
)
def test_refusals_say_what_admission_says(path: str, reply: str) -> None:
    """With its code."""
    assert refused(path).startswith(reply)


def test_a_mailbox_that_is_being_made() -> None:
    """Later, not never."""
    assert refused(SAM_ADDRESS, without_mailbox(community(), "sam.hill")).startswith("450 4.2.1")


def test_people_who_left_get_nothing() -> None:
    """A deleted account is nobody; a suspended one is kept for."""
    gone, _ = hosted("sam.hill", "avon", "avon", life=Life.DELETED)
    assert refused(SAM_ADDRESS, community(gone)).startswith("550 5.1.1")
    resting, _ = hosted("sam.hill", "avon", "avon", life=Life.SUSPENDED)
    assert found(SAM_ADDRESS, community(resting)).every[0].mailbox == SAM
    assert resting.id == AccountId(identifier("sam.hill"))
