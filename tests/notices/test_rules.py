"""Which acts lead to which notices."""

import re
from pathlib import Path

import pytest

import cjsm.community.acts
from cjsm.community.identifiers import AccountId, MailboxId, OrganisationId, RequestId
from cjsm.community.records import COMMUNITY, RecoveryRequest, Role, RoleAssignment
from cjsm.notices import glass, rules
from cjsm.notices.notice import Kind
from tests.community.communities import identifier, organisation, role

from .support import ADA, JO, OLIVE, SAM, Office

ACTS = Path(cjsm.community.acts.__file__).parent


def officer(name: str, where: str | None) -> RoleAssignment:
    kind = Role.ORGANISATION_ADMINISTRATOR if where else Role.COMMUNITY_ADMINISTRATOR
    found = role(name, kind, where)
    return RoleAssignment(
        id=found.id, account=found.account, role=kind, organisation=found.organisation, recovery_officer=True
    )


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Jo's mail may be recovered by Olive and Sam, for whom Ada counter-signs."""
    made = Office(tmp_path)
    request = RecoveryRequest(
        id=RequestId(identifier("request")),
        mailbox=MailboxId(identifier("m-jo.ward")),
        account=JO,
        beneficiary=JO,
        organisation=OrganisationId(identifier("avon")),
        counter_signer=COMMUNITY,
        generations=(1,),
        reason="forgotten",
    )
    made.change(request, officer("olive.marsh", "avon"), officer("sam.hill", "avon"), officer("ada.central", None))
    made.tell()
    return made


def told(office: Office) -> set[tuple[str, AccountId]]:
    return {(each.kind.value, each.account) for each in office.notices()}


def test_recovery(office: Office) -> None:
    """Whose mail it is hears of each step; officers hear when it waits for them, and not of what they did."""
    request = identifier("request").hex()
    office.act("recovery-request", request=request)
    office.tell()
    asked = {("recovery-requested", JO), ("recovery-to-approve", ADA)}
    assert told(office) == asked
    office.act("recovery-counter-sign", actor=ADA, request=request)
    office.tell()
    waits = {("recovery-to-approve", OLIVE), ("recovery-to-approve", SAM)}
    assert told(office) == asked | waits
    office.act("recovery-open", actor=SAM, request=request)
    office.tell()
    assert told(office) == asked | waits | {("recovery-opened", JO)}


@pytest.mark.parametrize("request_id", ["", "not hexadecimal", "00" * 16])
def test_a_request_that_is_not_there(office: Office, request_id: str) -> None:
    """Waits for nobody."""
    office.act("recovery-counter-sign", request=request_id)
    office.tell()
    assert told(office) == set()


def test_moved(office: Office) -> None:
    """Whose user ID changed by a move hears of it, where mail to the old address still comes, as the notice says."""
    office.act("user-move", address="kept")
    office.act("user-move", address="changed")
    office.tell()
    assert told(office) == set()
    office.act("user-move", address="changed", delivers="1234567")
    office.tell()
    assert told(office) == {("renamed", JO)}


def test_administrators(office: Office) -> None:
    """Of just that organisation; of the nearest above where it has none; of the community at last."""
    view = office.community.view
    assert rules.administrators(view, OrganisationId(identifier("avon"))) == sorted([OLIVE, SAM])
    assert rules.administrators(view, OrganisationId(identifier("crime"))) == sorted([OLIVE, SAM])
    assert rules.administrators(view, OrganisationId(identifier("firm"))) == [ADA]
    assert rules.administrators(view, organisation("nowhere").id) == [ADA]


def test_every_act_in_the_table_is_one() -> None:
    """A name that is misspelt, or of an act that was renamed, would tell nobody. Some come with their verbs."""
    source = "\n".join(path.read_text() for path in ACTS.glob("*.py"))
    missing = {act for act in (*rules._TOLD_OWNER, *rules._TOLD_MEMBERS) if f'"{act}"' not in source}
    assert missing <= {"user-inactive", "user-edit", "user-rename"}


def test_break_glass_areas() -> None:
    """Every act's name begins with one of them, so that administrators hear more than "other"."""
    source = "\n".join(path.read_text() for path in ACTS.glob("*.py"))
    named = re.findall(r'entry_of\(\s*view, by, f?"([a-z]+)-', source)
    assert len(named) > 20
    assert {name for name in named if name not in glass.ACTS} == set()
    assert glass.area("user-add") == "user"
    assert glass.area("Jane Doe-x") == glass.OTHER
    assert Kind.BREAK_GLASS
