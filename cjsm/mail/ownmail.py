"""Messages that the service itself writes: reports, echoes. They go the way of all mail, and are admitted like it."""

from collections.abc import Callable
from typing import Protocol

from twisted.logger import Logger

from cjsm.community.address import Address, BadAddress
from cjsm.community.admission import Service, ServiceOrigin
from cjsm.community.identifiers import LENGTH, BodyId, Entropy
from cjsm.configuration import Settings
from cjsm.mail.content import SealedContent
from cjsm.mail.destinations import Destinations, destinations
from cjsm.mail.entries import EntryMaker
from cjsm.mail.envelope import NO_DEMANDS, NO_WISH, Demands
from cjsm.mail.header import HeaderReader
from cjsm.mail.interfaces import Refused
from cjsm.mail.recipients import Recipients
from cjsm.mail.submission import told_of
from cjsm.store.interfaces import IBodyStore, ICommunityStore, SpoolBatch


class Pieces(Protocol):
    """Gives a message piece by piece; an empty one is its end."""

    async def __call__(self) -> bytes:
        """The next piece."""


class OwnMail:
    """Makes what the spool keeps of a message that the service wrote.

    :ivar settings: may be replaced while it runs.
    :param clock: seconds since the epoch.
    """

    _log = Logger()

    def __init__(
        self,
        settings: Settings,
        *,
        community: ICommunityStore,
        bodies: IBodyStore,
        entries: EntryMaker,
        clock: Callable[[], float],
        entropy: Entropy,
    ) -> None:
        self.settings = settings
        self._community = community
        self._bodies = bodies
        self._entries = entries
        self._clock = clock
        self._entropy = entropy

    async def write(
        self, service: Service, to: str, head: bytes, following: Pieces, demands: Demands = NO_DEMANDS
    ) -> SpoolBatch | None:
        """Return the message to *to* that begins with *head*, its header and what comes first, and goes on as
        *following* gives; None where nobody is there to get it. It has the null reverse-path.

        :raises StoreError: when it cannot be kept.
        :raises VaultError: when the key of a mailbox that gets it is not what the community signed.
        """
        found = self._found(service, to)
        if found is None:
            return None
        recipients = Recipients()
        recipients.add(found, NO_WISH)
        body_id = BodyId(self._entropy(LENGTH))
        inline = self.settings.store.inline_body
        content = SealedContent(body_id, bodies=self._bodies, entropy=self._entropy, inline=inline)
        piece = head
        while piece:
            written = content.write(piece)
            if written is not None:
                await written
            piece = await following()
        header, _ = HeaderReader(self.settings.mail).feed(head) or (HeaderReader(self.settings.mail).finish(), b"")
        return await self._entries.make(
            entry_id=self._entropy(LENGTH),
            body_id=body_id,
            sender=None,
            recipients=recipients,
            content=content,
            told=told_of(header),
            now=int(self._clock()),
            demands=demands,
            service=True,
        )

    def _found(self, service: Service, to: str) -> Destinations | None:
        origin = ServiceOrigin(service=service)
        try:
            address = Address.parse(to, international=True)
            found = self._community.read_now(
                lambda view: destinations(view, origin, None, str(address), international=True)
            )
        except (Refused, BadAddress) as error:
            self._log.error("a {service} message reaches nobody: {error}", service=service, error=error)
            return None
        return found if found.every or found.relayed else None
