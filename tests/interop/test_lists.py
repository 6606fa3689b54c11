"""Lists and shared mailboxes from end to end: made with ``cjsm``, written to over SMTP, read over POP3."""

import smtplib
from email import message_from_bytes
from email.message import Message

import pytest

from tests.interop.letters import letter
from tests.interop.sharing import share
from tests.running import Community

pytestmark = pytest.mark.interop


def _first(community: Community, person: dict[str, str]) -> Message:
    (read,) = community.messages(person, at_least=1).values()
    return message_from_bytes(read)


def test_a_list(community: Community) -> None:
    """Reaches its members once, under the list's name; strangers to it are refused; a list in a list counts."""
    jane, tom, priya = (
        community.person(name) for name in ("jane.smith@avon", "tom.harding@avon", "priya.jones@smithjones")
    )
    for person in (jane, tom, priya):
        community.empty(person)
    made = community.document(
        "list", "add", "avon-police", "all-crime", "--name", "All of crime", "--manager", "jane.smith@avon"
    )
    outer = community.document("list", "add", "avon-police", "everybody", "--name", "Everybody")
    assert community.document("list", "join", made["address"], tom["address"], priya["address"])["joined"] == 2
    assert community.document("list", "join", outer["address"], made["address"], jane["address"])["members"] == 2
    text = letter(jane, {"address": outer["address"]}, 5_000, "list")
    community.send(jane, {"address": outer["address"]}, text)
    for person in (jane, tom, priya):
        got = _first(community, person)
        assert got["List-Id"] == '"Everybody" <everybody.avon.cjsm.test>'
        assert got["List-Post"] == f"<mailto:{outer['address']}>"
        assert got["Return-Path"] == "<>"
        assert got["From"] == jane["address"]
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="only its organisation may write"):
        community.send(priya, {"address": made["address"]}, letter(priya, made, 5_000, "stranger"))
    assert community.document("list", "delete", made["address"])["list"] == "deleted"
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        community.send(jane, {"address": made["address"]}, letter(jane, made, 5_000, "deleted"))
    assert community.document("list", "show", outer["address"])["members"] == [jane["address"]]


def test_writing_for_a_shared_mailbox(community: Community) -> None:
    """Shown as "A on behalf of B": From is the mailbox's, Sender the member's; who may not send is refused."""
    jane, tom, reader = (
        community.person(name) for name in ("jane.smith@avon", "tom.harding@avon", "hannah.levy@smithjones")
    )
    community.empty(reader)
    desk = {"address": share(community, "charge-desk", jane, tom)}
    community.document("shared", "join", desk["address"], tom["user_id"], "--right", "read")
    community.send(jane, reader, letter(desk, reader, 5_000, "on behalf"))
    got = _first(community, reader)
    assert (got["From"], got["Sender"]) == (desk["address"], f"<{jane['address']}>")
    with pytest.raises(smtplib.SMTPDataError, match="may not send as"):
        community.send(tom, reader, letter(desk, reader, 5_000, "reader only"))
