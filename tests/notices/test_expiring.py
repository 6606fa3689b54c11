"""People hear in good time that their password, or their organisation's certificate, ends."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from cjsm import policies
from cjsm.community.identifiers import JobId
from cjsm.community.records import Credential, IssuedCertificate, Job, Life, Role
from cjsm.notices.expiring import CertificateWarnings, PasswordWarnings
from cjsm.notices.notice import Kind
from cjsm.policies import DAY
from tests.community.communities import FIRM_CONNECTION, NOW, community, hosted, identifier, role
from tests.mail.support import result

from .support import JO, LAW, Office, said

#: When Jo chose the password.
SINCE = NOW
JOB = Job(id=JobId(identifier("job")), kind="any", due=0)


class Warned(Office):
    """An office where Jo's password was chosen at :data:`SINCE`."""

    def __init__(self, directory: Path, policy: str = "legacy", **changes: Any) -> None:
        view = community(*hosted("jo.ward", "crime", "avon", **{"password_since": SINCE} | changes))
        super().__init__(directory, view=view)
        self.warnings = PasswordWarnings(
            policies.load(policy), community=self.community, desk=self.desk, clock=self.clock.seconds
        )

    def on(self, day: float) -> list[str]:
        """Run the job so many days after Jo chose the password; how many days it says are left."""
        self.clock.advance(SINCE + day * DAY - self.clock.seconds())
        before = len(self.notices(JO))
        result(self.warnings.run(JOB))
        fresh = self.notices(JO)[before:]
        assert {each.kind for each in fresh} <= {Kind.PASSWORD_ENDING}
        return [each.code for each in fresh]


def test_each_once(tmp_path: Path) -> None:
    """Fifteen, ten and five days before the end, however often the job runs; not before, not after."""
    office = Warned(tmp_path)
    told = {day: office.on(day) for day in (1, 74.9, 75, 75.25, 79.9, 80.1, 80.2, 85, 85.5, 89.9, 90, 91)}
    assert {day: codes for day, codes in told.items() if codes} == {75: ["15"], 80.1: ["10"], 85: ["5"]}
    office.tell()
    letters = office.letters(JO)
    assert letters[0]["Subject"] == "Your password ends soon: days left: 15"
    assert "Device passwords" in said(letters[0])


def test_after_a_time_without_the_service(tmp_path: Path) -> None:
    """The last one that is due, and none that is past."""
    office = Warned(tmp_path)
    office.on(70)
    assert office.on(88.5) == ["2"]


def test_another_password(tmp_path: Path) -> None:
    """Ends another time, and is warned of anew."""
    office = Warned(tmp_path)
    assert office.on(75) == ["15"]
    office.change(*hosted("jo.ward", "crime", "avon", password_since=SINCE + 76 * DAY))
    assert office.on(77) == []
    assert office.on(76 + 75) == ["15"]


@pytest.mark.parametrize(
    "changes", [{"credential": Credential.ONE_TIME}, {"life": Life.SUSPENDED}, {"password_since": SINCE + 60 * DAY}]
)
def test_who_has_nothing_to_change(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Hears nothing."""
    office = Warned(tmp_path, **changes)
    assert [office.on(day) for day in (74, 75, 80, 85)] == [[]] * 4


def test_where_no_password_ends(tmp_path: Path) -> None:
    """Nobody is asked about."""
    office = Warned(tmp_path, "ncsc")
    assert office.on(75) == []
    assert result(office.warnings.run(JOB)) == "no password ends"


def test_certificates(tmp_path: Path) -> None:
    """60, 30 and 7 days before a connection has none in force, its administrators hear of it, once each."""
    office = Office(tmp_path)

    def issued(ends: int, revoked: int | None = None) -> IssuedCertificate:
        return IssuedCertificate(serial="1", fingerprint="2", not_before=0, not_after=ends, revoked=revoked)

    ends = NOW + 100 * DAY
    certificates = (issued(ends), issued(NOW + 400 * DAY, revoked=NOW))
    office.change(
        msgspec.structs.replace(FIRM_CONNECTION, issued=certificates),
        role("law.yer", Role.ORGANISATION_ADMINISTRATOR, "firm"),
    )
    warnings = CertificateWarnings(community=office.community, desk=office.desk, clock=office.clock.seconds)
    for _ in range(120):
        result(warnings.run(JOB))
        office.clock.advance(DAY)
    assert [(each.kind, each.account, each.code, each.date) for each in office.notices()] == [
        (Kind.CERTIFICATE_ENDING, LAW, days, ends) for days in ("60", "30", "7")
    ]
