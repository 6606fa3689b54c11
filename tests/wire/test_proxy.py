"""The PROXY header, octet by octet."""

import ipaddress
import itertools
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cjsm.wire.proxy import LONGEST_BLOCK, LONGEST_LINE, BadHeader, Client, HeaderReader

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
PORTS = st.integers(0, 65_535)


def block(command: int, family: int, addresses: bytes, extensions: bytes = b"") -> bytes:
    """A version 2 header."""
    content = addresses + extensions
    return SIGNATURE + bytes((command, family)) + struct.pack(">H", len(content)) + content


def of_client(address: str, port: int, extensions: bytes = b"") -> bytes:
    """The version 2 header of a client."""
    packed = ipaddress.ip_address(address).packed
    addresses = packed + bytes(len(packed)) + struct.pack(">HH", port, 465)
    return block(0x21, 0x11 if len(packed) == 4 else 0x21, addresses, extensions)


V4 = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 465\r\n"
V6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 65535 0\r\n"
LONGEST = b"PROXY UNKNOWN " + b" ".join([b"f" * 39] * 2) + b" 65535 65535\r\n"
GOOD = {
    V4: Client("192.0.2.7", 56_324),
    V6: Client("2001:db8::7", 65_535),
    b"PROXY UNKNOWN\r\n": Client(),
    LONGEST: Client(),
    of_client("192.0.2.7", 1): Client("192.0.2.7", 1),
    of_client("2001:db8::7", 2, b"\x02\x00\x09mail.test"): Client("2001:db8::7", 2),
    of_client("192.0.2.7", 1, b"\xff" * (LONGEST_BLOCK - 12)): Client("192.0.2.7", 1),
    block(0x20, 0x00, b""): Client(),
    block(0x20, 0xFF, b"anything"): Client(),
    block(0x21, 0x00, b"anything"): Client(),
    block(0x21, 0x31, bytes(216)): Client(),
}
BAD = [
    b"EHLO me\r\n",
    b"\x16\x03\x01",
    b"proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n",
    b"PROXY \r\n",
    b"PROXY TCP5 192.0.2.7 198.51.100.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n",
    b"PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.07 198.51.100.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 none 1 2\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
    b"PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n",
    b"PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 2\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1 -2\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1 \xb2\r\n",
    b"PROXY " + b"x" * LONGEST_LINE,
    b"PROXY UNKNOWN " + b"x" * (LONGEST_LINE - 15) + b"\r\n",
    SIGNATURE[:-1] + b"\r",
    block(0x22, 0x11, bytes(12)),
    block(0x11, 0x11, bytes(12)),
    block(0x21, 0x12, bytes(12)),
    block(0x21, 0x11, bytes(11)),
    block(0x21, 0x21, bytes(35)),
    SIGNATURE + b"\x21\x11" + struct.pack(">H", LONGEST_BLOCK + 1),
]


def read(*pieces: bytes) -> tuple[Client, bytes] | None:
    """What a reader finds in *pieces*; nothing before the last one that it needs."""
    reader = HeaderReader()
    found = None
    for piece in pieces:
        found = (found[0], found[1] + piece) if found is not None else reader.feed(piece)
    return found


def test_the_longest_line_is_as_long_as_it_may_be() -> None:
    """Both long samples are at the limit."""
    assert len(LONGEST) <= LONGEST_LINE
    assert read(b"PROXY UNKNOWN " + b"x" * (LONGEST_LINE - 16) + b"\r\n") == (Client(), b"")


@pytest.mark.parametrize("header", GOOD)
def test_good_headers_at_every_split(header: bytes) -> None:
    """However they come, and whatever comes behind."""
    rest = b"\x16\x03\x01 hello"
    whole = header + rest
    for place in range(len(header) + 1):
        assert read(whole[:place], whole[place:]) == (GOOD[header], rest)
    assert read(*(bytes((octet,)) for octet in whole)) == (GOOD[header], rest)
    assert read(header[:-1]) is None


@pytest.mark.parametrize("header", BAD)
def test_bad_headers(header: bytes) -> None:
    """Refused, at once or octet by octet."""
    with pytest.raises(BadHeader):
        read(header)
    with pytest.raises(BadHeader):
        read(*(bytes((octet,)) for octet in header))


@given(st.ip_addresses(), PORTS, st.binary(max_size=300), st.binary(max_size=50))
def test_what_a_load_balancer_writes_is_read(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, extensions: bytes, rest: bytes
) -> None:
    """Both versions, any client."""
    kind = f"TCP{address.version}"
    line = f"PROXY {kind} {address} {address} {port} 25\r\n".encode()
    expected = (Client(str(address), port), rest)
    assert read(line + rest) == expected
    assert read(of_client(str(address), port, extensions) + rest) == expected


@given(
    st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"]),
    st.binary(max_size=200),
    st.lists(st.integers(0, 220), max_size=5),
)
@example(SIGNATURE, b"\x21\x11\x00\x0c" + bytes(12), [3])
def test_total_and_the_same_in_any_pieces(start: bytes, octets: bytes, cuts: list[int]) -> None:
    """Anything at all is a header, the beginning of one, or refused."""
    whole = start + octets
    edges = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]

    def tried(*pieces: bytes) -> object:
        try:
            return read(*pieces)
        except BadHeader:
            return BadHeader

    assert tried(whole) == tried(*(whole[a:b] for a, b in itertools.pairwise(edges)))
