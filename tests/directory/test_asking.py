"""Questions as people ask them."""

import pytest

from cjsm.directory import asking
from tests.directory.support import ADA, JANE, first_names, reading, search


@pytest.mark.parametrize(
    ("operator", "field", "value", "found"),
    [
        ("is", "name", "jane  SMITH", ["uid=jane.smith"]),
        ("is", "name", "jane", []),
        ("contains", "name", "smi", ["uid=jane.smith", "uid=lou.smith"]),
        ("begins", "name", "smith, j", ["uid=jane.smith"]),
        ("begins", "last-name", "smi", ["uid=jane.smith", "uid=lou.smith"]),
        ("ends", "last-name", "ith", ["uid=jane.smith", "uid=lou.smith"]),
        ("is", "address", "jane.jones@avon.cjsm.test", ["uid=jane.smith"]),
        ("is", "telephone", "44 (117) 496-0001", ["uid=jane.smith"]),
        ("contains", "telephone", "4960001", ["uid=jane.smith"]),
        ("ends", "telephone", "0001", ["uid=jane.smith"]),
        ("contains", "telephone", "none", []),
        ("is", "town", "bristol", ["uid=jane.smith"]),
        ("begins", "area", "lon", ["o=law-firm"]),
        ("is", "user-id", "lou.smith@law", ["uid=lou.smith"]),
    ],
)
def test_operators(operator: str, field: str, value: str, found: list[str]) -> None:
    """Is, contains, begins, ends."""
    assert first_names(search(reading(JANE), asking.condition(operator, field, value))) == found


def test_organisation_is_any_on_the_way() -> None:
    """The top one and its parts."""
    assert "uid=jane.smith" in first_names(search(reading(JANE), asking.condition("is", "organisation", "Crime")))
    assert "uid=jane.smith" in first_names(search(reading(JANE), asking.condition("is", "organisation", "avon police")))


def test_free_text() -> None:
    """Every word, wherever it is."""
    assert first_names(search(reading(JANE), asking.text("smith avon"))) == ["uid=jane.smith"]
    assert first_names(search(reading(JANE), asking.text("0001 jane"))) == ["uid=jane.smith"]
    assert search(reading(JANE), asking.text("jane london")) == []


@pytest.mark.parametrize(
    ("kind", "found"), [("list", ["cn=all-crime"]), ("shared-mailbox", ["cn=duty-desk"]), ("person", None)]
)
def test_kinds(kind: str, found: list[str] | None) -> None:
    """Each entry is one."""
    listed = first_names(search(reading(ADA), asking.KINDS[kind], size=1_000))
    assert listed == found if found is not None else all(name.startswith("uid=") for name in listed)


def test_both() -> None:
    """All conditions hold."""
    both = asking.every([asking.condition("begins", "last-name", "smi"), asking.condition("is", "town", "Bristol")])
    assert first_names(search(reading(JANE), both)) == ["uid=jane.smith"]
