"""Our signatures on mail that leaves for a connection (RFC 6376 §5, RFC 8463 §3), and what is published for them.

Two signatures, RSA for everybody and Ed25519 for who knows it. Both canonicalizations are relaxed: what a connection's
own servers do to white space proves nothing. The fields that people and programs act on are signed once more often than
they occur, so that nobody can add another (§8.15).
"""

import base64
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from cjsm.mail.authentication.bodies import BodyHashes, BodyInspector, Canonicalization
from cjsm.mail.authentication.signatures import ALGORITHMS, FIELD, digest_with, signed_octets
from cjsm.mail.header import Field, Header
from cjsm.vault.dkimkeys import DkimSigningKey
from cjsm.vault.secrets import ServiceSecrets, Versions

#: Signed as often as they occur and once more.
OVERSIGNED: Final = (
    *("from", "sender", "reply-to", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references"),
    *("mime-version", "content-type", "content-transfer-encoding", "content-disposition"),
)
#: Signed as often as they occur; whoever passes the message on may add theirs.
SIGNED: Final = (
    *("resent-date", "resent-from", "resent-sender", "resent-to", "resent-cc", "resent-message-id"),
    *("list-id", "list-help", "list-unsubscribe", "list-unsubscribe-post", "list-subscribe", "list-post", "list-owner"),
    *("list-archive", "auto-submitted", "disposition-notification-to"),
)
#: Seconds that a signature holds: longer than any queue, shorter than its use to whoever sends the message again.
_LIFE = 7 * 86_400
_WIDTH = 76
_STRING = 255
_KINDS = {kind: algorithm for algorithm, kind in ALGORITHMS.items()}


class DkimRecord(Struct, frozen=True):
    """A TXT record to publish: its whole name, and its value."""

    name: str
    value: str

    @property
    def strings(self) -> tuple[str, ...]:
        """The value in pieces of 255 octets at most, as zone files hold it (RFC 6376 §3.6.2.2)."""
        return tuple(self.value[at : at + _STRING] for at in range(0, len(self.value), _STRING))


class Signer:
    """Signs in the name of one domain.

    :ivar domain: that domain, the community suffix.
    :param keys: with the selector of each; at least one.
    :param clock: seconds since the epoch.
    """

    def __init__(self, domain: str, keys: Sequence[tuple[str, DkimSigningKey]], clock: Callable[[], float]) -> None:
        self.domain = domain
        self._keys = tuple(keys)
        self._clock = clock

    def inspector(self) -> BodyInspector:
        """Return what the body's octets are to be written to before :meth:`sign`."""
        return BodyInspector((Canonicalization.RELAXED,))

    def sign(self, header: Header, bodies: BodyHashes) -> bytes:
        """Return the DKIM-Signature fields to put before *header*; takes a millisecond at most.

        :param header: as it leaves, every edit done.
        :param bodies: what the inspector's ``finish`` gave.
        :raises ValueError: when the body was not hashed for this.
        """
        if bodies.relaxed is None:
            raise ValueError("the body was not made canonical as our signatures say")
        names = tuple(_names(header))
        moment = int(self._clock())
        others = signed_octets(header, None, names=names, canonicalization=Canonicalization.RELAXED)
        return b"".join(
            self._field(others, names, bodies.relaxed, moment, selector, key) for selector, key in self._keys
        )

    def _field(
        self, others: bytes, names: Sequence[str], body: bytes, moment: int, selector: str, key: DkimSigningKey
    ) -> bytes:
        words = [
            *("v=1;", f"a={_KINDS[key.kind]};", "c=relaxed/relaxed;", f"d={self.domain};", f"s={selector};"),
            *(f"t={moment};", f"x={moment + _LIFE};"),
            *_pieces("h=", [f"{name}:" for name in names[:-1]] + [f"{names[-1]};"]),
            f"bh={base64.b64encode(body).decode()};",
        ]
        begun = _folded("DKIM-Signature:", words)
        unsigned = Field(FIELD, f"{begun}\r\n\tb=\r\n".encode("ascii"))
        signed = digest_with(others, unsigned, canonicalization=Canonicalization.RELAXED)
        signature = base64.b64encode(key.sign(signed)).decode()
        lines = [signature[at : at + _WIDTH - 4] for at in range(0, len(signature), _WIDTH - 4)]
        return f"{begun}\r\n\tb={_LINE.join(lines)}\r\n".encode("ascii")


_LINE = "\r\n\t "


def _names(header: Header) -> Iterator[str]:
    there = Counter(field.name.decode("ascii") for field in header.fields)
    for names, more in ((OVERSIGNED, 1), (SIGNED, 0)):
        for name in names:
            for _ in range(there[name] + more):
                yield name


def _pieces(tag: str, pieces: list[str]) -> list[str]:
    return [tag + pieces[0], *pieces[1:]]


def _folded(begin: str, words: Sequence[str]) -> str:
    lines = [begin]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > _WIDTH:
            lines.append("\t" + word)
        else:
            lines[-1] += " " + word
    return "\r\n".join(lines)


def signer(suffix: str, secrets: ServiceSecrets, clock: Callable[[], float]) -> Signer | None:
    """Return what signs for the community with its newest keys; None where this process holds none of them."""
    newest = ((versions, prefix) for versions, prefix in _held(secrets) if versions.numbers)
    keys = [(_selector(prefix, versions.number), versions.current) for versions, prefix in newest]
    return Signer(suffix, keys, clock) if keys else None


def published(suffix: str, secrets: ServiceSecrets) -> tuple[DkimRecord, ...]:
    """Return the records that must be in DNS for our signatures to hold, of every version of every key."""
    return tuple(
        DkimRecord(f"{_selector(prefix, number)}._domainkey.{suffix}", _value(versions.of(number)))
        for versions, prefix in _held(secrets)
        for number in versions.numbers
    )


def _held(secrets: ServiceSecrets) -> tuple[tuple[Versions[DkimSigningKey], str], ...]:
    return (secrets.dkim_rsa, "rsa"), (secrets.dkim_ed25519, "ed")


def _selector(prefix: str, number: int) -> str:
    return f"{prefix}{number}"


def _value(key: DkimSigningKey) -> str:
    return f"v=DKIM1; k={key.kind}; s=email; p={base64.b64encode(key.public).decode()}"
