"""Signatures of others: what holds, what was changed, what proves nothing."""

import base64
from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from cjsm.mail.authentication import signatures
from cjsm.mail.authentication.dkim import verify
from cjsm.mail.authentication.results import DkimVerdict, Result
from cjsm.mail.header import Header

from .support import (
    BODY,
    DOMAIN,
    ED25519,
    LETTER,
    NOW,
    Zone,
    fields,
    hashes,
    header,
    key_record,
    lookups,
    other_rsa,
    peer_says,
    published,
    rsa,
    signed,
)

NAME = f"sel._domainkey.{DOMAIN}"


def look(
    message: Header | bytes,
    body: bytes = BODY,
    zone: Zone | None = None,
    *,
    most: int = 5,
    author: str = DOMAIN,
) -> tuple[DkimVerdict, ...]:
    """What is said of all signatures."""
    section = header(message) if isinstance(message, bytes) else message
    asked = lookups(zone if zone is not None else published(("sel", rsa())))
    return verify(section, hashes(body), asked, author=author, most=most, now=NOW)


def one(
    tags: Mapping[str, str | None] | None = None, zone: Zone | None = None, *, section: bytes = LETTER
) -> DkimVerdict:
    """What is said of one signature."""
    (verdict,) = look(signed(section, tags=tags) + section, zone=zone)
    return verdict


VECTOR = b"""\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>
""".replace(b"\n", b"\r\n")
VECTOR_BODY = b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
VECTOR_ZONE = Zone(
    {
        ("brisbane._domainkey.football.example.com", "TXT"): [
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
        ],
        ("test._domainkey.football.example.com", "TXT"): [
            "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR"
            "iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC"
            "DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3"
            "Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
        ],
    }
)


def test_the_vector_of_rfc_8463() -> None:
    """Appendix A.3: the same message signed with both algorithms."""
    found = look(VECTOR, VECTOR_BODY, VECTOR_ZONE, author="football.example.com")
    assert [(each.result, each.algorithm) for each in found] == [
        (Result.PASS, "ed25519-sha256"),
        (Result.PASS, "rsa-sha256"),
    ]
    assert (found[0].domain, found[0].selector, found[0].start) == ("football.example.com", "brisbane", "/gCrinpc")


def test_holds() -> None:
    """With either algorithm, and each way of making octets alike."""
    for header_way in ("simple", "relaxed"):
        for body_way in ("", "/simple", "/relaxed"):
            assert one({"c": header_way + body_way}).result is Result.PASS
    (verdict,) = look(signed(key=ED25519) + LETTER, zone=published(("sel", ED25519)))
    assert verdict == DkimVerdict(
        result=Result.PASS, domain=DOMAIN, selector="sel", algorithm="ed25519-sha256", start=verdict.start
    )
    assert one({"c": None}).result is Result.PASS


@pytest.mark.parametrize("way", ["simple/simple", "relaxed/relaxed"])
def test_like_another_implementation(way: str) -> None:
    """Another implementation takes what we take, and refuses what we refuse."""
    zone = published(("sel", rsa()))
    section = signed(tags={"c": way}) + LETTER
    for message, body in ((section, BODY), (section, BODY + b"x"), (section.replace(b"ten", b"two"), BODY)):
        (verdict,) = look(message, body, zone)
        assert (verdict.result is Result.PASS) == peer_says(message + b"\r\n" + body, zone)


@pytest.mark.parametrize("name", [b"From", b"To", b"Subject", b"Date", b"Message-ID"])
def test_changed_field(name: bytes) -> None:
    """Each field that is signed."""
    section = signed() + LETTER
    changed = section.replace(b"\r\n" + name + b": ", b"\r\n" + name + b": X")
    assert changed != section
    (verdict,) = look(changed)
    assert (verdict.result, "header was changed" in verdict.reason) == (Result.FAIL, True)


def test_field_taken_out_or_added() -> None:
    """A signed field is missing, or one more stands above it, or one that must not be there is."""
    section = signed(tags={"h": "from:to:subject:date:from:subject:reply-to"})
    assert look(section + LETTER)[0].result is Result.PASS
    assert look(section + LETTER.replace(b"Date", b"X-Date"))[0].result is Result.FAIL
    assert look(section + LETTER + b"Reply-To: m@evil.example\r\n")[0].result is Result.FAIL
    assert look(fields(section + b"Subject: evil\r\n" + LETTER))[0].result is Result.FAIL
    assert look(fields(section + b"From: m@evil.example\r\n" + LETTER))[0].result is Result.FAIL
    assert look(section + b"Received: by us\r\n" + LETTER)[0].result is Result.PASS


def test_changed_body() -> None:
    """Nothing is asked of DNS for it."""
    zone = published(("sel", rsa()))
    (verdict,) = look(signed() + LETTER, BODY.replace(b"ten", b"two"), zone)
    assert (verdict.result, verdict.reason, zone.asked) == (Result.FAIL, "the body was changed", [])


def test_changed_signature() -> None:
    """Any tag of the signature itself."""
    section = signed(tags={"t": "1700000000"})
    assert look(section + LETTER)[0].result is Result.PASS
    assert look(section.replace(b"t=1700000000", b"t=1700000001") + LETTER)[0].result is Result.FAIL
    assert look(section.replace(b" b=", b" b=AAAA") + LETTER)[0].result is Result.FAIL


def test_somebody_elses_key() -> None:
    """It does not open what was not locked with it."""
    assert one(zone=published(("sel", other_rsa()))).result is Result.FAIL


def test_part_of_a_body() -> None:
    """A signature with l= counts as unsigned, even where nothing was added."""
    assert one({"l": str(len(BODY))}) == DkimVerdict(
        result=Result.POLICY,
        domain=DOMAIN,
        selector="sel",
        algorithm="rsa-sha256",
        start=one({"l": str(len(BODY))}).start,
        reason="it leaves the end of the body unsigned",
    )
    assert one({"l": "0"}).result is Result.POLICY


@pytest.mark.parametrize(
    ("tags", "result"),
    [
        ({"t": str(int(NOW) - 10)}, Result.PASS),
        ({"t": str(int(NOW) + 7_200)}, Result.POLICY),
        ({"x": str(int(NOW) + 10)}, Result.PASS),
        ({"x": str(int(NOW) - 10)}, Result.PASS),
        ({"x": str(int(NOW) - 7_200)}, Result.POLICY),
        ({"t": str(int(NOW)), "x": str(int(NOW) - 10)}, Result.POLICY),
        ({"a": "rsa-sha1"}, Result.POLICY),
        ({"a": "dsa-sha256"}, Result.PERMERROR),
        ({"v": "2"}, Result.PERMERROR),
        ({"v": None}, Result.PERMERROR),
        ({"d": None}, Result.PERMERROR),
        ({"d": "localhost"}, Result.PERMERROR),
        ({"d": "firm..example"}, Result.PERMERROR),
        ({"d": "fírm.example"}, Result.PERMERROR),
        ({"s": "a b"}, Result.PERMERROR),
        ({"s": 'a";b'}, Result.PERMERROR),
        ({"h": "to:subject"}, Result.PERMERROR),
        ({"h": "from::to"}, Result.PERMERROR),
        ({"c": "relaxed/nowsp"}, Result.PERMERROR),
        ({"bh": "!"}, Result.PERMERROR),
        ({"bh": "AAAA"}, Result.FAIL),
        ({"t": "now"}, Result.PERMERROR),
        ({"q": "http"}, Result.PERMERROR),
        ({"q": "http:dns/txt"}, Result.PASS),
        ({"i": "@firm.example"}, Result.PASS),
        ({"i": "jö@below.firm.example"}, Result.PASS),
        ({"i": "jo@evilfirm.example"}, Result.PERMERROR),
        ({"i": "firm.example"}, Result.PERMERROR),
        ({"z": "From:what=20ever"}, Result.PASS),
    ],
)
def test_terms(tags: dict[str, str | None], result: Result) -> None:
    """What a signature says of itself: right, wrong, missing."""
    if "c" in tags:
        (verdict,) = look(signed().replace(b"relaxed/simple", str(tags["c"]).encode()) + LETTER)
    else:
        verdict = one(tags)
    assert verdict.result is result
    assert bool(verdict.reason) == (result is not Result.PASS)


@pytest.mark.parametrize(
    "octets", [b"", b";", b"=", b"v=1; v=1", b"v=1;;b=x", b"\x00", b"\xff\xff", b"v" * 900, b"a=b;" * 900]
)
def test_not_a_signature(octets: bytes) -> None:
    """It is named as one that could not be read."""
    (verdict,) = look(fields(b"DKIM-Signature:" + octets + b"\r\n" + LETTER))
    assert verdict.result is Result.PERMERROR
    assert verdict.domain == ""


def sized(bits: int) -> str:
    """A record with a public RSA key of so many bits; nobody knows its private half."""
    public = RSAPublicNumbers(65_537, 2**bits - 1).public_key()
    octets = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; p={base64.b64encode(octets).decode()}"


@pytest.mark.parametrize(
    ("records", "result"),
    [
        ([], Result.PERMERROR),
        (None, Result.TEMPERROR),
        (["v=DKIM1; p="], Result.PERMERROR),
        (["v=DKIM1; k=rsa"], Result.PERMERROR),
        (["v=DKIM2; {}"], Result.PERMERROR),
        (["k=rsa; v=DKIM1; {}"], Result.PERMERROR),
        (["k=ed25519; {}"], Result.PERMERROR),
        (["{}"], Result.PASS),
        (["v=DKIM1; n=a note é; {}"], Result.PASS),
        (["v=DKIM1; h=sha1; {}"], Result.PERMERROR),
        (["v=DKIM1; h=sha1 : sha256; {}"], Result.PASS),
        (["v=DKIM1; s=email; {}"], Result.PASS),
        (["v=DKIM1; s=tlsrpt; {}"], Result.PERMERROR),
        (["v=DKIM1; t=s; {}"], Result.PASS),
        (["v=DKIM1; t=y:s; {}"], Result.POLICY),
        (["v=DKIM1; p=AAAA"], Result.PERMERROR),
        (["v=DKIM1; p=é"], Result.PERMERROR),
        (["v=DKIM1; p=" + "A" * 4_000], Result.POLICY),
        (["v=DKIM1; {}", "v=DKIM1; {}"], Result.PERMERROR),
        ([b"\xff\xfe"], Result.PERMERROR),
        (["p=a; p=b"], Result.PERMERROR),
        (["p=" + "A" * 9_000], Result.PERMERROR),
    ],
)
def test_key_records(records: list[str | bytes] | None, result: Result) -> None:
    """Missing, revoked, damaged, twice, for something else."""
    key = key_record(rsa()).partition("k=rsa; ")[2]
    told = [each.replace("{}", key) if isinstance(each, str) else each for each in records or ()]
    assert one(zone=Zone({(NAME, "TXT"): told if records is not None else None})).result is result


def test_names_below_a_strict_key() -> None:
    """t=s: the key is for the domain alone."""
    zone = published(("sel", rsa()), more="t=s; ")
    assert one({"i": "@firm.example"}, zone).result is Result.PASS
    assert one({"i": "@below.firm.example"}, zone).result is Result.PERMERROR


@pytest.mark.parametrize(
    ("bits", "result"),
    [(768, Result.POLICY), (1_023, Result.POLICY), (1_024, Result.FAIL), (4_096, Result.FAIL), (4_097, Result.POLICY)],
)
def test_sizes_of_keys(bits: int, result: Result) -> None:
    """A key that is too short proves nothing, and one that is far too long is no way to keep us busy (RFC 8301)."""
    assert one(zone=Zone({(NAME, "TXT"): [sized(bits)]})).result is result


def test_only_some_are_looked_at() -> None:
    """Of many the first ones, and of these those for the author's domain first, so that lookups do not run out."""
    theirs = signed(tags={"d": "other.example"})
    zone = published(("sel", rsa()))
    found = look(theirs * 3 + signed() + LETTER, zone=zone, most=3)
    assert [each.domain for each in found] == ["other.example"] * 3
    found = look(theirs * 3 + signed() + LETTER, zone=zone, most=4)
    assert [each.result for each in found] == [Result.PERMERROR] * 3 + [Result.PASS]
    asked = Zone(zone.records)
    look(theirs + signed() + LETTER, zone=asked)
    assert asked.asked[0] == (NAME, "TXT")
    assert signatures.wanted(header(theirs * 9 + LETTER), 0) == frozenset()


def test_unsigned() -> None:
    """No signature, no verdict."""
    assert look(LETTER) == ()


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_total(signature: bytes, record: bytes) -> None:
    """Whatever strangers send and publish."""
    clean = signature.replace(b"\r", b"").replace(b"\n", b"")
    look(fields(b"DKIM-Signature:" + clean + b"\r\n" + LETTER))
    one(zone=Zone({(NAME, "TXT"): [record]}))


@given(st.lists(st.sampled_from([*signed().decode().split(";"), "l=1", "", " ", "c=relaxed", "b", "=", "h=from"])))
def test_total_for_parts_of_signatures(parts: list[str]) -> None:
    """Pieces of a good one in any order."""
    for verdict in look(fields(b"DKIM-Signature:" + ";".join(parts).replace("\r\n", "").encode() + b"\r\n" + LETTER)):
        assert isinstance(verdict, DkimVerdict)
