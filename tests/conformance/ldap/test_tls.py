"""TLS: nothing of value before it, nothing said before it counts inside (RFC 4511 4.14, RFC 4513 3)."""

import pytest

from tests.conformance.ldap.caller import START_TLS, WHO_AM_I, Caller
from tests.conformance.target import Security
from tests.conformance.wire import Ended, Malformed
from tests.ldap import support
from tests.ldap.support import present


def test_no_password_in_the_clear(caller: Caller) -> None:
    """Where TLS is required a bind before it is 13, and nobody is found."""
    caller.needs_tls(Security.STARTTLS)
    wire = caller.wire()
    caller.promise(wire.result(caller.signing_in(1)).code == 13, "a password is taken before TLS")
    code = wire.result(support.search(2, present("objectClass"), base=caller.target.base, scope=0)).code
    caller.promise(code == 13, "the directory is read before TLS")


@pytest.mark.parametrize("behind", [support.bind(2), support.extended(2, WHO_AM_I), b"\x30"])
def test_injection(caller: Caller, behind: bytes) -> None:
    """Octets behind StartTLS in the same write are never a request inside TLS."""
    caller.needs_tls(Security.STARTTLS)
    wire = caller.wire()
    wire.send(support.extended(1, START_TLS) + behind)
    try:
        if wire.answer().code != 0:
            return
        wire.secure(caller.target.context(), caller.target.host)
        assert wire.result(support.bind(3)).id == 3, "something that was said before TLS is answered inside it"
    except (OSError, Ended, Malformed):
        return
    caller.promise(False, "octets behind StartTLS do not end the connection")


def test_tls_inside_tls(caller: Caller) -> None:
    """TLS is begun once (RFC 4511 4.14.1)."""
    caller.needs_tls(Security.STARTTLS, Security.IMPLICIT)
    wire = caller.secured()
    assert wire.result(support.extended(2, START_TLS)).code == 1
    assert wire.result(caller.signing_in(3)).code == 0
    assert wire.result(support.extended(4, START_TLS)).code == 1
