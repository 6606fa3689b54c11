"""Carries notices to the one host that takes them, with the same client and inside the same TLS as relayed mail.

It connects to the host that it is told and asks no MX; whatever it sends was made by :mod:`cjsm.notices`.
"""

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from cjsm.mail.envelope import NO_DEMANDS, NO_WISH
from cjsm.mail.sending import (
    Addressee,
    CannotReach,
    Interrupted,
    IPieces,
    IRelayConnector,
    IRelaySession,
    NextHopPolicy,
    Parcel,
)
from cjsm.notices.interfaces import CannotCarry, Host, ICarrier


@implementer(IPieces)
class _Octets:
    """See :class:`IPieces`."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def read(self, most: int) -> "Deferred[bytes]":
        """See :class:`IPieces`."""
        read, self._octets = self._octets[:most], self._octets[most:]
        return succeed(read)

    def close(self) -> None:
        """See :class:`IPieces`."""


@implementer(ICarrier)
class NoticeCarrier:
    """See :class:`ICarrier`. One connection for letters that follow one another; :meth:`rest` ends it."""

    def __init__(self, connector: IRelayConnector) -> None:
        self._connector = connector
        self._session: IRelaySession | None = None

    def carry(self, host: Host, sender: str, recipient: str, letter: bytes) -> "Deferred[None]":
        """See :class:`ICarrier`."""
        return Deferred.fromCoroutine(self._carry(host, sender, recipient, letter))

    async def _carry(self, host: Host, sender: str, recipient: str, letter: bytes) -> None:
        parcel = Parcel(
            reverse_path=sender,
            addressees=(Addressee(index=0, address=recipient, wish=NO_WISH),),
            demands=NO_DEMANDS,
            octets=len(letter),
            pieces=_Octets(letter),
        )
        try:
            session = await self._connected(_policy(host))
            sent = await session.send(parcel)
        except (CannotReach, Interrupted) as error:
            self.rest()
            raise CannotCarry(str(error)) from error
        outcome = sent.outcomes[0]
        if outcome.code // 100 != 2:
            raise CannotCarry(outcome.text, for_good=outcome.code // 100 == 5)

    async def _connected(self, policy: NextHopPolicy) -> IRelaySession:
        if self._session is not None and self._session.usable and self._session.policy == policy:
            return self._session
        self.rest()
        session: IRelaySession = await self._connector.connect(policy)
        self._session = session
        return session

    def rest(self) -> None:
        """Say goodbye, until there is another letter."""
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _policy(host: Host) -> NextHopPolicy:
    return NextHopPolicy(host=host.host, port=host.port, name=host.name, public_authority=host.public, pins=host.pins)
