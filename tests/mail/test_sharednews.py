"""New mail in a shared mailbox: its members hear that there is some, once an hour, and nothing of it."""

from pathlib import Path

import msgspec
import pytest

from cjsm.community.identifiers import MailboxId
from cjsm.community.records import Life, MailboxRight, SharedMember
from cjsm.notices.notice import Kind
from cjsm.store.interfaces import Unavailable
from tests.community.communities import DESK
from tests.notices.support import JO, OLIVE, SAM, Office, said

from .support import DESK_ADDRESS, SAM_ADDRESS, logged, result
from .weather import Fate

TELLING = msgspec.structs.replace(
    DESK, notice=True, members=(*DESK.members, SharedMember(account=OLIVE, rights=(MailboxRight.SEND,)))
)
LETTER = b"From: jo.ward@avon.cjsm.test\r\nSubject: a secret subject\r\n\r\nA secret text.\r\n"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    made.change(TELLING)
    made.worker.start()
    return made


def come(office: Office, to: str = DESK_ADDRESS) -> None:
    """A letter comes, is delivered, and whoever is to hear of it does."""
    office.send(LETTER, to)
    turn(office)


def turn(office: Office) -> None:
    for _ in range(8):
        office.clock.advance(0.2)
    office.tell()


def told(office: Office) -> list[tuple[Kind, bytes]]:
    return [(each.kind, each.account) for each in office.notices()]


BOTH = [(Kind.SHARED_NEW_MAIL, JO), (Kind.SHARED_NEW_MAIL, SAM)]


def test_members_who_read(office: Office) -> None:
    """By mail, with neither sender nor subject nor which mailbox it is; who only sends hears nothing."""
    come(office)
    assert told(office) == BOTH
    (letter,) = office.letters(SAM)
    assert letter["Subject"] == "New mail in a shared mailbox"
    whole = letter.as_string() + said(letter)
    assert "secret" not in whole
    assert "jo.ward" not in whole
    assert "desk@" not in whole


def test_once_an_hour(office: Office) -> None:
    """However much comes; each mailbox for itself."""
    for _ in range(5):
        come(office)
    assert told(office) == BOTH
    other = msgspec.structs.replace(TELLING, id=MailboxId(b"another desk 001"), slug="other")
    office.change(other)
    office.news.delivered({other.id})
    assert told(office) == BOTH * 2
    office.clock.advance(3_600)
    come(office)
    assert told(office) == BOTH * 3


def test_only_where_it_says_so(office: Office) -> None:
    """As it is made, a shared mailbox tells nobody."""
    office.change(DESK)
    come(office)
    assert told(office) == []


def test_not_of_a_deleted_one(office: Office) -> None:
    """What waited for it is delivered, and nobody can look."""
    office.send(LETTER, DESK_ADDRESS)
    office.change(msgspec.structs.replace(TELLING, life=Life.DELETED))
    turn(office)
    assert told(office) == []
    assert result(office.mail.usage(DESK.id)).messages == 1


def test_a_notice_leads_to_none(office: Office) -> None:
    """What comes to a member's own mailbox is no news of a shared one, a notice least of all."""
    come(office)
    for _ in range(20):
        turn(office)
    come(office, SAM_ADDRESS)
    assert told(office) == BOTH
    assert office.platter.entries == {}


def test_what_a_crash_keeps_from_being_kept(office: Office) -> None:
    """Is made after it: the spool forgets a delivery only when its members will hear of it."""
    office.send(LETTER, DESK_ADDRESS)
    office.forecast.foretell("done", Fate(error=Unavailable("the process ended")))
    with logged():
        turn(office)
    assert told(office) == BOTH
    office.process()
    office.worker.start()
    turn(office)
    assert told(office) == BOTH


def test_a_clock_that_was_put_back(office: Office) -> None:
    """Keeps nobody from being told."""
    come(office)
    name = b"news" + DESK.id + SAM
    office.desk._store.keep((), 0, None, remember=((name, int(office.clock.seconds()) + 90_000),))  # type: ignore[arg-type]
    come(office)
    assert told(office) == [*BOTH, BOTH[1]]
