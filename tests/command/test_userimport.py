"""``cjsm user import``: whole rows or none, told by line and column; no password of who was made is lost."""

import csv
import fcntl
import signal
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cjsm.command import userimport
from cjsm.command.context import wait
from cjsm.community.errors import Exists
from cjsm.community.records import AccountKind
from cjsm.community.view import Change, View
from tests.command.conftest import copied, ran, refused
from tests.command.directories import JANE, KILLED, OLIVE, PAUL, Firm
from tests.command.mailboxes import beside
from tests.command.test_directoryimport import told
from tests.command.test_user import PASSWORD

HEAD = "Type,Firstname,Lastname,Ordinary Email,Organisation,Secure Email,Telephone"
ANN = "M,Ann,Lee,ann@example.org,avon/crime,,0117 1"


@pytest.fixture(scope="module")
def _firm(_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Firm:
    return Firm(copied(_made, tmp_path_factory.mktemp("people") / "home"))


@pytest.fixture
def firm(_firm: Firm, tmp_path: Path) -> Firm:
    """One of one's own."""
    found = Firm.__new__(Firm)
    found.config = copied(_firm.config.parent, tmp_path / "home")
    return found


class Import:
    """Imports of one place."""

    def __init__(self, firm: Firm, place: Path) -> None:
        self.firm = firm
        self.place = place

    def write(self, *lines: str, head: str = HEAD, encoding: str = "utf-8") -> str:
        (self.place / "in.csv").write_text("\r\n".join((head, *lines)) + "\r\n", encoding=encoding)
        return str(self.place / "in.csv")

    def __call__(self, *lines: str, code: int = 0, who: str | None = None, more: Sequence[str] = ()) -> Any:
        acting = ("--as", who, "--password-stdin") if who is not None else ()
        words = ("user", "import", self.write(*lines), *more, *acting)
        return told(self.firm.run(*words, typed=f"{PASSWORD}\n"), code)

    def results(self, name: str = "in.results.csv") -> list[dict[str, str]]:
        with (self.place / name).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    def people(self) -> set[str]:
        with beside(self.firm.config) as suite:
            return suite.stores.community.read_now(lambda view: {each.user_id for each in view.accounts()})

    def signs_in(self, row: dict[str, str]) -> bool:
        """Whether a one-time password does what it is for."""
        typed = f"{row['One-time Password']}\n{PASSWORD}\n"
        return (
            ran(
                *("user", "set-password", row["User ID"], "--password-stdin"), config=self.firm.config, typed=typed
            ).exit_code
            == 0
        )

    def fit(self, rows: Sequence[dict[str, str]]) -> bool:
        """Whether all one-time passwords are those of whom they stand beside."""
        with beside(self.firm.config) as suite:
            return all(userimport._is_theirs(suite, row["User ID"], row["One-time Password"]) for row in rows)


@pytest.fixture
def imported(firm: Firm, tmp_path: Path) -> Import:
    return Import(firm, tmp_path)


def problems(answer: Any) -> list[tuple[int, str | None, str]]:
    """Line, column and problem of each."""
    return [(row["line"], each["column"], each["problem"]) for row in answer["rows"] for each in row["problems"]]


def test_made(imported: Import) -> None:
    """A mailbox here and a member of the firm's server; the results are for one's own eyes, and open the accounts."""
    lines = (ANN, "s,Jo,Law,jo@example.org,firm,jo@firm.co.uk.cjsm.test,")
    answer = imported(*lines)
    assert (answer["made"], answer["there_already"], answer["refused"]) == (2, 0, 0)
    assert [(each["user_id"], each["address"]) for each in answer["rows"]] == [
        ("ann.lee@avon", "ann.lee@avon.cjsm.test"),
        ("jo.law@firm", "jo@firm.co.uk.cjsm.test"),
    ]
    path = imported.place / "in.results.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "password" not in str(answer["rows"])
    rows = imported.results()
    assert [each["Secure Email"] for each in rows] == ["ann.lee@avon.cjsm.test", "jo@firm.co.uk.cjsm.test"]
    assert all(imported.signs_in(row) for row in rows)
    shown = told(imported.firm.run("user", "show", "ann.lee@avon"))
    assert (shown["organisation"], shown["kind"], shown["status"]) == ("avon/crime", AccountKind.HOSTED, "Active")
    entries = imported.firm.entries()[-4:-2]
    assert [each.act for each in entries] == ["user-add", "user-add"]
    assert sorted(path.name for path in imported.place.glob("in*")) == ["in.csv", "in.results.csv"]


def test_twice(imported: Import) -> None:
    """Who is there by the ordinary email stays; a namesake gets -2; results never take another file's place."""
    told(imported.firm.run("user", "import", imported.write(ANN)))
    answer = refused(imported.firm.run("user", "import", imported.write(ANN)))
    assert "imported already" in answer["error"]
    assert "--results" in answer["cure"]
    other = imported.place / "other.csv"
    other.write_text("Type,Firstname\r\n")
    answer = refused(imported.firm.run("user", "import", imported.write(ANN), "--results", str(other)))
    assert answer["error"] == f"{other} exists already"
    namesake = "M,Ann,Lee,ANN.other@example.org,avon,,"
    answer = imported(ANN.replace("ann@", "Ann@"), namesake, more=("--results", str(imported.place / "two.csv")))
    assert (answer["made"], answer["there_already"]) == (1, 1)
    assert [each["user_id"] for each in answer["rows"]] == ["ann.lee@avon", "ann.lee-2@avon"]
    first, second = imported.results("two.csv")
    assert (first["One-time Password"], first["Result"]) == ("", "there already")
    assert second["One-time Password"]


def test_dry_run(imported: Import) -> None:
    """Says what would be, and does nothing: no entry, no key, no file."""
    before = (imported.people(), len(imported.firm.entries()))
    answer = imported(ANN, "M,,Lee,x@example.org,avon,,", code=1, more=("--dry-run",))
    assert (answer["dry_run"], answer["made"], answer["refused"], answer["results"]) == (True, 1, 1, None)
    assert (imported.people(), len(imported.firm.entries())) == before
    assert [path.name for path in imported.place.glob("in*")] == ["in.csv"]


FAULTS = (
    ("X,Ann,Lee,a@example.org,avon,,", "Type", "'X' is no type"),
    (",Ann,Lee,a@example.org,avon,,", "Type", "this may not be empty"),
    ("M,,Lee,a@example.org,avon,,", "Firstname", "this may not be empty"),
    ("M,Ann,Lee,,avon,,", "Ordinary Email", "this may not be empty"),
    ("M,Ann,Lee,nobody,avon,,", "Ordinary Email", "an address needs a domain: name@organisation"),
    ("M,Ann,Lee,a@avon.cjsm.test,avon,,", "Ordinary Email", "this is an address of this community"),
    ("M,Ann,Lee,a@example.org,,,", "Organisation", "a new member needs one"),
    ("M,Ann,Lee,a@example.org,nowhere,,", "Organisation", "there is no organisation 'nowhere'"),
    ("S,Ann,Lee,a@example.org,firm,,", "Secure Email", "somebody whose mail is kept at the organisation needs it"),
    ("S,Ann,Lee,a@example.org,firm,a@x.org.cjsm.test,", "Secure Email", None),
    ("S,Ann,Lee,a2@example.org,avon,a@firm.co.uk.cjsm.test,", "Secure Email", None),
    ("M,Ann,Lee,a@example.org,avon,a@firm.cjsm.test,", "Secure Email", None),
    ("M,Ann,Lee,a@example.org,avon,jane.smith@avon.cjsm.test,", "User ID", "the user ID jane.smith@avon is taken"),
    ("M,Ann,Le\u202ee,a@example.org,avon,,", "Lastname", "this has the character U+202E, which is not printed"),
    (f"M,{'x' * 10_240},Lee,a@example.org,avon,,", "Firstname", "this has 10,240 characters, 4,000 at most"),
    (f"M,{'x' * 300},Lee,a@example.org,avon,,", "Firstname", "this has 300 characters, 200 at most"),
    ("M,Ann,Lee,a@example.org,avon,,1,2,3", None, "it has 9 cells, line 1 has 7 titles"),
)


def test_faults(imported: Import) -> None:
    """Told by line and column, and all others are made."""
    answer = imported(*(line for line, *_ in FAULTS), ANN, ANN, code=1)
    found = problems(answer)
    assert [(line, column) for line, column, _ in found] == [
        *((number, column) for number, (_, column, _) in enumerate(FAULTS, 2)),
        (len(FAULTS) + 3, "Ordinary Email"),
    ]
    for (_, _, said), (_, _, expected) in zip(found, FAULTS, strict=False):
        assert expected is None or said == expected
    assert found[-1][2] == f"this is the person of line {len(FAULTS) + 2} too"
    assert answer["made"] == 1
    assert [bool(row["One-time Password"]) for row in imported.results()] == [
        *[False] * len(FAULTS),
        *[True, False],
    ]


NAMES = ('"O\'Neil, QC"', '"""Bob"" Smith"', "Zoë", "כהן", "Зоя")


def test_names_of_everybody(imported: Import) -> None:
    """Commas, quotes, accents, right to left: as they are in the directory, plain in user IDs."""
    answer = imported(*(f"M,Al,{name},n{number}@example.org,avon,," for number, name in enumerate(NAMES)))
    assert [each["user_id"] for each in answer["rows"]] == [
        *("al.oneil-qc@avon", "al.bob-smith@avon", "al.zoe@avon", "n3@avon", "n4@avon"),
    ]
    assert told(imported.firm.run("user", "show", "al.oneil-qc@avon"))["name"] == "Al O'Neil, QC"
    assert told(imported.firm.run("user", "show", "n3@avon"))["name"] == "Al כהן"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_encodings(imported: Import, encoding: str) -> None:
    """As spreadsheets write them, semicolons too."""
    path = imported.write("M;Siân;Lee;s@example.org;avon;;", head=HEAD.replace(",", ";"), encoding=encoding)
    told(imported.firm.run("user", "import", path))
    assert told(imported.firm.run("user", "show", "sian.lee@avon"))["name"] == "Siân Lee"


def test_formulas(imported: Import) -> None:
    """A spreadsheet that opens the results works nothing out."""
    imported("M,=1+1,Lee,f@example.org,avon,,")
    assert imported.results()[0]["Firstname"] == "'=1+1"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1 has no column Type"),
        ("Type,Firstname,Lastname\r\n", "line 1 has no column Ordinary Email"),
        ("Type,Firstname,Lastname,Ordinary Email,Colour\r\n", "unknown title 'Colour'"),
        (f'{HEAD}\r\nM,"Ann,Lee\r\n', "is not CSV"),
        (f"{HEAD}\r\n" + f"{ANN}\r\n" * 501, "more than 500 rows"),
    ],
)
def test_no_such_file(imported: Import, text: str, problem: str) -> None:
    """Says why and what would do, and does nothing."""
    (imported.place / "in.csv").write_text(text)
    answer = refused(imported.firm.run("user", "import", str(imported.place / "in.csv")))
    assert problem in answer["error"]
    assert answer["cure"]
    assert [path.name for path in imported.place.glob("in*")] == ["in.csv"]


def test_whose(imported: Import) -> None:
    """Administrators of the place; a row of another's is refused by itself. Those in another place are other people."""
    lines = (ANN, "M,Ann,Lee,ann@example.org,firm,,")
    answer = imported(*lines, who=OLIVE, code=1)
    assert [each["result"] for each in answer["rows"]] == ["made", "refused"]
    assert problems(answer)[0][1] == "Organisation"
    imported.place.joinpath("in.results.csv").unlink()
    assert imported(lines[1], who=PAUL)["made"] == 1
    refused(imported.firm.run("user", "import", "x", "--as", JANE, "--password-stdin", typed=f"{PASSWORD}\n"))


def test_deleted(imported: Import) -> None:
    """Somebody who can still be had back is not made again."""
    imported(ANN)
    told(imported.firm.run("user", "delete", "ann.lee@avon", "--reason", "left"))
    answer = imported(ANN, code=1, more=("--results", str(imported.place / "two.csv")))
    assert problems(answer) == [(2, "Ordinary Email", "this person is here, deleted, as ann.lee@avon")]


KILLS = (
    ("keys", "put_all", "2", "after", 2),
    ("results", "ahead", "2", "after", 2),
    ("community", "commit", "2", "after", 4),
    ("results", "finish", "1", "before", 5),
    ("results", "_name_whole", "1", "before", 5),
)


@pytest.mark.parametrize(("where", "name", "calls", "when", "made"), KILLS, ids=lambda value: str(value))
def test_killed(
    imported: Import, monkeypatch: pytest.MonkeyPatch, where: str, name: str, calls: str, when: str, made: int
) -> None:
    """Whole rows; run again it makes the others, and the results have the passwords of exactly those who were made."""
    source = imported.write(*(f"M,Ann{number},Lee,a{number}@example.org,avon,," for number in range(5)))
    words = [sys.executable, "-c", KILLED, where, name, calls, when]
    before = imported.people()
    ended = subprocess.run(
        [*words, "user", "import", source, "--config", str(imported.firm.config)], capture_output=True, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert len(imported.people() - before) == made
    part = imported.place / "in.results.csv.part"
    assert stat.S_IMODE(part.stat().st_mode) == 0o600
    left = {row["User ID"]: row for row in imported.results(part.name)}
    assert set(left) >= imported.people() - before
    answer = told(imported.firm.run("user", "import", source))
    assert (answer["made"], answer["there_already"], answer["made_before"]) == (5 - made, made, made)
    rows = imported.results()
    assert {row["User ID"] for row in rows} == imported.people() - before
    assert {row["Result"] for row in rows} == {"made"}
    assert imported.fit(rows)
    assert not imported.fit([{**rows[0], "One-time Password": rows[1]["One-time Password"]}])
    assert sorted(path.name for path in imported.place.glob("in*")) == ["in.csv", "in.results.csv"]


def test_what_is_left_of_something_else(imported: Import) -> None:
    """It is not written over."""
    part = imported.place / "in.results.csv.part"
    part.write_text("notes")
    answer = refused(imported.firm.run("user", "import", imported.write(ANN)))
    assert "something else" in answer["error"]
    assert part.read_text() == "notes"
    part.unlink()
    part.symlink_to(imported.place / "in.csv")
    assert refused(imported.firm.run("user", "import", imported.write(ANN)))["cure"]
    assert "ann.lee@avon" not in imported.people()


def test_somebody_else_comes_before(imported: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken between looking and doing is refused by itself; nobody is told a password that is none."""
    make = userimport._make

    def meanwhile(suite: Any, fresh: Any, kept: Any) -> None:
        def taken(view: View, by: Any) -> Change:
            raise Exists("the user ID ann.lee@avon is taken")

        fresh[0].decide = taken
        make(suite, fresh, kept)

    monkeypatch.setattr(userimport, "_make", meanwhile)
    answer = imported(ANN, "M,Bo,Lee,bo@example.org,avon,,", code=1)
    assert [each["result"] for each in answer["rows"]] == ["refused", "made"]
    first, second = imported.results()
    assert (first["One-time Password"], first["Result"]) == ("", "refused")
    assert imported.fit([second])


def test_two_at_once(imported: Import) -> None:
    """The second that would write the same results is told; what the first wrote ahead stays."""
    part = imported.place / "in.results.csv.part"
    part.touch(0o644)
    with part.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        answer = refused(imported.firm.run("user", "import", imported.write(ANN)))
    assert "another import writes" in answer["error"]
    assert "ann.lee@avon" not in imported.people()
    assert imported(ANN)["made"] == 1


@pytest.mark.parametrize("left", ["", "\N{ZERO WIDTH NO-BREAK SPACE}", '\N{ZERO WIDTH NO-BREAK SPACE}"Type","First'])
def test_broken_off_at_once(imported: Import, left: str) -> None:
    """Before anything was written whole."""
    (imported.place / "in.results.csv.part").write_text(left)
    assert imported(ANN)["made"] == 1
    assert imported.fit(imported.results())


def test_no_room_for_results(imported: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where passwords cannot be written, nobody is made."""
    missing = imported.place / "missing" / "out.csv"
    answer = refused(imported.firm.run("user", "import", imported.write(ANN), "--results", str(missing)))
    assert str(missing) in answer["error"]
    before = imported.people()

    def full(descriptor: int, octets: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cjsm.command.importresults._write_all", full)
    assert "No space left" in refused(imported.firm.run("user", "import", imported.write(ANN)))["error"]
    assert imported.people() == before


def test_a_hundred_in_a_commit(imported: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry for each, a hundred in a transaction."""
    with beside(imported.firm.config) as suite:
        before = suite.stores.community.number()
    imported(*(f"M,Ann,Lee,a{number}@example.org,avon,," for number in range(150)))
    with beside(imported.firm.config) as suite:
        assert suite.stores.community.number() - before == 2
        entries = wait(suite.stores.community.entries(0, 10_000))
    assert len({number for number, _ in entries[-150:]}) == 150
    assert {row["User ID"] for row in imported.results()} >= {"ann.lee@avon", "ann.lee-150@avon"}


def test_for_people(imported: Import) -> None:
    """Figures, each problem with its place, and where the passwords are."""
    path = imported.write(ANN, "M,,Lee,b@example.org,avon,,")
    said = ran("user", "import", path, config=imported.firm.config)
    assert said.exit_code == 1
    assert "1 made, 0 there already, 1 refused" in said.stdout
    assert "line 3, Firstname: this may not be empty" in said.stderr
    assert f"one-time passwords: {imported.place / 'in.results.csv'}" in said.stdout


def test_for_people_where_nobody_was_made(imported: Import) -> None:
    """The results say what is wrong with the rows, or who is there: nobody is told to look for passwords."""
    config, place = imported.firm.config, ("--results", str(imported.place / "two.csv"))
    said = ran("user", "import", imported.write("M,,Lee,b@example.org,avon,,"), config=config).stdout
    assert f"nobody was made; what is wrong with each row: {imported.place / 'in.results.csv'}" in said
    assert "password" not in said
    assert "may not be empty" in imported.results()[0]["Problem"]
    imported(ANN, more=("--results", str(imported.place / "ann.csv")))
    said = ran("user", "import", imported.write(ANN), *place, config=config).stdout
    assert "nobody was made; what is there already" in said
    assert userimport.import_.name == "import"
