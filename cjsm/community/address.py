"""Addresses, user IDs and names: one canonical form each, made once at the door (community §3)."""

import re
import unicodedata

from msgspec import Struct

from cjsm.community.errors import BadValue, quoted

_LONGEST = 254
_LONGEST_LOCAL = 64
#: RFC 5322 atext without ``%`` and ``!``, which other systems have read as routes.
_ATOM = re.compile(r"[a-z0-9#$&'*+\-/=?^_`{|}~]+\Z")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
#: What user IDs are made of between dots; narrower than addresses, so that they fit a DN, a path and a command line.
_NAME = re.compile(r"[a-z0-9][a-z0-9_'-]*(?:\.[a-z0-9_'-]+)*\Z")
#: Letters that decomposition leaves alone.
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ħ": "h", "ı": "i"}
)
#: Of each part of a name, so that ``first.last`` and a duplicate's mark stay within a local part.
_LONGEST_NAME = 27


class BadAddress(BadValue):
    """Not an address that this community takes; the text says why."""


class Address(Struct, frozen=True, order=True):
    """A canonical address: dot-atom @ LDH domain, in lower case; where SMTPUTF8 was said the atoms may be UTF-8."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    def has_suffix(self, suffix: str) -> bool:
        """Whether the address is in the community's form: in a domain below *suffix*, or in *suffix* itself."""
        return has_suffix(self.domain, suffix)

    def with_suffix(self, suffix: str) -> "Address":
        """Return the address with *suffix* behind it, once.

        :raises BadAddress: when that makes it longer than an address may be.
        """
        return self if self.has_suffix(suffix) else Address.parse(f"{self}.{suffix}", international=True)

    @classmethod
    def parse(cls, text: str, *, international: bool = False) -> "Address":
        """Return the address that *text* writes, compared without case.

        :param international: the part before @ may hold letters and marks that are not ASCII, in their composed form
            (RFC 6531 section 3.3); domains are always ASCII.
        :raises BadAddress: for every other form: quoted or routed, literals, encoded words, trailing dots.
        """
        if not international and not text.isascii():
            raise BadAddress("an address has ASCII letters only")
        if len(text) > _LONGEST or len(text.encode("utf-8", "replace")) > _LONGEST:
            raise BadAddress(f"an address has at most {_LONGEST} octets", "shorten it")
        written, at, domain = text.rpartition("@")
        if not at:
            raise BadAddress("an address needs a domain: name@organisation")
        local = unicodedata.normalize("NFC", written.lower())
        _check_local(local)
        if not domain.isascii():
            # Asked before letters become small: the Kelvin sign becomes a k.
            raise BadAddress("a domain has ASCII letters only")
        domain = domain.lower()
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
        raise BadAddress(f"the part before @ has 1 to {_LONGEST_LOCAL} characters", "choose another, or shorten it")
    if not all(_ATOM.match(atom) for atom in _ascii_part(local).split(".")):
        raise BadAddress("the part before @ has letters, digits and single dots between them")


def _ascii_part(local: str) -> str:
    """Return *local* with a letter for each letter, mark or digit that is not ASCII; anything else stays and fails."""
    if local.isascii():
        return local
    return "".join("x" if not each.isascii() and unicodedata.category(each)[0] in "LMN" else each for each in local)


def check_domain(domain: str) -> None:
    """Refuse what is not a plain domain of at least two labels.

    :raises BadAddress: saying why.
    """
    if domain.startswith("["):
        raise BadAddress("address literals are not used here")
    labels = domain.split(".")
    if not domain.isascii():
        raise BadAddress("a domain has ASCII letters only")
    if len(labels) < 2 or not all(_LABEL.match(label) for label in labels):
        raise BadAddress("a domain has letters, digits and hyphens, with single dots between them")
    if labels[-1].isdigit():
        raise BadAddress("a domain is a name, not a number")
    if len(domain) > _LONGEST:
        raise BadAddress(f"a domain has at most {_LONGEST} octets")


def has_suffix(domain: str, suffix: str) -> bool:
    """Whether *domain* is *suffix* or lies below it."""
    return domain == suffix or domain.endswith(f".{suffix}")


def hosted_domain(abbreviation: str, suffix: str) -> str:
    """Return the domain of addresses kept here for an abbreviation."""
    return f"{abbreviation}.{suffix}"


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
        if not _NAME.match(name) or len(name) > _LONGEST_LOCAL:
            raise BadAddress("a user ID has letters, digits, hyphens and single dots: first.last@abbreviation")
        return cls(name, abbreviation)

    def address(self, suffix: str) -> Address:
        """Return the hosted address of this user ID.

        :raises BadAddress: when it would be too long.
        """
        return Address.parse(f"{self.name}@{hosted_domain(self.abbreviation, suffix)}")


class LoginName(Struct, frozen=True):
    """A name as typed at sign-in: a user ID or an address, either with ``/shared-name``.

    :ivar user: the user ID or address, canonical.
    :ivar is_address: whether it is an address.
    :ivar shared: the shared mailbox's slug or address, canonical, or None.
    """

    user: str
    is_address: bool
    shared: str | None

    @classmethod
    def parse(cls, text: str) -> "LoginName":
        """:raises BadAddress: when *text* can be nobody's name."""
        user, slash, shared = text.strip().partition("/")
        if "@" not in user:
            # No shared mailbox yet: a slash is part of the local part, which addresses may have.
            user, slash, shared = text.strip(), "", ""
        is_address = "." in user.rpartition("@")[2]
        canonical = str(Address.parse(user)) if is_address else str(UserId.parse(user))
        return cls(canonical, is_address, _shared_name(shared) if slash else None)


def _shared_name(name: str) -> str:
    if "@" in name:
        return str(Address.parse(name))
    if not name.isascii() or not _LABEL.match(name.lower()):
        raise BadAddress("a shared mailbox's name has small letters, digits and hyphens")
    return name.lower()


def parse_path(path: str) -> tuple[str, ...]:
    """Return the slugs of an organisation's path such as ``avon-police/crime``, compared without case.

    :raises BadValue: when a part is no slug.
    """
    slugs = tuple(path.lower().strip("/").split("/")) if path.isascii() else (path,)
    for slug in slugs:
        check_slug(slug)
    return slugs


def check_slug(slug: str) -> None:
    """Refuse what is not a slug or abbreviation: small letters, digits and inner hyphens, 63 at most.

    :raises BadValue: saying so.
    """
    if not _LABEL.match(slug):
        raise BadValue(
            f"{quoted(slug)} is not a short name", "use small letters, digits and hyphens, such as avon-police"
        )


def name_from(first: str, last: str) -> str:
    """Return ``first.last`` as user IDs have it: transliterated to plain letters, digits and hyphens.

    :raises BadValue: when nothing is left of a name.
    """
    return f"{_plain(first)}.{_plain(last)}"


def _plain(part: str) -> str:
    decomposed = unicodedata.normalize("NFKD", part.lower().translate(_LETTERS))
    joined = decomposed.replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", "")
    letters = joined.encode("ascii", "ignore").decode()
    squeezed = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:_LONGEST_NAME].strip("-")
    if not squeezed:
        raise BadValue(f"no user ID can be made from {quoted(part)}", "give one with --user-id")
    return squeezed


def numbered(name: str, number: int) -> str:
    """Return the *number*-th form of a taken name: ``-2`` and so on behind the last name (community §3)."""
    return name if number == 1 else f"{name}-{number}"
