"""``cjsm user`` verbs for what is known of somebody."""

from tests.command.conftest import Run, refused, told
from tests.command.test_user import PASSWORD, add

JANE = "jane.smith@avon"
OLD, NEW = "jane.smith@avon.cjsm.test", "jane.harding@avon.cjsm.test"


def test_changed(cjsm: Run) -> None:
    """What is given; the same again changes nothing and is no act."""
    add(cjsm)
    words = ("user", "change", JANE, "--telephone", "0117 1", "--type", "Sergeant", "--ordinary-email", "J@example.org")
    assert told(cjsm(*words, "--ex-directory", "--json"))["changed"] is True
    shown = told(cjsm("user", "show", JANE, "--json"))
    assert shown["details"] == {"telephone": "0117 1", "user_type": "Sergeant"}
    assert (shown["ex_directory"], shown["ordinary_email"]) == (True, "j@example.org")
    assert told(cjsm(*words, "--json"))["changed"] is False
    assert "nothing changed" in cjsm(*words).stdout
    told(cjsm("user", "change", JANE, "--telephone", "", "--ordinary-email", "", "--listed", "--json"))
    shown = told(cjsm("user", "show", JANE, "--json"))
    assert shown["details"] == {"user_type": "Sergeant"}
    assert (shown["ex_directory"], shown["ordinary_email"]) == (False, None)


def test_bad_values(cjsm: Run) -> None:
    """Refused with what is wrong; nothing is half done."""
    add(cjsm)
    for words in (("--town", "x" * 10_240), ("--town", "a\u202eb"), ("--ordinary-email", "jane@avon.cjsm.test")):
        assert refused(cjsm("user", "change", JANE, "--mobile", "1", *words, "--json"))["error"]
    assert told(cjsm("user", "show", JANE, "--json"))["details"] == {}


def test_renamed(cjsm: Run) -> None:
    """The person signs in by the new name with the old password, and is found by the old address still."""
    first = add(cjsm)
    change = ("user", "set-password", JANE, "--password-stdin", "--json")
    told(cjsm(*change, typed=f"{first['one_time_password']}\n{PASSWORD}\n"))
    told(cjsm("list", "add", "avon", "all", "--name", "All", "--json"))
    told(cjsm("list", "join", "all@avon.cjsm.test", OLD, "--json"))
    made = told(cjsm("user", "rename", JANE, "--last", "Harding", "--json"))
    assert (made["user_id"], made["address"], made["old_address"]) == ("jane.harding@avon", NEW, OLD)
    (alias,) = made["aliases"]
    assert alias["address"] == OLD
    assert alias["delivers_until"] < alias["reserved_until"]
    assert told(cjsm("list", "show", "all@avon.cjsm.test", "--json"))["members"] == [NEW]
    assert told(cjsm("user", "show", OLD, "--json"))["user_id"] == "jane.harding@avon"
    assert told(cjsm("user", "show", JANE, "--json"))["user_id"] == "jane.harding@avon"
    own = ("role", "list", "--user", "jane.harding@avon", "--as", "jane.harding@avon", "--password-stdin", "--json")
    assert told(cjsm(*own, typed=f"{PASSWORD}\n")) == []
    assert told(cjsm("user", "add", "avon", "--first", "Jane", "--last", "Smith", "--json"))["user_id"] == (
        "jane.smith-2@avon"
    )


def test_said_to_people(cjsm: Run) -> None:
    """Where mail to the old address goes, and what the person needs to know."""
    add(cjsm)
    said = cjsm("user", "rename", JANE, "--last", "Harding").stdout
    assert f"the old address {OLD} goes on delivering" in said
    assert "signs in as long" in said


def test_moved(cjsm: Run) -> None:
    """To another top organisation: another address; mail to the old one is refused unless it was said otherwise."""
    told(cjsm("organisation", "add", "north", "--name", "North", "--abbreviation", "north", "--json"))
    add(cjsm)
    made = told(cjsm("user", "move", JANE, "north", "--json"))
    assert (made["user_id"], made["organisation"]) == ("jane.smith@north", "north")
    (gone,) = made["aliases"]
    assert gone["address"] == OLD
    said = cjsm("policy", "explain", "--from", "jane.smith@north.cjsm.test", "--to", OLD)
    assert "550" in said.output
    made = told(cjsm("user", "move", "jane.smith@north", "avon/crime", "--old-address-delivers", "--json"))
    assert (made["user_id"], made["address"]) == (JANE, OLD)
    by_address = {each["address"]: each for each in made["aliases"]}
    north = by_address["jane.smith@north.cjsm.test"]
    assert north["delivers_until"] < north["reserved_until"]
    assert refused(cjsm("user", "move", JANE, "avon/crime", "--json"))["error"] == "this user is there already"
    assert refused(cjsm("user", "move", JANE, "nowhere", "--json"))["cure"]


def test_what_keeps_somebody(cjsm: Run) -> None:
    """It is said what to do first, as a command."""
    told(cjsm("organisation", "add", "north", "--name", "North", "--abbreviation", "north", "--json"))
    add(cjsm)
    told(cjsm("shared", "add", "avon", "duty", "--name", "Duty", "--member", JANE, "--json"))
    answer = refused(cjsm("user", "move", JANE, "north", "--json"))
    assert answer["cure"] == f"take them out first: cjsm shared leave duty@avon.cjsm.test {JANE}"


def test_aliases(cjsm: Run) -> None:
    """Given and taken away."""
    add(cjsm)
    alias = "sergeant@avon.cjsm.test"
    assert told(cjsm("user", "alias", "add", JANE, alias, "--json"))["aliases"][0]["address"] == alias
    assert told(cjsm("user", "show", alias, "--json"))["user_id"] == JANE
    (gone,) = told(cjsm("user", "alias", "remove", JANE, alias, "--json"))["aliases"]
    assert gone["delivers_until"] is not None
    assert refused(cjsm("user", "alias", "remove", JANE, alias, "--json"))["cure"]
