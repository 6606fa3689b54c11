"""What rooms promise doors."""

from cjsm.mail.interfaces import Hop, Refused


def test_refusals() -> None:
    """Carry a code, a status and public words."""
    refused = Refused(550, "5.7.1", "no")
    assert (refused.code, refused.status, refused.text, str(refused)) == (550, "5.7.1", "no", "550 5.7.1 no")


def test_hops_are_values() -> None:
    """Two alike are one."""
    assert Hop(host="a", protocol="b", tls_version="", tls_group="") == Hop(
        host="a", protocol="b", tls_version="", tls_group=""
    )
