"""Spool entries: for mailboxes a wrap each, for each connection an envelope that holds the message's key.

All that becomes of one message is one batch, so that it is in the spool whole or not at all.
"""

from collections.abc import Sequence

from msgspec.structs import replace
from twisted.internet.interfaces import IReactorTime

from cjsm.community.address import Address
from cjsm.community.identifiers import LENGTH, BodyId, DeliveryId, Entropy, MailboxId
from cjsm.mail.content import SealedContent
from cjsm.mail.destinations import Destination, Through
from cjsm.mail.envelope import NO_DEMANDS, Demands, Envelope, Notify, OutgoingEnvelope, encode_envelope
from cjsm.mail.interfaces import IMailboxKeys
from cjsm.mail.listfields import list_fields
from cjsm.mail.recipients import Recipients
from cjsm.mail.submission import Submitted
from cjsm.mail.turns import Turns
from cjsm.store.interfaces import Outgoing, SpoolBatch, SpoolDelivery, SpoolEntry
from cjsm.vault.message import SealedBody, encode_wrap
from cjsm.vault.queue import EnvelopeSealer
from cjsm.vault.secrets import ServiceSecrets


def queue_id(entry_id: bytes) -> str:
    """Return how replies and traces call a message."""
    return entry_id[:8].hex()


def joined(batch: SpoolBatch, answer: SpoolBatch) -> SpoolBatch:
    """Return what is kept of a message and of the answer to it, for one commit."""
    return SpoolBatch(id=batch.id, hosted=batch.hosted + answer.hosted, outgoing=batch.outgoing + answer.outgoing)


def _return_path(reverse_path: str) -> bytes:
    return f"Return-Path: <{reverse_path}>\r\n".encode()


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
        recipients: Recipients,
        content: SealedContent,
        told: Submitted,
        now: int,
        demands: Demands = NO_DEMANDS,
        fields: bytes = b"",
        service: bool = False,
    ) -> SpoolBatch:
        """Finish *content* and return what the spool keeps of the whole message.

        :param fields: header fields that go on top of it; they were not known when it was sealed.
        :param service: whether the service itself wrote it.
        :raises StoreError: when the body could not be written, or a mailbox has no key any more.
        :raises VaultError: when a mailbox's key is not what the community signed.
        """
        body = await content.finish()
        reverse_path = str(sender) if sender is not None else ""
        hosted = recipients.hosted
        entries: tuple[SpoolEntry, ...] = ()
        if hosted:
            deliveries = await self._deliveries(content, hosted, reverse_path, fields, now)
            envelope = Envelope(
                reverse_path=reverse_path,
                message_id=told.message_id,
                recipients=tuple(
                    (each.address, made.delivery_id) for each, made in zip(hosted, deliveries, strict=True)
                ),
                demands=demands,
                wishes=recipients.wishes,
            )
            entries = (
                SpoolEntry(
                    id=entry_id,
                    accepted=now,
                    body_id=body_id,
                    sealed_octets=body.sealed_octets,
                    summary=content.seal_summary(told.summary, body),
                    envelope=self._envelopes.seal(entry_id, encode_envelope(envelope)),
                    deliveries=deliveries,
                    body=content.inline_body,
                    reports=any(wish.notify and Notify.SUCCESS in wish.notify for wish in envelope.wishes),
                ),
            )
        base = OutgoingEnvelope(
            reverse_path=reverse_path,
            message_id=told.message_id,
            demands=demands,
            octets=body.octets,
            key=content.sealer.key,
            fields=fields,
            queue_id=queue_id(entry_id),
            service=service,
        )
        return SpoolBatch(id=entry_id, hosted=entries, outgoing=self._outgoing(recipients, base, content, body, now))

    def _outgoing(
        self, recipients: Recipients, base: OutgoingEnvelope, content: SealedContent, body: SealedBody, now: int
    ) -> tuple[Outgoing, ...]:
        made = []
        for connection, through, behind in recipients.relayed:
            identifier = self._entropy(LENGTH)
            envelope = replace(base, recipients=behind)
            if through is not None:
                # A list's mail is the list's: its manager hears of failures, and the sender's wishes end here.
                envelope = replace(
                    envelope,
                    reverse_path=through.reports_to,
                    demands=replace(base.demands, envelope_id="", returned=None),
                    fields=list_fields(through) + base.fields,
                )
            made.append(
                Outgoing(
                    id=identifier,
                    connection=connection,
                    accepted=now,
                    body_id=body.body_id,
                    sealed_octets=body.sealed_octets,
                    recipients=len(behind),
                    envelope=self._envelopes.seal(identifier, encode_envelope(envelope)),
                    body=content.inline_body,
                )
            )
        return tuple(made)

    async def _deliveries(
        self, content: SealedContent, destinations: Sequence[Destination], reverse_path: str, fields: bytes, now: int
    ) -> tuple[SpoolDelivery, ...]:
        turns = Turns(self._reactor)
        made = []
        prefixes: dict[Through | None, bytes] = {None: _return_path(reverse_path) + fields}
        for destination in destinations:
            await turns.next_one()
            through = destination.through
            if through is not None and through not in prefixes:
                prefixes[through] = _return_path(through.reports_to) + list_fields(through) + fields
            made.append(self._delivery(content, destination.mailbox, prefixes[through], now))
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
