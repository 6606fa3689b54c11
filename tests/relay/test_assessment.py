"""``cjsm connection test`` beside a running service, against servers good and bad."""

import email
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from cjsm.community.records import ConnectionState, NextHop, TlsVersion
from tests.peers.certificates import CertificateMaker, Identity
from tests.peers.script import HangUp, Script, Send, Step
from tests.peers.scripted import ScriptedPeer
from tests.relay.caller import Calls, send
from tests.relay.firm import NAME, SUFFIXED, Firm

Found = dict[str, dict[str, str]]


def tried(firm: Firm, *options: str) -> tuple[int, Found]:
    """Test the connection; return how the command ended, and what was seen by what was looked at."""
    done = firm.community.command("connection", "test", firm.slug, "--json", *options)
    told = json.loads(done.stdout)
    assert told["well"] is (done.returncode == 0)
    return done.returncode, {each["what"]: each for each in told["observations"]}


def at(firm: Firm, peer: ScriptedPeer) -> None:
    """Let the firm's server be *peer*."""
    firm.change(next_hops=(NextHop(host="127.0.0.1", port=peer.port),))


def test_all_is_well(firm: Firm, identity: Identity) -> None:
    """Everything that an engineer wants to know; it is kept, and nothing was sent."""
    with ScriptedPeer(identity=identity, clients=_authority(firm)) as peer:
        at(firm, peer)
        ended, found = tried(firm)
        assert (ended, peer.messages, peer.exposed) == (0, [], [])
        (connection,) = peer.connections
        assert b"RCPT TO:<postmaster@firm.example>" in connection.commands
        assert connection.commands[-1] == b"QUIT"
        assert connection.certificate
    assert found["TLS"]["text"].startswith("TLSv1.3 ")
    assert (found["our certificate"]["verdict"], "asks for it" in found["our certificate"]["text"]) == ("ok", True)
    assert NAME in found["certificate"]["text"]
    assert "ends in 29 days" in found["certificate"]["text"] or "ends in 30 days" in found["certificate"]["text"]
    assert found["takes mail"]["text"] == "to postmaster@firm.example"
    assert "REQUIRETLS" in found["extensions"]["text"]
    assert {found[what]["verdict"] for what in ("SPF", "DMARC", "MTA-STS")} == {"warning"}
    assert found["DKIM"]["verdict"] == "unknown"
    last = firm.community.command("connection", "test", firm.slug, "--last", "--json")
    assert {each["what"] for each in json.loads(last.stdout)["observations"]} == set(found)
    shown = json.loads(firm.community.command("connection", "show", firm.slug, "--json").stdout)
    assert shown["last_test"].endswith(": all well")


def _authority(firm: Firm) -> Any:
    return firm.community.told["ca_file"]


@pytest.mark.parametrize(
    ("script", "what", "words"),
    [
        (Script(at={Step.GREETING: (Send(b"421 4.3.2 not now\r\n"), HangUp())}), "greeting", "421 4.3.2 not now"),
        (Script(starttls=False), "greeting", "does not offer STARTTLS"),
        (Script(at={Step.RCPT: (Send(b"550 5.7.1 no reports\r\n"),)}), "takes mail", "550 5.7.1 no reports"),
        (Script(at={Step.RCPT: (HangUp(),)}), "takes mail", "closed the connection"),
    ],
    ids=["greeting", "no STARTTLS", "refuses", "hangs up"],
)
def test_a_server_that_misbehaves(firm: Firm, identity: Identity, script: Script, what: str, words: str) -> None:
    """The stage that failed, in the server's words, with a cure; those before it are well."""
    with ScriptedPeer(script, identity=identity) as peer:
        at(firm, peer)
        ended, found = tried(firm)
        assert (ended, peer.exposed) == (1, [])
    assert found["reach"]["verdict"] == "ok"
    assert (found[what]["verdict"], words in found[what]["text"]) == ("problem", True)
    assert found[what]["cure"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("expired", "it has expired"),
        ("not_yet_valid", "not valid yet"),
        ("self_signed", "nobody but its owner"),
    ],
)
def test_a_certificate_that_is_not_good(firm: Firm, kind: str, words: str) -> None:
    """It is the certificate, not the network."""
    with ScriptedPeer(identity=getattr(firm.certificates, kind)(NAME)) as peer:
        at(firm, peer)
        _, found = tried(firm)
    assert (found["TLS"]["verdict"], found["certificate"]["verdict"]) == ("ok", "problem")
    assert words in found["certificate"]["text"]


def test_our_certificate_is_not_taken(firm: Firm, identity: Identity, tmp_path: Path) -> None:
    """Of a server that trusts another authority, or asks for nothing, it is not said that it knows us."""
    with ScriptedPeer(identity=identity, clients=CertificateMaker(tmp_path).file) as peer:
        at(firm, peer)
        ended, found = tried(firm)
        assert (ended, peer.messages) == (1, [])
    (problem,) = (each for each in found.values() if each["verdict"] == "problem")
    assert (problem["what"], "our" in problem["cure"]) in (("TLS", True), ("session", True))
    assert "our certificate" not in found
    with ScriptedPeer(identity=identity) as peer:
        at(firm, peer)
        ended, found = tried(firm)
    assert (ended, found["our certificate"]["verdict"]) == (0, "warning")


def test_another_name(firm: Firm) -> None:
    """The right authority, the wrong server."""
    with ScriptedPeer(identity=firm.certificates.server("other.example")) as peer:
        at(firm, peer)
        _, found = tried(firm)
    assert f"not for {NAME}" in found["certificate"]["text"]


def test_nobody_listens(firm: Firm) -> None:
    """And a test is possible in any state."""
    firm.change(next_hops=(NextHop(host="127.0.0.1", port=1),), state=ConnectionState.SUSPENDED)
    try:
        ended, found = tried(firm)
    finally:
        firm.change(state=ConnectionState.LIVE)
    assert (ended, found["reach"]["verdict"]) == (1, "problem")
    assert "firewall" in found["reach"]["cure"]


def test_nothing_to_call(firm: Firm) -> None:
    """Said as a problem of the connection."""
    firm.change(next_hops=())
    ended, found = tried(firm)
    assert (ended, found["next hop"]["verdict"]) == (1, "problem")


def test_there_and_back(firm: Firm, identity: Identity) -> None:
    """A letter goes there, somebody answers it, and both are seen."""
    shown = firm.issued()
    with ScriptedPeer(identity=identity) as peer:
        at(firm, peer)
        answering = threading.Thread(target=_answer, args=(firm, peer, shown))
        answering.start()
        ended, found = tried(firm, "--to", f"jo@{SUFFIXED}", "--wait", "30")
        answering.join()
    assert ended == 0
    assert found["there"]["text"].startswith("250 ")
    assert "answered after" in found["and back"]["text"]
    vouched = found["SPF, DKIM and DMARC of the answer"]["text"]
    assert vouched.startswith("spf=")
    assert "dkim=none dmarc=" in vouched


def _answer(firm: Firm, peer: ScriptedPeer, shown: Identity) -> None:
    """Answer the letter that the firm gets, as a mail program does."""
    peer.wait_until(lambda peer: peer.accepted)
    letter = email.message_from_bytes(peer.accepted[0].octets)
    answer = f"From: jo@firm.example\r\nSubject: Re: test\r\nIn-Reply-To: {letter['Message-ID']}\r\n\r\nYes.\r\n"
    calls = Calls(firm.community)
    assert send(calls.call(shown), "jo@firm.example", ["echo@cjsm.test"], answer.encode()).code == 250
    calls.close()


def test_there_and_no_answer(firm: Firm, identity: Identity) -> None:
    """A warning, and what to do."""
    with ScriptedPeer(identity=identity) as peer:
        at(firm, peer)
        ended, found = tried(firm, "--to", f"jo@{SUFFIXED}", "--wait", "2")
    assert (ended, found["and back"]["verdict"]) == (0, "warning")
    assert "cjsm trace" in found["and back"]["cure"]


def test_a_letter_that_is_refused(firm: Firm, identity: Identity) -> None:
    """In the words of the other side."""
    script = Script(at={Step.RCPT: (Send(b"550 5.1.1 nobody of that name\r\n"),)})
    with ScriptedPeer(Script(), script, identity=identity) as peer:
        at(firm, peer)
        ended, found = tried(firm, "--to", f"jo@{SUFFIXED}", "--wait", "20")
    assert (ended, "and back" in found) == (1, False)
    assert "nobody of that name" in found["there"]["text"]


def test_addresses_of_others(firm: Firm) -> None:
    """Nothing is sent to them."""
    done = firm.community.command("connection", "test", firm.slug, "--to", "tom.harding@avon.cjsm.test", "--json")
    assert done.returncode == 1
    assert SUFFIXED in json.loads(done.stdout)["cure"]


def test_tls_1_3_only(firm: Firm, identity: Identity) -> None:
    """The connection's own TLS policy is what is tried."""
    with ScriptedPeer(identity=identity) as peer:
        firm.change(tls_minimum=TlsVersion.TLS_1_3)
        at(firm, peer)
        try:
            _, found = tried(firm)
        finally:
            firm.change(tls_minimum=TlsVersion.TLS_1_2)
    assert found["TLS"]["verdict"] == "ok"
