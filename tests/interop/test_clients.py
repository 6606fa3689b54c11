"""Mail programs, set up word for word by ``docs/clients``, fetch, leave, delete and send."""

import email
import email.policy
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.interop.desk import Desk
from tests.interop.fetchers import Command, Fetcher, Mutt, unfolded
from tests.interop.letters import letter
from tests.interop.sharing import share
from tests.interop.sheets import Sheet
from tests.running import Community, without_trace

pytestmark = pytest.mark.interop
Program = Callable[[str], str]

#: Who uses which program.
FETCHERS: dict[str, Fetcher] = {
    "john.smith@smithjones": Command("getmail", "getmail", folds=True),
    "hannah.levy@smithjones": Command("fetchmail", "fetchmail", codes=(0, 1)),
    "liam.byrne@avon": Command("mpop-msmtp", "mpop"),
    "marek.nowak@avon": Command("scripts", "python3", "Mail/cjsm/*.eml"),
    "sian.obrien@avon": Mutt(),
}
LETTERS = {"first": 5_000, "second": 1_000_000, "third": 20_000}
_NAMES = {user_id: fetcher.program for user_id, fetcher in FETCHERS.items()}
every = pytest.mark.parametrize("user_id", FETCHERS, ids=_NAMES.get)
but_mutt = pytest.mark.parametrize("user_id", [each for each in FETCHERS if _NAMES[each] != "mutt"], ids=_NAMES.get)


@pytest.fixture
def desk(request: pytest.FixtureRequest, community: Community, program: Program) -> Iterator[Desk]:
    """The desk of somebody whose mailbox is empty, with the program set up."""
    user_id: str = request.getfixturevalue("user_id")
    program(FETCHERS[user_id].program)
    with at_desk(community, user_id) as made:
        made.set_up(Sheet(FETCHERS[user_id].sheet))
        yield made


def at_desk(community: Community, user_id: str) -> Desk:
    account = community.person(user_id)
    community.empty(account)
    return Desk(community, account, community.person("tom.harding@avon"))


def post(desk: Desk, letters: dict[str, int] = LETTERS) -> list[bytes]:
    """Send letters of so many octets to the desk's owner and return them."""
    sender = desk.told.recipient
    sent = [letter(sender, desk.account, octets, name) for name, octets in letters.items()]
    for each in sent:
        desk.community.send(sender, desk.account, each)
    return sent


def stored(desk: Desk, at_least: int) -> list[bytes]:
    """Return what lies in the mailbox."""
    return stored_for(desk.community, desk.account, at_least)


def stored_for(community: Community, account: dict[str, Any], at_least: int = 0) -> list[bytes]:
    """Return what *account* has in the mailbox."""
    return sorted(community.messages(account, at_least).values())


def kept(fetcher: Fetcher, desk: Desk) -> list[bytes]:
    """Return what the program has on its disk."""
    return seen_by(fetcher, fetcher.kept(desk))


def seen_by(fetcher: Fetcher, messages: list[bytes]) -> list[bytes]:
    """Return *messages* as the program may write them."""
    return sorted(unfolded(each) if fetcher.folds else each for each in messages)


@every
def test_left_on_server(desk: Desk, user_id: str) -> None:
    """Mail arrives octet for octet; a second run fetches nothing, a third one what is new."""
    fetcher = FETCHERS[user_id]
    sent = post(desk)
    whole = stored(desk, at_least=3)
    desk.session(lambda: fetcher.fetch(desk))
    assert sorted(without_trace(each) for each in whole) == sorted(sent)
    assert kept(fetcher, desk) == seen_by(fetcher, whole)

    again = desk.session(lambda: fetcher.fetch(desk))
    assert (again.messages, again.octets, again.deleted) == (0, 0, 0)
    assert kept(fetcher, desk) == seen_by(fetcher, whole)

    (new,) = post(desk, {"fourth": 5_000})
    whole = stored(desk, at_least=4)
    last = desk.session(lambda: fetcher.fetch(desk))
    assert last.octets < 2 * len(new)
    assert kept(fetcher, desk) == seen_by(fetcher, whole)
    assert stored(desk, at_least=4) == whole


@pytest.mark.parametrize("user_id", ["marek.nowak@avon"])
def test_utf8_header(desk: Desk, user_id: str) -> None:
    """The Python program asks for UTF8 and gets such a header as it was sent."""
    sender = desk.told.recipient
    sent = letter(sender, desk.account, 5_000, "header").replace(b"Statement", "Tystiolaeth tŷ".encode())
    session = desk.community.smtp(sender)
    session.sendmail(sender["address"], [desk.account["address"]], sent, ["SMTPUTF8", "BODY=8BITMIME"])
    session.quit()
    stored(desk, at_least=1)
    FETCHERS[user_id].fetch(desk)
    (got,) = FETCHERS[user_id].kept(desk)
    assert without_trace(got) == sent


@but_mutt
def test_deleted_when_fetched(desk: Desk, user_id: str) -> None:
    """What was fetched goes, with what was fetched and left before; what comes later stays."""
    fetcher, sheet = FETCHERS[user_id], Sheet(FETCHERS[user_id].sheet)
    post(desk, {"first": 5_000, "second": 5_000})
    stored(desk, at_least=2)
    desk.change(sheet, *sheet.deleting())
    session = desk.session(lambda: fetcher.fetch(desk))
    assert session.deleted == session.messages == len(fetcher.kept(desk)) == 2
    assert stored(desk, at_least=0) == []
    (later,) = post(desk, {"third": 5_000})
    (left,) = stored(desk, at_least=1)
    assert without_trace(left) == later


@but_mutt
def test_not_deleted_when_not_kept(desk: Desk, user_id: str) -> None:
    """A program that cannot write deletes nothing."""
    fetcher, sheet = FETCHERS[user_id], Sheet(FETCHERS[user_id].sheet)
    post(desk, {"first": 5_000, "second": 5_000})
    whole = stored(desk, at_least=2)
    desk.change(sheet, *sheet.deleting())
    desk.run("rm -rf Mail")
    desk.write("Mail", "in the way of the directory")
    with suppress(AssertionError):  # most of them end with an exit code that says so
        fetcher.fetch(desk)
    assert stored(desk, at_least=2) == whole


@but_mutt
def test_another_authority(desk: Desk, user_id: str) -> None:
    """A certificate that the named authority did not issue ends it, before any password is said."""
    post(desk, {"first": 5_000})
    stored(desk, at_least=1)
    _trust_another(desk)
    before = len(desk.sessions())
    with pytest.raises(AssertionError, match=r"(?i)certificate"):
        FETCHERS[user_id].fetch(desk)
    assert len(desk.sessions()) == before
    assert FETCHERS[user_id].kept(desk) == []


@pytest.mark.parametrize("user_id", ["sian.obrien@avon"])
def test_mutt_asks(desk: Desk, user_id: str) -> None:
    """mutt shows a certificate that it cannot verify; "reject" ends it."""
    mutt = FETCHERS[user_id]
    assert isinstance(mutt, Mutt)
    _trust_another(desk)
    before = len(desk.sessions())
    assert b"This certificate belongs to" in mutt.refuse(desk)
    assert len(desk.sessions()) == before


def _trust_another(desk: Desk) -> None:
    """Put another authority in the place of the community's."""
    desk.run(
        "openssl req -x509 -newkey ed25519 -nodes -keyout key.pem -out .config/cjsm/authority.pem -days 2"
        " -subj '/CN=Another authority' 2>/dev/null"
    )


@pytest.mark.parametrize("user_id", ["sian.obrien@avon"])
def test_mutt_deletes(desk: Desk, user_id: str) -> None:
    """Just what was marked."""
    mutt = FETCHERS[user_id]
    assert isinstance(mutt, Mutt)
    post(desk)
    whole = desk.community.messages(desk.account, at_least=3)
    session = desk.session(lambda: mutt.delete(desk))
    assert session.deleted == 1
    assert list(desk.community.messages(desk.account).items()) == list(whole.items())[1:]


@pytest.fixture(scope="module")
def front_desk(community: Community) -> tuple[dict[str, Any], dict[str, Any]]:
    """A shared mailbox, as two of its members have it."""
    members = [community.person(each) for each in ("priya.jones@smithjones", "hannah.levy@smithjones")]
    address = share(community, "front-desk", *members)
    one, other = (each | {"user_id": f"{each['user_id']}/front-desk", "address": address} for each in members)
    return one, other


@every
def test_shared_mailbox(
    community: Community,
    program: Program,
    front_desk: tuple[dict[str, Any], dict[str, Any]],
    user_id: str,
) -> None:
    """A name with a slash opens it; what one member deletes the other still has."""
    fetcher, sheet = FETCHERS[user_id], Sheet(FETCHERS[user_id].sheet)
    program(fetcher.program)
    one, other = front_desk
    had = stored_for(community, other)
    with Desk(community, one, community.person("tom.harding@avon")) as desk:
        desk.set_up(sheet)
        (sent,) = post(desk, {"shared": 5_000})
        whole = stored(desk, at_least=1)
        assert [without_trace(each) for each in whole] == [sent]
        if not isinstance(fetcher, Mutt):
            desk.change(sheet, *sheet.deleting())
        fetcher.fetch(desk)
        assert kept(fetcher, desk) == seen_by(fetcher, whole)
        if isinstance(fetcher, Mutt):
            fetcher.delete(desk)
        assert stored(desk, at_least=0) == []
    assert stored_for(community, other) == sorted(had + whole)


# Sending, and single commands


def test_msmtp(community: Community, program: Program) -> None:
    """msmtp sends what is in the file."""
    program("msmtp")
    _sends(community, "mpop-msmtp", "To send the message in a file")


def test_curl_sends(community: Community, program: Program) -> None:
    program("curl")
    _sends(community, "scripts", "To send the message in a file")


def _sends(community: Community, name: str, title: str) -> None:
    reader = community.person("tom.harding@avon")
    community.empty(reader)
    with at_desk(community, "grace.okafor@avon") as desk:
        desk.set_up(Sheet(name))
        sent = letter(desk.account, reader, 20_000, name)
        desk.write("letter.eml", sent)
        desk.run(desk.told.fill(Sheet(name).commands(title)))
    (read,) = community.messages(reader, at_least=1).values()
    assert without_trace(read) == sent


def test_mutt_sends(community: Community, program: Program) -> None:
    """mutt makes the message itself: text and attachment come."""
    program("mutt")
    reader = community.person("tom.harding@avon")
    community.empty(reader)
    with at_desk(community, "grace.okafor@avon") as desk:
        desk.set_up(Sheet("mutt"))
        desk.write("text", "Please find it enclosed.\n")
        desk.write("statement.pdf", b"%PDF-1.4\n" + bytes(range(256)) * 40)
        desk.run(desk.told.fill(Sheet("mutt").commands("To send without the window")))
        address = desk.account["address"]
    (read,) = community.messages(reader, at_least=1).values()
    assert read.startswith(f"Return-Path: <{address}>\r\n".encode())
    message = email.message_from_bytes(read, policy=email.policy.default)
    assert message["Subject"] == "Statement"
    (attached,) = message.iter_attachments()
    assert attached.get_content() == b"%PDF-1.4\n" + bytes(range(256)) * 40
    assert "Please find it enclosed." in message.get_body().get_content()


def test_curl(community: Community, program: Program) -> None:
    """Lists, reads octet for octet as often as one likes, and deletes just the one."""
    program("curl")
    with at_desk(community, "grace.okafor@avon") as desk:
        sheet = Sheet("scripts")
        desk.set_up(sheet)
        post(desk)
        whole = community.messages(desk.account, at_least=3)
        first, second, third = whole
        listed = desk.run(desk.told.fill(sheet.commands("To list numbers with unique-ids"))).decode().split()
        assert dict(zip(listed[::2], listed[1::2], strict=True)) == dict(zip("123", whole, strict=True))
        for _ in range(2):
            assert desk.run(desk.told.fill(sheet.commands("To read one message"))) == whole[second]
        desk.run(desk.told.fill(sheet.commands("To delete one message")))
        assert list(community.messages(desk.account)) == [first, third]


def test_either_name_signs_in_to_send(community: Community) -> None:
    """Outlook's "same settings as incoming" holds for a shared mailbox too, and for the address."""
    account: dict[str, Any] = community.person("grace.okafor@avon")
    for name in (account["address"], account["user_id"].upper(), f"{account['user_id']}/front-desk"):
        community.smtp(account | {"user_id": name, "password": account["device_password"]}).quit()


_RUN = re.compile(r"\]\(([\w-]+)\.md\) \| yes")


def test_sheets_are_complete() -> None:
    """Every page is linked; what a page that we run shows is done once, a file, or a command that a test runs."""
    pages = Path(__file__).parents[2] / "docs" / "clients"
    first = (pages / "README.md").read_text()
    assert all(f"({page.name})" in first for page in pages.glob("*.md") if page.name != "README.md")
    run = _RUN.findall(first)
    assert sorted(run) == sorted({each.sheet for each in FETCHERS.values()} | {"claws-mail"})
    source = "".join(path.read_text() for path in Path(__file__).parent.glob("*.py"))
    for name in run:
        sheet = Sheet(name)
        fences = re.findall("^```", (pages / f"{name}.md").read_text(), re.MULTILINE)
        assert len(fences) == 2 * len(sheet.titles()), f"{name}: a block has no line before it that ends with a colon"
        for title in sheet.titles():
            assert title.startswith("In `~/") or f'"{title}"' in source, f"{name}: nothing runs {title!r}"
