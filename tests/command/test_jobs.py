"""``cjsm jobs``: how far the service's own work is."""

from pathlib import Path

import msgspec
import pytest

from cjsm.command import jobs
from cjsm.command.context import wait
from cjsm.community.acts.acting import By
from cjsm.community.identifiers import ActId, JobId
from cjsm.community.records import Job
from cjsm.community.view import Change, View
from cjsm.suite import Suite
from tests.command.conftest import Run, refused, told
from tests.command.mailboxes import beside, last_entry

ROTATION = Job(id=JobId(b"rotation job 001"), kind="rotation", due=1_767_225_600, every=3_600, done=20, total=50)


def put(config: Path, job: Job) -> None:
    with beside(config) as suite:
        by: By = suite.by()

        def act(view: View) -> Change:
            return Change(put=(job,))

        wait(suite.stores.community.commit(ActId(by.act_id), act))


def test_listed(cjsm: Run, config: Path) -> None:
    """With how far it is; `status` says the same."""
    assert told(cjsm("jobs", "list", "--json")) == []
    put(config, ROTATION)
    (job,) = told(cjsm("jobs", "list", "--json"))
    assert (job["kind"], job["due"], job["done"], job["total"]) == ("rotation", "2026-01-01T00:00:00+00:00", 20, 50)
    assert "20 of 50" in cjsm("jobs", "list").output
    assert told(cjsm("status", "--json"))["jobs"] == [job]


def test_watched(cjsm: Run, config: Path) -> None:
    """Whoever waits hears of the end, and of a failure."""
    put(config, msgspec.structs.replace(ROTATION, done=50, last_result="50 mailboxes rotated"))
    assert told(cjsm("jobs", "watch", "rotation", "--json"))["result"] == "50 mailboxes rotated"
    put(config, msgspec.structs.replace(ROTATION, attempts=1, last_result="failed: no disk"))
    failed = cjsm("jobs", "watch", "rotation")
    assert (failed.exit_code, failed.output) == (1, "rotation: failed: no disk\n")
    assert "rotation" in refused(cjsm("jobs", "watch", "rotations", "--json"))["cure"]


def test_waits(cjsm: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as something is left that it counts."""
    looks = [msgspec.structs.replace(ROTATION, done=done, last_result=f"{done} done") for done in (20, 40, 50)]
    seen = iter(looks)
    monkeypatch.setattr("cjsm.command.jobs._LOOK", 0.0)
    monkeypatch.setattr("cjsm.command.jobs._job", lambda suite, kind: next(seen))
    assert told(cjsm("jobs", "watch", "rotation", "--json"))["done"] == 50
    assert next(seen, None) is None


def test_run(cjsm: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is due at once, with an entry of it, and whoever waits hears what came of it."""
    put(config, ROTATION)
    assert "start it" in refused(cjsm("jobs", "run", "rotation", "--json"))["cure"]
    monkeypatch.setattr("cjsm.instance.Instance.pid", lambda instance: 1)
    monkeypatch.setattr("cjsm.command.jobs._LOOK", 0.0)
    looked = jobs._job
    made = [
        msgspec.structs.replace(ROTATION, done=30),
        msgspec.structs.replace(ROTATION, done=50, last_run=1_767_225_700, last_result="50 mailboxes rotated"),
    ]
    seen = iter(made)
    first: list[Job] = []

    def look(suite: Suite, kind: str) -> Job:
        if not first:
            first.append(looked(suite, kind))
            return first[0]
        return next(seen)

    monkeypatch.setattr("cjsm.command.jobs._job", look)
    assert told(cjsm("jobs", "run", "rotation", "--json"))["result"] == "50 mailboxes rotated"
    entry = last_entry(config)
    assert (entry.act, dict(entry.details)) == ("job-run", {"job": "rotation"})
    with beside(config) as suite:
        found = suite.stores.community.read_now(lambda view: view.job(ROTATION.id))
    assert found is not None
    assert found.due > ROTATION.due


def test_run_what_there_is_not(cjsm: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs that there are are named."""
    monkeypatch.setattr("cjsm.instance.Instance.pid", lambda instance: 1)
    put(config, ROTATION)
    assert "rotation" in refused(cjsm("jobs", "run", "nonsense", "--json"))["cure"]
