"""What doors may rely on."""

from zope.interface.verify import verifyObject

from cjsm.mail.interfaces import IAcceptance, IIncomingMessage, IMailboxKeys, Refused
from cjsm.store.interfaces import IBodyReader, IBodyStore, IBodyWriter, IMailStore, ISpool

from .memory import MemoryBodies, MemoryBodyWriter, MemorySpool
from .memorymail import MemoryBodyReader, MemoryMail
from .support import BODY, House, MemoryKeys


def test_the_house_keeps_its_contracts() -> None:
    """Every method with its arguments."""
    house = House()
    assert verifyObject(IAcceptance, house.acceptance)
    assert verifyObject(IIncomingMessage, house.begun())
    assert verifyObject(IMailboxKeys, house.keys)


def test_the_stores_of_these_tests_keep_theirs() -> None:
    """Else the tests would prove little."""
    house = House()
    assert isinstance(house.spool, MemorySpool)
    assert verifyObject(ISpool, house.spool)
    assert isinstance(house.bodies, MemoryBodies)
    assert verifyObject(IBodyStore, house.bodies)
    assert verifyObject(IBodyReader, MemoryBodyReader(b""))
    assert verifyObject(IBodyWriter, MemoryBodyWriter(BODY, house.platter, house.forecast))
    assert isinstance(house.mail, MemoryMail)
    assert verifyObject(IMailStore, house.mail)
    assert isinstance(house.keys, MemoryKeys)


def test_a_refusal_reads_as_a_reply() -> None:
    """For logs; doors use its parts."""
    refused = Refused(550, "5.7.1", "no")
    assert str(refused) == "550 5.7.1 no"
    assert (refused.code, refused.status, refused.text) == (550, "5.7.1", "no")
