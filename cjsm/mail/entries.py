"""Spool entries: one for each accepted message, a wrap for each mailbox, the envelope under the queue key."""

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime

from cjsm.community.address import Address
from cjsm.community.identifiers import LENGTH, BodyId, DeliveryId, Entropy, MailboxId
from cjsm.mail.content import SealedContent
from cjsm.mail.destinations import Destination
from cjsm.mail.envelope import Envelope, encode_envelope
from cjsm.mail.interfaces import IMailboxKeys
from cjsm.mail.submission import Submitted
from cjsm.mail.turns import Turns
from cjsm.store.interfaces import SpoolDelivery, SpoolEntry
from cjsm.vault.message import encode_wrap
from cjsm.vault.queue import EnvelopeSealer
from cjsm.vault.secrets import ServiceSecrets


class EntryMaker:
    """Makes entries. Delivery ids are random and made here, once per message and mailbox."""

    def __init__(self, keys: IMailboxKeys, secrets: ServiceSecrets, *, entropy: Entropy, reactor: IReactorTime) -> None:
        self._keys = keys
        self._acceptance = secrets.acceptance
        self._envelopes = EnvelopeSealer(secrets.queue_public.current, secrets.queue_public.number, entropy)
        self._entropy = entropy
        self._reactor = reactor

    async def make(
        self,
        *,
        entry_id: bytes,
        body_id: BodyId,
        sender: Address | None,
        destinations: Sequence[Destination],
        content: SealedContent,
        told: Submitted,
        now: int,
    ) -> SpoolEntry:
        """Finish *content* and return what the spool keeps of the whole message.

        :raises StoreError: when the body could not be written, or a mailbox has no key any more.
        :raises VaultError: when a mailbox's key is not what the community signed.
        """
        body = await content.finish()
        reverse_path = str(sender) if sender is not None else ""
        deliveries = await self._deliveries(content, destinations, reverse_path, now)
        envelope = Envelope(
            reverse_path=reverse_path,
            message_id=told.message_id,
            recipients=tuple(
                (each.address, made.delivery_id) for each, made in zip(destinations, deliveries, strict=True)
            ),
        )
        return SpoolEntry(
            id=entry_id,
            accepted=now,
            body_id=body_id,
            sealed_octets=body.sealed_octets,
            summary=content.seal_summary(told.summary, body),
            envelope=self._envelopes.seal(entry_id, encode_envelope(envelope)),
            deliveries=deliveries,
            body=content.inline_body,
        )

    async def _deliveries(
        self, content: SealedContent, destinations: Sequence[Destination], reverse_path: str, now: int
    ) -> tuple[SpoolDelivery, ...]:
        prefix = f"Return-Path: <{reverse_path}>\r\n".encode()
        turns = Turns(self._reactor)
        made = []
        for destination in destinations:
            await turns.next_one()
            made.append(self._delivery(content, destination.mailbox, prefix, now))
        return tuple(made)

    def _delivery(self, content: SealedContent, mailbox: MailboxId, prefix: bytes, now: int) -> SpoolDelivery:
        generation, public = self._keys.current(mailbox)
        wrap = content.sealer.wrap(
            mailbox,
            generation,
            DeliveryId(self._entropy(LENGTH)),
            to=public,
            prefix=prefix,
            acceptance=self._acceptance,
            moment=now,
        )
        return SpoolDelivery(
            mailbox=mailbox,
            delivery_id=wrap.delivery_id,
            generation=generation,
            octets=wrap.octets,
            wrap=encode_wrap(wrap),
        )
