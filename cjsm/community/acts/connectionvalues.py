"""What the values of a connection may be: each check returns the value in its one stored form."""

import ipaddress
import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from cjsm.community.acts.acting import check_text
from cjsm.community.address import check_slug
from cjsm.community.errors import BadValue, quoted
from cjsm.community.identifiers import LENGTH
from cjsm.community.records import Connection, ConnectionKind, NextHop, RelayLimits

T = TypeVar("T")

_NEXT_HOPS = 8
#: Where mail systems listen.
_PORT = 25
_NETWORKS = 64
_CERTIFICATE_NAMES = 16
#: The current key of a next hop and the one after it.
_PINS = 2
_LONGEST_HOST = 253
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_PIN = re.compile(r"[0-9a-f]{64}\Z")
_IDENTIFIER = re.compile(rf"[0-9a-f]{{{2 * LENGTH}}}\Z")
#: Shorter prefixes than these narrow nothing.
_WIDEST = {4: 8, 6: 16}
_DAY = 86_400

#: The least and most of each figure of a connection's own limits.
LIMITS: dict[str, tuple[int, int]] = {
    "concurrency": (1, 100),
    "messages_per_connection": (1, 10_000),
    "messages_per_minute": (1, 100_000),
    "message_octets": (65_536, 1 << 30),
    "retry_first": (1, _DAY),
    "retry_most": (1, 7 * _DAY),
    "delay_notice": (60, 7 * _DAY),
    "give_up": (600, 30 * _DAY),
}


def checked(connection: Connection) -> Connection:
    """Return *connection* with every value in its stored form.

    :raises BadValue: naming the value that is not taken, and what would be.
    """
    _check_kind(connection)
    return msgspec.structs.replace(
        connection,
        slug=check_short_name(connection.slug),
        name=check_text(connection.name, "a name"),
        contact=connection.contact and check_text(connection.contact, "a contact"),
        next_hops=_each(checked_hop, connection.next_hops, _NEXT_HOPS, "next hops"),
        networks=_each(_network, connection.networks, _NETWORKS, "networks"),
        certificate_names=_each(_name, connection.certificate_names, _CERTIFICATE_NAMES, "certificate names"),
        tls_pins=_each(_pin, connection.tls_pins, _PINS, "pins: the current key and the next"),
        tls_name=connection.tls_name and _name(connection.tls_name),
        limits=_limits(connection.limits),
    )


def check_short_name(slug: str) -> str:
    """Return the short name in small letters; one that looks like an identifier would name two connections."""
    told = slug.lower()
    check_slug(told)
    if _IDENTIFIER.match(told):
        raise BadValue(f"{quoted(slug)} looks like an identifier", "use a name, such as firm-server")
    return told


def check_host(host: str) -> str:
    """Return a host name, or an IP address, in its one form.

    :raises BadValue: for anything else.
    """
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return _name(host)


def next_hop_of(written: str) -> NextHop:
    """Return the next hop that is written as ``host``, ``host:port``, an address or ``[address]:port``.

    :raises BadValue: when its port is none; its host is judged by :func:`checked`.
    """
    host, colon, port = written.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or (":" in host and not bracketed):
        return NextHop(host=written.strip("[]"), port=_PORT)
    if not (port.isascii() and port.isdigit() and len(port) < 6):
        raise BadValue(f"{quoted(written)} has no port", "write it like mail.firm.co.uk:25")
    return NextHop(host=host.strip("[]"), port=int(port))


def hop_in_words(each: NextHop) -> str:
    """Return a next hop as it is given: ``host:port``."""
    return f"[{each.host}]:{each.port}" if ":" in each.host else f"{each.host}:{each.port}"


def checked_hop(hop: NextHop) -> NextHop:
    """Return a next hop in its one form.

    :raises BadValue: when its host or port is none.
    """
    if not 0 < hop.port < 65_536:
        raise BadValue(f"{hop.port} is not a port", "ports are 1 to 65535; mail systems listen on 25")
    return NextHop(host=check_host(hop.host), port=hop.port)


def _check_kind(connection: Connection) -> None:
    cloud = connection.kind is ConnectionKind.CLOUD
    if not cloud and (connection.tenant or connection.provider):
        raise BadValue("only a cloud connection has a tenant and a provider", "leave both out")
    if connection.tenant:
        check_text(connection.tenant, "a tenant")
    if connection.provider:
        check_slug(connection.provider)


def _each(check: Callable[[T], T], values: tuple[T, ...], most: int, what: str) -> tuple[T, ...]:
    told = tuple(check(value) for value in values)
    if len(told) > most:
        raise BadValue(f"a connection has at most {most} {what}")
    if len(set(told)) != len(told):
        raise BadValue(f"one of the {what} is there twice", "give each once")
    return told


def _name(host: str) -> str:
    told = host.lower()
    labels = told.split(".")
    if len(told) > _LONGEST_HOST or not all(_LABEL.match(label) for label in labels) or labels[-1].isdigit():
        raise BadValue(
            f"{quoted(host)} is not a host name", "use letters, digits, hyphens and dots, such as mail.firm.co.uk"
        )
    return told


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise BadValue(f"{text!r} is not a network: {error}", "write it like 192.0.2.0/24 or 2001:db8::/48") from None
    if network.prefixlen < _WIDEST[network.version]:
        raise BadValue(f"{network} is too wide to narrow anything", "name the networks that the mail comes from")
    return str(network)


def _pin(text: str) -> str:
    told = text.lower()
    if not _PIN.match(told):
        raise BadValue(
            f"{quoted(text)} is not a pin",
            "a pin is the SHA-256 of the key (SubjectPublicKeyInfo): 64 hexadecimal digits",
        )
    return told


def _limits(limits: RelayLimits) -> RelayLimits:
    told = msgspec.structs.asdict(limits)
    for name, (least, most) in LIMITS.items():
        if told[name] is not None and not least <= told[name] <= most:
            raise BadValue(f"the limit {name} is {least} to {most}, not {told[name]}")
    for first, last in (("retry_first", "retry_most"), ("delay_notice", "give_up")):
        if told[first] is not None and told[last] is not None and told[first] > told[last]:
            raise BadValue(f"the limit {first} is later than {last}", f"make {last} at least {told[first]}")
    return limits
