"""One canonical form of each address, user ID and name; every other form is refused with a reason."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.community.address import (
    Address,
    BadAddress,
    LoginName,
    UserId,
    check_domain,
    check_slug,
    has_suffix,
    name_from,
    numbered,
    parse_path,
)
from cjsm.community.errors import BadValue

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
DOMAIN = st.tuples(LABEL, LABEL, st.from_regex(r"[a-z]{2,6}", fullmatch=True)).map(".".join)
LOCAL = st.lists(st.from_regex(r"[a-z0-9#$&'*+/=^_`{|}~-]{1,8}", fullmatch=True), min_size=1, max_size=4).map(".".join)


@given(LOCAL, DOMAIN)
def test_round_trip(local: str, domain: str) -> None:
    """What is written is read again, without regard to case."""
    text = f"{local}@{domain}"
    assert str(Address.parse(text)) == text
    assert Address.parse(text.upper()) == Address.parse(text)


#: Forms that other software has read as something else than what they seem.
EVASIONS = [
    *("", "@", "jo", "jo@", "@avon.cjsm.test", "jo@avon", "jo@@avon.cjsm.test", "jo @avon.cjsm.test"),
    *('"jo"@avon.cjsm.test', '"jo@outside.example"@avon.cjsm.test', "jo\\@outside.example@avon.cjsm.test"),
    *("jo%outside.example@avon.cjsm.test", "outside.example!jo@avon.cjsm.test", "@relay.example:jo@avon.cjsm.test"),
    *("jo@outside.example@avon.cjsm.test", "=?utf-8?q?jo?=@avon.cjsm.test", "jo@avon.cjsm.test.", "jo@.cjsm.test"),
    *("jo@avon..test", "jo@-avon.cjsm.test", "jo@avon-.cjsm.test", "jo@[192.0.2.1]", "jo@[IPv6:2001:db8::1]"),
    *("jo@192.0.2.1", "jo@avon.cjsm.test\0", "jo\0@avon.cjsm.test", "jo\r\n@avon.cjsm.test", "jo@avon.cjsm.test\n"),
    *("jo(comment)@avon.cjsm.test", "jo@(comment)avon.cjsm.test", "jo@avon。cjsm。test", "jö@avon.cjsm.test"),
    *("jo@аvon.cjsm.test", "jo@avon.cjsm．test", "jo.@avon.cjsm.test", ".jo@avon.cjsm.test", "j..o@avon.cjsm.test"),
    *(
        "jo@avon_x.cjsm.test",
        "jo,sam@avon.cjsm.test",
        "jo;sam@avon.cjsm.test",
        "<jo@avon.cjsm.test>",
        "jo@avon cjsm.test",
    ),
    *("a" * 65 + "@avon.cjsm.test", "jo@" + "a" * 64 + ".test", "jo@" + ".".join(["abcdefg"] * 32)),
]


@pytest.mark.parametrize("text", EVASIONS)
def test_everything_else_is_refused(text: str) -> None:
    """With words for whoever wrote it."""
    with pytest.raises(BadAddress) as refused:
        Address.parse(text)
    assert str(refused.value)


@pytest.mark.parametrize("text", ["jo@avon.co.u\u212a", "jo@\u212aent.cjsm.test", "jo@ävon.cjsm.test"])
def test_domains_are_ascii_as_they_are_written(text: str) -> None:
    """The Kelvin sign is no K, although it becomes one in lower case."""
    with pytest.raises(BadAddress, match="ASCII letters only"):
        Address.parse(text, international=True)


@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    """Any text is an address in canonical form, or refused."""
    try:
        found = Address.parse(text)
    except BadAddress:
        return
    assert str(found) == text.lower()
    assert str(found).isascii()
    assert str(found).count("@") == 1


def test_suffix() -> None:
    """It is put behind once, and a name that only ends alike does not have it."""
    plain = Address.parse("jo@firm.co.uk")
    assert str(plain.with_suffix("cjsm.test")) == "jo@firm.co.uk.cjsm.test"
    assert plain.with_suffix("cjsm.test").with_suffix("cjsm.test") == plain.with_suffix("cjsm.test")
    assert has_suffix("cjsm.test", "cjsm.test")
    assert not has_suffix("notcjsm.test", "cjsm.test")
    with pytest.raises(BadAddress):
        Address("jo", ".".join(letter * 60 for letter in "abcd")).with_suffix("cjsm.test")


def test_user_ids() -> None:
    """first.last@abbreviation, from which the hosted address follows."""
    found = UserId.parse("Jo.Ward-2@Avon")
    assert str(found) == "jo.ward-2@avon"
    assert str(found.address("cjsm.test")) == "jo.ward-2@avon.cjsm.test"
    for text in ("jo", "jo@avon.cjsm", "jo..w@avon", ".jo@avon", "jo@", "j%o@avon", "jö@avon", "a" * 65 + "@avon"):
        with pytest.raises(BadAddress):
            UserId.parse(text)


def test_login_names() -> None:
    """A user ID or an address, and behind a slash a shared mailbox."""
    assert LoginName.parse(" Jo.Ward@avon ") == LoginName("jo.ward@avon", False, None)
    assert LoginName.parse("JO@avon.cjsm.test/Desk") == LoginName("jo@avon.cjsm.test", True, "desk")
    assert LoginName.parse("jo@avon/Desk@Crime.cjsm.test") == LoginName("jo@avon", False, "desk@crime.cjsm.test")
    for text in ("jo@avon/", "jo@avon/a@b", "jo@avon/a b", "jo@avon/ä", "nobody", "", "/desk"):
        with pytest.raises(BadAddress):
            LoginName.parse(text)


@given(st.text(max_size=40))
def test_any_login_name(text: str) -> None:
    """Whatever is typed is a name, or nobody's."""
    with suppress(BadAddress):
        assert LoginName.parse(text).user.isascii()


def test_paths_and_slugs() -> None:
    """Paths of organisations are compared without case; slugs are small letters."""
    assert parse_path("/Avon-Police/crime/") == ("avon-police", "crime")
    for path in ("", "a//b", "a/ b", "ä", "a/../b"):
        with pytest.raises(BadValue):
            parse_path(path)
    with pytest.raises(BadValue):
        check_slug("Avon")
    check_domain("firm.co.uk")
    with pytest.raises(BadAddress):
        check_domain("localhost")


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("Jane", "Smith", "jane.smith"),
        ("Siân", "O'Brien", "sian.obrien"),
        ("Marek", "Łukasz-Żak", "marek.lukasz-zak"),
        ("Jürgen", "Großmann", "jurgen.grossmann"),
        ("Anne Marie", "de la Tour", "anne-marie.de-la-tour"),
        ("D\N{RIGHT SINGLE QUOTATION MARK}Arcy", "Ærø", "darcy.aero"),
    ],
)
def test_names(first: str, last: str, expected: str) -> None:
    """Names become plain letters that everybody can type."""
    assert name_from(first, last) == expected
    UserId.parse(f"{expected}@avon")


def test_names_without_letters() -> None:
    """Somebody has to give one."""
    with pytest.raises(BadValue) as refused:
        name_from("明", "王")
    assert "--user-id" in refused.value.cure


@given(st.text(min_size=1, max_size=100), st.text(min_size=1, max_size=100))
def test_any_name(first: str, last: str) -> None:
    """What is made of a name is always a user ID."""
    try:
        made = name_from(first, last)
    except BadValue:
        return
    UserId.parse(f"{numbered(made, 9_999)}@avon").address("cjsm.test")
