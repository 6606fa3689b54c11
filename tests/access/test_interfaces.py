"""What doors hand in and get back."""

import pytest
from zope.interface import Interface
from zope.interface.verify import verifyObject

from cjsm.access.checker import Checker
from cjsm.access.interfaces import (
    IAvatar,
    IDirectoryReader,
    ILoginAttempt,
    IMaildrop,
    IMessageReader,
    ISubmitter,
    LoginAttempt,
)
from cjsm.access.maildrop import Maildrop, MessageReader
from cjsm.access.realm import DirectoryReader, Submitter

from .support import PASSWORD


def test_attempt_hides_itself() -> None:
    """An attempt that is logged shows neither the name nor the secret."""
    attempt = LoginAttempt("jo.ward@avon", PASSWORD, protocol="pop3", source="192.0.2.1")
    assert repr(attempt) == "<LoginAttempt pop3 from 192.0.2.1>"
    assert verifyObject(ILoginAttempt, attempt)
    assert Checker.credentialInterfaces == (ILoginAttempt,)
    assert not hasattr(attempt, "__dict__")


@pytest.mark.parametrize(
    ("interface", "kind"),
    [
        (IMaildrop, Maildrop),
        (IMessageReader, MessageReader),
        (ISubmitter, Submitter),
        (IDirectoryReader, DirectoryReader),
    ],
)
def test_promises(interface: type[Interface], kind: type) -> None:
    """Each class keeps what its interface promises; every avatar is an IAvatar."""
    assert interface.implementedBy(kind)
    assert interface is IMessageReader or interface.extends(IAvatar)
