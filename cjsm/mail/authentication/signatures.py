"""What a DKIM-Signature field says (RFC 6376 §3.5), and the octets that it signs (§3.4, §3.7, §5.4.2)."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from cjsm.mail.authentication.bodies import Canonicalization
from cjsm.mail.authentication.domains import host_name
from cjsm.mail.authentication.taglists import BadTags, packed, tags
from cjsm.mail.header import Field, Header

FIELD: Final = b"dkim-signature"
#: Algorithms (RFC 8301, RFC 8463) and the kinds of keys they need.
ALGORITHMS = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
_NAME = re.compile(r"[!-9;-~]+")
_NUMBER = re.compile(r"[0-9]{1,12}")
_WHITE = re.compile(rb"[ \t]+")
_SIGNED = re.compile(rb"((?:^|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*")
_START = 8
#: Names in h= that are looked at: a header section has no more fields by far.
_NAMES = 1_000


class BadSignature(ValueError):
    """The field is not a signature as RFC 6376 has it; the text says why."""


class Signature(Struct, frozen=True, kw_only=True):
    """One signature. ``names`` are in lower case; times are seconds since the epoch or None."""

    algorithm: str
    domain: str
    selector: str
    identity: str
    header: Canonicalization
    body: Canonicalization
    names: tuple[str, ...]
    body_hash: bytes
    signature: bytes
    signed: int | None = None
    expires: int | None = None
    partial: bool = False

    @property
    def start(self) -> str:
        """How the signature begins, in base64 (RFC 6008)."""
        return base64.b64encode(self.signature[:_START]).decode()[:_START]


def read(field: Field) -> Signature:
    """Return what the field says.

    :raises BadSignature: when something is missing or malformed, or From is not signed.
    """
    try:
        found = tags(field.value)
    except BadTags as error:
        raise BadSignature(str(error)) from error
    missing = [name for name in ("v", "a", "b", "bh", "d", "h", "s") if not found.get(name)]
    if missing or found["v"] != "1":
        raise BadSignature("a tag is missing" if missing else "an unknown version")
    header, body = _canonicalizations(found.get("c", "simple"))
    domain, selector = host_name(found["d"]), host_name(found["s"])
    if not domain or "." not in domain or not selector:
        raise BadSignature("no domain, or no selector")
    if "dns/txt" not in packed(found.get("q", "dns/txt")).split(":"):
        raise BadSignature("its key is not in DNS")
    return Signature(
        algorithm=found["a"].lower(),
        domain=domain,
        selector=selector,
        identity=_identity(found.get("i", ""), domain),
        header=header,
        body=body,
        names=_names(found["h"]),
        body_hash=_octets(found["bh"]),
        signature=_octets(found["b"]),
        signed=_number(found, "t"),
        expires=_number(found, "x"),
        partial="l" in found,
    )


def wanted(header: Header, most: int) -> frozenset[Canonicalization]:
    """Return how the body is to be made canonical for the first *most* signatures of *header*."""
    found = set()
    for field in header.all(FIELD)[:most]:
        try:
            found.add(read(field).body)
        except BadSignature:
            continue
    return frozenset(found)


def _canonicalizations(value: str) -> tuple[Canonicalization, Canonicalization]:
    header, _, body = value.lower().partition("/")
    try:
        return Canonicalization(header), Canonicalization(body or "simple")
    except ValueError:
        raise BadSignature("an unknown canonicalization") from None


def _identity(value: str, domain: str) -> str:
    """Return the domain of i=, which must be *domain* or one below it."""
    if not value:
        return domain
    identity = host_name(value.rpartition("@")[2])
    if "@" not in value or not (identity == domain or identity.endswith(f".{domain}")):
        raise BadSignature("it speaks for a domain that is not its own")
    return identity


def _names(value: str) -> tuple[str, ...]:
    names = tuple(packed(value).lower().split(":"))
    if len(names) > _NAMES or not all(map(_NAME.fullmatch, names)) or "from" not in names:
        raise BadSignature("it does not sign From, or its list of fields is malformed")
    return names


def _octets(value: str) -> bytes:
    try:
        return base64.b64decode(packed(value), validate=True)
    except (binascii.Error, ValueError):
        raise BadSignature("not base64") from None


def _number(found: dict[str, str], name: str) -> int | None:
    if name not in found:
        return None
    if not _NUMBER.fullmatch(found[name]):
        raise BadSignature("a time is no number")
    return int(found[name])


def digest(header: Header, field: Field, *, names: Sequence[str], canonicalization: Canonicalization) -> bytes:
    """Return the SHA-256 that a signature field signs.

    :param names: the fields that are signed, in lower case and in order; the last field of a name comes first, and a
        name with no field left stands for one that must not be there (§5.4.2).
    :param field: the signature's own field; what it has in ``b=`` is left out.
    """
    others = signed_octets(header, field, names=names, canonicalization=canonicalization)
    return digest_with(others, field, canonicalization=canonicalization)


def signed_octets(
    header: Header, own: Field | None, *, names: Sequence[str], canonicalization: Canonicalization
) -> bytes:
    """Return what :func:`digest` hashes before the signature's *own* field, which may be in *header*."""
    return b"".join(canonical(each, canonicalization) for each in _selected(header, own, names))


def digest_with(others: bytes, field: Field, *, canonicalization: Canonicalization) -> bytes:
    """Return :func:`digest` of what :func:`signed_octets` gave, for a signature whose own field is *field*."""
    name, colon, value = field.octets.partition(b":")
    own = Field(field.name, name + colon + _SIGNED.sub(rb"\1", value, count=1))
    return hashlib.sha256(others + canonical(own, canonicalization).removesuffix(b"\r\n")).digest()


def _selected(header: Header, own: Field | None, names: Sequence[str]) -> Iterator[Field]:
    by_name: dict[str, list[Field]] = {}
    for field in header.fields:
        if field is not own:
            by_name.setdefault(field.name.decode("ascii"), []).append(field)
    for name in names:
        if by_name.get(name):
            yield by_name[name].pop()


def canonical(field: Field, canonicalization: Canonicalization) -> bytes:
    """Return a field as it is hashed (§3.4.1, §3.4.2), line end included."""
    if canonicalization is Canonicalization.SIMPLE:
        return field.octets
    _, _, value = field.octets.partition(b":")
    return field.name + b":" + _WHITE.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ") + b"\r\n"
