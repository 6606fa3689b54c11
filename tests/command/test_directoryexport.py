"""``cjsm directory export``."""

import csv
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cjsm.command import directorychanges, ledgersince
from cjsm.command.context import wait
from cjsm.community.acts import destruction
from cjsm.community.identifiers import OrganisationId
from cjsm.community.view import View
from cjsm.directory.forms.csvfile import CsvWriter
from tests.command.conftest import copied, ran, refused, told
from tests.command.directories import HENRY, JANE, OLIVE, PAUL, Firm
from tests.command.mailboxes import beside


@pytest.fixture(scope="module")
def _firm(_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Firm:
    return Firm(copied(_made, tmp_path_factory.mktemp("firm") / "home"))


@pytest.fixture
def firm(_firm: Firm, tmp_path: Path) -> Firm:
    """One of one's own."""
    found = Firm.__new__(Firm)
    found.config = copied(_firm.config.parent, tmp_path / "home")
    return found


def rows(path: Path) -> list[dict[str, str]]:
    """What a spreadsheet reads."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def addresses(path: Path) -> list[str]:
    return [row["Secure Email"].partition("@")[0] for row in rows(path)]


def test_everybody(firm: Firm, tmp_path: Path) -> None:
    """In the tree's order, for its owner only, and in the ledger before."""
    path = tmp_path / "people.csv"
    answer = told(firm.ask(None, "export", str(path)))
    assert (answer["form"], answer["entries"], answer["file"]) == ("csv", 4, str(path))
    assert addresses(path) == ["olive.marsh", "jane.smith", "henry.desk", "paul.partner"]
    jane = rows(path)[1]
    assert (jane["Organisation"], jane["Telephone"], jane["Mobile"]) == (
        *("avon/crime", "'+44 117 496 0110", "07700 900110"),
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith("people")] == ["people.csv"]
    entry = firm.entries()[-1]
    assert (entry.act, entry.subject_kind, dict(entry.details)["form"]) == ("directory-export", "community", "csv")


def test_of_ones_own(firm: Firm, tmp_path: Path) -> None:
    """What somebody looks after, as far as LDAP lets them read it; a member looks after nobody."""
    told(firm.ask(OLIVE, "export", str(tmp_path / "olive.csv")))
    assert addresses(tmp_path / "olive.csv") == ["olive.marsh", "jane.smith"]
    told(firm.ask(HENRY, "export", str(tmp_path / "henry.csv")))
    assert [row["Mobile"] for row in rows(tmp_path / "henry.csv")] == [""] * 4
    assert firm.entries()[-1].subject_kind == "community"
    told(firm.ask(OLIVE, "export", str(tmp_path / "crime.csv"), "--organisation", "avon/crime"))
    assert addresses(tmp_path / "crime.csv") == ["jane.smith"]
    for who, words in ((JANE, ()), (OLIVE, ("--organisation", "firm"))):
        answer = refused(firm.ask(who, "export", str(tmp_path / "no.csv"), *words))
        assert "no role" in answer["error"]
    assert not (tmp_path / "no.csv").exists()


@pytest.mark.parametrize(
    ("name", "begins"),
    [("a.csv", '\ufeff"Firstname"'), ("a.ldif", "dn: dc=cjsm"), ("a.vcf", "BEGIN:VCARD\nVERSION:4.0")],
)
def test_form_by_name(firm: Firm, tmp_path: Path, name: str, begins: str) -> None:
    """What the file's ending says."""
    told(firm.ask(None, "export", str(tmp_path / name)))
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)


def test_to_standard_output(firm: Firm, tmp_path: Path) -> None:
    """For pipes; nothing else is written there."""
    shown = ran("directory", "export", "--format", "vcard3", "--organisation", "firm", config=firm.config)
    assert shown.exit_code == 0
    text = shown.stdout_bytes.decode()
    assert text.startswith("BEGIN:VCARD\r\nVERSION:3.0\r\n")
    assert text.count("BEGIN:VCARD") == text.count("END:VCARD") == 3
    assert text.endswith("END:VCARD\r\n")
    assert firm.ask(None, "export").exit_code == 2


def test_nothing_is_replaced_unasked(firm: Firm, tmp_path: Path) -> None:
    """And then in one step."""
    path = tmp_path / "people.csv"
    path.write_text("before")
    entries = len(firm.entries())
    assert "--replace" in refused(firm.ask(None, "export", str(path)))["cure"]
    assert path.read_text() == "before"
    assert len(firm.entries()) == entries
    told(firm.ask(None, "export", str(path), "--replace"))
    assert addresses(path)


def test_what_cannot_be_written(firm: Firm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, no such place: the file of before stays, and nothing half is left."""
    assert refused(firm.ask(None, "export", str(tmp_path / "no" / "people.csv")))["cure"]
    path = tmp_path / "people.csv"
    path.write_text("before")

    def full(self: CsvWriter, found: object) -> bytes:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(CsvWriter, "entry", full)
    assert "No space" in refused(firm.ask(None, "export", str(path), "--replace"))["error"]
    assert path.read_text() == "before"
    assert not list(tmp_path.glob("*.part"))


def later(monkeypatch: pytest.MonkeyPatch, days: int = 1) -> int:
    """Let time go on; return when it is."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + days * 86_400)
    monkeypatch.setattr(ledgersince, "_AT_ONCE", 3)
    return int(now() + days * 86_400)


def test_what_changed(firm: Firm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Since a moment: who is new, was edited or suspended; who came and went in between is not there."""
    first = told(firm.ask(None, "export", str(tmp_path / "all.csv")))["as_of"]
    later(monkeypatch)
    answer = told(firm.ask(None, "export", str(tmp_path / "none.csv"), "--since", "12h"))
    assert (answer["entries"], rows(tmp_path / "none.csv")) == (0, [])
    told(firm.run("user", "add", "avon", "--first", "New", "--last", "Comer"))
    told(firm.run("user", "suspend", JANE, "--reason", "absent"))
    told(firm.run("user", "lock", HENRY))
    told(firm.run("device", "add", OLIVE, "x", "--password-stdin", typed="violet tractor lamp nineteen\n"))
    told(firm.ask(None, "export", str(tmp_path / "some.csv"), "--since", "12h"))
    assert [(row["Secure Email"].partition("@")[0], row["Account Status"]) for row in rows(tmp_path / "some.csv")] == [
        ("new.comer", "New User"),
        ("jane.smith", "Suspended"),
        ("henry.desk", "Locked"),
    ]
    told(firm.ask(None, "export", str(tmp_path / "everything.csv"), "--since", first))
    assert len(addresses(tmp_path / "everything.csv")) >= 3
    told(firm.ask(None, "export", str(tmp_path / "ever.ldif"), "--since", "999999d"))
    assert "cure" in refused(firm.ask(None, "export", str(tmp_path / "no.csv"), "--since", "yesterday"))
    told(firm.ask(PAUL, "export", str(tmp_path / "paul.csv"), "--since", "12h"))
    assert addresses(tmp_path / "paul.csv") == ["henry.desk"]


def test_edited(firm: Firm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit is a change, also for programs that look at modifyTimestamp."""
    before = firm.shown(JANE)["changed"]
    later(monkeypatch)
    (tmp_path / "in.csv").write_text("Secure Email,Town/City\njane.smith@avon.cjsm.test,Bath\n")
    told(firm.ask(None, "import", str(tmp_path / "in.csv")))
    assert firm.shown(JANE)["changed"] > before
    told(firm.ask(None, "export", str(tmp_path / "some.csv"), "--since", "12h"))
    assert [(row["Firstname"], row["Town/City"]) for row in rows(tmp_path / "some.csv")] == [("Jane", "Bath")]


def test_changes_as_ldif(firm: Firm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New entries are added, others brought up to date."""
    later(monkeypatch)
    told(firm.run("user", "add", "avon", "--first", "New", "--last", "Comer"))
    told(firm.run("user", "suspend", JANE, "--reason", "absent"))
    told(firm.ask(None, "export", str(tmp_path / "changes.ldif"), "--since", "12h"))
    text = (tmp_path / "changes.ldif").read_text()
    assert "dn: uid=new.comer,o=avon,dc=cjsm,dc=test\nchangetype: add\n" in text
    assert "dn: uid=jane.smith,ou=crime,o=avon,dc=cjsm,dc=test\nchangetype: modify\n" in text
    assert "replace: cjsmAccountStatus\ncjsmAccountStatus: Suspended\n-\n" in text
    assert text.count("dn: ") == 2


def test_who_is_no_more(firm: Firm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told by the former address, to whoever looked after them."""
    told(firm.run("user", "delete", JANE, "--reason", "left"))
    later(monkeypatch, 40)
    told(firm.ask(None, "export", str(tmp_path / "before.csv")))
    _destroy(firm, JANE)
    answer = told(firm.ask(OLIVE, "export", str(tmp_path / "gone.csv"), "--since", "1d"))
    assert answer["removed"] == ["jane.smith@avon.cjsm.test"]
    assert [(row["Secure Email"], row["Account Status"]) for row in rows(tmp_path / "gone.csv")] == [
        ("jane.smith@avon.cjsm.test", "Removed")
    ]
    assert told(firm.ask(PAUL, "export", str(tmp_path / "paul.csv"), "--since", "1d"))["removed"] == []
    told(firm.ask(None, "export", str(tmp_path / "gone.ldif"), "--since", "1d"))
    assert "# removed: jane.smith@avon.cjsm.test, entryUUID " in (tmp_path / "gone.ldif").read_text()
    again = told(firm.ask(None, "import", str(tmp_path / "gone.csv")))
    assert (again["left_out"], again["refused"]) == (1, 0)


def test_renamed_and_deleted(firm: Firm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has another name, which the report tells; a list that is no more."""
    told(firm.run("list", "add", "avon", "watch", "--name", "Watch"))
    later(monkeypatch)
    told(firm.run("user", "rename", JANE, "--last", "Jones"))
    told(firm.run("list", "delete", "watch@avon.cjsm.test", "--reason", "other"))
    answer = told(firm.ask(None, "export", str(tmp_path / "some.csv"), "--since", "12h"))
    assert (answer["moved"], answer["removed"]) == (True, ["watch@avon.cjsm.test"])
    assert [row["Secure Email"] for row in rows(tmp_path / "some.csv")] == [
        *("jane.jones@avon.cjsm.test", "watch@avon.cjsm.test")
    ]


def _destroy(firm: Firm, user_id: str) -> None:
    """What the job does."""
    with beside(firm.config) as suite:
        store = suite.stores.community
        account = store.read_now(lambda view: view.account_of_user_id(user_id))
        assert account is not None
        for decide in (
            lambda view: destruction.begin(view, suite.by(), account.id, 1 << 40),
            lambda view: destruction.finish(view, account.id, 86_400 * 270),
        ):
            wait(store.commit(suite.by().act_id, decide))


def test_an_organisation_that_changed(firm: Firm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody below it is told of, and that names are others when it was moved."""
    later(monkeypatch)
    told(firm.run("organisation", "move", "avon/crime", "firm"))
    answer = told(firm.ask(None, "export", str(tmp_path / "moved.csv"), "--since", "12h"))
    assert (answer["moved"], addresses(tmp_path / "moved.csv")) == (True, ["jane.smith"])


def test_where_the_ledger_is_read_from(firm: Firm) -> None:
    """Not from its beginning, and never too late."""

    def sees(view: View) -> Callable[[OrganisationId | None], bool]:
        return lambda place: True

    with beside(firm.config) as suite:
        store = suite.stores.community
        newest = wait(store.entries(0, 10_000))[-1][0]
        assert ledgersince._before(store, 1) == 0
        assert ledgersince._before(store, 1 << 40) in (newest, newest - 1)
        assert directorychanges.since(store, 1 << 40, sees).identities == frozenset()
        assert len(directorychanges.since(store, 0, sees).identities) == 4
