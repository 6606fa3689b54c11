"""``cjsm notice``, and whether the person hears of an act."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import Result

from cjsm.command.context import wait
from cjsm.community import finding
from cjsm.community.acts.acting import changed
from cjsm.community.identifiers import ActId
from cjsm.community.view import Change, View
from cjsm.notices.notice import Kind, Notice, encode
from cjsm.store.interfaces import NewNotice, NoticeLimits, Way
from tests.command.conftest import Run, refused, told
from tests.command.mailboxes import beside
from tests.command.test_user import PASSWORD, add

JANE, TOM = "jane.smith@avon", "tom.jones@avon"
NOW = int(datetime.now(UTC).timestamp())


def on(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M")


@pytest.fixture
def avon(cjsm: Run) -> Run:
    add(cjsm)
    add(cjsm, first="Tom", last="Jones")
    return cjsm


def keep(config: Path, *kinds: Kind) -> None:
    """Jane was told so, as the service would."""
    with beside(config) as suite:
        jane = suite.stores.community.read_now(lambda view: finding.account_of(view, JANE)).id
        notices = [NewNotice(account=jane, notice=encode(Notice(kind=kind, account=jane, date=NOW))) for kind in kinds]
        notices.append(NewNotice(account=jane, notice=b"of another version"))
        wait(suite.stores.notices.keep(notices, NOW, NoticeLimits(inside=9, ordinary=9)))
        wait(suite.stores.notices.sent_inside([(1, Way.SENT, "")]))


def test_list_and_show(avon: Run, config: Path) -> None:
    """The newest first, of everybody or of one; what it said."""
    keep(config, Kind.LOCKED, Kind.UNLOCKED)
    found = told(avon("notice", "list", "--json"))
    assert (found["waiting_inside"], found["waiting_ordinary"]) == (2, 0)
    assert [(each["number"], each["user"], each["kind"], each["inside"]) for each in found["notices"]] == [
        (3, JANE, "unreadable", "waiting"),
        (2, JANE, "unlocked", "waiting"),
        (1, JANE, "locked", "sent"),
    ]
    assert [each["number"] for each in told(avon("notice", "list", "--limit", "1", "--json"))["notices"]] == [3]
    assert told(avon("notice", "list", "--user", TOM, "--json"))["notices"] == []
    assert len(told(avon("notice", "list", "--user", JANE, "--json"))["notices"]) == 3
    assert "unlocked" in avon("notice", "list").stdout
    shown = told(avon("notice", "show", "1", "--json"))
    assert shown["subject"] == "Your account is locked"
    assert "unlocked" in shown["text"]
    assert told(avon("notice", "show", "3", "--json"))["subject"] is None
    assert "notice list" in refused(avon("notice", "show", "4", "--json"))["cure"]


def test_own_notices(avon: Run, config: Path) -> None:
    """Whoever has no role lists and reads what they were told themself, and nobody else's."""
    keep(config, Kind.LOCKED)
    for who in (JANE, TOM):
        one_time = told(avon("user", "reset-password", who, "--reason", "forgotten", "--json"))["one_time_password"]
        told(avon("user", "set-password", who, "--password-stdin", "--json", typed=f"{one_time}\n{PASSWORD}\n"))

    def own(who: str, *words: str) -> Result:
        return avon("notice", *words, "--as", who, "--password-stdin", "--json", typed=f"{PASSWORD}\n")

    assert [each["number"] for each in told(own(JANE, "list", "--user", JANE))["notices"]] == [2, 1]
    assert told(own(JANE, "show", "1"))["subject"] == "Your account is locked"
    for words in (("list", "--user", JANE), ("list",), ("show", "1"), ("show", "9")):
        assert refused(own(TOM, *words))["cure"]


def test_send(avon: Run) -> None:
    """Looked at first; then the ledger has it, and the service tells everybody."""
    words = ("notice", "send", "--kind", "planned-outage", "--from", on(24), "--until", on(26))
    dry = told(avon(*words, "--dry-run", "--json"))
    assert (dry["people"], dry["sent"], dry["subject"][:24]) == (2, False, "Planned interruption on ")
    assert told(avon(*words, "--organisation", "avon/crime", "--json"))["people"] == 2
    said = avon(*words, "--organisation", "avon").stdout
    assert "will not be available" in said
    assert "2 people are told" in said
    cancelled = ("notice", "send", "--kind", "outage-cancelled", "--from", on(24), "--json")
    assert told(avon(*cancelled))["sent"] is True


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (("--kind", "planned-outage", "--from", on(24)), "--until"),
        (("--kind", "planned-outage", "--from", on(24), "--until", on(23)), "--until"),
        (("--kind", "planned-outage", "--from", on(24), "--until", on(24 * 9)), "--until"),
        (("--kind", "planned-outage", "--from", on(-24), "--until", on(1)), "--from"),
        (("--kind", "planned-outage", "--from", on(24 * 400), "--until", on(24 * 400 + 1)), "--from"),
        (("--kind", "outage-cancelled", "--from", on(24), "--until", on(25)), "--until"),
        (("--kind", "planned-outage", "--from", on(1), "--until", on(2), "--organisation", "no"), "organisation list"),
    ],
)
def test_what_is_not_sent(avon: Run, words: tuple[str, ...], cure: str) -> None:
    """Says what to do instead, and the ledger has nothing."""
    assert cure in refused(avon("notice", "send", *words, "--json"))["cure"]
    assert cure in refused(avon("notice", "send", *words, "--dry-run", "--json"))["cure"]


def test_no_words_of_ones_own(avon: Run) -> None:
    """Neither a kind that is not for many, nor a text."""
    for words in (("--kind", "locked"), ("--kind", "planned-outage", "--text", "Dear all"), ("--kind", "x")):
        assert avon("notice", "send", "--from", on(1), *words).exit_code == 2
    assert avon("notice", "send", "--kind", "planned-outage", "--from", "tomorrow").exit_code == 2


def test_preview(cjsm: Run) -> None:
    """In both languages; tests of the notices look at all of them."""
    for kind in (Kind.PASSWORD_CHANGED, Kind.NEAR_QUOTA, Kind.PLANNED_OUTAGE):
        english, welsh = (
            told(cjsm("notice", "preview", kind.value, "--language", each, "--json")) for each in ("en", "cy")
        )
        assert english["subject"] != welsh["subject"]
        assert "helpdesk" in english["text"]
        assert "desg gymorth" in " ".join(welsh["text"].split())
    assert cjsm("notice", "preview", "letter").exit_code == 2


def test_preview_in_the_services_language(cjsm: Run, config: Path) -> None:
    """Which the settings say."""
    config.write_text(re.sub(r'(?m)^language = "en"$', 'language = "cy"', config.read_text()))
    assert cjsm("notice", "preview", "locked").stdout.startswith("Mae eich cyfrif wedi'i gloi")


#: Acts of others on somebody.
ACTS = (
    ("user", "lock", JANE),
    ("user", "unlock", JANE),
    ("user", "suspend", JANE, "--reason", "absent"),
    ("user", "resume", JANE),
    ("user", "reset-password", JANE, "--reason", "forgotten"),
    ("user", "delete", JANE, "--reason", "left"),
    ("user", "undelete", JANE),
)


def test_who_is_not_told(avon: Run) -> None:
    """Until a host is set, whoever acts has to tell them, and hears so each time."""
    for act in ACTS:
        assert "is not told: tell them yourself (notices.host is not set)" in avon(*act).stdout, act
        undo = {"lock": "unlock", "suspend": "resume", "delete": "undelete"}.get(act[1])
        if undo:
            assert told(avon("user", undo, JANE, "--json"))["told"] is False
            assert told(avon(*act, "--json"))["told"] is False


def ordinary(config: Path, address: str) -> None:
    """Jane has an ordinary address, and there is a host."""
    text = config.read_text()
    text = re.sub(r'(?m)^host = ""$', 'host = "mail.example.org"', text)
    config.write_text(re.sub(r'(?m)^sender = ""$', 'sender = "noreply@example.org"', text))

    def decide(view: View) -> Change:
        found = finding.account_of(view, JANE)
        return Change(put=(changed(found, profile=msgspec.structs.replace(found.profile, ordinary_email=address)),))

    with beside(config) as suite:
        wait(suite.stores.community.commit(ActId(address.encode().ljust(16)[:16]), decide))


def test_who_is_told(avon: Run, config: Path) -> None:
    """With a host and an address; where there is none of theirs, that is said."""
    ordinary(config, "jane@home.example")
    assert "is told at their ordinary address" in avon("user", "lock", JANE).stdout
    assert told(avon("user", "unlock", JANE, "--json"))["told"] is True
    ordinary(config, "jane at home")
    assert "(they have no ordinary address)" in avon("user", "lock", JANE).stdout
    assert told(avon("user", "unlock", JANE, "--json"))["told"] is False
