"""``cjsm organisation merge``."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cjsm.command.context import wait
from cjsm.community import finding
from cjsm.community.acts import moving, organisations
from cjsm.community.acts.acting import By
from cjsm.community.identifiers import ActId, OrganisationId
from cjsm.community.invariants import problems
from cjsm.community.records import Organisation
from cjsm.ledger.entries import decode_entry
from cjsm.store.lmdb.community import LmdbCommunityStore
from tests.command.conftest import Run, copied, ran, refused, told
from tests.command.mailboxes import beside
from tests.command.test_user import PASSWORD

REASON = ("--reason", "requested", "--json")
#: Kills a merge, in which two things come up at once, at a commit: before it, or after it.
KILLED = """
import os, signal, sys
from cjsm.command import acting
from cjsm.store.lmdb.community import LmdbCommunityStore
acting.AT_ONCE = 2
calls, after = int(sys.argv[1]), sys.argv[2] == "after"
commit_each = LmdbCommunityStore.commit_each
def counted(*arguments, **options):
    global calls
    calls -= 1
    if calls == 0 and not after:
        os.kill(os.getpid(), signal.SIGKILL)
    answer = commit_each(*arguments, **options)
    if calls == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
LmdbCommunityStore.commit_each = counted
sys.argv = ["cjsm", *sys.argv[3:]]
from cjsm.command.main import main
main()
"""


@pytest.fixture
def force(cjsm: Run) -> Run:
    """Avon, with people, a list and a desk in Crime and a branch below it; a firm; whom they are administered by."""
    for path, more in (("avon/crime/fraud", ()), ("firm", ("--abbreviation", "firm")), ("firm/clerks", ())):
        told(cjsm("organisation", "add", path, "--name", path.title(), *more, "--json"))
    for place, first in (("firm", "Ann"), ("firm", "Ben"), ("firm/clerks", "Cleo"), ("avon", "Ann"), ("avon", "Olive")):
        told(cjsm("user", "add", place, "--first", first, "--last", "Law", "--json"))
    told(cjsm("list", "add", "firm", "all", "--name", "All", "--who-may-post", "community", "--json"))
    told(cjsm("list", "join", "all@firm.cjsm.test", "ann.law@firm.cjsm.test", "ben.law@firm.cjsm.test", "--json"))
    told(cjsm("list", "add", "avon", "outer", "--name", "Outer", "--json"))
    told(cjsm("list", "join", "outer@avon.cjsm.test", "all@firm.cjsm.test", "cleo.law@firm.cjsm.test", "--json"))
    told(cjsm("shared", "add", "firm", "desk", "--name", "Desk", "--member", "ben.law@firm", "--json"))
    told(cjsm("role", "grant", "ben.law@firm", "organisation-administrator", "--organisation", "firm", "--json"))
    return cjsm


def entries(config: Path) -> list[Any]:
    with beside(config) as suite:
        return [decode_entry(encoded) for _, encoded in wait(suite.stores.community.entries(0, 10_000))]


def test_merged(force: Run, config: Path) -> None:
    """Who has which address now, whose roles ended; asked again, it is the same answer and nothing is done."""
    made = told(force("organisation", "merge", "firm", "avon", *REASON))
    assert made["people"] == [
        {"user_id": "ann.law-2@avon", "address": "ann.law-2@avon.cjsm.test",
         "former_addresses": ["ann.law@firm.cjsm.test"]},
        {"user_id": "ben.law@avon", "address": "ben.law@avon.cjsm.test",
         "former_addresses": ["ben.law@firm.cjsm.test"]},
    ]  # fmt: skip
    assert (made["merged"], made["dry_run"], made["obstacles"]) == (True, False, [])
    assert made["sub_organisations"] == ["avon/clerks"]
    assert made["lists"] == [{"address": "all@avon.cjsm.test", "former_addresses": ["all@firm.cjsm.test"]}]
    assert made["shared_mailboxes"] == [{"address": "desk@avon.cjsm.test", "former_addresses": ["desk@firm.cjsm.test"]}]
    assert made["roles_ended"] == [{"user_id": "ben.law@avon", "role": "organisation-administrator"}]
    assert told(force("role", "list", "--user", "ben.law@avon", "--json")) == []
    members = told(force("list", "show", "outer@avon.cjsm.test", "--json"))["members"]
    assert sorted(members) == ["all@avon.cjsm.test", "cleo.law@firm.cjsm.test"]
    assert told(force("organisation", "show", "avon/firm", "--json"))["state"] == "deleted"
    before = len(entries(config))
    assert told(force("organisation", "merge", "firm", "avon", *REASON)) == made
    assert told(force("organisation", "merge", "avon/firm", "avon", *REASON))["people"] == made["people"]
    assert told(force("organisation", "merge", "firm", "avon", "--dry-run", *REASON)) == made | {"dry_run": True}
    assert len(entries(config)) == before
    assert "unknown" not in force("audit", "list").output


def test_rehearsed(force: Run, config: Path) -> None:
    """The whole of it as it would be, and nothing is done; then just that is done."""
    before = len(entries(config))
    planned = told(force("organisation", "merge", "firm", "avon", "--dry-run", *REASON))
    assert planned["dry_run"]
    assert not planned["merged"]
    assert len(entries(config)) == before
    assert told(force("organisation", "show", "firm", "--json"))["state"] == "active"
    done = told(force("organisation", "merge", "firm", "avon", *REASON))
    assert planned | {"dry_run": False, "merged": True} == done


def test_what_keeps_it(force: Run, config: Path) -> None:
    """All of it at once, for programs and for people, before anything is begun; and it goes once that is cured."""
    told(force("list", "add", "avon", "all", "--name", "All of Avon", "--json"))
    told(force("organisation", "add", "avon/clerks", "--name", "Clerks", "--json"))
    told(force("role", "grant", "ann.law@firm", "helpdesk", "--organisation", "avon/crime", "--json"))
    before = len(entries(config))
    for more in ((), ("--dry-run",)):
        answer = force("organisation", "merge", "firm", "avon", *more, *REASON)
        assert answer.exit_code == 1
        document = json.loads(answer.stdout)
        cures = [each["cure"] for each in document["obstacles"]]
        assert not document["merged"]
        assert len(cures) == 3
        assert any("--rename firm/clerks=OTHER-NAME" in cure for cure in cures)
        assert any("--rename all@firm.cjsm.test=OTHER-NAME" in cure for cure in cures)
        assert "revoke it first: cjsm role revoke ann.law@firm helpdesk --organisation avon/crime" in cures
        said = force("organisation", "merge", "firm", "avon", "--reason", "other", *more)
        assert (said.exit_code, said.stdout) == (1, "")
        assert "3 things keep it" in said.stderr
    assert len(entries(config)) == before
    told(force("role", "revoke", "ann.law@firm", "helpdesk", "--organisation", "avon/crime", "--json"))
    names = ("--rename", "firm/clerks=firm-clerks", "--rename", "all@firm.cjsm.test=firm-all")
    made = told(force("organisation", "merge", "firm", "avon", *names, *REASON))
    assert made["sub_organisations"] == ["avon/firm-clerks"]
    assert made["lists"][0]["address"] == "firm-all@avon.cjsm.test"


def test_refused(force: Run) -> None:
    """With the cure, as every verb."""
    assert refused(force("organisation", "merge", "none", "avon", *REASON))["cure"]
    assert refused(force("organisation", "merge", "firm", "none", *REASON))["cure"]
    assert (
        "--rename all@" in refused(force("organisation", "merge", "firm", "avon", "--rename", "all", *REASON))["cure"]
    )
    assert force("organisation", "merge", "firm", "avon").exit_code == 2, "a reason is needed"


def test_said_to_people(force: Run) -> None:
    said = force("organisation", "merge", "firm", "avon", "--reason", "requested", "--dry-run").stdout
    assert "firm would be part of avon: nothing was changed" in said
    said = force("organisation", "merge", "firm", "avon", "--reason", "requested").stdout
    assert "firm is part of avon" in said
    assert "ann.law-2@avon" in said
    assert "cjsm role grant" in said
    assert "sub-organisations: avon/clerks" in said


@pytest.mark.parametrize(("calls", "when"), [("1", "before"), *((str(calls), "after") for calls in range(1, 6))])
def test_killed(force: Run, config: Path, tmp_path: Path, calls: str, when: str) -> None:
    """At any commit: the community is whole, and the same command ends as one that nobody killed."""
    other = copied(config.parent, tmp_path / "other")
    words = ("organisation", "merge", "firm", "avon", *REASON)
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, calls, when, *words, "--config", str(config)], capture_output=True, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    with beside(config) as suite:
        assert suite.stores.community.read_now(problems) == []
    shown = told(force("organisation", "show", "firm" if when == "before" else "avon/firm", "--json"))
    under_way = shown["merging"] is not None and shown["state"] == "active"
    assert ("firm is becoming part of avon" in force("check").output) is under_way
    again, whole = told(force(*words)), told(ran(*words, config=other))
    assert again == whole
    exported = [told(ran("community", "export", "--json", config=place)) for place in (config, other)]
    assert exported[0] == exported[1]
    with beside(config) as suite:
        assert suite.stores.community.read_now(problems) == []


def test_moved_away_meanwhile(force: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A merge does not fetch back what somebody takes away while it goes on; it says so."""
    commit_each, calls = LmdbCommunityStore.commit_each, iter(range(9))

    def first(self: LmdbCommunityStore, *arguments: Any, **options: Any) -> Any:
        if next(calls) == 1:
            act = By(act_id=ActId(b"somebody else's."))
            place = self.read_now(lambda view: finding.organisation_of(view, "avon/firm").id)
            wait(self.commit(act.act_id, lambda view: moving.move(view, act, place, None)))
        return commit_each(self, *arguments, **options)

    monkeypatch.setattr(LmdbCommunityStore, "commit_each", first)
    answer = refused(force("organisation", "merge", "firm", "avon", *REASON))
    assert "moved it away" in answer["error"]
    assert "run this again" in answer["cure"]
    assert told(force("organisation", "show", "firm", "--json"))["merging"] is None
    assert told(force("organisation", "merge", "firm", "avon", *REASON))["merged"]


def test_what_comes_before_it_begins(force: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who takes a name between the look and the first commit: nothing is begun."""
    commit_each = LmdbCommunityStore.commit_each

    def first(self: LmdbCommunityStore, *arguments: Any, **options: Any) -> Any:
        act = By(act_id=ActId(b"somebody else's."))
        place = self.read_now(lambda view: finding.organisation_of(view, "avon").id)
        made = Organisation(id=OrganisationId(b"taken already..."), parent=place, slug="clerks", name="Clerks")
        wait(self.commit(act.act_id, lambda view: organisations.add(view, act, made)))
        return commit_each(self, *arguments, **options)

    monkeypatch.setattr(LmdbCommunityStore, "commit_each", first)
    assert "--rename firm/clerks" in refused(force("organisation", "merge", "firm", "avon", *REASON))["cure"]
    monkeypatch.undo()
    assert told(force("organisation", "show", "firm", "--json"))["merging"] is None
    assert "organisation-merge" not in {entry.act for entry in entries(config)}


def test_as_an_administrator(force: Run, config: Path) -> None:
    """Of what is above both, who is of the one that is no more: it goes on under the new user ID."""
    made = told(force("user", "add", "avon/crime", "--first", "Una", "--last", "Above", "--json"))
    change = ("user", "set-password", made["user_id"], "--password-stdin", "--json")
    told(force(*change, typed=f"{made['one_time_password']}\n{PASSWORD}\n"))
    told(force("role", "grant", made["user_id"], "organisation-administrator", "--organisation", "avon", "--json"))
    told(force("organisation", "change", "avon/crime/fraud", "--abbreviation", "fraud", "--json"))
    words = ("organisation", "merge", "avon/crime", "avon/crime/fraud", *REASON, "--as", made["user_id"])
    assert "organisation merge avon/crime/fraud avon/crime" in (
        force(*words, "--password-stdin", typed=f"{PASSWORD}\n").stdout
    )
    told(force("organisation", "move", "avon/crime/fraud", "avon", "--json"))
    words = ("organisation", "merge", "avon/crime", "avon/fraud", *REASON, "--as", made["user_id"])
    done = told(force(*words, "--password-stdin", typed=f"{PASSWORD}\n"))
    assert [each["user_id"] for each in done["people"]] == ["una.above@fraud"]
    acts = [entry for entry in entries(config) if entry.act in ("organisation-merge", "user-move")]
    assert len({entry.actor for entry in acts}) == 1
    assert acts[0].actor
    assert not any("break-glass" in dict(entry.details) for entry in acts)


def test_two_at_once(force: Run, config: Path) -> None:
    """Each does what the other has left; both end well, and nothing is done twice."""
    words = [
        sys.executable,
        "-c",
        "from cjsm.command.main import main; main()",
        "organisation",
        "merge",
        "firm",
        "avon",
        *REASON,
        "--config",
        str(config),
    ]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE) for _ in range(2)]
    answers = [json.loads(each.communicate()[0]) for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert answers[0] == answers[1]
    acts = [entry.act for entry in entries(config)]
    assert (acts.count("user-move"), acts.count("organisation-deleted")) == (2, 1)


def test_the_file_of_the_community(force: Run, config: Path, tmp_path: Path) -> None:
    """Has what is there after it, and nothing of what is no more; applied, it changes nothing."""
    file = tmp_path / "community.toml"
    told(force("organisation", "merge", "firm", "avon", *REASON))
    told(force("community", "export", str(file), "--json"))
    text = file.read_text()
    assert '[organisation."avon/clerks"]' in text
    assert '[list."all@avon.cjsm.test"]' in text
    assert '[shared."desk@avon.cjsm.test"]' in text
    assert "firm.cjsm.test" not in text.replace("cleo.law@firm.cjsm.test", "")
    assert "avon/firm" not in text
    assert told(force("community", "diff", str(file), "--json")) == []
    assert told(force("community", "apply", str(file), "--prune", "--yes", "--json"))["acts"] == 0
