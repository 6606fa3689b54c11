"""``cjsm directory search`` and ``show``."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from cjsm.command.context import wait
from cjsm.community import finding
from cjsm.community.acts import lists
from cjsm.community.address import Address
from cjsm.community.identifiers import ListId
from cjsm.community.records import MailList
from cjsm.community.view import View
from tests.command.conftest import copied, ran, refused, told
from tests.command.mailboxes import beside, commit
from tests.command.test_user import PASSWORD

JANE, OLIVE, HENRY = "jane.smith@avon", "olive.marsh@avon", "henry.desk@desk"


class Town:
    """Police and a firm, with somebody in every state, a list and a shared mailbox."""

    def __init__(self, config: Path) -> None:
        self.config = config
        told(self.run("organisation", "add", "firm", "--name", "Law & Sons", "--abbreviation", "firm"))
        told(self.run("organisation", "add", "desk", "--name", "Helpdesk", "--abbreviation", "desk"))
        told(self.run("organisation", "add", "refuge", "--name", "Refuge", "--abbreviation", "refuge", "--protected"))
        for place, first, last, *more in (
            ("avon/crime", "Jane", "Smith", "--telephone", "+44 117 496 0110", "--mobile", "07700 900110"),
            ("avon", "Olive", "Marsh"),
            ("avon/crime", "Sam", "Smithers"),
            ("firm", "Lou", "Smith", "--mobile", "07700 900200"),
            ("desk", "Henry", "Desk"),
            ("refuge", "Rita", "Hidden"),
        ):
            made = told(self.run("user", "add", place, "--first", first, "--last", last, *more))
            typed = f"{made['one_time_password']}\n{PASSWORD}\n"
            told(self.run("user", "set-password", made["user_id"], "--password-stdin", typed=typed))
        told(self.run("role", "grant", OLIVE, "organisation-administrator", "--organisation", "avon"))
        told(self.run("role", "grant", HENRY, "helpdesk"))
        told(self.run("user", "suspend", "sam.smithers@avon", "--reason", "absent"))
        told(self.run("shared", "add", "avon/crime", "duty", "--name", "Duty Desk", "--member", JANE))
        with beside(config) as suite:
            commit(suite, lambda view, by: lists.add(view, by, _list(view), Address.parse("all@avon.cjsm.test")))

    def run(self, *words: str, typed: str = "") -> Result:
        return ran(*words, "--json", config=self.config, typed=typed)

    def ask(self, who: str | None, *words: str) -> Result:
        acting = ("--as", who, "--password-stdin") if who is not None else ()
        return self.run("directory", *words, *acting, typed=f"{PASSWORD}\n")

    def names(self, who: str | None, *words: str) -> list[str]:
        return [entry["name"] for entry in told(self.ask(who, "search", *words))["entries"]]


def _list(view: View) -> MailList:
    place = finding.organisation_of(view, "avon").id
    members = ("jane.smith@avon.cjsm.test",)
    return MailList(id=ListId(b"l" * 16), organisation=place, slug="all", name="Everybody", members=members)


@pytest.fixture(scope="module")
def town(_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(copied(_made, tmp_path_factory.mktemp("town") / "home"))


def test_as_ldap_shows_it(town: Town) -> None:
    """A member sees members who are listed, an administrator the own tree with states, the operator all."""
    assert town.names(JANE, "--begins", "last-name", "smith") == ["Jane Smith", "Lou Smith"]
    assert town.names(OLIVE, "--begins", "last-name", "smith") == ["Jane Smith", "Sam Smithers", "Lou Smith"]
    assert town.names(HENRY, "hidden") == ["Rita Hidden"]
    assert town.names(JANE, "hidden") == []
    assert town.names(None, "hidden") == ["Rita Hidden"]


def test_what_may_be_read(town: Town) -> None:
    """Mobile numbers in the own organisation, states for whoever looks after somebody; neither can be searched else."""

    def entry(who: str | None, name: str) -> tuple[Any, Any]:
        shown = told(town.ask(who, "show", name))
        return shown["mobile"], shown["status"]

    assert entry(JANE, JANE) == ("07700 900110", None)
    assert entry(JANE, "lou.smith@firm") == (None, None)
    assert entry(OLIVE, JANE) == ("07700 900110", "Active")
    assert entry(HENRY, "lou.smith@firm") == (None, "Active")
    assert entry(None, "lou.smith@firm") == ("07700 900200", "Active")
    assert town.names(JANE, "--contains", "mobile", "0200") == []
    assert town.names(None, "--contains", "mobile", "0200") == ["Lou Smith"]
    assert town.names(OLIVE, "--is", "status", "suspended") == ["Sam Smithers"]
    assert town.names(JANE, "--is", "status", "active") == []


def test_conditions(town: Town) -> None:
    """All of them, with text; kinds; a place."""
    assert town.names(None, "smith", "--is", "organisation", "crime", "--is", "first-name", "jane") == ["Jane Smith"]
    assert town.names(JANE, "--kind", "list") == ["Everybody"]
    assert town.names(JANE, "--kind", "shared-mailbox") == ["Duty Desk"]
    assert town.names(JANE, "--kind", "organisation") == ["Avon Police", "Crime", "Helpdesk", "Law & Sons"]
    assert town.names(JANE, "--in", "avon/crime") == ["Crime", "Jane Smith", "Duty Desk"]
    assert town.names(JANE, "0110", "--in", "avon") == ["Jane Smith"]
    assert town.names(JANE, "0110", "--in", "firm") == []


def test_limits(town: Town) -> None:
    """As at the door: so many entries, terms of so many characters."""
    answer = told(town.ask(None, "search", "--contains", "name", "s", "--limit", "2"))
    assert (len(answer["entries"]), answer["complete"]) == (2, False)
    assert told(town.ask(None, "search", "smithers"))["complete"]
    said = refused(town.ask(JANE, "search", "--contains", "name", "s"))
    assert "at least 2 characters" in said["error"]
    assert said["cure"]
    text = town.config.read_text()
    town.config.write_text(text.replace("\nentries = 100\n", "\nentries = 1\n"))
    try:
        answer = told(town.ask(JANE, "search", "smith", "--limit", "50"))
    finally:
        town.config.write_text(text)
    assert (len(answer["entries"]), answer["complete"]) == (1, False)


def test_for_people(town: Town) -> None:
    """A table, and how many; whole values."""
    shown = ran("directory", "search", "smith", "jane", config=town.config).output
    assert "jane.smith@avon.cjsm.test" in shown
    assert "1 entry" in shown
    assert "narrow the search" in ran("directory", "search", "--in", "avon", "--limit", "1", config=town.config).output
    assert "Smith, Jane (Avon Police – Crime)" in ran("directory", "show", JANE, config=town.config).output


def test_wrong_questions(town: Town) -> None:
    """Nothing to look for, an empty value, an unknown field: usage."""
    for words in ((), ("--is", "name", " "), ("--is", "nonsense", "x"), ("",)):
        assert town.ask(None, "search", *words).exit_code == 2


@pytest.mark.parametrize(
    ("who", "name"), [(JANE, "refuge"), (JANE, "nowhere"), (JANE, "avon/nowhere"), (None, "nowhere"), (None, "")]
)
def test_no_such_organisation(town: Town, who: str | None, name: str) -> None:
    """One that may not be seen is not there, in equal words."""
    said = refused(town.ask(who, "search", "--in", name, "rita"))
    assert said["error"] == f"there is no organisation {name!r}, or not for you"


@pytest.mark.parametrize(
    ("name", "kind", "called"),
    [
        ("Jane.Smith@avon", "person", "Jane Smith"),
        ("jane.smith@avon.cjsm.test", "person", "Jane Smith"),
        ("uid=jane.smith,ou=crime,o=avon,dc=cjsm,dc=test", "person", "Jane Smith"),
        ("UID=Jane.Smith@avon, OU=Crime, O=avon, DC=cjsm, DC=test", "person", None),
        ("uid=jane.smith@avon,o=people", "person", "Jane Smith"),
        ("all@avon.cjsm.test", "list", "Everybody"),
        ("cn=all,o=avon,dc=cjsm,dc=test", "list", "Everybody"),
        ("duty@avon.cjsm.test", "shared-mailbox", "Duty Desk"),
        ("cn=duty,ou=crime,o=avon,dc=cjsm,dc=test", "shared-mailbox", "Duty Desk"),
        ("avon/crime", "organisation", "Crime"),
        ("ou=crime,o=avon,dc=cjsm,dc=test", "organisation", "Crime"),
        ("refuge", "organisation", None),
        ("rita.hidden@refuge", "person", None),
        ("sam.smithers@avon", "person", None),
        ("uid=rita.hidden,o=refuge,dc=cjsm,dc=test", "person", None),
        ("uid=nobody,ou=crime,o=avon,dc=cjsm,dc=test", "person", None),
        ("uid=nobody@avon,o=people", "person", None),
        ("ou=nowhere,o=avon,dc=cjsm,dc=test", "organisation", None),
        ("uid=jane.smith,ou=crime,o=avon,dc=other", "person", None),
        ("nobody@avon", "person", None),
        ("", "person", None),
        ("\0", "person", None),
    ],
)
def test_shown(town: Town, name: str, kind: str, called: str | None) -> None:
    """By whatever it is called, if it may be seen; else in equal words, whether it is there or not."""
    answer = town.ask(JANE, "show", name)
    if called is None:
        assert refused(answer)["error"] == f"there is no entry {name!r}, or not for you"
    else:
        shown = told(answer)
        assert (shown["kind"], shown["name"]) == (kind, called)


def test_shown_to_whoever_looks_after_it(town: Town) -> None:
    """Members of lists, states of organisations, suspended people."""
    assert told(town.ask(OLIVE, "show", "all@avon.cjsm.test"))["members"] == ["jane.smith@avon.cjsm.test"]
    assert told(town.ask(JANE, "show", "all@avon.cjsm.test"))["members"] is None
    assert told(town.ask(OLIVE, "show", "avon"))["state"] == "active"
    assert told(town.ask(OLIVE, "show", "sam.smithers@avon"))["status"] == "Suspended"
    assert told(town.ask(None, "show", "dc=cjsm,dc=test"))["dn"] == "dc=cjsm,dc=test"
    assert "no distinguished name" in refused(town.ask(JANE, "show", "=nonsense"))["error"]


def test_documents_have_every_field(town: Town) -> None:
    """Programs find each, with null where there is nothing, or nothing for them."""
    shown = told(town.ask(JANE, "show", "lou.smith@firm"))
    assert list(shown)[:4] == ["kind", "name", "organisation", "dn"]
    assert {"telephone", "mobile", "status", "members", "changed"} <= set(shown)
    assert shown["created"].endswith("+00:00")


def test_read_only(town: Town) -> None:
    """Looking changes nothing."""
    with beside(town.config) as suite:
        before = suite.stores.community.number(), len(wait(suite.stores.community.entries(0, 10_000)))
    town.names(OLIVE, "smith")
    told(town.ask(OLIVE, "show", JANE))
    with beside(town.config) as suite:
        assert (suite.stores.community.number(), len(wait(suite.stores.community.entries(0, 10_000)))) == before
