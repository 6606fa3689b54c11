"""Connections to other servers that wait a little while for the next message, so that it need not make one."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from cjsm.mail.sending import NextHopPolicy


class Line(Struct, frozen=True):
    """A connection to a server: an :class:`~cjsm.mail.sending.IRelaySession`.

    :ivar waited: it was idle before: that it breaks with the first message says nothing of the server.
    """

    session: Any
    waited: bool = False


class IdleLines:
    """Keeps them. One is only ever taken for the policy that it was made under."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._waiting: dict[NextHopPolicy, list[tuple[Line, IDelayedCall]]] = {}

    def keep(self, line: Line, seconds: float) -> None:
        """Keep *line* for *seconds*, unless it is of no more use."""
        if not (line.session.usable and seconds):
            line.session.close()
            return
        kept = Line(line.session, waited=True)
        over = self._reactor.callLater(seconds, self._over, kept)
        self._waiting.setdefault(line.session.policy, []).append((kept, over))

    def take(self, hops: Sequence[NextHopPolicy]) -> Line | None:
        """Return one that may be used for the first of *hops*; None where there is none."""
        waiting = self._waiting.get(hops[0], []) if hops else []
        while waiting:
            # The one that waited least: those that are not needed come to their end.
            line, over = waiting.pop()
            over.cancel()
            if not waiting:
                del self._waiting[line.session.policy]
            if line.session.usable:
                return line
            line.session.close()
        return None

    def close(self) -> None:
        """Close all."""
        lines, self._waiting = self._waiting, {}
        for waiting in lines.values():
            for line, over in waiting:
                over.cancel()
                line.session.close()

    def _over(self, line: Line) -> None:
        waiting = [each for each in self._waiting[line.session.policy] if each[0] is not line]
        if waiting:
            self._waiting[line.session.policy] = waiting
        else:
            del self._waiting[line.session.policy]
        line.session.close()
