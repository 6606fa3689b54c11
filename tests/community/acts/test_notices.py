"""System notices: a kind and times, and no word of one's own."""

from typing import Any

import pytest

from cjsm.community.acts import notices
from cjsm.community.errors import BadValue, NotAllowed
from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import LedgerEntry
from cjsm.community.view import Change
from cjsm.notices.notice import SYSTEM, Kind
from cjsm.notices.rules import SENT, ToMany, to_many
from tests.community.communities import NOW, by, community, identifier

AVON = OrganisationId(identifier("avon"))
HOUR = 3_600
KINDS = tuple(kind.value for kind in SYSTEM)


def send(
    who: str | None = "ada.central",
    kind: str = "planned-outage",
    where: OrganisationId | None = AVON,
    begins: int = NOW + HOUR,
    ends: int | None = NOW + 2 * HOUR,
    with_end: bool = True,
) -> LedgerEntry:
    change: Change = notices.send(community(), by(who, ""), kind, where, begins, ends, kinds=KINDS, with_end=with_end)
    assert change.entry is not None
    assert change == Change(entry=change.entry)
    return change.entry


def test_what_the_ledger_has_is_what_people_are_told() -> None:
    """And nothing else is in it."""
    entry = send()
    assert notices.ACT == SENT == entry.act
    assert to_many(entry) == ToMany(kind=Kind.PLANNED_OUTAGE, organisation=AVON, date=NOW + HOUR, code="60")
    everybody = send(kind="outage-cancelled", where=None, ends=None, with_end=False)
    assert to_many(everybody) == ToMany(kind=Kind.OUTAGE_CANCELLED, organisation=None, date=NOW + HOUR, code="")
    assert "break-glass" not in dict(everybody.details)
    assert dict(send(None).details)["break-glass"] == "yes"


@pytest.mark.parametrize("who", ["olive.marsh", "henry.desk", "erin.wright", "jo.ward"])
def test_nobody_else(who: str) -> None:
    """Sends them, not even to their own."""
    with pytest.raises(NotAllowed):
        send(who)


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "locked"},
        {"kind": ""},
        {"begins": NOW - 1},
        {"begins": NOW + 367 * 86_400, "ends": NOW + 367 * 86_400 + 60},
        {"ends": None},
        {"ends": NOW + HOUR},
        {"ends": NOW + HOUR + 59},
        {"ends": NOW + HOUR + 8 * 86_400},
        {"with_end": False},
    ],
)
def test_refused(values: dict[str, Any]) -> None:
    """Other kinds, and times that are over, too far away, or the wrong way round."""
    with pytest.raises(BadValue) as caught:
        send(**values)
    assert caught.value.cure
