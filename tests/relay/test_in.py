"""Mail from organisations' own servers at the relay door, on the wire: who they are, and what they may send."""

import os
import re
from collections.abc import Callable, Iterator
from email import message_from_bytes
from typing import Any

import pytest

from cjsm.community.records import ConnectionState, DomainState, NextHop, OrganisationState
from tests.conformance.smtp.client import Reply, Wire
from tests.peers.certificates import Identity
from tests.peers.scripted import ScriptedPeer
from tests.relay.caller import NAME, Calls, addressed, send
from tests.relay.evasions import every_form, from_account, from_connection
from tests.relay.firm import Firm
from tests.running import Community

_ANYWHERE_HERE = ("127.0.0.0/8",)
_ELSEWHERE = ("192.0.2.0/24",)


@pytest.fixture(scope="module")
def chambers(firm: Firm, tmp_path_factory: pytest.TempPathFactory) -> Firm:
    """Another organisation with a server of its own; the door knows both."""
    made = Firm(firm.community, tmp_path_factory.mktemp("chambers"), "chambers", firm.certificates)
    made.join(1)
    firm.community.reload()
    return made


@pytest.fixture(scope="module")
def shown(firm: Firm, chambers: Firm) -> Identity:
    """The certificate that the community issued for the firm."""
    assert chambers.community is firm.community
    return firm.issued()


@pytest.fixture
def reader(firm: Firm) -> dict[str, Any]:
    """A member whose mail is kept here; the mailbox is empty."""
    account = firm.community.person("tom.harding@avon")
    firm.community.empty(account)
    return account


@pytest.fixture
def calls(firm: Firm) -> Iterator[Calls]:
    """Sessions with the door."""
    made = Calls(firm.community)
    yield made
    made.close()


@pytest.fixture
def wire(calls: Calls, shown: Identity) -> Wire:
    """A session of the firm's server."""
    return calls.call(shown)


def letter(sender: str, *fields: str) -> bytes:
    """Return a message with some more fields in its header."""
    lines = [f"From: Jo Ward <{sender}>", "Subject: Bundle", f"Message-ID: <{os.urandom(6).hex()}@firm.example>"]
    return "".join(f"{line}\r\n" for line in (*lines, *fields, "", "Enclosed.")).encode()


def refused(answer: Reply, words: str = "") -> None:
    """Hold *answer* against the one refusal for what is not approved."""
    assert (answer.code, answer.status) == (550, "5.7.1"), answer
    assert words in answer.lines[0], answer


def one(community: Community, reader: dict[str, Any]) -> bytes:
    """Return the one message in a mailbox."""
    (octets,) = community.messages(reader, 1).values()
    return octets


# Before TLS


def test_before_tls(firm: Firm, calls: Calls) -> None:
    """Nothing but STARTTLS is to be had, and no word of a message is taken."""
    wire = calls.wire()
    assert wire.reply().code == 220
    offered = wire.say(f"EHLO {NAME}")
    assert "STARTTLS" in offered.lines
    assert not [line for line in offered.lines if line.startswith(("AUTH", "SIZE", "CHUNKING"))]
    for said in ("MAIL FROM:<jo@firm.example>", "RCPT TO:<x@a.cjsm.test>", "DATA", "RSET", "HELP", "AUTH PLAIN AA=="):
        answer = wire.say(said)
        assert (answer.code, answer.status) == (530, "5.7.0"), f"{said}: {answer}"
    assert wire.say("NOOP").code == 250
    assert wire.say("QUIT").code == 221
    assert wire.rest() == []


def test_nobody_signs_in(firm: Firm, calls: Calls, wire: Wire) -> None:
    """Passwords are for people: this door neither offers nor takes nor explains AUTH, and knows nobody by one."""
    said = wire.say("EHLO again.example")
    assert not [line for line in said.lines if line.startswith("AUTH")]
    assert "AUTH" not in str(wire.say("HELP"))
    assert wire.say("AUTH PLAIN AGEAYg==").code == 502
    assert wire.say("AUTH LOGIN").code == 502
    refused(calls.call().say("MAIL FROM:<jo@firm.example>"))


# Who it is

#: What a server may show that proves nothing, and what it is told.
STRANGERS: dict[str, tuple[Callable[[Firm], Identity | None], str]] = {
    "nothing": (lambda _: None, "shows no certificate: let it show the one that this community issued"),
    "self-signed": (lambda firm: firm.certificates.self_signed(firm.name), "nobody but its owner vouches for it"),
    "foreign": (lambda firm: firm.certificates.foreign(firm.name), "certificate proves nothing"),
    "expired": (lambda firm: firm.certificates.expired(firm.name), "it has expired"),
    "not yet valid": (lambda firm: firm.certificates.not_yet_valid(firm.name), "it is not valid yet"),
    "of nobody here": (lambda firm: firm.certificates.client("mail.other.example"), "is not for a name that"),
}


@pytest.mark.usefixtures("chambers")
@pytest.mark.parametrize("kind", STRANGERS)
def test_a_stranger(firm: Firm, calls: Calls, reader: dict[str, Any], kind: str) -> None:
    """TLS works, and MAIL is answered with what to show; nothing goes on after that."""
    make, words = STRANGERS[kind]
    wire = calls.call(make(firm))
    refused(wire.say("MAIL FROM:<jo@firm.example>"), words)
    refused(wire.say("MAIL FROM:<>"), words)
    for said in (f"RCPT TO:<{reader['address']}>", "DATA"):
        assert wire.say(said).code in (503, 550)
    assert wire.say("QUIT").code == 221


def test_an_issued_certificate(firm: Firm, wire: Wire, reader: dict[str, Any]) -> None:
    """What `cjsm connection certificate issue` hands out is all that the firm's server needs."""
    answer = send(wire, "jo@firm.example", [reader["address"]], letter("jo@firm.example"))
    assert answer.code == 250
    assert b"Enclosed." in one(firm.community, reader)


def test_a_revoked_certificate(firm: Firm, calls: Calls) -> None:
    """It proves nothing any more, and a session that began with it ends by itself."""
    lost = firm.issued()
    wire = calls.call(lost)
    assert wire.say("MAIL FROM:<jo@firm.example>").code == 250
    firm.revoke(lost)
    assert wire.reply().code == 421
    assert wire.rest() == []
    refused(calls.call(lost).say("MAIL FROM:<jo@firm.example>"), "was revoked")


@pytest.mark.usefixtures("chambers")
@pytest.mark.parametrize("kind", ["client", "server"])
def test_an_expected_name(firm: Firm, calls: Calls, kind: str) -> None:
    """A certificate of another authority that is trusted proves the connection that expects its name, whatever the
    certificate was issued for.
    """
    wire = calls.call(getattr(firm.certificates, kind)(firm.name))
    assert wire.say("MAIL FROM:<jo@firm.example>").code == 250


@pytest.mark.parametrize("how", ["issued", "named"])
def test_networks_narrow(firm: Firm, calls: Calls, shown: Identity, how: str) -> None:
    """A certificate counts only from where its connection sends."""
    showing = shown if how == "issued" else firm.certificates.client(firm.name)
    firm.change(networks=_ELSEWHERE)
    refused(calls.call(showing).say("MAIL FROM:<jo@firm.example>"), "127.0.0.1 is not an address from which")
    firm.change(networks=_ANYWHERE_HERE)
    assert calls.call(showing).say("MAIL FROM:<jo@firm.example>").code == 250
    # An address alone is nothing for a connection that is live.
    refused(calls.call().say("MAIL FROM:<jo@firm.example>"))
    firm.change(networks=())


def test_in_testing(firm: Firm, calls: Calls, chambers: Firm, reader: dict[str, Any]) -> None:
    """A connection that is tested is known by its address alone, and reaches nobody but the service and itself."""
    chambers.change(state=ConnectionState.TESTING, networks=_ANYWHERE_HERE)
    wire = calls.call()
    addressed(wire, "clerk@chambers.example", ["echo@cjsm.test", f"other@{chambers.suffixed}"])
    refused(wire.say(f"RCPT TO:<{reader['address']}>"), "being tested")
    refused(wire.say(f"RCPT TO:<jo@{firm.suffixed}>"), "being tested")
    wire.say("RSET")
    refused(wire.say("MAIL FROM:<jo@firm.example>"), "may not send as")
    chambers.change(networks=_ELSEWHERE)
    refused(calls.call().say("MAIL FROM:<clerk@chambers.example>"))
    chambers.change(state=ConnectionState.LIVE, networks=())


# In whose name


@pytest.mark.parametrize(
    "sender",
    [
        *("clerk@chambers.example", "clerk@chambers.example.cjsm.test", "jane.smith@avon.cjsm.test", "echo@cjsm.test"),
        *("jo@sub.firm.example", "jo@firm.example.cjsm.test.cjsm.test", "jo@evil.com", "jo@evil-firm.example"),
    ],
)
@pytest.mark.usefixtures("chambers")
def test_another_sender(firm: Firm, wire: Wire, reader: dict[str, Any], sender: str) -> None:
    """The firm's certificate is for the firm's domain: in the envelope, in From and in Sender."""
    refused(wire.say(f"MAIL FROM:<{sender}>"), "may not send as")
    own = "jo@firm.example"
    refused(send(wire, own, [reader["address"]], letter(sender)), "From")
    refused(send(wire, own, [reader["address"]], letter(own, f"Sender: {sender}")), "Sender")
    refused(send(wire, "", [reader["address"]], letter(sender)), "From")
    assert firm.community.messages(reader) == {}


@pytest.mark.parametrize(
    "field",
    [
        "From: jo@firm.example, clerk@chambers.example",
        "From: jo@firm.example\r\nFrom: jo@firm.example",
        "From: clerk@chambers.example (jo@firm.example)",
        "From: jo@firm.example <clerk@chambers.example>",
        "From: firm: jo@firm.example;",
        "From: =?utf-8?q?jo=40firm.example?= <=?utf-8?q?clerk=40chambers.example?=>",
    ],
)
def test_a_forged_from(wire: Wire, reader: dict[str, Any], field: str) -> None:
    """From names one person of the firm plainly, or nothing is taken."""
    message = f"{field}\r\nSubject: Bundle\r\n\r\nEnclosed.\r\n".encode()
    refused(send(wire, "jo@firm.example", [reader["address"]], message))


@pytest.mark.parametrize(
    "name", ["Reply-To", "Disposition-Notification-To", "Return-Receipt-To", "Errors-To", "reply-to"]
)
@pytest.mark.parametrize("outside", ["x@evil.com", "nobody@avon.cjsm.test", "x@evil.com.cjsm.test"])
def test_answers_stay_inside(wire: Wire, reader: dict[str, Any], name: str, outside: str) -> None:
    """What asks for answers from outside is not taken, so that no answer can be sent there; a member may be named."""
    message = letter("jo@firm.example", f"{name}: Jo <{outside}>")
    refused(send(wire, "jo@firm.example", [reader["address"]], message), "which mail from here cannot reach")
    message = letter("jo@firm.example", f"{name}: Jo <jo.other@firm.example>")
    assert send(wire, "jo@firm.example", [reader["address"]], message).code == 250


def test_nothing_is_sent_outside(wire: Wire) -> None:
    """Being known makes nobody a way out."""
    assert wire.say("MAIL FROM:<jo@firm.example>").code == 250
    refused(wire.say("RCPT TO:<somebody@evil.com>"))
    assert wire.say("DATA").code == 554


# What members see of it


@pytest.mark.parametrize("written", ["jo@firm.example", "jo@firm.example.cjsm.test", "Jo@FIRM.Example"])
def test_canonical(firm: Firm, wire: Wire, reader: dict[str, Any], written: str) -> None:
    """With or without suffix, the reader sees who it is as the directory does, and may answer everybody."""
    message = letter(
        written,
        f"To: Tom <{reader['address']}>, clerk@chambers.example",
        "Cc: Team: other@firm.example, x@elsewhere.example;",
        "Reply-To: desk@firm.example",
        "X-Other: clerk@chambers.example",
    )
    assert send(wire, written, [reader["address"]], message).code == 250
    octets = one(firm.community, reader)
    seen = message_from_bytes(octets)
    assert seen["Return-Path"].lower() == "<jo@firm.example.cjsm.test>"
    assert seen["From"].lower() == "jo ward <jo@firm.example.cjsm.test>"
    assert seen["To"] == f"Tom <{reader['address']}>, clerk@chambers.example.cjsm.test"
    assert seen["Cc"] == "Team: other@firm.example.cjsm.test, x@elsewhere.example;"
    assert seen["Reply-To"] == "desk@firm.example.cjsm.test"
    assert seen["X-Other"] == "clerk@chambers.example"


def test_a_bounce(firm: Firm, wire: Wire, reader: dict[str, Any]) -> None:
    """The null sender is taken: the firm's server tells members what became of their mail."""
    assert send(wire, "", [reader["address"]], letter("MAILER-DAEMON@firm.example")).code == 250
    seen = message_from_bytes(one(firm.community, reader))
    assert seen["Return-Path"] == "<>"
    assert seen["From"] == "Jo Ward <MAILER-DAEMON@firm.example.cjsm.test>"


def test_what_is_found_and_what_is_claimed(firm: Firm, wire: Wire, reader: dict[str, Any]) -> None:
    """Our verdict is on top, and nobody else's in our name; a tenant is named by its provider only; Received says who
    it was, how it was protected, and no recipient.
    """
    claims = (
        "Authentication-Results: localhost; dmarc=pass",
        "authentication-results: LOCALHOST. 1; spf=pass",
        "Authentication-Results: (a comment) localhost; dkim=pass",
        "Authentication-Results: mx.firm.example; spf=none",
        "X-MS-Exchange-CrossTenant-Id: 0f1e2d3c",
        "X-GOOGLE-Tenant-Id: 1",
        "Return-Path: <clerk@chambers.example>",
    )
    assert send(wire, "jo@firm.example", [reader["address"]], letter("jo@firm.example", *claims)).code == 250
    octets = one(firm.community, reader)
    seen = message_from_bytes(octets)
    ours, theirs = seen.get_all("Authentication-Results")
    assert re.match(r"localhost;\s+spf=\w+.*dkim=none;\s+dmarc=\w+", ours, re.DOTALL)
    assert "pass" not in ours
    assert theirs.startswith("mx.firm.example;")
    assert not [name for name in seen if "tenant" in name.lower()]
    assert seen.get_all("Return-Path") == ["<jo@firm.example.cjsm.test>"]
    (received,) = seen.get_all("Received")
    assert re.match(
        rf"from {NAME} \(\[127\.0\.0\.1\]\)\s+by localhost with ESMTPS \(TLSv1\.3 \w+\)\s+id \w+;", received
    )
    assert reader["address"] not in received
    names = [name.lower() for name in seen]
    assert names.index("authentication-results") < names.index("from")


def test_octet_for_octet(firm: Firm, wire: Wire, reader: dict[str, Any]) -> None:
    """Everything but the addresses of members arrives as it was sent: what somebody signed stays signed."""
    body = b"".join(b"..%d \xe2\x82\xac  \t\r\n" % number for number in range(5_000))
    fields = ("X-Folded: a\r\n\tb  c ", "X-Odd:no space", "Content-Type: text/plain; charset=utf-8")
    message = letter("jo@firm.example.cjsm.test", *fields) + body
    assert send(wire, "jo@firm.example", [reader["address"]], message.replace(b"\r\n.", b"\r\n..")).code == 250
    octets = one(firm.community, reader)
    assert octets.endswith(message)


# Sessions


def test_too_many_sessions(firm: Firm, calls: Calls, shown: Identity) -> None:
    """More than are allowed hear at MAIL to come later; when one ends there is room."""
    community = firm.community
    community.set("per_connection", "3")
    community.reload()
    wires = [calls.call(shown) for _ in range(4)]
    answers = [wire.say("MAIL FROM:<jo@firm.example>") for wire in wires]
    assert [answer.code for answer in answers] == [250, 250, 250, 451], answers
    assert answers[3].status == "4.7.0"
    assert wires[0].say("QUIT").code == 221
    assert wires[0].rest() == []
    wires[0].close()
    fresh = calls.call(shown)
    assert fresh.say("MAIL FROM:<jo@firm.example>").code == 250
    calls.close()
    community.set("per_connection", "50")
    community.reload()


def test_a_suspended_connection(firm: Firm, calls: Calls, shown: Identity) -> None:
    """It hears so at MAIL, whatever its certificate."""
    firm.change(state=ConnectionState.SUSPENDED)
    wire = calls.call(shown)
    refused(wire.say("MAIL FROM:<jo@firm.example>"), "not approved at the moment")
    refused(wire.say("MAIL FROM:<>"), "not approved at the moment")
    firm.change(state=ConnectionState.LIVE)
    assert calls.call(shown).say("MAIL FROM:<jo@firm.example>").code == 250


def test_a_suspended_domain(firm: Firm, wire: Wire) -> None:
    """It cannot be sent from, and is again when it is approved."""
    firm.change_domain(DomainState.SUSPENDED)
    refused(wire.say("MAIL FROM:<jo@firm.example>"), "may not send as")
    firm.change_domain(DomainState.APPROVED)
    assert wire.say("MAIL FROM:<jo@firm.example>").code == 250


@pytest.mark.parametrize("where", ["idle", "in a message"])
def test_suspended_while_it_is_open(
    firm: Firm, calls: Calls, shown: Identity, reader: dict[str, Any], where: str
) -> None:
    """A session ends by itself soon after, also in the middle of a message, and nothing of that is delivered."""
    wire = calls.call(shown)
    if where == "in a message":
        addressed(wire, "jo@firm.example", [reader["address"]])
        assert wire.say("DATA").code == 354
        wire.send(letter("jo@firm.example"))
    firm.change(state=ConnectionState.SUSPENDED)
    assert wire.reply().code == 421
    assert wire.rest() == []
    firm.change(state=ConnectionState.LIVE)
    assert firm.community.messages(reader) == {}


def test_taken_away_between_recipients_and_the_end(firm: Firm, wire: Wire, reader: dict[str, Any]) -> None:
    """A domain that is suspended while a message is on its way is not written from any more."""
    addressed(wire, "jo@firm.example", [reader["address"]])
    assert wire.say("DATA").code == 354
    firm.change_domain(DomainState.SUSPENDED)
    wire.send(letter("jo@firm.example") + b".\r\n")
    answer = wire.reply()
    firm.change_domain(DomainState.APPROVED)
    refused(answer)
    assert firm.community.messages(reader) == {}


# From one server to another


def test_from_one_server_to_another(firm: Firm, chambers: Firm, wire: Wire, reader: dict[str, Any]) -> None:
    """Each sees its own addresses without suffix and all others with it; a hosted member gets the same message."""
    message = letter(
        "jo@firm.example",
        f"To: clerk@{chambers.suffixed}, {reader['address']}",
        "Cc: second@chambers.example, other@firm.example",
        "Reply-To: desk@firm.example",
    )
    with ScriptedPeer(identity=chambers.certificates.server(chambers.name)) as peer:
        chambers.change(next_hops=(NextHop(host="127.0.0.1", port=peer.port),))
        recipients = [f"clerk@{chambers.suffixed}", reader["address"]]
        assert send(wire, "jo@firm.example", recipients, message).code == 250
        (passed_on,) = peer.wait_for_messages(1)
        assert peer.exposed == []
    assert passed_on.encrypted
    assert passed_on.sender.address == "jo@firm.example.cjsm.test"
    assert [each.address for each in passed_on.recipients] == ["clerk@chambers.example"]
    there, here = message_from_bytes(passed_on.octets), message_from_bytes(one(firm.community, reader))
    assert there["From"] == here["From"] == "Jo Ward <jo@firm.example.cjsm.test>"
    assert there["To"] == f"clerk@chambers.example, {reader['address']}"
    assert here["To"] == f"clerk@{chambers.suffixed}, {reader['address']}"
    assert there["Cc"] == "second@chambers.example, other@firm.example.cjsm.test"
    assert there["Reply-To"] == here["Reply-To"] == "desk@firm.example.cjsm.test"
    assert there["Message-ID"] == here["Message-ID"]
    assert there.get_payload() == here.get_payload() == "Enclosed.\r\n"


def test_an_organisation_that_is_suspended(firm: Firm, calls: Calls, wire: Wire) -> None:
    """Its server sends nothing, though its connection is as it was."""
    firm.change_organisation(OrganisationState.SUSPENDED)
    refused(wire.say("MAIL FROM:<jo@firm.example>"), "not active")
    firm.change_organisation(OrganisationState.ACTIVE)
    assert wire.say("MAIL FROM:<jo@firm.example>").code == 250


# Ways round


@pytest.mark.parametrize("way", [from_account, from_connection])
def test_every_form_of_an_outside_address(
    firm: Firm, calls: Calls, shown: Identity, way: Callable[[Calls, Identity], Wire]
) -> None:
    """Whatever has ever led mail out of somewhere is refused at RCPT, from people and from servers."""
    for wire, forms in every_form(lambda: way(calls, shown)):
        for form in forms:
            answer = wire.say(f"RCPT TO:<{form}>")
            assert answer.code in (501, 550, 553, 555), f"{form}: {answer}"
        assert wire.say("DATA").code == 554
    assert firm.queue() == []
