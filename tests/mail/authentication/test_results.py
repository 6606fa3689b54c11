"""The questions that others ask of a result."""

import pytest

from cjsm.mail.authentication.results import (
    UNAVAILABLE,
    AuthenticationResult,
    DkimVerdict,
    DmarcVerdict,
    Result,
    SpfVerdict,
    confirmed,
    undecided,
)


def result(*dkim: tuple[str, Result], strict: str = "") -> AuthenticationResult:
    """A result with signatures of some domains; *strict* is a domain whose record wants equal names."""
    return AuthenticationResult(
        spf=SpfVerdict(result=Result.PASS, domain="firm.co.uk"),
        dkim=tuple(DkimVerdict(result=said, domain=domain) for domain, said in dkim),
        dmarc=DmarcVerdict(result=Result.PASS, domain=strict, strict_dkim=bool(strict)),
    )


@pytest.mark.parametrize(
    ("dkim", "expected"),
    [
        ([("firm.co.uk", Result.PASS)], True),
        ([("mail.firm.co.uk", Result.PASS)], True),
        ([("provider.example", Result.PASS), ("firm.co.uk", Result.PASS)], True),
        ([], False),
        ([("provider.example", Result.PASS)], False),
        ([("firm.co.uk", Result.FAIL)], False),
        ([("firm.co.uk", Result.POLICY)], False),
        ([("firm.co.uk", Result.TEMPERROR)], False),
        ([("provider.example", Result.PASS), ("firm.co.uk", Result.FAIL)], False),
        ([("co.uk", Result.PASS)], False),
        ([("", Result.PASS)], False),
    ],
)
def test_confirmed(dkim: list[tuple[str, Result]], expected: bool) -> None:
    """Only a signature that holds, and for the organisation in From: SPF does not count."""
    assert confirmed(result(*dkim), "Firm.co.uk") is expected


def test_confirmed_strictly() -> None:
    """Where the domain's record wants equal names."""
    below = ("mail.firm.co.uk", Result.PASS)
    assert not confirmed(result(below, strict="firm.co.uk"), "firm.co.uk")
    assert confirmed(result(("firm.co.uk", Result.PASS), strict="firm.co.uk"), "firm.co.uk")
    assert confirmed(result(below, strict="other.co.uk"), "firm.co.uk")


@pytest.mark.parametrize("domain", ["", "no domain", "co.uk", "é", "x" * 300])
def test_no_domain(domain: str) -> None:
    """Nothing vouches for what is no domain."""
    assert not confirmed(result(("firm.co.uk", Result.PASS)), domain)


def test_undecided() -> None:
    """A key that could not be asked for may confirm later; what failed will fail."""
    assert undecided(UNAVAILABLE, "firm.co.uk")
    assert undecided(result(("firm.co.uk", Result.TEMPERROR)), "firm.co.uk")
    assert not undecided(result(("firm.co.uk", Result.FAIL)), "firm.co.uk")
    assert not undecided(result(("x.example", Result.TEMPERROR), ("firm.co.uk", Result.PASS)), "firm.co.uk")
