"""CSV with the 15 columns."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.directory.fields import COLUMNS
from cjsm.directory.forms import csvfile
from cjsm.directory.forms.csvfile import CsvWriter
from cjsm.directory.forms.rows import FormError, Source
from tests.directory.forms.support import found
from tests.directory.support import ADA, HELP

TITLES = [column.title for column in COLUMNS]


def read(text: str | bytes, **limits: int) -> Source:
    octets = text if isinstance(text, bytes) else text.encode()
    return csvfile.read(octets, **{"most_rows": 100, "cell_characters": 100, **limits})  # type: ignore[arg-type]


def test_columns() -> None:
    """As the service has them."""
    assert [
        *("Firstname", "Lastname", "UserType", "Organisation", "Secure Email", "Address1", "Address2", "Town/City"),
        *("Postcode", "Telephone", "Mobile", "Description", "Business Type", "CJ Area", "Account Status"),
    ] == TITLES


def test_person() -> None:
    """What is known of somebody, in the columns' order; a telephone number is no formula."""
    writer = CsvWriter()
    written = writer.begin() + writer.entry(found(ADA)["uid=jane.smith"])
    assert written.startswith(b"\xef\xbb\xbf")
    titles, cells = csv.reader(io.StringIO(written.decode("utf-8-sig"), newline=""))
    assert titles == TITLES
    assert cells == [
        *("Jane", "Smith", "", "avon-police/crime", "jane.smith@avon.cjsm.test", "1 High Street", "", "Bristol"),
        *("BS1 1AA", "'+44 117 496 0001", "07700 900001", "Detective", "", "Avon", "Active"),
    ]
    plain = CsvWriter(for_programs=True)
    assert b"\xef\xbb\xbf" not in plain.begin()
    assert b'"+44 117 496 0001"' in plain.entry(found(ADA)["uid=jane.smith"])


def test_what_may_not_be_read_is_not_there() -> None:
    """The helpdesk sees states and no mobile number, as in LDAP."""
    row = csvfile.row_of(found(HELP)["uid=jane.smith"])
    assert (row["Mobile"], row["Account Status"]) == ("", "Active")


def test_people_only() -> None:
    """Organisations, lists and shared mailboxes have no such columns."""
    entries = found(ADA)
    writer = CsvWriter()
    assert [writer.entry(entries[name]) for name in ("cn=all-crime", "cn=duty-desk", "o=avon-police")] == [b""] * 3


_CELLS = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


@given(st.lists(st.tuples(_CELLS, _CELLS), max_size=5), st.booleans())
def test_read_back(rows: list[tuple[str, str]], for_programs: bool) -> None:
    """Commas, quotes, ends of lines, apostrophes, formulas: as they were, but for space around them."""
    writer = CsvWriter(for_programs=for_programs)
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    written = writer.begin() + b"".join(writer.row({"Firstname": one, "Secure Email": two}) for one, two in kept)
    got = read(written).rows
    assert len(got) == len(kept)
    if not for_programs:
        values = [(row.values["Firstname"], row.values["Secure Email"]) for row in got]
        assert values == [(one.strip(), two.strip()) for one, two in kept]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators(separator: str) -> None:
    """As spreadsheets write them in different countries."""
    text = separator.join(("secure  EMAIL", '"Town/City"')) + "\n" + separator.join(("a@b", '"Bath, Avon; X"')) + "\n"
    (row,) = read(text).rows
    assert row.values == {"Secure Email": "a@b", "Town/City": "Bath, Avon; X"}
    assert row.number == 2


def test_lines_are_counted() -> None:
    """A row is called by the line that it begins in; empty rows are nobody."""
    got = read('Secure Email,Description\r\na@b,"one\r\ntwo"\r\n,\r\n\r\nc@d,\r\n').rows
    assert [(row.number, row.values["Secure Email"]) for row in got] == [(2, "a@b"), (6, "c@d")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no column Secure Email"),
        ("Firstname\nA\n", "no column Secure Email"),
        ("Secure Email,Secure Email\n", "there twice"),
        ("Secure Email,Telefone\n", "column 2 has the unknown title 'Telefone'"),
        ('Secure Email\n"a"b\n', "line 2 is not CSV"),
        ('Secure Email\n"a\n', "is not CSV"),
        ("Secure Email\na\0b\n", "NUL"),
        ("Secure Email\n" + "a@b\n" * 101, "more than 100 rows"),
    ],
)
def test_no_such_file(text: str, problem: str) -> None:
    """What cannot be used at all says why, and what would be."""
    with pytest.raises(FormError, match=problem) as caught:
        read(text)
    assert caught.value.cure


def test_unknown_titles_name_the_nearest() -> None:
    """Typing mistakes are common."""
    with pytest.raises(FormError) as caught:
        read("Secure Email,Telefone\n")
    assert caught.value.cure == "did you mean Telephone?"


def test_wrong_rows() -> None:
    """Too many cells, too long a cell: that row, that column; the others are good."""
    got = read(f"Secure Email,Description\na@b,c,d\ne@f,{'x' * 10_000}\ng@h,i,,\n").rows
    assert [[each.column for each in row.problems] for row in got] == [[""], ["Description"], []]
    assert got[1].problems[0].problem == "this has 10,000 characters, 100 at most"


@pytest.mark.parametrize("line", ["x" * 3_000_000, "," * 300_000, '"' * 3_000_001, "Secure Email" + ",a" * 300_000])
def test_endless_lines(line: str) -> None:
    """Are refused at once."""
    with pytest.raises(FormError) as caught:
        read(f"{line}\n")
    assert len(str(caught.value)) < 300
