"""What holds in every community is noticed when it does not."""

from typing import Any

import msgspec
import pytest

from cjsm.community.applicationrecords import Application, ApplicationState
from cjsm.community.identifiers import ApplicationId
from cjsm.community.invariants import problems
from cjsm.community.memory import MemoryView
from cjsm.community.records import Connection, IssuedCertificate, Record, Role
from tests.community.communities import (
    FIRM_CONNECTION,
    FIRM_DOMAIN,
    SUFFIX,
    address,
    community,
    hosted,
    identifier,
    organisation,
    records,
    role,
)

JO, JO_ADDRESS = hosted("jo.ward", "crime", "avon")


def without(*gone: Record) -> MemoryView:
    """The community without some records."""
    return MemoryView([record for record in records() if record not in gone], suffix=SUFFIX)


def firm(**changes: Any) -> Connection:
    """The firm's connection with some values changed."""
    return msgspec.structs.replace(FIRM_CONNECTION, **changes)


ISSUED = IssuedCertificate(serial="1f", fingerprint="ab" * 32, not_before=0, not_after=1)


ASKING = Application(id=ApplicationId(identifier("asking")), slug="asking", name="Asking", domain="asking.uk")
ANOTHER = Application(id=ApplicationId(identifier("another")), slug="another", name="Another", domain="asking.uk")


def asking(**changes: Any) -> Application:
    """An application with some values changed."""
    return msgspec.structs.replace(ASKING, **changes)


def test_all_is_well() -> None:
    """In the community made by hand."""
    assert problems(community()) == []


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (community(organisation("avon", "crime", abbreviation="avon")), "in a circle"),
        (community(organisation("crime", "nowhere")), "hangs below nothing"),
        (
            community(msgspec.structs.replace(organisation("other"), abbreviation="avon")),
            "abbreviation avon is used twice",
        ),
        (community(msgspec.structs.replace(organisation("crime2", "avon"), slug="crime")), "two organisations crime"),
        (community(role("nobody", Role.ORGANISATION_ADMINISTRATOR, "crime")), "belongs to nobody"),
        (community(msgspec.structs.replace(JO, mailbox=None)), "contradict each other"),
        (community(msgspec.structs.replace(JO, organisation=identifier("nowhere"))), "belongs to no organisation"),
        (community(msgspec.structs.replace(JO, user_id="sam.hill@avon")), "sam.hill@avon is used twice"),
        (community(ASKING, ANOTHER), "two applications ask for the domain asking.uk"),
        (community(asking(state=ApplicationState.APPROVED)), "application asking and what was made of it"),
        (community(asking(organisation=identifier("avon"))), "application asking and what was made of it"),
        (community(asking(state=ApplicationState.REJECTED, erased=1)), "something is left of the application asking"),
        (without(JO_ADDRESS), "exactly one primary address"),
        (community(firm(organisation=identifier("nowhere"))), "connection firm belongs to no organisation"),
        (community(firm(id=identifier("second"))), "two connections are called firm"),
        (community(firm(id=identifier("second"), slug="")), "mail.firm.co.uk proves two connections"),
        (community(firm(issued=(ISSUED, ISSUED))), "proves two connections"),
        (without(FIRM_CONNECTION), "belongs to no connection"),
        (community(firm(organisation=identifier("avon"))), "does not serve"),
        (community(msgspec.structs.replace(FIRM_DOMAIN, name=f"firm.{SUFFIX}")), "taken for another"),
        (community(msgspec.structs.replace(FIRM_DOMAIN, name=f"a.{SUFFIX}.{SUFFIX}")), "taken for another"),
        (community(msgspec.structs.replace(FIRM_DOMAIN, name="firm.co.uk")), "taken for another"),
        (community(address(f"second@avon.{SUFFIX}", JO.id)), "exactly one primary address"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_said(view: MemoryView, said: str) -> None:
    """In words that name it."""
    assert any(said in problem for problem in problems(view)), problems(view)
