"""``cjsm directory import``: whole rows or none, each in the ledger, told by line and column."""

import csv
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cjsm.command import directoryimport
from cjsm.command.context import wait
from cjsm.community.errors import Exists
from cjsm.community.records import AccountKind, OwnerKind
from cjsm.community.view import Change, View
from cjsm.store.lmdb.community import LmdbCommunityStore
from tests.command.conftest import copied, ran, refused
from tests.command.conftest import told as _told
from tests.command.directories import HENRY, JANE, KILLED, OLIVE, PAUL, Firm
from tests.command.mailboxes import beside

HEAD = "Firstname,Lastname,Organisation,Secure Email,Telephone,Description"
JO = "Jo,Law,firm,jo@firm.co.uk.cjsm.test,12,"


@pytest.fixture(scope="module")
def _firm(_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Firm:
    return Firm(copied(_made, tmp_path_factory.mktemp("firm") / "home"))


@pytest.fixture
def firm(_firm: Firm, tmp_path: Path) -> Firm:
    """One of one's own."""
    found = Firm.__new__(Firm)
    found.config = copied(_firm.config.parent, tmp_path / "home")
    return found


def told(result: Any, code: int = 0) -> Any:
    """What a command says that ended with *code*."""
    assert result.exit_code == code, result.output
    return _told(_Good(result.stdout))


class _Good:
    exit_code = 0

    def __init__(self, stdout: str) -> None:
        self.stdout = self.output = stdout


def written(place: Path, *lines: str, head: str = HEAD, name: str = "in.csv") -> str:
    (place / name).write_text("\r\n".join((head, *lines)) + "\r\n", encoding="utf-8")
    return str(place / name)


def counts(answer: Any) -> tuple[int, ...]:
    return tuple(answer[name] for name in ("made", "changed", "unchanged", "left_out", "refused"))


def results(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def problems(answer: Any) -> list[tuple[int, str | None, str]]:
    """Line, column and problem of each."""
    return [(line["line"], each["column"], each["problem"]) for line in answer["lines"] for each in line["problems"]]


def test_updates_and_makes(firm: Firm, tmp_path: Path) -> None:
    """Who is there gets the details, who is not becomes a relayed member with a one-time password; twice is once."""
    source = written(tmp_path, 'Jane,Smith,avon/crime,jane.smith@avon.cjsm.test,0117 1,"a, ""b"""', JO)
    before = len(firm.entries())
    answer = told(firm.ask(None, "import", source, "--results", str(tmp_path / "done.csv")))
    assert counts(answer) == (1, 1, 0, 0, 0)
    assert answer["lines"][0]["changed"] == ["Telephone", "Description"]
    shown = firm.shown(JANE)
    assert (shown["telephone"], shown["description"], shown["mobile"]) == ("0117 1", 'a, "b"', "07700 900110")
    shown = firm.shown("jo@firm.co.uk.cjsm.test")
    assert (shown["user_id"], shown["organisation"], shown["status"]) == ("jo.law@firm", "firm", "New User")
    entries = firm.entries()[before:]
    assert [(each.act, each.subject_kind) for each in entries] == [("user-edit", "account"), ("user-add", "account")]
    assert dict(entries[1].details)["access"] == AccountKind.RELAYED
    assert len({each.act_id for each in entries}) == 2
    again = told(firm.ask(None, "import", source, "--results", str(tmp_path / "again.csv")))
    assert counts(again) == (0, 0, 2, 0, 0)
    assert len(firm.entries()) == before + 2
    made = results(tmp_path / "done.csv")[1]
    assert (made["User ID"], made["Result"]) == ("jo.law@firm", "made")
    typed = f"{made['One-time Password']}\nviolet tractor lamp ninety\n"
    chosen = firm.run("user", "set-password", "jo.law@firm", "--password-stdin", typed=typed)
    assert chosen.exit_code == 0, chosen.output
    assert (tmp_path / "done.csv").stat().st_mode & 0o777 == 0o600


def test_its_own_results_again(firm: Firm, tmp_path: Path) -> None:
    """What was refused is put right in the results and imported again."""
    source = written(tmp_path, JO, "Ann,Other,firm,ann@firm.org.cjsm.test,,")
    done = tmp_path / "done.csv"
    told(firm.ask(None, "import", source, "--results", str(done)), code=1)
    assert [row["Result"] for row in results(done)] == ["made", "refused"]
    done.write_text(done.read_text(encoding="utf-8-sig").replace("firm.org", "firm.co.uk"))
    answer = told(firm.ask(None, "import", str(done), "--results", str(tmp_path / "more.csv")))
    assert counts(answer) == (1, 0, 1, 0, 0)


def test_export_and_import(firm: Firm, tmp_path: Path) -> None:
    """What was exported is there already, in every form that is read; also what spreadsheets would work out."""
    source = written(tmp_path, "Jane,=cmd|' /C calc'!A1,,jane.smith@avon.cjsm.test,+44 1,'=x")
    told(firm.ask(None, "import", source))
    assert firm.shown(JANE)["last_name"] == "=cmd|' /C calc'!A1"
    for name in ("out.csv", "out.ldif"):
        told(firm.ask(None, "export", str(tmp_path / name)))
        answer = told(firm.ask(None, "import", str(tmp_path / name)))
        assert counts(answer)[:3] == (0, 0, 4), name
    assert b"\"'=cmd|" in (tmp_path / "out.csv").read_bytes()


def test_dry_run(firm: Firm, tmp_path: Path) -> None:
    """Says the same and does nothing."""
    rows = ("Jane,Smith,,jane.smith@avon.cjsm.test,1,", JO, "A,B,firm,a@elsewhere.org.cjsm.test,,")
    source = written(tmp_path, *rows)
    before = (firm.config.parent / "data" / "community.mdb").read_bytes()
    dry = told(firm.ask(None, "import", source, "--dry-run", "--results", str(tmp_path / "no.csv")), code=1)
    assert (firm.config.parent / "data" / "community.mdb").read_bytes() == before
    assert not (tmp_path / "no.csv").exists()
    real = told(firm.ask(None, "import", source, "--results", str(tmp_path / "done.csv")), code=1)
    assert counts(dry) == counts(real) == (1, 1, 0, 0, 1)
    assert [line["problems"] for line in dry["lines"]] == [line["problems"] for line in real["lines"]]


WRONG = (
    ("A,B,firm,,,", "Secure Email", "may not be empty"),
    ("A,B,firm,not an address,,", "Secure Email", "needs a domain"),
    ("A,B,firm,a@firm.co.uk,,", "Secure Email", "no address of the community"),
    ("A,B,firm,new.one@avon.cjsm.test,,", "Secure Email", "no domain of an organisation's own mail system"),
    ("A,B,firm,a@other.org.cjsm.test,,", "Secure Email", "no domain of an organisation's own mail system"),
    ("A,B,avon,a@firm.co.uk.cjsm.test,,", "Secure Email", "not a domain of that organisation"),
    ("A,B,nowhere,a@firm.co.uk.cjsm.test,,", "Organisation", "there is no organisation 'nowhere'"),
    ("A,B,,a@firm.co.uk.cjsm.test,,", "Organisation", "a new member needs one"),
    (",B,firm,a@firm.co.uk.cjsm.test,,", "Firstname", "a new member needs it"),
    ("Jane,Smith,firm,jane.smith@avon.cjsm.test,,", "Organisation", "this user is in avon/crime"),
    ("Jane,Smi\u202eth,,jane.smith@avon.cjsm.test,,", "Lastname", "U+202E"),
    ('Jane,Smith,,jane.smith@avon.cjsm.test,"1\n2",', "Telephone", "U+000A"),
    (f"Jane,Smith,,jane.smith@avon.cjsm.test,,{'x' * 10_000}", "Description", "10,000 characters"),
    (f"Jane,Smith,,jane.smith@avon.cjsm.test,,{'x' * 1_001}", "Description", "1,001 characters, 1,000 at most"),
    ("Jane,Smith,,jane.smith@avon.cjsm.test,1,,,7", None, "8 cells, line 1 has 6 titles"),
)


@pytest.mark.parametrize(("row", "column", "problem"), WRONG)
def test_wrong_rows(firm: Firm, tmp_path: Path, row: str, column: str, problem: str) -> None:
    """Line, column, what is wrong; the rows around it are done, and of this one nothing."""
    source = written(tmp_path, "Olive,Marsh,,olive.marsh@avon.cjsm.test,7,", row, JO)
    answer = told(firm.ask(None, "import", source, "--results", str(tmp_path / "done.csv")), code=1)
    assert counts(answer) == (1, 1, 0, 0, 1)
    ((line, where, said),) = problems(answer)
    assert (line, where) == (3, column)
    assert problem in said
    shown = firm.shown(JANE)
    assert (shown["last_name"], shown["telephone"]) == ("Smith", "+44 117 496 0110")
    assert firm.run("directory", "show", "a@firm.co.uk.cjsm.test").exit_code == 1
    assert [each["Result"] for each in results(tmp_path / "done.csv")] == ["changed", "refused", "made"]


def test_twice_in_one_file(firm: Firm, tmp_path: Path) -> None:
    """The first is done; others name its line, whatever the address is written like."""
    source = written(
        tmp_path, JO, "Al,Law,firm,JO@firm.co.uk.CJSM.test,,", *["Olive,M,,olive.marsh@avon.cjsm.test,,"] * 2
    )
    answer = told(firm.ask(None, "import", source, "--results", str(tmp_path / "done.csv")), code=1)
    assert problems(answer) == [
        (3, "Secure Email", "this is the address of line 2 too"),
        (5, "Secure Email", "this is the user of line 4 too"),
    ]


def test_people_of_others(firm: Firm, tmp_path: Path) -> None:
    """An administrator's file changes nobody else's people, and makes none elsewhere; the ledger names who did it."""
    rows = ("Jane,Smith,,jane.smith@avon.cjsm.test,9,", "Paul,Partner,,paul.partner@firm.cjsm.test,9,", JO)
    source = written(tmp_path, *rows)
    answer = told(firm.ask(OLIVE, "import", source, "--results", str(tmp_path / "done.csv")), code=1)
    assert counts(answer) == (0, 1, 0, 0, 2)
    assert [(line, column) for line, column, _ in problems(answer)] == [(3, "Organisation"), (4, "Organisation")]
    assert all("no role" in said for _, _, said in problems(answer))
    with beside(firm.config) as suite:
        olive = suite.stores.community.read_now(lambda view: view.account_of_user_id(OLIVE))
    assert olive is not None
    assert firm.entries()[-1].actor == olive.id
    assert "break-glass" not in dict(firm.entries()[-1].details)
    answer = told(firm.ask(PAUL, "import", source, "--results", str(tmp_path / "paul.csv")), code=1)
    assert counts(answer) == (1, 1, 0, 0, 1)
    for who in (JANE, HENRY):
        assert "no role" in refused(firm.ask(who, "import", source))["error"]


def test_those_with_more_power(firm: Firm, tmp_path: Path) -> None:
    """Nobody edits who has a role that they could not give."""
    source = written(tmp_path, "Henry,Desk,,henry.desk@firm.cjsm.test,9,")
    (problem,) = problems(told(firm.ask(PAUL, "import", source), code=1))
    assert "helpdesk" in problem[2]


def test_empty_cells(firm: Firm, tmp_path: Path) -> None:
    """Leave what there is, unless they are to clear it; a column that is not there never does."""
    source = written(tmp_path, "Jane,Smith,,jane.smith@avon.cjsm.test,,")
    assert counts(told(firm.ask(None, "import", source))) == (0, 0, 1, 0, 0)
    assert counts(told(firm.ask(None, "import", source, "--clear"))) == (0, 1, 0, 0, 0)
    shown = firm.shown(JANE)
    assert (shown["telephone"], shown["mobile"]) == (None, "07700 900110")
    nameless = written(tmp_path, ",Smith,,jane.smith@avon.cjsm.test,,")
    assert problems(told(firm.ask(None, "import", nameless, "--clear"), code=1)) == [
        (2, "Firstname", "this may not be empty")
    ]


@pytest.mark.parametrize(
    ("first", "last", "user_id"),
    [
        ("Siân", "O'Brien-Łąç", "sian.obrien-lac@firm"),
        ("יוסי", "כהן", "jo@firm"),
        ('"Bob"', "Smith, QC", "bob.smith-qc@firm"),
        ("Paul", "Partner", "paul.partner-2@firm"),
    ],
)
def test_names_of_everybody(firm: Firm, tmp_path: Path, first: str, last: str, user_id: str) -> None:
    """As they are written; user IDs are made of them, or of the address where that cannot be."""
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEAD.split(","), [first, last, "firm", "jo@firm.co.uk.cjsm.test", "", ""]])
    told(firm.ask(None, "import", str(tmp_path / "in.csv"), "--results", str(tmp_path / "done.csv")))
    shown = firm.shown("jo@firm.co.uk.cjsm.test")
    assert (shown["first_name"], shown["last_name"], shown["user_id"]) == (first, last, user_id)


def test_equal_names_in_one_file(firm: Firm, tmp_path: Path) -> None:
    """Each gets a user ID of their own; one that is given is kept to."""
    head = "Firstname,Lastname,Organisation,Secure Email,User ID"
    rows = [f"Jo,Law,firm,jo{number}@firm.co.uk.cjsm.test," for number in range(3)]
    given = ["Al,Law,firm,al@firm.co.uk.cjsm.test,jo.law-2@firm", "Al,Law,firm,al2@firm.co.uk.cjsm.test,al.x@firm"]
    source = written(tmp_path, *rows, *given, head=head)
    answer = told(firm.ask(None, "import", source, "--results", str(tmp_path / "done.csv")), code=1)
    assert [line["user_id"] for line in answer["lines"]] == [
        *("jo.law@firm", "jo.law-2@firm", "jo.law-3@firm", None, "al.x@firm")
    ]
    assert problems(answer) == [(5, "User ID", "the user ID jo.law-2@firm is taken")]
    (problem,) = problems(
        told(
            firm.ask(None, "import", written(tmp_path, "Jane,Smith,,jane.smith@avon.cjsm.test,j.s@avon", head=head)), 1
        )
    )
    assert problem == (2, "User ID", "this user is jane.smith@avon: an import renames nobody")


def test_no_place_for_passwords(firm: Firm, tmp_path: Path) -> None:
    """Nobody is made whose one-time password nobody would know."""
    answer = told(firm.ask(None, "import", written(tmp_path, JO)), code=1)
    assert "one-time password" in problems(answer)[0][2]
    assert firm.run("directory", "show", "jo@firm.co.uk.cjsm.test").exit_code == 1
    (tmp_path / "done.csv").write_text("before")
    said = refused(firm.ask(None, "import", written(tmp_path, JO), "--results", str(tmp_path / "done.csv")))
    assert "exists already" in said["error"]
    assert firm.run("directory", "show", "jo@firm.co.uk.cjsm.test").exit_code == 1


def test_states_are_not_imported(firm: Firm, tmp_path: Path) -> None:
    """It says so where a file has another; other addresses than people's are nobody's."""
    source = written(tmp_path, "jane.smith@avon.cjsm.test,Suspended", head="Secure Email,Account Status")
    answer = told(firm.ask(None, "import", source))
    assert answer["lines"][0]["notes"] == ["the status is Active: an import changes none"]
    assert firm.shown(JANE)["status"] == "Active"
    told(firm.run("shared", "add", "avon", "duty", "--name", "Duty", "--member", OLIVE))
    source = written(tmp_path, "duty@avon.cjsm.test,", head="Secure Email,Account Status")
    assert problems(told(firm.ask(None, "import", source), code=1)) == [
        (2, "Secure Email", f"this is the address of a {OwnerKind.SHARED_MAILBOX}")
    ]


def test_encodings(firm: Firm, tmp_path: Path) -> None:
    """Excel's, said plainly."""
    path = tmp_path / "in.csv"
    text = f"{HEAD}\r\nSiân,Smith,,jane.smith@avon.cjsm.test,,€\r\n".replace(",", ";")
    for encoding, said in (("cp1252", "Windows-1252, since it is not UTF-8"), ("utf-16", "UTF-16, by its mark")):
        path.write_bytes(text.encode(encoding))
        assert told(firm.ask(None, "import", str(path)))["encoding"] == said
        assert (firm.shown(JANE)["first_name"], firm.shown(JANE)["description"]) == ("Siân", "€")
    path.write_bytes(b"\xff\xfe\x00")
    assert "cannot be read as" in refused(firm.ask(None, "import", str(path)))["error"]


def test_ldif(firm: Firm, tmp_path: Path) -> None:
    """Of another directory, into an organisation that is named; what is no person is counted."""
    (tmp_path / "in.ldif").write_text(
        "dn: cn=Jo Law,dc=firm\nobjectclass: inetOrgPerson\ngn: Jo\nsn: Law\nmail: jo@firm.co.uk.cjsm.test\n\n"
        "dn: dc=firm\nobjectclass: domain\ndc: firm\n"
    )
    words = ("import", str(tmp_path / "in.ldif"), "--results", str(tmp_path / "done.csv"))
    assert problems(told(firm.ask(None, *words), code=1))[0][1] == "Organisation"
    (tmp_path / "done.csv").unlink()
    assert counts(told(firm.ask(None, *words, "--organisation", "firm"))) == (1, 0, 0, 1, 0)


@pytest.mark.parametrize("name", ["missing.csv", ".", "empty.csv", "large.csv", "rows.csv"])
def test_no_such_file(firm: Firm, tmp_path: Path, name: str) -> None:
    """Says why, and what would do."""
    limits = {"directory_octets = 67108864": "directory_octets = 1000", "directory_rows = 100000": "directory_rows = 2"}
    text = firm.config.read_text()
    for before, after in limits.items():
        text = text.replace(before, after)
    firm.config.write_text(text)
    (tmp_path / "empty.csv").touch()
    (tmp_path / "large.csv").write_text("x" * 1_001)
    written(tmp_path, *["a,b,c,d@e.f,,"] * 3, name="rows.csv")
    answer = firm.ask(None, "import", str(tmp_path / name))
    assert answer.exit_code == (2 if name == "." else 1)
    if name != ".":
        assert refused(answer)["cure"]


def many(place: Path, count: int) -> str:
    return written(
        place, *(f"Jo{number},Law,firm,jo{number}@firm.co.uk.cjsm.test,{number}," for number in range(count))
    )


def test_a_hundred_in_a_commit(firm: Firm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry for each row, a hundred in a transaction."""
    commits: list[int] = []
    apply = LmdbCommunityStore._apply

    def counted(self: LmdbCommunityStore, transaction: Any, sequence: int, change: Change) -> None:
        commits.append(1 + len(change.further))
        apply(self, transaction, sequence, change)

    monkeypatch.setattr(LmdbCommunityStore, "_apply", counted)
    before = len(firm.entries())
    answer = told(firm.ask(None, "import", many(tmp_path, 250), "--results", str(tmp_path / "done.csv")))
    assert counts(answer) == (250, 0, 0, 0, 0)
    assert commits == [100, 100, 50]
    assert [each.act for each in firm.entries()[before:]] == ["user-add"] * 250


@pytest.mark.parametrize(
    ("where", "calls", "when", "made"),
    [("keys", 2, "after", 2), ("community", 2, "before", 2), ("community", 2, "after", 4)],
)
def test_killed(firm: Firm, tmp_path: Path, where: str, calls: int, when: str, made: int) -> None:
    """Whole people or none are there, one-time passwords are known of each, and the next run does the rest."""
    source, done = many(tmp_path, 5), tmp_path / "done.csv"
    name = {"keys": "put_all", "community": "commit"}[where]
    words = [sys.executable, "-c", KILLED, where, name, str(calls), when, "directory", "import", source]
    more = ["--results", str(done), "--config", str(firm.config)]
    ended = subprocess.run([*words, *more], capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    with beside(firm.config) as suite:
        there = suite.stores.community.read_now(_relayed)
        for identifier in there.values():
            assert wait(suite.stores.keys.get(identifier, 1))
    assert len(there) == made
    known = {row["Secure Email"] for row in results(tmp_path / "done.csv.part") if row["One-time Password"]}
    assert set(there) <= known
    entries = [each for each in firm.entries() if dict(each.details).get("access") == "relayed"]
    assert {each.subject for each in entries} == set(there.values())
    again = refused(firm.ask(None, "import", source, "--results", str(done)))
    assert "was interrupted" in again["error"], "the passwords that it knows are not thrown away"
    assert (tmp_path / "done.csv.part").exists()
    answer = told(firm.ask(None, "import", source, "--results", str(tmp_path / "more.csv")))
    assert counts(answer) == (5 - made, 0, made, 0, 0)


def _relayed(view: View) -> dict[str, bytes]:
    found = {}
    for account in view.accounts():
        if account.kind is AccountKind.RELAYED:
            (record,) = view.addresses_of(account.id)
            assert view.account_of_user_id(account.user_id) == account
            found[record.address] = account.id
    return found


def test_somebody_else_comes_before(firm: Firm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken between looking and doing is refused by itself, and stands in the results so."""
    decided = directoryimport.decided

    def meanwhile(view: View, planned: Any, suite: Any) -> None:
        decided(view, planned, suite)

        def taken(view: View, by: Any) -> Change:
            raise Exists("the address is taken")

        planned[0].decide = taken

    monkeypatch.setattr(directoryimport, "decided", meanwhile)
    source = written(tmp_path, JO, "Jane,Smith,,jane.smith@avon.cjsm.test,1,")
    answer = told(firm.ask(None, "import", source, "--results", str(tmp_path / "done.csv")), code=1)
    assert counts(answer) == (0, 1, 0, 0, 1)
    assert [row["Result"] for row in results(tmp_path / "done.csv")] == ["made", "changed", "refused"]


def test_for_people(firm: Firm, tmp_path: Path) -> None:
    """Counts, the encoding, each problem with its line and column."""
    source = written(tmp_path, "A,B,firm,nonsense,,", JO)
    shown = ran("directory", "import", source, "--dry-run", config=firm.config)
    assert "1 would be made" in shown.output
    assert "read as UTF-8" in shown.output
    assert "line 2, Secure Email: an address needs a domain" in shown.output
