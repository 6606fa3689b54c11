"""The room that writes to ordinary addresses is walled in: it knows nothing that it could give away."""

import pkgutil
import subprocess
import sys

import pytest

import cjsm.notices
from cjsm.community.address import Address
from cjsm.community.admission import Refuse, Service, ServiceOrigin, admit
from tests.community.communities import community

ROOMS = (
    "mail",
    "vault",
    "smtp",
    "pop3",
    "ldap",
    "wire",
    "access",
    "directory",
    "ledger",
    "suite",
    "service",
    "store.lmdb",
)
_LOOK = """
import importlib, sys
for name in sys.argv[1].split():
    importlib.import_module(f"cjsm.notices.{name}")
print(*sorted(sys.modules))
"""


def test_it_imports_no_room_that_has_mail_or_keys() -> None:
    """Nor one by way of another, nor anything that opens a connection or does cryptography."""
    modules = " ".join(found.name for found in pkgutil.iter_modules(cjsm.notices.__path__))
    assert "ordinary" in modules
    done = subprocess.run([sys.executable, "-c", _LOOK, modules], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    walls = tuple(f"cjsm.{room}" for room in ROOMS)
    assert [name for name in loaded if name.startswith(walls)] == []
    assert not {"smtplib", "OpenSSL", "cryptography", "twisted.internet.endpoints", "dns"} & set(loaded)
    assert "cjsm.notices.ordinary" in loaded


@pytest.mark.parametrize("service", Service)
def test_admission_has_no_route_there(service: Service) -> None:
    """Whatever of the service's own asks: the way of all mail does not lead to an ordinary address."""
    verdict = admit(community(), ServiceOrigin(service=service), None, Address.parse("jo@home.example"))
    assert isinstance(verdict, Refuse)
    assert verdict.code == 550
