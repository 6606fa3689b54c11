"""A message's octets on their way to where they are kept: sealed as they come, in memory while they are few."""

import msgspec
from twisted.internet.defer import Deferred

from cjsm.community.identifiers import BodyId, Entropy
from cjsm.store.interfaces import IBodyStore, IBodyWriter
from cjsm.vault.message import MessageSealer, SealedBody, Summary


class SealedContent:
    """Seals what is written; from *inline* sealed octets on everything goes to a file of the body store.

    Holds at most one segment of plaintext and *inline* octets and a segment of what is sealed.

    :ivar sealer: for summary and wraps, after :meth:`finish`.
    """

    def __init__(self, body_id: BodyId, *, bodies: IBodyStore, entropy: Entropy, inline: int) -> None:
        self.sealer = MessageSealer(body_id, entropy)
        self._body_id = body_id
        self._bodies = bodies
        self._inline = inline
        self._gathered: list[bytes] = []
        self._octets = 0
        self._writer: IBodyWriter | None = None

    def write(self, plaintext: bytes) -> "Deferred[None] | None":
        """Take the next octets; wait where a Deferred is returned. It fails as the body store does."""
        sealed = self.sealer.write(plaintext)
        return self._keep(sealed) if sealed else None

    def _keep(self, sealed: bytes) -> "Deferred[None] | None":
        if self._writer is not None:
            return self._writer.write(sealed)
        self._gathered.append(sealed)
        self._octets += len(sealed)
        return Deferred.fromCoroutine(self._spill()) if self._octets > self._inline else None

    async def _spill(self) -> None:
        self._writer = await self._bodies.create(self._body_id)
        gathered, self._gathered = self._gathered, []
        for sealed in gathered:
            written = self._writer.write(sealed)
            if written is not None:
                await written

    async def finish(self) -> SealedBody:
        """Seal the rest; what went to a file is on stable storage then.

        :raises Unavailable: when it could not be written.
        """
        last, body = self.sealer.finish()
        written = self._keep(last)
        if written is not None:
            await written
        if self._writer is not None:
            await self._writer.finish()
        return body

    @property
    def inline_body(self) -> bytes | None:
        """The whole sealed body, or None where it is in the body store."""
        return b"".join(self._gathered) if self._writer is None else None

    def seal_summary(self, summary: Summary, body: SealedBody) -> bytes:
        """Return *summary*, sealed, with the length of *body*."""
        return self.sealer.seal_summary(msgspec.structs.replace(summary, octets=body.octets))

    def forget(self) -> None:
        """Hold nothing in memory any more."""
        self._gathered.clear()

    async def discard(self) -> None:
        """Take away what went to a file. Nothing may be under way."""
        self.forget()
        if self._writer is not None:
            writer, self._writer = self._writer, None
            await writer.abort()
