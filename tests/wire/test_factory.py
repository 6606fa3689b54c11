"""What the factories of all doors have in common."""

import pytest
from twisted.cred.portal import Portal
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock

from cjsm.wire.connections import ConnectionLimits
from cjsm.wire.factory import DoorFactory


class Door(DoorFactory):
    """One whose connections do nothing."""

    def connection(self) -> Protocol:
        return Protocol()


def made(kind: type[DoorFactory]) -> DoorFactory:
    """A factory."""
    limits = ConnectionLimits(per_source=1, per_account=1, in_all=1)
    return kind("settings", portal=Portal(None), limits=limits, clock=Clock())


def test_connections_know_their_factory() -> None:
    """As Twisted's do."""
    factory = made(Door)
    connection = factory.buildProtocol(None)
    assert connection.factory is factory
    assert (factory.settings, factory.revalidate, factory.noisy) == ("settings", 5, False)


def test_every_door_says_what_it_makes() -> None:
    """One that does not is a mistake that shows at once."""
    with pytest.raises(TypeError):
        made(DoorFactory).buildProtocol(None)
