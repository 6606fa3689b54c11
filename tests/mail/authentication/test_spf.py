"""SPF: what a domain's policy says of an address, and how little a hostile policy can make us do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.mail.authentication import spf
from cjsm.mail.authentication.results import Result, SpfVerdict

from .support import Zone, lookups

PEER = "192.0.2.7"


def policy(text: str | None, more: dict[tuple[str, str], list[str | bytes] | None] | None = None) -> Zone:
    """A zone in which firm.example has a policy."""
    return Zone({("firm.example", "TXT"): [text] if text is not None else None, **(more or {})})


def check(zone: Zone, peer: str = PEER, mail_from: str = "jo@firm.example", helo: str = "mail.firm.example") -> Result:
    return spf.check(lookups(zone), peer=peer, helo=helo, mail_from=mail_from).result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", Result.PASS),
        ("v=spf1 ip4:198.51.100.1 -all", Result.FAIL),
        ("v=spf1 ~all", Result.SOFTFAIL),
        ("v=spf1 ?all", Result.NEUTRAL),
        ("v=spf1", Result.NEUTRAL),
        ("v=spf10 -all", Result.NONE),
        ("some other text", Result.NONE),
        (None, Result.TEMPERROR),
        ("v=spf1 ip4:not.an.address -all", Result.PERMERROR),
        ("v=spf1 nonsense -all", Result.PERMERROR),
        ("v=spf1 a:mail.firm.example -all", Result.PASS),
        ("v=spf1 a -all", Result.FAIL),
        ("v=spf1 mx -all", Result.PASS),
        ("v=spf1 exists:%{ir}.%{l}.ok.example -all", Result.PASS),
        ("v=spf1 ptr -all", Result.PASS),
        ("v=spf1 include:other.example -all", Result.PASS),
        ("v=spf1 include:nowhere.example -all", Result.PERMERROR),
        ("v=spf1 redirect=other.example", Result.PASS),
        ("v=spf1 include:slow.example -all", Result.TEMPERROR),
        ("v=spf1 -all exp=%{nonsense", Result.PERMERROR),
        ("v=spf1 ip4:192.0.2.7 é", Result.PERMERROR),
    ],
)
def test_policies(text: str | None, result: Result) -> None:
    """Every mechanism, and everything that can be wrong with one."""
    more: dict[tuple[str, str], list[str | bytes] | None] = {
        ("mail.firm.example", "A"): [PEER],
        ("firm.example", "MX"): ["mail.firm.example."],
        ("7.2.0.192.jo.ok.example", "A"): ["127.0.0.2"],
        ("7.2.0.192.in-addr.arpa", "PTR"): ["mail.firm.example."],
        ("other.example", "TXT"): ["v=spf1 ip4:192.0.2.7 -all"],
        ("slow.example", "TXT"): None,
    }
    assert check(policy(text, more)) is result


def test_versions_of_ip() -> None:
    """An IPv6 address, and an IPv4 one that looks like it."""
    zone = policy("v=spf1 ip4:192.0.2.7 ip6:2001:db8::/32 -all")
    assert check(zone, "2001:db8::1") is Result.PASS
    assert check(zone, "2001:db9::1") is Result.FAIL
    assert check(zone, "::ffff:192.0.2.7") is Result.PASS


def test_who_is_asked() -> None:
    """The domain of MAIL FROM, or of HELO for the null sender; nobody where there is no domain."""
    zone = Zone({("mail.firm.example", "TXT"): ["v=spf1 ip4:192.0.2.7 -all"]})
    found = spf.check(lookups(zone), peer=PEER, helo="MAIL.firm.example.", mail_from="")
    assert found == SpfVerdict(result=Result.PASS, domain="mail.firm.example", helo=True)
    for helo in ("", "[192.0.2.7]", "localhost", "a b", "\xe9.example", "a\r\nb.example"):
        assert spf.check(lookups(zone), peer=PEER, helo=helo, mail_from="") == SpfVerdict(result=Result.NONE, helo=True)
    for sender in ("jo", "jo@", "jo@localhost", "jo@[192.0.2.7]", "jo@a..b"):
        assert spf.check(lookups(zone), peer=PEER, helo="x", mail_from=sender) == SpfVerdict(result=Result.NONE)
    assert check(zone, "no address") is Result.NONE
    quoted = policy("v=spf1 exists:%{o}.ok.example -all", {("firm.example.ok.example", "A"): ["127.0.0.2"]})
    assert check(quoted, mail_from='"a@evil.example"@firm.example') is Result.PASS


def test_two_policies() -> None:
    """Which one is meant nobody can say."""
    assert check(Zone({("firm.example", "TXT"): ["v=spf1 +all", "v=spf1 -all"]})) is Result.PERMERROR
    assert check(Zone({("firm.example", "TXT"): ["v=spf1 +all", "other", b"\xff\xfe"]})) is Result.PASS


def test_ten_terms() -> None:
    """RFC 7208 §4.6.4: the eleventh that asks DNS is one too many, through includes and alone."""
    ten = " ".join(f"a:h{number}.example" for number in range(10))
    hosts: dict[tuple[str, str], list[str | bytes] | None] = {
        (f"h{number}.example", "A"): ["198.51.100.1"] for number in range(11)
    }
    assert check(policy(f"v=spf1 {ten} -all", hosts)) is Result.FAIL
    assert check(policy(f"v=spf1 {ten} a:h10.example -all", hosts)) is Result.PERMERROR
    chain: dict[tuple[str, str], list[str | bytes] | None] = {
        (f"i{number}.example", "TXT"): [f"v=spf1 include:i{number + 1}.example -all"] for number in range(20)
    }
    zone = policy("v=spf1 include:i0.example -all", chain)
    assert check(zone) is Result.PERMERROR
    assert len(zone.asked) <= 12
    loop = policy("v=spf1 include:firm.example -all")
    assert check(loop) is Result.PERMERROR
    assert len(loop.asked) == 1
    assert check(policy("v=spf1 redirect=firm.example")) is Result.PERMERROR


def test_empty_answers() -> None:
    """Two are tolerated, the third is too many."""
    assert check(policy("v=spf1 a:one.example a:two.example ~all")) is Result.SOFTFAIL
    assert check(policy("v=spf1 a:one.example a:two.example a:three.example ~all")) is Result.PERMERROR


def test_too_many_hosts() -> None:
    """More than ten MX hosts are refused, and lookups end where the message's are used up."""
    hosts: dict[tuple[str, str], list[str | bytes] | None] = {
        ("firm.example", "MX"): [f"h{number}.example" for number in range(11)]
    }
    assert check(policy("v=spf1 mx -all", hosts)) is Result.PERMERROR
    many: dict[tuple[str, str], list[str | bytes] | None] = {}
    for number in range(10):
        many[f"m{number}.example", "MX"] = [f"h{number}-{each}.example" for each in range(10)]
        many.update({(f"h{number}-{each}.example", "A"): ["198.51.100.1"] for each in range(10)})
    zone = policy("v=spf1 " + " ".join(f"mx:m{number}.example" for number in range(10)) + " -all", many)
    assert spf.check(lookups(zone, most=20), peer=PEER, helo="x", mail_from="a@firm.example").result is Result.PERMERROR
    assert len(zone.asked) == 20


def test_no_time() -> None:
    """A message whose time is over is a temporary error."""
    zone = policy("v=spf1 -all")
    found = spf.check(lookups(zone, left=0), peer=PEER, helo="x", mail_from="a@firm.example")
    assert (found.result, zone.asked) == (Result.TEMPERROR, [])


words = st.sampled_from(
    [
        *("v=spf1", "a", "mx", "ptr", "all", "-all", "exists:", "include:", "redirect=", "exp=", "%{", "%{p}"),
        *("ip4:", "ip6:::1", "/33", "//129", "firm.example", "%%", "%_", ".", "=", ":", "%{d0}", "%{S}", "é"),
        *("%{l99999r+-}", "a" * 300, "ip4:192.0.2.7/" + "9" * 5_000, "%{d" + "9" * 5_000 + "}"),
    ]
)


@given(st.lists(words, max_size=8), st.sampled_from([" ", ""]), st.text(max_size=20), st.text(max_size=20))
def test_total(parts: list[str], between: str, local: str, helo: str) -> None:
    """Whatever is published, and whoever says they send."""
    text = "v=spf1 " + between.join(parts)
    more: dict[tuple[str, str], list[str | bytes] | None] = {
        ("firm.example", "A"): ["x", "198.51.100.1", "::1"],
        ("firm.example", "MX"): ["..", "firm.example", b"\xff"],
        ("7.2.0.192.in-addr.arpa", "PTR"): ["firm.example", "a b"],
    }
    found = spf.check(lookups(policy(text, more)), peer=PEER, helo=helo, mail_from=f"{local}@firm.example")
    assert found.domain == "firm.example"
