"""What engineers do to messages that wait is noticed by the running service at once, not at the next try."""

import email
import json
import time
from collections.abc import Callable

from tests.peers.certificates import Identity
from tests.peers.script import HangUp, Script, Send, Step
from tests.peers.scripted import ScriptedPeer
from tests.relay.firm import Firm
from tests.relay.test_out import at, once, send, waits

BUSY = Script(at={Step.MAIL: (Send(b"450 4.3.2 come back\r\n"),)})
DEAD = Script(at={Step.GREETING: (HangUp(),)})
#: Seconds before which nothing would be tried by itself.
_NEXT_TRY = 200
#: As long as a slow machine may take for what happens at once.
_PATIENCE = 60


def soon(condition: Callable[[], bool]) -> None:
    """Wait until it is so, less long than until anything is tried by itself."""
    ends = time.monotonic() + _PATIENCE
    while not condition() and time.monotonic() < ends:
        time.sleep(0.02)
    assert condition()


def far_off(firm: Firm) -> None:
    """The only message that waits is not due for long."""
    (queued,) = firm.queue()
    assert queued.state.due - queued.state.tried > _NEXT_TRY > _PATIENCE


def done(firm: Firm, *arguments: str) -> dict[str, object]:
    """Run ``cjsm queue`` beside the service."""
    ran = firm.community.command("queue", *arguments, "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    document: dict[str, object] = json.loads(ran.stdout)
    return document


def number(firm: Firm) -> str:
    """The only message that waits."""
    (queued,) = firm.queue()
    return str(queued.sequence)


def test_hold_and_release(firm: Firm, identity: Identity) -> None:
    """What is held is not sent, whatever else is tried; released, it goes at once."""
    with ScriptedPeer(BUSY, Script(), identity=identity) as peer:
        at(firm, peer)
        send(firm, text=b"held back")
        waits(firm, "come back")
        assert done(firm, "hold", number(firm))["service_running"] is True
        assert done(firm, "retry", "--all")["unchanged"] == 1
        far_off(firm)
        held = number(firm)
        send(firm, text=b"passes by")
        soon(lambda: len(peer.accepted) == 1)
        assert b"passes by" in peer.accepted[0].octets
        done(firm, "release", held)
        soon(lambda: len(peer.accepted) == 2)
        once(firm, peer, b"held back")


def test_retry(firm: Firm, identity: Identity) -> None:
    """It is sent at once, though its next try was minutes away."""
    with ScriptedPeer(BUSY, Script(), identity=identity) as peer:
        at(firm, peer)
        send(firm, text=b"try again")
        waits(firm, "come back")
        far_off(firm)
        done(firm, "retry", "--connection", "firm")
        soon(lambda: len(peer.accepted) == 1)
        once(firm, peer, b"try again")


def test_retry_where_the_other_side_was_given_up_for_now(firm: Firm, identity: Identity) -> None:
    """After so many failures that nobody calls it any more, an engineer's word is enough to call it again."""
    with ScriptedPeer(BUSY, identity=identity) as peer:
        at(firm, peer)
        for each in range(12):
            send(firm, text=b"dead %d" % each)
        soon(lambda: all(queued.state.attempts for queued in firm.queue()))
        called = len(peer.connections)
        peer.play(DEAD)
        done(firm, "retry", "--all")
        soon(lambda: all("closed the connection" in queued.state.reason for queued in firm.queue()))
        assert called < len(peer.connections)
        peer.play(Script())
        # Asked for again and again: his word counts again a little later.
        soon(lambda: bool(done(firm, "retry", "--all")) and len(peer.accepted) == 12)
        once(firm, peer, b"dead 11")


def test_remove(firm: Firm, identity: Identity) -> None:
    """It is not sent any more; its sender gets a report with the engineer's reason."""
    sender = firm.community.hosted()[3]
    before = len(firm.community.messages(sender))
    with ScriptedPeer(BUSY, Script(), identity=identity) as peer:
        at(firm, peer)
        send(firm, text=b"taken out")
        waits(firm, "come back")
        done(firm, "remove", number(firm), "--reason", "sent to the wrong firm")
        soon(lambda: firm.queue() == [])
        assert len(peer.connections) == 1
    (*_, report) = firm.community.messages(sender, before + 1).values()
    words, status, _ = email.message_from_bytes(report).get_payload()
    assert "sent to the wrong firm" in " ".join(words.get_payload(decode=True).decode().split())
    fields = status.get_payload()[1]
    assert (fields["Action"], fields["Status"], fields["Remote-MTA"]) == ("failed", "5.7.0", None)


def test_status(firm: Firm, identity: Identity) -> None:
    """It says how many wait, and for whom nothing gets through."""
    with ScriptedPeer(BUSY, Script(), identity=identity) as peer:
        at(firm, peer)
        send(firm, text=b"status")
        waits(firm, "come back")
        told = json.loads(firm.community.command("status", "--json").stdout)["outgoing"]
        assert (told["messages"], told["held"]) == (1, 0)
        (failing,) = told["failing"]
        assert failing.startswith("firm: ")
        assert "come back" in failing
        done(firm, "retry", "--all")
        once(firm, peer, b"status")
