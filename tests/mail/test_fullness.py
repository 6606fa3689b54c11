"""Mailboxes that fill up: told at 70, 90 and 100 %, once each time one is passed; and what organisations use."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import fail

from cjsm.community.identifiers import JobId
from cjsm.community.records import Job, Life
from cjsm.mail.fullness import LEVELS, FullnessJob, level
from cjsm.notices.notice import Kind
from cjsm.store.interfaces import Filling, Unavailable
from tests.community.communities import DESK, hosted, identifier
from tests.notices.support import JO, OLIVE, SAM, Office

from .support import DESK_ADDRESS, HOP, JO_ADDRESS, JO_MAILBOX, SAM_ADDRESS, logged, refusal, result
from .support import JO as JO_ORIGIN
from .weather import Fate

QUOTA = 100_000


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path, mail={"quota": QUOTA, "over_quota_grace": 60})
    made.worker.start()
    return made


def deliver(office: Office, octets: int, to: str = JO_ADDRESS) -> None:
    """A letter of about so many octets comes, and is looked at."""
    office.send(b"From: jo.ward@avon.cjsm.test\r\nSubject: x\r\n\r\n" + (b"x" * 70 + b"\r\n") * (octets // 72), to)
    for _ in range(8):
        office.clock.advance(0.2)
    office.tell(2)
    for _ in range(8):
        office.clock.advance(0.2)


def codes(office: Office, account: Any = JO) -> list[str]:
    return [each.code for each in office.notices(account)]


def test_each_level_once(office: Office) -> None:
    """The one that is reached, however many letters come at it; a notice of it is delivered too."""
    deliver(office, 60_000)
    assert codes(office) == []
    deliver(office, 12_000)
    assert codes(office) == ["70"]
    deliver(office, 1_000)
    deliver(office, 1_000)
    assert codes(office) == ["70"]
    deliver(office, 16_000)
    assert codes(office) == ["70", "90"]
    assert {each.account for each in office.notices()} == {JO}
    assert {each.kind for each in office.notices()} == {Kind.NEAR_QUOTA}


def test_one_jump(office: Office) -> None:
    """Over several levels is told once, as the last of them."""
    deliver(office, 95_000)
    assert codes(office) == ["90"]


def test_accepted_together(office: Office) -> None:
    """What was accepted is delivered even where it overdraws: nobody said how large it would be."""
    for _ in range(3):
        deliver(office, 45_000)
    assert result(office.mail.usage(JO_MAILBOX)).octets > QUOTA
    assert codes(office)[-1] == "100"


def test_refused_for_want_of_room(office: Office) -> None:
    """It counts as full then, and its owner hears why others' mail does not come; first 452, then 552."""
    deliver(office, 80_000)
    for expected in ((452, "4.2.2"), (552, "5.2.2")):
        message = result(office.acceptance.begin(JO_ORIGIN, JO_ADDRESS, HOP, 30_000))
        assert refusal(message.recipient(JO_ADDRESS)) == expected
        result(message.abort())
        office.tell()
        office.clock.advance(60)
    assert codes(office) == ["70", "100"]


def test_room_again(office: Office) -> None:
    """Some percent below a level it can be passed anew; just below it, mail that comes and goes is no news."""
    deliver(office, 72_000)
    assert codes(office) == ["70"]
    rows = result(office.mail.list(JO_MAILBOX)).rows
    result(office.mail.delete(JO_MAILBOX, [rows[0].delivery_id]))
    deliver(office, 66_500)
    deliver(office, 4_000)
    assert codes(office) == ["70"]
    for row in result(office.mail.list(JO_MAILBOX)).rows:
        result(office.mail.delete(JO_MAILBOX, [row.delivery_id]))
    deliver(office, 10_000)
    deliver(office, 62_000)
    assert codes(office) == ["70", "70"]


def test_a_shared_mailbox(office: Office) -> None:
    """Its managers hear of it, or where it has none the administrators; nobody of whose it is not."""
    deliver(office, 75_000, DESK_ADDRESS)
    assert [(each.kind, each.account) for each in office.notices()] == [(Kind.SHARED_NEAR_QUOTA, OLIVE)]
    office.change(msgspec.structs.replace(DESK, managers=(SAM,)))
    deliver(office, 18_000, DESK_ADDRESS)
    assert [(each.kind, each.account, each.code) for each in office.notices()][1:] == [
        (Kind.SHARED_NEAR_QUOTA, SAM, "90")
    ]


def test_a_deleted_shared_mailbox(office: Office) -> None:
    """Nobody hears of it, however full it is, before it is back."""
    deliver(office, 30_000, DESK_ADDRESS)
    full = msgspec.structs.replace(DESK, quota=1)
    office.change(msgspec.structs.replace(full, life=Life.DELETED))
    assert not result(office.fullness.look(DESK.id))
    office.change(full)
    assert result(office.fullness.look(DESK.id))
    assert [each.kind for each in office.notices()] == [Kind.SHARED_NEAR_QUOTA]


_JOB = Job(id=JobId(identifier("job")), kind="capacity", due=0)


def test_each_day(office: Office) -> None:
    """A smaller quota, or what a crash kept from being looked at, is found; a mailbox that cannot be read is left."""
    deliver(office, 30_000)
    deliver(office, 30_000, SAM_ADDRESS)
    office.change(*hosted("jo.ward", "crime", "avon", quota=40_000), *hosted("sam.hill", "avon", "avon", quota=40_000))
    job = FullnessJob(office.fullness, office.mail)
    office.forecast.foretell("filling", Fate(error=Unavailable("away")))
    with logged() as texts:
        assert result(job.run(_JOB)) == "owners of 1 mailboxes told"
    assert any("was not looked at" in text for text in texts)
    assert result(job.run(_JOB)) == "owners of 1 mailboxes told"
    assert result(job.run(_JOB)) == "owners of 0 mailboxes told"
    assert codes(office) == codes(office, SAM) == ["70"]


def test_while_nobody_can_be_told(office: Office) -> None:
    """A mailbox of which no notice could be kept is looked at again."""
    with pytest.MonkeyPatch.context() as patched, logged() as texts:
        patched.setattr(office.store, "keep", lambda *told, **more: fail(Unavailable("away")))
        deliver(office, 75_000)
    assert any("notices have to wait" in text for text in texts)
    assert codes(office) == []
    result(office.fullness.run())
    assert codes(office) == ["70"]


@given(st.integers(0, 2_000), st.integers(0, 1_000), st.sampled_from((0, *LEVELS)), st.sampled_from((0, 5)))
def test_levels(octets: int, quota: int, before: int, full: int) -> None:
    """Never above what is reached, or was; full is full; a small fall is none."""
    found = level(Filling(octets, full), quota, before)
    assert found in (0, *LEVELS)
    if full or octets >= quota:
        assert found == 100
    elif found > before:
        assert octets * 100 >= found * quota
    elif found < before:
        assert octets * 100 <= (before - 4) * quota
