"""What time does to applications."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cjsm.community.applicationrecords import Application, ApplicationState
from cjsm.community.identifiers import ActId, ApplicationId, JobId
from cjsm.community.records import Job
from cjsm.community.view import Change
from cjsm.configuration import ApplicationSettings
from cjsm.jobs.applications import ApplicationTimes
from cjsm.store.lmdb.community import LmdbCommunityStore
from tests.store.support import identifier, open_community, result

DAY = 86_400
JOB = Job(id=JobId(b"j" * 16), kind="applications", due=0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbCommunityStore]:
    """An empty community."""
    opened = open_community(tmp_path)
    yield opened
    result(opened.close())


def test_overdue_and_erased(store: LmdbCommunityStore) -> None:
    """Once each, with an entry; others stay as they are. Setting other days has an effect at once."""
    now = store.read_now(lambda view: view.moment)
    numbers = iter(range(1, 1_000))

    def entropy(length: int) -> bytes:
        return next(numbers).to_bytes(length, "big")

    def asked(slug: str, state: ApplicationState, days: int) -> Application:
        since = now - days * DAY
        made = ApplicationId(identifier(slug, 1))
        return Application(id=made, slug=slug, name=slug, state=state, state_since=since, due=since + 28 * DAY)

    put = (
        asked("late", ApplicationState.IN_ASSESSMENT, 29),
        asked("fresh", ApplicationState.NEW, 3),
        asked("gone", ApplicationState.REJECTED, 91),
        asked("rejected", ApplicationState.REJECTED, 29),
        asked("here", ApplicationState.APPROVED, 500),
    )
    result(store.commit(ActId(identifier("act", 1)), lambda view: Change(put=put)))
    job = ApplicationTimes(ApplicationSettings(), community=store, clock=lambda: now, entropy=entropy)
    assert result(job.run(JOB)) == "1 overdue, 1 erased"
    assert result(job.run(JOB)) == "0 overdue, 0 erased"
    states = {each.slug: each.state for each in store.read_now(lambda view: list(view.applications()))}
    assert states == {
        "late": "overdue", "fresh": "new", "": "rejected", "rejected": "rejected", "here": "approved"
    }  # fmt: skip
    assert len(result(store.entries(0, 10))) == 2
    job.settings = msgspec.structs.replace(job.settings, erase_rejected=20)
    assert result(job.run(JOB)) == "0 overdue, 1 erased"
