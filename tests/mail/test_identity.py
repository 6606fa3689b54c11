"""Who a message may say it is from, and where it may ask answers to go."""

import pytest

from cjsm.community.admission import AccountOrigin, ConnectionOrigin, Origin, Service, ServiceOrigin
from cjsm.community.identifiers import AccountId, ConnectionId
from cjsm.configuration import MailSettings
from cjsm.mail.header import Header, HeaderReader
from cjsm.mail.identity import check_identity, on_behalf
from cjsm.mail.interfaces import Refused
from tests.community.communities import FIRM_CONNECTION, SUFFIX, community, identifier

from .support import DESK_ADDRESS, JO, JO_ADDRESS, LIST_ADDRESS, OLIVE_ADDRESS, SAM_ADDRESS

SAM = AccountOrigin(account=AccountId(identifier("sam.hill")))
FIRM = ConnectionOrigin(connection=ConnectionId(FIRM_CONNECTION.id))
OUTSIDE = "someone@evil.example"
RELAYED = f"re.layed@firm.co.uk.{SUFFIX}"
ANSWER_TO = (
    "Reply-To",
    "Disposition-Notification-To",
    "Return-Receipt-To",
    "Errors-To",
    "Mail-Reply-To",
    "Mail-Followup-To",
)
VIEW = community()


def header(text: str) -> Header:
    found = HeaderReader(MailSettings()).feed(text.encode() + b"\r\n")
    assert found is not None
    return found[0]


def problem(text: str, origin: Origin = JO, most: int = 100) -> str:
    """The refusal of a header; empty where it is taken."""
    try:
        check_identity(VIEW, origin, header(text), most)
    except Refused as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize(
    "written", [JO_ADDRESS, JO_ADDRESS.upper(), f"Jo <{JO_ADDRESS}>", f'"{SAM_ADDRESS}" <{JO_ADDRESS}>', DESK_ADDRESS]
)
def test_from_and_sender_are_ones_own(written: str) -> None:
    """An address of the account's, or of a shared mailbox that it may send for."""
    assert problem(f"From: {written}\r\n") == ""
    assert problem(f"From: {JO_ADDRESS}\r\nSender: {written}\r\n") == ""


@pytest.mark.parametrize(
    "written",
    [
        *(SAM_ADDRESS, OUTSIDE, RELAYED, LIST_ADDRESS, f"postmaster@{SUFFIX}", f"echo@{SUFFIX}"),
        *(f"nobody@avon.{SUFFIX}", "jo.ward@avon", "jo.ward@avon.uk", f"jo.ward+x@avon.{SUFFIX}"),
        *("", "<>", "Jo Ward", f"{JO_ADDRESS}, {SAM_ADDRESS}", f"{JO_ADDRESS}, {JO_ADDRESS}"),
        *(f"g: {JO_ADDRESS};", "g:;", f"{SAM_ADDRESS} <{JO_ADDRESS}>", f"<{SAM_ADDRESS}> <{JO_ADDRESS}>"),
        *(f"({SAM_ADDRESS}) {JO_ADDRESS}", f"{JO_ADDRESS}\x1f", f"{JO_ADDRESS}\xa0", f"\x0b{JO_ADDRESS}"),
        *(f"=?utf-8?q?{JO_ADDRESS}?=", f"<@{OUTSIDE.partition('@')[2]}:{JO_ADDRESS}>", f"{JO_ADDRESS}\r\n {OUTSIDE}"),
    ],
)
def test_nobody_elses_name_in_from_or_sender(written: str) -> None:
    """Nor a form that could be read as one."""
    for text in (f"From: {written}\r\n", f"From: {JO_ADDRESS}\r\nSender: {written}\r\n"):
        assert problem(text).startswith("550 5.7.1")


def test_the_refusal_names_the_field() -> None:
    """So that people know what to change."""
    assert "From: you may not send as" in problem(f"From: {SAM_ADDRESS}\r\n")
    assert "Sender: you may not send as" in problem(f"From: {JO_ADDRESS}\r\nSender: {SAM_ADDRESS}\r\n")
    assert "Reply-To names" in problem(f"From: {JO_ADDRESS}\r\nReply-To: {OUTSIDE}\r\n")
    assert "Reply-To field is not plain" in problem(f"From: {JO_ADDRESS}\r\nReply-To: <\r\n")


def test_reading_a_shared_mailbox_gives_no_right_to_its_name() -> None:
    """Sam reads the desk but may not send for it."""
    assert problem(f"From: {DESK_ADDRESS}\r\n", SAM).startswith("550 5.7.1")


@pytest.mark.parametrize("name", ANSWER_TO)
@pytest.mark.parametrize(
    "written",
    [SAM_ADDRESS, f"Sam <{SAM_ADDRESS}>, {OLIVE_ADDRESS}", f"g: {SAM_ADDRESS}, {DESK_ADDRESS};", LIST_ADDRESS, RELAYED],
)
def test_answers_may_go_to_members(name: str, written: str) -> None:
    """Anyone whom mail from here reaches."""
    assert problem(f"From: {JO_ADDRESS}\r\n{name}: {written}\r\n") == ""


@pytest.mark.parametrize("name", [*ANSWER_TO, "REPLY-TO", "errors-to"])
@pytest.mark.parametrize(
    "written",
    [
        *(OUTSIDE, f"{SAM_ADDRESS}, {OUTSIDE}", f"{SAM_ADDRESS},\r\n\t{OUTSIDE}", f"g: {SAM_ADDRESS}, {OUTSIDE};"),
        *("sam.hill@avon", "sam.hill@avon.gov.uk", f"nobody@avon.{SUFFIX}", f"x@other.org.{SUFFIX}"),
        *(f"<@evil.example:{SAM_ADDRESS}>", f"{OUTSIDE} {SAM_ADDRESS}", f"{SAM_ADDRESS}.evil.example"),
        *(f"{SAM_ADDRESS}\xa0", f"{SAM_ADDRESS}({OUTSIDE})", f"{SAM_ADDRESS};{OUTSIDE}"),
    ],
)
def test_answers_may_not_leave_the_community(name: str, written: str) -> None:
    """In whatever form the outsider is written."""
    assert problem(f"From: {JO_ADDRESS}\r\n{name}: {written}\r\n").startswith("550 5.7.1")


def test_every_occurrence_of_an_answer_to_field_is_looked_at() -> None:
    """Those that may stand more than once too."""
    text = f"From: {JO_ADDRESS}\r\nErrors-To: {SAM_ADDRESS}\r\nErrors-To: {OUTSIDE}\r\n"
    assert problem(text).startswith("550 5.7.1")


def test_only_so_many_may_be_asked_to_get_answers() -> None:
    """All fields together, each address once."""
    text = f"From: {JO_ADDRESS}\r\nReply-To: {SAM_ADDRESS}, {OLIVE_ADDRESS}, {SAM_ADDRESS}\r\n"
    assert problem(text, most=2) == ""
    assert "more than 1 addresses" in problem(text, most=1)
    assert "more than 2 addresses" in problem(f"{text}Errors-To: {DESK_ADDRESS}\r\n", most=2)


def test_to_and_cc_are_not_checked() -> None:
    """They say who else got it, wherever that was."""
    assert problem(f"From: {JO_ADDRESS}\r\nTo: {OUTSIDE}\r\nCc: whatever, <\r\nSubject: <{OUTSIDE}>\r\n") == ""


@pytest.mark.parametrize("written", [RELAYED, "re.layed@firm.co.uk"])
def test_a_connection_may_write_its_own_domain_without_suffix(written: str) -> None:
    """It is read in canonical form."""
    assert problem(f"From: {written}\r\nReply-To: {written}\r\n", FIRM) == ""
    assert problem(f"From: {written}\r\n").startswith("550 5.7.1")


def test_a_connection_sends_as_its_own_only() -> None:
    """Not as a hosted member, nor as an outsider."""
    for written in (JO_ADDRESS, OUTSIDE):
        assert problem(f"From: {written}\r\n", FIRM).startswith("550 5.7.1")


def test_the_service_is_checked_as_everybody_is() -> None:
    """A notice is from the community's own domain."""
    notice = ServiceOrigin(service=Service.NOTICE)
    assert problem(f"From: postmaster@{SUFFIX}\r\n", notice) == ""
    assert problem(f"From: {OUTSIDE}\r\n", notice).startswith("550 5.7.1")


@pytest.mark.parametrize(
    ("origin", "written", "who"),
    [
        (JO, DESK_ADDRESS, JO_ADDRESS),
        (JO, f"Desk <{DESK_ADDRESS.upper()}>", JO_ADDRESS),
        (JO, JO_ADDRESS, ""),
        (FIRM, RELAYED, ""),
        (ServiceOrigin(service=Service.NOTICE), f"postmaster@{SUFFIX}", ""),
    ],
)
def test_who_writes_for_a_shared_mailbox(origin: Origin, written: str, who: str) -> None:
    """The account itself; of anybody else there is nothing to tell."""
    told = check_identity(VIEW, origin, header(f"From: {written}\r\n"), 10)
    assert on_behalf(VIEW, origin, told) == who
