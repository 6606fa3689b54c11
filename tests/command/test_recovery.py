"""``cjsm recovery``, and acting as somebody."""

from pathlib import Path

import pytest
from click.testing import Result

from tests.command.conftest import Run, copied, ran, refused, told
from tests.command.test_user import PASSWORD, add

JANE, OLIVE, UNA, HENRY = "jane.smith@avon", "olive.marsh@avon", "una.above@avon", "henry.desk@avon"


@pytest.fixture(scope="session")
def _officers_made(_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Olive recovers for avon, Una counter-signs for the community; Jane is a user, Henry is the helpdesk."""
    config = copied(_made, tmp_path_factory.mktemp("officers") / "home")

    def cjsm(*arguments: str, typed: str = "") -> Result:
        return ran(*arguments, config=config, typed=typed)

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
    return config.parent


@pytest.fixture
def officers(_officers_made: Path, config: Path, cjsm: Run) -> Run:
    """The community of one's own, with these people."""
    copied(_officers_made, config.parent)
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


def test_a_shared_mailbox(officers: Run) -> None:
    """Whose only reader was reset waits for older mail until two officers open it; its address is shown beside it."""
    duty = "duty@avon.cjsm.test"
    told(officers("shared", "add", "avon", "duty", "--name", "Duty", "--member", JANE, "--json"))
    told(officers("user", "reset-password", JANE, "--reason", "forgotten", "--json"))
    assert told(officers("shared", "show", duty, "--json"))["waiting_for_older_mail"] == [JANE]
    ask = ("recovery", "request", JANE, "--reason", "forgotten", "--shared", duty, "--json")
    assert "shared join" in refused(officers(*ask, "--for", HENRY, "--days", "3"))["cure"]
    made = told(officers(*ask))
    assert (made["user"], made["shared"]) == (JANE, duty)
    for who, state in ((UNA, "counter-signed"), (OLIVE, "opened")):
        approve = ("recovery", "approve", made["request"], "--password-stdin", "--json", "--as", who)
        assert told(officers(*approve, typed=f"{PASSWORD}\n"))["state"] == state
    assert told(officers("shared", "show", duty, "--json"))["waiting_for_older_mail"] == []


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


def test_an_officer_without_the_old_key(officers: Run) -> None:
    """Said at the reset, and at choosing another password with something else than the one of before."""
    change = ("user", "set-password", OLIVE, "--password-stdin")
    device = told(officers("device", "add", OLIVE, "laptop", "--password-stdin", "--json", typed=f"{PASSWORD}\n"))
    assert "appointed anew" not in officers(*change, typed=f"{PASSWORD}\n{PASSWORD} 2\n").stdout
    said = officers(*change, typed=f"{device['device_password']}\n{PASSWORD} 3\n").stdout
    assert "cjsm recovery officer add" in said
    assert "cjsm recovery officer add" in officers("user", "reset-password", UNA, "--reason", "other").stdout
    assert (
        told(officers("user", "reset-password", JANE, "--reason", "other", "--json"))["officer_to_appoint_anew"]
        is False
    )


def test_what_an_officer_does_not_open(officers: Run) -> None:
    """Whoever is appointed is told that it is for mail from now on."""
    told(officers("role", "grant", HENRY, "organisation-administrator", "--organisation", "avon", "--json"))
    said = officers(
        "recovery", "officer", "add", HENRY, "--organisation", "avon", "--password-stdin", typed=f"{PASSWORD}\n"
    )
    assert "sealed before now" in said.stdout


def test_what_a_moved_organisation_leaves(officers: Run) -> None:
    """Mail until now stays with the officers of before, who are named; moved within their place nothing is left."""
    told(officers("organisation", "add", "avon/yard", "--name", "Yard", "--json"))
    told(officers("organisation", "add", "north", "--name", "North", "--abbreviation", "north", "--json"))
    within = told(officers("organisation", "move", "avon/crime", "avon/yard", "--json"))
    assert "until_now_recovered_by" not in within
    moved = told(officers("organisation", "move", "avon/yard/crime", "north", "--json"))
    assert moved["until_now_recovered_by"] == ["avon", "the community"]
    assert moved["recovered_by"] != ["avon", "the community"]


def test_both_passwords(officers: Run) -> None:
    """Who acts shows theirs first, then whose right it is; the operator of the server approves nothing."""
    told(officers("role", "grant", HENRY, "organisation-administrator", "--organisation", "avon", "--json"))
    words = ("recovery", "officer", "add", HENRY, "--organisation", "avon", "--as", UNA, "--password-stdin", "--json")
    for typed in (f"{PASSWORD}\nwrong\n", f"wrong\n{PASSWORD}\n"):
        assert refused(officers(*words, typed=typed))["error"] == "user name or password not accepted"
    told(officers(*words, typed=f"{PASSWORD}\n{PASSWORD}\n"))
    assert officers("recovery", "approve", "1a2b3c4d").exit_code == 2
