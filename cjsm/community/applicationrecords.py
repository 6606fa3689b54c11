"""The record of an application: an organisation that asks to join, step by step (community §10)."""

from enum import StrEnum

from msgspec import Struct

from cjsm.community.identifiers import ApplicationId, OrganisationId


class ApplicationState(StrEnum):
    """Where an application is in the queue."""

    NEW = "new"
    IN_ASSESSMENT = "in-assessment"
    OVERDUE = "overdue"
    APPROVED = "approved"
    REJECTED = "rejected"


class MailSystem(StrEnum):
    """Where the mail of an organisation is to be kept: here, or in a system of its own."""

    HOSTED = "hosted"
    SERVER = "server"
    CLOUD = "cloud"
    GOVERNMENT = "government"


class Person(Struct, frozen=True, kw_only=True):
    """Somebody of the organisation, who is no user yet; ``email`` is an ordinary address."""

    first_name: str = ""
    last_name: str = ""
    email: str = ""
    telephone: str = ""
    position: str = ""


class Sponsor(Struct, frozen=True, kw_only=True):
    """A member who says that the organisation should join, by ``address``.

    ``code`` is the keyed tag of the one-time code that was sent to that address, good until ``expires``; after
    ``failed`` wrong ones none is taken. ``confirmed`` is when the member said so, ``confirmed_by`` who recorded it (an
    account, or empty for the operator), and ``note`` what that person knows of it, where no code was shown.
    """

    address: str
    code: bytes = b""
    expires: int = 0
    failed: int = 0
    confirmed: int = 0
    confirmed_by: bytes = b""
    note: str = ""


class CheckResult(StrEnum):
    """What came of one point of the checklist."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_NEEDED = "not-needed"


class Checked(Struct, frozen=True, kw_only=True):
    """One point of the checklist that somebody looked into."""

    item: str
    result: CheckResult
    moment: int
    by: bytes = b""
    note: str = ""


class AcceptedTerms(Struct, frozen=True, kw_only=True):
    """The signatory accepted a ``version`` of the terms; ``by`` recorded it. It is due again every year."""

    version: str
    moment: int
    signatory: str
    by: bytes = b""


class Application(Struct, frozen=True, kw_only=True):
    """An organisation that asks to join.

    ``slug`` is the short name that it is to have and that it is found under; ``domain`` its own, without the suffix.
    ``next_hops`` are written as host:port. ``entered_by`` are those who entered or edited it: an account, or empty for
    the operator. ``due`` is when it is overdue. ``code`` is why it was rejected, ``note`` in somebody's own words.
    ``organisation`` is what was made of it. ``erased`` is when its personal data went, 0 while it is there.
    """

    id: ApplicationId
    slug: str
    name: str
    contact: Person = Person()
    domain: str = ""
    sponsor: Sponsor | None = None
    need: str = ""
    users: int = 0
    system: MailSystem = MailSystem.HOSTED
    next_hops: tuple[str, ...] = ()
    provider: str = ""
    tenant: str = ""
    address1: str = ""
    address2: str = ""
    town: str = ""
    postcode: str = ""
    business_type: str = ""
    area: str = ""
    protected: bool = False
    administrator: Person = Person()
    abbreviation: str = ""
    signatory: Person = Person()
    terms: tuple[AcceptedTerms, ...] = ()
    checks: tuple[Checked, ...] = ()
    state: ApplicationState = ApplicationState.NEW
    state_since: int = 0
    due: int = 0
    created: int = 0
    entered_by: tuple[bytes, ...] = ()
    decided_by: bytes = b""
    code: str = ""
    note: str = ""
    organisation: OrganisationId | None = None
    erased: int = 0
    version: int = 1
