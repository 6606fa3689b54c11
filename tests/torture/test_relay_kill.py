"""SIGKILL at random while mail leaves for an organisation's own server: nothing is lost, and a copy is a true copy."""

import random
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.peers.scripted import ScriptedPeer
from tests.relay.firm import NAME, SUFFIXED, Firm
from tests.running import Community
from tests.torture.test_kill import Sender, acknowledged_by, wait_until

pytestmark = pytest.mark.torture

_KILLS = 8
_NUMBER = re.compile(rb"^Subject: number (\S+)\r\n", re.MULTILINE)
_MESSAGE_ID = re.compile(rb"^Message-ID: (\S+)\r\n", re.MULTILINE)


@pytest.fixture
def own_firm(tmp_path: Path) -> Iterator[Firm]:
    """A firm whose community may be killed."""
    community = Community(tmp_path / "demo")
    community.make()
    yield Firm(community, tmp_path / "authority")
    community.stop()


# A client that is cut off while it says hello leaves its socket to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_killed_while_it_relays(own_firm: Firm) -> None:
    """Every acknowledged message reaches the firm; one that does so twice does it under one Message-ID."""
    firm, community = own_firm, own_firm.community
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with ScriptedPeer(identity=firm.certificates.server(NAME)) as peer:
        firm.join(peer.port)
        senders = [
            Sender(community, f"s{place}", account, [f"jo@{SUFFIXED}"])
            for place, account in enumerate(community.hosted()[:3])
        ]
        for sender in senders:
            sender.start()
        try:
            for kills in range(1, _KILLS + 1):
                wait_until(partial(_worked, senders, kills))
                time.sleep(chance.uniform(0.0, 0.5))
                community.kill()
                community.start()
        finally:
            for sender in senders:
                sender.ending.set()
            for sender in senders:
                sender.join(60)
        ends = time.monotonic() + 60
        while firm.queue() and time.monotonic() < ends:
            firm.retry()
            time.sleep(0.5)
        assert firm.queue() == []
        copies: defaultdict[str, set[bytes]] = defaultdict(set)
        for message in peer.accepted:
            copies[_found(_NUMBER, message.octets).decode()].add(_found(_MESSAGE_ID, message.octets))
        assert peer.exposed == []
    acknowledged = {number for sender in senders for number in sender.acknowledged}
    assert acknowledged <= copies.keys()
    assert {number for number, ids in copies.items() if number in acknowledged and len(ids) > 1} == set()
    assert copies.keys() <= {number for sender in senders for number in sender.tried}


def _worked(senders: list[Sender], kills: int) -> bool:
    return acknowledged_by(senders) >= 2 * kills


def _found(what: re.Pattern[bytes], octets: bytes) -> bytes:
    match = what.search(octets)
    assert match is not None
    return match[1]
