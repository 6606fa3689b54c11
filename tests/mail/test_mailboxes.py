"""Address lists: what two readers could understand differently is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.mail.mailboxes import AmbiguousAddress, addresses


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("jo@avon.test", ["jo@avon.test"]),
        ("Jo Ward <jo@avon.test>", ["jo@avon.test"]),
        ('"Ward, Jo" <JO@avon.test>', ["jo@avon.test"]),
        ('"a@b.test" <jo@avon.test>', ["jo@avon.test"]),
        ("=?utf-8?q?J=C3=B6?= <jo@avon.test>", ["jo@avon.test"]),
        ("jo@avon.test (Jo Ward)", ["jo@avon.test"]),
        ("<jo@avon.test>", ["jo@avon.test"]),
        ("a@b.test, c@d.test,\r\n e@f.test", ["a@b.test", "c@d.test", "e@f.test"]),
        ("a@b.test,, c@d.test,", ["a@b.test", "c@d.test"]),
        ("Team: a@b.test, C <c@d.test>;", ["a@b.test", "c@d.test"]),
        ("undisclosed recipients:;", []),
        ("Team: a@b.test;, c@d.test", ["a@b.test", "c@d.test"]),
        (r'"quo\"ted" <jo@avon.test>', ["jo@avon.test"]),
    ],
)
def test_lists(value: str, expected: list[str]) -> None:
    """As mail programs write them."""
    assert [str(address) for address in addresses(value)] == expected


@pytest.mark.parametrize(
    "value",
    [
        "jo",
        "jo@avon.test sam@avon.test",
        "jo@avon.test <sam@avon.test>",
        "<jo@avon.test> <sam@avon.test>",
        "<jo@avon.test",
        "jo@avon.test>",
        "<<jo@avon.test>>",
        '"jo@avon.test',
        '"jo"@avon.test',
        "(jo@avon.test) sam@avon.test",
        "sam@avon.test (a (b) c)",
        "sam@avon.test (unclosed",
        "jo@avon.test; sam@avon.test",
        "Team: a@b.test",
        "Team: Inner: a@b.test;;",
        "@relay.test:jo@avon.test",
        "<@relay.test:jo@avon.test>",
        "jo @avon.test",
        "jo@avon . test",
        "jo\\@avon.test",
        "jo@avon.test\0",
        "jo@[192.0.2.1]",
        "j\u00f6@avon.test",
        "jo%outside@avon.test",
        "a@b.test: c@d.test;",
        "x" * 70_000,
    ],
)
def test_ambiguous(value: str) -> None:
    """Refused with words."""
    with pytest.raises(AmbiguousAddress) as refused:
        addresses(value)
    assert str(refused.value)


def test_groups_only_where_allowed() -> None:
    """From must not be a group."""
    with pytest.raises(AmbiguousAddress):
        addresses("Team: a@b.test;", groups=False)


PIECES = st.lists(
    st.sampled_from(
        ['"', "(", ")", "<", ">", "@", ",", ":", ";", "\\", " ", "\r\n ", "jo", "avon.test", "a@b.test", "é"]
    ),
    max_size=12,
).map("".join)


@given(st.one_of(PIECES, st.text(max_size=60)))
def test_anything(value: str) -> None:
    """Any text gives addresses or is refused; every address found stands in the text as it is."""
    try:
        found = addresses(value)
    except AmbiguousAddress:
        return
    for address in found:
        assert str(address) in value.lower()
