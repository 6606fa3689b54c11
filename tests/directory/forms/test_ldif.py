"""LDIF, written and read."""

import base64
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.directory import schema
from cjsm.directory.forms import ldif, ldifreading
from cjsm.directory.forms.ldif import LdifWriter
from cjsm.directory.forms.rows import FormError, Source
from tests.directory import support
from tests.directory.forms.support import HOSTILE, found
from tests.directory.support import ADA, CRIME, HELP

#: RFC 2849: what may stand as it is.
_SAFE = re.compile(rb"(?:[^\0\r\n :<\x80-\xff](?:[^\0\r\n\x80-\xff]*[^\0\r\n \x80-\xff])?)?\Z")


def read(text: str | bytes, **limits: int) -> Source:
    octets = text if isinstance(text, bytes) else text.encode()
    bounds = {"most_rows": 100, "cell_characters": 100, **limits}
    return ldifreading.read(octets, schema.load(), "cjsm.test", **bounds)  # type: ignore[arg-type]


def test_entry() -> None:
    """Name, classes, values, in the schema's order; states for whoever may see them."""
    written = LdifWriter(schema.load()).entry(found(ADA)["uid=jane.smith"]).decode()
    lines = written.splitlines()
    assert lines[0] == "dn: uid=jane.smith,ou=crime,o=avon-police,dc=cjsm,dc=test"
    assert lines[-1] == ""
    assert {"mail: jane.smith@avon.cjsm.test", "mobile: 07700 900001", "cjsmLocked: FALSE"} <= set(lines)
    assert base64.b64encode("Smith, Jane (Avon Police – Crime)".encode()).decode() in written.replace("\n ", "")
    assert "mobile" not in LdifWriter(schema.load()).entry(found(HELP)["uid=jane.smith"]).decode()


@given(st.text(max_size=200))
def test_any_value(value: str) -> None:
    """Lines of 76 octets at most, safe characters only, and the value comes back."""
    lines = list(ldif._line("description", value))
    assert all(len(line) <= 76 for line in lines)
    assert all(line.startswith(b" ") for line in lines[1:])
    whole = lines[0] + b"".join(line[1:] for line in lines[1:])
    name, _, written = whole.partition(b":")
    assert name == b"description"
    if written.startswith(b":"):
        assert base64.b64decode(written[2:], validate=True).decode() == value
    else:
        assert _SAFE.match(written[1:])
        assert written[1:].decode() == value


def test_changes() -> None:
    """What is new is added, everything else replaced, attribute by attribute."""
    entries = found(ADA)
    old = LdifWriter(schema.load(), since="20300101000000Z").entry(entries["uid=jane.smith"]).decode()
    assert "changetype: modify\nreplace: objectClass\nobjectClass: top\n" in old
    assert "\nreplace: mobile\nmobile: 07700 900001\n-\n" in old
    assert "\nreplace: title\n-\n" in old, "what is not there any more goes"
    new = LdifWriter(schema.load(), since="20200101000000Z").entry(entries["uid=jane.smith"]).decode()
    assert "changetype: add\nobjectClass: top\n" in new
    removed = LdifWriter(schema.load(), since="20200101000000Z").removed("a@b", "1-2")
    assert removed == b"# removed: a@b, entryUUID 1-2\n\n"


def test_own_export_is_read() -> None:
    """Whoever is a person comes back with the organisation; the rest is counted."""
    more = tuple(
        support.person(HOSTILE, CRIME, "x.y@avon", "=cmd", 'O\'Neil, "X" \\ ', address1="a, b", address2="c", town="é")
    )
    entries = found(ADA, more)
    writer = LdifWriter(schema.load())
    got = read(writer.begin() + b"".join(map(writer.entry, entries.values())))
    by_address = {row.values["Secure Email"]: row for row in got.rows}
    assert len(got.rows) == sum(each.account is not None for each in entries.values())
    assert got.left_out == len(entries) - len(got.rows)
    row = by_address["x.y@avon.cjsm.test"]
    assert row.values["Firstname"] == "=cmd"
    assert row.values["Lastname"] == 'O\'Neil, "X" \\'
    assert (row.values["Organisation"], row.values["User ID"]) == ("avon-police/crime", "x.y@avon")
    assert (row.street, row.values["Town/City"]) == ("a, b, c", "é")
    assert "Address1" not in row.values


OTHERS = """version: 1
# a remark
 that goes on

dn: cn=Jo Law,ou=people,dc=firm,dc=example
objectclass: top
objectclass: inetOrgPerson
cn: Jo Law
givenname: Jo
surname:: TMOkdw==
mail: jo@firm.co.uk.cjsm.test
mail: second@firm.co.uk
street: 1 Long
  Lane
street: Floor 2
telephonenumber;lang-en: 5
jpegPhoto:< file:///etc/passwd
telephoneNumber: 1

dn: ou=people,dc=firm,dc=example
objectclass: organizationalUnit
ou: people
"""


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_of_others(ends: str) -> None:
    """Another directory's people: names of attributes differ, names of entries say no organisation of ours."""
    got = read(OTHERS.replace("\n", ends))
    (row,) = got.rows
    assert (row.number, row.problems, row.street) == (5, (), None)
    assert row.values == {
        **{"Firstname": "Jo", "Lastname": "Läw", "Secure Email": "jo@firm.co.uk.cjsm.test", "Telephone": "1"},
        **{"Address1": "1 Long Lane", "Address2": "Floor 2"},
    }
    assert got.left_out == 1
    assert got.notes == ("1 entries have more than one Secure Email: the first was taken",)


@pytest.mark.parametrize(
    ("record", "column", "problem"),
    [
        ("dn: uid=a,dc=x\nchangetype: modify\nreplace: sn\nsn: b\n-\n", "", "only whole entries"),
        ("dn: uid=a,dc=x\nobjectclass: person\nsn:: !!!\n", "Lastname", "line 3 is no text in base64"),
        ("dn: uid=a,dc=x\nobjectclass: person\nsn:< file:///etc/passwd\n", "Lastname", "line 3 names a file"),
        ("dn: nonsense\nobjectclass: person\n", "", "its name cannot be read"),
        ("dn:: //8=\nobjectclass: person\n", "", "its name is no text"),
        (f"dn: uid=a,dc=x\nobjectclass: person\ndescription: {'x' * 101}\n", "Description", "has 101 characters"),
    ],
)
def test_wrong_records(record: str, column: str, problem: str) -> None:
    """That record, by its line and column; no file that it names is read."""
    (row,) = read(record).rows
    (found_problem,) = row.problems
    assert found_problem.column == column
    assert problem in found_problem.problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nonsense\n", "line 1 is not LDIF"),
        ("version: 2\n", "LDIF of version 2"),
        ("cn: a\n", "line 1: a record begins with `dn:`"),
        ("dn: uid=a,dc=x\nobjectclass: person\n\n" * 101, "more than 100 people"),
    ],
)
def test_no_such_file(text: str, problem: str) -> None:
    """What is no LDIF says so."""
    with pytest.raises(FormError, match=problem):
        read(text)


@given(st.lists(st.text(alphabet="dn: <\n\r#ab=-", max_size=30), max_size=4))
def test_garbage(lines: Sequence[str]) -> None:
    """Is refused, or is nobody; never anything else."""
    try:
        got = read("\n".join(lines))
    except FormError:
        return
    assert len(got.rows) + got.left_out <= sum(map(len, lines)) + 1


def test_a_value_of_many_lines() -> None:
    """Is put together, and refused for its length."""
    folded = "\n ".join(["x" * 75] * 40_000)
    (row,) = read(f"dn: uid=a,dc=x\nobjectclass: person\ndescription: {folded}\n").rows
    assert row.problems[0].problem == "line 3 has 3,000,000 characters, 100 at most"
