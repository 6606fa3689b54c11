"""What senders hear of their mail: reports of failure, delay and delivery, made as messages of the service."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from twisted.logger import Logger

from cjsm.community.admission import Service
from cjsm.community.identifiers import DeliveryId, Entropy
from cjsm.configuration import Settings
from cjsm.mail.envelope import NO_WISH, Demands, Notify, OutgoingEnvelope, OutgoingRecipient, Returned, decode_envelope
from cjsm.mail.outgoing import OpenedOutgoing
from cjsm.mail.ownmail import OwnMail
from cjsm.mail.reports.facts import Action, Enclosure, RecipientReport, Reporter, Subject, enclosed
from cjsm.mail.reports.message import UNIQUE_OCTETS, report
from cjsm.mail.sending import Outcome
from cjsm.store.interfaces import IBodyStore, Outgoing, SpoolBatch, SpoolEntry, StoreError, Unavailable
from cjsm.vault.errors import VaultError
from cjsm.vault.queue import open_envelope
from cjsm.vault.secrets import ServiceSecrets

#: A header section, blank line included, octet for octet.
_AS_IT_IS: Any = {"before": b"", "without": frozenset(), "after": b""}
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
        now = int(self._clock())
        told = tuple(_told(each, remote, now, expires) for each in happened)
        what = enclosed(envelope.demands.returned, told)
        if what is Returned.FULL and envelope.octets > self.settings.relay.report_whole:
            what = Returned.HEADERS
        subject = Subject(
            reverse_path=envelope.reverse_path,
            arrival=outgoing.accepted,
            envelope_id=envelope.demands.envelope_id,
            message_id=envelope.message_id,
        )
        if envelope.demands.require_tls:
            # The way back may not promise TLS, and a report that must not go tells nobody (RFC 8689 section 5).
            return await self._write(subject, told, None, None)
        try:
            text = await OpenedOutgoing.read(envelope, outgoing, self._bodies, self.settings.mail)
        except (StoreError, VaultError) as error:
            self._log.error("a report returns nothing of its message: {error}", error=error)
            return await self._write(subject, told, None, None)
        try:
            utf8 = envelope.demands.smtputf8
            eight_bit = envelope.demands.eight_bit or not text.header.octets(**_AS_IT_IS).isascii()
            return await self._write(subject, told, Enclosure(what=what, eight_bit=eight_bit, utf8=utf8), text)
        finally:
            text.close()

    async def delivered(self, entry: SpoolEntry, made: Sequence[DeliveryId]) -> tuple[SpoolBatch, ...]:
        """Return the report of deliveries into mailboxes, if its sender asked for one. It returns nothing of the
        message: for mailboxes kept here nobody but their owners can read it.

        :raises Unavailable: when it cannot be kept now. One that never can be is not made.
        """
        try:
            envelope = decode_envelope(open_envelope(self._queue, entry.id, entry.envelope))
        except (VaultError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._log.critical("the envelope of a delivered message cannot be read: {error}", error=error)
            return ()
        wishes = envelope.wishes or (NO_WISH,) * len(envelope.recipients)
        told = tuple(
            RecipientReport(final_recipient=address, original=wish.original, action=Action.DELIVERED, status="2.0.0")
            for (address, delivery), wish in zip(envelope.recipients, wishes, strict=True)
            if delivery in set(made) and wish.wants(Notify.SUCCESS)
        )
        if not told or not envelope.reverse_path:
            return ()
        subject = Subject(
            reverse_path=envelope.reverse_path,
            arrival=entry.accepted,
            envelope_id=envelope.demands.envelope_id,
            message_id=envelope.message_id,
        )
        try:
            return await self._write(subject, told, None, None)
        except Unavailable:
            raise
        except StoreError as error:
            # The spool is told of many deliveries at once, and none of the others may wait for one sender's keys.
            self._log.error("a report of deliveries is not kept, its sender hears nothing: {error}", error=error)
            return ()

    async def _write(
        self,
        subject: Subject,
        told: Sequence[RecipientReport],
        enclosure: Enclosure | None,
        text: OpenedOutgoing | None,
    ) -> tuple[SpoolBatch, ...]:
        community = self.settings.community
        made = report(
            subject,
            told,
            reporter=Reporter(
                host=self.settings.smtp.host_name,
                postmaster=f"postmaster@{community.suffix}",
                service=community.service_name,
            ),
            enclosure=enclosure,
            now=int(self._clock()),
            unique=self._entropy(UNIQUE_OCTETS),
        )
        pieces = _Pieces(made.after, text, enclosure.what if enclosure is not None else None)
        demands = Demands(
            smtputf8=not subject.reverse_path.isascii(), eight_bit=enclosure is not None and enclosure.eight_bit
        )
        try:
            written = await self._own_mail.write(Service.DSN, subject.reverse_path, made.before, pieces.next, demands)
        except VaultError as error:
            # Whoever asked for the report decides what is tried again for it.
            raise StoreError(f"a report could not be kept: {error}") from error
        return (written,) if written is not None else ()


class _Pieces:
    """What follows the beginning of a report: of the message what is returned, then the end."""

    def __init__(self, after: bytes, text: OpenedOutgoing | None, what: Returned | None) -> None:
        self._after = after
        self._text = text if what is not None else None
        self._header_due = True
        self._whole = what is Returned.FULL

    async def next(self) -> bytes:
        if self._text is not None and self._header_due:
            self._header_due = False
            # Without the blank line where only the header is returned.
            octets = self._text.header.octets(**_AS_IT_IS)
            return octets if self._whole else octets[:-2]
        if self._text is not None and self._whole:
            piece = await self._text.body()
            if piece:
                return piece
        after, self._after = self._after, b""
        return after


def _told(each: Happened, remote: str, now: int, expires: int) -> RecipientReport:
    """Return what is told of one recipient; the status has the class that the report's action has."""
    outcome = each.outcome
    first = {Notify.FAILURE: "5", Notify.DELAY: "4", Notify.SUCCESS: "2"}[each.kind]
    return RecipientReport(
        final_recipient=each.recipient.address,
        original=each.recipient.wish.original,
        action=_ACTIONS[each.kind],
        status=outcome.status if outcome.status[0] == first else f"{first}{outcome.status[1:]}",
        reason=f"{outcome.text}." if outcome.ours and outcome.text else "",
        diagnostic="" if outcome.ours else outcome.text,
        remote="" if outcome.ours else remote,
        last_attempt=now,
        retry_until=expires if each.kind is Notify.DELAY else None,
    )
