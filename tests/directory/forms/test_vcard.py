"""vCards, as address books read them."""

import re

from hypothesis import given
from hypothesis import strategies as st

from cjsm.directory.forms import vcard
from cjsm.directory.forms.vcard import VCardWriter
from tests.directory import support
from tests.directory.forms.support import HOSTILE, found
from tests.directory.support import ADA, CRIME, HELP


def properties(written: bytes) -> dict[str, str]:
    """The lines of a card, unfolded, by name and parameters."""
    lines = written.decode().replace("\r\n ", "").removesuffix("\r\n").split("\r\n")
    assert (lines[0], lines[-1]) == ("BEGIN:VCARD", "END:VCARD")
    return dict(line.split(":", 1) for line in lines)


def test_person() -> None:
    """Version 4.0, with what may be read."""
    card = properties(VCardWriter().entry(found(ADA)["uid=jane.smith"]))
    assert card["VERSION"] == "4.0"
    assert card["UID"].startswith("urn:uuid:00000000-0000-0000-0000-")
    assert (card["KIND"], card["FN"], card["N"]) == ("individual", "Jane Smith", "Smith;Jane;;;")
    assert card["ORG"] == "Avon Police;Crime"
    assert card["EMAIL;TYPE=work"] == "jane.smith@avon.cjsm.test"
    assert (card["TEL;TYPE=work"], card["TEL;TYPE=cell"]) == ("+44 117 496 0001", "07700 900001")
    assert card["ADR;TYPE=work"] == ";;1 High Street;Bristol;;BS1 1AA;"
    assert card["NOTE"] == "Detective"
    assert card["REV"] == "20231114T221320Z"
    assert "TEL;TYPE=cell" not in properties(VCardWriter().entry(found(HELP)["uid=jane.smith"]))


def test_older_version() -> None:
    """Version 3.0 knows no kinds and no members, and names types otherwise."""
    card = properties(VCardWriter("3.0").entry(found(ADA)["uid=jane.smith"]))
    assert card["VERSION"] == "3.0"
    assert "KIND" not in card
    assert card["EMAIL;TYPE=INTERNET,PREF"] == "jane.smith@avon.cjsm.test"
    assert card["TEL;TYPE=CELL"] == "07700 900001"


def test_others() -> None:
    """An organisation, a list with its members for whoever may see them, a shared mailbox."""
    entries = found(ADA)
    organisation = properties(VCardWriter().entry(entries["ou=crime"]))
    assert (organisation["KIND"], organisation["FN"], organisation["ORG"]) == ("org", "Crime", "Avon Police;Crime")
    listed = properties(VCardWriter().entry(entries["cn=all-crime"]))
    assert (listed["KIND"], listed["FN"]) == ("group", "All Crime")
    assert listed["MEMBER"] == "mailto:jane.smith@avon.cjsm.test"
    shared = properties(VCardWriter().entry(entries["cn=duty-desk"]))
    assert (shared["KIND"], shared["FN"], shared["N"]) == ("individual", "Duty Desk", "Duty Desk;;;;")


def test_what_separates_is_escaped() -> None:
    """A comma in a name is no second name, and no line begins another property."""
    more = tuple(support.person(HOSTILE, CRIME, "x.y@avon", "A;B", "C, D\\\nEND:VCARD", description="x" * 200 + "é"))
    written = VCardWriter().entry(found(ADA, more)["uid=x.y"])
    card = properties(written)
    assert card["N"] == "C\\, D\\\\\\nEND:VCARD;A\\;B;;;"
    assert card["NOTE"] == "x" * 200 + "é"


@given(st.text(max_size=300))
def test_folded(text: str) -> None:
    """At most 75 octets a line, each whole characters; put together again it is what it was."""
    line = "NOTE:" + vcard._escaped(text)
    written = vcard._folded(line)
    pieces = written.removesuffix(b"\r\n").split(b"\r\n ")
    assert all(len(piece) + (place > 0) <= 75 for place, piece in enumerate(pieces))
    assert "".join(piece.decode() for piece in pieces) == line
    assert not re.search(rb"\r\n(?! |\Z)", written)
