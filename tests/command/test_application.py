"""``cjsm application``."""

from pathlib import Path
from typing import Any

import pytest

from cjsm.access.applying import Applying
from cjsm.command.context import wait
from cjsm.community.invariants import problems
from tests.command.conftest import Run, refused, told
from tests.command.mailboxes import beside
from tests.command.test_community import entries
from tests.command.test_user import PASSWORD, add

JANE = "jane.smith@avon"
SPONSOR = "tom.jones@avon.cjsm.test"
CONTACT = ("--contact", "Jo van Law <jo@firm.co.uk>")
REST = (
    *("--domain", "firm.co.uk", "--need", "Court papers", "--users", "12", "--address1", "1 High Street"),
    *("--town", "Bristol", "--postcode", "BS1 1AA", "--business-type", "Solicitors", "--area", "Avon"),
    *("--abbreviation", "firm", "--signatory", "Ann Clerk <ann@firm.co.uk>", "--signatory-position", "Partner"),
    *("--administrator", "Ann Clerk <ann@firm.co.uk>", "--administrator-telephone", "020 7946 0000"),
)
CHECKS = ("contact", "eligible", "duplicate", "domain", "mail-system", "administrator", "signatory")


@pytest.fixture
def firm(cjsm: Run) -> Run:
    """An application that the operator entered, Jane, who administers the community, and Tom, who knows the firm."""
    add(cjsm, first="Tom", last="Jones")
    one_time = add(cjsm)["one_time_password"]
    typed = f"{one_time}\n{PASSWORD}\n"
    told(cjsm("user", "set-password", JANE, "--password-stdin", "--json", typed=typed))
    told(cjsm("role", "grant", JANE, "community-administrator", "--json"))
    made = told(cjsm("application", "add", "firm", "--name", "Firm LLP", *CONTACT, "--json"))
    assert (made["state"], made["contact"], made["entered_by"]) == (
        "new", "Jo van Law, jo@firm.co.uk", ["the operator"]
    )  # fmt: skip
    assert made["missing"][0] == "a sponsor"
    return cjsm


def completed(firm: Run, *more: str) -> dict[str, Any]:
    """With everything that approval needs."""
    told(firm("application", "edit", "firm", *REST, *more, "--json"))
    told(firm("application", "sponsor", "firm", SPONSOR, "--note", "rang her", "--json"))
    told(firm("application", "terms", "firm", "--accepted", "--json"))
    for item in CHECKS:
        told(firm("application", "assess", "firm", item, "passed", "--json"))
    shown: dict[str, Any] = told(firm("application", "show", "firm", "--json"))
    assert (shown["missing"], shown["state"]) == ([], "in-assessment")
    return shown


def as_jane(firm: Run, *words: str) -> Any:
    """What Jane does."""
    return firm(*words, "--as", JANE, "--password-stdin", "--json", typed=f"{PASSWORD}\n")


def test_approved(firm: Run, config: Path) -> None:
    """An organisation, its administrator with a one-time password, one commit; nothing of it when it is refused."""
    refusal = refused(as_jane(firm, "application", "approve", "firm"))
    assert "still needs a sponsor" in refusal["error"]
    completed(firm)
    assert "somebody else" in refused(firm("application", "approve", "firm", "--json"))["error"]
    rehearsed = told(as_jane(firm, "application", "approve", "firm", "--dry-run"))
    assert (rehearsed["act"], len(rehearsed["records"])) == ("application-approve", 6)
    assert [each["path"] for each in told(firm("organisation", "list", "--json"))] == ["avon", "avon/crime"]
    made = told(as_jane(firm, "application", "approve", "firm"))
    assert (made["path"], made["user_id"], made["address"], made["connection"]) == (
        "firm", "ann.clerk@firm", "ann.clerk@firm.cjsm.test", None
    )  # fmt: skip
    names = [entry.act for entry in entries(config)][-4:]
    assert names == ["organisation-add", "user-add", "role-grant", "application-approve"]
    assert len({dict(entry.details)["within"] for entry in entries(config)[-4:]}) == 1
    typed = f"{made['one_time_password']}\n{PASSWORD}\n"
    told(firm("user", "set-password", made["user_id"], "--password-stdin", "--json", typed=typed))
    crew = firm("user", "add", "firm", "--first", "Al", "--last", "Ng", "--as", "ann.clerk@firm", "--password-stdin",
                "--json", typed=f"{PASSWORD}\n")  # fmt: skip
    assert told(crew)["user_id"] == "al.ng@firm"
    shown = told(firm("application", "show", "firm", "--json"))
    assert (shown["state"], shown["organisation"], shown["decided_by"]) == ("approved", "firm", JANE)
    assert "approved" in refused(as_jane(firm, "application", "approve", "firm"))["error"]
    assert told(firm("application", "list", "--terms-due", "--json")) == []
    config.write_text(config.read_text().replace('terms_version = "1"', 'terms_version = "2"'))
    (due,) = told(firm("application", "list", "--terms-due", "--json"))
    assert (due["application"], due["terms"]) == ("firm", "now")
    told(firm("application", "terms", "firm", "--accepted", "--json"))
    assert told(firm("application", "list", "--terms-due", "--json")) == []
    with beside(config) as suite:
        assert suite.stores.community.read_now(problems) == []


def test_with_a_mail_system_of_its_own(firm: Run) -> None:
    """Its connection is drafted with the domain, in testing; the administrator's mail goes there."""
    completed(firm, "--system", "server", "--next-hop", "mail.firm.co.uk")
    made = told(as_jane(firm, "application", "approve", "firm"))
    assert (made["address"], made["connection"]) == ("ann@firm.co.uk.cjsm.test", "firm")
    connection = told(firm("connection", "show", "firm", "--json"))
    assert (connection["state"], connection["next_hops"]) == ("testing", ["mail.firm.co.uk:25"])
    assert [each["name"] for each in connection["domains"]] == ["firm.co.uk.cjsm.test"]


def test_what_is_taken_meanwhile(firm: Run) -> None:
    """Somebody else has the short name by now: nothing of it is made."""
    completed(firm)
    told(firm("organisation", "add", "firm", "--name", "Other", "--abbreviation", "other", "--json"))
    assert "exists there" in refused(as_jane(firm, "application", "approve", "firm"))["error"]
    assert told(firm("application", "show", "firm", "--json"))["duplicates"]
    assert told(firm("application", "show", "firm", "--json"))["state"] == "in-assessment"
    assert [each["user_id"] for each in told(firm("user", "list", "--json"))] == [JANE, "tom.jones@avon"]


def test_the_sponsors_code(firm: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Goes to the sponsor by the community's own way, and is taken once, however it is typed."""
    letters = []
    written = Applying._letter

    def read(self: Applying, to: str, name: str, code: str, days: int) -> bytes:
        letters.append((to, name, code))
        return written(self, to, name, code, days)

    monkeypatch.setattr(Applying, "_letter", read)
    shown = told(firm("application", "sponsor", "firm", SPONSOR, "--json"))
    assert (shown["sponsor"]["confirmed"], shown["sponsor"]["code_until"] is not None) == (None, True)
    ((to, name, code),) = letters
    assert (to, name, len(code)) == (SPONSOR, "Firm LLP", 19)
    with beside(config) as suite:
        (claimed,) = wait(suite.stores.spool.claim("test", 10, 1 << 40))
        assert claimed.entry.deliveries
    wrong = refused(firm("application", "sponsor", "firm", "--password-stdin", "--json", typed="ABCD-EFGH-IJKL-MNOP\n"))
    assert "not the code" in wrong["error"]
    assert told(firm("application", "show", "firm", "--json"))["sponsor"]["wrong_codes"] == 1
    typed = f"{code.lower().replace('-', ' ')}\n"
    taken = told(firm("application", "sponsor", "firm", "--password-stdin", "--json", typed=typed))
    assert taken["sponsor"]["confirmed"] is not None
    again = refused(firm("application", "sponsor", "firm", "--password-stdin", "--json", typed=typed))
    assert "no code" in again["error"]
    assert "cannot be a sponsor" in refused(firm("application", "sponsor", "firm", "a@b.example", "--json"))["error"]


def test_rejected(firm: Run) -> None:
    """With a reason; it is listed with its state, and the same may ask again."""
    shown = told(firm("application", "reject", "firm", "--reason", "no-sponsor", "--note", "nobody knows it", "--json"))
    assert (shown["state"], shown["reason"], shown["note"]) == ("rejected", "no-sponsor", "nobody knows it")
    told(firm("application", "add", "firm", "--name", "Firm LLP", *CONTACT, "--json"))
    listed = told(firm("application", "list", "--json"))
    assert sorted(each["state"] for each in listed) == ["new", "rejected"]
    assert [each["state"] for each in told(firm("application", "list", "--state", "new", "--json"))] == ["new"]
    assert told(firm("application", "show", "firm", "--json"))["state"] == "new"
    for words in (("list",), ("show", "firm")):
        assert "Firm LLP" in firm("application", *words).stdout


def test_wrong_usage(firm: Run) -> None:
    """Is told before anything is looked at."""
    for words in (
        ("add", "x", "--name", "X", "--contact", "nobody"),
        ("assess", "firm", "contact"),
        ("assess", "firm", "contact", "perhaps"),
        ("sponsor", "firm", "--note", "x"),
        ("terms", "firm"),
        ("reject", "firm"),
    ):
        assert firm("application", *words).exit_code == 2
    assert refused(firm("application", "show", "nobody", "--json"))["cure"]
    assert refused(firm("application", "edit", "firm", "--json"))["cure"]
