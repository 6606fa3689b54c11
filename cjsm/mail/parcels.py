"""A queued message made ready for another server: opened, its addresses as that server sees them, signed."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from cjsm.community.records import Connection
from cjsm.configuration import MailSettings
from cjsm.mail.authentication.signing import Signer
from cjsm.mail.edge import Edge
from cjsm.mail.envelope import OutgoingEnvelope
from cjsm.mail.header import Header
from cjsm.mail.outgoing import OpenedOutgoing, Pieces
from cjsm.mail.sending import Addressee, Parcel
from cjsm.store.interfaces import IBodyStore, Outgoing


class Packing:
    """Makes parcels of one message, one after the other. :meth:`close` it before the next, and in the end.

    :param signer: signs what leaves; None where there are no keys for it.
    """

    def __init__(
        self,
        outgoing: Outgoing,
        envelope: OutgoingEnvelope,
        connection: Connection,
        *,
        bodies: IBodyStore,
        edge: Edge,
        signer: Signer | None,
        settings: MailSettings,
    ) -> None:
        self._outgoing = outgoing
        self._envelope = envelope
        self._connection = connection
        self._bodies = bodies
        self._edge = edge
        self._signer = signer
        self._settings = settings
        self._opened: OpenedOutgoing | None = None

    async def parcel(self, indexes: Sequence[int]) -> Parcel:
        """Return what is sent to the recipients at *indexes* of the envelope.

        :raises StoreError: when the message cannot be read.
        :raises VaultError: when it is not what was accepted.
        """
        envelope = self._envelope
        opened = self._opened = await self._open()
        wanted = [envelope.recipients[index] for index in indexes]
        leaving = self._edge.leaving(
            self._connection, opened.header, envelope.reverse_path, [each.address for each in wanted]
        )
        signatures, body = await self._signatures(leaving.header, opened)
        head = leaving.header.octets(before=signatures + envelope.fields, without=frozenset(), after=b"")
        return Parcel(
            reverse_path=leaving.reverse_path,
            addressees=tuple(
                Addressee(index=index, address=address, wish=each.wish)
                for index, address, each in zip(indexes, leaving.addresses, wanted, strict=True)
            ),
            demands=envelope.demands,
            octets=len(head) + opened.body_octets,
            pieces=Pieces(head, body, opened.close),
        )

    async def _open(self) -> OpenedOutgoing:
        return await OpenedOutgoing.read(self._envelope, self._outgoing, self._bodies, self._settings)

    async def _signatures(self, header: Header, opened: OpenedOutgoing) -> tuple[bytes, Callable[[], Any]]:
        """Return the fields that sign the message as it leaves, and what gives its body.

        The body is read once for them; one that has a file of its own is not held, and read again.
        """
        if self._signer is None:
            return b"", opened.body
        inspector = self._signer.inspector()
        small = self._outgoing.body is not None
        held: deque[bytes] = deque()
        read = opened if small else await self._open()
        try:
            while octets := await read.body():
                inspector.write(octets)
                if small:
                    held.append(octets)
        finally:
            if not small:
                read.close()

        async def following() -> bytes:
            return held.popleft() if held else b""

        return self._signer.sign(header, inspector.finish()), following if small else opened.body

    def close(self) -> None:
        """Give back what is held. Idempotent."""
        if self._opened is not None:
            self._opened.close()
