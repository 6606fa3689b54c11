"""``cjsm report``: who and what needs attention."""

import csv
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cjsm.command.context import wait
from cjsm.command.output import when
from cjsm.command.report import _print_table
from cjsm.community.acts import acting
from cjsm.community.identifiers import AccountId, DeliveryId, MailboxId
from cjsm.community.records import Guard
from cjsm.community.verdicts import AccountOrigin, ConnectionOrigin, HostedRoute, RelayRoute
from cjsm.community.view import Change, View
from cjsm.mail.interfaces import Hop
from cjsm.mail.traced import Answer, Target
from cjsm.mail.tracing import Tracer
from cjsm.suite import Suite
from tests.command.conftest import copied, ran, refused, told
from tests.command.directories import HENRY, JANE, OLIVE, PAUL, Firm
from tests.command.mailboxes import beside, deliver
from tests.command.test_user import PASSWORD

DAY = 86_400
HOP = Hop(host="mail", protocol="ESMTPSA", tls_version="TLSv1.3", tls_group="X25519")


@pytest.fixture(scope="module")
def _firm(_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Firm:
    return Firm(copied(_made, tmp_path_factory.mktemp("report") / "home"))


@pytest.fixture
def firm(_firm: Firm, tmp_path: Path) -> Firm:
    """One of one's own."""
    found = Firm.__new__(Firm)
    found.config = copied(_firm.config.parent, tmp_path / "home")
    return found


def ids(suite: Suite) -> dict[str, AccountId]:
    return suite.stores.community.read_now(lambda view: {each.user_id: each.id for each in view.accounts()})


def changed(suite: Suite, name: str, **changes: object) -> None:
    """Let somebody's record be another."""

    def act(view: View) -> Change:
        found = view.account_of_user_id(name)
        assert found is not None
        return Change(put=(acting.changed(found, **changes),))

    wait(suite.stores.community.commit(suite.by().act_id, act))


def report(firm: Firm, what: str, *words: str, who: str | None = None) -> list[dict[str, Any]]:
    as_who = ("--as", who, "--password-stdin") if who is not None else ()
    rows: list[dict[str, Any]] = told(firm.run("report", what, *words, *as_who, typed=f"{PASSWORD}\n"))
    return rows


def test_inactive(firm: Firm) -> None:
    """By the last sign-in, whatever the protocol; for so many days."""
    with beside(firm.config) as suite:
        long_ago = int(time.time()) - 200 * DAY
        for name in (JANE, OLIVE):
            changed(suite, name, created=long_ago, password_since=long_ago, state_since=long_ago)
        suite.stores.activity.used(ids(suite)[OLIVE], "n", "ldap", None, int(time.time()) - 40 * DAY)
    (row,) = report(firm, "inactive")
    assert (row["user_id"], row["organisation"], row["last_sign_in"], row["days"]) == (JANE, "avon/crime", None, 200)
    assert [each["user_id"] for each in report(firm, "inactive", "--days", "30")] == [OLIVE, JANE]
    assert report(firm, "inactive", "--days", "201") == []
    said = ran("report", "inactive", "--days", "201", config=firm.config).stdout
    assert said == "nothing to report\n"


def test_never(firm: Firm) -> None:
    """Who got a one-time password and did nothing with it."""
    told(firm.run("user", "add", "avon", "--first", "Al", "--last", "Ng"))
    (row,) = report(firm, "never")
    assert (row["user_id"], row["status"]) == ("al.ng@avon", "New User")
    assert row["created"] < row["one_time_password_ends"]
    with beside(firm.config) as suite:
        kept = suite.stores.community.read_now(lambda view: view.account_of_user_id("al.ng@avon"))
        assert kept is not None
        ends = when(suite.enrolment.new_keys.one_time_ends(kept))
    assert row["one_time_password_ends"] == ends
    told(firm.run("user", "reset-password", "al.ng@avon", "--reason", "other"))
    (row,) = report(firm, "never")
    assert row["one_time_password_ends"] >= ends


def test_locked(firm: Firm) -> None:
    """By somebody, or by wrong passwords."""
    told(firm.run("user", "lock", JANE))
    with beside(firm.config) as suite:
        changed(suite, OLIVE, guard=Guard(since=int(time.time()) - 5, until=int(time.time()) + 3_600))
        changed(suite, PAUL, guard=Guard(since=5, until=6))
    rows = {row["user_id"]: row for row in report(firm, "locked")}
    assert {name: row["locked_by"] for name, row in rows.items()} == {
        JANE: "an administrator",
        OLIVE: "wrong passwords",
    }
    assert rows[OLIVE]["until"] is not None


def test_without_factor(firm: Firm) -> None:
    """With their roles, so that one begins with those that count most."""
    with beside(firm.config) as suite:
        changed(suite, PAUL, factor_since=5)
    rows = {row["user_id"]: row["roles"] for row in report(firm, "without-factor")}
    assert rows == {
        JANE: [],
        OLIVE: ["organisation-administrator of avon"],
        HENRY: ["helpdesk of the community"],
    }
    assert {row["user_id"] for row in report(firm, "without-factor", "--administrators")} == {OLIVE, HENRY}


def test_near_quota(firm: Firm) -> None:
    """Personal and shared; those that nothing was written to are not opened."""
    told(firm.run("shared", "add", "avon", "duty", "--name", "Duty", "--member", JANE))
    with beside(firm.config) as suite:
        account = suite.stores.community.read_now(lambda view: view.account_of_user_id(JANE))
        assert account is not None
        assert account.mailbox is not None
        deliver(suite, account.mailbox, b"x" * 900 + b"\r\n")
    assert report(firm, "near-quota") == []
    told(firm.run("quota", "set", JANE, "1K"))
    (row,) = report(firm, "near-quota", "--percent", "80")
    assert (row["mailbox"], row["quota"]) == (JANE, 1_024)
    assert row["percent"] >= 88


def trace(suite: Suite) -> None:
    """What a day left: one message of Jane's to Olive and the firm's server, and one of the firm's to Jane."""
    tracer = Tracer(suite.stores.trace, suite.secrets, suite.settings.trace, clock=time.time)
    connection = suite.stores.community.read_now(lambda view: next(iter(view.connections())).id)
    jane, olive = (f"{name}.cjsm.test" for name in (JANE, OLIVE))
    relay = RelayRoute(connection=connection, domain="firm.co.uk.cjsm.test")
    hosted = HostedRoute(mailbox=MailboxId(os.urandom(16)))
    of_jane: dict[str, Any] = {"origin": AccountOrigin(account=ids(suite)[JANE]), "sender": jane, "hop": HOP}
    delivery = DeliveryId(os.urandom(16))
    targets = [
        Target(address=olive, route=hosted, delivery=delivery),
        Target(address="jo@firm.co.uk.cjsm.test", route=relay),
    ]
    tracer.accepted("0" * 16, message_id="<1@x>", octets=1_000, targets=targets, **of_jane)
    of_firm: dict[str, Any] = {
        "origin": ConnectionOrigin(connection=connection),
        "sender": "jo@firm.co.uk.cjsm.test",
        "hop": HOP,
    }
    targets = [Target(address=jane, route=hosted, delivery=delivery)]
    tracer.accepted("1" * 16, message_id="<2@x>", octets=500, targets=targets, **of_firm)
    tracer.refused("2" * 16, answer=Answer(code=550), **of_jane)
    for status, words in (("4.4.1", "cannot be reached"), ("4.7.5", "the server's certificate cannot be trusted")):
        tracer.deferred(
            "0" * 16, recipient="jo@firm.co.uk.cjsm.test", answer=Answer(code=450, status=status, words=words)
        )


def test_traffic(firm: Firm) -> None:
    """By organisation, of people and of connections; an administrator sees the own part."""
    with beside(firm.config) as suite:
        trace(suite)
    rows = {row.pop("organisation"): row for row in report(firm, "traffic")}
    assert rows == {
        "avon": {"sent": 0, "sent_octets": 0, "received": 1, "received_octets": 1_000, "refused": 0},
        "avon/crime": {"sent": 1, "sent_octets": 1_000, "received": 1, "received_octets": 500, "refused": 1},
        "firm": {"sent": 1, "sent_octets": 500, "received": 1, "received_octets": 1_000, "refused": 0},
    }
    assert [row["organisation"] for row in report(firm, "traffic", who=PAUL)] == ["firm"]
    assert [row["organisation"] for row in report(firm, "traffic", "--organisation", "avon/crime", who=OLIVE)] == [
        "avon/crime"
    ]


def test_tls_failures(firm: Firm) -> None:
    """Only what was wrong with encryption or certificate, with the last of it."""
    with beside(firm.config) as suite:
        trace(suite)
    (row,) = report(firm, "tls-failures")
    assert (row["connection"], row["organisation"], row["failures"], row["messages"]) == ("firm", "firm", 1, 1)
    assert row["problem"] == "the server's certificate cannot be trusted"
    assert report(firm, "tls-failures", who=OLIVE) == []


def test_csv(firm: Firm, tmp_path: Path) -> None:
    """For oneself alone, never over another file; nothing in it is worked out by a spreadsheet."""
    told(firm.run("user", "change", JANE, "--town", "x"))
    with beside(firm.config) as suite:
        account = suite.stores.community.read_now(lambda view: view.account_of_user_id(JANE))
        assert account is not None
        changed(suite, JANE, locked=True)
    path = tmp_path / "locked.csv"
    (tmp_path / "locked.csv.part").write_bytes(b"of a report that was broken off")
    assert told(firm.run("report", "locked", "--csv", str(path))) == {"file": str(path), "rows": 1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["user_id"], row["until"]) == (JANE, "")
    assert "exists already" in refused(firm.run("report", "locked", "--csv", str(path)))["error"]


def test_more_than_are_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The rest is counted, and nothing that tells how far it is draws over the table."""
    order: list[str] = []

    def rows() -> Iterator[dict[str, Any]]:
        yield from ({"user_id": str(number)} for number in range(503))
        order.append("counted")

    monkeypatch.setattr("cjsm.command.report.table", lambda rows, *_: order.append(f"{len(rows)} shown"))
    _print_table(rows(), ("user_id",))
    assert order == ["counted", "500 shown"]
    assert "and 3 more" in capsys.readouterr().out


def test_whose(firm: Firm) -> None:
    """Administrators their own; nobody else any."""
    assert [row["user_id"] for row in report(firm, "without-factor", who=PAUL)] == [HENRY, PAUL]
    words = ("report", "without-factor", "--organisation", "avon", "--as", PAUL, "--password-stdin")
    assert "no role" in refused(firm.run(*words, typed=f"{PASSWORD}\n"))["error"]
    for who in (JANE, HENRY):
        words = ("report", "without-factor", "--as", who, "--password-stdin")
        assert "no role" in refused(firm.run(*words, typed=f"{PASSWORD}\n"))["error"]
