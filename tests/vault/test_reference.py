"""The reference script of the specification opens mailboxes that this software wrote."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from cjsm.access.keylife import KeyLife
from cjsm.vault import secrets
from tests.access import support
from tests.access.support import OTHER_PASSWORD, PASSWORD, House, now

SCRIPT = Path(__file__).parents[2] / "docs" / "specifications" / "open_mailbox.py"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    found = importlib.util.spec_from_file_location("open_mailbox", SCRIPT)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[House, Path]:
    """A community whose secrets are in files."""
    directory = tmp_path / "secrets"
    secrets.create(directory)
    monkeypatch.setattr(support, "SECRETS", secrets.load(directory))
    return House(tmp_path / "data"), directory


def test_opens(kept: tuple[House, Path], reference: ModuleType) -> None:
    """Small, empty, long, in a file; before and after a rotation and a copy of the files; by password and device."""
    house, files = kept
    jo = house.join()
    assert jo.mailbox is not None
    device = now(house.enrolment.add_device(house.enrolment.by(jo.id), jo.id, PASSWORD, name="x", protocols=("pop3",)))
    letters = [b"one\r\n", b"", b"x" * 65_536, b"long\r\n" * 40_000]
    for letter in letters[:2]:
        house.deliver(jo.mailbox, letter, prefix=b"Return-Path: <>\r\n")
    life = KeyLife(house.enrolment, community=house.community, keys=house.keys, secrets=house.secrets)
    now(life.rotate(house.enrolment.by(jo.id), jo.mailbox))
    house.deliver(jo.mailbox, letters[2])
    house.deliver(jo.mailbox, letters[3], in_file=True)
    now(house.keys.sweep(jo.mailbox, 2))
    now(house.keys.compact())
    house.close()
    wanted = [b"Return-Path: <>\r\n" + each for each in letters[:2]] + letters[2:]
    for secret in (PASSWORD.decode(), device.secret, device.secret.upper().replace("-", "")):
        assert reference.open_mailbox(house.directory, files, "Jo.Ward@avon", secret) == wanted
    for wrong in (OTHER_PASSWORD.decode(), "d-aaaa", "o-aaaa-aaaa"):
        with pytest.raises(reference.Wrong):
            reference.open_mailbox(house.directory, files, "jo.ward@avon", wrong)
    done = subprocess.run(
        [sys.executable, "-W", "error", SCRIPT, house.directory, files, "jo.ward@avon"],
        input=PASSWORD,
        capture_output=True,
        timeout=60,
    )
    assert done.stdout == b"".join(each + b"\r\n" for each in wanted), done.stderr
    house.open()
    house.close()


def test_closed_after_a_reset(kept: tuple[House, Path], reference: ModuleType) -> None:
    """With all files and all service secrets, neither the old nor the new password opens what a reset closed."""
    house, files = kept
    jo = house.join()
    assert jo.mailbox is not None
    house.deliver(jo.mailbox, b"before\r\n")
    life = KeyLife(house.enrolment, community=house.community, keys=house.keys, secrets=house.secrets)
    made = now(life.reset(house.enrolment.by(reason="forgotten"), jo.id))
    house.choose(jo.id, made.one_time_password.encode(), OTHER_PASSWORD)
    house.deliver(jo.mailbox, b"after\r\n")
    house.close()
    assert reference.open_mailbox(house.directory, files, "jo.ward@avon", OTHER_PASSWORD.decode()) == [b"after\r\n"]
    with pytest.raises(reference.Wrong):
        reference.open_mailbox(house.directory, files, "jo.ward@avon", PASSWORD.decode())


def test_uses_nothing_of_this_software() -> None:
    """It would prove nothing otherwise."""
    imported = {
        line.split()[1].split(".")[0]
        for line in SCRIPT.read_text().splitlines()
        if line.startswith(("import ", "from "))
    }
    assert imported >= {"cryptography", "lmdb", "msgspec"}
    assert imported - {"cryptography", "lmdb", "msgspec"} <= set(sys.stdlib_module_names)
