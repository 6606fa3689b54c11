"""Bad weather for one process: calls take their time, fail in every way, and the process may die at each step."""

import random
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from cjsm.store.interfaces import Damaged, DiskFull, Unavailable

T = TypeVar("T")

#: Seconds that a call takes at most, and until it is given up.
_SOON = 0.02
_TIMEOUT = 30.0


class _Trouble(NamedTuple):
    """One way to fail: with what, whether it happens all the same, and how long that takes at most."""

    error: Exception
    happens: bool
    longest: float


_TROUBLES = (
    _Trouble(Unavailable("an error"), False, _SOON),
    _Trouble(DiskFull("no room"), False, _SOON),
    _Trouble(Damaged("not what was written"), False, _SOON),
    _Trouble(Unavailable("committed, but nobody knows", maybe_committed=True), True, _SOON),
    _Trouble(Unavailable("not committed, but nobody knows", maybe_committed=True), False, _SOON),
    _Trouble(Unavailable("too late, but committed", maybe_committed=True), True, _TIMEOUT),
    _Trouble(Unavailable("too late", maybe_committed=True), False, _TIMEOUT),
)
_ODD = _Trouble(ValueError("nobody thought of it"), True, _SOON)


class Storm:
    """See :class:`tests.mail.memory.Weather`.

    :param trouble: how likely a call fails.
    :param until: when fair weather comes, in seconds since the epoch.
    :param dies_at: the step that is not taken any more; 0 for none.
    :ivar dead: whether the process died; nothing happens and nothing fires from then on.
    """

    def __init__(self, luck: random.Random, clock: Clock, *, trouble: float, until: float, dies_at: int) -> None:
        self.dead = False
        self._luck = luck
        self._clock = clock
        self._trouble = trouble
        self._until = until
        self._dies_at = dies_at
        self._steps = 0

    def run(self, name: str, act: Callable[[], T]) -> "Deferred[T]":
        """Reach the disk, perhaps do *act*, and answer: each a step of its own."""
        answer: Deferred[T] = Deferred()
        trouble = self._foul()
        self._step(_SOON, lambda: self._reach(trouble, act, answer))
        return answer

    def _foul(self) -> _Trouble | None:
        if self._clock.seconds() >= self._until or self._luck.random() >= self._trouble:
            return None
        return _ODD if self._luck.random() < 0.02 else self._luck.choice(_TROUBLES)

    def _reach(self, trouble: _Trouble | None, act: Callable[[], T], answer: "Deferred[T]") -> None:
        try:
            result = act() if trouble is None or trouble.happens else None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            failed = error
            self._step(_SOON, lambda: answer.errback(failed))
            return
        if trouble is None:
            self._step(_SOON, lambda: answer.callback(result))  # type: ignore[arg-type] # act was called
        else:
            self._step(trouble.longest, lambda: answer.errback(trouble.error))

    def _step(self, longest: float, go_on: Callable[[], object]) -> None:
        def step() -> None:
            self._steps += 1
            self.dead = self.dead or self._steps == self._dies_at
            if not self.dead:
                go_on()

        self._clock.callLater(self._luck.uniform(0, longest), step)
