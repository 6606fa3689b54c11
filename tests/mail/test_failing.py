"""An organisation's administrators hear that its own mail system takes nothing."""

from collections.abc import Sequence
from pathlib import Path

from twisted.internet.defer import Deferred, succeed

from cjsm.community.identifiers import JobId
from cjsm.community.records import Job, Role
from cjsm.configuration import RelaySettings
from cjsm.mail.failing import FailingConnections
from cjsm.notices.notice import Kind
from cjsm.store.interfaces import QueueSummary
from tests.community.communities import FIRM_CONNECTION, NOW, identifier, role
from tests.notices.support import LAW, Office

from .support import result

JOB = Job(id=JobId(identifier("job")), kind="failing-connections", due=0)
HOUR = 3_600


class Queue:
    """Something waits for the firm."""

    def __init__(self, tried: int = 1) -> None:
        self.tried = tried

    def summary(self) -> "Deferred[Sequence[QueueSummary]]":
        waiting = QueueSummary(
            connection=FIRM_CONNECTION.id, messages=3, held=0, tried=self.tried, damaged=0, oldest=NOW, reason="away"
        )
        return succeed([waiting])


def told(tmp_path: Path, hours: int, queue: Queue) -> list[tuple[Kind, bytes, int]]:
    """What is told within so many hours."""
    office = Office(tmp_path)
    office.change(role("law.yer", Role.ORGANISATION_ADMINISTRATOR, "firm"))
    job = FailingConnections(
        RelaySettings(),
        community=office.community,  # type: ignore[arg-type]
        queue=queue,  # type: ignore[arg-type]
        desk=office.desk,
        clock=office.clock.seconds,
    )
    for _ in range(hours):
        result(job.run(JOB))
        office.clock.advance(HOUR)
    return [(each.kind, each.account, each.date) for each in office.notices()]


def test_once_a_day(tmp_path: Path) -> None:
    """After the time at which senders are told that it is late."""
    assert told(tmp_path, 4, Queue()) == []
    assert told(tmp_path / "longer", 30, Queue()) == [(Kind.CONNECTION_FAILING, LAW, NOW)] * 2


def test_what_was_not_tried(tmp_path: Path) -> None:
    """Is held back here: nobody's connection fails."""
    assert told(tmp_path, 30, Queue(tried=0)) == []
