"""``cjsm role``."""

from tests.command.conftest import Run, refused, told
from tests.command.test_user import add


def test_given_listed_taken(cjsm: Run) -> None:
    """Over an organisation or the whole community; the last community administrator stays."""
    add(cjsm)
    add(cjsm, first="Ada")
    given = told(cjsm("role", "grant", "ada.smith@avon", "community-administrator", "--json"))
    assert {"user_id": "ada.smith@avon", "role": "community-administrator", "organisation": None} in given
    told(cjsm("role", "grant", "jane.smith@avon", "organisation-administrator", "--organisation", "avon", "--json"))
    assert len(told(cjsm("role", "list", "--json"))) == 2
    assert "organisation-administrator" in cjsm("role", "list").stdout
    assert (
        "another administrator"
        in refused(cjsm("role", "revoke", "ada.smith@avon", "community-administrator", "--json"))["cure"]
    )
    told(cjsm("role", "grant", "jane.smith@avon", "community-administrator", "--json"))
    told(cjsm("role", "revoke", "ada.smith@avon", "community-administrator", "--json"))
    assert {each["user_id"] for each in told(cjsm("role", "list", "--json"))} == {"jane.smith@avon"}


def test_refused(cjsm: Run) -> None:
    """Roles that do not exist are wrong usage; those that are there, or not there, are refused."""
    add(cjsm)
    assert cjsm("role", "grant", "jane.smith@avon", "king").exit_code == 2
    assert refused(cjsm("role", "grant", "nobody@avon", "helpdesk", "--json"))["cure"]
    assert refused(cjsm("role", "grant", "jane.smith@avon", "organisation-administrator", "--json"))["cure"]
    assert refused(cjsm("role", "revoke", "jane.smith@avon", "helpdesk", "--json"))["error"]
    told(cjsm("role", "grant", "jane.smith@avon", "helpdesk", "--json"))
    assert refused(cjsm("role", "grant", "jane.smith@avon", "helpdesk", "--json"))["error"]


def test_over_an_organisation(cjsm: Run) -> None:
    """Whoever has them, and what is below it too."""
    add(cjsm)
    add(cjsm, first="Ada")
    told(cjsm("organisation", "add", "firm", "--name", "Firm", "--abbreviation", "firm", "--json"))
    for who, place in (("jane.smith@avon", "avon/crime"), ("ada.smith@avon", "avon"), ("ada.smith@avon", "firm")):
        told(cjsm("role", "grant", who, "organisation-administrator", "--organisation", place, "--json"))
    over = {
        place: [each["user_id"] for each in told(cjsm("role", "list", "--organisation", place, "--json"))]
        for place in ("avon", "avon/crime", "firm")
    }
    assert over == {
        "avon": ["ada.smith@avon", "jane.smith@avon"],
        "avon/crime": ["jane.smith@avon"],
        "firm": ["ada.smith@avon"],
    }
    assert refused(cjsm("role", "list", "--organisation", "nowhere", "--json"))["cure"]
