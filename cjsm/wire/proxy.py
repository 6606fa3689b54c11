"""The header with which a load balancer says who is connected: the PROXY protocol, versions 1 and 2.

Pure: octets in, the client's address out. Follows HAProxy's specification ("The PROXY protocol", sections 2.1 and
2.2); its extensions (TLVs) are passed over.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from msgspec import Struct

#: Octets of the longest version 1 header with its CRLF (section 2.1).
LONGEST_LINE = 107
#: Octets of addresses and extensions of a version 2 header; the section asks for 536 and allows 65,535.
LONGEST_BLOCK = 4_096

_LINE = b"PROXY "
_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_FIXED = len(_SIGNATURE) + 4
_PORT = re.compile(r"0|[1-9][0-9]{0,4}")
_LOCAL, _PROXY = 0x20, 0x21
#: Address family and transport → octets of its addresses and ports; None for what has no IP address of a client.
_FAMILIES = {0x00: None, 0x11: 4, 0x21: 16, 0x31: None}


class BadHeader(Exception):
    """What came is no PROXY header."""


class Client(Struct, frozen=True):
    """Who is connected to the load balancer; without an address it is the load balancer itself, such as its probe."""

    address: str = ""
    port: int = 0


class HeaderReader:
    """Reads one header, in whatever pieces it comes."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, octets: bytes) -> tuple[Client, bytes] | None:
        """Take the next octets: the client and what came behind the header, or None while it is not complete.

        :raises BadHeader: when what came cannot be the beginning of one.
        """
        self._held += octets
        held = self._held
        found = None
        if held.startswith(_LINE):
            found = _line(held)
        elif held.startswith(_SIGNATURE):
            found = _block(held)
        elif not (_LINE.startswith(held) or _SIGNATURE.startswith(held)):
            raise BadHeader("no PROXY header")
        if found is not None:
            self._held = b""
        return found


def _line(held: bytes) -> tuple[Client, bytes] | None:
    """Read version 1 (section 2.1)."""
    end = held.find(b"\r\n", 0, LONGEST_LINE)
    if end < 0:
        if len(held) >= LONGEST_LINE:
            raise BadHeader("the line is too long")
        return None
    return _client_of(held[len(_LINE) : end]), held[end + 2 :]


def _client_of(line: bytes) -> Client:
    try:
        words = line.decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise BadHeader("the line is not ASCII") from None
    if words[0] == "UNKNOWN":
        return Client()
    if words[0] not in ("TCP4", "TCP6") or len(words) != 5:
        raise BadHeader("the line names no TCP connection")
    kind, source, destination, *ports = words
    address, _ = (_address(kind, written) for written in (source, destination))
    port, _ = (_port(written) for written in ports)
    return Client(address, port)


def _address(kind: str, written: str) -> str:
    try:
        if kind == "TCP4":
            return str(IPv4Address(written))
        if "%" not in written:
            return str(IPv6Address(written))
    except AddressValueError:
        pass
    raise BadHeader("the line has an address that is none")


def _port(written: str) -> int:
    if _PORT.fullmatch(written) is None or int(written) > 0xFFFF:
        raise BadHeader("the line has a port that is none")
    return int(written)


def _block(held: bytes) -> tuple[Client, bytes] | None:
    """Read version 2 (section 2.2)."""
    if len(held) < _FIXED:
        return None
    command, family = held[len(_SIGNATURE)], held[len(_SIGNATURE) + 1]
    length = int.from_bytes(held[_FIXED - 2 : _FIXED], "big")
    if command not in (_LOCAL, _PROXY):
        raise BadHeader("a version or command that is not known")
    if length > LONGEST_BLOCK:
        raise BadHeader("the header is too long")
    if command == _PROXY and family not in _FAMILIES:
        raise BadHeader("not a stream of a family that is known")
    octets = _FAMILIES.get(family) if command == _PROXY else None
    if octets is not None and length < 2 * octets + 4:
        raise BadHeader("the addresses are cut short")
    if len(held) < _FIXED + length:
        return None
    rest = held[_FIXED + length :]
    if octets is None:
        return Client(), rest
    block = held[_FIXED : _FIXED + length]
    address = IPv4Address(block[:4]) if octets == 4 else IPv6Address(block[:16])
    return Client(str(address), int.from_bytes(block[2 * octets : 2 * octets + 2], "big")), rest
