"""Addresses, user IDs and names: one canonical form each, made once at the door (community §3)."""

import re
import unicodedata

from msgspec import Struct

from cjsm.community.errors import BadValue

_LONGEST = 254
_LONGEST_LOCAL = 64
#: RFC 5322 atext without ``%`` and ``!``, which other systems have read as routes.
_ATOM = re.compile(r"[a-z0-9#$&'*+\-/=?^_`{|}~]+\Z")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")


class BadAddress(BadValue):
    """Not an address that this community takes; the text says why."""


class Address(Struct, frozen=True, order=True):
    """A canonical address: dot-atom @ LDH domain, in lower case."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Return the address that *text* writes, compared without case.

        :raises BadAddress: for every other form: quoted or routed, literals, encoded words, trailing dots, non-ASCII.
        """
        if len(text) > _LONGEST:
            raise BadAddress(f"an address has at most {_LONGEST} octets")
        if not text.isascii():
            raise BadAddress("an address has ASCII letters only")
        local, at, domain = text.lower().rpartition("@")
        if not at:
            raise BadAddress("an address needs a domain: name@organisation")
        _check_local(local)
        check_domain(domain)
        return cls(local, domain)


def _check_local(local: str) -> None:
    if local.startswith('"'):
        raise BadAddress("quoted names are not used here")
    if "@" in local or local.startswith(":") or "%" in local or "!" in local:
        raise BadAddress("an address must not name a route")
    if "=?" in local:
        raise BadAddress("encoded words are not used in addresses")
    if not 0 < len(local) <= _LONGEST_LOCAL:
        raise BadAddress(f"the part before @ has 1 to {_LONGEST_LOCAL} characters")
    if not all(_ATOM.match(atom) for atom in local.split(".")):
        raise BadAddress("the part before @ has letters, digits and single dots between them")


def check_domain(domain: str) -> None:
    """Refuse what is not a plain domain of at least two labels.

    :raises BadAddress: saying why.
    """
    if domain.startswith("["):
        raise BadAddress("address literals are not used here")
    labels = domain.split(".")
    if len(labels) < 2 or not all(_LABEL.match(label) for label in labels):
        raise BadAddress("a domain has letters, digits and hyphens, with single dots between them")


class UserId(Struct, frozen=True):
    """What somebody signs in with: ``first.last@abbrev``. It is not an address."""

    name: str
    abbreviation: str

    def __str__(self) -> str:
        return f"{self.name}@{self.abbreviation}"

    @classmethod
    def parse(cls, text: str) -> "UserId":
        """:raises BadAddress: when *text* is not a user ID."""
        name, at, abbreviation = text.lower().rpartition("@")
        if not at or not _LABEL.match(abbreviation) or not text.isascii():
            raise BadAddress("a user ID has the form first.last@abbreviation")
        _check_local(name)
        return cls(name, abbreviation)

    def address(self, suffix: str) -> Address:
        """Return the hosted address of this user ID."""
        return Address(self.name, f"{self.abbreviation}.{suffix}")


class LoginName(Struct, frozen=True):
    """A name as typed at sign-in: a user ID or an address, either with ``/shared-name``."""

    user: str
    is_address: bool
    shared: str | None

    @classmethod
    def parse(cls, text: str) -> "LoginName":
        """:raises BadAddress: when *text* can be nobody's name."""
        user, slash, shared = text.strip().partition("/") if "@" in text.partition("/")[0] else (text.strip(), "", "")
        if slash:
            check_slug(shared.lower())
        parsed: Address | UserId
        parsed = Address.parse(user) if "." in user.rpartition("@")[2] else UserId.parse(user)
        return cls(str(parsed), isinstance(parsed, Address), shared.lower() if slash else None)


def check_slug(slug: str) -> None:
    """Refuse what is not a slug or abbreviation: small letters, digits and inner hyphens, 63 at most.

    :raises BadValue: saying so.
    """
    if not _LABEL.match(slug):
        raise BadValue(f"{slug!r} is not a short name", "use small letters, digits and hyphens, such as avon-police")


def name_from(first: str, last: str) -> str:
    """Return ``first.last`` as user IDs have it: transliterated to plain letters, digits and hyphens.

    :raises BadValue: when nothing is left of a name.
    """
    parts = []
    for part in (first, last):
        plain = unicodedata.normalize("NFKD", part).encode("ascii", "ignore").decode().lower()
        squeezed = re.sub(r"[^a-z0-9]+", "-", plain.replace("'", "")).strip("-")
        if not squeezed:
            raise BadValue(f"no user ID can be made from {part!r}", "give one with --user-id")
        parts.append(squeezed[:30].strip("-"))
    return ".".join(parts)
