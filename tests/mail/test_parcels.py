"""Parcels: what another server gets is signed as it leaves, whether its body is held or read again from its file."""

from pathlib import Path

import pytest

from cjsm.mail.authentication.signing import signer
from cjsm.vault.dkimkeys import make_rsa
from cjsm.vault.secrets import ServiceSecrets
from tests.mail.authentication.support import NOW
from tests.mail.authentication.test_signing import results

from .support import DATED, LETTER, SUFFIX
from .way import AT_FIRM, Way

SECRETS = ServiceSecrets({"dkim-rsa": {1: make_rsa()}, "dkim-ed25519": {1: b"e" * 32}})
BOSS = f"boss@firm.co.uk.{SUFFIX}"


@pytest.mark.parametrize("lines", [1, 300, 9_000], ids=["one line", "some", "a file of its own"])
def test_signed_as_it_leaves(tmp_path: Path, lines: int) -> None:
    """Both signatures are over the addresses and the body that the other side sees, to the last octet."""
    way = Way(tmp_path)
    way.attempts.signer = signer(SUFFIX, SECRETS, lambda: NOW)
    text = b"".join(b".%d evidence  \r\n" % number for number in range(lines))
    way.send(AT_FIRM, BOSS, octets=DATED + LETTER + text)
    assert len(way.waiting()) == 1
    assert bool(way.house.platter.files) is (lines == 9_000)
    way.worker.start()
    ((_, parcel, octets),) = way.servers.messages
    way.close()
    head, _, body = octets.partition(b"\r\n\r\n")
    assert body.endswith(text)
    assert octets.count(b"DKIM-Signature:") == 2
    assert [each.address for each in parcel.addressees] == ["re.layed@firm.co.uk", "boss@firm.co.uk"]
    assert results(head + b"\r\n", body, SECRETS) == ["pass", "pass"]
