"""Octets to requests and back; whatever comes, it is a request, an answerable mistake, or the end."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cjsm.directory.query import (
    And,
    AtLeast,
    AtMost,
    Equal,
    Matches,
    Not,
    Or,
    Present,
    Scope,
    Similar,
    Substrings,
    Undefined,
)
from cjsm.ldap.grammar import controls, filters
from cjsm.ldap.grammar.ber import OCTETS, SEQUENCE, BerError, Reader, element, number
from cjsm.ldap.grammar.codes import Operation, ResultCode
from cjsm.ldap.grammar.framing import Framer, FramingError
from cjsm.ldap.grammar.limits import DecodingLimits
from cjsm.ldap.grammar.requests import (
    AbandonRequest,
    BindRequest,
    CompareRequest,
    ExtendedRequest,
    Malformed,
    SearchRequest,
    Unacceptable,
    UnbindRequest,
    UpdateRequest,
    decode,
)
from tests.ldap import support
from tests.ldap.support import equal, present

LIMITS = DecodingLimits()


def filter_of(octets: bytes) -> object:
    """Decode one filter under the usual limits."""
    return filters.decode(Reader(octets), depth=32, most=100, octets=4_096)


@given(st.integers(-(2**62), 2**62))
def test_numbers(value: int) -> None:
    """A number is read as it was written."""
    assert Reader(number(value)).integer() == value


@given(st.binary(max_size=70_000))
def test_elements(content: bytes) -> None:
    """Contents of every length survive."""
    reader = Reader(element(OCTETS, content))
    assert reader.octets() == content
    reader.finish()


@pytest.mark.parametrize(
    "octets",
    [
        "04",
        "0480",
        "0485000000000161",
        "1f8101",
        "0402ff",
        "30800000",
        "048161",
        "0484",
    ],
)
def test_encodings_that_are_refused(octets: str) -> None:
    """Cut off, indefinite, overlong, or with long tags."""
    with pytest.raises(BerError):
        Reader(bytes.fromhex(octets)).octets(bytes.fromhex(octets)[0])


def test_lengths_of_four_octets() -> None:
    """Some clients write every length that way."""
    assert Reader(bytes.fromhex("048400000002") + b"ab").octets() == b"ab"


def test_numbers_out_of_bounds() -> None:
    """No number here has more than eight octets, and none has none."""
    for octets in (element(2, b""), element(2, b"\1" * 9)):
        with pytest.raises(BerError):
            Reader(octets).integer()


@given(st.lists(st.binary(max_size=300), max_size=5), st.data())
def test_every_cut_gives_the_same_messages(contents: list[bytes], data: st.DataObject) -> None:
    """However the stream is cut, one octet at a time included."""
    stream = b"".join(element(SEQUENCE, content) for content in contents)
    framer, found = Framer(1000), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        framer.feed(stream[:size])
        stream = stream[size:]
        while (message := framer.next_message()) is not None:
            found.append(message)
    assert found == [element(SEQUENCE, content) for content in contents]
    assert framer.buffered == 0


@pytest.mark.parametrize(
    "octets", [b"GET / HTTP/1.0\r\n", b"\x30\x80", b"\x30\x84\x7f\xff\xff\xff", b"\x30\x82\x04\x01", b"\x16"]
)
def test_a_stream_that_cannot_be_read(octets: bytes) -> None:
    """It is refused by its first octets, before anything is gathered."""
    framer = Framer(1024)
    framer.feed(octets)
    with pytest.raises(FramingError):
        framer.next_message()


def test_the_limit_is_the_limit() -> None:
    """A message of exactly as many octets as allowed is taken."""
    framer = Framer(1024)
    framer.feed(element(SEQUENCE, bytes(1024)))
    assert framer.next_message() is not None


def test_bind() -> None:
    """Simple and SASL; the password is not shown."""
    message = decode(support.bind(1, "jane", b"secret"), LIMITS)
    assert message.request == BindRequest(version=3, name="jane", mechanism=None, credentials=b"secret")
    assert "secret" not in repr(message)
    sasl = decode(support.sasl(2, "PLAIN", b"\0a\0b"), LIMITS).request
    assert sasl == BindRequest(version=3, name="", mechanism="PLAIN", credentials=b"\0a\0b")


def test_other_requests() -> None:
    """Each kind of request."""
    dn = "o=people"
    assert decode(support.unbind(1), LIMITS).request == UnbindRequest()
    assert decode(support.abandon(1, 7), LIMITS).request == AbandonRequest(7)
    assert decode(support.compare(1, dn, "cn", "x"), LIMITS).request == CompareRequest(dn, "cn", "x")
    assert decode(support.compare(1, dn, "cn", b"\xff"), LIMITS).request == CompareRequest(dn, "cn", None)
    assert decode(support.extended(1, "1.2", b"x"), LIMITS).request == ExtendedRequest("1.2", b"x")
    for operation in (Operation.ADD, Operation.MODIFY, Operation.DELETE, Operation.MODIFY_DN):
        octets = support.request(1, element(operation, b"anything"))
        assert decode(octets, LIMITS).request == UpdateRequest(operation)


def test_search() -> None:
    """All its fields; controls that are not known and not critical are left out."""
    octets = support.search(
        5,
        present("cn"),
        base="o=people",
        scope=1,
        size=10,
        time=20,
        attributes=("cn", "mail"),
        types_only=True,
        controls=(support.control("1.2", value=b"v"), support.control("1.3")),
    )
    message = decode(octets, LIMITS)
    assert message.id == 5
    assert message.extras == controls.NONE
    assert message.request == SearchRequest(
        base="o=people",
        scope=Scope.ONE,
        size_limit=10,
        time_limit=20,
        types_only=True,
        filter=Present("cn"),
        attributes=("cn", "mail"),
    )


def _substrings(*pieces: tuple[int, bytes]) -> bytes:
    listed = element(SEQUENCE, b"".join(element(tag, piece) for tag, piece in pieces))
    return element(0xA4, element(OCTETS, b"cn") + listed)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (element(0xA0, present("cn") + present("sn")), And((Present("cn"), Present("sn")))),
        (element(0xA1, b""), Or(())),
        (element(0xA2, present("cn")), Not(Present("cn"))),
        (equal("cn", "x"), Equal("cn", "x")),
        (b"\xa5" + equal("cn", "x")[1:], AtLeast("cn", "x")),
        (b"\xa6" + equal("cn", "x")[1:], AtMost("cn", "x")),
        (b"\xa8" + equal("cn", "x")[1:], Similar("cn", "x")),
        (_substrings((0x80, b"a"), (0x81, b"b"), (0x81, b"c"), (0x82, b"d")), Substrings("cn", "a", ("b", "c"), "d")),
        (_substrings((0x81, b"b")), Substrings("cn", inner=("b",))),
        (
            element(0xA9, element(0x81, b"r") + element(0x82, b"cn") + element(0x83, b"v") + b"\x84\x01\xff"),
            Matches("cn", "r", "v", True),
        ),
        (element(0xA9, element(0x83, b"v")), Matches(None, None, "v")),
        (equal("cn", b"\xff"), Undefined()),
        (element(0x87, b"\xff"), Undefined()),
    ],
)
def test_filters(octets: bytes, expected: object) -> None:
    """Every choice of the grammar; what is not text is undefined."""
    assert filter_of(octets) == expected


_WORDS = st.text(max_size=150)
_ASKED = st.recursive(
    st.builds(Present, _WORDS)
    | st.builds(Equal, _WORDS, _WORDS)
    | st.builds(AtLeast, _WORDS, _WORDS)
    | st.builds(Substrings, _WORDS, _WORDS, st.lists(_WORDS, max_size=3).map(tuple), _WORDS),
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, max_size=4).map(tuple))
        | st.builds(Or, st.lists(inner, max_size=4).map(tuple))
    ),
    max_leaves=12,
)


def _encoded(asked: object, put: Callable[[int, bytes], bytes]) -> bytes:
    """Encode a filter, each element by *put*."""

    def text(tag: int, words: str) -> bytes:
        return put(tag, words.encode())

    match asked:
        case Present(attribute):
            return text(0x87, attribute)
        case Equal(attribute, value):
            return put(0xA3, text(OCTETS, attribute) + text(OCTETS, value))
        case AtLeast(attribute, value):
            return put(0xA5, text(OCTETS, attribute) + text(OCTETS, value))
        case Substrings(attribute, initial, inner, final):
            pieces = (
                [(0x80, initial)] * bool(initial) + [(0x81, piece) for piece in inner] + [(0x82, final)] * bool(final)
            )
            return put(0xA4, text(OCTETS, attribute) + put(SEQUENCE, b"".join(text(*piece) for piece in pieces)))
        case Not(part):
            return put(0xA2, _encoded(part, put))
        case And(parts):
            return put(0xA0, b"".join(_encoded(part, put) for part in parts))
        case Or(parts):
            return put(0xA1, b"".join(_encoded(part, put) for part in parts))
    raise TypeError(asked)


@given(_ASKED, st.data())
def test_filters_of_all_lengths(asked: object, data: st.DataObject) -> None:
    """Each length may be written as shortly as it can be, or in up to four octets: it is the same filter."""

    def put(tag: int, content: bytes) -> bytes:
        octets = data.draw(st.integers(0, 4))
        if octets == 0 or len(content) >= 1 << 8 * octets:
            return element(tag, content)
        return bytes((tag, 0x80 | octets)) + len(content).to_bytes(octets, "big") + content

    assert filter_of(_encoded(asked, put)) == asked


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        element(0xA2, b""),
        element(0xA2, present("cn") + present("sn")),
        element(0x04, b"cn"),
        element(0xA3, element(OCTETS, b"cn")),
        _substrings((0x82, b"a"), (0x80, b"b")),
        _substrings((0x83, b"a")),
        element(0xA9, element(0x82, b"cn")),
        element(0xA3, element(OCTETS, b"cn") + element(SEQUENCE, b"")),
        element(0xA3, element(OCTETS, b"cn") + element(OCTETS, b"x") + element(OCTETS, b"y")),
        element(0xA3, element(SEQUENCE, b"") + element(OCTETS, b"x")),
        element(0xA4, element(OCTETS, b"cn") + element(OCTETS, b"x")),
        element(0xA4, element(OCTETS, b"cn") + b"\x30\x04\x80\x03x"),
        _substrings((0x80, b"a"), (0x80, b"b")),
        b"\xa3\x06\x04\x02cn\x04\x01",
    ],
)
def test_what_is_no_filter(octets: bytes) -> None:
    """It is refused."""
    with pytest.raises(BerError):
        filter_of(octets)


def _nested(depth: int) -> bytes:
    octets = present("cn")
    for _ in range(depth):
        octets = element(0xA2, octets)
    return octets


@pytest.mark.parametrize(
    "filter_",
    [
        _nested(5000),
        _nested(32),
        element(0xA1, present("cn") * 20_000),
        element(0xA1, present("cn") * 100),
        _substrings(*[(0x81, b"a")] * 20_000),
        _substrings(*[(0x81, b"a")] * 200),
        equal("cn", "x" * 4_100),
        present("x" * 4_100),
    ],
)
def test_filters_too_large_are_answered(filter_: bytes) -> None:
    """One search is refused in words; the connection goes on."""
    with pytest.raises(Unacceptable) as caught:
        decode(support.search(9, filter_), LIMITS)
    assert (caught.value.message_id, caught.value.code) == (9, ResultCode.ADMIN_LIMIT_EXCEEDED)


def test_filters_as_large_as_allowed() -> None:
    """The last depth and the last element are taken."""
    assert decode(support.search(9, _nested(31)), LIMITS)
    assert decode(support.search(9, element(0xA1, present("cn") * 99)), LIMITS)
    assert decode(support.search(9, equal("cn", "x" * 4_080)), LIMITS)


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (support.search(9, present("cn"), scope=3), ResultCode.PROTOCOL_ERROR),
        (support.search(9, present("cn"), size=-1), ResultCode.PROTOCOL_ERROR),
        (support.search(9, present("cn"), time=2**31), ResultCode.PROTOCOL_ERROR),
        (support.search(9, present("cn"), attributes=["cn"] * 501), ResultCode.ADMIN_LIMIT_EXCEEDED),
        (support.search(9, present("cn"), base="cn=" + "x" * 4_096), ResultCode.ADMIN_LIMIT_EXCEEDED),
        (support.compare(9, "cn=" + "x" * 4_096, "cn", "x"), ResultCode.ADMIN_LIMIT_EXCEEDED),
        (support.compare(9, "cn=x", "cn", "x" * 4_097), ResultCode.ADMIN_LIMIT_EXCEEDED),
    ],
)
def test_searches_that_are_answered_with_an_error(octets: bytes, code: ResultCode) -> None:
    """Well-formed, but not to be served."""
    with pytest.raises(Unacceptable) as caught:
        decode(octets, LIMITS)
    assert caught.value.code is code


@pytest.mark.parametrize(
    "octets",
    [
        element(SEQUENCE, b""),
        element(SEQUENCE, number(1)),
        support.request(0, element(Operation.UNBIND, b"")),
        support.request(-1, element(Operation.UNBIND, b"")),
        support.request(2**31, element(Operation.UNBIND, b"")),
        support.request(1, element(0x61, b"")),
        support.request(1, element(0x7F, b"")),
        support.unbind(1) + b"\0",
        element(SEQUENCE, number(1) + element(Operation.UNBIND, b"") + b"\x04\x00"),
        support.request(1, element(Operation.UNBIND, b""), *[support.control("1.2")] * 21),
        support.request(1, element(Operation.SEARCH, b"")),
    ],
)
def test_what_is_no_message(octets: bytes) -> None:
    """The connection ends: nothing after it can be trusted."""
    with pytest.raises(Malformed):
        decode(octets, LIMITS)


_SAMPLES = [
    support.bind(1, "jane", b"secret"),
    support.sasl(1, "PLAIN", b"\0a\0b"),
    support.search(2, support.either(equal("cn", "x"), _substrings((0x81, b"b")), _nested(3)), attributes=["cn"]),
    support.compare(3, "o=people", "cn", "x"),
    support.extended(4, "1.2", b"x"),
    support.request(5, element(Operation.UNBIND, b""), support.control("1.2", critical=True)),
]


def _attempt(octets: bytes) -> None:
    framer = Framer(65_536)
    framer.feed(octets)
    try:
        while (message := framer.next_message()) is not None:
            try:
                decode(message, LIMITS)
            except Unacceptable:
                continue
    except (FramingError, Malformed):
        return


@given(st.binary(max_size=200))
@example(b"\x30\x06\x02\x01\x01\x63\x84\x7f")
def test_any_octets(octets: bytes) -> None:
    """Nothing but the grammar's own refusals ever comes out."""
    _attempt(octets)
    _attempt(element(SEQUENCE, octets))
    _attempt(element(SEQUENCE, number(1) + octets))


@given(st.sampled_from(_SAMPLES), st.data())
def test_changed_requests(sample: bytes, data: st.DataObject) -> None:
    """Requests with changed, missing and added octets: lengths, tags, nesting."""
    octets = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(octets) - 1))
        match data.draw(st.sampled_from("sid")):
            case "s":
                octets[at] = data.draw(st.integers(0, 255))
            case "i":
                octets.insert(at, data.draw(st.integers(0, 255)))
            case _:
                del octets[at]
        if not octets:
            return
    _attempt(bytes(octets))
