"""DMARC (RFC 7489 §6): whether SPF or DKIM vouches for the domain in From, and what that domain asks for if not."""

from collections.abc import Iterable

from msgspec import Struct

from cjsm.mail.authentication.domains import aligned, organisational
from cjsm.mail.authentication.interfaces import LookupFailed
from cjsm.mail.authentication.lookups import Lookups
from cjsm.mail.authentication.results import DkimVerdict, DmarcVerdict, Policy, Result, SpfVerdict
from cjsm.mail.authentication.taglists import BadTags, tags

_BEGINS = b"v=DMARC1"


class Record(Struct, frozen=True, kw_only=True):
    """A domain's policy (§6.3), for itself or for a name below it."""

    policy: Policy
    strict_spf: bool = False
    strict_dkim: bool = False


def check(lookups: Lookups, author: str, spf: SpfVerdict, dkim: Iterable[DkimVerdict]) -> DmarcVerdict:
    """Return the verdict on the domain in From; ``none`` where it has no policy.

    :param author: that domain, or an empty string where From is not one plain address.
    """
    if not author:
        return DmarcVerdict(result=Result.PERMERROR)
    try:
        record = find(lookups, author)
    except LookupFailed:
        return DmarcVerdict(result=Result.TEMPERROR, domain=author)
    if record is None:
        return DmarcVerdict(result=Result.NONE, domain=author)
    return DmarcVerdict(
        result=_result(record, author, spf, dkim), domain=author, policy=record.policy, strict_dkim=record.strict_dkim
    )


def _result(record: Record, author: str, spf: SpfVerdict, dkim: Iterable[DkimVerdict]) -> Result:
    vouching = {each.result for each in dkim if aligned(each.domain, author, strict=record.strict_dkim)}
    if aligned(spf.domain, author, strict=record.strict_spf):
        vouching.add(spf.result)
    if Result.PASS in vouching:
        return Result.PASS
    # Nobody is to lose mail for a failure of DNS (§6.6.2).
    return Result.TEMPERROR if Result.TEMPERROR in vouching else Result.FAIL


def find(lookups: Lookups, author: str) -> Record | None:
    """Return the policy for the domain *author*: its own, or its organisational domain's (§6.6.3)."""
    own = _records(lookups, author)
    if own:
        return _parse(own, below=False)
    above = organisational(author)
    return _parse(_records(lookups, above), below=True) if above != author else None


def _records(lookups: Lookups, domain: str) -> list[bytes]:
    return [text for text in lookups.texts(f"_dmarc.{domain}") if text.startswith(_BEGINS)]


def _parse(texts: list[bytes], *, below: bool) -> Record | None:
    """Return what the one record says; None where there are several, or it is none."""
    if len(texts) != 1:
        return None
    try:
        found = tags(texts[0].decode("utf-8"))
    except (BadTags, UnicodeDecodeError):
        return None
    if found.get("v") != "DMARC1":
        return None
    asked = found.get("sp", found.get("p", "")) if below else found.get("p", "")
    policy = _policy(asked) if _policy(found.get("p", "")) else None
    if policy is None:
        # A record that is there for its reports alone asks for nothing.
        if "rua" not in found:
            return None
        policy = Policy.NONE
    return Record(
        policy=policy,
        strict_spf=found.get("aspf", "r").lower() == "s",
        strict_dkim=found.get("adkim", "r").lower() == "s",
    )


def _policy(word: str) -> Policy | None:
    try:
        return Policy(word.lower())
    except ValueError:
        return None
