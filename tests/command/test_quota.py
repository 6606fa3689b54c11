"""``cjsm quota``: what mailboxes may hold, and hold."""

from pathlib import Path

import pytest

from cjsm.command.quota import size
from cjsm.community.identifiers import MailboxId
from tests.command.conftest import Run, refused, told
from tests.command.mailboxes import beside, deliver
from tests.command.test_user import PASSWORD, add

JANE, OLIVE = "jane.smith@avon", "olive.marsh@avon"
MIB = 1 << 20


def mailbox(config: Path) -> MailboxId:
    with beside(config) as suite:
        found = suite.stores.community.read_now(lambda view: view.account_of_user_id(JANE))
        assert found is not None
        assert found.mailbox is not None
        return found.mailbox


@pytest.mark.parametrize(
    ("typed", "octets"),
    [("750M", 750 * MIB), ("1g", 1024 * MIB), ("2 MiB", 2 * MIB), ("12345", 12_345), ("5KB", 5_120)],
)
def test_sizes(cjsm: Run, typed: str, octets: int) -> None:
    """As people write them."""
    add(cjsm)
    assert told(cjsm("quota", "set", JANE, typed, "--json"))["quota"] == octets
    (row,) = told(cjsm("quota", "show", JANE, "--json"))["mailboxes"]
    assert (row["quota"], row["octets"], row["percent"]) == (octets, 0, 0)


@pytest.mark.parametrize("typed", ["", "0", "much", "-1", "1T", "1.5G", "9" * 30])
def test_no_size(cjsm: Run, typed: str) -> None:
    """Wrong usage, and it is said what would do."""
    answer = cjsm("quota", "set", JANE, "--", typed)
    assert answer.exit_code == 2
    assert "is no size" in answer.output


def test_default(cjsm: Run) -> None:
    """What the setting says, whatever it will be."""
    add(cjsm)
    assert told(cjsm("quota", "set", JANE, "1M", "--json"))["changed"] is True
    assert told(cjsm("quota", "set", JANE, "1M", "--json"))["changed"] is False
    assert told(cjsm("quota", "set", JANE, "default", "--json"))["quota"] == 500 * MIB


def test_full(cjsm: Run, config: Path) -> None:
    """Less than there is makes it full, which is said."""
    add(cjsm)
    whose = mailbox(config)
    with beside(config) as suite:
        deliver(suite, whose, b"x" * 1_000 + b"\r\n")
    made = told(cjsm("quota", "set", JANE, "500", "--json"))
    assert made["percent"] >= 100
    assert "it is full" in cjsm("quota", "set", JANE, "600").stdout


def test_limits_by_role(cjsm: Run) -> None:
    """Olive gives up to 1 GB, at adding people too."""
    made = told(cjsm("user", "add", "avon", "--first", "Olive", "--last", "Marsh", "--json"))
    typed = f"{made['one_time_password']}\n{PASSWORD}\n"
    told(cjsm("user", "set-password", OLIVE, "--password-stdin", "--json", typed=typed))
    told(cjsm("role", "grant", OLIVE, "organisation-administrator", "--organisation", "avon", "--json"))
    add(cjsm)
    acting = ("--as", OLIVE, "--password-stdin", "--json")
    told(cjsm("quota", "set", JANE, "1G", *acting, typed=f"{PASSWORD}\n"))
    for words in (
        ("quota", "set", JANE, "1025M"),
        ("user", "add", "avon", "--first", "Al", "--last", "Ng", "--quota", "2G"),
        ("shared", "add", "avon", "duty", "--name", "Duty", "--member", JANE, "--quota", "2G"),
    ):
        answer = refused(cjsm(*words, *acting, typed=f"{PASSWORD}\n"))
        assert answer["error"].startswith("only a community administrator gives more than 1,073,741,824")
    assert told(cjsm("quota", "set", JANE, "2G", "--json"))["quota"] == 2048 * MIB
    assert "mail.quota_largest" in refused(cjsm("quota", "set", JANE, "11G", "--json"))["cure"]


def test_totals(cjsm: Run, config: Path) -> None:
    """By organisation, each with what it holds itself, and all together."""
    add(cjsm)
    told(cjsm("user", "add", "avon", "--first", "Al", "--last", "Ng", "--quota", "1M", "--json"))
    told(cjsm("shared", "add", "avon", "duty", "--name", "Duty", "--member", "al.ng@avon", "--quota", "2M", "--json"))
    whose = mailbox(config)
    with beside(config) as suite:
        deliver(suite, whose, b"x" * 1_000 + b"\r\n")
    shown = told(cjsm("quota", "show", "--organisation", "avon", "--json"))
    assert [each["mailbox"] for each in shown["mailboxes"]] == ["al.ng@avon", "duty@avon.cjsm.test", JANE]
    first, second = shown["organisations"]
    assert (first["organisation"], first["mailboxes"], first["quota"], first["octets"]) == ("avon", 2, 3 * MIB, 0)
    assert (second["organisation"], second["mailboxes"]) == ("avon/crime", 1)
    assert second["octets"] > 1_000
    assert told(cjsm("quota", "show", "--totals", "--json"))["mailboxes"] == []
    said = cjsm("quota", "show", "--totals").stdout
    assert "in all" in said
    assert "503 MB" in said


def test_sizes_for_people() -> None:
    """A few digits."""
    assert [size(octets) for octets in (None, 0, 10_239, 10_240, 500 * MIB, 11 << 30)] == [
        *("-", "0", "10,239", "10 KB", "500 MB", "11 GB"),
    ]
