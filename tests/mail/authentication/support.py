"""DNS made by hand, keys, and messages that others signed."""

import base64
import hashlib
import itertools
from collections.abc import Mapping, Sequence
from functools import cache
from types import SimpleNamespace
from unittest.mock import patch

import dkim
from zope.interface import implementer

from cjsm.configuration import MailSettings
from cjsm.mail.authentication.bodies import BodyHashes, BodyInspector, Canonicalization
from cjsm.mail.authentication.interfaces import IResolver, Kind, LookupFailed
from cjsm.mail.authentication.lookups import Lookups
from cjsm.mail.authentication.signatures import digest
from cjsm.mail.header import Field, Header, HeaderReader
from cjsm.vault.dkimkeys import DkimSigningKey, make_rsa

NOW = 1_800_000_000.0
DOMAIN = "firm.example"
LETTER = (
    b"From: Jo Ward <jo@firm.example>\r\n"
    b"To: Sam Hill <sam@avon.cjsm.test>\r\n"
    b"Subject: Bail\r\n at ten\r\n"
    b"Date: Thu, 1 Jan 2026 10:00:00 +0000\r\n"
    b"Message-ID: <one@firm.example>\r\n"
)
BODY = b"Dear Sam,  \r\n\r\nat\t ten.\r\n\r\n\r\n"
BOTH = (Canonicalization.SIMPLE, Canonicalization.RELAXED)


@implementer(IResolver)
class Zone:
    """Answers from a table by name and kind; a name whose table has None fails, and every lookup is kept."""

    def __init__(self, records: Mapping[tuple[str, str], Sequence[str | bytes] | None] | None = None) -> None:
        self.records = dict(records or {})
        self.asked: list[tuple[str, str]] = []
        self.seconds: list[float] = []

    def lookup(self, name: str, kind: Kind, seconds: float) -> tuple[bytes, ...]:
        self.asked.append((name, str(kind)))
        self.seconds.append(seconds)
        found = self.records.get((name, str(kind)), ())
        if found is None:
            raise LookupFailed("it is made to fail")
        return tuple(each if isinstance(each, bytes) else each.encode() for each in found)


def lookups(zone: Zone, *, most: int = 60, left: float = 20.0) -> Lookups:
    """Lookups that take no time."""
    return Lookups(zone, most=most, until=left, seconds=5.0, clock=lambda: 0.0)


@cache
def rsa() -> DkimSigningKey:
    """One RSA key for all tests."""
    return DkimSigningKey.rsa(make_rsa())


@cache
def other_rsa() -> DkimSigningKey:
    """Somebody else's."""
    return DkimSigningKey.rsa(make_rsa())


ED25519 = DkimSigningKey.ed25519(hashlib.sha256(b"a seed for tests").digest())


def key_record(key: DkimSigningKey, more: str = "") -> str:
    """What a domain publishes for *key*."""
    return f"v=DKIM1; k={key.kind}; {more}p={base64.b64encode(key.public).decode()}"


def published(*keys: tuple[str, DkimSigningKey], domain: str = DOMAIN, more: str = "") -> Zone:
    """A zone with key records by selector."""
    return Zone({(f"{selector}._domainkey.{domain}", "TXT"): [key_record(key, more)] for selector, key in keys})


def header(octets: bytes) -> Header:
    """Read a header section, without its blank line."""
    found = HeaderReader(MailSettings()).feed(octets + b"\r\n")
    assert found is not None
    return found[0]


def fields(octets: bytes) -> Header:
    """Read a header section that nobody would take: a field may occur as often as it likes."""
    lines = octets.split(b"\r\n")[:-1]
    found: list[Field] = []
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            found[-1] = Field(found[-1].name, found[-1].octets + line + b"\r\n")
        else:
            found.append(Field(line.partition(b":")[0].lower(), line + b"\r\n"))
    return Header(tuple(found))


def hashes(body: bytes, cuts: Sequence[int] = (), wanted: Sequence[Canonicalization] = BOTH) -> BodyHashes:
    """Hash *body*, which comes cut at *cuts*."""
    inspector = BodyInspector(wanted)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    for start, end in itertools.pairwise(edges):
        inspector.write(body[start:end])
    return inspector.finish()


def signed(
    section: bytes = LETTER,
    body: bytes = BODY,
    *,
    key: DkimSigningKey | None = None,
    tags: Mapping[str, str | None] | None = None,
) -> bytes:
    """A DKIM-Signature field by somebody who makes any mistake that is asked for in *tags*; None leaves a tag out."""
    key = key or rsa()
    values: dict[str, str | None] = {
        "v": "1",
        "a": f"{key.kind}-sha256",
        "c": "relaxed/simple",
        "d": DOMAIN,
        "s": "sel",
        "h": "from:to:subject:date:message-id:from",
        "bh": None,
        **(tags or {}),
    }
    _, _, kind = (values["c"] or "simple/simple").partition("/")
    found = hashes(body).of(Canonicalization(kind or "simple"))
    if values["bh"] is None:
        values["bh"] = base64.b64encode(found or b"").decode()
    text = "; ".join(f"{name}={value}" for name, value in values.items() if value is not None)
    unsigned = Field(b"dkim-signature", f"DKIM-Signature: {text}; b=\r\n".encode())
    head = Canonicalization((values["c"] or "simple").partition("/")[0])
    octets = digest(fields(section), unsigned, names=(values["h"] or "").lower().split(":"), canonicalization=head)
    return f"DKIM-Signature: {text}; b={base64.b64encode(key.sign(octets)).decode()}\r\n".encode()


def peer_says(message: bytes, zone: Zone, number: int = 0) -> bool:
    """What dkimpy, which shares no code with us, says of signature *number*."""

    def answer(name: bytes, timeout: int = 5) -> bytes | None:
        found = zone.records.get((name.decode().rstrip("."), "TXT"))
        return found[0].encode() if found and isinstance(found[0], str) else None

    clock = SimpleNamespace(time=lambda: NOW)
    try:
        with patch.object(dkim, "time", clock):
            return bool(dkim.DKIM(message).verify(idx=number, dnsfunc=answer))
    except dkim.DKIMException:
        return False
