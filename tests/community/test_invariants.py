"""What holds in every community is noticed when it does not."""

import msgspec
import pytest

from cjsm.community.invariants import problems
from cjsm.community.memory import MemoryView
from cjsm.community.records import Record, Role
from tests.community.communities import SUFFIX, address, community, hosted, identifier, organisation, records, role

JO, JO_ADDRESS = hosted("jo.ward", "crime", "avon")


def without(*gone: Record) -> MemoryView:
    """The community without some records."""
    return MemoryView([record for record in records() if record not in gone], suffix=SUFFIX)


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
        (without(JO_ADDRESS), "exactly one primary address"),
        (community(address(f"second@avon.{SUFFIX}", JO.id)), "exactly one primary address"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_said(view: MemoryView, said: str) -> None:
    """In words that name it."""
    assert any(said in problem for problem in problems(view)), problems(view)
