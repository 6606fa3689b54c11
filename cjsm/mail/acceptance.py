"""The one way a message comes in: begin, recipients, header, body, verdict, commit | abort.

Nothing is persistent before commit but a large sealed body, which abort takes away again. The plaintext passes once:
from the door through the header and the sealer to sealed octets; at most one segment of it is held.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from cjsm.community.address import Address
from cjsm.community.admission import Origin, Refuse, admit_sender, canonical, read_address
from cjsm.community.identifiers import LENGTH, BodyId, Entropy
from cjsm.community.view import View
from cjsm.configuration import Settings
from cjsm.mail.content import SealedContent
from cjsm.mail.destinations import Destination, destinations, refused
from cjsm.mail.echo import Echo
from cjsm.mail.entries import EntryMaker, joined
from cjsm.mail.envelope import NO_DEMANDS, NO_WISH, Demands, Wish
from cjsm.mail.header import Header, HeaderReader
from cjsm.mail.identity import check_identity
from cjsm.mail.interfaces import Hop, IAcceptance, IIncomingMessage, IMailboxKeys, Refused
from cjsm.mail.limits import Capacity, too_large, too_large_there, too_many
from cjsm.mail.ownmail import OwnMail
from cjsm.mail.recipients import Recipients, smallest_limit
from cjsm.mail.submission import Submitted, submitted
from cjsm.mail.turns import Turns
from cjsm.store.interfaces import (
    DiskFull,
    IBodyStore,
    ICommunityStore,
    IMailStore,
    ISpool,
    SpoolBatch,
    StoreError,
)
from cjsm.vault.errors import VaultError
from cjsm.vault.secrets import ServiceSecrets

#: A body goes to a file when its copies in mailboxes would take more than this many times the inline limit.
_COPIES = 4
#: Pauses in seconds before asking a spool again that does not know whether it took the message.
_ASK_AGAIN = (0.1, 1.0)


@implementer(IAcceptance)
class Acceptance:
    """See :class:`IAcceptance`.

    :ivar settings: may be replaced while messages are under way; each keeps those it began with.
    :param clock: seconds since the epoch.
    :param reactor: for pauses, and to give others a turn.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        community: ICommunityStore,
        spool: ISpool,
        bodies: IBodyStore,
        mail: IMailStore,
        keys: IMailboxKeys,
        secrets: ServiceSecrets,
        clock: Callable[[], float],
        reactor: IReactorTime,
        entropy: Entropy = os.urandom,
    ) -> None:
        self.settings = settings
        self.community = community
        self.spool = spool
        self.bodies = bodies
        self.keys = keys
        self.clock = clock
        self.reactor = reactor
        self.entropy = entropy
        self.entries = EntryMaker(keys, secrets, entropy=entropy, reactor=reactor)
        self.capacity = Capacity(mail, spool)
        self.own_mail = OwnMail(
            settings, community=community, bodies=bodies, entries=self.entries, clock=clock, entropy=entropy
        )
        self.echo = Echo(settings, self.own_mail, clock)

    def renew(self, settings: Settings) -> None:
        """Take new settings, for messages that begin from now on."""
        self.settings = self.own_mail.settings = self.echo.settings = settings

    def begin(
        self, origin: Origin, reverse_path: str, hop: Hop, size: int | None, demands: Demands = NO_DEMANDS
    ) -> "Deferred[IncomingMessage]":
        """See :class:`IAcceptance`."""
        return Deferred.fromCoroutine(self._begin(origin, reverse_path, hop, size, demands))

    async def _begin(
        self, origin: Origin, reverse_path: str, hop: Hop, size: int | None, demands: Demands
    ) -> "IncomingMessage":
        most = self.settings.mail.message_octets
        if size is not None and size > most:
            raise too_large(most)
        try:
            self.spool.check_room(size or 0)
        except DiskFull as error:
            raise _unavailable(error) from error

        def decide(view: View) -> Address | Refuse | None:
            read = read_address(view, reverse_path, international=demands.smtputf8) if reverse_path else None
            if isinstance(read, Refuse):
                return read
            sender = canonical(view, origin, read) if read is not None else None
            verdict = admit_sender(view, origin, sender)
            return verdict if isinstance(verdict, Refuse) else sender

        sender = self.community.read_now(decide)
        if isinstance(sender, Refuse):
            raise refused(sender)
        return IncomingMessage(self, origin, sender, hop, size or 0, demands)


class _Begun(NamedTuple):
    """A message whose header was read and found good."""

    content: SealedContent
    told: Submitted
    header: Header


@implementer(IIncomingMessage)
class IncomingMessage:
    """See :class:`IIncomingMessage`."""

    _log = Logger()

    def __init__(
        self, house: Acceptance, origin: Origin, sender: Address | None, hop: Hop, size: int, demands: Demands
    ) -> None:
        self._house = house
        self._settings = house.settings
        self._origin = origin
        self._sender = sender
        self._hop = hop
        self._announced = size
        self._demands = demands
        self._recipients = Recipients()
        self._limit = 0
        self._entry_id = house.entropy(LENGTH)
        self._body_id = BodyId(house.entropy(LENGTH))
        self._reading = HeaderReader(self._settings.mail)
        self._begun: _Begun | None = None
        self._writing: Deferred[None] | None = None
        self._octets = 0
        self._refusal: Refused | None = None
        self._ended = False
        self._in_doubt = False

    @property
    def queue_id(self) -> str:
        """How replies and traces call this message."""
        return self._entry_id[:8].hex()

    # Recipients

    @property
    def recipients(self) -> int:
        """See :class:`IIncomingMessage`."""
        return self._recipients.asked

    def recipient(self, forward_path: str, wish: Wish = NO_WISH) -> "Deferred[None]":
        """See :class:`IIncomingMessage`."""
        return Deferred.fromCoroutine(self._recipient(forward_path, wish))

    async def _recipient(self, forward_path: str, wish: Wish) -> None:
        house, settings = self._house, self._settings.mail
        if self._recipients.asked >= settings.recipients:
            raise too_many(settings.recipients)
        international = self._demands.smtputf8
        found = house.community.read_now(
            lambda view: destinations(view, self._origin, self._sender, forward_path, international=international)
        )
        limit = smallest_limit(found.relayed)
        if limit and self._announced > limit:
            raise too_large_there(limit)
        turns = Turns(house.reactor)
        for each in self._recipients.fresh(found):
            await turns.next_one()
            self._check_key(each)
            if not found.of_list:
                await house.capacity.check(settings, each.mailbox, each.quota, self._announced, house.clock())
        self._limit = min(filter(None, (self._limit, limit)), default=0)
        self._recipients.add(found, wish)

    def _check_key(self, destination: Destination) -> None:
        """A mailbox that nothing can be sealed to must not cost the other recipients their message."""
        try:
            self._house.keys.current(destination.mailbox)
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
            return self._watched(self._begun.content.write(octets))
        try:
            found = self._reading.feed(octets)
            return self._begin_content(*found) if found is not None else None
        except Refused as refusal:
            self._refuse(refusal)
        except StoreError as error:
            self._log.error("a message could not be checked: {error}", error=error)
            self._refuse(_unavailable(error))
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
        house = self._house
        most = self._settings.smtp.announced_recipients
        house.community.read_now(lambda view: check_identity(view, self._origin, header, most))
        told = submitted(
            header,
            hop=self._hop,
            queue_id=self.queue_id,
            host=self._settings.smtp.host_name,
            unique=self._entry_id.hex(),
            now=house.clock(),
        )
        limit = self._settings.store.inline_body
        inline = min(limit, _COPIES * limit // self._recipients.copies)
        content = SealedContent(self._body_id, bodies=house.bodies, entropy=house.entropy, inline=inline)
        self._begun = _Begun(content, told, header)
        self._reading = HeaderReader(self._settings.mail)
        return self._watched(content.write(told.octets + body))

    def _watched(self, writing: "Deferred[None] | None") -> "Deferred[None] | None":
        """The door waits for the disk, but never fails with it: commit says what went wrong."""
        if writing is not None:
            self._writing = writing.addErrback(self._write_failed)
        return writing

    def _write_failed(self, failure: Failure) -> None:
        self._log.error("a body could not be written: {error}", error=failure.value)
        self._refuse(_unavailable(failure.value))

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
            await self._put(await self._batch())
        except (StoreError, VaultError) as error:
            self._log.error("a message could not be accepted: {error}", error=error)
            await self._discard()
            raise _unavailable(error) from error
        except Exception:
            await self._discard()
            raise
        return self.queue_id

    async def _put(self, batch: SpoolBatch) -> None:
        """Ask the spool until it knows: the batch's id makes that safe."""
        for pause in (*_ASK_AGAIN, None):
            doubted, self._in_doubt = self._in_doubt, True
            try:
                await self._house.spool.put(batch)
                return
            except StoreError as error:
                self._in_doubt = doubted or getattr(error, "maybe_committed", False)
                if pause is None or not self._in_doubt:
                    raise
            await deferLater(self._house.reactor, pause)

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
        content, told, header = self._begun
        batch = await self._house.entries.make(
            entry_id=self._entry_id,
            body_id=self._body_id,
            sender=self._sender,
            recipients=self._recipients,
            content=content,
            told=told,
            now=int(self._house.clock()),
            demands=self._demands,
        )
        if not self._recipients.echo:
            return batch
        answer = await self._house.echo.answer(self._sender, header, self._hop, self.queue_id)
        return joined(batch, answer) if answer is not None else batch

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


def _unavailable(error: BaseException | None) -> Refused:
    if isinstance(error, DiskFull):
        return Refused(452, "4.3.1", "no room for the message at the moment: try again later")
    return Refused(451, "4.3.0", "the message could not be stored: try again later")
