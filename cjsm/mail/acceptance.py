"""The one way a message comes in: begin, recipients, header, body, verdict, commit | abort.

Nothing is persistent before commit but a large sealed body, which abort takes away again. The plaintext passes once:
from the door through the header and the sealer to sealed octets; at most one segment of it is held.
"""

import os
from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from cjsm.community.address import Address
from cjsm.community.admission import ConnectionOrigin, Origin, Refuse, admit_sender, canonical, read_address
from cjsm.community.identifiers import Entropy
from cjsm.community.providers import Provider
from cjsm.community.view import View
from cjsm.configuration import Settings
from cjsm.mail.authentication.interfaces import IAuthenticator
from cjsm.mail.crossing import Crossings
from cjsm.mail.destinations import refused
from cjsm.mail.echo import Echo
from cjsm.mail.entries import EntryMaker
from cjsm.mail.envelope import NO_DEMANDS, Demands
from cjsm.mail.incoming import IncomingMessage, Rooms, unavailable
from cjsm.mail.interfaces import Hop, IAcceptance, IMailboxKeys
from cjsm.mail.limits import Capacity, too_large
from cjsm.mail.notinuse import NotInUse
from cjsm.mail.ownmail import OwnMail
from cjsm.mail.rates import Rates
from cjsm.mail.tracing import Tracer
from cjsm.store.interfaces import DiskFull, IBodyStore, ICommunityStore, IMailStore, ISpool
from cjsm.vault.secrets import ServiceSecrets


@implementer(IAcceptance)
class Acceptance:
    """See :class:`IAcceptance`.

    :ivar settings: may be replaced while messages are under way; each keeps those it began with.
    :param providers: of cloud connections, by name.
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
        rates: Rates,
        tracer: Tracer,
        authenticator: IAuthenticator,
        providers: Mapping[str, Provider],
        clock: Callable[[], float],
        reactor: IReactorTime,
        entropy: Entropy = os.urandom,
    ) -> None:
        self.settings = settings
        entries = EntryMaker(keys, secrets, entropy=entropy, reactor=reactor)
        self.own_mail = OwnMail(
            settings, community=community, bodies=bodies, entries=entries, clock=clock, entropy=entropy
        )
        self._rooms = Rooms(
            community=community,
            spool=spool,
            bodies=bodies,
            keys=keys,
            entries=entries,
            capacity=Capacity(mail, spool),
            echo=Echo(settings, self.own_mail, clock),
            not_in_use=NotInUse(settings, self.own_mail, clock),
            crossings=Crossings(settings, authenticator, providers),
            rates=rates,
            tracer=tracer,
            clock=clock,
            reactor=reactor,
            entropy=entropy,
        )

    def renew(self, settings: Settings) -> None:
        """Take new settings, for messages that begin from now on."""
        rooms = self._rooms
        self.settings = self.own_mail.settings = settings
        rooms.echo.settings = rooms.not_in_use.settings = rooms.crossings.settings = settings

    def begin(
        self, origin: Origin, reverse_path: str, hop: Hop, size: int | None, demands: Demands = NO_DEMANDS
    ) -> "Deferred[IncomingMessage]":
        """See :class:`IAcceptance`."""
        return Deferred.fromCoroutine(self._begin(origin, reverse_path, hop, size, demands))

    async def _begin(
        self, origin: Origin, reverse_path: str, hop: Hop, size: int | None, demands: Demands
    ) -> IncomingMessage:
        most, rooms = self.settings.mail.message_octets, self._rooms
        if size is not None and size > most:
            raise too_large(most)
        try:
            rooms.spool.check_room(size or 0)
        except DiskFull as error:
            raise unavailable(error) from error

        def decide(view: View) -> tuple[Address | Refuse | None, int | None]:
            read = read_address(view, reverse_path, international=demands.smtputf8) if reverse_path else None
            if isinstance(read, Refuse):
                return read, None
            sender = canonical(view, origin, read) if read is not None else None
            verdict = admit_sender(view, origin, sender)
            return (verdict if isinstance(verdict, Refuse) else sender), _own_rate(view, origin)

        sender, per_minute = rooms.community.read_now(decide)
        if isinstance(sender, Refuse):
            raise refused(sender)
        rooms.rates.message(origin, hop.source, rooms.clock(), per_minute=per_minute)
        return IncomingMessage(rooms, self.settings, origin, sender, hop, size or 0, demands)


def _own_rate(view: View, origin: Origin) -> int | None:
    """Return the rate that a connection has of its own."""
    connection = view.connection(origin.connection) if isinstance(origin, ConnectionOrigin) else None
    return connection.limits.messages_per_minute if connection is not None else None
