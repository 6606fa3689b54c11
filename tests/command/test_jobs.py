"""``cjsm jobs``: how far the service's own work is."""

from pathlib import Path

import msgspec
import pytest

from cjsm.command.context import wait
from cjsm.community.acts.acting import By
from cjsm.community.identifiers import ActId, JobId
from cjsm.community.records import Job
from cjsm.community.view import Change, View
from tests.command.conftest import Run, refused, told
from tests.command.mailboxes import beside

ROTATION = Job(id=JobId(b"rotation job 001"), kind="rotation", due=1_767_225_600, every=3_600, done=20, total=50)


def put(config: Path, job: Job) -> None:
    with beside(config) as suite:
        by: By = suite.enrolment.by()

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
