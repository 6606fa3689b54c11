"""Address lists in header fields: what names one address to everybody is read, everything else refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.community.address import Address
from cjsm.mail.mailboxes import AmbiguousAddress, addresses

ATOM = "abcdefghijklmnopqrstuvwxyz0123456789#$&'*+-/=?^_`{|}~"
OWN = "jo.ward@avon.cjsm.test"
OTHER = "sam.hill@avon.cjsm.test"

locals_ = st.lists(st.text("abcxyz019'+-_", min_size=1, max_size=6), min_size=1, max_size=3).map(".".join)
found = st.builds(lambda local, label: Address(local, f"{label}.cjsm.test"), locals_, st.text("abc9", min_size=1))
comments = st.text("abc: ;.äß'=?", max_size=8).map(lambda text: f"({text})")
spaces = st.lists(st.sampled_from([" ", "\t", "\r\n "]) | comments, max_size=3).map("".join)
quoted = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12).map(
    lambda text: '"' + "".join(f"\\{each}" if each in '"\\' else each for each in text) + '"'
)
phrases = st.one_of(st.just(""), quoted, st.text("ABc. äß", min_size=1, max_size=8), st.just("=?utf-8?q?J=C3=B6?="))
MIXED = ' \t\r\n()<>@,;:\\".[]abc=?%!\xe4\x00'


@st.composite
def mailboxes(draw: st.DrawFn) -> tuple[str, Address]:
    """One mailbox in a form of the grammar, and its address."""
    address = draw(found)
    plain = "".join(draw(st.sampled_from((each, each.upper()))) for each in str(address))
    if draw(st.booleans()):
        plain = f"{draw(phrases)}{draw(spaces)}<{draw(spaces)}{plain}{draw(spaces)}>"
    return f"{draw(spaces)}{plain}{draw(spaces)}", address


@given(st.lists(mailboxes(), max_size=5))
def test_every_form_of_the_grammar_is_read(members: list[tuple[str, Address]]) -> None:
    """Names, comments and folds around an address change nothing about it."""
    assert addresses(",".join(text for text, _ in members)) == [address for _, address in members]


@given(st.lists(mailboxes(), max_size=4), st.lists(mailboxes(), max_size=4))
def test_groups_are_their_members(before: list[tuple[str, Address]], members: list[tuple[str, Address]]) -> None:
    """They are dissolved, or refused where a field must name one person."""
    group = f'"A: group" of: {",".join(text for text, _ in members)};'
    text = ",".join([*(text for text, _ in before), group])
    assert addresses(text) == [address for _, address in [*before, *members]]
    with pytest.raises(AmbiguousAddress):
        addresses(text, groups=False)


@given(st.text(MIXED, max_size=40) | st.text(max_size=40), st.booleans())
def test_every_text_is_addresses_or_refused(text: str, groups: bool) -> None:
    """Total, and what is read is canonical."""
    try:
        read = addresses(text, groups=groups)
    except AmbiguousAddress:
        return
    assert all(Address.parse(str(address)) == address for address in read)


@given(st.lists(st.sampled_from([OWN, f"<{OWN}>", *MIXED, "(c)", '"q"', "g:", "\r\n "]), max_size=12).map("".join))
def test_no_address_is_made_of_pieces(text: str) -> None:
    """What is read stood there in one piece."""
    try:
        read = addresses(text)
    except AmbiguousAddress:
        return
    assert all(str(address) in text for address in read)


@pytest.mark.parametrize(
    "text",
    [
        f"{OWN} {OTHER}",
        f"{OWN}\r\n {OTHER}",
        f"<{OWN}> <{OTHER}>",
        f"<{OWN}> {OTHER}",
        f"{OTHER} <{OWN}>",
        f"{OTHER}<{OWN}>",
        f"<{OWN}",
        f"{OWN}>",
        f"<<{OWN}>>",
        f"<{OTHER},{OWN}>",
        f"<@evil.example:{OWN}>",
        f"<@evil.example,@worse.example:{OWN}>",
        "<>",
        "Jo Ward",
        "jo.ward",
        f'"{OWN}"',
        '"jo.ward"@avon.cjsm.test',
        "jo.ward @avon.cjsm.test",
        "jo.ward(x)@avon.cjsm.test",
        "jo.ward@(x)avon.cjsm.test",
        "jo.ward@ avon.cjsm.test",
        "jo.\r\n ward@avon.cjsm.test",
        "jo.ward@[127.0.0.1]",
        "jo.ward@avon.cjsm.test.",
        "jo.ward@avon",
        "jo.ward@evil.example@avon.cjsm.test",
        "evil.example!jo.ward@avon.cjsm.test",
        "jo.ward%evil.example@avon.cjsm.test",
        "=?utf-8?q?jo.ward?=@avon.cjsm.test",
        "=?utf-8?q?jo.ward=40avon.cjsm.test?=",
        f"=?utf-8?q?{OTHER}?= <{OWN}>",
        f"=?utf-8?q?Jo <{OWN}>",
        f"=?utf-8?B?Sm8<{OWN}>",
        f"=?utf-8?q?A: {OWN};",
        f"({OTHER}) {OWN}",
        f"(<{OTHER}>) {OWN}",
        f"((nested)) {OWN}",
        f"(open {OWN}",
        f"closed) {OWN}",
        f"(quoted \\) ) {OWN}",
        f'"open {OWN}',
        f'"a\\" <{OWN}>',
        f"\\{OWN}",
        f"{OWN}\\",
        f"{OWN};",
        f"{OWN};{OTHER}",
        f"group: {OWN}",
        f": {OWN};",
        f"a: b: {OWN};;",
        f"{OTHER}: {OWN};",
        f"<x>: {OWN};",
        f"{OWN}: ;",
        f"\x00{OWN}",
        f"{OWN}\x00",
        f"{OWN}\x7f",
        f"{OWN}\x1f",
        f"{OWN}\x0b",
        f"{OWN}\x85",
        f"{OWN}\xa0",
        f"{OWN}\u2028",
        f"\u200b{OWN}",
        f"\ufeff{OWN}",
        "jo.ward\uff20avon.cjsm.test",
        "jo.w\u0430rd@avon.cjsm.test",
        "jo.ward@avon\u3002cjsm.test",
    ],
)
def test_evasions_are_refused(text: str) -> None:
    """Each names one person to one reader and somebody else, or nobody, to another."""
    with pytest.raises(AmbiguousAddress) as caught:
        addresses(text)
    assert str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        OWN,
        OWN.upper(),
        f"<{OWN}>",
        f"Jo Ward <{OWN}>",
        f"Jo\r\n Ward\r\n <{OWN}>",
        f'"Ward, Jo" <{OWN}>',
        f'"{OTHER}" <{OWN}>',
        f'"Ward \\"Jo\\" (acting)" <{OWN}>',
        f"Jo (acting) Ward <{OWN}> (duty)",
        f"(duty) {OWN}",
        f"J\xf6 W\xe4rd <{OWN}>",
        f"=?utf-8?b?SsO2?= <{OWN}>",
        f", {OWN} ,",
        f"J. Ward <{OWN}>",
    ],
)
def test_usual_forms_are_one_address(text: str) -> None:
    """What mail programs write."""
    assert addresses(text, groups=False) == [Address.parse(OWN)]


@pytest.mark.parametrize("text", ["", " ", "()", ",,", "undisclosed-recipients:;", "a:;, b:,;"])
def test_lists_may_be_empty(text: str) -> None:
    """They name nobody."""
    assert addresses(text) == []


def test_the_longest_list() -> None:
    """It is read in linear time; one octet more is refused unread."""
    entry = f"{OWN}, "
    text = (entry * 5_000)[: 64 * 1024]
    text = text[: text.rindex(",")].ljust(64 * 1024)
    assert len(addresses(text)) > 2_000
    with pytest.raises(AmbiguousAddress, match="too long"):
        addresses(text + " ")


@pytest.mark.parametrize("piece", ["(", ")", "(a", '"', '"\\', "<", ">", ":", ";", "a:", "\\", '"a" ', "=?", "((("])
def test_long_nonsense_ends_soon(piece: str) -> None:
    """No form makes the parser slow or deep."""
    text = (piece * (64 * 1024))[: 64 * 1024]
    try:
        addresses(text)
    except AmbiguousAddress:
        return
    pytest.fail("nonsense was read")
