"""DMARC: what a domain asks for, and who vouches for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.mail.authentication import dmarc
from cjsm.mail.authentication.dmarc import Record
from cjsm.mail.authentication.domains import aligned, host_name, organisational
from cjsm.mail.authentication.results import DkimVerdict, DmarcVerdict, Policy, Result, SpfVerdict

from .support import Zone, lookups

NO_SPF = SpfVerdict(result=Result.NONE)


def zone(**records: str | list[str] | None) -> Zone:
    """DMARC records by what stands before firm.co.uk; an underscore for the domain itself."""
    found: dict[tuple[str, str], list[str | bytes] | None] = {}
    for name, told in records.items():
        domain = "firm.co.uk" if name == "_" else f"{name}.firm.co.uk"
        found[f"_dmarc.{domain}", "TXT"] = [told] if isinstance(told, str) else told and list(told)
    return Zone(found)


def signed(domain: str, result: Result = Result.PASS) -> DkimVerdict:
    return DkimVerdict(result=result, domain=domain)


def sent(domain: str, result: Result = Result.PASS) -> SpfVerdict:
    return SpfVerdict(result=result, domain=domain)


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("firm.co.uk", "firm.co.uk"),
        ("a.b.firm.co.uk", "firm.co.uk"),
        ("co.uk", "co.uk"),
        ("avon.police.uk", "avon.police.uk"),
        ("mail.avon.police.uk", "avon.police.uk"),
        ("avon.cjsm.test", "cjsm.test"),
        ("localhost", "localhost"),
    ],
)
def test_organisational_domains(domain: str, expected: str) -> None:
    """One label more than a public suffix; a force's name is its own below police.uk."""
    assert organisational(domain) == expected


def test_alignment() -> None:
    """Names below one organisation, or equal ones; two firms below co.uk never."""
    assert aligned("mail.firm.co.uk", "firm.co.uk", strict=False)
    assert aligned("a.firm.co.uk", "b.firm.co.uk", strict=False)
    assert not aligned("mail.firm.co.uk", "firm.co.uk", strict=True)
    assert aligned("firm.co.uk", "firm.co.uk", strict=True)
    assert not aligned("evil.co.uk", "firm.co.uk", strict=False)
    assert not aligned("co.uk", "firm.co.uk", strict=False)
    assert not aligned("kent.police.uk", "avon.police.uk", strict=False)
    assert not aligned("", "", strict=False)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *(("Firm.Example.", "firm.example"), ("_x.example", "_x.example"), ("a" * 64 + ".example", ""), ("a..b", "")),
        *(("-a.example", ""), ("", ""), (".", ""), ("a b", ""), ("é.example", ""), ("a.example\n", "")),
        *(("\u212a.example", ""), (".".join(["abcdefghi"] * 26), "")),
    ],
)
def test_host_names(text: str, name: str) -> None:
    """What is taken for a name; letters that only look like ours when made small are not."""
    assert host_name(text) == name


@pytest.mark.parametrize(
    ("told", "record"),
    [
        ("v=DMARC1; p=reject", Record(policy=Policy.REJECT)),
        ("v=DMARC1;p=Quarantine;adkim=s;aspf=s", Record(policy=Policy.QUARANTINE, strict_dkim=True, strict_spf=True)),
        ("v=DMARC1; p=none; sp=reject; pct=5; fo=1", Record(policy=Policy.NONE)),
        ("v=DMARC1; p=nonsense", None),
        ("v=DMARC1; rua=mailto:a@b.example", Record(policy=Policy.NONE)),
        ("v=DMARC1; p=what; rua=mailto:a@b.example", Record(policy=Policy.NONE)),
        ("v=DMARC12; p=reject", None),
        ("v=dmarc1; p=reject", None),
        ("p=reject; v=DMARC1", None),
        ("v=DMARC1; p=reject; p=none", None),
        ("v=DMARC1", None),
        ("v=DMARC1 p=reject", None),
        (["v=DMARC1; p=reject", "v=DMARC1; p=none"], None),
        (["v=spf1 -all", "v=DMARC1; p=reject"], Record(policy=Policy.REJECT)),
        ([], None),
    ],
)
def test_records(told: str | list[str], record: Record | None) -> None:
    """Whole, damaged, several."""
    assert dmarc.find(lookups(zone(_=told)), "firm.co.uk") == record


def test_whose_record() -> None:
    """The domain's own; else the organisation's, with what it asks for names below it; no other in between."""
    asked = zone(_="v=DMARC1; p=reject; sp=quarantine; adkim=s", own="v=DMARC1; p=none; sp=reject")
    assert dmarc.find(lookups(asked), "own.firm.co.uk") == Record(policy=Policy.NONE)
    assert dmarc.find(lookups(asked), "a.own.firm.co.uk") == Record(policy=Policy.QUARANTINE, strict_dkim=True)
    assert dmarc.find(lookups(asked), "firm.co.uk") == Record(policy=Policy.REJECT, strict_dkim=True)
    assert dmarc.find(lookups(zone(_="v=DMARC1; p=reject")), "a.firm.co.uk") == Record(policy=Policy.REJECT)
    assert dmarc.find(lookups(zone()), "co.uk") is None


@pytest.mark.parametrize(
    ("more", "spf", "dkim", "result"),
    [
        ("", NO_SPF, [], Result.FAIL),
        ("", sent("mail.firm.co.uk"), [], Result.PASS),
        ("aspf=s", sent("mail.firm.co.uk"), [], Result.FAIL),
        ("", sent("firm.co.uk", Result.SOFTFAIL), [], Result.FAIL),
        ("", sent("evil.co.uk"), [], Result.FAIL),
        ("", NO_SPF, [signed("mail.firm.co.uk")], Result.PASS),
        ("adkim=s", NO_SPF, [signed("mail.firm.co.uk")], Result.FAIL),
        ("adkim=s", NO_SPF, [signed("mail.firm.co.uk"), signed("firm.co.uk")], Result.PASS),
        ("", NO_SPF, [signed("evil.co.uk"), signed("firm.co.uk", Result.FAIL)], Result.FAIL),
        ("", NO_SPF, [signed("firm.co.uk", Result.POLICY)], Result.FAIL),
        ("", NO_SPF, [signed("firm.co.uk", Result.TEMPERROR)], Result.TEMPERROR),
        ("", sent("firm.co.uk", Result.TEMPERROR), [], Result.TEMPERROR),
        ("", NO_SPF, [signed("evil.co.uk", Result.TEMPERROR)], Result.FAIL),
        ("", sent("firm.co.uk"), [signed("firm.co.uk", Result.TEMPERROR)], Result.PASS),
    ],
)
def test_verdicts(more: str, spf: SpfVerdict, dkim: list[DkimVerdict], result: Result) -> None:
    """Either vouches if it passes for the same organisation; what could not be asked is not held against anybody."""
    found = dmarc.check(lookups(zone(_=f"v=DMARC1; p=reject; {more}")), "firm.co.uk", spf, dkim)
    assert found == DmarcVerdict(
        result=result, domain="firm.co.uk", policy=Policy.REJECT, strict_dkim=more == "adkim=s"
    )


def test_without_a_policy() -> None:
    """No record, no answer, no author."""
    assert dmarc.check(lookups(zone()), "firm.co.uk", NO_SPF, []).result is Result.NONE
    assert dmarc.check(lookups(zone(_=None)), "firm.co.uk", NO_SPF, []).result is Result.TEMPERROR
    assert dmarc.check(lookups(zone(_=None)), "a.firm.co.uk", NO_SPF, []).result is Result.TEMPERROR
    assert dmarc.check(lookups(zone()), "", NO_SPF, []) == DmarcVerdict(result=Result.PERMERROR)


@given(st.text(max_size=60), st.text(max_size=20))
def test_total(record: str, author: str) -> None:
    """Whatever is published."""
    told = zone(_=f"v=DMARC1;{record}".encode("utf-8", "replace").decode())
    dmarc.check(lookups(told), host_name(author), NO_SPF, [])
    dmarc.check(lookups(told), "firm.co.uk", NO_SPF, [])
