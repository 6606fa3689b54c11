"""``cjsm list``."""

from pathlib import Path

import pytest

from tests.command.conftest import Run, refused, told
from tests.command.test_user import PASSWORD, add

NEWS = "news@avon.cjsm.test"
JANE, TOM = "jane.smith@avon.cjsm.test", "tom.jones@avon.cjsm.test"


@pytest.fixture
def news(cjsm: Run) -> Run:
    """A list that Jane manages; Tom is there too."""
    one_time = add(cjsm)["one_time_password"]
    add(cjsm, first="Tom", last="Jones")
    typed = f"{one_time}\n{PASSWORD}\n"
    told(cjsm("user", "set-password", "jane.smith@avon", "--password-stdin", "--json", typed=typed))
    made = told(cjsm("list", "add", "avon", "news", "--name", "News", "--manager", "jane.smith@avon", "--json"))
    assert made == {
        "address": NEWS,
        "name": "News",
        "organisation": "avon",
        "who_may_post": "organisation",
        "ex_directory": False,
        "managers": ["jane.smith@avon"],
        "members": [],
    }
    return cjsm


def test_members(news: Run) -> None:
    """Join once, are shown, and leave."""
    assert told(news("list", "join", NEWS, JANE, TOM, "--json")) == {"joined": 2, "members": 2}
    assert told(news("list", "join", NEWS, TOM, "--json")) == {"joined": 0, "members": 2}
    assert told(news("list", "show", NEWS, "--json"))["members"] == [JANE, TOM]
    assert JANE in news("list", "show", NEWS).stdout
    assert "1 left; the list has 1 member" in news("list", "leave", NEWS, JANE).stdout
    assert [each["address"] for each in told(news("list", "list", "--json"))] == [NEWS]
    assert told(news("list", "list", "--organisation", "avon/crime", "--json")) == []
    assert NEWS in news("list", "list").stdout


def test_a_file_of_members(news: Run, tmp_path: Path) -> None:
    """As a spreadsheet or editor writes it; more than one commit takes, and all faults at once."""
    for number in range(3):
        add(news, first="P", last=f"N{number}")
    several = tmp_path / "members.txt"
    several.write_text("\ufeff" + "\r\n".join(f"p.n{number % 3}@avon.cjsm.test" for number in range(230)) + "\r\n\r\n")
    assert told(news("list", "join", NEWS, "--from", str(several), "--json")) == {"joined": 3, "members": 3}
    wrong = tmp_path / "wrong.txt"
    wrong.write_text(f"{JANE}\nnobody@avon.cjsm.test\n\nnot an address\njo@elsewhere.example\n")
    error = refused(news("list", "join", NEWS, "--from", str(wrong), "--json"))["error"]
    assert [each.partition(":")[0] for each in error.split("; ")] == ["line 2", "line 4", "line 5"]
    assert JANE not in told(news("list", "show", NEWS, "--json"))["members"]
    (tmp_path / "binary").write_bytes(b"\xff\xfe\0")
    assert refused(news("list", "join", NEWS, "--from", str(tmp_path / "binary"), "--json"))["cure"]
    assert refused(news("list", "join", NEWS, "--json"))["cure"]


def test_many_members(news: Run, tmp_path: Path) -> None:
    """Several commits in a row, the last one not full."""
    told(news("organisation", "add", "firm", "--name", "Firm", "--abbreviation", "firm", "--json"))
    made = ("firm", "firm", "--kind", "server", "--name", "F", "--next-hop", "mx.f:25", "--certificate-name", "mx.f")
    told(news("connection", "add", *made, "--json"))
    told(news("connection", "domain", "add", "firm", "firm.co.uk", "--json"))
    told(news("connection", "live", "firm", "--json"))
    several = tmp_path / "members.txt"
    several.write_text("\n".join(f"p{number}@firm.co.uk.cjsm.test" for number in range(230)))
    assert told(news("list", "join", NEWS, "--from", str(several), "--json")) == {"joined": 230, "members": 230}
    # A name that is no member's is found before anybody leaves; one that is there twice leaves once.
    wrong = tmp_path / "wrong.txt"
    wrong.write_text(f"{several.read_text()}\n{JANE}\n")
    assert JANE in refused(news("list", "leave", NEWS, "--from", str(wrong), "--json"))["error"]
    assert len(told(news("list", "show", NEWS, "--json"))["members"]) == 230
    wrong.write_text(f"{several.read_text()}\np0@firm.co.uk.cjsm.test\n")
    assert told(news("list", "leave", NEWS, "--from", str(wrong), "--json")) == {"left": 230, "members": 0}


def test_its_manager(news: Run) -> None:
    """Changes the members, as nobody else without a role does; members take themselves off."""
    as_jane = ("--as", "jane.smith@avon", "--password-stdin", "--json")
    assert told(news("list", "join", NEWS, TOM, *as_jane, typed=f"{PASSWORD}\n"))["joined"] == 1
    assert told(news("list", "show", NEWS, *as_jane, typed=f"{PASSWORD}\n"))["members"] == [TOM]
    assert refused(news("list", "change", NEWS, "--name", "Mine", *as_jane, typed=f"{PASSWORD}\n"))["cure"]
    assert told(news("list", "dismiss", NEWS, "jane.smith@avon", "--json"))["managers"] == []
    assert refused(news("list", "leave", NEWS, TOM, *as_jane, typed=f"{PASSWORD}\n"))["cure"]
    assert told(news("list", "appoint", NEWS, "jane.smith@avon", "--json"))["managers"] == ["jane.smith@avon"]
    told(news("list", "join", NEWS, JANE, "--json"))
    told(news("list", "dismiss", NEWS, "jane.smith@avon", "--json"))
    assert told(news("list", "leave", NEWS, JANE, *as_jane, typed=f"{PASSWORD}\n")) == {"left": 1, "members": 1}


def test_change_and_delete(news: Run) -> None:
    """What is given changes; a deleted list is gone and its address taken."""
    changed = told(news("list", "change", NEWS, "--who-may-post", "community", "--ex-directory", "--json"))
    assert (changed["who_may_post"], changed["ex_directory"], changed["name"]) == ("community", True, "News")
    assert told(news("list", "delete", NEWS, "--json")) == {"address": NEWS, "list": "deleted"}
    assert told(news("list", "list", "--json")) == []
    assert "list list" in refused(news("list", "show", NEWS, "--json"))["cure"]
    assert refused(news("list", "add", "avon", "news", "--name", "News", "--json"))["cure"]


def test_refused(news: Run) -> None:
    """What is nobody's, not an address, or not a list."""
    assert refused(news("list", "show", JANE, "--json"))["cure"]
    assert refused(news("list", "leave", NEWS, JANE, "--json"))["cure"]
    assert refused(news("list", "leave", NEWS, "not an address", "--json"))["cure"]
    assert "itself" in refused(news("list", "join", NEWS, NEWS, "--json"))["error"]
