"""Mail to members behind their organisation's own server, on the wire."""

import email
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from cjsm.community.records import ConnectionState, DomainState, NextHop
from tests.peers.certificates import Identity
from tests.peers.script import EXTENSIONS, BeginTls, HangUp, Hold, Script, Send, Step, Usual
from tests.peers.scripted import ScriptedPeer
from tests.relay.firm import DOMAIN, NAME, SUFFIXED, Firm

LETTER = (
    b"From: %s\r\nTo: Jo <jo@firm.example.cjsm.test>\r\nCc: other@elsewhere.example\r\n"
    b"Subject: Disclosure\r\nMessage-ID: <one@example>\r\nDate: Mon, 02 Nov 2026 10:00:00 +0000\r\n\r\n"
    b".dot\r\n%s\r\n"
)


def at(firm: Firm, peer: ScriptedPeer, **values: object) -> None:
    """Let the firm's server be *peer*."""
    firm.change(next_hops=(NextHop(host="127.0.0.1", port=peer.port),), **values)
    firm.retry()


def send(
    firm: Firm, *recipients: str, options: tuple[str, ...] = (), each: tuple[str, ...] = (), text: bytes = b"Hello."
) -> str:
    """Send a letter; return the sender's address."""
    sender = firm.community.hosted()[3]
    session = firm.community.smtp(sender)
    session.sendmail(
        sender["address"],
        recipients or [f"jo@{SUFFIXED}"],
        LETTER % (sender["address"].encode(), text),
        options,
        each,
    )
    session.quit()
    return str(sender["address"])


def test_a_letter(firm: Firm, identity: Identity) -> None:
    """It arrives inside TLS, with our certificate, with the firm's own addresses, and otherwise as it was sent."""
    with ScriptedPeer(identity=identity) as peer:
        at(firm, peer)
        sender = send(firm)
        (message,) = peer.wait_for_messages(1)
        assert peer.exposed == []
    assert message.encrypted
    assert message.sender.address == sender
    assert [each.address for each in message.recipients] == [f"jo@{DOMAIN}"]
    _, trace, rest = message.octets.partition(b"Received: by localhost with ESMTPSA")
    _, _, rest = rest.partition(b"From: ")
    assert trace
    assert message.octets.count(b"DKIM-Signature: ") == 2
    expected = LETTER % (sender.encode(), b"Hello.")
    assert b"From: " + rest == expected.replace(b"jo@firm.example.cjsm.test", b"jo@firm.example")
    emptied(firm)


def waits(firm: Firm, words: str) -> None:
    """Wait until what is queued says *words* as its reason."""
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        reasons = [queued.state.reason for queued in firm.queue() if queued.state.attempts]
        if any(words in reason for reason in reasons):
            return
        time.sleep(0.1)
    raise AssertionError(f"{words!r} is not among {reasons}")


def emptied(firm: Firm) -> None:
    """Wait until nothing waits any more."""
    ends = time.monotonic() + 20
    while firm.queue() and time.monotonic() < ends:
        time.sleep(0.1)
    assert firm.queue() == []


def once(firm: Firm, peer: ScriptedPeer, text: bytes) -> None:
    """The letter with *text* was accepted once, nothing came in the clear, and nothing waits any more."""
    peer.wait_until(lambda seen: any(text in message.octets for message in seen.accepted))
    assert sum(text in message.octets for message in peer.accepted) == 1
    assert peer.exposed == []
    emptied(firm)


#: What a server does wrong once, and what of that engineers are told.
WRONG = {
    "hangs up at once": (Script(at={Step.GREETING: (HangUp(),)}), "closed the connection"),
    "turns us away": (Script(at={Step.GREETING: (Send(b"554 5.3.2 not today\r\n"), HangUp())}), "not today"),
    "greets with garbage": (Script(at={Step.GREETING: (Send(b"\x80\x81 \xff\r\n"),)}), "its reply is none"),
    "hangs up at EHLO": (Script(at={(Step.EHLO, 1): (HangUp(),)}), "closed the connection"),
    "refuses EHLO": (Script(at={(Step.EHLO, 1): (Send(b"502 what?\r\n"),)}), "answers EHLO with 502 what?"),
    "hides STARTTLS": (Script(starttls=False), "does not offer STARTTLS"),
    "cannot TLS now": (Script(at={Step.STARTTLS: (Send(b"454 4.7.0 no TLS now\r\n"),)}), "no TLS now"),
    "refuses STARTTLS": (Script(at={Step.STARTTLS: (Send(b"502 no\r\n"),)}), "answers STARTTLS with 502"),
    "speaks before TLS": (
        Script(at={Step.STARTTLS: (Send(b"220 go\r\n250 fine\r\n"), BeginTls())}),
        "between STARTTLS and TLS",
    ),
    "hangs up in the handshake": (Script(at={Step.HANDSHAKE: (HangUp(),)}), "TLS"),
    "says 250 to everything": (Script(always=b"250 ok\r\n"), ""),
    "hangs up inside TLS": (Script(at={(Step.EHLO, 2): (HangUp(),)}), "closed the connection"),
    "hangs up at MAIL": (Script(at={Step.MAIL: (HangUp(),)}), "closed the connection"),
    "says goodbye at MAIL": (Script(at={Step.MAIL: (Send(b"421 4.3.2 later\r\n"), HangUp())}), "later"),
    "hangs up at RCPT": (Script(at={Step.RCPT: (HangUp(rude=True),)}), ""),
    "half a reply to RCPT": (Script(at={Step.RCPT: (Usual(first=2), HangUp())}), "closed the connection"),
    "hangs up in the text": (Script(at={Step.TEXT: (HangUp(),)}), "closed the connection"),
    "refuses the text for now": (Script(at={Step.END: (Send(b"451 4.3.0 disk\r\n"),)}), "disk"),
    "answers the text with nonsense": (Script(at={Step.END: (Send(b"hello\r\n"), HangUp())}), "its reply is none"),
    "refuses the sender for now": (Script(at={Step.MAIL: (Send(b"450 4.1.8 who?\r\n"),)}), "who?"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("offers", [EXTENSIONS, ("PIPELINING", "8BITMIME"), ("8BITMIME",)], ids=["all", "some", "none"])
def test_a_server_that_misbehaves(firm: Firm, identity: Identity, name: str, offers: tuple[str, ...]) -> None:
    """The letter waits with the reason, and arrives once when the server is well again; nothing is in the clear."""
    wrong, words = WRONG[name]
    text = f"{name} {len(offers)}".encode()
    with ScriptedPeer(replace(wrong, offers=offers), Script(offers=offers), identity=identity) as peer:
        at(firm, peer)
        send(firm, text=text)
        waits(firm, words)
        firm.retry()
        once(firm, peer, text)


@pytest.mark.parametrize("wrong", [Script(starttls=False), None], ids=["no STARTTLS", "certificate"])
def test_what_is_not_safe_is_reported(firm: Firm, identity: Identity, wrong: Script | None) -> None:
    """`cjsm report tls-failures` has the connection, with what is wrong; a server that is away is not in it."""
    shown = identity if wrong is not None else firm.certificates.self_signed(NAME)
    text, words = f"not safe {wrong is None}".encode(), "STARTTLS" if wrong is not None else "nobody but its owner"
    with ScriptedPeer(wrong or Script(), identity=shown) as peer:
        at(firm, peer)
        send(firm, text=text)
        waits(firm, words)
    ends = time.monotonic() + 10
    # The trace is written once a second.
    while words not in (problems := _unsafe(firm)):
        assert time.monotonic() < ends, problems
        time.sleep(0.3)
    with ScriptedPeer(Script(), identity=identity) as peer:
        at(firm, peer)
        firm.retry()
        once(firm, peer, text)


def _unsafe(firm: Firm) -> str:
    rows = firm.community.document("report", "tls-failures")
    return "\n".join(row["problem"] for row in rows if row["connection"] == firm.slug)


#: More than the system holds of a connection whose other side does not read.
_LARGE = b"a line of evidence\r\n" * 300_000
_PLAIN = ("PIPELINING",)


@pytest.mark.parametrize("said", [b"552 5.3.4 that is enough\r\n", b"250 2.0.0 got it\r\n", b"421 4.3.2 going"])
def test_an_answer_in_the_middle_of_the_text(firm: Firm, identity: Identity, said: bytes) -> None:
    """Nobody knows what was taken: the letter waits with the server's words, though it reads no more."""
    wrong = Script(offers=_PLAIN, at={Step.TEXT: (Send(said), Hold())}, middle=100_000)
    with ScriptedPeer(wrong, Script(offers=_PLAIN), identity=identity) as peer:
        at(firm, peer)
        send(firm, text=_LARGE + said[:3])
        waits(firm, f"before it had the whole message: {said.decode().strip()}")
        firm.retry()
        once(firm, peer, b"evidence\r\n" + said[:3])


def test_an_answer_with_the_word_to_go_on(firm: Firm, identity: Identity) -> None:
    """It is for a text that the server has not seen."""
    early = Script(offers=_PLAIN, at={Step.DATA: (Send(b"354 go on\r\n250 2.0.0 got it\r\n"), Usual())})
    with ScriptedPeer(early, Script(), identity=identity) as peer:
        at(firm, peer)
        send(firm, text=b"go on")
        waits(firm, "before it had the whole message: 250 2.0.0 got it")
        firm.retry()
        once(firm, peer, b"go on")


@pytest.mark.parametrize("step", [Step.GREETING, (Step.EHLO, 2), Step.MAIL, Step.RCPT], ids=str)
def test_an_answer_too_many(firm: Firm, identity: Identity, step: Step | tuple[Step, int]) -> None:
    """It would be taken for the answer to the next command, and in the end one to the text: nothing goes on."""
    extra = Script(offers=(), at={step: (Usual(), Send(b"250 2.0.0 fine\r\n"))}, joined=True)
    with ScriptedPeer(extra, Script(), identity=identity) as peer:
        at(firm, peer)
        send(firm, text=b"one too many")
        waits(firm, "before it was asked: 250 2.0.0 fine")
        assert peer.accepted == []
        firm.retry()
        once(firm, peer, b"one too many")


def test_a_server_that_reads_no_more(firm: Firm, identity: Identity) -> None:
    """It is given up after the time for an answer; without that the letter would be neither sent nor returned."""
    community = firm.community
    stuck = Script(offers=_PLAIN, at={Step.TEXT: (Hold(),)}, middle=100_000)
    with ScriptedPeer(stuck, Script(offers=_PLAIN), identity=identity) as peer:
        at(firm, peer)
        community.set("reply_timeout", "2")
        community.reload()
        try:
            send(firm, text=_LARGE + b"reads no more")
            waits(firm, "no answer in time")
        finally:
            community.set("reply_timeout", "300")
            community.reload()
        firm.retry()
        once(firm, peer, b"reads no more")


def test_a_server_that_does_not_part(firm: Firm, identity: Identity) -> None:
    """After goodbye it has a moment; else each message could cost a connection for ever."""
    with ScriptedPeer(Script(at={Step.QUIT: (Hold(),)}), identity=identity) as peer:
        at(firm, peer)
        send(firm, text=b"does not part")
        peer.wait_until(lambda peer: any(b"QUIT" in each.commands for each in peer.connections))
        ends = time.monotonic() + 30
        while _open_to(peer.port):
            assert time.monotonic() < ends
            time.sleep(0.1)
        assert len(peer.accepted) == 1


def _open_to(port: int) -> int:
    """Return how many connections to *port* are established on this machine."""
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(remote.endswith(f":{port:04X}") and state == "01" for _, _, remote, state, *_ in lines)


@pytest.mark.parametrize("offers", [EXTENSIONS, _PLAIN, ()], ids=["all", "some", "none"])
@pytest.mark.parametrize("announced", [True, False], ids=["announced", "452"])
def test_a_server_that_takes_few_recipients(
    firm: Firm, identity: Identity, offers: tuple[str, ...], announced: bool
) -> None:
    """The letter comes again at once, over the same connection, until it is there for everybody, once for each."""
    few = Script(offers=(*offers, "LIMITS RCPTMAX=2"))
    full = {(Step.RCPT, time): (Send(b"452 4.5.3 too many\r\n"),) for time in (3, 4, 5, 7)}
    with ScriptedPeer(few if announced else Script(offers=offers, at=full), identity=identity) as peer:
        at(firm, peer)
        names = [f"r{number}@{DOMAIN}" for number in range(5)]
        send(firm, *(f"{name}.cjsm.test" for name in names), text=b"few")
        peer.wait_until(lambda seen: sum(len(message.recipients) for message in seen.accepted) == len(names))
        emptied(firm)
        assert len(peer.connections) == 1
        assert sorted(each.address for message in peer.accepted for each in message.recipients) == names
        assert [len(message.recipients) for message in peer.accepted] == [2, 2, 1]


def test_a_server_that_hangs_up_between_the_recipients(firm: Firm, identity: Identity) -> None:
    """Those who have the letter do not get it again."""
    offers = (*EXTENSIONS, "LIMITS RCPTMAX=2")
    leaving = Script(offers=offers, at={(Step.MAIL, 2): (HangUp(),)})
    with ScriptedPeer(leaving, Script(offers=offers), identity=identity) as peer:
        at(firm, peer)
        send(firm, *(f"r{number}@{SUFFIXED}" for number in range(3)), text=b"between")
        waits(firm, "closed the connection")
        firm.retry()
        peer.wait_until(lambda seen: len(seen.accepted) == 2)
        emptied(firm)
        assert [[each.address for each in message.recipients] for message in peer.accepted] == [
            [f"r0@{DOMAIN}", f"r1@{DOMAIN}"],
            [f"r2@{DOMAIN}"],
        ]


@pytest.mark.parametrize("kind", ["expired", "not_yet_valid", "self_signed", "foreign", "wrong name"])
def test_a_server_that_is_not_who_it_should_be(firm: Firm, identity: Identity, kind: str) -> None:
    """It gets EHLO and STARTTLS, and not an octet more."""
    certificates = firm.certificates
    shown = certificates.server("other.example") if kind == "wrong name" else getattr(certificates, kind)(NAME)
    words = {"expired": "it has expired", "not_yet_valid": "not valid yet", "wrong name": f"is not for {NAME}"}
    with ScriptedPeer(Script(identity=shown), Script(), identity=identity) as peer:
        at(firm, peer)
        send(firm, text=kind.encode())
        waits(firm, words.get(kind, "cannot be trusted"))
        (first,) = peer.wait_for_connections(1)
        assert first.commands == [b"EHLO localhost", b"STARTTLS"]
        firm.retry()
        once(firm, peer, kind.encode())


def test_a_pinned_key(firm: Firm, identity: Identity) -> None:
    """A key that is pinned is enough, whoever signed it; another key is not, however well it is signed."""
    own = firm.certificates.self_signed("anything.example")
    with ScriptedPeer(Script(), Script(identity=own), identity=identity) as peer:
        at(firm, peer, tls_pins=(own.public_key,))
        send(firm, text=b"pinned")
        waits(firm, "none of those that are pinned")
        firm.retry()
        once(firm, peer, b"pinned")
    firm.change(tls_pins=())


def test_the_last_reply_is_lost(firm: Firm, identity: Identity) -> None:
    """The one way to a duplicate, and it has the same Message-ID."""
    with ScriptedPeer(Script(at={Step.END: (HangUp(),)}), Script(), identity=identity) as peer:
        at(firm, peer)
        send(firm, text=b"last reply")
        waits(firm, "closed the connection")
        firm.retry()
        once(firm, peer, b"last reply")
        copies = [message.octets for message in peer.messages if b"last reply" in message.octets]
    # Signatures are dated; all that follows them is the same.
    first, second = (copy.partition(b"\r\nReceived: ")[2] for copy in copies)
    assert first == second


def test_recipients_by_themselves(firm: Firm, identity: Identity) -> None:
    """One is taken, one is refused and returned to the sender, one is tried again; each once."""
    later = Script(
        recipients={f"never@{DOMAIN}": b"550 5.1.1 nobody here\r\n", f"later@{DOMAIN}": b"450 4.2.1 busy\r\n"}
    )
    with ScriptedPeer(later, Script(), identity=identity) as peer:
        at(firm, peer)
        sender = firm.community.hosted()[3]
        before = len(firm.community.messages(sender))
        send(firm, *(f"{name}@{SUFFIXED}" for name in ("now", "never", "later")), text=b"three of them")
        waits(firm, "busy")
        firm.retry()
        peer.wait_until(lambda seen: len(seen.accepted) == 2)
        got = [[each.address for each in message.recipients] for message in peer.accepted]
    assert got[1] == [f"later@{DOMAIN}"]
    assert f"now@{DOMAIN}" in got[0]
    reports = list(firm.community.messages(sender, before + 1).values())[before:]
    (report,) = [email.message_from_bytes(each) for each in reports]
    assert report.get_content_type() == "multipart/report"
    words, status, returned = report.get_payload()
    said = " ".join(words.get_payload(decode=True).decode().split())
    assert "never@firm.example.cjsm.test" in said
    assert "550 5.1.1 nobody here" in said
    fields = status.get_payload()[1]
    assert (fields["Action"], fields["Status"]) == ("failed", "5.1.1")
    assert returned.get_content_type() == "text/rfc822-headers"


def test_a_refusal_in_other_letters(firm: Firm, identity: Identity) -> None:
    """Whatever octets a server answers, the sender gets a report that every program can read."""
    said = b"550-5.1.1 nobody \xff\xfe\x1b[31m here\r\n550 5.1.1 \xc3\xb6 --=_boundary\x00\r\n"
    sender = firm.community.hosted()[3]
    before = len(firm.community.messages(sender))
    with ScriptedPeer(Script(recipients={f"never@{DOMAIN}": said}), identity=identity) as peer:
        at(firm, peer)
        send(firm, f"never@{SUFFIXED}", text=b"other letters")
        (*_, octets) = firm.community.messages(sender, before + 1).values()
    assert octets.isascii()
    assert not set(octets) & set(b"\x00\x1b")
    (_, fields) = email.message_from_bytes(octets).get_payload()[1].get_payload()
    assert fields["Status"] == "5.1.1"
    assert fields["Diagnostic-Code"].startswith("smtp; 550 5.1.1 nobody")


def test_a_domain_that_is_no_longer_approved(firm: Firm, identity: Identity) -> None:
    """What waits for it is returned inside the community, and its server sees no connection."""
    sender = firm.community.hosted()[3]
    before = len(firm.community.messages(sender))
    with ScriptedPeer(Script(at={Step.GREETING: (HangUp(),)}), identity=identity) as peer:
        at(firm, peer)
        send(firm, text=b"no longer")
        waits(firm, "closed the connection")
        seen = len(peer.connections)
        firm.change_domain(DomainState.SUSPENDED)
        firm.retry()
        (*_, report) = firm.community.messages(sender, before + 1).values()
        assert len(peer.connections) == seen
    firm.change_domain(DomainState.APPROVED)
    assert b"another route" in b" ".join(report.split())
    assert firm.queue() == []


def test_a_suspended_connection_waits(firm: Firm, identity: Identity) -> None:
    """Its mail stays until it is resumed; nothing is returned, nobody is called."""
    with ScriptedPeer(Script(at={Step.GREETING: (HangUp(),)}), Script(), identity=identity) as peer:
        at(firm, peer)
        send(firm, text=b"suspended")
        waits(firm, "closed the connection")
        firm.change(state=ConnectionState.SUSPENDED)
        firm.retry()
        waits(firm, "suspended")
        assert len(peer.connections) == 1
        firm.change(state=ConnectionState.LIVE)
        firm.retry()
        once(firm, peer, b"suspended")


def test_what_the_sender_asked_for_goes_along(firm: Firm, identity: Identity) -> None:
    """NOTIFY, ORCPT, ENVID and RET reach a server that takes over reports."""
    with ScriptedPeer(identity=identity) as peer:
        at(firm, peer)
        send(firm, options=("RET=HDRS", "ENVID=QQ1"), each=("NOTIFY=FAILURE", "ORCPT=rfc822;jo@b"), text=b"asked")
        (message,) = peer.wait_for_messages(1)
    assert message.sender.parameters | {"RET": "HDRS", "ENVID": "QQ1"} == message.sender.parameters
    assert message.recipients[0].parameters == {"NOTIFY": "FAILURE", "ORCPT": "rfc822;jo@b"}


def test_tls_all_the_way(firm: Firm, identity: Identity) -> None:
    """Who asks for TLS to the end gets it where the firm's server promises to go on with it (RFC 8689)."""
    with ScriptedPeer(Script(offers_inside=("REQUIRETLS",)), identity=identity) as peer:
        at(firm, peer)
        send(firm, options=("REQUIRETLS",), text=b"all the way")
        (message,) = peer.wait_for_messages(1)
    assert "REQUIRETLS" in message.sender.parameters
    assert message.encrypted


def test_tls_that_is_not_promised(firm: Firm, identity: Identity) -> None:
    """The letter does not go, and its sender hears why without a line of it."""
    sender = firm.community.hosted()[3]
    before = len(firm.community.messages(sender))
    with ScriptedPeer(identity=identity) as peer:
        at(firm, peer)
        send(firm, options=("REQUIRETLS",), text=b"private words")
        (*_, report) = firm.community.messages(sender, before + 1).values()
        emptied(firm)
        said = [command for connection in peer.connections for command in connection.commands]
        assert not [command for command in said if command.startswith(b"MAIL")]
    assert b"Status: 5.7.30" in report
    assert b"Disclosure" not in report
    assert b"private words" not in report


def test_more_than_an_account_may_send(firm: Firm) -> None:
    """Clear words, to come again later, and one event, however often it is tried; others go on."""
    community, (sender, other) = firm.community, firm.community.hosted()[3:5]
    community.set("account_messages_per_day", "3")
    community.reload()
    logged = len(community.log())
    try:
        with closing(community.smtp(sender)) as session, closing(community.smtp(other)) as others:
            answers = [(*session.mail(sender["address"]), session.rset())[:2] for _ in range(9)]
            refused = [words for code, words in answers if code == 451]
            assert len(refused) == 6
            assert all(
                words.startswith(b"4.7.0 too many messages from this account: try again in ") for words in refused
            )
            assert others.mail(other["address"])[0] == 250
    finally:
        community.set("account_messages_per_day", "0")
        community.reload()
    events = [line for line in community.log()[logged:].splitlines() if "rate limit of" in line]
    assert len(events) == 1, events
    assert sender["address"] not in events[0]


def test_a_server_that_does_not_report(firm: Firm, identity: Identity) -> None:
    """The sender who asked hears from us that the letter was handed over."""
    sender = firm.community.hosted()[3]
    before = len(firm.community.messages(sender))
    with ScriptedPeer(Script(offers=("PIPELINING",)), identity=identity) as peer:
        at(firm, peer)
        send(firm, each=("NOTIFY=SUCCESS",), text=b"success")
        peer.wait_for_messages(1)
        (*_, report) = firm.community.messages(sender, before + 1).values()
    assert b"Action: relayed" in report


def test_a_hosted_member_who_got_it(firm: Firm) -> None:
    """The sender who asked hears of deliveries into mailboxes here too, without a line of the message."""
    sender, reader = firm.community.hosted()[3:5]
    before = len(firm.community.messages(sender))
    send(firm, reader["address"], each=("NOTIFY=SUCCESS",), text=b"private words")
    (*_, report) = firm.community.messages(sender, before + 1).values()
    assert b"Action: delivered" in report
    assert b"private words" not in report


def test_large_messages(firm: Firm, identity: Identity) -> None:
    """Octet for octet, in chunks and with dots."""
    body = b"".join(b".%d evidence\r\n" % number for number in range(200_000))
    with ScriptedPeer(Script(offers=("PIPELINING",)), identity=identity) as peer:
        at(firm, peer)
        send(firm, text=body)
        (dotted,) = peer.wait_for_messages(1)
        peer.play(Script())
        send(firm, text=body)
        (_, chunked) = peer.wait_for_messages(2)
    assert (dotted.by, chunked.by) == ("DATA", "BDAT")
    assert dotted.octets.endswith(body + b"\r\n")
    assert chunked.octets.endswith(body + b"\r\n")


def test_the_echo(firm: Firm) -> None:
    """It answers a member's letter, once."""
    sender = firm.community.hosted()[5]
    before = len(firm.community.messages(sender))
    session = firm.community.smtp(sender)
    session.sendmail(sender["address"], ["echo@cjsm.test"], LETTER % (sender["address"].encode(), b"echo"))
    session.quit()
    (*_, answer) = firm.community.messages(sender, before + 1).values()
    read = email.message_from_bytes(answer)
    assert read["From"] == "Echo <echo@cjsm.test>"
    assert read["In-Reply-To"] == "<one@example>"
    assert "Subject: Disclosure" in read.get_payload(decode=True).decode()


def test_a_connection_that_waits_for_the_next_message(firm: Firm, identity: Identity) -> None:
    """The next goes over it; a reload ends it in order."""
    community = firm.community
    community.set("idle_connection", "60")
    community.reload()
    try:
        with ScriptedPeer(identity=identity) as peer:
            at(firm, peer)
            for number in range(2):
                send(firm, text=b"number %d" % number)
                peer.wait_until(lambda peer, number=number: len(peer.accepted) > number)
            assert len(peer.connections) == 1
            community.set("idle_connection", "0")
            community.reload()
            peer.wait_until(lambda peer: b"QUIT" in peer.connections[0].commands)
    finally:
        community.set("idle_connection", "0")
        community.reload()
