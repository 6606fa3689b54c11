"""People hear in good time that their password ends."""

import email
import random
from email.message import Message
from typing import Any

import pytest

from cjsm import policies
from cjsm.community.identifiers import JobId
from cjsm.community.records import Credential, Job, Life
from cjsm.mail.expiring import PasswordWarnings
from cjsm.policies import DAY
from cjsm.store.interfaces import DiskFull
from tests.community.communities import NOW, community, hosted, identifier

from .support import JO_ADDRESS, JO_MAILBOX, House, logged, opened, result, small
from .weather import Fate

#: Everybody else's password is too young to end.
SINCE = NOW


class Warned(House):
    """A house in which Jo's password was chosen at :data:`SINCE`, and the others' only just."""

    def __init__(self, policy: str = "legacy", **changes: Any) -> None:
        view = community(*hosted("jo.ward", "crime", "avon", **{"password_since": SINCE} | changes))
        super().__init__(view=view)
        self.job = Job(id=JobId(identifier("job")), kind="password-warnings", due=0)
        self.warnings = PasswordWarnings(
            small(),
            policies.load(policy),
            community=self.community,
            spool=self.spool,
            own_mail=self.acceptance.own_mail,
            clock=self.clock.seconds,
            entropy=random.Random(1).randbytes,
        )

    def on(self, day: float) -> list[Message]:
        """Run the job so many days after Jo chose the password; what Jo gets."""
        self.clock.advance(SINCE + day * DAY - self.clock.seconds())
        self.platter.entries.clear()
        result(self.warnings.run(self.job))
        self.job = Job(id=self.job.id, kind=self.job.kind, due=0, last_run=int(self.clock.seconds()))
        return [
            email.message_from_bytes(
                opened(each.wrap, JO_MAILBOX, each.delivery_id, entry.body or b"", entry.summary)[0]
            )
            for entry in self.platter.entries.values()
            for each in entry.deliveries
            if each.mailbox == JO_MAILBOX
        ]


def test_each_once() -> None:
    """Fifteen, ten and five days before the end, however often the job runs; not before, not after."""
    house = Warned()
    told = {day: house.on(day) for day in (1, 74.9, 75, 75.25, 79.9, 80.1, 80.2, 85, 85.5, 89.9, 90, 91)}
    assert [day for day, letters in told.items() if letters] == [75, 80.1, 85]
    (letter,) = told[75]
    text = letter.get_payload(decode=True)
    assert isinstance(text, bytes)
    assert letter["To"] == f"<{JO_ADDRESS}>"
    assert letter["Subject"] == "Your password ends in 15 days"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Return-Path"] == "<>"
    assert "postmaster@cjsm.test" in letter["From"]
    assert b"jo.ward@avon" in text
    assert b"in 15 days" in text


def test_after_a_time_without_the_service() -> None:
    """The last one that is due, and none that is past."""
    house = Warned()
    house.on(70)
    (letter,) = house.on(88.5)
    assert letter["Subject"] == "Your password ends in 2 days"


@pytest.mark.parametrize(
    "changes", [{"credential": Credential.ONE_TIME}, {"life": Life.SUSPENDED}, {"password_since": SINCE + 60 * DAY}]
)
def test_who_has_nothing_to_change(changes: dict[str, Any]) -> None:
    """Hears nothing."""
    house = Warned(**changes)
    assert [house.on(day) for day in (74, 75, 80, 85)] == [[]] * 4


def test_where_no_password_ends() -> None:
    """Nobody is asked about."""
    house = Warned("ncsc")
    assert house.on(75) == []
    assert result(house.warnings.run(house.job)) == "no password ends"


def test_one_that_cannot_be_written() -> None:
    """Is in the log, and the others are."""
    house = Warned()
    house.on(74)
    house.forecast.foretell("put", Fate(error=DiskFull("below the floor")))
    with logged() as texts:
        house.on(75)
    assert any("below the floor" in text for text in texts)
