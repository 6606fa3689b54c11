"""What senders hear of their mail: reports of failure, delay and delivery, made as messages of the service."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct
from twisted.logger import Logger

from cjsm.community.admission import Service
from cjsm.community.identifiers import LENGTH, DeliveryId, Entropy
from cjsm.configuration import Settings
from cjsm.mail.envelope import NO_WISH, Notify, OutgoingEnvelope, OutgoingRecipient, Returned, decode_envelope
from cjsm.mail.outgoing import OpenedOutgoing
from cjsm.mail.ownmail import OwnMail
from cjsm.mail.reports import Action, Original, RecipientReport, Report, build
from cjsm.mail.sending import Outcome
from cjsm.store.interfaces import IBodyStore, Outgoing, SpoolBatch, SpoolEntry, StoreError
from cjsm.vault.errors import VaultError
from cjsm.vault.queue import open_envelope
from cjsm.vault.secrets import ServiceSecrets

_ACTIONS = {Notify.FAILURE: Action.FAILED, Notify.DELAY: Action.DELAYED, Notify.SUCCESS: Action.RELAYED}


class Happened(Struct, frozen=True):
    """One recipient, what was said of it, and what of that the sender wants to hear."""

    recipient: OutgoingRecipient
    outcome: Outcome
    kind: Notify


class Reports:
    """Makes the reports. A message with the null reverse-path gets none.

    :ivar settings: may be replaced while it runs.
    :param clock: seconds since the epoch.
    """

    _log = Logger()

    def __init__(
        self,
        settings: Settings,
        *,
        own_mail: OwnMail,
        bodies: IBodyStore,
        secrets: ServiceSecrets,
        clock: Callable[[], float],
        entropy: Entropy,
    ) -> None:
        self.settings = settings
        self._own_mail = own_mail
        self._bodies = bodies
        self._queue = secrets.queue
        self._clock = clock
        self._entropy = entropy

    async def sent(
        self, outgoing: Outgoing, envelope: OutgoingEnvelope, happened: Sequence[Happened], *, remote: str, expires: int
    ) -> tuple[SpoolBatch, ...]:
        """Return the report of a try to send, if anybody is there to get it.

        :param remote: the server that said so, where one did.
        :param expires: when the message is given up, in seconds since the epoch.
        """
        told = tuple(
            RecipientReport(
                address=each.recipient.address,
                original=each.recipient.wish.original,
                action=_ACTIONS[each.kind],
                status=_status(each),
                words=each.outcome.text,
                remote="" if each.outcome.ours else remote,
            )
            for each in happened
        )
        report = self._report(
            envelope.reverse_path, envelope.message_id, envelope.demands.envelope_id, outgoing.accepted
        )
        failed = any(each.kind is Notify.FAILURE for each in happened)
        report = msgspec.structs.replace(
            report, recipients=told, expires=expires, original=self._original(envelope, failed=failed)
        )
        try:
            text = await OpenedOutgoing.read(envelope, outgoing, self._bodies, self.settings.mail)
        except (StoreError, VaultError) as error:
            self._log.error("a report returns nothing of its message: {error}", error=error)
            return await self._write(msgspec.structs.replace(report, original=Original.NOTHING), None)
        try:
            return await self._write(report, text)
        finally:
            text.close()

    async def delivered(self, entry: SpoolEntry, made: Sequence[DeliveryId]) -> tuple[SpoolBatch, ...]:
        """Return the report of deliveries into mailboxes, if its sender asked for one. It returns nothing of the
        message: for mailboxes kept here nobody but their owners can read it.
        """
        try:
            envelope = decode_envelope(open_envelope(self._queue, entry.id, entry.envelope))
        except (VaultError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._log.critical("the envelope of a delivered message cannot be read: {error}", error=error)
            return ()
        wishes = envelope.wishes or (NO_WISH,) * len(envelope.recipients)
        told = tuple(
            RecipientReport(
                address=address,
                original=wish.original,
                action=Action.DELIVERED,
                status="2.0.0",
                words="",
            )
            for (address, delivery), wish in zip(envelope.recipients, wishes, strict=True)
            if delivery in set(made) and wish.wants(Notify.SUCCESS)
        )
        if not told or not envelope.reverse_path:
            return ()
        report = self._report(envelope.reverse_path, envelope.message_id, envelope.demands.envelope_id, entry.accepted)
        return await self._write(msgspec.structs.replace(report, recipients=told), None)

    def _report(self, to: str, message_id: str, envelope_id: str, arrived: int) -> Report:
        community = self.settings.community
        return Report(
            service=community.service_name,
            host=self.settings.smtp.host_name,
            postmaster=f"postmaster@{community.suffix}",
            to=to,
            message_id=message_id,
            envelope_id=envelope_id,
            arrived=arrived,
            now=int(self._clock()),
            expires=0,
            unique=self._entropy(LENGTH).hex(),
            recipients=(),
            original=Original.NOTHING,
        )

    def _original(self, envelope: OutgoingEnvelope, *, failed: bool) -> Original:
        """RET counts for failures; nothing but the header is returned of what was only late (RFC 3461 section 4.3)."""
        whole = envelope.demands.returned is Returned.FULL and envelope.octets <= self.settings.relay.report_whole
        return Original.WHOLE if failed and whole else Original.HEADER

    async def _write(self, report: Report, text: OpenedOutgoing | None) -> tuple[SpoolBatch, ...]:
        built = build(report)
        pieces = _Pieces(built.after, text, report.original)
        try:
            written = await self._own_mail.write(Service.DSN, report.to, built.before, pieces.next)
        except (StoreError, VaultError) as error:
            # Whoever asked for the report decides what is tried again for it.
            raise StoreError(f"a report could not be kept: {error}") from error
        return (written,) if written is not None else ()


class _Pieces:
    """What follows the beginning of a report: of the message what is returned, then the end."""

    def __init__(self, after: bytes, text: OpenedOutgoing | None, original: Original) -> None:
        self._after = after
        self._text = text
        self._header_due = original is not Original.NOTHING
        self._body_due = original is Original.WHOLE

    async def next(self) -> bytes:
        if self._text is not None and self._header_due:
            self._header_due = False
            # Without the blank line where only the header is returned.
            octets = self._text.header.octets(before=b"", without=frozenset(), after=b"")
            return octets if self._body_due else octets[:-2]
        if self._text is not None and self._body_due:
            piece = await self._text.body()
            if piece:
                return piece
            self._body_due = False
        after, self._after = self._after, b""
        return after


def _status(each: Happened) -> str:
    """Return the status with the class that the report's action has."""
    first = {Notify.FAILURE: "5", Notify.DELAY: "4", Notify.SUCCESS: "2"}[each.kind]
    status = each.outcome.status
    return status if status[0] == first else f"{first}{status[1:]}"
