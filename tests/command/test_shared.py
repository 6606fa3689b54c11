"""``cjsm shared``."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cjsm.community import finding
from tests.command.conftest import Run, refused, told
from tests.command.mailboxes import beside, deliver, last_entry, last_words
from tests.command.test_factor import later, turned_on
from tests.command.test_user import PASSWORD, add

DUTY = "duty@avon.cjsm.test"
JANE, TOM = "jane.smith@avon", "tom.jones@avon"


@pytest.fixture
def duty(cjsm: Run) -> Run:
    """A shared mailbox of Jane's, who has a password; Tom is there too."""
    one_time = add(cjsm)["one_time_password"]
    add(cjsm, first="Tom", last="Jones")
    told(cjsm("user", "set-password", JANE, "--password-stdin", "--json", typed=f"{one_time}\n{PASSWORD}\n"))
    made = told(cjsm("shared", "add", "avon", "duty", "--name", "Duty desk", "--member", JANE, "--json"))
    assert (made["address"], made["managers"], made["organisation"]) == (DUTY, [JANE], "avon")
    return cjsm


def test_members(duty: Run) -> None:
    """Somebody joins, is shown to wait, reads older mail when a member opens it, and leaves."""
    assert told(duty("shared", "join", DUTY, TOM, "--right", "read", "--json"))["waiting_generations"] == 1
    shown = told(duty("shared", "show", DUTY, "--json"))
    assert (shown["members"][TOM], shown["waiting_for_older_mail"]) == ("read", [TOM])
    assert told(duty("shared", "open", DUTY, JANE, "--password-stdin", "--json", typed=f"{PASSWORD}\n")) == [
        {"user_id": TOM, "generations": 1}
    ]
    assert told(duty("shared", "show", DUTY, "--json"))["waiting_for_older_mail"] == []
    assert [each["address"] for each in told(duty("shared", "list", "--member", TOM, "--json"))] == [DUTY]
    assert DUTY in duty("shared", "list").stdout
    assert "Duty desk" in duty("shared", "show", DUTY).stdout
    assert told(duty("shared", "leave", DUTY, TOM, "--json"))["generation"] == 3
    assert told(duty("shared", "list", "--member", TOM, "--json")) == []
    assert [each["generation"] for each in told(duty("keys", "show", DUTY, "--json"))] == [1, 2, 3]


def test_opened_at_once(duty: Run) -> None:
    """The password of a member is asked for, never given as an argument; a wrong one changes nothing."""
    join = ("shared", "join", DUTY, TOM, "--opened-by", JANE, "--password-stdin")
    assert refused(duty(*join, "--json", typed="wrong\n"))["cure"]
    assert TOM not in told(duty("shared", "show", DUTY, "--json"))["members"]
    assert told(duty(*join, "--json", typed=f"{PASSWORD}\n"))["waiting_generations"] == 0


def test_with_a_second_factor(duty: Run) -> None:
    """The password alone opens old mail to nobody: a code is asked for too."""
    one, _ = turned_on(duty)
    join = ("shared", "join", DUTY, TOM, "--password-stdin", "--json")
    typed = f"{PASSWORD}\n"
    assert "Code of the authenticator" in refused(duty(*join, "--opened-by", JANE, typed=typed))["error"]
    assert TOM not in told(duty("shared", "show", DUTY, "--json"))["members"]
    told(duty(*join))
    for more in ("", "000000\n"):
        assert refused(duty("shared", "open", DUTY, JANE, "--password-stdin", "--json", typed=typed + more))
    assert told(duty("shared", "show", DUTY, "--json"))["waiting_for_older_mail"] == [TOM]
    told(duty("shared", "open", DUTY, JANE, "--password-stdin", "--json", typed=f"{typed}{later(one)}\n"))
    assert told(duty("shared", "show", DUTY, "--json"))["waiting_for_older_mail"] == []


def test_said(duty: Run) -> None:
    """People hear what is left to do."""
    assert f"cjsm shared open {DUTY}" in duty("shared", "join", DUTY, TOM).stdout
    opened = duty("shared", "open", DUTY, JANE, typed=f"{PASSWORD}\n")
    assert TOM in opened.stdout
    assert PASSWORD not in opened.output
    assert TOM in duty("shared", "leave", DUTY, TOM).stdout


def test_refused(duty: Run) -> None:
    """Unknown mailboxes and people, people's own addresses, taken names, the last reader."""
    assert "shared list" in refused(duty("shared", "show", "none@avon.cjsm.test", "--json"))["cure"]
    assert refused(duty("shared", "show", f"{JANE}.cjsm.test", "--json"))["cure"]
    assert refused(duty("shared", "join", DUTY, "nobody@avon", "--json"))["cure"]
    assert refused(duty("shared", "add", "avon", "duty", "--name", "D", "--member", JANE, "--json"))["error"]
    assert refused(duty("shared", "leave", DUTY, JANE, "--json"))["cure"]
    assert refused(duty("shared", "open", DUTY, TOM, "--password-stdin", "--json", typed="x\n"))["cure"]


def test_change(duty: Run) -> None:
    """Its name, and whether members hear of new mail; nothing to change is refused."""
    assert told(duty("shared", "show", DUTY, "--json"))["notice"] is False
    assert told(duty("shared", "change", DUTY, "--notice", "--json"))["notice"] is True
    changed = told(duty("shared", "change", DUTY, "--name", "Nights", "--json"))
    assert (changed["name"], changed["notice"]) == ("Nights", True)
    assert told(duty("shared", "change", DUTY, "--no-notice", "--json"))["notice"] is False
    assert "--help" in refused(duty("shared", "change", DUTY, "--json"))["cure"]
    assert refused(duty("shared", "change", DUTY, "--name", " ", "--json"))["error"]


def test_deleted_and_back(duty: Run) -> None:
    """It is in no list but that of the deleted, is shown with why and until when, and is as it was afterwards."""
    before = told(duty("shared", "show", DUTY, "--json"))
    assert (before["status"], before["had_back_until"]) == ("Active", None)
    said = told(duty("shared", "delete", DUTY, "--reason", "requested", "--note", "desk closed", "--json"))
    assert said == {"address": DUTY, "status": "Deleted"}
    assert told(duty("shared", "list", "--json")) == told(duty("shared", "list", "--member", JANE, "--json")) == []
    (listed,) = told(duty("shared", "list", "--deleted", "--json"))
    assert (listed["address"], listed["reason"], listed["note"]) == (DUTY, "requested", "desk closed")
    assert told(duty("shared", "list", "--deleted", "--member", TOM, "--json")) == []
    shown = told(duty("shared", "show", DUTY, "--json"))
    assert (shown["status"], shown["members"], shown["waiting_for_older_mail"]) == ("Deleted", before["members"], [])
    gone, until = (datetime.fromisoformat(shown[name]) for name in ("since", "had_back_until"))
    assert until - gone == timedelta(days=30)
    assert told(duty("shared", "undelete", DUTY, "--json")) == {"address": DUTY, "status": "Active", "left_out": []}
    after = told(duty("shared", "show", DUTY, "--json"))
    assert {**after, "since": None} == {**before, "since": None}
    assert told(duty("shared", "list", "--deleted", "--json")) == []


def test_deleted_in_words(duty: Run) -> None:
    """What becomes of it, and how it is had back."""
    said = duty("shared", "delete", DUTY.upper(), "--reason", "other").stdout
    assert f"{DUTY} is now: Deleted" in said
    assert "30 days" in said
    assert "cjsm shared undelete" in said
    assert "desk" in duty("shared", "list", "--deleted").stdout
    assert "until" in duty("shared", "show", DUTY).stdout
    assert "Deleted" in duty("mailbox", "show", DUTY).stdout
    assert f"{DUTY} is now: Active" in duty("shared", "undelete", DUTY).stdout


def test_deleting_in_the_wrong_order(duty: Run) -> None:
    """Without a reason, twice, back when it is there; joined or written to when it is not: each tells the cure."""
    assert duty("shared", "delete", DUTY).exit_code == 2
    assert duty("shared", "delete", DUTY, "--reason", "whim").exit_code == 2
    assert "not deleted" in refused(duty("shared", "undelete", DUTY, "--json"))["error"]
    assert "shared delete" in refused(duty("mailbox", "destroy", DUTY, "--reason", "x", "--json"))["cure"]
    told(duty("shared", "delete", DUTY, "--reason", "other", "--json"))
    for words in (
        ("delete", DUTY, "--reason", "other"),
        ("join", DUTY, TOM),
        ("leave", DUTY, JANE),
        ("change", DUTY, "--notice"),
    ):
        assert f"shared undelete {DUTY}" in refused(duty("shared", *words, "--json"))["cure"]
    assert f"shared undelete {DUTY}" in refused(duty("quota", "set", DUTY, "700M", "--json"))["cure"]
    assert refused(duty("shared", "add", "avon", "duty", "--name", "D", "--member", JANE, "--json"))["error"]
    assert "30 more days" in refused(duty("mailbox", "destroy", DUTY, "--reason", "x", "--json"))["error"]


def test_destroyed_at_once(duty: Run, config: Path) -> None:
    """After its time, by whoever looks after mailboxes; it cannot be had back then, and is asked for again in vain."""
    told(duty("shared", "delete", DUTY, "--reason", "other", "--json"))
    config.write_text(config.read_text().replace("undelete = 30", "undelete = 0"))
    assert told(duty("mailbox", "destroy", DUTY, "--reason", "retention ended", "--json"))["destroyed"]
    assert "destroyed" in refused(duty("shared", "undelete", DUTY, "--json"))["error"]
    shown = told(duty("shared", "show", DUTY, "--json"))
    assert (shown["status"], shown["members"], shown["had_back_until"]) == ("Deleted", {}, None)
    for words in (("shared", "join", DUTY, TOM), ("keys", "show", DUTY), ("keys", "rotate", DUTY)):
        assert "destroyed" in refused(duty(*words, "--json"))["error"]
    assert told(duty("mailbox", "destroy", DUTY, "--reason", "interrupted", "--json"))["destroyed"]


def test_in_no_report(duty: Run, config: Path) -> None:
    """A full one is reported while it is there for its members."""
    told(duty("quota", "set", DUTY, "1000", "--json"))
    with beside(config) as suite:
        desk = suite.stores.community.read_now(lambda view: finding.mailbox_of(view, DUTY))
        deliver(suite, desk, b"x" * 2_000)
    near = ("report", "near-quota", "--json")
    assert [each["mailbox"] for each in told(duty(*near))] == [DUTY]
    told(duty("shared", "delete", DUTY, "--reason", "other", "--json"))
    assert told(duty(*near)) == []
    told(duty("shared", "undelete", DUTY, "--json"))
    assert [each["mailbox"] for each in told(duty(*near))] == [DUTY]


def test_its_members(duty: Run) -> None:
    """Neither delete it, its manager among them, nor see it then: whoever has left its organisation is one still."""
    as_jane = {"typed": f"{PASSWORD}\n"}
    jane = ("--as", JANE, "--password-stdin", "--json")
    delete = ("shared", "delete", DUTY, "--reason", "other")
    assert "no role" in refused(duty(*delete, *jane, **as_jane))["error"]
    assert told(duty("shared", "show", DUTY, *jane, **as_jane))["members"]
    told(duty(*delete, "--note", "sold by Jane", "--json"))
    for words in (("show", DUTY), ("undelete", DUTY), ("list", "--deleted")):
        assert "no role" in refused(duty("shared", *words, *jane, **as_jane))["error"]


def test_tried_first(duty: Run) -> None:
    """--dry-run tells what would be, and leaves it there."""
    would = told(duty("shared", "delete", DUTY, "--reason", "other", "--dry-run", "--json"))
    assert would["act"] == "shared-deleted"
    (record,) = would["records"]
    assert record["fields"]["life"] == ["active", "deleted"]
    assert told(duty("shared", "show", DUTY, "--json"))["status"] == "Active"
    told(duty("shared", "delete", DUTY, "--reason", "other", "--json"))
    assert told(duty("shared", "undelete", DUTY, "--dry-run", "--json"))["act"] == "shared-undeleted"
    assert told(duty("shared", "show", DUTY, "--json"))["status"] == "Deleted"


def test_the_note(duty: Run, config: Path) -> None:
    """Is in no entry of the ledger, nor beside one."""
    told(duty("shared", "delete", DUTY, "--reason", "misuse", "--note", "sold by Jane", "--json"))
    entry = last_entry(config)
    assert (entry.act, entry.reason, dict(entry.details)) == ("shared-deleted", "misuse", {})
    assert last_words(config) == []


def test_an_empty_organisation(duty: Run) -> None:
    """One whose shared mailboxes are all deleted is."""
    told(duty("organisation", "add", "avon/unit", "--name", "Unit", "--json"))
    told(duty("shared", "add", "avon/unit", "front", "--name", "Front", "--member", JANE, "--json"))
    delete = ("organisation", "delete", "avon/unit", "--reason", "other", "--json")
    assert "shared mailbox front" in refused(duty(*delete))["error"]
    told(duty("shared", "delete", "front@avon.cjsm.test", "--reason", "other", "--json"))
    told(duty(*delete))
