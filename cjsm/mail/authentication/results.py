"""What was found out about who vouches for a message, and the questions that others ask of it."""

from enum import StrEnum

from msgspec import Struct

from cjsm.mail.authentication.domains import aligned, host_name


class Result(StrEnum):
    """The words of RFC 8601 §2.7 that are used here."""

    NONE = "none"
    PASS = "pass"
    FAIL = "fail"
    SOFTFAIL = "softfail"
    NEUTRAL = "neutral"
    #: Signed, but in a way that proves nothing here: counts as unsigned.
    POLICY = "policy"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class Policy(StrEnum):
    """What a domain asks for mail that fails DMARC (RFC 7489 §6.3)."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


class SpfVerdict(Struct, frozen=True, kw_only=True):
    """What SPF says (RFC 7208) of the domain in MAIL FROM, or in HELO where the sender is null."""

    result: Result
    domain: str = ""
    helo: bool = False


class DkimVerdict(Struct, frozen=True, kw_only=True):
    """What one signature says (RFC 6376).

    ``domain`` and what else the signature says of itself is empty where it could not be read. ``reason`` is in words
    of ours, empty where the signature passes. ``start`` is how its octets begin (RFC 6008).
    """

    result: Result
    domain: str = ""
    selector: str = ""
    algorithm: str = ""
    start: str = ""
    reason: str = ""


class DmarcVerdict(Struct, frozen=True, kw_only=True):
    """What DMARC says (RFC 7489) of the domain in From; ``policy`` is what it asks for mail that fails.

    ``strict_dkim`` is True where that domain wants exactly its own name in a signature.
    """

    result: Result
    domain: str = ""
    policy: Policy | None = None
    strict_dkim: bool = False


class AuthenticationResult(Struct, frozen=True, kw_only=True):
    """All of it. ``dkim`` has a verdict for each signature that was looked at, and is empty without one."""

    spf: SpfVerdict
    dkim: tuple[DkimVerdict, ...]
    dmarc: DmarcVerdict


def brief(result: AuthenticationResult) -> str:
    """Return *result* in one line, such as ``spf=pass dkim=pass (firm.example) dmarc=none``."""
    signed = " ".join(f"dkim={each.result}{f' ({each.domain})' if each.domain else ''}" for each in result.dkim)
    return f"spf={result.spf.result} {signed or 'dkim=none'} dmarc={result.dmarc.result}"


#: Where nothing could be found out for now.
UNAVAILABLE = AuthenticationResult(
    spf=SpfVerdict(result=Result.TEMPERROR),
    dkim=(DkimVerdict(result=Result.TEMPERROR, reason="could not be checked now"),),
    dmarc=DmarcVerdict(result=Result.TEMPERROR),
)


def confirmed(result: AuthenticationResult, from_domain: str) -> bool:
    """Whether a signature that holds vouches for *from_domain*: "aligned DKIM passes" (community §5, rule 1).

    :param from_domain: the domain in From; names below one organisation's domain vouch for each other, unless the
        domain's DMARC record wants them equal.
    """
    domain = host_name(from_domain)
    strict = result.dmarc.strict_dkim and result.dmarc.domain == domain
    return any(
        verdict.result is Result.PASS and aligned(verdict.domain, domain, strict=strict) for verdict in result.dkim
    )


def undecided(result: AuthenticationResult, from_domain: str) -> bool:
    """Whether asking again later may confirm what is not confirmed now: a reason to answer 4xx and not 5xx."""
    return not confirmed(result, from_domain) and any(verdict.result is Result.TEMPERROR for verdict in result.dkim)
