"""Applications: what is taken of them, who may do what, and what they need before they are approved."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.community.acts import applications, organisations
from cjsm.community.acts.applications import Rejection
from cjsm.community.address import Address
from cjsm.community.applicationrecords import Application, ApplicationState, CheckResult, MailSystem, Person, Sponsor
from cjsm.community.applying import (
    QUESTIONS,
    Check,
    application_of,
    duplicates,
    missing,
    name_of,
    terms_end,
    unchecked,
)
from cjsm.community.errors import BadValue, CommunityError, Conflict, Exists, NotAllowed, NotFound
from cjsm.community.identifiers import ApplicationId, OrganisationId
from cjsm.community.invariants import problems
from cjsm.community.memory import MemoryView
from cjsm.community.records import Life
from cjsm.community.view import Change
from tests.community.communities import NOW, SUFFIX, by, community, hosted, identifier, organisation

IDENTIFIER = ApplicationId(identifier("asking"))
JO = Address.parse(f"jo.ward@avon.{SUFFIX}")
LAW = Person(first_name="Jo", last_name="Law", email="jo@new.co.uk", telephone="020 7946 0000")
NEW = Application(id=IDENTIFIER, slug="new-firm", name="New Firm", contact=LAW)
WHOLE: dict[str, Any] = {
    "domain": "New.co.uk", "need": "Court papers", "users": 12, "address1": "1 High Street", "town": "Bristol",
    "postcode": "BS1 1AA", "business_type": "Solicitors", "area": "Avon", "administrator": LAW, "signatory": LAW,
    "abbreviation": "New",
}  # fmt: skip
DAY = 86_400


def asking(view: MemoryView | None = None, **more: Any) -> MemoryView:
    """A community with an application that the helpdesk entered."""
    made = msgspec.structs.replace(NEW, **more)
    view = view or community()
    return view.apply(applications.add(view, by("henry.desk"), made, 28))


def found(view: MemoryView) -> Application:
    """The application."""
    return applications.existing_application(view, IDENTIFIER)


def whole() -> MemoryView:
    """One that has everything."""
    view = asking()
    view = view.apply(applications.edit(view, by("henry.desk"), IDENTIFIER, WHOLE))
    view = view.apply(applications.note_sponsor(view, by("ada.central"), IDENTIFIER, JO, "rang her"))
    view = view.apply(applications.accept_terms(view, by("erin.wright"), IDENTIFIER, "1"))
    for item in Check:
        view = view.apply(applications.assess(view, by("erin.wright"), IDENTIFIER, item, CheckResult.PASSED))
    return view


def approved(view: MemoryView, who: str = "ada.central", **more: Any) -> MemoryView:
    """With an organisation made of it."""
    made = organisation("new-firm", abbreviation="new")
    view = view.apply(organisations.add(view, by("ada.central"), made))
    asked = {"terms_version": "1", "by_another": True} | more
    return view.apply(applications.approve(view, by(who), IDENTIFIER, made.id, **asked))


def test_steps() -> None:
    """What is still needed is told in the order of the steps, until nothing is."""
    view = asking()
    assert found(view).due == NOW + 28 * DAY
    assert missing(found(view), "1") == (
        "a sponsor", "what it needs this for", "how many people there will be", "the first line of its address",
        "a town", "a postcode", "a business type", "an area", "the name of the first administrator",
        "the email of the first administrator", "an abbreviation", "the name of the signatory",
        "the email of the signatory", "the signatory's acceptance of the terms, version 1",
    )  # fmt: skip
    assert set(unchecked(found(view))) == set(Check) == set(QUESTIONS)
    view = whole()
    assert (missing(found(view), "1"), unchecked(found(view))) == ((), ())
    assert found(view).domain == "new.co.uk"
    assert missing(found(view), "2") == ("the signatory's acceptance of the terms, version 2",)
    view = view.apply(applications.edit(view, by("erin.wright"), IDENTIFIER, {"system": MailSystem.CLOUD}))
    assert missing(found(view), "1") == ("a next hop: where mail to it goes", "a provider and a tenant")
    other = msgspec.structs.replace(LAW, email="jo@elsewhere.uk")
    view = view.apply(applications.edit(view, by("erin.wright"), IDENTIFIER, {"administrator": other}))
    assert "an administrator's email in new.co.uk, since their mail goes there" in missing(found(view), "1")


def test_approved() -> None:
    """By an administrator who did not enter it; then nothing of it changes but the terms, every year."""
    view = whole()
    for who in ("henry.desk", "erin.wright", "olive.marsh", "jo.ward"):
        with pytest.raises(NotAllowed):
            approved(view, who)
    edited = view.apply(applications.edit(view, by("ada.central"), IDENTIFIER, {"need": "Other papers"}))
    again = edited.apply(applications.assess(edited, by("erin.wright"), IDENTIFIER, Check.ELIGIBLE, CheckResult.PASSED))
    with pytest.raises(NotAllowed, match="somebody else"):
        approved(again)
    assert found(approved(again, by_another=False)).state is ApplicationState.APPROVED
    own = Address.parse(f"ada.central@office.{SUFFIX}")
    sponsored = view.apply(applications.note_sponsor(view, by("ada.central"), IDENTIFIER, own, "I know them"))
    with pytest.raises(NotAllowed, match="sponsor does not approve"):
        approved(sponsored)
    view = approved(view)
    assert problems(view) == []
    with pytest.raises(Conflict, match="approved"):
        applications.edit(view, by("ada.central"), IDENTIFIER, {"need": "x"})
    with pytest.raises(Conflict, match="approved"):
        applications.reject(view, by("ada.central"), IDENTIFIER, Rejection.OTHER)
    assert terms_end(found(view), 365, "1") == NOW + 365 * DAY
    assert terms_end(found(view), 365, "2") == 0
    assert terms_end(NEW, 365, "1") is None
    later = MemoryView(view._records.values(), suffix=SUFFIX, moment=NOW + 365 * DAY)
    later = later.apply(applications.accept_terms(later, by("henry.desk"), IDENTIFIER, "2"))
    assert [each.version for each in found(later).terms] == ["1", "2"]


@pytest.mark.parametrize("item", Check)
def test_every_check_counts(item: Check) -> None:
    """One that failed, with a note, or was opened again by an edit, holds it up."""
    view = whole()
    with pytest.raises(BadValue, match="note"):
        applications.assess(view, by("erin.wright"), IDENTIFIER, item, CheckResult.FAILED)
    failed = applications.assess(view, by("erin.wright"), IDENTIFIER, item, CheckResult.FAILED, " nobody answers ")
    with pytest.raises(Conflict, match=f"the check {item}"):
        approved(view.apply(failed))
    assert found(view.apply(failed)).checks[-1].note == "nobody answers"
    if item not in (Check.DOMAIN, Check.MAIL_SYSTEM):
        with pytest.raises(BadValue, match="needed"):
            applications.assess(view, by("erin.wright"), IDENTIFIER, item, CheckResult.NOT_NEEDED)


def test_an_edit_opens_what_it_is_about() -> None:
    """Nobody approves what nobody looked at: other people, another domain; and another signatory signs again."""
    view = whole()
    other = msgspec.structs.replace(LAW, email="other@new.co.uk")
    for values, opened in (
        ({"contact": other}, {Check.CONTACT}),
        ({"administrator": other}, {Check.ADMINISTRATOR}),
        ({"signatory": other}, {Check.SIGNATORY}),
        ({"domain": "other.co.uk"}, {Check.DOMAIN, Check.DUPLICATE, Check.MAIL_SYSTEM}),
        ({"area": "Bristol"}, set()),
    ):
        after = view.apply(applications.edit(view, by("erin.wright"), IDENTIFIER, values))
        assert set(unchecked(found(after))) == opened
        assert bool(found(after).terms) is ("signatory" not in values)
        assert found(after).entered_by == (identifier("henry.desk"), identifier("erin.wright"))
    shouted = msgspec.structs.replace(LAW, email="jo@NEW.co.uk")
    for same in ({"area": "Avon"}, {"area": " Avon "}, {"domain": "NEW.co.uk"}, {"signatory": shouted}):
        with pytest.raises(BadValue, match="nothing"):
            applications.edit(view, by("henry.desk"), IDENTIFIER, same)


def test_the_sponsors_code() -> None:
    """Is good once and for a time, and for a few tries; only a member of another organisation has one."""
    view = asking(community(*hosted("gone.away", "avon", "avon", life=Life.SUSPENDED)), domain="new.co.uk")
    desk = by("henry.desk")
    with pytest.raises(NotAllowed, match="no code"):
        applications.confirm_sponsor(view, desk, IDENTIFIER, b"", 5)
    for nobody, why in (
        ("no.one@avon.cjsm.test", "cannot be a sponsor"),
        ("a@elsewhere.example", "cannot be a sponsor"),
        ("all@avon.cjsm.test", "is a person"),
        ("desk@avon.cjsm.test", "is a person"),
        ("gone.away@avon.cjsm.test", "is a person"),
    ):
        with pytest.raises(Conflict, match=why):
            applications.ask_sponsor(view, desk, IDENTIFIER, Address.parse(nobody), b"t" * 32, 14)
    for one in ("re.layed@firm.co.uk.cjsm.test", "anybody@firm.co.uk.cjsm.test"):
        applications.check_sponsor(view, found(view), Address.parse(one))
    with pytest.raises(Conflict, match="of the organisation that applies"):
        applications.check_sponsor(
            view, msgspec.structs.replace(NEW, domain="firm.co.uk"), Address.parse("re.layed@firm.co.uk.cjsm.test")
        )
    theirs = view.apply(
        applications.note_sponsor(view, by("ada.central"), IDENTIFIER, Address.parse("a@firm.co.uk.cjsm.test"), "rang")
    )
    with pytest.raises(Conflict, match="of the organisation that applies"):
        applications.edit(theirs, desk, IDENTIFIER, {"domain": "firm.co.uk"})
    view = view.apply(applications.ask_sponsor(view, desk, IDENTIFIER, JO, b"t" * 32, 14))
    assert "the sponsor's word" in missing(found(view), "1")
    right = applications.confirm_sponsor(view, desk, IDENTIFIER, b"t" * 32, 5)
    assert applications.is_confirmed(right)
    after = view.apply(right)
    assert (found(after).sponsor or Sponsor(address="")).code == b""
    with pytest.raises(NotAllowed, match="no code"):
        applications.confirm_sponsor(after, desk, IDENTIFIER, b"t" * 32, 5)
    late = MemoryView(view._records.values(), suffix=SUFFIX, moment=NOW + 14 * DAY)
    with pytest.raises(NotAllowed, match="no code"):
        applications.confirm_sponsor(late, desk, IDENTIFIER, b"t" * 32, 5)
    for _ in range(5):
        wrong = applications.confirm_sponsor(view, desk, IDENTIFIER, b"u" * 32, 5)
        assert not applications.is_confirmed(wrong)
        view = view.apply(wrong)
    with pytest.raises(NotAllowed, match="no code"):
        applications.confirm_sponsor(view, desk, IDENTIFIER, b"t" * 32, 5)
    with pytest.raises(NotAllowed):
        applications.note_sponsor(view, desk, IDENTIFIER, JO, "rang her")


def test_duplicates() -> None:
    """The same short name, domain or abbreviation is refused; what may be the same is told."""
    view = asking(domain="new.co.uk", abbreviation="new")
    other = msgspec.structs.replace(
        NEW, id=ApplicationId(identifier("other")), slug="other", domain="", abbreviation=""
    )
    for values in ({"slug": "new-firm"}, {"domain": "NEW.co.uk"}, {"abbreviation": "new"}):
        with pytest.raises(Exists, match="new-firm asks"):
            applications.add(view, by(), msgspec.structs.replace(other, **values), 28)
    with pytest.raises(Exists, match="taken"):
        applications.add(view, by(), msgspec.structs.replace(other, abbreviation="avon"), 28)
    same = msgspec.structs.replace(other, name="FIRM", domain=f"Firm.co.uk.{SUFFIX}", slug="firm")
    view = view.apply(applications.add(view, by(), same, 28))
    known = applications.existing_application(view, other.id)
    assert known.domain == "firm.co.uk"
    assert len(duplicates(view, known)) == 2
    rejected = view.apply(applications.reject(view, by("ada.central"), IDENTIFIER, Rejection.OTHER))
    again = msgspec.structs.replace(NEW, id=ApplicationId(identifier("again")))
    rejected = rejected.apply(applications.add(rejected, by(), again, 28))
    assert application_of(rejected, "New-Firm").id == again.id
    assert application_of(rejected, IDENTIFIER.hex()).id == IDENTIFIER
    assert any("rejected" in each for each in duplicates(rejected, again))
    for nobody in ("nobody", "0" * 32):
        with pytest.raises(NotFound):
            application_of(rejected, nobody)


@pytest.mark.parametrize(
    "values",
    [
        {"name": ""}, {"name": "x" * 10_240}, {"slug": "a b"}, {"slug": "0" * 32}, {"domain": "nowhere"},
        {"domain": SUFFIX}, {"domain": f"avon.{SUFFIX}"},
        {"need": "a\u202eb"}, {"users": -1}, {"users": 10**9}, {"abbreviation": "a.b"}, {"next_hops": ("mx:x",)},
        {"next_hops": ("no host:25",)}, {"next_hops": ("mx.a",) * 9}, {"contact": Person(email="nobody")},
        {"administrator": Person(email=f"a@avon.{SUFFIX}")}, {"signatory": Person(email=f"a@FIRM.co.uk.{SUFFIX}")},
        {"signatory": Person(first_name="x" * 300)},
    ],
)  # fmt: skip
def test_bad_values(values: dict[str, Any]) -> None:
    """Are refused, when it is entered and when it is edited."""
    with pytest.raises(CommunityError):
        asking(**values)
    view = asking()
    with pytest.raises(CommunityError):
        applications.edit(view, by("henry.desk"), IDENTIFIER, values)


def test_who() -> None:
    """The helpdesk and engineers help, administrators of the community decide, nobody else sees any."""
    for who in ("olive.marsh", "jo.ward"):
        with pytest.raises(NotAllowed):
            applications.add(community(), by(who), NEW, 28)
    view = asking()
    for who in ("henry.desk", "erin.wright"):
        with pytest.raises(NotAllowed):
            applications.reject(view, by(who), IDENTIFIER, Rejection.OTHER)


def test_what_time_does() -> None:
    """Overdue when nobody decided; nothing personal is left of what was rejected."""
    view = asking()
    assert applications.overdue(view, by(), IDENTIFIER).put == ()
    late = MemoryView(view._records.values(), suffix=SUFFIX, moment=NOW + 28 * DAY)
    late = late.apply(applications.overdue(late, by(), IDENTIFIER))
    assert found(late).state is ApplicationState.OVERDUE
    assert applications.overdue(late, by(), IDENTIFIER).put == ()
    view = whole()
    assert applications.erase(view, by(), IDENTIFIER, NOW + 1).put == ()
    view = view.apply(applications.reject(view, by("ada.central"), IDENTIFIER, Rejection.NOT_ELIGIBLE, "a florist"))
    assert applications.erase(view, by(), IDENTIFIER, NOW).put == ()
    view = view.apply(applications.erase(view, by(), IDENTIFIER, NOW + 1))
    left = found(view)
    assert name_of(left) == IDENTIFIER.hex()
    for word in (b"Law", b"new", b"High", b"florist", b"rang", b"jo.ward"):
        assert word not in msgspec.msgpack.encode(left)
    assert (left.code, left.state, problems(view)) == ("not-eligible", ApplicationState.REJECTED, [])
    assert applications.erase(view, by(), IDENTIFIER, NOW + 1).put == ()


def test_entries_name_nobody() -> None:
    """The ledger is for ever: it has identifiers and codes."""
    view = community()
    said = []
    for decide in (
        lambda view: applications.add(view, by("henry.desk"), NEW, 28),
        lambda view: applications.edit(view, by("henry.desk"), IDENTIFIER, WHOLE),
        lambda view: applications.ask_sponsor(view, by("henry.desk"), IDENTIFIER, JO, b"t" * 32, 14),
        lambda view: applications.assess(
            view, by("henry.desk"), IDENTIFIER, Check.CONTACT, CheckResult.FAILED, "no Jo"
        ),
        lambda view: applications.accept_terms(view, by("henry.desk"), IDENTIFIER, "1"),
        lambda view: applications.reject(view, by("ada.central"), IDENTIFIER, Rejection.OTHER, "Law is no lawyer"),
    ):
        change = decide(view)
        said.append(msgspec.json.encode(change.entry))
        view = view.apply(change)
    for word in (b"Law", b"new.co.uk", b"New", b"jo.ward", b"no Jo"):
        assert not [entry for entry in said if word in entry]


VALUES = st.sampled_from([*WHOLE.items(), ("area", "Bristol"), ("contact", LAW), ("need", "More")])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["edit", "sponsor", "terms", "assess", "approve", "approve", "reject", "overdue", "erase"]),
        st.sampled_from(["ada.central", "henry.desk", "jo.ward"]),
        VALUES,
        st.sampled_from(Check),
    ),
    max_size=12,
)


def taken(view: MemoryView, step: str, who: str, value: tuple[str, Any], item: Check) -> Change:
    """What somebody does."""
    made = OrganisationId(identifier("new-firm"))
    match step:
        case "edit":
            return applications.edit(view, by(who), IDENTIFIER, dict([value]))
        case "sponsor":
            return applications.note_sponsor(view, by(who), IDENTIFIER, JO, "rang")
        case "terms":
            return applications.accept_terms(view, by(who), IDENTIFIER, "1")
        case "assess":
            return applications.assess(view, by(who), IDENTIFIER, item, CheckResult.PASSED)
        case "approve":
            return applications.approve(view, by(who), IDENTIFIER, made, terms_version="1", by_another=True)
        case "reject":
            return applications.reject(view, by(who), IDENTIFIER, Rejection.OTHER)
        case "overdue":
            return applications.overdue(view, by(), IDENTIFIER)
        case _:
            return applications.erase(view, by(), IDENTIFIER, NOW + 1)


@given(steps=STEPS, complete=st.booleans())
def test_any_order(steps: list[tuple[str, str, tuple[str, Any], Check]], complete: bool) -> None:
    """Whatever is done in whatever order, it is approved with everything or not, and what must hold holds."""
    view = whole() if complete else asking()
    # Its abbreviation is the application's to ask for.
    view = view.apply(organisations.add(view, by("ada.central"), organisation("new-firm", abbreviation="other")))
    for step in steps:
        known = found(view)
        try:
            change = taken(view, *step)
        except CommunityError:
            continue
        view = view.apply(change)
        assert problems(view) == []
        if step[0] == "approve":
            assert (missing(known, "1"), unchecked(known)) == ((), ())
            assert identifier(step[1]) not in known.entered_by
