"""DKIM signatures verified (RFC 6376 §6.1, RFC 8301, RFC 8463)."""

import base64
import binascii

from msgspec import Struct

from cjsm.mail.authentication import signatures
from cjsm.mail.authentication.bodies import BodyHashes
from cjsm.mail.authentication.domains import aligned
from cjsm.mail.authentication.interfaces import LookupFailed
from cjsm.mail.authentication.lookups import Lookups
from cjsm.mail.authentication.results import DkimVerdict, Result
from cjsm.mail.authentication.signatures import ALGORITHMS, BadSignature, Signature
from cjsm.mail.authentication.taglists import BadTags, packed, tags
from cjsm.mail.header import Field, Header
from cjsm.vault.dkimkeys import DkimVerifyingKey
from cjsm.vault.errors import Malformed, NotAuthentic, WeakKey

#: Seconds that another server's clock may be wrong.
_LEEWAY = 3_600


class _Failed(Exception):
    """A signature does not pass: with what result and why."""

    def __init__(self, result: Result, reason: str) -> None:
        super().__init__(reason)
        self.result = result
        self.reason = reason


class KeyRecord(Struct, frozen=True, kw_only=True):
    """What a domain says of one of its keys (RFC 6376 §3.6.1)."""

    key: DkimVerifyingKey
    testing: bool = False
    exact: bool = False


def verify(
    header: Header, bodies: BodyHashes, lookups: Lookups, *, author: str, most: int, now: float
) -> tuple[DkimVerdict, ...]:
    """Return a verdict for each of the first *most* signatures, in their order.

    :param author: the domain in From; signatures that could vouch for it are looked at first.
    :param now: seconds since the epoch.
    """
    fields = header.all(signatures.FIELD)[:most]
    read = [_read(field) for field in fields]

    def other(number: int) -> bool:
        signature = read[number]
        return not (isinstance(signature, Signature) and aligned(signature.domain, author, strict=False))

    found: dict[int, DkimVerdict] = {}
    for number in sorted(range(len(fields)), key=other):
        found[number] = _verdict(header, fields[number], read[number], bodies, lookups, now)
    return tuple(found[number] for number in range(len(fields)))


def _read(field: Field) -> Signature | BadSignature:
    try:
        return signatures.read(field)
    except BadSignature as error:
        return error


def _verdict(
    header: Header, field: Field, signature: Signature | BadSignature, bodies: BodyHashes, lookups: Lookups, now: float
) -> DkimVerdict:
    if isinstance(signature, BadSignature):
        return DkimVerdict(result=Result.PERMERROR, reason=str(signature))
    result, reason = Result.PASS, ""
    try:
        _check_terms(signature, now)
        _check_body(signature, bodies)
        record = key_record(signature, lookups)
        _check_octets(header, field, signature, record)
    except _Failed as failed:
        result, reason = failed.result, failed.reason
    return DkimVerdict(
        result=result,
        domain=signature.domain,
        selector=signature.selector,
        algorithm=signature.algorithm if signature.algorithm in ALGORITHMS else "",
        start=signature.start,
        reason=reason,
    )


def _check_terms(signature: Signature, now: float) -> None:
    if signature.partial:
        # Whoever forwards it may add what they like to the body (RFC 6376 §8.2).
        raise _Failed(Result.POLICY, "it leaves the end of the body unsigned")
    if signature.algorithm == "rsa-sha1":
        raise _Failed(Result.POLICY, "its algorithm is too weak")
    if signature.algorithm not in ALGORITHMS:
        raise _Failed(Result.PERMERROR, "its algorithm is unknown")
    if signature.signed is not None and signature.signed > now + _LEEWAY:
        raise _Failed(Result.POLICY, "it was made in the future")
    if signature.expires is not None and signature.expires < max(signature.signed or 0, now - _LEEWAY):
        raise _Failed(Result.POLICY, "it has expired")


def _check_body(signature: Signature, bodies: BodyHashes) -> None:
    if bodies.of(signature.body) != signature.body_hash:
        raise _Failed(Result.FAIL, "the body was changed")


def key_record(signature: Signature, lookups: Lookups) -> KeyRecord:
    """Return the record of the key that made *signature* (§6.1.2)."""
    try:
        texts = lookups.texts(f"{signature.selector}._domainkey.{signature.domain}")
    except LookupFailed as error:
        raise _Failed(Result.TEMPERROR, "its key could not be asked for") from error
    if len(texts) != 1:
        raise _Failed(Result.PERMERROR, "there are several records for its key" if texts else "there is no key for it")
    return _parse(texts[0], ALGORITHMS[signature.algorithm])


def _parse(text: bytes, kind: str) -> KeyRecord:
    try:
        found = tags(text.decode("utf-8"))
    except (BadTags, UnicodeDecodeError) as error:
        raise _Failed(Result.PERMERROR, "the record of its key is malformed") from error
    if ("v" in found and (found["v"] != "DKIM1" or next(iter(found)) != "v")) or "p" not in found:
        raise _Failed(Result.PERMERROR, "the record of its key is malformed")
    if found.get("k", "rsa") != kind or "sha256" not in packed(found.get("h", "sha256")).split(":"):
        raise _Failed(Result.PERMERROR, "its key is for another algorithm")
    if not {"*", "email"} & set(packed(found.get("s", "*")).split(":")):
        raise _Failed(Result.PERMERROR, "its key is not for mail")
    flags = packed(found.get("t", "")).split(":")
    return KeyRecord(key=_key(kind, packed(found["p"])), testing="y" in flags, exact="s" in flags)


def _key(kind: str, text: str) -> DkimVerifyingKey:
    if not text:
        raise _Failed(Result.PERMERROR, "its key was revoked")
    try:
        return DkimVerifyingKey.from_octets(kind, base64.b64decode(text, validate=True))
    except WeakKey as error:
        raise _Failed(Result.POLICY, "its key is too short, or far too long") from error
    except (Malformed, binascii.Error, ValueError) as error:
        raise _Failed(Result.PERMERROR, "its key is damaged") from error


def _check_octets(header: Header, field: Field, signature: Signature, record: KeyRecord) -> None:
    if record.exact and signature.identity != signature.domain:
        raise _Failed(Result.PERMERROR, "its key is not for names below the domain")
    signed = signatures.digest(header, field, names=signature.names, canonicalization=signature.header)
    try:
        record.key.verify(signature.signature, signed)
    except NotAuthentic as error:
        raise _Failed(Result.FAIL, "the header was changed, or the signature is not the domain's") from error
    if record.testing:
        # RFC 6376 §3.6.1: no different from unsigned mail.
        raise _Failed(Result.POLICY, "its key is on trial")
