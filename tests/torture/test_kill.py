"""SIGKILL at random, again and again, under load: what was acknowledged is there, once; what was deleted stays away."""

import json
import os
import poplib
import random
import re
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.running import Community, content

pytestmark = pytest.mark.torture

#: Kills; `CJSM_KILLS=1000 script/test tests/torture` for a long night.
_KILLS = int(os.environ.get("CJSM_KILLS", "25"))
_SENDERS = 5
_NUMBER = re.compile(rb"^Subject: number (\S+)\r\n", re.MULTILINE)
_GONE = (OSError, smtplib.SMTPException, poplib.error_proto)


class Sender(threading.Thread):
    """Sends numbered messages, each to two people, and remembers those that were acknowledged."""

    def __init__(self, community: Community, name: str, account: dict[str, Any], readers: list[str]) -> None:
        super().__init__(name=name)
        self.acknowledged: set[str] = set()
        self.tried: set[str] = set()
        self.ending = threading.Event()
        self._community = community
        self._account = account
        self._readers = readers

    def run(self) -> None:
        while not self.ending.is_set():
            try:
                self._session()
            except _GONE:
                time.sleep(0.05)

    def _session(self) -> None:
        with closing(self._community.smtp(self._account, timeout=10)) as session:
            self._send(session)

    def _send(self, session: smtplib.SMTP) -> None:
        for _ in range(20):
            if self.ending.is_set():
                break
            number = f"{self.name}-{len(self.tried)}"
            self.tried.add(number)
            # Every seventh is large enough to have a body file.
            text = "evidence\r\n" * (60_000 if len(self.tried) % 7 == 0 else 200)
            head = f"From: {self._account['address']}\r\nSubject: number {number}\r\n\r\n"
            session.sendmail(self._account["address"], self._readers, (head + text).encode())
            self.acknowledged.add(number)
        session.quit()


class Deleter(threading.Thread):
    """Reads one mailbox and deletes from it; sometimes it leaves without QUIT, which must not delete anything."""

    def __init__(self, community: Community, account: dict[str, Any], chance: random.Random) -> None:
        super().__init__(name="deleter")
        self.deleted: set[str] = set()
        self.uncertain: set[str] = set()
        self.numbers: dict[str, str] = {}
        self.ending = threading.Event()
        self._community = community
        self._account = account
        self._chance = chance

    def run(self) -> None:
        while not self.ending.is_set():
            try:
                self._session()
            except _GONE:
                time.sleep(0.05)

    def _session(self) -> None:
        with closing(self._community.pop3(self._account, timeout=10)) as session:
            self._delete(session)

    def _delete(self, session: poplib.POP3) -> None:
        listed = dict(line.decode().split() for line in session.uidl()[1])
        assert not self.deleted & set(listed.values()), "what was deleted is back"
        chosen = [number for number in list(listed)[:200] if self._chance.random() < 0.05]
        for number in chosen:
            self.numbers[listed[number]] = _number(content(session, int(number)))
            session.dele(int(number))
        if self._chance.random() < 0.3:
            return
        unique = {listed[number] for number in chosen}
        self.uncertain |= unique
        session.quit()
        self.uncertain -= unique
        self.deleted |= unique


@pytest.fixture
def own_community(tmp_path: Path) -> Iterator[Community]:
    """A community that may be killed."""
    made = Community(tmp_path / "demo")
    made.make()
    yield made
    made.stop()


# A client that is cut off while it says hello leaves its socket to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_killed_again_and_again(own_community: Community) -> None:
    """After every restart each acknowledged message is there exactly once, under the unique-id it had before."""
    community = own_community
    # From the first kill on heads are anchored and signed often, so that kills come between the steps of that too.
    community.set("anchor_every|checkpoint_every", "1")
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    people = community.hosted()
    keeper, loser = people[0], people[1]
    addresses = [keeper["address"], loser["address"]]
    senders = [Sender(community, f"s{place}", people[2 + place], addresses) for place in range(_SENDERS)]
    deleter = Deleter(community, loser, chance)
    threads: list[Sender | Deleter] = [*senders, deleter]
    for thread in threads:
        thread.start()
    try:
        for kills in range(1, _KILLS + 1):
            wait_until(partial(_worked, senders, deleter, kills))
            time.sleep(chance.uniform(0.0, 0.5))
            community.kill()
            community.start()
    finally:
        for thread in threads:
            thread.ending.set()
        for thread in threads:
            thread.join()
    acknowledged = set().union(*(sender.acknowledged for sender in senders))
    tried = set().union(*(sender.tried for sender in senders))
    kept = _numbers(community, keeper, acknowledged)
    _check(acknowledged, tried, list(kept.values()))
    # The same again after one more kill: nothing is delivered twice, and unique-ids stay.
    community.kill()
    community.start()
    assert _numbers(community, keeper, acknowledged) == kept
    left = _numbers(community, loser, set())
    assert not deleter.deleted & set(left)
    assert deleter.deleted
    gone = [deleter.numbers[unique] for unique in deleter.deleted | deleter.uncertain if unique not in left]
    _check(acknowledged, tried, [*left.values(), *gone])
    assert "is not what was written to it" not in community.log()
    found = json.loads(community.command("check", "--json").stdout)
    assert [each["problem"] for each in found if each["what"] in ("mailboxes", "ledger")] == ["", ""]
    verified = community.command("audit", "verify", "--json")
    assert json.loads(verified.stdout)["signed"] > 1, verified.stdout


def _worked(senders: list[Sender], deleter: Deleter, kills: int) -> bool:
    return acknowledged_by(senders) >= 10 * kills and len(deleter.deleted) >= kills


def acknowledged_by(senders: list[Sender]) -> int:
    """How many messages were acknowledged so far."""
    return sum(len(sender.acknowledged) for sender in senders)


def wait_until(done: Callable[[], bool]) -> None:
    """Wait for work: kills come while the service is at it, however slow the machine is."""
    ends = time.monotonic() + 60
    while not done():
        assert time.monotonic() < ends, "the service does nothing"
        time.sleep(0.02)


def _check(acknowledged: set[str], tried: set[str], found: list[str]) -> None:
    assert [number for number, times in Counter(found).items() if times > 1] == []
    assert acknowledged - set(found) == set()
    assert set(found) <= tried


def _numbers(community: Community, account: dict[str, Any], expected: set[str]) -> dict[str, str]:
    """Return the numbers of the messages in a mailbox by unique-id, once delivery has caught up."""
    ends = time.monotonic() + 60
    while True:
        session = community.pop3(account)
        found = {
            unique: _number(b"\r\n".join(session.top(int(number), 0)[1]))
            for number, unique in (line.decode().split() for line in session.uidl()[1])
        }
        session.quit()
        if expected <= set(found.values()) and _queued(community) == 0:
            return found
        assert time.monotonic() < ends, f"missing: {expected - set(found.values())}"
        time.sleep(0.2)


def _queued(community: Community) -> int:
    return int(json.loads(community.command("status", "--json").stdout)["queue"]["messages"])


def _number(message: bytes) -> str:
    found = _NUMBER.search(message + b"\r\n")
    assert found is not None, message[:200]
    return found[1].decode()
