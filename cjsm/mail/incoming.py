"""One message on its way in, from its first recipient to the spool."""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cjsm.community.address import Address
from cjsm.community.admission import EchoRoute, HostedRoute, Origin, RelayRoute
from cjsm.community.identifiers import LENGTH, BodyId, Entropy
from cjsm.community.view import View
from cjsm.configuration import Settings
from cjsm.mail.content import SealedContent
from cjsm.mail.crossing import Crossing, Crossings
from cjsm.mail.destinations import Destination, Destinations, destinations
from cjsm.mail.echo import Echo, answered_test
from cjsm.mail.entries import EntryMaker, joined, queue_id
from cjsm.mail.envelope import NO_WISH, Demands, Wish
from cjsm.mail.header import Header, HeaderReader
from cjsm.mail.identity import check_identity, on_behalf
from cjsm.mail.interfaces import Hop, IIncomingMessage, IMailboxKeys, Refused
from cjsm.mail.limits import Capacity, too_large, too_large_there, too_many
from cjsm.mail.notinuse import NotInUse
from cjsm.mail.rates import Rates
from cjsm.mail.recipients import Recipients, smallest_limit
from cjsm.mail.submission import Submitted, relayed, submitted
from cjsm.mail.traced import Answer, Target
from cjsm.mail.tracing import Tracer
from cjsm.mail.turns import Turns
from cjsm.store.interfaces import DiskFull, IBodyStore, ICommunityStore, ISpool, SpoolBatch, StoreError
from cjsm.vault.errors import VaultError

#: A body goes to a file when its copies in mailboxes would take more than this many times the inline limit.
_COPIES = 4
#: Pauses in seconds before asking a spool again that does not know whether it took the message.
_ASK_AGAIN = (0.1, 1.0)


class Rooms(Struct, frozen=True, kw_only=True):
    """What every message needs."""

    community: ICommunityStore
    spool: ISpool
    bodies: IBodyStore
    keys: IMailboxKeys
    entries: EntryMaker
    capacity: Capacity
    echo: Echo
    not_in_use: NotInUse
    crossings: Crossings
    rates: Rates
    tracer: Tracer
    clock: Callable[[], float]
    reactor: IReactorTime
    entropy: Entropy


class _Begun(NamedTuple):
    """A message whose header was read and found good."""

    content: SealedContent
    told: Submitted
    header: Header
    crossing: Crossing | None


@implementer(IIncomingMessage)
class IncomingMessage:
    """See :class:`IIncomingMessage`."""

    _log = Logger()

    def __init__(
        self,
        rooms: Rooms,
        settings: Settings,
        origin: Origin,
        sender: Address | None,
        hop: Hop,
        size: int,
        demands: Demands,
    ) -> None:
        self._rooms = rooms
        self._settings = settings
        self._origin = origin
        self._sender = sender
        self._hop = hop
        self._announced = size
        self._demands = demands
        self._recipients = Recipients()
        self._limit = 0
        self._entry_id = rooms.entropy(LENGTH)
        self._body_id = BodyId(rooms.entropy(LENGTH))
        self._reading = HeaderReader(self._settings.mail)
        self._begun: _Begun | None = None
        self._writing: Deferred[None] | None = None
        self._octets = 0
        self._refusal: Refused | None = None
        self._message_id = ""
        self._turned_away: list[tuple[str, Answer]] = []
        self._ended = False
        self._in_doubt = False

    @property
    def queue_id(self) -> str:
        """How replies and traces call this message."""
        return queue_id(self._entry_id)

    # Recipients

    @property
    def recipients(self) -> int:
        """See :class:`IIncomingMessage`."""
        return self._recipients.asked

    def recipient(self, forward_path: str, wish: Wish = NO_WISH) -> "Deferred[None]":
        """See :class:`IIncomingMessage`."""
        return Deferred.fromCoroutine(self._recipient(forward_path, wish))

    async def _recipient(self, forward_path: str, wish: Wish) -> None:
        try:
            await self._add(forward_path, wish)
        except Refused as refusal:
            if len(self._turned_away) < self._settings.mail.recipients:
                self._turned_away.append((forward_path, _answer(refusal)))
            raise

    async def _add(self, forward_path: str, wish: Wish) -> None:
        rooms, settings = self._rooms, self._settings.mail
        if self._recipients.asked >= settings.recipients:
            raise too_many(settings.recipients)
        rooms.rates.recipient(self._origin, rooms.clock())
        found = self._found(forward_path)
        limit = smallest_limit(found.relayed)
        if limit and self._announced > limit:
            raise too_large_there(limit)
        turns = Turns(rooms.reactor)
        for each in self._recipients.fresh(found):
            await turns.next_one()
            self._check_key(each)
            if not found.of_list:
                await rooms.capacity.check(settings, each.mailbox, each.quota, self._announced, rooms.clock())
        self._limit = min(filter(None, (self._limit, limit)), default=0)
        self._recipients.add(found, wish)

    def _found(self, forward_path: str) -> Destinations:
        """Ask admission; who asks too often for what is refused hears nothing more."""
        rooms, international = self._rooms, self._demands.smtputf8
        try:
            return rooms.community.read_now(
                lambda view: destinations(view, self._origin, self._sender, forward_path, international=international)
            )
        except Refused as refusal:
            if refusal.code // 100 == 5:
                rooms.rates.refused_recipient(self._origin, rooms.clock())
            raise

    def _check_key(self, destination: Destination) -> None:
        """A mailbox that nothing can be sealed to must not cost the other recipients their message."""
        try:
            self._rooms.keys.current(destination.mailbox)
        except (StoreError, VaultError) as error:
            self._log.error("no key for {mailbox}: {error}", mailbox=destination.mailbox.hex(), error=error)
            raise Refused(450, "4.2.1", "this mailbox cannot take mail at the moment: try again later") from error

    # Content

    def write(self, octets: bytes) -> "Deferred[None] | None":
        """See :class:`IIncomingMessage`."""
        self._octets += len(octets)
        if self._refusal is None and self._octets > self._settings.mail.message_octets:
            self._refuse(too_large(self._settings.mail.message_octets))
        if self._refusal is None and self._limit and self._octets > self._limit:
            self._refuse(too_large_there(self._limit))
        if self._refusal is not None:
            return None
        if self._begun is not None:
            if self._begun.crossing is not None:
                self._begun.crossing.write(octets)
            return self._watched(self._begun.content.write(octets))
        try:
            found = self._reading.feed(octets)
            return self._begin_content(*found) if found is not None else None
        except Refused as refusal:
            self._refuse(refusal)
        except StoreError as error:
            self._log.error("a message could not be checked: {error}", error=error)
            self._refuse(unavailable(error))
        return None

    def _refuse(self, refusal: Refused) -> None:
        """Remember why, and hold nothing of the message any more."""
        self._refusal = refusal
        self._reading = HeaderReader(self._settings.mail)
        if self._begun is not None:
            self._begun.content.forget()

    def _begin_content(self, header: Header, body: bytes) -> "Deferred[None] | None":
        """Check the header; seal it as it is passed on, and the body's first octets.

        :raises Refused: with the verdict on the header.
        """
        rooms = self._rooms
        self._message_id = header.first(b"message-id")
        crossing, sender = self._checked(header)
        passed_on = crossing.header if crossing is not None else rooms.crossings.believed(header)
        told = self._told(passed_on, crossed=crossing is not None, sender=sender)
        self._message_id = told.message_id
        limit = self._settings.store.inline_body
        inline = min(limit, _COPIES * limit // self._recipients.copies)
        content = SealedContent(self._body_id, bodies=rooms.bodies, entropy=rooms.entropy, inline=inline)
        self._begun = _Begun(content, told, header, crossing)
        self._reading = HeaderReader(self._settings.mail)
        if crossing is not None:
            crossing.write(body)
        return self._watched(content.write(told.octets + body))

    def _checked(self, header: Header) -> tuple[Crossing | None, str]:
        """Check who the header says that sent it; return what is looked at in mail that crosses the edge, and who
        wrote it where it is from a shared mailbox.

        :raises Refused: with the verdict on the header.
        """
        most, international = self._settings.smtp.announced_recipients, self._demands.smtputf8
        hop, sender = self._hop, self._sender

        def look(view: View) -> tuple[Origin, Crossing | None, str]:
            origin = self._rooms.crossings.origin(view, self._origin, sender, header)
            written = check_identity(view, origin, header, most, international=international)
            crossing = self._rooms.crossings.begin(view, origin, hop, sender, header)
            return origin, crossing, on_behalf(view, origin, written)

        self._origin, crossing, behalf = self._rooms.community.read_now(look)
        return crossing, behalf

    def _told(self, header: Header, *, crossed: bool, sender: str) -> Submitted:
        """Return the header as it is passed on."""
        now = self._rooms.clock()
        if crossed:
            return relayed(header, hop=self._hop, queue_id=self.queue_id, now=now)
        host, unique = self._settings.smtp.host_name, self._entry_id.hex()
        return submitted(
            header, hop=self._hop, queue_id=self.queue_id, host=host, unique=unique, now=now, sender=sender
        )

    def _watched(self, writing: "Deferred[None] | None") -> "Deferred[None] | None":
        """The door waits for the disk, but never fails with it: commit says what went wrong."""
        if writing is not None:
            self._writing = writing.addErrback(self._write_failed)
        return writing

    def _write_failed(self, failure: Failure) -> None:
        self._log.error("a body could not be written: {error}", error=failure.value)
        self._refuse(unavailable(failure.value))

    # The end

    def commit(self) -> "Deferred[str]":
        """See :class:`IIncomingMessage`."""
        return Deferred.fromCoroutine(self._commit())

    async def _commit(self) -> str:
        if self._ended:
            raise Refused(451, "4.3.0", "the message was given up")
        # From here on only this coroutine ends the message: a door that loses its client must not take it apart.
        self._ended = True
        try:
            batch = await self._kept()
        except Refused as refusal:
            self._trace_refused("", _answer(refusal))
            raise
        finally:
            for path, answer in self._turned_away:
                self._trace_refused(path, answer)
        self._trace(batch)
        return self.queue_id

    async def _kept(self) -> SpoolBatch:
        """Return what the spool now keeps of the message; of one that it does not keep nothing is left.

        :raises Refused: with the verdict on it.
        """
        try:
            batch = await self._batch()
            await self._put(batch)
        except (StoreError, VaultError) as error:
            self._log.error("a message could not be accepted: {error}", error=error)
            await self._discard()
            raise unavailable(error) from error
        except Exception:
            await self._discard()
            raise
        return batch

    def _trace_refused(self, recipient: str, answer: Answer) -> None:
        """Note a refused *recipient*, or, without one, that the message was refused, for the helpdesk."""
        self._rooms.tracer.refused(
            self.queue_id,
            answer=answer,
            origin=self._origin,
            sender=str(self._sender or ""),
            hop=self._hop,
            recipient=recipient.lower(),
            message_id=self._message_id,
            host=self._hop.client,
        )

    def _trace(self, batch: SpoolBatch) -> None:
        """Note what was accepted, for the helpdesk."""
        deliveries = [made.delivery_id for entry in batch.hosted[:1] for made in entry.deliveries]
        hosted = zip(self._recipients.hosted, deliveries, strict=False)
        targets = [
            Target(address=each.address, route=HostedRoute(mailbox=each.mailbox), delivery=delivery)
            for each, delivery in hosted
        ]
        targets += [
            Target(address=each.address, route=RelayRoute(connection=connection, domain=""))
            for connection, _, behind in self._recipients.relayed
            for each in behind
        ]
        if self._recipients.echo:
            targets.append(Target(address="echo", route=EchoRoute()))
            self._trace_answer()
        self._rooms.tracer.accepted(
            self.queue_id,
            message_id=self._message_id,
            origin=self._origin,
            sender=str(self._sender or ""),
            octets=self._octets,
            hop=self._hop,
            targets=targets,
            host=self._hop.client,
        )

    def _trace_answer(self) -> None:
        """Note the answer to a test of a connection."""
        if self._begun is None:
            return
        word, crossing = answered_test(self._begun.header, self._settings.community.suffix), self._begun.crossing
        if word:
            found = crossing.found if crossing is not None else ""
            self._rooms.tracer.answered(word, origin=self._origin, hop=self._hop, found=found)

    async def _put(self, batch: SpoolBatch) -> None:
        """Ask the spool until it knows: the batch's id makes that safe."""
        for pause in (*_ASK_AGAIN, None):
            doubted, self._in_doubt = self._in_doubt, True
            try:
                await self._rooms.spool.put(batch)
                return
            except StoreError as error:
                self._in_doubt = doubted or getattr(error, "maybe_committed", False)
                if pause is None or not self._in_doubt:
                    raise
            await deferLater(self._rooms.reactor, pause)

    async def _batch(self) -> SpoolBatch:
        """Return what the spool keeps of the whole message.

        :raises Refused: with the verdict on it.
        """
        if self._refusal is None and self._begun is None:
            written = self._begin_content(self._reading.finish(), b"")
            if written is not None:
                await written
        if self._refusal is not None or self._begun is None:
            raise self._refusal or Refused(451, "4.3.0", "the message was given up")
        if not self._recipients:
            raise Refused(554, "5.5.1", "the message has no recipients")
        content, told, header, crossing = self._begun
        fields = await crossing.verdict() if crossing is not None else b""
        batch = await self._rooms.entries.make(
            entry_id=self._entry_id,
            body_id=self._body_id,
            sender=self._sender,
            recipients=self._recipients,
            content=content,
            told=told,
            now=int(self._rooms.clock()),
            demands=self._demands,
            fields=fields,
        )
        return await self._with_answers(batch, header)

    async def _with_answers(self, batch: SpoolBatch, header: Header) -> SpoolBatch:
        """Return what is kept of the message and of what the service answers to it."""
        rooms, unused = self._rooms, self._recipients.not_in_use
        if self._recipients.echo:
            answer = await rooms.echo.answer(self._sender, header, self._hop, self.queue_id)
            batch = joined(batch, answer) if answer is not None else batch
        if unused:
            answer = await rooms.not_in_use.answer(self._sender, header, unused, self.queue_id)
            batch = joined(batch, answer) if answer is not None else batch
        return batch

    def abort(self) -> "Deferred[None]":
        """See :class:`IIncomingMessage`."""
        if self._ended:
            return succeed(None)
        self._ended = True
        self._refuse(Refused(451, "4.3.0", "the message was given up"))
        return Deferred.fromCoroutine(self._discard())

    async def _discard(self) -> None:
        """Take away what is on the disk, unless an entry that may be in the spool names it: then a job sweeps it."""
        if self._in_doubt:
            return
        if self._writing is not None and not self._writing.called:
            waiting: Deferred[None] = Deferred()
            self._writing.addBoth(waiting.callback)
            await waiting
        if self._begun is not None:
            try:
                await self._begun.content.discard()
            except StoreError as error:
                self._log.error("a body could not be taken away, a job will: {error}", error=error)


def unavailable(error: BaseException | None) -> Refused:
    """Return the refusal of a message that the store cannot take now."""
    if isinstance(error, DiskFull):
        return Refused(452, "4.3.1", "no room for the message at the moment: try again later")
    return Refused(451, "4.3.0", "the message could not be stored: try again later")


def _answer(refusal: Refused) -> Answer:
    return Answer(code=refusal.code, status=refusal.status, words=refusal.text)
