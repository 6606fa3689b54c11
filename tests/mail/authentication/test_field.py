"""Authentication-Results: ours in full, and nobody else's in our name."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cjsm.mail.authentication.field import authentication_results, authserv_id, without_claims
from cjsm.mail.authentication.results import (
    UNAVAILABLE,
    AuthenticationResult,
    DkimVerdict,
    DmarcVerdict,
    Policy,
    Result,
    SpfVerdict,
)

from .support import LETTER, fields, header

HOST = "relay.cjsm.test"


def test_everything_holds() -> None:
    """The whole field as people and programs read it."""
    told = AuthenticationResult(
        spf=SpfVerdict(result=Result.PASS, domain="firm.example"),
        dkim=(
            DkimVerdict(
                result=Result.PASS,
                domain="firm.example",
                selector="sel",
                algorithm="rsa-sha256",
                start="F45dVWD/",
            ),
        ),
        dmarc=DmarcVerdict(result=Result.PASS, domain="firm.example", policy=Policy.REJECT),
    )
    assert authentication_results(told, HOST) == (
        b"Authentication-Results: relay.cjsm.test;\r\n"
        b"\tspf=pass smtp.mailfrom=firm.example;\r\n"
        b"\tdkim=pass header.d=firm.example header.s=sel header.a=rsa-sha256\r\n"
        b"\t header.b=F45dVWD/;\r\n"
        b"\tdmarc=pass (p=reject) header.from=firm.example\r\n"
    )


def test_nothing_holds() -> None:
    """Reasons are told, and what could not be read is left out."""
    told = AuthenticationResult(
        spf=SpfVerdict(result=Result.SOFTFAIL, domain="mail.firm.example", helo=True),
        dkim=(
            DkimVerdict(result=Result.FAIL, domain="firm.example", selector="s", reason="the body was changed"),
            DkimVerdict(result=Result.PERMERROR, reason="a tag is missing"),
        ),
        dmarc=DmarcVerdict(result=Result.NONE, domain="firm.example"),
    )
    assert authentication_results(told, HOST) == (
        b"Authentication-Results: relay.cjsm.test;\r\n"
        b"\tspf=softfail smtp.helo=mail.firm.example;\r\n"
        b'\tdkim=fail reason="the body was changed" header.d=firm.example header.s=s;\r\n'
        b'\tdkim=permerror reason="a tag is missing";\r\n'
        b"\tdmarc=none header.from=firm.example\r\n"
    )


def test_nothing_known() -> None:
    """Unsigned mail, and mail that could not be looked at."""
    unsigned = AuthenticationResult(
        spf=SpfVerdict(result=Result.NONE), dkim=(), dmarc=DmarcVerdict(result=Result.PERMERROR)
    )
    assert authentication_results(unsigned, HOST) == (
        b"Authentication-Results: relay.cjsm.test;\r\n\tspf=none;\r\n\tdkim=none;\r\n\tdmarc=permerror\r\n"
    )
    assert authentication_results(UNAVAILABLE, HOST) == (
        b"Authentication-Results: relay.cjsm.test;\r\n"
        b"\tspf=temperror;\r\n"
        b'\tdkim=temperror reason="could not be checked now";\r\n'
        b"\tdmarc=temperror\r\n"
    )


def test_long_names_are_folded() -> None:
    """Lines stay short where words let them, and the field is one that our own reader takes."""
    name = ".".join(["a" * 60] * 3) + ".example"
    told = AuthenticationResult(
        spf=SpfVerdict(result=Result.PASS, domain=name),
        dkim=(DkimVerdict(result=Result.PASS, domain=name, selector=name),) * 5,
        dmarc=DmarcVerdict(result=Result.PASS, domain=name),
    )
    octets = authentication_results(told, HOST)
    (field,) = header(octets + LETTER).all(b"authentication-results")
    assert field.octets == octets
    assert max(map(len, octets.split(b"\r\n"))) < 250


OURS = [
    b"relay.cjsm.test; spf=pass",
    b"relay.cjsm.test 1; spf=pass",
    b"RELAY.cjsm.TEST;spf=pass",
    b"relay.cjsm.test.; spf=pass",
    b"(a comment) relay.cjsm.test (another (in it) \\) ) 1 ; spf=pass",
    b'"relay.cjsm.test"; spf=pass',
    b'"relay\\.cjsm.test" 1; spf=pass',
    b"\r\n\trelay.cjsm.test\r\n\t1; spf=pass",
    b"relay.cjsm.test; none",
    b"relay.cjsm.test",
    "\uff52elay.cjsm.test; spf=pass".encode(),
]
UNREADABLE = [
    b"",
    b";",
    b"spf=pass",
    b"other.example relay.cjsm.test; spf=pass",
    b"(relay.cjsm.test; spf=pass",
    b'"relay',
]
OTHERS = [b"other.example; spf=pass", b"relay.cjsm.test.other.example; spf=pass", b"xrelay.cjsm.test 1; dkim=pass"]


@pytest.mark.parametrize("value", OURS + UNREADABLE)
@pytest.mark.parametrize("name", [b"Authentication-Results: ", b"AUTHENTICATION-results:"])
def test_in_our_name(name: bytes, value: bytes) -> None:
    """Versions, comments, quotes, folds, odd case: taken out, and what nobody can read with it."""
    section = header(name + value + b"\r\n" + LETTER) if value else fields(name + b"\r\n" + LETTER)
    assert without_claims(section, (HOST,)) == header(LETTER)


@pytest.mark.parametrize("value", OTHERS)
def test_in_others_names(value: bytes) -> None:
    """Who passes the message on may say what they found; other fields are not touched."""
    section = header(b"Authentication-Results: " + value + b"\r\nX-Other: relay.cjsm.test; x\r\n" + LETTER)
    assert without_claims(section, (HOST, "smtp.cjsm.test")) == section


def test_several_names_of_ours() -> None:
    """Each door's."""
    section = header(b"Authentication-Results: smtp.cjsm.test; spf=pass\r\n" + LETTER)
    assert without_claims(section, (HOST, "SMTP.cjsm.test.")) == header(LETTER)


@example('""')
@given(st.text(st.sampled_from('relay.cjsm.test;()\\" 1=é\t'), max_size=40))
def test_total(value: str) -> None:
    """Every value has a name or none; one that begins with ours plainly is never left."""
    name = authserv_id(value)
    assert name is None or name
    assert authserv_id(f"{HOST};{value}") == HOST


def test_deep_comments() -> None:
    """A hundred thousand of them are no trouble."""
    assert authserv_id("(" * 50_000 + ")" * 50_000 + f"{HOST};") == HOST
    assert authserv_id("(" * 100_000) is None
