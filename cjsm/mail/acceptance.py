"""The one way a message comes in: begin, recipients, header, body, verdict, commit | abort.

Nothing is persistent before commit but a large sealed body, which abort takes away again. The plaintext passes once:
from the door through the header and the sealer to sealed octets; at most one segment of it is held.
"""

import os
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from cjsm.community.address import Address
from cjsm.community.admission import (
    Accept,
    HostedRoute,
    ListRoute,
    Origin,
    Refuse,
    admit,
    admit_sender,
    expand,
    is_member_address,
    may_appear_as,
    read_address,
)
from cjsm.community.identifiers import LENGTH, BodyId, DeliveryId, Entropy, MailboxId
from cjsm.community.view import View
from cjsm.configuration import Settings
from cjsm.mail.header import Header, HeaderReader, shown
from cjsm.mail.interfaces import Hop, IAcceptance, IIncomingMessage, IMailboxKeys, Refused
from cjsm.mail.limits import Capacity
from cjsm.mail.mailboxes import AmbiguousAddress, addresses
from cjsm.store.interfaces import (
    DiskFull,
    IBodyStore,
    IBodyWriter,
    ICommunityStore,
    IMailStore,
    ISpool,
    SpoolDelivery,
    SpoolEntry,
    StoreError,
)
from cjsm.vault.errors import VaultError
from cjsm.vault.message import MessageSealer, SealedBody, Summary, encode_wrap
from cjsm.vault.queue import seal_envelope
from cjsm.vault.secrets import ServiceSecrets

#: Fields that ask for an answer somewhere: they must name members (community §5.2).
_ANSWER_TO = (b"reply-to", b"disposition-notification-to", b"return-receipt-to", b"errors-to")
#: Taken away on submission: Bcc is nobody's business, Return-Path is ours to write.
_TAKEN_AWAY = frozenset((b"bcc", b"return-path"))
#: Seconds of sealing after which others get a turn.
_SLICE = 0.010


class Envelope(Struct, frozen=True, kw_only=True):
    """What later stages need of a message and nobody else may read: sealed under the queue key in the spool."""

    version: int = 1
    reverse_path: str = ""
    message_id: str = ""
    recipients: tuple[tuple[str, DeliveryId], ...] = ()


class _Recipient(Struct, frozen=True):
    """One mailbox that gets a copy, and the address that led there."""

    mailbox: MailboxId
    address: str


@implementer(IAcceptance)
class Acceptance:
    """See :class:`IAcceptance`.

    :param clock: seconds since the epoch.
    :param reactor: only to give others a turn.
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
        self.secrets = secrets
        self.clock = clock
        self.reactor = reactor
        self.entropy = entropy
        self.capacity = Capacity(settings.mail, mail, spool)

    def begin(self, origin: Origin, reverse_path: str, hop: Hop, size: int | None) -> "Deferred[IncomingMessage]":
        """See :class:`IAcceptance`."""
        return Deferred.fromCoroutine(self._begin(origin, reverse_path, hop, size))

    async def _begin(self, origin: Origin, reverse_path: str, hop: Hop, size: int | None) -> "IncomingMessage":
        most = self.settings.mail.message_octets
        if size is not None and size > most:
            raise too_large(most)

        def decide(view: View) -> Address | Refuse | None:
            sender = read_address(view, reverse_path) if reverse_path else None
            if isinstance(sender, Refuse):
                return sender
            verdict = admit_sender(view, origin, sender)
            return verdict if isinstance(verdict, Refuse) else sender

        sender = self.community.read_now(decide)
        if isinstance(sender, Refuse):
            raise refused(sender)
        return IncomingMessage(self, origin, sender, hop, size or 0)


def refused(verdict: Refuse) -> Refused:
    """Return the reply that says what admission decided."""
    return Refused(verdict.code, verdict.status, verdict.text)


def too_large(most: int) -> Refused:
    """Return the refusal of a message over *most* octets."""
    return Refused(552, "5.3.4", f"the message is larger than {most} octets: send less, or in parts")


@implementer(IIncomingMessage)
class IncomingMessage:
    """See :class:`IIncomingMessage`."""

    _log = Logger()

    def __init__(self, house: Acceptance, origin: Origin, sender: Address | None, hop: Hop, size: int) -> None:
        self._house = house
        self._origin = origin
        self._sender = sender
        self._hop = hop
        self._size = size
        self._recipients: dict[MailboxId, _Recipient] = {}
        self._entry_id = house.entropy(LENGTH)
        self._body_id = BodyId(house.entropy(LENGTH))
        self._reading: HeaderReader | None = HeaderReader(house.settings.mail)
        self._sealer = MessageSealer(self._body_id, house.entropy)
        self._sealed: list[bytes] = []
        self._sealed_octets = 0
        self._writer: IBodyWriter | None = None
        self._writing: Deferred[None] | None = None
        self._octets = 0
        self._refusal: Refused | None = None
        self._summary: Summary | None = None
        self._message_id = ""
        self._ended = False

    # Recipients

    @property
    def recipients(self) -> int:
        """See :class:`IIncomingMessage`."""
        return len(self._recipients)

    def recipient(self, forward_path: str) -> "Deferred[None]":
        """See :class:`IIncomingMessage`."""
        return Deferred.fromCoroutine(self._recipient(forward_path))

    async def _recipient(self, forward_path: str) -> None:
        most = self._house.settings.mail.recipients
        if len(self._recipients) >= most:
            raise Refused(452, "4.5.3", f"too many recipients: at most {most} in one message")
        found = self._house.community.read_now(lambda view: self._admitted(view, forward_path))
        if len(self._recipients) + len(found) > most:
            raise Refused(452, "4.5.3", f"too many recipients: at most {most} in one message")
        for recipient, quota in found:
            if recipient.mailbox not in self._recipients:
                await self._house.capacity.check(recipient.mailbox, quota, self._size, self._house.clock())
                self._recipients[recipient.mailbox] = recipient

    def _admitted(self, view: View, forward_path: str) -> list[tuple[_Recipient, int]]:
        address = read_address(view, forward_path)
        if isinstance(address, Refuse):
            raise refused(address)
        verdict = admit(view, self._origin, self._sender, address)
        if isinstance(verdict, Refuse):
            raise refused(verdict)
        if not isinstance(verdict.route, ListRoute):
            return [_hosted(view, address, verdict)]
        expanded = expand(view, verdict.route.mail_list)
        if isinstance(expanded, Refuse):
            raise refused(expanded)
        return [_hosted(view, member, accepted) for member, accepted in expanded]

    # Content

    def write(self, octets: bytes) -> "Deferred[None] | None":
        """See :class:`IIncomingMessage`."""
        self._octets += len(octets)
        if self._refusal is None and self._octets > self._house.settings.mail.message_octets:
            self._refuse(too_large(self._house.settings.mail.message_octets))
        if self._refusal is not None:
            return None
        if self._reading is None:
            return self._seal(octets)
        try:
            found = self._reading.feed(octets)
            if found is None:
                return None
            header, body = found
            return self._seal(self._begin_body(header) + body)
        except Refused as refusal:
            self._refuse(refusal)
            return None

    def _refuse(self, refusal: Refused) -> None:
        """Remember why, and hold nothing of the message any more."""
        self._refusal = refusal
        self._sealed.clear()
        self._reading = None

    def _begin_body(self, header: Header) -> bytes:
        """Check the header and return the section as it is sealed."""
        self._reading = None
        self._house.community.read_now(lambda view: self._check(view, header))
        now = self._house.clock()
        after = b""
        if not header.has(b"date"):
            after += f"Date: {formatdate(now)}\r\n".encode()
        if not header.has(b"message-id"):
            self._message_id = f"<{self._entry_id.hex()}@{self._house.settings.smtp.host_name}>"
            after += f"Message-ID: {self._message_id}\r\n".encode()
        else:
            self._message_id = header.first(b"message-id")[:256]
        self._summary = Summary(
            sender=shown(header.first(b"from")),
            to=shown(header.first(b"to")),
            subject=shown(header.first(b"subject")),
            date=header.first(b"date")[:64] or formatdate(now),
            octets=self._size,
        )
        return header.octets(before=self._received(now), without=_TAKEN_AWAY, after=after)

    def _check(self, view: View, header: Header) -> None:
        """Who the message says it is from, and where it asks answers to go (community §5.2).

        :raises Refused: saying which field is wrong.
        """
        author = _named(header, b"from")
        if len(author) != 1:
            raise Refused(550, "5.7.1", "the From field must name exactly one address, your own")
        verdict = may_appear_as(view, self._origin, author[0])
        if isinstance(verdict, Refuse):
            raise refused(verdict)
        for name in _ANSWER_TO:
            for address in _named(header, name):
                if not is_member_address(view, self._origin, address):
                    told = name.decode().title()
                    raise Refused(550, "5.7.1", f"{told} names {address}, which mail from here cannot reach")

    def _received(self, now: float) -> bytes:
        hop = self._hop
        return (
            f"Received: by {hop.host} with {hop.protocol}\r\n"
            f"\t({hop.tls_version} {hop.tls_group}) id {self.queue_id};\r\n"
            f"\t{formatdate(now)}\r\n"
        ).encode("ascii", "replace")

    @property
    def queue_id(self) -> str:
        """How replies and traces call this message."""
        return self._entry_id[:8].hex()

    def _seal(self, octets: bytes) -> "Deferred[None] | None":
        sealed = self._sealer.write(octets)
        return self._keep(sealed) if sealed else None

    def _keep(self, sealed: bytes) -> "Deferred[None] | None":
        """Gather sealed octets up to the inline limit; from there on they go to a file."""
        self._sealed_octets += len(sealed)
        if self._writer is not None:
            written = self._writer.write(sealed)
            return None if written is None else self._watched(written)
        self._sealed.append(sealed)
        if self._sealed_octets <= self._house.settings.store.inline_body:
            return None
        return self._watched(Deferred.fromCoroutine(self._spill()))

    async def _spill(self) -> None:
        writer = await self._house.bodies.create(self._body_id)
        self._writer = writer
        gathered, self._sealed = self._sealed, []
        for sealed in gathered:
            written = writer.write(sealed)
            if written is not None:
                await written

    def _watched(self, writing: "Deferred[None]") -> "Deferred[None]":
        """The door waits for the disk, but never fails with it: commit says what went wrong."""

        def failed(failure: Any) -> None:
            self._log.failure("a body could not be written", failure=failure)
            self._refuse(_unavailable(failure.value))

        self._writing = waiting = writing.addErrback(failed).addBoth(lambda _: None)
        return waiting

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
            if self._reading is not None and self._refusal is None:
                written = self._seal(self._begin_body(self._reading.finish()))
                if written is not None:
                    await written
            if self._refusal is not None:
                raise self._refusal
            if not self._recipients:
                raise Refused(554, "5.5.1", "the message has no recipients")
            body = await self._finish_body()
            entry = await self._entry(body)
            await self._house.spool.put(entry)
        except Refused:
            await self._discard()
            raise
        except (StoreError, VaultError) as error:
            self._log.error("a message could not be accepted: {error}", error=error)
            if not getattr(error, "maybe_committed", False):
                await self._discard()
            raise _unavailable(error) from error
        return self.queue_id

    async def _finish_body(self) -> SealedBody:
        last, body = self._sealer.finish()
        self._sealed_octets += len(last)
        if self._writer is None:
            self._sealed.append(last)
            return body
        written = self._writer.write(last)
        if written is not None:
            await written
        await self._writer.finish()
        if self._refusal is not None:
            raise self._refusal
        return body

    async def _entry(self, body: SealedBody) -> SpoolEntry:
        now = self._house.clock()
        prefix = f"Return-Path: <{self._sender or ''}>\r\n".encode()
        deliveries = []
        names = []
        slice_end = time.perf_counter() + _SLICE
        for recipient in self._recipients.values():
            if time.perf_counter() > slice_end:
                await deferLater(self._house.reactor, 0)
                slice_end = time.perf_counter() + _SLICE
            delivery = self._delivery(recipient, prefix, int(now))
            deliveries.append(delivery)
            names.append((recipient.address, delivery.delivery_id))
        summary = self._summary or Summary(sender="", to="", subject="", date="", octets=0)
        queue = self._house.secrets.queue_public
        envelope = Envelope(
            reverse_path=str(self._sender or ""), message_id=self._message_id, recipients=tuple(names)
        )
        return SpoolEntry(
            id=self._entry_id,
            accepted=int(now),
            body_id=self._body_id,
            sealed_octets=self._sealed_octets,
            summary=self._sealer.seal_summary(msgspec.structs.replace(summary, octets=body.octets)),
            envelope=seal_envelope(queue.current, queue.number, self._entry_id, msgspec.msgpack.encode(envelope)),
            deliveries=tuple(deliveries),
            body=b"".join(self._sealed) if self._writer is None else None,
        )

    def _delivery(self, recipient: _Recipient, prefix: bytes, moment: int) -> SpoolDelivery:
        generation, public = self._house.keys.current(recipient.mailbox)
        wrap = self._sealer.wrap(
            recipient.mailbox,
            generation,
            DeliveryId(self._house.entropy(LENGTH)),
            to=public,
            prefix=prefix,
            acceptance=self._house.secrets.acceptance,
            moment=moment,
        )
        return SpoolDelivery(
            mailbox=recipient.mailbox,
            delivery_id=wrap.delivery_id,
            generation=generation,
            octets=wrap.octets,
            wrap=encode_wrap(wrap),
        )

    def abort(self) -> "Deferred[None]":
        """See :class:`IIncomingMessage`."""
        if self._ended:
            return succeed(None)
        self._ended = True
        self._refuse(Refused(451, "4.3.0", "the message was given up"))
        return Deferred.fromCoroutine(self._discard())

    async def _discard(self) -> None:
        if self._writing is not None and not self._writing.called:
            waiting: Deferred[None] = Deferred()
            self._writing.chainDeferred(waiting)
            await waiting
        if self._writer is not None:
            await self._writer.abort()


def _hosted(view: View, address: Address, verdict: Accept) -> tuple[_Recipient, int]:
    """Return the mailbox that an accepted address leads to, and its quota."""
    if not isinstance(verdict.route, HostedRoute):
        raise Refused(550, "5.4.4", f"mail to {address.domain} cannot be relayed: this service has no relay yet")
    account = view.account_of_mailbox(verdict.route.mailbox)
    shared = view.shared_mailbox(verdict.route.mailbox) if account is None else None
    quota = account.quota if account is not None else shared.quota if shared is not None else 0
    return _Recipient(verdict.route.mailbox, str(address)), quota


def _named(header: Header, name: bytes) -> list[Address]:
    """Return the addresses of every field called *name*.

    :raises Refused: when they can be read in more than one way.
    """
    found = []
    for field in header.all(name):
        try:
            found += addresses(field.value)
        except AmbiguousAddress as error:
            raise Refused(550, "5.6.0", f"the {name.decode().title()} field is not plain: {error}") from error
    return found


def _unavailable(error: BaseException) -> Refused:
    if isinstance(error, DiskFull):
        return Refused(452, "4.3.1", "no room for the message at the moment: try again later")
    return Refused(451, "4.3.0", "the message could not be stored: try again later")
