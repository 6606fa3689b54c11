"""A message trace in memory."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from cjsm.community.identifiers import ConnectionId
from cjsm.store.interfaces import ITrace, Traced


@implementer(ITrace)
class MemoryTrace:
    """Keeps records, sealed as they are, and assessments as long as the test lasts."""

    dropped = 0

    def __init__(self) -> None:
        self.records: list[Traced] = []
        self._assessments: dict[ConnectionId, list[tuple[int, bytes]]] = {}

    def add(self, records: Sequence[Traced]) -> None:
        self.records += records

    def find(self, queue_id: bytes, limit: int) -> "Deferred[Sequence[Traced]]":
        return succeed([each for each in self.records if each.queue_id == queue_id][:limit])

    def named(self, message: bytes, limit: int) -> "Deferred[Sequence[bytes]]":
        return succeed(list(dict.fromkeys(each.queue_id for each in self.records if each.message == message))[:limit])

    def since(self, moment: int, after: int, limit: int) -> "Deferred[Sequence[tuple[int, Traced]]]":
        numbered = enumerate(self.records, 1)
        return succeed([each for each in numbered if each[0] > after and each[1].moment >= moment][:limit])

    def assessed(self, connection: ConnectionId, moment: int, assessment: bytes) -> "Deferred[None]":
        self._assessments.setdefault(connection, []).append((moment, assessment))
        return succeed(None)

    def assessments(self, connection: ConnectionId, limit: int) -> "Deferred[Sequence[bytes]]":
        newest = sorted(self._assessments.get(connection, []), reverse=True)
        return succeed([assessment for _, assessment in newest[:limit]])

    def prune(self, before: int) -> "Deferred[int]":
        kept = [each for each in self.records if each.moment >= before]
        gone = len(self.records) - len(kept)
        self.records = kept
        return succeed(gone)
