"""People hear in good time that their password, or their organisation's certificate or terms, end."""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import Deferred, succeed

from cjsm import policies
from cjsm.community.applicationrecords import AcceptedTerms, Application
from cjsm.community.identifiers import ApplicationId, JobId, OrganisationId
from cjsm.community.records import Credential, IssuedCertificate, Job, Life, OrganisationState, Role
from cjsm.configuration import ApplicationSettings
from cjsm.notices.expiring import CertificateWarnings, PasswordWarnings, TermsWarnings
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
        #: Turns that others take; each of them is over at once where there are none.
        self.turns: list[Deferred[None]] = []
        self.warnings = PasswordWarnings(
            policies.load(policy),
            community=self.community,
            desk=self.desk,
            clock=self.clock.seconds,
            turn=lambda: self.turns.pop(0) if self.turns else succeed(None),
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


def test_others_have_their_turn(tmp_path: Path) -> None:
    """Between one organisation and the next, where nobody is told too."""
    office = Warned(tmp_path)
    turns: list[Deferred[None]] = [Deferred() for _ in office.community.view.organisations()]
    office.turns = turns[:]
    office.clock.advance(SINCE + 75 * DAY - office.clock.seconds())
    running = office.warnings.run(JOB)
    for each in turns:
        assert not running.called
        each.callback(None)
    assert result(running).endswith("people warned")
    assert len(office.notices(JO)) == 1


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


@pytest.fixture
def accepted(tmp_path: Path) -> Office:
    """An office where the firm, with an administrator, came by an application whose terms were accepted at NOW."""
    office = Office(tmp_path)
    terms = (AcceptedTerms(version="1", moment=NOW, signatory="S. Law"),)
    office.change(asked("firm", terms), role("law.yer", Role.ORGANISATION_ADMINISTRATOR, "firm"))
    return office


def asked(slug: str, terms: tuple[AcceptedTerms, ...] = (), made: str | None = "firm") -> Application:
    """An application, and what was made of it."""
    organisation = OrganisationId(identifier(made)) if made is not None else None
    return Application(id=ApplicationId(identifier(slug)), slug=slug, name=slug, organisation=organisation, terms=terms)


def terms_told(office: Office, warnings: TermsWarnings, days: Iterable[float]) -> list[tuple[float, int]]:
    """Run the job so many days after NOW; each day on which somebody was told, and the day they were told of."""
    told = []
    for day in days:
        office.clock.advance(NOW + day * DAY - office.clock.seconds())
        office.change()
        before = len(office.notices())
        result(warnings.run(JOB))
        fresh = office.notices()[before:]
        assert {(each.kind, each.account) for each in fresh} <= {(Kind.TERMS_DUE, LAW)}
        told += [(day, (each.date - NOW) // DAY) for each in fresh]
    return told


def test_terms(accepted: Office) -> None:
    """Once thirty days before the end, every week when it came, and no more when they were accepted anew."""
    warnings = TermsWarnings(ApplicationSettings(), community=accepted.community, desk=accepted.desk)
    told = terms_told(accepted, warnings, range(1, 365))
    assert told == [(335, 365)]
    late = terms_told(accepted, warnings, range(365, 365 + 21))
    assert len(late) in {3, 4}
    assert late[0] == (365, 365)
    assert {later[0] - earlier[0] for earlier, later in pairwise(late[1:])} == {7}
    again = AcceptedTerms(version="1", moment=NOW + 386 * DAY, signatory="S. Law")
    accepted.change(asked("firm", (again,)))
    assert terms_told(accepted, warnings, range(386, 400)) == []


def test_other_terms(accepted: Office) -> None:
    """Are to be accepted at once; setting them has an effect without a restart."""
    warnings = TermsWarnings(ApplicationSettings(), community=accepted.community, desk=accepted.desk)
    assert terms_told(accepted, warnings, [1]) == []
    warnings.settings = ApplicationSettings(terms_version="2")
    assert terms_told(accepted, warnings, [1, 1.5]) == [(1, 1)]


def test_no_terms(tmp_path: Path) -> None:
    """Nobody is told of an organisation that is not here: not made yet, or deleted; and of one that did not apply."""
    office = Office(tmp_path)
    office.change(asked("new", made=None), role("law.yer", Role.ORGANISATION_ADMINISTRATOR, "firm"))
    warnings = TermsWarnings(ApplicationSettings(), community=office.community, desk=office.desk)
    assert terms_told(office, warnings, range(1, 9)) == []
    firm = office.community.view.organisation(OrganisationId(identifier("firm")))
    assert firm is not None
    office.change(asked("firm"))
    assert len(terms_told(office, warnings, [9])) == 1
    office.change(msgspec.structs.replace(firm, state=OrganisationState.DELETED))
    assert terms_told(office, warnings, range(10, 30)) == []
