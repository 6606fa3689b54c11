"""TLS as strangers see it."""

import smtplib
import subprocess
from collections.abc import Callable

import pytest

from tests.running import Community

pytestmark = pytest.mark.interop
Program = Callable[[str], str]


def _handshake(community: Community, openssl: str, door: str, *options: str) -> str:
    done = subprocess.run(
        [
            openssl,
            "s_client",
            "-connect",
            f"localhost:{community.port(door)}",
            "-CAfile",
            community.told["ca_file"],
            "-verify_return_error",
            *options,
        ],
        input="",
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("door", ["submissions", "pop3s", "ldaps"])
def test_versions(community: Community, program: Program, door: str) -> None:
    """1.3 and 1.2 with an AEAD suite, nothing older, nothing weaker."""
    openssl = program("openssl")
    assert "TLSv1.3" in _handshake(community, openssl, door, "-tls1_3")
    assert "Cipher is ECDHE" in _handshake(community, openssl, door, "-tls1_2")
    for weak in (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), ("-tls1_2", "-cipher", "AES256-SHA256:AES256-GCM-SHA384")):
        assert "Cipher is (NONE)" in _handshake(community, openssl, door, *weak)


def test_starttls(community: Community, program: Program) -> None:
    """587 begins in the clear, shows a verified certificate, and lets nobody sign in before that."""
    assert "Verification: OK" in _handshake(community, program("openssl"), "submission", "-starttls", "smtp")
    session = smtplib.SMTP("localhost", community.port("submission"), timeout=10)
    session.ehlo()
    assert not session.has_extn("auth")
    assert session.docmd("AUTH", "PLAIN AGEAYg==")[0] in (503, 530, 538)
    assert session.docmd("MAIL", "FROM:<a@b>")[0] == 530
    session.starttls(context=community.tls())
    session.ehlo()
    assert session.has_extn("auth")
    session.quit()
