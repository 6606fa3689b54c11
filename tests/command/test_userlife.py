"""``cjsm user`` verbs for a user's life."""

import re

import pytest

from tests.command.conftest import Run, refused, told
from tests.command.test_user import PASSWORD, add

JANE = "jane.smith@avon"


def test_reset(cjsm: Run) -> None:
    """The new one-time password serves to choose a password; the old one is worth nothing."""
    first = add(cjsm, "--device", "laptop")
    change = ("user", "set-password", JANE, "--password-stdin", "--json")
    told(cjsm(*change, typed=f"{first['one_time_password']}\n{PASSWORD}\n"))
    made = told(cjsm("user", "reset-password", JANE, "--reason", "forgotten", "--json"))
    assert (made["old_mail_closed"], made["recovery"]) == (False, "two-person")
    assert told(cjsm("user", "show", JANE, "--json"))["status"] == "Reset"
    assert told(cjsm("device", "list", JANE, "--json")) == []
    for old in (PASSWORD, first["device_password"]):
        assert refused(cjsm(*change, typed=f"{old}\n{PASSWORD} more\n"))["cure"]
    assert "already" in refused(cjsm(*change, typed=f"{made['one_time_password']}\n{PASSWORD}\n"))["error"]
    told(cjsm(*change, typed=f"{made['one_time_password']}\n{PASSWORD} more\n"))
    assert told(cjsm("user", "show", JANE, "--json"))["status"] == "Active"
    codes = told(cjsm("user", "recovery-codes", JANE, "--password-stdin", "--json", typed=f"{PASSWORD} more\n"))
    assert (made["recovery_codes_void"], len(codes["recovery_codes"])) == (0, 10)
    said = cjsm("user", "reset-password", JANE, "--reason", "compromised").stdout
    assert "shown once" in said
    assert "set-password" in said
    assert "10 of before choose no password any more" in said
    assert f"cjsm user recovery-codes {JANE}" in said


def test_recovery_is_said(cjsm: Run) -> None:
    """Who resets hears what becomes of old mail, the organisation's choice included."""
    told(cjsm("organisation", "add", "firm", "--name", "F", "--abbreviation", "firm", "--recovery", "none", "--json"))
    told(cjsm("user", "add", "firm", "--first", "Al", "--last", "B", "--json"))
    assert told(cjsm("user", "reset-password", "al.b@firm", "--reason", "other", "--json"))["recovery"] == "none"


def test_life(cjsm: Run) -> None:
    """Suspended, resumed, deleted, had back; the reason and the note are shown, and gone with the state."""
    add(cjsm)
    suspended = told(cjsm("user", "suspend", JANE, "--reason", "absent", "--note", "until May", "--json"))
    assert suspended == {"user_id": JANE, "status": "Suspended", "told": False}
    shown = told(cjsm("user", "show", JANE, "--json"))
    assert (shown["reason"], shown["note"]) == ("absent", "until May")
    assert told(cjsm("user", "resume", JANE, "--json"))["status"] == "New User"
    assert "30 days" in cjsm("user", "delete", JANE, "--reason", "left").stdout
    assert told(cjsm("user", "undelete", JANE, "--json"))["status"] == "New User"
    assert told(cjsm("user", "show", JANE, "--json"))["reason"] is None


@pytest.mark.parametrize("verb", ["reset-password", "suspend", "delete"])
def test_reason(cjsm: Run, verb: str) -> None:
    """Without one, or with one's own words, it is wrong usage; an unknown user is refused."""
    assert cjsm("user", verb, JANE).exit_code == 2
    assert cjsm("user", verb, JANE, "--reason", "because").exit_code == 2
    assert refused(cjsm("user", verb, JANE, "--reason", "other", "--json"))["cure"]


def test_not_now(cjsm: Run) -> None:
    """Steps that the state does not allow are refused, with what the state is."""
    add(cjsm)
    assert "new" in refused(cjsm("user", "resume", JANE, "--json"))["error"]
    assert "new" in refused(cjsm("user", "undelete", JANE, "--json"))["error"]
    told(cjsm("user", "delete", JANE, "--reason", "left", "--json"))
    assert "deleted" in refused(cjsm("user", "suspend", JANE, "--reason", "left", "--json"))["error"]
    assert "undelete" in refused(cjsm("user", "reset-password", JANE, "--reason", "other", "--json"))["cure"]


def test_keys(cjsm: Run) -> None:
    """The generations of a mailbox, and a new one."""
    add(cjsm)
    (first,) = told(cjsm("keys", "show", JANE, "--json"))
    assert (first["generation"], first["newest"], first["granted"]) == (1, True, [f"{JANE} epoch 1"])
    made = told(cjsm("keys", "rotate", f"{JANE}.cjsm.test", "--json"))
    found = told(cjsm("keys", "show", JANE, "--json"))
    assert [(each["generation"], each["newest"]) for each in found] == [(1, False), (2, True)]
    assert (made["generation"], made["key"]) == (2, found[1]["key"])
    assert "generation 3" in cjsm("keys", "rotate", JANE).stdout
    assert "epoch 1" in cjsm("keys", "show", JANE).stdout
    assert refused(cjsm("keys", "show", "nobody@avon", "--json"))["cure"]


def test_moved_organisation(cjsm: Run) -> None:
    """Everybody below goes along; keys that are due are rotated at once."""
    add(cjsm)
    told(cjsm("organisation", "add", "north", "--name", "North", "--abbreviation", "north", "--json"))
    moved = told(cjsm("organisation", "move", "avon/crime", "north", "--json"))
    assert (moved["path"], moved["users"]) == ("north/crime", 1)
    assert told(cjsm("user", "show", JANE, "--json"))["organisation"] == "north/crime"
    assert refused(cjsm("organisation", "move", "north/crime", "/", "--json"))["error"]
    assert refused(cjsm("organisation", "move", "north", "north/crime", "--json"))["error"]
    assert told(cjsm("keys", "rotate-due", "--json")) == {"due": 1, "rotated": 1, "failed": 0}
    # Within the second in which it moved it is begun once more.
    assert re.search("([01]) of \\1", cjsm("keys", "rotate-due").stdout)
