"""From acts to notices: each act once, whatever ends the process in between."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import Deferred

from cjsm.community.identifiers import AccountId
from cjsm.community.records import LedgerEntry, Life
from cjsm.community.view import View
from cjsm.configuration import NoticeSettings
from cjsm.notices import following
from cjsm.notices.notice import Kind
from cjsm.notices.rules import Due, notices_of
from cjsm.store.interfaces import DiskFull, NoticeLimits, Way
from tests.community.communities import DESK, NOW, hosted, identifier, organisation
from tests.mail.support import logged, missing, result
from tests.mail.weather import Fate

from .support import ADA, JO, LAW, OLIVE, SAM, Office, box, said

#: What each act tells its person.
TOLD = {
    "password-chosen": "password-changed",
    "password-reset": "password-reset",
    "user-lock": "locked",
    "user-guard": "guarded",
    "user-unlock": "unlocked",
    "user-suspended": "suspended",
    "user-resumed": "resumed",
    "user-deleted": "deleted",
    "user-undeleted": "undeleted",
    "device-add": "device-made",
    "device-revoke": "device-revoked",
    "factor-on": "factor-on",
    "factor-off": "factor-off",
    "factor-remove": "factor-off",
    "recovery-codes-new": "codes-new",
    "recovery-request": "recovery-requested",
    "recovery-open": "recovery-opened",
    "recovery-refuse": "recovery-refused",
    "user-edit": "details-changed",
    "user-rename": "renamed",
    "role-grant": "role-given",
    "role-revoke": "role-taken",
}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """One that has begun to follow: what was done before is told to nobody."""
    made = Office(tmp_path)
    made.act("user-lock")
    made.tell()
    assert made.notices() == []
    return made


@pytest.mark.parametrize("act", TOLD)
def test_acts(office: Office, act: str) -> None:
    """The person hears of it, by mail from the one sender, with the moment it was done."""
    office.act(act)
    office.clock.advance(60)
    office.tell(2)
    assert office.kinds(JO) == [TOLD[act]]
    (letter,) = office.letters(JO)
    assert letter["From"] == "Secure mail <postmaster@cjsm.test>"
    assert letter["To"] == "jo.ward@avon.cjsm.test"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Return-Path"] == "<>"
    assert "12 January 1970 at 13:46 UTC" in " ".join(said(letter).split())
    assert {each.account for each in office.notices()} == {JO}


def test_acts_that_nobody_is_told_of(office: Office) -> None:
    """Lead to nothing, and those after them do."""
    for act in ("message-trace", "user-add", "keys-rotated", "user-lock-of-another-kind"):
        office.act(act)
    office.act("user-lock", of="message")
    office.ledger.append(b"of a newer version")
    office.act("user-unlock", SAM)
    with logged() as texts:
        office.tell()
    assert any("nobody is told of entry 7" in text for text in texts)
    assert [(each.account, each.kind) for each in office.notices()] == [(SAM, Kind.UNLOCKED)]


def test_an_entry_that_no_rule_can_take(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Costs nobody else a notice; the log says of which entry people have to be told."""

    def broken(view: View, entry: LedgerEntry) -> Iterator[Due]:
        if entry.subject == JO:
            raise RuntimeError("not foreseen")
        return notices_of(view, entry)

    monkeypatch.setattr(following, "notices_of", broken)
    office.act("user-lock")
    office.act("user-unlock", SAM)
    with logged() as texts:
        office.tell()
    assert any("nobody is told of entry 2 of the ledger: see `cjsm audit list`" in text for text in texts)
    assert [(each.account, each.kind) for each in office.notices()] == [(SAM, Kind.UNLOCKED)]


def test_break_glass(office: Office) -> None:
    """Every community administrator hears of it, of each area once an hour."""
    for _ in range(30):
        office.act("user-add", actor=b"", break_glass="yes")
    office.act("queue-hold", b"", "queue", actor=b"", break_glass="yes")
    office.act("user-lock", actor=OLIVE)
    office.tell(3)
    told = [(each.kind, each.code) for each in office.notices(ADA)]
    assert told == [(Kind.BREAK_GLASS, "user"), (Kind.BREAK_GLASS, "queue")]
    assert office.kinds(OLIVE) == []
    office.clock.advance(3_600)
    office.act("user-add", actor=b"", break_glass="yes")
    office.tell()
    assert len(office.notices(ADA)) == 3


def test_an_organisation_suspended(office: Office) -> None:
    """Its administrators hear of it; where it has none, those above."""
    office.act("organisation-suspended", identifier("crime"), "organisation")
    office.tell()
    assert [(each.kind, each.account) for each in office.notices()] == [(Kind.ORGANISATION_SUSPENDED, OLIVE)]
    office.act("organisation-suspended", identifier("firm"), "organisation")
    office.tell()
    assert office.kinds(ADA) == ["organisation-suspended"]


def test_a_shared_mailbox(office: Office) -> None:
    """Every member hears that it is deleted, and that it is back; nobody of one that is no more."""
    office.change(msgspec.structs.replace(DESK, life=Life.DELETED))
    office.act("shared-deleted", DESK.id, "shared-mailbox")
    office.tell()
    assert {(each.kind, each.account) for each in office.notices()} == {
        (Kind.SHARED_DELETED, JO),
        (Kind.SHARED_DELETED, SAM),
    }
    office.change(DESK)
    office.act("shared-undeleted", DESK.id, "shared-mailbox")
    office.tell()
    assert office.kinds(SAM) == ["shared-deleted", "shared-undeleted"]
    office.act("shared-deleted", identifier("none"), "shared-mailbox")
    office.act("shared-deleted", JO, "account")
    office.tell()
    assert len(office.notices()) == 4


def test_shared_mailboxes_of_many(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are told by entries that come together, each is, once, a few in one step."""
    monkeypatch.setattr(following, "_PEOPLE", 3)
    for _ in range(4):
        office.act("shared-deleted", DESK.id, "shared-mailbox")
    office.act("user-lock")
    office.tell()
    assert office.kinds(JO) == ["shared-deleted"] * 4 + ["locked"]
    assert office.kinds(SAM) == ["shared-deleted"] * 4


def test_an_inactive_account(office: Office) -> None:
    """Hears when it is going to be suspended."""
    office.act("user-inactive", until=str(NOW + 86_400))
    office.tell()
    assert [each.date for each in office.notices(JO)] == [NOW + 86_400]


def outage(office: Office, where: str = "", kind: str = "planned-outage", **more: str) -> None:
    place = identifier(where) if where else b""
    told = {"notice": kind, "date": str(NOW + 7_200), "code": "60"} | more
    office.act("notice-send", place, "organisation" if where else "community", ADA, **told)


def test_to_everybody(office: Office) -> None:
    """And to those of one organisation and below it; not to who is gone."""
    office.change(*hosted("go.ne", "avon", "avon", life=Life.DELETED))
    outage(office, "avon")
    office.tell()
    names = ("jo.ward", "sam.hill", "olive.marsh", "hid.den")
    assert {each.account for each in office.notices()} == {identifier(name) for name in names}
    outage(office)
    outage(office, "firm", "outage-cancelled", code="")
    office.tell(2)
    assert office.kinds(LAW) == ["planned-outage", "planned-outage", "outage-cancelled"][1:]
    assert office.kinds(JO) == ["planned-outage"] * 2


def test_what_is_no_system_notice(office: Office) -> None:
    """Is sent to nobody, whatever the ledger says, and holds up nothing."""
    outage(office, kind="locked")
    outage(office, date="soon")
    with logged():
        outage(office, code="from J. Doe with love")
        office.act("user-lock")
        office.tell(2)
    assert {(each.kind, each.account) for each in office.notices()} == {(Kind.LOCKED, JO)}


def test_to_very_many(office: Office) -> None:
    """In steps that end where they may: organisations and people of any number."""
    places = [organisation(f"o{number}", "avon") for number in range(150)]
    people = [each for number in range(400) for each in hosted(f"p{number}", "o7", "avon")]
    office.change(*places, *people)
    outage(office, "avon")
    rounds = 0
    while len(office.notices()) < 404:
        result(office.telling._follower.run())
        rounds += 1
        assert rounds < 20
    result(office.telling._follower.run())
    told = [each.account for each in office.notices()]
    assert len(told) == len(set(told)) == 404


def test_the_days_limit(tmp_path: Path) -> None:
    """What comes after it is in the list, and not sent; the next day is another."""
    office = Office(tmp_path, NoticeSettings(per_day=3))
    office.tell()
    for _ in range(5):
        office.act("device-add")
    office.act("user-lock", SAM)
    office.tell()
    assert [each.inside for each in office.store.newest(9, JO)] == ["over the day's limit"] * 2 + ["sent"] * 3
    assert len(office.letters(JO)) == 3
    assert len(office.letters(SAM)) == 1
    office.clock.advance(86_400)
    office.act("device-add")
    office.tell()
    assert len(office.letters(JO)) == 4


def test_none_a_day(tmp_path: Path) -> None:
    """Is none at all."""
    office = Office(tmp_path, NoticeSettings(per_day=0))
    office.tell()
    office.act("user-lock")
    office.tell()
    assert office.letters(JO) == []


def test_welsh(tmp_path: Path) -> None:
    """Where the service speaks it."""
    office = Office(tmp_path, NoticeSettings(language="cy"))
    office.tell()
    office.act("user-lock")
    office.tell()
    (letter,) = office.letters(JO)
    assert letter["Subject"] == "Mae eich cyfrif wedi'i gloi"
    assert letter["Content-Language"] == "cy"
    assert "datgloi" in said(letter)


def test_a_ledger_that_was_put_back(office: Office) -> None:
    """Is followed from its end: what was done before the backup is not told again."""
    for _ in range(20):
        office.act("user-lock")
    office.tell()
    before = len(office.notices())
    del office.ledger[5:]
    office.tell()
    office.act("user-unlock", SAM)
    office.tell()
    assert len(office.notices()) == before + 1
    assert office.kinds(SAM) == ["unlocked"]


def test_a_spool_that_knows_more(office: Office) -> None:
    """Notices that were made anew after theirs were lost have numbers that it does not know."""
    office.platter.notice = 500
    office.process()
    office.act("user-lock")
    office.tell()
    assert len(office.letters(JO)) == 1
    assert office.platter.notice == 501


class Killed(BaseException):
    """The process ended."""


class Mortal:
    """What is written through it counts; before or after one of the writes the process ends."""

    def __init__(self, inner: Any, writes: tuple[str, ...], count: Callable[[], bool], before: bool) -> None:
        self._inner, self._writes, self._count, self._before = inner, writes, count, before

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._writes:
            return found

        def write(*arguments: Any, **named: Any) -> "Deferred[Any]":
            dies = self._count()
            if dies and self._before:
                raise Killed
            done: Deferred[Any] = found(*arguments, **named)
            if dies:
                raise Killed
            return done

        return write


@pytest.mark.parametrize("before", [True, False])
def test_killed_anywhere(tmp_path: Path, before: bool) -> None:
    """Between the act and the notice, between the notice and the spool: each comes once, to everybody."""
    for at in range(1, 100):
        directory = tmp_path / str(at)
        office = Office(directory)
        office.tell()
        for act in ("user-lock", "user-unlock", "device-add"):
            office.act(act)
        outage(office, "avon")
        office.act("user-lock", SAM)
        left = [at]

        def count(left: list[int] = left) -> bool:
            left[0] -= 1
            return left[0] == 0

        store, spool = office.store, office.spool
        mortal: Any = Mortal(store, ("keep", "sent_inside", "begin_after"), count, before)
        office.desk._store = office.inside._store = office.telling._follower._store = mortal
        office.inside._spool = Mortal(spool, ("put",), count, before)  # type: ignore[assignment]
        died = False
        try:
            office.tell(3)
        except Killed:
            died = True
        office.process()
        office.tell(4)
        expected = {JO: 4, SAM: 2, OLIVE: 1, LAW: 0}
        assert {who: len(office.letters(who)) for who in expected} == expected, (at, before)
        assert office.store.counts().inside == 0
        result(office.store.close())
        if not died:
            assert at > 4
            return
    raise AssertionError("it never came to the end")


def test_what_cannot_be_sent(office: Office) -> None:
    """Does not hold up what is for others: somebody without a key, somebody who is gone, and nobody at all."""
    office.keys.lost[box(JO)] = missing()
    office.change(*hosted("olive.marsh", "avon", "avon", life=Life.DELETED))
    for who in (JO, OLIVE, AccountId(identifier("nobody")), SAM):
        office.act("user-unlock", who)
    with logged() as texts:
        office.tell()
    assert any("there is no such record" in text for text in texts)
    ways = [each.inside for each in reversed(office.store.newest(4))]
    assert ways == [Way.GIVEN_UP, Way.NOBODY, Way.NOBODY, Way.SENT]
    assert len(office.letters(SAM)) == 1


def test_a_full_disk(office: Office) -> None:
    """Nothing is lost: what the spool does not take is put there later."""
    office.act("user-lock")
    office.forecast.foretell("put", Fate(error=DiskFull("below the floor")))
    with logged() as texts:
        office.tell()
    assert any("notices have to wait: below the floor" in text for text in texts)
    assert office.letters(JO) == []
    office.tell(10)
    assert office.letters(JO) == []
    office.tell()
    assert len(office.letters(JO)) == 1


def test_old_ones_are_forgotten(office: Office) -> None:
    """What waits stays, however old."""
    office.act("user-lock")
    office.tell()
    later = NOW + 90 * 86_400
    result(office.store.keep((), later, NoticeLimits(inside=1, ordinary=1)))
    assert result(office.store.prune(NOW)) == 0
    assert result(office.store.prune(later)) == 1
    assert office.notices() == []
