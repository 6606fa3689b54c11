"""A queued message opened for the way out: envelope, header as the other side sees it, text segment by segment."""

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from zope.interface import implementer

from cjsm.configuration import MailSettings
from cjsm.mail.envelope import OutgoingEnvelope, decode_outgoing
from cjsm.mail.header import Header, HeaderReader
from cjsm.mail.interfaces import Refused
from cjsm.mail.sending import IPieces
from cjsm.store.interfaces import Damaged, IBodyStore, Outgoing
from cjsm.vault.body import BodyOpener
from cjsm.vault.hybrid import PrivateKey
from cjsm.vault.queue import open_envelope
from cjsm.vault.secrets import Versions

#: What was accepted within limits has grown by trace fields since.
_OWN_FIELDS = 100
_OWN_OCTETS = 64 * 1024


def open_outgoing(queue: Versions[PrivateKey], outgoing: Outgoing) -> OutgoingEnvelope:
    """Open the envelope of a queued message.

    :raises VaultError: when it is not what was sealed.
    :raises Damaged: when it cannot be read.
    """
    try:
        return decode_outgoing(open_envelope(queue, outgoing.id, outgoing.envelope))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged("the envelope of a queued message cannot be read") from error


class SealedText:
    """The plaintext of a queued message from its beginning, a segment at a time."""

    def __init__(self, envelope: OutgoingEnvelope, outgoing: Outgoing, bodies: IBodyStore) -> None:
        self._opener = BodyOpener(envelope.key, outgoing.body_id, envelope.octets)
        self._body_id = outgoing.body_id
        self._inline = outgoing.body
        self._bodies = bodies
        self._reader: Any = None
        self._offset = 0

    async def next(self) -> bytes:
        """Return the next segment; nothing after the last.

        :raises StoreError: when the body cannot be read.
        :raises VaultError: when it is not what was accepted.
        """
        length = self._opener.next_length
        if not length:
            return b""
        offset, self._offset = self._offset, self._offset + length
        if self._inline is not None:
            return self._opener.open(self._inline[offset : offset + length])
        if self._reader is None:
            self._reader = await self._bodies.open(self._body_id)
            self._opener.check_length(self._reader.octets)
        return self._opener.open(await self._reader.read(offset, length))

    def close(self) -> None:
        """Give the body back. Idempotent."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()


class OpenedOutgoing:
    """A queued message whose header was read."""

    def __init__(self, header: Header, header_octets: int, body: bytes, text: SealedText, octets: int) -> None:
        self.header = header
        #: Length of everything behind the blank line.
        self.body_octets = octets - header_octets
        self._first = body
        self._text = text

    @classmethod
    async def read(
        cls, envelope: OutgoingEnvelope, outgoing: Outgoing, bodies: IBodyStore, settings: MailSettings
    ) -> "OpenedOutgoing":
        """Open the message and read its header.

        :raises Damaged: when it has none that could have been accepted.
        """
        text = SealedText(envelope, outgoing, bodies)
        limits = msgspec.structs.replace(
            settings,
            header_octets=settings.header_octets + _OWN_OCTETS,
            header_fields=settings.header_fields + _OWN_FIELDS,
            received_fields=settings.received_fields + _OWN_FIELDS,
        )
        reader = HeaderReader(limits)
        read = 0
        try:
            while segment := await text.next():
                read += len(segment)
                found = reader.feed(segment)
                if found is not None:
                    header, body = found
                    return cls(header, read - len(body), body, text, envelope.octets)
            return cls(reader.finish(), read, b"", text, envelope.octets)
        except Refused as refused:
            text.close()
            raise Damaged(f"the header of a queued message cannot be read: {refused.text}") from refused
        except BaseException:
            text.close()
            raise

    async def body(self) -> bytes:
        """Return the next of what is behind the blank line; nothing after the last."""
        first, self._first = self._first, b""
        return first or await self._text.next()

    def close(self) -> None:
        """Give the body back. Idempotent."""
        self._text.close()


@implementer(IPieces)
class Pieces:
    """*head*, then what *following* gives, in pieces no longer than is asked for."""

    def __init__(self, head: bytes, following: Callable[[], Any], ended: Callable[[], None]) -> None:
        self._held = head
        self._following = following
        self._ended = ended

    def read(self, most: int) -> "Deferred[bytes]":
        """See :class:`IPieces`."""
        return Deferred.fromCoroutine(self._read(most))

    async def _read(self, most: int) -> bytes:
        if not self._held:
            self._held = await self._following()
        piece, self._held = self._held[:most], self._held[most:]
        return piece

    def close(self) -> None:
        """See :class:`IPieces`."""
        self._ended()
