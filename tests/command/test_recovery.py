"""``cjsm recovery``, and acting as somebody."""

import pytest

from tests.command.conftest import Run, refused, told
from tests.command.test_user import PASSWORD, add

JANE, OLIVE, UNA, HENRY = "jane.smith@avon", "olive.marsh@avon", "una.above@avon", "henry.desk@avon"


@pytest.fixture
def officers(cjsm: Run) -> Run:
    """Olive recovers for avon, Una counter-signs for the community; Jane is a user, Henry is the helpdesk."""
    for first, last in (("Jane", "Smith"), ("Olive", "Marsh"), ("Una", "Above"), ("Henry", "Desk")):
        made = add(cjsm, first=first, last=last)
        typed = f"{made['one_time_password']}\n{PASSWORD}\n"
        told(cjsm("user", "set-password", made["user_id"], "--password-stdin", "--json", typed=typed))
    told(cjsm("role", "grant", OLIVE, "organisation-administrator", "--organisation", "avon", "--json"))
    told(cjsm("role", "grant", UNA, "community-administrator", "--json"))
    told(cjsm("role", "grant", HENRY, "helpdesk", "--json"))
    add_officer = ("recovery", "officer", "add", "--password-stdin")
    said = cjsm(*add_officer, OLIVE, "--organisation", "avon", typed=f"{PASSWORD}\n")
    assert "nobody counter-signs" in said.stdout
    made = told(cjsm(*add_officer, UNA, "--json", typed=f"{PASSWORD}\n"))
    assert (made["authority"], made["officers"]) == ("the community", [UNA])
    return cjsm


def test_there_and_back(officers: Run) -> None:
    """Requested as the helpdesk, approved by two officers, each with a prompt."""
    typed = f"{PASSWORD}\n"
    told(officers("keys", "rotate", JANE, "--json"))
    as_henry = ("--as", HENRY, "--password-stdin", "--json")
    told(officers("user", "reset-password", JANE, "--reason", "forgotten", *as_henry, typed=typed))
    made = told(officers("recovery", "request", JANE, "--reason", "forgotten", *as_henry, typed=typed))
    assert (made["requested_by"], made["waits_for"]) == (HENRY, "an officer of the community")
    assert "tell the user" in made["not_told"]
    approve = ("recovery", "approve", made["request"], "--password-stdin", "--json", "--as")
    assert refused(officers(*approve, OLIVE, typed=typed))["cure"]
    assert refused(officers(*approve, UNA, typed="wrong\n"))["cure"]
    assert told(officers(*approve, UNA, typed=typed))["waits_for"] == "an officer of avon"
    (listed,) = told(officers("recovery", "list", "--json"))
    assert (listed["state"], listed["counter_signed_by"]) == ("counter-signed", UNA)
    done = told(officers(*approve, OLIVE, typed=typed))
    assert (done["state"], done["opened_by"], done["waits_for"]) == ("opened", OLIVE, None)
    assert told(officers("recovery", "list", "--json")) == []
    assert len(told(officers("recovery", "list", "--all", "--json"))) == 1
    shown = told(officers("keys", "show", JANE, "--json"))
    assert any(f"{JANE} epoch 2" in shown[1]["granted"] for _ in shown)


def test_acting_without_power(officers: Run) -> None:
    """As somebody without the role the act is refused with what is missing; the operator needs no prompt."""
    as_jane = ("--as", JANE, "--password-stdin", "--json")
    for command in (
        ("user", "reset-password", OLIVE, "--reason", "other"),
        ("user", "suspend", OLIVE, "--reason", "other"),
        ("recovery", "request", OLIVE, "--reason", "other"),
        ("keys", "rotate", OLIVE),
        ("shared", "add", "avon", "duty", "--name", "D", "--member", JANE),
    ):
        assert "role" in refused(officers(*command, *as_jane, typed=f"{PASSWORD}\n"))["error"]
        assert refused(officers(*command, *as_jane, typed="wrong\n"))["cure"]


def test_officers(officers: Run) -> None:
    """Listed with who counter-signs; the last one stays; a refused request is over."""
    found = told(officers("recovery", "officers", "--json"))
    assert [(each["authority"], each["counter_signed_by"]) for each in found] == [
        ("avon", "the community"),
        ("the community", None),
    ]
    assert OLIVE in officers("recovery", "officers").stdout
    assert told(officers("organisation", "show", "avon/crime", "--json"))["recovered_by"] == ["avon", "the community"]
    assert refused(officers("recovery", "officer", "remove", UNA, "--json"))["cure"]
    told(officers("keys", "rotate", JANE, "--json"))
    told(officers("user", "reset-password", JANE, "--reason", "other", "--json"))
    made = told(officers("recovery", "request", JANE, "--reason", "other", "--json"))
    assert told(officers("recovery", "refuse", made["request"], "--json"))["state"] == "refused"
    assert refused(officers("recovery", "refuse", "ffff", "--json"))["cure"]


def test_there_are_none(cjsm: Run) -> None:
    """A community without officers says what that means."""
    assert "stays closed" in cjsm("recovery", "officers").stdout
    add(cjsm)
    assert told(cjsm("organisation", "show", "avon", "--json"))["recovered_by"] is None
    told(cjsm("user", "reset-password", JANE, "--reason", "other", "--json"))
    assert refused(cjsm("recovery", "request", JANE, "--reason", "other", "--json"))["error"]
