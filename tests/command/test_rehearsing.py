"""What a rehearsal tells."""

import msgspec

from cjsm.command import rehearsing
from cjsm.community.records import AddressRecord
from cjsm.store.rehearsed import Step
from tests.community.communities import CRIME_LIST, SUFFIX, address, identifier


def test_fields() -> None:
    """What differs, identifiers in hexadecimal; of what comes all that says something, of what goes nothing."""
    changed = msgspec.structs.replace(CRIME_LIST, name="News", version=9)
    assert rehearsing._told(Step(CRIME_LIST, changed)) == {
        "kind": "mail list",
        "name": "News",
        "change": "changed",
        "fields": {"name": ("All of crime", "News")},
    }
    made: AddressRecord = address(f"x@{SUFFIX}", identifier("x"))
    told = rehearsing._told(Step(None, made))
    assert (told["kind"], told["name"], told["change"]) == ("address", f"x@{SUFFIX}", "added")
    assert told["fields"]["owner"] == (None, identifier("x").hex())
    assert "alias" not in told["fields"]
    assert rehearsing._told(Step(made, None))["fields"] == {}


def test_many_values() -> None:
    """People are shown the first ones and how many more there are."""
    assert rehearsing._short([f"m{number}" for number in range(25)]).endswith("m19\n… and 5 more")
    assert rehearsing._short(["a", "b"]) == "a\nb"
