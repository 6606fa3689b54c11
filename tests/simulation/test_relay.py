"""Relay under bad luck: servers that do anything, a queue whose writes fail, a process that dies at any moment.

The queue is the real one; time, servers, faults and deaths follow from one seed. When fair weather has come, each
recipient was reached or its sender was told, and reached twice only where nobody could know of the first time.
"""

import random
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from cjsm.community.records import NextHop
from cjsm.configuration import RelaySettings
from cjsm.mail.attempts import Attempts
from cjsm.mail.edge import Edge
from cjsm.mail.relay import RelayWorker
from cjsm.mail.reporting import Reports
from cjsm.mail.sending import CannotReach, Interrupted, NextHopPolicy, Outcome, Parcel, Sent
from cjsm.store.interfaces import Unavailable
from cjsm.store.lmdb.disk import InlineDisk
from cjsm.store.lmdb.outgoing import LmdbOutgoing
from tests.community.communities import FIRM_CONNECTION, NOW, SUFFIX, community
from tests.mail.support import DATED, LETTER, SECRETS, House, result
from tests.store.support import open_spool

from .seeds import seeds

#: One in so many seeds is run here, since each is a disk of its own.
_SHARE = 10
_FAIR_AFTER = 3_600
_MESSAGES = 12
_SETTINGS = RelaySettings(retry_first=60, retry_most=600, delay_notice=900, give_up=7_200, concurrency_first=2)


class FaultyDisk(InlineDisk):
    """Some writes fail, some of them although they were written."""

    def __init__(self, luck: random.Random) -> None:
        super().__init__()
        self._luck = luck
        self.fair = False

    def run(self, work: Callable[[], Any]) -> "Deferred[Any]":
        if self.fair or self._luck.random() > 0.05:
            return super().run(work)
        if self._luck.random() < 0.5:
            return fail(Unavailable("an error"))
        super().run(work).addErrback(lambda _: None)
        return fail(Unavailable("nobody knows", maybe_committed=True))


class Firm:
    """The other side: what it took, and of what nobody here can know that it did."""

    def __init__(self, luck: random.Random, clock: Clock) -> None:
        self.took: Counter[tuple[bytes, str]] = Counter()
        self.in_doubt: set[tuple[bytes, str]] = set()
        self.fair = False
        self._luck = luck
        self._clock = clock

    def connect(self, policy: NextHopPolicy) -> "Deferred[Session]":
        if not self.fair and self._luck.random() < 0.2:
            return fail(CannotReach("it is away"))
        return succeed(Session(self, policy))

    def judge(self, number: bytes, address: str) -> int:
        if self.fair:
            return 250
        code = self._luck.choice((250, 250, 250, 450, 550 if address.startswith("never") else 450))
        return code


class Session:
    """One connection to the firm."""

    peer, tls_version, tls_group, usable = "firm", "TLSv1.3", "X25519", True

    def __init__(self, firm: Firm, policy: NextHopPolicy) -> None:
        self.policy = policy
        self._firm = firm

    def send(self, parcel: Parcel) -> "Deferred[Sent]":
        return Deferred.fromCoroutine(self._send(parcel))

    async def _send(self, parcel: Parcel) -> Sent:
        firm, text = self._firm, b""
        while piece := await parcel.pieces.read(1 << 16):
            text += piece
        number = text.partition(b"Subject: ")[2].partition(b"\r\n")[0]
        if not firm.fair and firm._luck.random() < 0.1:
            raise Interrupted("it broke off")
        # Sometimes there are too many for one message, and the others have no outcome yet.
        few = firm._luck.random() < 0.3
        asked = parcel.addressees[: firm._luck.randint(1, len(parcel.addressees)) if few else None]
        codes = {each.index: firm.judge(number, each.address) for each in asked}
        taken = [(number, each.address) for each in asked if codes[each.index] == 250]
        firm.took.update(taken)
        if not firm.fair and firm._luck.random() < 0.1:
            firm.in_doubt.update(taken)
            raise Interrupted("its last reply was lost")
        return Sent(
            outcomes={
                index: Outcome(code=code, status=f"{code // 100}.0.0", text=f"{code} so be it")
                for index, code in codes.items()
            }
        )

    def close(self) -> None:
        """Nothing to give back."""


class World:
    """One community, one firm, and what becomes of mail between them."""

    def __init__(self, seed: int, directory: Path) -> None:
        self.luck = random.Random(seed)
        self.clock = Clock()
        self.clock.advance(NOW)
        self.directory = directory
        self.disk = FaultyDisk(self.luck)
        self.firm = Firm(self.luck, self.clock)
        here = msgspec.structs.replace(FIRM_CONNECTION, next_hops=(NextHop(host="mail.firm.co.uk", port=25),))
        self.house = House(view=community(here), clock=self.clock, seed=seed)
        self.asked: dict[tuple[bytes, str], bool] = {}
        self.generation = 0
        self._begin()

    def _begin(self) -> None:
        """A process over the queue as it is on the disk."""
        self.generation += 1
        self.spool = open_spool(self.directory, self.disk, clock=self.clock.seconds)
        settings = msgspec.structs.replace(self.house.acceptance.settings, relay=_SETTINGS)
        own_mail, rooms = self.house.acceptance.own_mail, self.house.acceptance._rooms
        reports = Reports(
            settings,
            own_mail=own_mail,
            bodies=rooms.bodies,
            secrets=SECRETS,
            clock=self.clock.seconds,
            entropy=self.luck.randbytes,
        )
        attempts = Attempts(
            settings,
            community=self.house.community,  # type: ignore[arg-type]  # what it asks for
            bodies=rooms.bodies,
            secrets=SECRETS,
            edge=Edge(self.house.community),  # type: ignore[arg-type]  # what it asks for
            signer=None,
            tracer=self.house.tracer,
            reports=reports,
            clock=self.clock.seconds,
        )
        self.worker = RelayWorker(
            _SETTINGS,
            queue=self.spool.outgoing,
            attempts=attempts,
            connector=self.firm,  # type: ignore[arg-type]  # what it asks for
            reactor=self.clock,
        )
        self.worker.start()

    def die(self) -> None:
        """End the process in the middle of whatever it does: what it had taken is taken again."""
        self.worker._queue = Dead()  # type: ignore[assignment]  # nothing that it does reaches the disk any more
        self.worker._running = False
        for call in self.clock.getDelayedCalls():
            call.cancel()
        # What was sent and not written down is in doubt.
        self.firm.in_doubt.update(self.firm.took)
        result(self.spool.close())
        self._begin()

    def send(self, number: int) -> None:
        """Accept a message to a few people of the firm."""
        subject = f"{number}".encode()
        people = self.luck.sample(["jo", "al", "never-one", "never-two"], self.luck.randint(1, 3))
        message = self.house.begun(*(f"{name}@firm.co.uk.{SUFFIX}" for name in people))
        message.write(DATED + LETTER.replace(b"Subject: Bail", b"Subject: " + subject))
        batch = result(message._batch())
        for _ in range(9):
            answer: list[object] = []
            self.spool.put(batch).addBoth(answer.append)
            if answer and isinstance(answer[0], int):
                self.asked.update(((subject, f"{name}@firm.co.uk"), True) for name in people)
                return

    def run(self) -> None:
        """Bad weather, then fair."""
        for number in range(_MESSAGES):
            self.send(number)
            self._pass(self.luck.uniform(0, 400))
            if self.luck.random() < 0.15:
                self.die()
        self.firm.fair = self.disk.fair = True
        for _ in range(40):
            self._pass(600, 60)
            if not result(self.spool.outgoing.listed(0, 1)):
                return
        raise AssertionError(f"still waiting: {result(self.spool.outgoing.listed(0, 100))}")

    def _pass(self, seconds: float, step: int = 10) -> None:
        for _ in range(int(seconds) // step):
            self.clock.advance(step)

    def check(self) -> None:
        """Each recipient was reached or reported; twice only where nobody could know."""
        reports = sum(1 for _ in self._reports())
        for key in self.asked:
            reached = self.firm.took[key]
            assert reached <= 1 or key in self.firm.in_doubt, f"{key} was reached {reached} times"
        missed = {key for key in self.asked if not self.firm.took[key]}
        failed = {key for key in missed if key[1].startswith("never")}
        assert missed == failed, "somebody who was never refused was not reached"
        assert reports >= len({number for number, _ in failed})

    def _reports(self) -> Any:
        return (claimed for claimed in result(self.spool.claim("test", 1_000, int(self.clock.seconds()) + 60)))


class Dead:
    """The queue of a process that died."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: Deferred()


@pytest.mark.parametrize("seed", seeds()[::_SHARE])
def test_nothing_is_lost_and_nothing_is_said_twice(seed: int) -> None:
    """See the top of this file."""
    with tempfile.TemporaryDirectory() as directory:
        world = World(seed, Path(directory))
        world.run()
        world.check()
        assert world.asked
        world.worker.stop()
        result(world.spool.close())


def test_the_simulation_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue that forgets what was sent is found out: else all this would prove little."""

    monkeypatch.setattr(LmdbOutgoing, "record", lambda *_: succeed(None))
    with tempfile.TemporaryDirectory() as directory:
        world = World(1, Path(directory))
        with pytest.raises(AssertionError, match="still waiting"):
            world.run()
        result(world.spool.close())
