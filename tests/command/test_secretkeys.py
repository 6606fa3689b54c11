"""``cjsm keys`` for the service's own secrets."""

import shutil
from pathlib import Path

import pytest

from cjsm.vault import secrets
from tests.command.conftest import Run, refused, told
from tests.command.mailboxes import PASSWORD as JOINED
from tests.command.mailboxes import join
from tests.command.test_user import PASSWORD, add


def test_escrow_and_back(cjsm: Run, config: Path, tmp_path: Path) -> None:
    """With the shares that are needed the secrets come back, and the community works with them."""
    one_time = add(cjsm)["one_time_password"]
    file, directory = tmp_path / "safe.escrow", config.parent / "secrets"
    made = told(cjsm("keys", "escrow", str(file), "--shares", "3", "--needed", "2", "--json"))
    assert len(made["shares"]) == 3
    assert file.stat().st_mode & 0o777 == 0o600
    for share in made["shares"]:
        assert share.encode() not in file.read_bytes()
    shutil.rmtree(directory)
    restore = ("keys", "restore", str(file), str(directory), "--json")
    assert refused(cjsm(*restore, typed=f"{made['shares'][0]}\n"))["error"]
    assert refused(cjsm(*restore, typed=""))["cure"]
    assert not directory.exists()
    told(cjsm(*restore, typed=f"{made['shares'][2]}\n{made['shares'][0]}\n"))
    told(
        cjsm("user", "set-password", "jane.smith@avon", "--password-stdin", "--json", typed=f"{one_time}\n{PASSWORD}\n")
    )
    assert refused(cjsm(*restore, typed=f"{made['shares'][2]}\n{made['shares'][0]}\n"))["cure"]
    assert refused(cjsm("keys", "escrow", str(file), "--json"))["error"]
    assert "share 5 of 5" in cjsm("keys", "escrow", str(tmp_path / "other")).stdout


@pytest.mark.parametrize("name", secrets.EVERY)
def test_rotated(cjsm: Run, config: Path, name: str) -> None:
    """What older versions made goes on, and new things are made with the new one."""
    one_time = add(cjsm, "--device", "laptop")["one_time_password"]
    made = told(cjsm("keys", "rotate-secret", name, "--json"))
    assert (made["number"], (config.parent / "secrets" / f"{name}.2").exists()) == (2, True)
    change = ("user", "set-password", "jane.smith@avon", "--password-stdin", "--json")
    told(cjsm(*change, typed=f"{one_time}\n{PASSWORD}\n"))
    told(cjsm("keys", "rotate", "jane.smith@avon", "--json"))
    told(cjsm("keys", "rotate-secret", name, "--json"))
    told(cjsm(*change, typed=f"{PASSWORD}\n{PASSWORD} more\n"))
    told(cjsm("keys", "rotate", "jane.smith@avon", "--json"))
    assert [each["generation"] for each in told(cjsm("keys", "show", "jane.smith@avon", "--json"))] == [1, 2, 3]


def test_not_as_credentials(cjsm: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert "credentials" in refused(cjsm("keys", "rotate-secret", "pepper", "--json"))["error"]
    assert cjsm("keys", "rotate-secret", "everything").exit_code == 2


def test_what_needs_which_pepper(cjsm: Run, config: Path) -> None:
    """An older one that nothing needs may go; one that is needed and gone is said to be missing."""
    join(config)
    (only,) = told(cjsm("keys", "peppers", "--json"))
    assert (only["pepper"], only["newest"], only["held"], only["needed_by"]) == (1, True, True, {"passwords": 1})
    told(cjsm("keys", "rotate-secret", "pepper", "--json"))
    first, second = told(cjsm("keys", "peppers", "--json"))
    assert (first["needed_by"], second["needed_by"], second["newest"]) == ({"passwords": 1}, {}, True)
    change = ("user", "set-password", "jane.smith@avon", "--password-stdin", "--json")
    told(cjsm(*change, typed=f"{JOINED}\n{JOINED} more\n"))
    first, second = told(cjsm("keys", "peppers", "--json"))
    assert (first["needed_by"], second["needed_by"]) == ({}, {"passwords": 1})
    assert "it may go" in cjsm("keys", "peppers").output
    told(cjsm("keys", "rotate-secret", "pepper", "--json"))
    (config.parent / "secrets" / "pepper.2").unlink()
    assert "MISSING" in cjsm("keys", "peppers").output
