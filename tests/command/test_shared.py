"""``cjsm shared``."""

import pytest

from tests.command.conftest import Run, refused, told
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
