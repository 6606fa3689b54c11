"""Distinguished names as clients write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.directory import names


@pytest.mark.parametrize(
    "text",
    [
        "uid=jane.smith,ou=crime,o=avon-police,dc=cjsm,dc=test",
        "UID=Jane.Smith, OU = crime , O=avon-police,DC=cjsm,DC=test",
        "userid=jane.smith;2.5.4.11=crime,organizationName=avon-police,dc=cjsm,dc=test",
        "uid=jane\\2esmith,ou=\\63rime,o=avon-police,dc=cjsm,dc=test",
    ],
)
def test_forms_of_one_name(text: str) -> None:
    """Case, spaces, old separators, aliases and escapes make no difference."""
    assert names.parse(text) == names.parse("uid=jane.smith,ou=crime,o=avon-police,dc=cjsm,dc=test")


def test_order_in_a_relative_name_does_not_count() -> None:
    """A relative name of several values compares as a set."""
    assert names.parse("cn=a+uid=b,o=c") == names.parse("uid=b+cn=a,o=c")


def test_escaped_spaces_end_values_with_one() -> None:
    """Only an escaped space can end a value; folding drops it for comparison all the same."""
    assert names.parse("cn=a\\ ,o=b") == names.parse("cn=a,o=b")


@pytest.mark.parametrize(
    "text",
    [
        "jane",
        "=x",
        "uid=a,",
        "uid=a,,o=b",
        "uid=\\",
        "uid=\\zz",
        "uid=#0400",
        "uid=\\ff",
        'o="a"',
        "cn=",
        "cn= ,o=a",
        "cn=\\20",
    ],
)
def test_what_is_no_name(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(names.BadName):
        names.parse(text)


def test_the_empty_name() -> None:
    """The root has no relative names."""
    assert names.parse("") == () == names.parse(" ")


def test_too_long() -> None:
    """There is no name here of more than a few thousand characters."""
    with pytest.raises(names.BadName):
        names.parse("o=" + "a" * 5000)
    with pytest.raises(names.BadName):
        names.parse(",".join(["o=a"] * 100))


@given(st.text(max_size=60))
def test_total(text: str) -> None:
    """Parsing answers or refuses, whatever comes."""
    with contextlib.suppress(names.BadName):
        names.parse(text)


_VALUES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(names.fold)


@given(st.lists(_VALUES, min_size=1, max_size=4))
def test_written_names_are_read(values: list[str]) -> None:
    """What we write, we read: any value that is not only spaces survives escaping."""
    text = ",".join(names.relative("cn", value) for value in values)
    assert [relative[0][1] for relative in names.parse(text)] == [names.fold(value) for value in values]


def test_suffix() -> None:
    """The community's tree is named after its suffix."""
    assert names.of_suffix("cjsm.test") == "dc=cjsm,dc=test"


@given(st.lists(st.text("abcAB =,. ö", max_size=12), min_size=1, max_size=4))
def test_plain_names_are_read_like_others(parts: list[str]) -> None:
    """The short way for names without escapes gives what the long way gives."""
    text = ",".join(f"cn={part}" for part in parts)
    escaped = "cn=\\61," + text
    try:
        expected = names.parse(escaped)[1:]
    except names.BadName:
        with pytest.raises(names.BadName):
            names.parse(text)
        return
    assert names.parse(text) == expected
