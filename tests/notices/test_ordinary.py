"""Notices to ordinary addresses: what goes, what never does, and what becomes of it when the host is away."""

import re
from pathlib import Path

import msgspec
import pytest
from twisted.internet.defer import Deferred

from cjsm.configuration import NoticeSettings
from cjsm.notices.interfaces import CannotCarry, Host
from cjsm.notices.letter import is_plain
from cjsm.notices.notice import ORDINARY, Kind, Language
from cjsm.notices.rules import Due
from cjsm.notices.samples import sample
from cjsm.notices.texts import words
from cjsm.store.interfaces import Way
from tests.community.communities import NOW
from tests.mail.support import SAM_ADDRESS, logged, result

from .support import JO, OLIVE, OUTSIDE, SAM, Office, parsed, said

HOME = "jo@home.example"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path, OUTSIDE)
    made.profile(JO, ordinary_email=HOME)
    made.tell()
    return made


def ways(office: Office) -> list[Way]:
    """How far each notice has come outside, the oldest first."""
    return [each.ordinary for each in reversed(office.store.newest(99))]


def test_a_letter(office: Office) -> None:
    """To the one host, from the one sender, in ASCII lines that every mail system takes."""
    office.act("user-suspended")
    office.tell()
    ((host, sender, to, octets),) = office.post.carried
    assert host == Host(host="mail.example.org", port=25, name="mail.example.org")
    assert (sender, to) == ("noreply@example.org", HOME)
    assert octets.isascii()
    assert re.fullmatch(rb"(?:[^\r\n]{0,78}\r\n)+", octets)
    letter = parsed(octets)
    assert letter["Subject"] == "Your account is suspended"
    assert letter["From"] == "Secure mail <noreply@example.org>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert "12 January 1970 at 13:46 UTC" in " ".join(said(letter).split())
    assert ways(office) == [Way.SENT]
    assert office.post.rests
    office.tell(2)
    assert len(office.post.carried) == 1


def test_who_has_no_ordinary_address(office: Office) -> None:
    """Gets none, and nor does one that is no such address, or is the community's own."""
    bad = (
        "",
        "jo",
        "jo@home",
        "a b@home.example",
        "x@y.z>\r\nRCPT TO:<other@home.example",
        SAM_ADDRESS,
        "jo@cjsm.test",
    )
    bad += ("jo@home.example,other@home.example", "é@home.example", f"{'x' * 300}@home.example", '"jo"@home.example')
    for place, address in enumerate(bad):
        assert not is_plain(address) or address.endswith("cjsm.test")
        office.profile(JO, ordinary_email=address)
        office.act("user-suspended")
        office.tell()
        assert ways(office)[place] is Way.NOBODY, address
        office.clock.advance(86_400)
    assert office.post.carried == []


def test_off(tmp_path: Path) -> None:
    """Until a host is set nothing is even kept for it; what waits when it is taken away is given up."""
    office = Office(tmp_path)
    office.profile(JO, ordinary_email=HOME)
    office.tell()
    office.act("user-suspended")
    office.tell()
    assert ways(office) == [Way.NONE]
    office.desk.settings = office.ordinary.settings = OUTSIDE
    office.post.failure = CannotCarry("away")
    office.act("user-resumed")
    office.tell()
    office.ordinary.settings = NoticeSettings()
    office.clock.advance(3_600)
    office.tell()
    assert ways(office) == [Way.NONE, Way.GIVEN_UP]


def test_only_what_may_leave(office: Office) -> None:
    """Other people's mail and acts are no business of anybody outside."""
    result(office.desk.tell([Due(kind=Kind.SHARED_NEW_MAIL, account=JO, date=NOW)]))
    office.tell()
    assert office.post.carried == []
    assert ways(office) == [Way.NONE]


def test_five_a_day(office: Office) -> None:
    """And the rest inside only."""
    for _ in range(7):
        office.act("device-add")
    office.tell(2)
    assert ways(office) == [Way.SENT] * 5 + [Way.LIMITED] * 2
    assert len(office.letters(JO)) == 7


def test_a_host_that_is_away(office: Office) -> None:
    """It is asked again, less and less often, and for one letter only; after two days no more."""
    office.profile(SAM, ordinary_email="sam@home.example")
    office.post.failure = CannotCarry("the name cannot be found")
    office.act("user-suspended")
    office.act("user-suspended", SAM)
    tries = []
    for _ in range(2 * 86_400 // 30):
        before = sum(each.attempts for each in office.store.newest(9))
        office.tell()
        after = sum(each.attempts for each in office.store.newest(9))
        assert after - before <= 1
        tries += [office.clock.seconds() - NOW] * (after - before)
        office.clock.advance(30)
    assert 60 < len(tries) < 130
    assert {each.reason for each in office.store.newest(9)} == {"the name cannot be found"}
    with logged() as texts:
        for _ in range(4):
            office.clock.advance(3_600)
            office.tell()
    assert ways(office) == [Way.GIVEN_UP] * 2
    assert any("is given up" in text for text in texts)


def test_a_host_that_comes_back(office: Office) -> None:
    """Gets what waited, once."""
    office.post.failure = CannotCarry("away")
    office.act("user-suspended")
    office.tell()
    office.post.failure = None
    office.tell()
    assert office.post.carried == []
    office.clock.advance(60)
    office.process()
    office.tell(2)
    assert len(office.post.carried) == 1


def test_an_address_that_the_host_refuses(office: Office) -> None:
    """Is not tried again."""
    office.post.failure = CannotCarry("550 no such user", for_good=True)
    office.act("user-suspended")
    with logged():
        office.tell()
    assert ways(office) == [Way.GIVEN_UP]


def test_stopped(office: Office) -> None:
    """A letter that is on its way is broken off and waits; nothing more is begun."""
    hanging: Deferred[None] = Deferred()
    office.post.carry = lambda *_: hanging  # type: ignore[method-assign, assignment]
    office.act("user-suspended")
    result(office.telling.run())
    office.telling.run_ordinary()
    result(office.telling.stop())
    assert ways(office) == [Way.WAITING]
    result(office.telling.run())
    result(office.telling.run_ordinary())


@pytest.mark.parametrize("language", Language)
def test_nothing_of_the_community_leaves(tmp_path: Path, language: Language) -> None:
    """The canary: mail, subjects, names, passwords, addresses and reasons are in the house, every notice is sent, and
    what leaves is the fixed texts, a date, and the address it goes to.
    """
    settings = msgspec.structs.replace(OUTSIDE, language=language.value, per_day=99, ordinary_per_day=99)
    office = Office(tmp_path, settings)
    office.tell()
    canaries = ("Canary", "kanarie", "+441632960000", "canary-note", "canary-reason", "canary-device", "canary-pw")
    office.profile(
        JO,
        first_name="Canary",
        last_name="Kanarie",
        telephone="+441632960000",
        description="canary-note",
        ordinary_email=HOME,
    )
    office.send(
        b"From: jo.ward@avon.cjsm.test\r\nTo: jo.ward@avon.cjsm.test\r\nSubject: canary-subject\r\n\r\ncanary-text\r\n",
        "jo.ward@avon.cjsm.test",
    )
    for kind in Kind:
        made = sample(kind, language, NOW, JO)
        result(office.desk.tell([Due(kind=kind, account=JO, date=NOW, code=made.code)]))
    for act in ("user-lock", "device-add", "password-reset"):
        office.act(act, reason_words="canary-reason", device="canary-device", password="canary-pw")
    office.tell(6)
    assert len(office.post.carried) == len(ORDINARY) + 3
    for host, sender, to, octets in office.post.carried:
        assert (host.host, sender, to) == ("mail.example.org", "noreply@example.org", HOME)
        letter = parsed(octets)
        text = f"{octets!r} {letter['Subject']} {said(letter)}".lower()
        inside = ("jo.ward", "avon", "cjsm.test", "canary-subject", "canary-text", JO.hex(), OLIVE.hex())
        for word in (*canaries, *inside):
            assert word.lower() not in text
        assert set(letter.keys()) == {
            *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language", "MIME-Version"),
            *("Content-Type", "Content-Transfer-Encoding"),
        }
    fixed = {words(sample(kind, language, NOW)).text for kind in ORDINARY}
    sent = {said(parsed(octets)).replace("\r\n", "\n") for _, _, _, octets in office.post.carried}
    assert sent == fixed
