"""The scripted peer does what its script says, and sees what it is sent."""

import smtplib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from tests.conformance.smtp.client import Wire
from tests.conformance.wire import Ended, Malformed
from tests.peers.certificates import CertificateMaker, Identity
from tests.peers.records import Message
from tests.peers.script import BeginTls, HangUp, Hold, Pause, Script, Send, Step, Usual
from tests.peers.scripted import ScriptedPeer

_TEXT = b"Subject: one\r\n\r\n.a dot\r\n..two\r\n.\r\n"


@pytest.fixture(scope="module")
def identity(maker: CertificateMaker) -> Identity:
    """What a good peer shows."""
    return maker.server("localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def client(maker: CertificateMaker) -> ssl.SSLContext:
    """A client with a certificate."""
    return maker.client("cjsm.example").client_context(maker.file)


def _send(peer: ScriptedPeer, context: ssl.SSLContext | None, *recipients: str) -> dict[str, tuple[int, bytes]]:
    with closing(smtplib.SMTP("localhost", peer.port, timeout=20)) as session:
        if context is not None:
            session.starttls(context=context)
        refused = session.sendmail("a@cjsm.example", recipients or ["b@peer.example"], _TEXT)
        session.quit()
    return refused


_wires: list[Wire] = []


@pytest.fixture(autouse=True)
def close_wires() -> Iterator[None]:
    """Leave no connection open."""
    yield
    while _wires:
        _wires.pop().close()


def _wire(peer: ScriptedPeer) -> Wire:
    _wires.append(Wire("127.0.0.1", peer.port, seconds=20))
    return _wires[-1]


def _greeted(peer: ScriptedPeer) -> Wire:
    wire = _wire(peer)
    assert wire.reply().code == 220
    assert wire.say("EHLO a.example").code == 250
    return wire


_ENVELOPE = ("MAIL FROM:<a@cjsm.example>", "RCPT TO:<b@peer.example>", "DATA")


def test_a_good_peer(identity: Identity, client: ssl.SSLContext, maker: CertificateMaker) -> None:
    """A message over mutual TLS is recorded with envelope, octets, and who sent it."""
    with ScriptedPeer(identity=identity, clients=maker.file) as peer:
        assert _send(peer, client, "b@peer.example", "c@peer.example") == {}
        (message,) = peer.wait_for_messages(1)
        (connection,) = peer.wait_for_connections(1)
    assert message.octets == _TEXT
    assert message.sender.address == "a@cjsm.example"
    assert [path.address for path in message.recipients] == ["b@peer.example", "c@peer.example"]
    assert message.encrypted
    assert len(message.certificate) == 64
    assert message.certificate == connection.certificate
    assert (connection.server_name, connection.tls_version) == ("localhost", "TLSv1.3")
    assert peer.exposed == []


def test_fingerprint(identity: Identity, maker: CertificateMaker) -> None:
    """The fingerprint recorded is that of the certificate made."""
    shown = maker.client("somebody.example")
    with ScriptedPeer(identity=identity, clients=maker.file) as peer:
        _send(peer, shown.client_context(maker.file))
        assert peer.messages[0].certificate == shown.fingerprint


def test_parameters(identity: Identity) -> None:
    """Parameters of the envelope are kept as they were said."""
    with ScriptedPeer(identity=identity) as peer:
        wire = _greeted(peer)
        wire.group(
            [
                "MAIL FROM:<a@b.example> SIZE=100 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x+2By",
                "RCPT TO:<sián@b.example> NOTIFY=NEVER orcpt=rfc822;q",
            ]
        )
        wire.send(b"BDAT 4\r\nab\r\nBDAT 3 LAST\r\n.\r\n")
        assert [reply.code for reply in wire.replies(2)] == [250, 250]
        (message,) = peer.messages
    assert message.sender.parameters == {
        "SIZE": "100",
        "BODY": "8BITMIME",
        "SMTPUTF8": None,
        "RET": "HDRS",
        "ENVID": "x+2By",
    }
    assert message.recipients[0].address == "sián@b.example"
    assert message.recipients[0].parameters == {"NOTIFY": "NEVER", "ORCPT": "rfc822;q"}
    assert (message.by, message.octets) == ("BDAT", b"ab\r\n.\r\n")


def test_what_goes_in_the_clear(identity: Identity) -> None:
    """Envelope and text outside TLS are recorded as exposed; greetings are not."""
    with ScriptedPeer(Script(starttls=False), identity=identity) as peer:
        assert b"STARTTLS" not in b"".join(line.encode() for line in _greeted(peer).heard[-1].lines)
        assert peer.exposed == []
        _send(peer, None)
        assert not peer.messages[0].encrypted
        exposed = b"\n".join(peer.exposed)
    for octets in (b"MAIL FROM:<a@cjsm.example>", b"RCPT TO:<b@peer.example>", b"Subject: one"):
        assert octets.lower() in exposed.lower()


def test_clear_text_behind_starttls(identity: Identity) -> None:
    """What a client sends in the clear behind STARTTLS is recorded as exposed."""
    with ScriptedPeer(identity=identity) as peer:
        wire = _greeted(peer)
        wire.send(b"STARTTLS\r\nMAIL FROM:<a@b.example>\r\n")
        assert wire.reply().code == 220
        wire.close()
        peer.wait_for_connections(1)
        assert b"MAIL FROM:<a@b.example>\r\n" in peer.exposed


@pytest.mark.parametrize("offers", [(), ("SIZE 100",)], ids=["nothing", "a small SIZE"])
def test_what_is_not_offered(offers: tuple[str, ...]) -> None:
    """Parameters, chunks and sizes that are not offered are refused."""
    with ScriptedPeer(Script(offers=offers)) as peer:
        wire = _greeted(peer)
        assert wire.say("MAIL FROM:<a@b.example> SMTPUTF8").code == 555
        assert wire.say("MAIL FROM:<a@b.example> SIZE=101").code == (552 if offers else 555)
        assert wire.say("MAIL FROM:<a@b.example>").code == 250
        assert wire.say("RCPT TO:<siân@b.example>").code == 553
        assert wire.say("RCPT TO:<b@b.example> NOTIFY=NEVER").code == 555
        assert wire.say("RCPT TO:<b@b.example>").code == 250
        assert wire.say("BDAT 0 LAST").code == 502
        assert wire.say("DATA").code == 354
        wire.send(b"a" * 200 + b"\r\n.\r\n")
        assert wire.reply().code == (552 if offers else 250)


def test_pipelining_is_noticed() -> None:
    """Whether a client waits for replies is recorded."""
    with ScriptedPeer() as peer:
        patient, hasty = _greeted(peer), _greeted(peer)
        for line in _ENVELOPE:
            patient.say(line)
        hasty.group(_ENVELOPE)
        assert [connection.pipelined for connection in peer.connections] == [False, True]


def test_recipients_have_replies_of_their_own() -> None:
    """4xx and 5xx are said for chosen recipients only."""
    script = Script(recipients={"no@peer.example": b"550 5.1.1 no\r\n", "late@peer.example": b"450 4.2.1 late\r\n"})
    with ScriptedPeer(script) as peer:
        refused = _send(peer, None, "b@peer.example", "no@peer.example", "late@peer.example")
        assert {address: code for address, (code, _) in refused.items()} == {
            "no@peer.example": 550,
            "late@peer.example": 450,
        }
        assert [path.address for path in peer.messages[0].recipients] == ["b@peer.example"]


_STEPS = {
    Step.GREETING: 0,
    Step.EHLO: 1,
    Step.MAIL: 2,
    Step.RCPT: 3,
    Step.DATA: 4,
    Step.TEXT: 5,
    Step.END: 5,
}


@pytest.mark.parametrize("rude", [False, True], ids=["closes", "resets"])
@pytest.mark.parametrize("step", _STEPS, ids=lambda step: step.name)
def test_hangs_up_anywhere(step: Step, rude: bool) -> None:
    """Before the reply to any step; a message that came whole is known to have come, but not as accepted."""
    with ScriptedPeer(Script(at={step: [HangUp(rude)]})) as peer:
        # A reset at once may be heard of while still connecting.
        with pytest.raises(ConnectionError):
            _converse(_wire(peer))
        assert len(_wires[-1].heard if _wires else []) == _STEPS[step]
        assert [connection.ended for connection in peer.wait_for_connections(1)] == ["peer"]
        assert len(peer.messages) == (step is Step.END)
        assert len(peer.halves) == (step is Step.TEXT)
        assert peer.accepted == []


def _converse(wire: Wire) -> None:
    wire.reply()
    for line in ("EHLO a.example", *_ENVELOPE):
        wire.say(line)
    wire.send(b"Subject: one\r\n\r\n", b"text\r\n.\r\n")
    wire.reply()


def test_second_time() -> None:
    """A move may belong to the second time that a step is reached, or to the second connection."""
    with ScriptedPeer(Script(at={(Step.RCPT, 2): [Send(b"452 4.5.3 enough\r\n")]}), Script()) as peer:
        for expected in ([250, 452, 250], [250, 250, 250]):
            wire = _greeted(peer)
            wire.say(_ENVELOPE[0])
            assert [reply.code for reply in wire.group([_ENVELOPE[1]] * 3)] == expected


@pytest.mark.parametrize("step", [step for step in _STEPS if step is not Step.TEXT], ids=lambda step: step.name)
def test_421_anywhere(step: Step) -> None:
    """The peer may leave with a word at any step."""
    with ScriptedPeer(Script(at={step: [Send(b"421 4.3.2 closing\r\n"), HangUp()]})) as peer:
        wire = _wire(peer)
        with suppress(Ended):
            _converse(wire)
        assert wire.rest() == []
        assert wire.heard[-1].code == 421


@pytest.mark.parametrize(
    "octets",
    [b"\xff\xfe\x00\r\n", b"hello\r\n", b"250\n", b"250-one\r\n251 two\r\n", b"2500 ok\r\n", b"99 ok\r\n"],
    ids=repr,
)
def test_malformed_replies(octets: bytes) -> None:
    """Octets that are no reply are said as they are."""
    with ScriptedPeer(Script(at={Step.MAIL: [Send(octets)]})) as peer:
        wire = _greeted(peer)
        wire.send(b"MAIL FROM:<a@b.example>\r\n" + b"QUIT\r\n")
        with pytest.raises(Malformed):
            wire.rest()


def test_slow_replies() -> None:
    """A reply comes octet by octet, after a pause, and whole in the end."""
    script = Script(at={Step.GREETING: [Pause(0.01), Usual(piece=1, gap=0.001)]})
    with ScriptedPeer(script) as peer:
        assert _wire(peer).reply().lines == ("peer.example ESMTP",)


def test_half_a_reply() -> None:
    """Half a reply, then nothing until the test says so."""
    held = threading.Event()
    with ScriptedPeer(Script(at={Step.MAIL: [Usual(first=5), Hold(held), Send(b".1.0 later\r\n")]})) as peer:
        wire = _greeted(peer)
        wire.send(b"MAIL FROM:<a@b.example>\r\n")
        peer.wait_until(lambda peer: peer.connections[0].commands[-1].startswith(b"MAIL"))
        held.set()
        assert wire.reply().lines == ("2.1.0 later",)


def test_half_a_reply_and_the_end() -> None:
    """Half a reply at the end of a message is no acceptance."""
    with ScriptedPeer(Script(at={Step.END: [Usual(first=6), HangUp()]})) as peer:
        with pytest.raises(Malformed, match="half a reply"):
            _converse(_wire(peer))
        peer.wait_for_connections(1)
        assert [message.reply for message in peer.messages] == [b"250 2."]
        assert peer.accepted == []


def test_accepted_and_gone() -> None:
    """A whole reply and then the end is an acceptance."""
    with ScriptedPeer(Script(at={Step.END: [Usual(), HangUp()]})) as peer:
        _converse(_wire(peer))
        assert len(peer.wait_for_messages(1)) == 1


def test_joined_replies() -> None:
    """All replies to a group come in one packet."""
    with ScriptedPeer(Script(joined=True)) as peer:
        wire = _greeted(peer)
        wire.group(_ENVELOPE)
        wire.send(b"text\r\n.\r\nNOOP\r\nQUIT\r\n")
        assert [reply.code for reply in wire.rest()] == [250, 250, 221]


def test_replies_before_they_are_due() -> None:
    """A peer may say more than it was asked."""
    with ScriptedPeer(Script(at={Step.MAIL: [Send(b"250 ok\r\n250 ok\r\n354 go\r\n")]})) as peer:
        wire = _greeted(peer)
        wire.send(b"MAIL FROM:<a@b.example>\r\n")
        assert [reply.code for reply in wire.replies(3)] == [250, 250, 354]


def test_250_to_everything() -> None:
    """Even DATA and what follows it is answered 250, and no message is taken."""
    with ScriptedPeer(Script(always=b"250 ok\r\n")) as peer:
        wire = _greeted(peer)
        assert [reply.code for reply in wire.group([*_ENVELOPE, "text", "."])] == [250] * 5
        assert peer.messages == []


@pytest.mark.parametrize("answer", [b"454 4.7.0 not now\r\n", b"502 5.5.1 what\r\n"])
def test_starttls_refused(identity: Identity, client: ssl.SSLContext, answer: bytes) -> None:
    """STARTTLS is offered, and answered with a refusal."""
    with (
        ScriptedPeer(Script(at={Step.STARTTLS: [Send(answer)]}), identity=identity) as peer,
        smtplib.SMTP("localhost", peer.port, timeout=20) as session,
        pytest.raises(smtplib.SMTPResponseException),
    ):
        session.starttls(context=client)


@pytest.mark.parametrize(
    "early",
    [
        [Send(b"220 go\r\n250 injected\r\n"), BeginTls()],
        [Send(b"220 go\r\n"), BeginTls(), Send(b"250 said at once\r\n")],
    ],
    ids=["before TLS", "inside TLS"],
)
def test_reply_too_early(identity: Identity, client: ssl.SSLContext, early: list[Send | BeginTls]) -> None:
    """More may be said behind 220 in the clear, or inside TLS before anything is asked."""
    with ScriptedPeer(Script(at={Step.STARTTLS: early}), identity=identity) as peer:
        wire = _greeted(peer)
        assert wire.say("STARTTLS").code == 220
        if len(early) == 2:
            assert wire.reply().lines == ("injected",)
        wire.secure(client, "localhost")
        assert wire.say("EHLO a.example").lines[0] == ("peer.example" if len(early) == 2 else "said at once")


def test_no_handshake(identity: Identity, client: ssl.SSLContext) -> None:
    """220 to STARTTLS and then the end instead of a handshake."""
    with ScriptedPeer(Script(at={Step.HANDSHAKE: [HangUp()]}), identity=identity) as peer:
        wire = _greeted(peer)
        assert wire.say("STARTTLS").code == 220
        with pytest.raises(OSError, match=r"."):
            wire.secure(client, "localhost")


@pytest.mark.parametrize("kind", ["expired", "not_yet_valid", "self_signed", "foreign", "other name", "a client's"])
@pytest.mark.parametrize("implicit", [False, True])
def test_bad_certificates(
    maker: CertificateMaker, identity: Identity, client: ssl.SSLContext, kind: str, implicit: bool
) -> None:
    """Each of them is refused by a client that verifies, and by that alone: the good one is taken."""
    made = {
        "expired": maker.expired,
        "not_yet_valid": maker.not_yet_valid,
        "self_signed": maker.self_signed,
        "foreign": maker.foreign,
        "a client's": maker.client,
    }
    bad = maker.server("other.example") if kind == "other name" else made[kind]("localhost")
    scripts = Script(identity=bad, implicit=implicit), Script(implicit=implicit)
    with ScriptedPeer(*scripts, identity=identity) as peer:
        with pytest.raises(ssl.SSLCertVerificationError):
            _secured(peer, client, implicit)
        assert _secured(peer, client, implicit).say("EHLO a.example").code == 250
        (failed,) = peer.wait_for_connections(1)
        assert failed.failure
        assert peer.exposed == []


def _secured(peer: ScriptedPeer, client: ssl.SSLContext, implicit: bool) -> Wire:
    wire = _wire(peer) if implicit else _greeted(peer)
    if not implicit:
        assert wire.say("STARTTLS").code == 220
    wire.secure(client, "localhost")
    if implicit:
        assert wire.reply().code == 220
    return wire


def test_client_certificate_is_required(maker: CertificateMaker, identity: Identity, client: ssl.SSLContext) -> None:
    """Without one, or with a foreign one, nothing is answered inside TLS."""
    without = ssl.create_default_context(cafile=str(maker.file))
    foreign = maker.foreign("cjsm.example").client_context(maker.file)
    with ScriptedPeer(identity=identity, clients=maker.file) as peer:
        for context in (without, foreign):
            with pytest.raises((OSError, Malformed)):
                _secured(peer, context, implicit=False).say("EHLO a.example")
        assert _secured(peer, client, implicit=False).say("EHLO a.example").code == 250


def test_inside_only(identity: Identity, client: ssl.SSLContext) -> None:
    """Some extensions are offered inside TLS only."""
    with ScriptedPeer(Script(offers_inside=["REQUIRETLS"]), identity=identity) as peer:
        wire = _greeted(peer)
        assert "REQUIRETLS" not in wire.heard[-1].lines
        wire = _secured(peer, client, implicit=False)
        assert "REQUIRETLS" in wire.say("EHLO a.example").lines
        assert wire.say("MAIL FROM:<a@b.example> REQUIRETLS").code == 250


def test_middle_of_a_message() -> None:
    """What came before a peer hung up in the middle is kept as half a message."""
    with ScriptedPeer(Script(at={Step.TEXT: [HangUp()]}, middle=10_000)) as peer:
        wire = _greeted(peer)
        wire.group(_ENVELOPE)
        wire.send(b"a line\r\n" * 5_000)
        with pytest.raises(Ended):
            wire.reply()
        (half,) = peer.halves
        assert len(half.octets) >= 10_000
        assert not half.whole


def test_client_that_vanishes() -> None:
    """A client's end is told from the peer's."""
    with ScriptedPeer() as peer:
        connection = socket.create_connection(("127.0.0.1", peer.port), timeout=20)
        connection.recv(100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        assert [each.ended for each in peer.wait_for_connections(1)] == ["client"]


def test_waiting_has_an_end() -> None:
    """A message that does not come is a failure of the test, in time."""
    with ScriptedPeer() as peer, pytest.raises(TimeoutError):
        peer.wait_for_messages(1, seconds=0.01)


def test_large_messages(identity: Identity, client: ssl.SSLContext) -> None:
    """Octets are kept whatever the size."""
    text = b".x" * 400 + b"\r\n"
    with ScriptedPeer(identity=identity) as peer, closing(smtplib.SMTP("localhost", peer.port)) as session:
        session.starttls(context=client)
        session.sendmail("a@b.example", ["c@d.example"], text * 6_000)
        message: Message = peer.messages[0]
        assert message.octets == text * 6_000
