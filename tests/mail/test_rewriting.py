"""The suffix at the edge: what a connection sees of addresses, what comes back, and that nothing else changes."""

import time
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cjsm.community.identifiers import ConnectionId, OrganisationId
from cjsm.community.records import Domain
from cjsm.mail.header import Field, Header
from cjsm.mail.mailboxes import AmbiguousAddress, addresses
from cjsm.mail.rewriting import SuffixRules, address_entering, address_leaving, entering, leaving, suffix_rules

Rewrite = Callable[[str, SuffixRules], str]
SUFFIX = "cjsm.test"
FIRM, FORCE = "firm.co.uk", "force.police.uk"
FIRM_INSIDE, FORCE_INSIDE = f"{FIRM}.{SUFFIX}", f"{FORCE}.{SUFFIX}"
CONNECTED = frozenset((FIRM_INSIDE, FORCE_INSIDE))
#: One outside address in the same domain, one elsewhere.
EXCEPTIONS = ((f"jo@{FIRM_INSIDE}", f"joe.ward@{FIRM}"), (f"Sam@{FIRM_INSIDE}", "Sam@Firm.example"))


def domain(name: str, *exceptions: tuple[str, str]) -> Domain:
    return Domain(name=name, connection=ConnectionId(b"c"), organisation=OrganisationId(b"o"), exceptions=exceptions)


def connected(name: str) -> bool:
    return name in CONNECTED


RULES = suffix_rules(SUFFIX, [domain(FIRM_INSIDE, *EXCEPTIONS)], connected)
BOTH = [(leaving, address_leaving), (entering, address_entering)]


def rewritten(value: bytes | str, rewrite: Callable[[Header, SuffixRules], Header], name: bytes = b"to") -> bytes:
    """The value of one field after rewriting."""
    octets = value.encode() if isinstance(value, str) else value
    (field,) = rewrite(Header((Field(name, name + b":" + octets + b"\r\n"),)), RULES).fields
    assert field.octets.startswith(name + b":")
    assert field.octets.endswith(b"\r\n")
    return field.octets[len(name) + 1 : -2]


def cased(draw: st.DrawFn, text: str) -> str:
    return "".join(draw(st.sampled_from((each, each.upper()))) for each in text)


locals_ = st.sampled_from(["jo", "sam", "joe.ward", "a+b", "x", "jö", "Ж.я", "o'brien", "a%b", "=x?="])
domains = st.sampled_from(
    [
        *(FIRM, FORCE, FIRM_INSIDE, FORCE_INSIDE, "avon.cjsm.test", SUFFIX, "elsewhere.example", "firm.example"),
        *(f"sub.{FIRM}", f"not{FIRM}", f"{FIRM}.", f"{FIRM}.{SUFFIX}.{SUFFIX}", "co.uk", "[192.0.2.1]", "fırm.co.uk"),
    ]
)


@st.composite
def plain_addresses(draw: st.DrawFn) -> str:
    return f"{draw(locals_)}@{draw(domains)}" if draw(st.booleans()) else cased(draw, f"{draw(locals_)}@{FIRM_INSIDE}")


#: Text that holds addresses where they are none.
decoys = st.sampled_from([f"jo@{FIRM_INSIDE}", f"x@{FORCE}", "a, b <x@y>", "\\", '"', "=?", ":;", "ß", ")(", "", " "])
quoted = decoys.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
flat = decoys.map(lambda text: "(" + "".join(f"\\{each}" if each in "\\()" else each for each in text) + ")")
comments = st.recursive(flat, lambda inner: inner.map(lambda text: f"(x {text} <{FIRM})"), max_leaves=2)
between = st.lists(st.sampled_from([" ", "\t", "\r\n "]) | comments, max_size=3).map("".join)
encoded = st.sampled_from(["=?utf-8?q?J=C3=B6?=", f"=?utf-8?q?jo@{FIRM_INSIDE}?=", f"=?us-ascii?q?x@{FORCE}?="])
words = quoted | encoded | st.sampled_from(["Jo", "J.", "Wärd", "[CPS]", FIRM])
phrases = st.lists(st.tuples(words, between.map(lambda text: f" {text}")).map("".join), max_size=3).map("".join)
#: What is an address to nobody here, and names that name nobody.
foreign = st.sampled_from(
    [f'"jo ward"@{FORCE}', f'"a@b"@{FIRM_INSIDE}', f'<"\\""@{FORCE}>', "Ward", f"=?a?q?x@{FORCE}?="]
)
#: A list as it is written, in pieces: what must stay, and addresses.
Pieces = list[tuple[bool, str]]


@st.composite
def members(draw: st.DrawFn) -> Pieces:
    before, after = draw(between), draw(between)
    if draw(st.integers(0, 4)) == 0:
        return [(False, before + draw(st.just("") | foreign) + after)]
    address = draw(plain_addresses())
    if draw(st.booleans()):
        return [(False, before), (True, address), (False, after)]
    return [(False, f"{before}{draw(phrases)}<{draw(between)}"), (True, address), (False, f"{draw(between)}>{after}")]


@st.composite
def lists(draw: st.DrawFn) -> Pieces:
    """A list of mailboxes and groups in every form of the grammar."""
    pieces: Pieces = []
    for number in range(draw(st.integers(1, 5))):
        group = draw(st.integers(0, 3)) == 0
        inside = draw(st.lists(members(), max_size=3)) if group else [draw(members())]
        pieces.append((False, ("," if number else "") + (f"{draw(words)} {draw(phrases)}:" if group else "")))
        for place, member in enumerate(inside):
            pieces += [(False, "," if place else ""), *member]
        pieces.append((False, ";" if group else ""))
    return pieces


HOSTILE = st.lists(
    st.sampled_from(
        [
            *(f"jo@{FIRM_INSIDE}", f"x@{FORCE}", f"<x@{FIRM}>", *' \t()<>@,;:\\".[]a=?', "\r\n ", "g:", "ä", "\0"),
            *("=?a?q?x", "?="),
        ]
    ),
    max_size=14,
).map(lambda found: "".join(found).encode()) | st.binary(max_size=60).filter(lambda octets: b"\n" not in octets)
VALUES = lists().map(lambda pieces: "".join(text for _, text in pieces).encode()) | HOSTILE
ADDRESSES = plain_addresses() | st.text(f"@.{FIRM_INSIDE}KB\u212a\udcff", max_size=30)


@pytest.mark.parametrize(("rewrite", "address_rewrite"), BOTH)
@given(pieces=lists())
def test_addresses_change_and_nothing_else(
    rewrite: Callable[[Header, SuffixRules], Header], address_rewrite: Rewrite, pieces: Pieces
) -> None:
    """Names, quoted strings, comments, encoded words, groups and folds stay octet for octet, addresses in them too."""
    # An encoded word is no name of a mailbox: then the field is not plain.
    assume(not any(text.startswith("=?") for is_address, text in pieces if is_address))
    expected = "".join(address_rewrite(text, RULES) if is_address else text for is_address, text in pieces)
    assert rewritten("".join(text for _, text in pieces), rewrite) == expected.encode()


@pytest.mark.parametrize(("rewrite", "address_rewrite"), BOTH)
@given(value=VALUES)
def test_what_admission_reads_is_rewritten(
    rewrite: Callable[[Header, SuffixRules], Header], address_rewrite: Rewrite, value: bytes
) -> None:
    """No From or Reply-To that was found plain stays behind as it was."""
    try:
        read = addresses(Field(b"to", b"to:" + value).value)
    except AmbiguousAddress:
        return
    after = Field(b"to", b"to:" + rewritten(value, rewrite)).value
    assert addresses(after) == [addresses(address_rewrite(str(address), RULES))[0] for address in read]


@given(VALUES)
def test_rewriting_again_changes_nothing(value: bytes) -> None:
    """Total and idempotent, both ways, whatever octets come."""
    out, back = rewritten(value, leaving), rewritten(value, entering)
    assert rewritten(out, leaving) == out
    assert rewritten(back, entering) == back


def confused(text: str) -> bool:
    """Whether *text* holds the canonical form that the plain rule gives for an exception's outside address."""
    return f"joe.ward@{FIRM_INSIDE}" in text.lower()


@given(VALUES)
def test_leaving_and_entering_is_the_way_back(value: bytes) -> None:
    """For canonical fields, but for letter case."""
    canonical = rewritten(value, entering)
    assume(not confused(canonical.decode("latin-1")))
    assert rewritten(rewritten(canonical, leaving), entering).lower() == canonical.lower()


@given(ADDRESSES)
def test_an_address_goes_and_comes_back(address: str) -> None:
    """Total; idempotent; but for letter case in the suffix and in exceptions what it was."""
    out, inside = address_leaving(address, RULES), address_entering(address, RULES)
    assert address_leaving(out, RULES) == out
    assert address_entering(inside, RULES) == inside
    assume(not confused(inside))
    back = address_entering(address_leaving(inside, RULES), RULES)
    assert back.lower() == inside.lower()
    if inside.lower() not in RULES.outside:
        assert back.removesuffix(SUFFIX) == inside[: len(back.removesuffix(SUFFIX))]


@given(ADDRESSES)
def test_letter_case_decides_nothing(address: str) -> None:
    """Addresses are compared without it."""
    assume(address.isascii())
    for rewrite in (address_leaving, address_entering):
        assert rewrite(address.upper(), RULES).lower() == rewrite(address.lower(), RULES).lower()


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        (f"ann@{FIRM_INSIDE}", f"ann@{FIRM}"),
        ("Ann@Firm.Co.UK.cjsm.test", "Ann@Firm.Co.UK"),
        (f"ann@{FORCE_INSIDE}", f"ann@{FORCE_INSIDE}"),
        ("ann@avon.cjsm.test", "ann@avon.cjsm.test"),
        ("postmaster@cjsm.test", "postmaster@cjsm.test"),
        ("ann@elsewhere.example", "ann@elsewhere.example"),
        (f"ann@not{FIRM}", f"ann@not{FIRM}"),
        (f"ann@sub.{FIRM_INSIDE}", f"ann@sub.{FIRM_INSIDE}"),
        (f"jo@{FIRM_INSIDE}", f"joe.ward@{FIRM}"),
        (f"sam@{FIRM_INSIDE}", "sam@firm.example"),
        (f"jö@{FIRM_INSIDE}", f"jö@{FIRM}"),
        ("", ""),
        ("ann", "ann"),
        (FIRM_INSIDE, FIRM_INSIDE),
    ],
)
def test_a_member_inside_and_outside(inside: str, outside: str) -> None:
    """As the connection of the firm sees members of its own, of others, and of nobody."""
    assert address_leaving(inside, RULES) == outside
    assert address_entering(outside, RULES) == inside
    assert address_leaving(outside, RULES) == outside
    assert address_entering(inside, RULES) == inside


def test_an_unsuffixed_address_of_another_connection_gets_the_suffix() -> None:
    """So that an answer stays in the community; in either direction."""
    assert address_leaving("Ann@Force.Police.UK", RULES) == "Ann@Force.Police.UK.cjsm.test"
    assert address_entering(f"ann@{FORCE}", RULES) == f"ann@{FORCE_INSIDE}"


def test_the_exceptions_shadow_of_the_plain_rule() -> None:
    """What the plain rule would call an exception's outside address comes back as the member it belongs to."""
    assert address_leaving(f"joe.ward@{FIRM_INSIDE}", RULES) == f"joe.ward@{FIRM}"
    assert address_entering(f"joe.ward@{FIRM}", RULES) == f"jo@{FIRM_INSIDE}"


def test_letters_that_look_like_ascii_are_others() -> None:
    """The Kelvin sign is no K, although it becomes one in lower case."""
    for address in ("ann@firm.co.u\u212a", f"ann@firm.co.u\u212a.{SUFFIX}"):
        assert address_leaving(address, RULES) == address
        assert address_entering(address, RULES) == address
    assert address_leaving("\u212ajo@x", RULES) == "\u212ajo@x"


@pytest.mark.parametrize(
    "pair",
    [
        (f"ann@{FORCE_INSIDE}", "ann@firm.example"),
        (f"ann@{FIRM_INSIDE}", f"ann@x.{SUFFIX}"),
        (f"jo@{FIRM_INSIDE}", "second@firm.example"),
        (f"ann@{FIRM_INSIDE}", "SAM@firm.example"),
        (f"ann@{FIRM_INSIDE}", "no address"),
        ("no address", "ann@firm.example"),
    ],
)
def test_a_pair_that_would_confuse_two_members_is_left_out(pair: tuple[str, str]) -> None:
    """The others still count."""
    assert suffix_rules(SUFFIX, [domain(FIRM_INSIDE, *EXCEPTIONS, pair)], connected).outside == RULES.outside


def test_a_domain_that_is_not_canonical_is_nobodys() -> None:
    """It could not be told from one with the suffix."""
    odd = ["firm.co.uk.other.test", f"x.{SUFFIX}.{SUFFIX}", f"{SUFFIX}.{SUFFIX}"]
    rules = suffix_rules(SUFFIX, [domain(name) for name in odd], connected)
    for name in odd:
        assert address_entering(address_leaving(f"a@{name}", rules), rules) == f"a@{name}"


@pytest.mark.parametrize(
    "value",
    [
        *(f"x ann@{FORCE}", f"ann@{FORCE} ann@{FORCE}", f"ann@{FORCE} <ann@{FORCE}>", f"<ann@{FORCE}> <ann@{FORCE}>"),
        *(f"<ann@{FORCE}", f"ann@{FORCE}>", f"<<ann@{FORCE}>>", f"<ann@{FORCE},b@c.d>", f"<@x.example:ann@{FORCE}>"),
        *(
            f"ann @{FORCE}",
            f"ann@ {FORCE}",
            f"ann(x)@{FORCE}",
            f"ann@x@{FORCE}",
            f"=?utf-8?q?ann?=@{FORCE}",
            f"@{FORCE}",
        ),
        *(f'"open <ann@{FORCE}>', f"(open ann@{FORCE}", f"open) ann@{FORCE}", f'"a\\" <ann@{FORCE}>', f"\\ann@{FORCE}"),
        *(f"ann@{FORCE};", f"g: ann@{FORCE}", f": ann@{FORCE};", f"a: b: ann@{FORCE};;", f"x@y: ann@{FORCE};"),
        *(f"=?utf-8?q?<ann@{FORCE}>,?= <x@y.z>", f"=?utf-8?Q?x,_?= <ann@{FORCE}>", f"=?a?b?a:?= <ann@{FORCE}>"),
        *(f"ann@{FORCE}\0", f"ann@{FORCE}, \x7f", f"<> ann@{FORCE}", f"ann@{FORCE}, <>", f"((((deep)))) ann@{FORCE}"),
    ],
)
def test_a_field_that_is_not_plain_stays(value: str) -> None:
    """All of it: what is one person to one reader and somebody else to another is nobody's to change."""
    for name in (b"to", b"from", b"reply-to"):
        assert rewritten(value, leaving, name) == rewritten(value, entering, name) == value.encode()
        both = f"ann@{FORCE}, {value}"
        assert rewritten(both, leaving, name) == both.encode()


NAMES = ["From", "Sender", "Reply-To", "To", "Cc", "Disposition-Notification-To", "Return-Receipt-To", "Errors-To"]
NAMES += ["Mail-Reply-To", "Mail-Followup-To"]


@pytest.mark.parametrize("name", [*NAMES, "Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc"])
def test_fields_that_answers_go_to(name: str) -> None:
    """Those of the rule, those that ask for answers, and those of a message that was sent on."""
    field = Field(name.lower().encode(), f"{name.upper()}:ann@{FIRM_INSIDE}\r\n".encode())
    out = leaving(Header((field,)), RULES)
    assert out.fields[0].octets == f"{name.upper()}:ann@{FIRM}\r\n".encode()
    assert entering(out, RULES).fields == (field,)


@pytest.mark.parametrize(
    "name", ["Subject", "Received", "Message-ID", "References", "Bcc", "Return-Path", "X-To", "To-X"]
)
def test_other_fields_stay(name: str) -> None:
    """With whatever they hold."""
    header = Header((Field(name.lower().encode(), f"{name}: ann@{FIRM_INSIDE}, b@{FORCE}\r\n".encode()),))
    assert leaving(header, RULES) == entering(header, RULES) == header


@given(st.lists(st.tuples(st.sampled_from([b"to", b"subject", b"from", b"x"]), VALUES), max_size=5))
def test_fields_are_rewritten_each_by_itself(found: list[tuple[bytes, bytes]]) -> None:
    """In order; a field that is not plain costs no other."""
    header = Header(tuple(Field(name, name + b":" + value + b"\r\n") for name, value in found))
    for rewrite in (leaving, entering):
        alone = [rewrite(Header((field,)), RULES).fields[0] for field in header.fields]
        assert list(rewrite(header, RULES).fields) == alone


@pytest.mark.parametrize("lead", ["", "x ", "(", '"', "g:", "<"])
@pytest.mark.parametrize(
    "piece",
    [
        *(
            "(",
            ")",
            "(a",
            '"',
            '"\\',
            "<",
            ">",
            ":",
            ";",
            "a:",
            "\\",
            '"a" ',
            "=?",
            "(((a",
            ",",
            "a,",
            "a ",
            "a@b,",
            '"a"@b,',
        ),
        *(
            f"ann@{FIRM_INSIDE},",
            f"a@{FORCE},\r\n ",
            "a:;",
            "(())",
            "<a@b>,",
            "a <",
            "=?@?= ",
            "@",
            "a@",
            "ä",
            '\\"',
            "(\\)",
        ),
    ],
)
def test_long_fields_are_read_in_linear_time(piece: str, lead: str) -> None:
    """32 KiB of anything take a tenth of a second; what is not linear takes minutes, whatever the machine."""
    values = [(lead + piece * (32 * 1024))[: 32 * 1024] + tail for tail in ("", "<a@b>", '"', ");")]
    before = time.process_time()
    for value in values:
        rewritten(value, leaving)
    assert time.process_time() - before < 20.0
