"""What the factories of all doors have in common."""

from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory, Protocol

from cjsm.wire.connections import ConnectionLimits


class DoorFactory(Factory):
    """Makes a door's connections; a subclass says which, with :meth:`connection`.

    :ivar settings: the door's section; like :attr:`revalidate` it may be replaced, for connections that come then.
    :param portal: signs people in.
    :param limits: the places, shared by all doors.
    :param revalidate: seconds after which an account's validity is looked at again.
    """

    noisy = False

    def __init__(
        self, settings: Any, *, portal: Portal, limits: ConnectionLimits, clock: IReactorTime, revalidate: float = 5
    ) -> None:
        self.settings = settings
        self.portal = portal
        self.limits = limits
        self.clock = clock
        self.revalidate = revalidate

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """See :class:`Factory`."""
        made = self.connection()
        made.factory = self
        return made

    def connection(self) -> Protocol:
        """Return a new connection."""
        raise TypeError("a door's factory says what it makes")
