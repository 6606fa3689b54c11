"""One try to send a queued message: whether it still may go, what was said of each recipient, what the sender hears."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from twisted.logger import Logger

from cjsm.community.address import Address, BadAddress
from cjsm.community.admission import Refuse, leaves_to
from cjsm.community.identifiers import ConnectionId
from cjsm.community.records import Connection, ConnectionState
from cjsm.community.view import View
from cjsm.configuration import RelaySettings, Settings
from cjsm.mail.authentication.signing import Signer
from cjsm.mail.edge import Edge
from cjsm.mail.envelope import Notify, OutgoingEnvelope
from cjsm.mail.outgoing import open_outgoing
from cjsm.mail.parcels import Packing
from cjsm.mail.reporting import Happened, Reports
from cjsm.mail.sending import Interrupted, NextHopPolicy, Outcome, Sent, policy
from cjsm.mail.traced import Answer, Side, kept
from cjsm.mail.tracing import Tracer
from cjsm.store.interfaces import (
    Attempted,
    Damaged,
    IBodyStore,
    ICommunityStore,
    Queued,
    SpoolBatch,
    StoreError,
)
from cjsm.vault.errors import VaultError
from cjsm.vault.secrets import ServiceSecrets

_GROWS = 1.5
_EXPIRED = "5.4.7"


class Done(Struct, frozen=True):
    """What is written of a try: how far the message is, and the reports that senders get."""

    attempted: Attempted
    reports: tuple[SpoolBatch, ...] = ()


class Attempts:
    """Makes attempts and judges what came of them.

    :ivar settings: may be replaced while it runs.
    :param signer: signs what leaves; None where there are no keys for it.
    :param clock: seconds since the epoch.
    """

    log = Logger()

    def __init__(
        self,
        settings: Settings,
        *,
        community: ICommunityStore,
        bodies: IBodyStore,
        secrets: ServiceSecrets,
        edge: Edge,
        signer: Signer | None,
        tracer: Tracer,
        reports: Reports,
        clock: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.bodies = bodies
        self.edge = edge
        self.signer = signer
        self._tracer = tracer
        self._community = community
        self._queue_key = secrets.queue
        self._reports = reports
        self._clock = clock

    def concurrency(self, connection: ConnectionId, settings: RelaySettings) -> int:
        """Return how many connections there may be to one destination."""
        found = self._community.read_now(lambda view: view.connection(connection))
        return (found.limits.concurrency if found is not None else None) or settings.concurrency

    def rest(self, connection: ConnectionId) -> int:
        """Return for how many seconds a dead destination is left alone."""
        return self._figure(self._community.read_now(lambda view: view.connection(connection)), "retry_first")

    async def begin(self, queued: Queued) -> "Attempt | Done":
        """Return an attempt to send what may still go, or what there is to write where nothing may."""
        try:
            envelope = open_outgoing(self._queue_key, queued.outgoing)
        except (VaultError, Damaged) as error:
            self.log.critical("message {number} cannot be opened: {error}", number=queued.sequence, error=error)
            return self._unreadable(queued, str(error))
        if queued.state.removed:
            return await self._returned(queued, envelope)
        connection, refused, closed = self._community.read_now(lambda view: _destination(view, queued, envelope))
        if closed:
            return await self.put_off(queued, closed, envelope)
        wanted = [index for index in self._left(queued) if index not in refused]
        if connection is None or not wanted:
            return await self.judged(queued, envelope, refused)
        return Attempt(self, queued, envelope, connection, wanted, refused)

    async def put_off(
        self, queued: Queued, why: str, envelope: OutgoingEnvelope | None = None, *, status: str = "4.4.1"
    ) -> Done:
        """Return what is written of a message that was not sent: later, or too late.

        :param status: the enhanced status code that says why (RFC 3463).
        """
        if envelope is None:
            try:
                envelope = open_outgoing(self._queue_key, queued.outgoing)
            except (VaultError, Damaged) as error:
                return self._unreadable(queued, str(error))
        if queued.state.removed:
            return await self._returned(queued, envelope)
        later = dict.fromkeys(self._left(queued), Outcome(code=450, status=status, text=why, ours=True))
        return await self.judged(queued, envelope, later)

    async def _returned(self, queued: Queued, envelope: OutgoingEnvelope) -> Done:
        words = f"an engineer took the message out of the queue: {queued.state.removed}"
        everybody = dict.fromkeys(self._left(queued), Outcome(code=550, status="5.7.0", text=words, ours=True))
        return await self.judged(queued, envelope, everybody)

    def _unreadable(self, queued: Queued, why: str) -> Done:
        """It waits for whoever can put it right; once an engineer gives it up nobody knows whom to tell."""
        settled = tuple(self._left(queued)) if queued.state.removed else ()
        due = self._next_try(queued, None)
        return Done(Attempted(sequence=queued.sequence, settled=settled, due=due, reason=f"it cannot be read: {why}"))

    def _left(self, queued: Queued) -> list[int]:
        settled = set(queued.state.settled)
        return [index for index in range(queued.outgoing.recipients) if index not in settled]

    def _next_try(self, queued: Queued, connection: Connection | None) -> int:
        first = self._figure(connection, "retry_first")
        wait = min(first * _GROWS ** min(queued.state.attempts, 40), self._figure(connection, "retry_most"))
        return int(self._clock() + wait)

    def _figure(self, connection: Connection | None, name: str) -> int:
        own: int | None = getattr(connection.limits, name) if connection is not None else None
        return own if own is not None else int(getattr(self.settings.relay, name))

    async def judged(
        self,
        queued: Queued,
        envelope: OutgoingEnvelope,
        outcomes: Mapping[int, Outcome],
        session: Any = None,
        *,
        passes_reports_on: bool = False,
    ) -> Done:
        """Return what is written after *outcomes* for recipients by index: those of 4xx are tried again."""
        now = int(self._clock())
        connection = self._community.read_now(lambda view: view.connection(queued.outgoing.connection))
        age = now - queued.outgoing.accepted
        happened: list[Happened] = []
        settled: list[int] = []
        late = False
        reason = ""
        for index, outcome in outcomes.items():
            recipient = envelope.recipients[index]
            kind = outcome.code // 100
            expired = kind == 4 and age >= self._figure(connection, "give_up")
            if expired:
                outcome = msgspec.structs.replace(outcome, code=550, status=_EXPIRED)
                kind = 5
            self._trace(envelope, recipient.address, outcome, session, expired=expired)
            if kind == 4:
                reason = outcome.text
                late = age >= self._figure(connection, "delay_notice") and not queued.state.told
                if late and recipient.wish.wants(Notify.DELAY):
                    happened.append(Happened(recipient, outcome, Notify.DELAY))
                continue
            settled.append(index)
            if kind == 5 and recipient.wish.wants(Notify.FAILURE):
                happened.append(Happened(recipient, outcome, Notify.FAILURE))
            elif kind == 2 and not passes_reports_on and recipient.wish.wants(Notify.SUCCESS):
                happened.append(Happened(recipient, outcome, Notify.SUCCESS))
        due = self._next_try(queued, connection)
        expires = queued.outgoing.accepted + self._figure(connection, "give_up")
        attempted = Attempted(
            sequence=queued.sequence,
            settled=tuple(settled),
            due=due,
            reason=kept(reason),
            told=late,
            returning=bool(queued.state.removed),
        )
        try:
            return Done(attempted, await self._report(queued, envelope, happened, session, expires))
        except Exception as error:  # noqa: BLE001 - logged; what was sent must not be sent again for want of a report
            self.log.failure("a report could not be made")
            return Done(_unreported(attempted, envelope, happened, str(error)))

    def _trace(
        self, envelope: OutgoingEnvelope, recipient: str, outcome: Outcome, session: Any, *, expired: bool
    ) -> None:
        side = Side()
        if session is not None:
            side = Side(host=session.peer, tls_version=session.tls_version, tls_group=session.tls_group)
        answer = Answer(code=outcome.code, status=outcome.status, words=outcome.text)
        if expired:
            self._tracer.expired(envelope.queue_id, recipient=recipient, answer=answer)
        elif outcome.code // 100 == 2:
            self._tracer.relayed(envelope.queue_id, recipient=recipient, side=side, answer=answer)
        elif outcome.code // 100 == 4:
            self._tracer.deferred(envelope.queue_id, recipient=recipient, side=side, answer=answer)
        else:
            self._tracer.failed(envelope.queue_id, recipient=recipient, side=side, answer=answer)

    async def _report(
        self, queued: Queued, envelope: OutgoingEnvelope, happened: list[Happened], session: Any, expires: int
    ) -> tuple[SpoolBatch, ...]:
        """Return the reports that the sender gets."""
        if not happened or not envelope.reverse_path:
            return ()
        made = await self._reports.sent(
            queued.outgoing, envelope, happened, remote=session.peer if session is not None else "", expires=expires
        )
        for batch in made:
            for each in happened:
                report = batch.id[:8].hex()
                self._tracer.returned(envelope.queue_id, recipient=each.recipient.address, report=report)
        return made


class Attempt:
    """One message that may go, to those recipients that are left. :meth:`close` it, however it ended."""

    def __init__(
        self,
        house: Attempts,
        queued: Queued,
        envelope: OutgoingEnvelope,
        connection: Connection,
        wanted: list[int],
        refused: Mapping[int, Outcome],
    ) -> None:
        self._house = house
        self._queued = queued
        self._envelope = envelope
        self._connection = connection
        self._wanted = wanted
        self._refused = refused
        self._packing = Packing(
            queued.outgoing,
            envelope,
            connection,
            bodies=house.bodies,
            edge=house.edge,
            signer=house.signer,
            settings=house.settings.mail,
        )

    @property
    def hops(self) -> tuple[NextHopPolicy, ...]:
        """Where it may be taken, the first one first."""
        return tuple(policy(self._connection, hop) for hop in self._connection.next_hops)

    async def send(self, session: Any) -> Done:
        """Send it over *session*, again where not all recipients have room in one; return what is written of it.

        :raises Interrupted: when nobody knows what became of it.
        """
        sent = await self._try(session, self._wanted)
        outcomes = {**self._refused, **sent.outcomes}
        while left := [index for index in self._wanted if index not in outcomes]:
            self.close()
            try:
                outcomes |= (await self._try(session, left)).outcomes
            except Exception as error:  # noqa: BLE001 - what became of the others is known and must be written
                if not isinstance(error, Interrupted):
                    self._house.log.failure("a message could not be sent to all")
                outcomes |= _later(left, "4.4.2", str(error))
        return await self._house.judged(
            self._queued, self._envelope, outcomes, session, passes_reports_on=sent.passes_reports_on
        )

    async def _try(self, session: Any, indexes: Sequence[int]) -> Sent:
        """Send it to those recipients; who has no outcome then is to be tried in one more message."""
        try:
            parcel = await self._packing.parcel(indexes)
        except (StoreError, VaultError) as error:
            return Sent(outcomes=_later(indexes, "4.3.0", f"the message cannot be read here: {error}"))
        sent: Sent = await session.send(parcel)
        return sent

    def close(self) -> None:
        """Give back what is held. Idempotent."""
        self._packing.close()


def _later(indexes: Sequence[int], status: str, words: str) -> dict[int, Outcome]:
    return dict.fromkeys(indexes, Outcome(code=450, status=status, text=words, ours=True))


def _unreported(attempted: Attempted, envelope: OutgoingEnvelope, happened: Sequence[Happened], why: str) -> Attempted:
    """Return what is written where the report could not be kept: whoever failed is tried, and reported, again.

    Whoever has the message is done with: a report is not worth a second copy.
    """
    owed = {envelope.recipients.index(each.recipient) for each in happened if each.kind is Notify.FAILURE}
    settled = tuple(index for index in attempted.settled if index not in owed)
    return msgspec.structs.replace(attempted, settled=settled, reason=why if owed else attempted.reason, told=False)


def _destination(
    view: View, queued: Queued, envelope: OutgoingEnvelope
) -> tuple[Connection | None, dict[int, Outcome], str]:
    """Ask again, for the destination only, whether each recipient that is left may be sent to (community section 5).

    Return the connection, what is refused by place, and why everything else has to wait, where it has.
    """
    refused: dict[int, Outcome] = {}
    settled = set(queued.state.settled)
    for index, recipient in enumerate(envelope.recipients):
        if index in settled:
            continue
        verdict = _leaves(view, queued.outgoing.connection, recipient.address)
        if verdict is not None:
            refused[index] = Outcome(code=verdict.code, status=verdict.status, text=verdict.text, ours=True)
    connection = view.connection(queued.outgoing.connection)
    return connection, refused, _closed(view, connection, envelope) if connection is not None else ""


def _closed(view: View, connection: Connection, envelope: OutgoingEnvelope) -> str:
    """Return why a message must not go over *connection* now; one in testing gets no members' mail but its own."""
    if connection.state is ConnectionState.SUSPENDED:
        return "the connection is suspended at the moment"
    sender = view.domain(envelope.reverse_path.rpartition("@")[2])
    own = sender is not None and sender.connection == connection.id
    if connection.state is ConnectionState.TESTING and not (own or envelope.service):
        return "the connection is being tested: members' mail waits until it is live"
    return ""


def _leaves(view: View, connection: ConnectionId, address: str) -> Refuse | None:
    try:
        return leaves_to(view, connection, Address.parse(address, international=True))
    except BadAddress as error:
        return Refuse(code=553, status="5.1.3", text=str(error), view=view.number, rules=("address-syntax",))
