"""Every way of writing an address outside that has ever led mail out of somewhere is refused, whoever sends."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.community.address import Address
from cjsm.community.admission import (
    Accept,
    AccountOrigin,
    ConnectionOrigin,
    Origin,
    Refuse,
    RelayRoute,
    Service,
    ServiceOrigin,
    admit,
    canonical,
    read_address,
)
from cjsm.community.identifiers import AccountId, ConnectionId
from tests.community.communities import FIRM_DOMAIN, SUFFIX, community, identifier

VIEW = community()
#: Everybody who may send, and as whom.
SENDERS: list[tuple[Origin, str | None]] = [
    (AccountOrigin(account=AccountId(identifier("jo.ward"))), f"jo.ward@avon.{SUFFIX}"),
    (ConnectionOrigin(connection=ConnectionId(identifier("firm-server"))), f"re.layed@firm.co.uk.{SUFFIX}"),
    (ConnectionOrigin(connection=ConnectionId(identifier("firm-server"))), None),
    *((ServiceOrigin(service=service), None) for service in Service),
]

#: What is not even an address here: refused as 553, before anybody asks where it leads.
FORMS = {
    "quoted": '"x"@evil.com',
    "quoted with an address": f'"x@evil.com"@avon.{SUFFIX}',
    "quoted space": f'"a b"@avon.{SUFFIX}',
    "quoted empty": f'""@avon.{SUFFIX}',
    "source route": f"@avon.{SUFFIX}:x@evil.com",
    "source route of two": f"@a.example,@avon.{SUFFIX}:x@evil.com",
    "route without at": f":x@avon.{SUFFIX}",
    "percent": f"x%evil.com@avon.{SUFFIX}",
    "percent twice": f"x%evil.com%a.b@avon.{SUFFIX}",
    "bang": f"evil.com!x@avon.{SUFFIX}",
    "bang at the end": f"x!evil.com@avon.{SUFFIX}",
    "two at signs": f"x@evil.com@avon.{SUFFIX}",
    "two at signs, turned": f"x@avon.{SUFFIX}@evil.com",
    "literal": "x@[192.0.2.1]",
    "literal, IPv6": "x@[IPv6:2001:db8::1]",
    "literal with the suffix": f"x@[192.0.2.1].{SUFFIX}",
    "bare number": "x@3221225985",
    "address as domain": "x@192.0.2.1",
    "encoded word": f"=?utf-8?q?x=40evil=2Ecom?=@avon.{SUFFIX}",
    "encoded word as all": "=?utf-8?b?eEBldmlsLmNvbQ==?=",
    "trailing dot": f"jo.ward@avon.{SUFFIX}.",
    "trailing dots": "x@evil.com..",
    "leading dot": f"jo.ward@.avon.{SUFFIX}",
    "two dots": f"jo.ward@avon..{SUFFIX}",
    "dot before at": f"jo.ward.@avon.{SUFFIX}",
    "dots in the name": f"jo..ward@avon.{SUFFIX}",
    "letters like ours": "jo.ward@avon.\u0441jsm.test",
    "full width": "jo.ward@avon.\uff43jsm.test",
    "full width dot": "jo.ward@avon\uff0ecjsm.test",
    "ideographic dot": "x@evil.com\u3002cjsm.test",
    "Kelvin sign": f"\u212aim@avon.{SUFFIX}",
    "dotless i": f"\u0131an@avon.{SUFFIX}",
    "zero width": f"jo.ward@avon\u200b.{SUFFIX}",
    "right to left": f"jo.ward@\u202emoc.live.{SUFFIX}",
    "not ASCII": "x@\xe9vil.com",
    "full width at": f"x\uff20evil.com@avon.{SUFFIX}",
    "NUL": f"x@evil.com\0.{SUFFIX}",
    "NUL in the name": f"jo.ward\0x@avon.{SUFFIX}",
    "space": f"x@evil.com .{SUFFIX}",
    "space before": f" jo.ward@avon.{SUFFIX}",
    "space after": f"jo.ward@avon.{SUFFIX} ",
    "tab": f"jo.ward@avon.{SUFFIX}\t",
    "new line": f"jo.ward@avon.{SUFFIX}\n",
    "new line and command": f"jo.ward@avon.{SUFFIX}\r\nRCPT TO:<x@evil.com>",
    "comment": f"x(@evil.com)@avon.{SUFFIX}",
    "comment in the domain": f"x@evil.com(.{SUFFIX})",
    "comment as suffix": f"x@evil.com (cjsm).{SUFFIX}",
    "angle brackets": f"<x@evil.com>@avon.{SUFFIX}",
    "angle brackets behind": f"jo.ward@avon.{SUFFIX}>,<x@evil.com",
    "comma": f"x@evil.com,jo.ward@avon.{SUFFIX}",
    "semicolon": f"x@evil.com;jo.ward@avon.{SUFFIX}",
    "group": f"all:x@evil.com;@avon.{SUFFIX}",
    "backslash": f"x\\@evil.com@avon.{SUFFIX}",
    "underscore in the domain": f"x@evil_com.{SUFFIX}",
    "hyphen in front": f"x@-evil.{SUFFIX}",
    "no domain": "jo.ward",
    "no name": f"@avon.{SUFFIX}",
    "nothing": "",
    "one label": "x@localhost",
    "long name": f"{'x' * 65}@avon.{SUFFIX}",
    "long": f"x@{'a.' * 130}{SUFFIX}",
}

#: What is an address, looks as if it were of the community, and is not.
OUTSIDE = {
    "plain": "x@evil.com",
    "suffix in front": f"x@{SUFFIX}.evil",
    "suffix in the middle": f"x@evil.com.{SUFFIX}.evil.com",
    "suffix without its dot": f"x@evil{SUFFIX}",
    "suffix as part of a label": f"x@{SUFFIX.replace('.', '-')}.com",
    "suffix with more": f"x@{SUFFIX}x",
    "suffix as the name": f"{SUFFIX}@evil.com",
    "suffix with a letter less": f"x@avon.{SUFFIX[:-1]}",
    "suffix alone, last label": "x@test.cjsm",
    "punycode that looks like it": "x@avon.xn--jsm-5cd.test",
    "in capitals": "X@EVIL.COM",
    "connected domain's parent": "x@co.uk",
    "connected domain with more in front": "x@evil-firm.co.uk",
    "connected domain with more behind": "x@firm.co.uk.evil.com",
}

#: In the community's form, and nobody's: a domain that was never approved does not become so by the suffix.
SUFFIXED = {
    "outside with suffix": f"x@evil.com.{SUFFIX}",
    "outside with suffix, in capitals": f"X@EVIL.COM.{SUFFIX.upper()}",
    "twice": f"re.layed@firm.co.uk.{SUFFIX}.{SUFFIX}",
    "suffix before suffix": f"x@{SUFFIX}.{SUFFIX}",
    "outside, suffix, outside, suffix": f"x@evil.com.{SUFFIX}.evil.com.{SUFFIX}",
    "below a connected domain": f"x@evil.firm.co.uk.{SUFFIX}",
    "part of a connected domain": f"x@co.uk.{SUFFIX}",
    "beside a connected domain": f"x@evil-firm.co.uk.{SUFFIX}",
    "connected domain in front": f"x@firm.co.uk.evil.com.{SUFFIX}",
    "below a hosted domain": f"jo.ward@evil.avon.{SUFFIX}",
    "hosted and connected": f"jo.ward@avon.firm.co.uk.{SUFFIX}",
    "no such abbreviation": f"x@evil.{SUFFIX}",
    "name with plus": f"jo.ward+evil@avon.{SUFFIX}",
    "name with an equals sign": f"x=evil.com@avon.{SUFFIX}",
    "name with a slash": f"jo.ward/x@avon.{SUFFIX}",
    "service address": f"x@{SUFFIX}",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_forms(text: str) -> None:
    """Refused as no address, with words that say so."""
    refused = read_address(VIEW, text)
    assert isinstance(refused, Refuse)
    assert (refused.code, refused.status) == (553, "5.1.3")
    assert refused.text.isprintable()


@pytest.mark.parametrize("text", [*OUTSIDE.values(), *SUFFIXED.values()], ids=[*OUTSIDE, *SUFFIXED])
def test_outside(text: str) -> None:
    """Refused for everybody who may send; nothing is told of who is a member."""
    recipient = read_address(VIEW, text)
    assert isinstance(recipient, Address)
    for origin, sender in SENDERS:
        verdict = admit(VIEW, origin, Address.parse(sender) if sender else None, recipient)
        assert isinstance(verdict, Refuse), (origin, verdict)
        assert verdict.code == 550
        assert SUFFIX not in verdict.text


@pytest.mark.parametrize("text", [*OUTSIDE.values(), *SUFFIXED.values()], ids=[*OUTSIDE, *SUFFIXED])
def test_nobody_sends_so(text: str) -> None:
    """What cannot be written to cannot be written from, by accounts and connections."""
    for origin, _ in SENDERS:
        if not isinstance(origin, ServiceOrigin):
            sender = canonical(VIEW, origin, Address.parse(text))
            assert isinstance(admit(VIEW, origin, sender, Address("echo", SUFFIX)), Refuse)


@pytest.mark.parametrize("text", [f"JO.WARD@avon.{SUFFIX}", f"Jo.Ward@Avon.{SUFFIX.upper()}"])
def test_capitals_are_the_same(text: str) -> None:
    """Members are reached in any case of letters: the way round a check that compares octets is closed."""
    origin, sender = SENDERS[0]
    assert isinstance(admit(VIEW, origin, Address.parse(sender or ""), Address.parse(text)), Accept)


PIECES = st.sampled_from(
    (
        *("x", "jo.ward", "evil.com", "firm.co.uk", "avon", SUFFIX, "cjsm", "test", "xn--jsm-5cd", "\u0441jsm"),
        *("=?", "?=", "\r\n", *'.@%!" \0():,[]\\<>+-'),
    )
)
JOINED = st.lists(PIECES, min_size=1, max_size=12).map("".join)
TEXTS = JOINED | st.text(string.printable + "\0\u0441\uff0e", max_size=40)


@given(TEXTS | TEXTS.map(lambda text: f"{text}.{SUFFIX}") | TEXTS.map(lambda text: f"{text}@firm.co.uk.{SUFFIX}"))
def test_whatever_is_written(text: str) -> None:
    """What is accepted is an address of an approved domain exactly as it stands, in printable ASCII without routes."""
    recipient = read_address(VIEW, text)
    if isinstance(recipient, Refuse):
        return
    assert str(recipient) == text.lower()
    assert not set(text) & set(' %!"()<>[]:;,\\\0\r\n\t')
    for origin, sender in SENDERS:
        verdict = admit(VIEW, origin, Address.parse(sender) if sender else None, recipient)
        if isinstance(verdict, Accept):
            assert recipient.domain == SUFFIX or recipient.domain.endswith(f".{SUFFIX}")
            if isinstance(verdict.route, RelayRoute):
                assert recipient.domain == verdict.route.domain == FIRM_DOMAIN.name
            else:
                assert VIEW.address(str(recipient)) is not None or recipient.domain == SUFFIX
