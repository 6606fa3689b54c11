"""Service secrets: made, loaded, rotated; everything wrong with them says what to do."""

import os
from pathlib import Path

import pytest

from cjsm.vault.errors import MissingSecret
from cjsm.vault.queue import EnvelopeSealer, open_envelope
from cjsm.vault.secrets import DOORS, EVERY, NAMES, OPTIONAL, ServiceSecrets, complete, create, generate, load, rotate


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with fresh secrets."""
    path = tmp_path / "secrets"
    create(path)
    return path


def _problem(directory: Path, private: tuple[str, ...] = EVERY) -> MissingSecret:
    with pytest.raises(MissingSecret) as caught:
        load(directory, private)
    assert caught.value.cure
    return caught.value


def test_made_and_loaded(directory: Path) -> None:
    """What was made loads, twice the same, readable by the owner only."""
    one, two = load(directory), load(directory)
    assert one.peppers.current == two.peppers.current
    assert one.community.current.public.octets == two.community_public.current.octets
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


def test_creating_again_changes_nothing(directory: Path) -> None:
    """A second start keeps the secrets; a public half that was lost is made again."""
    before = {path.name: path.read_text() for path in directory.iterdir()}
    (directory / "queue.1.public").unlink()
    create(directory)
    assert {path.name: path.read_text() for path in directory.iterdir()} == before


def test_rotation(directory: Path) -> None:
    """The new version makes, the old one still opens what it made."""
    old = load(directory)
    sealed = EnvelopeSealer(old.queue_public.current, old.queue_public.number).seal(b"entry", b"envelope")
    assert rotate(directory, "queue") == 2
    new = load(directory)
    assert (old.queue.number, new.queue.number, new.queue_public.number) == (1, 2, 2)
    assert open_envelope(new.queue, b"entry", sealed) == b"envelope"
    assert new.queue.of(1).public == old.queue.current.public != new.queue.current.public
    with pytest.raises(MissingSecret):
        rotate(directory, "no-such-secret")


def test_a_community_without_signing_keys(directory: Path) -> None:
    """One made before there were any loads as it is; what is missing can be made, once, and nothing else."""
    before = {path.name: path.read_text() for path in directory.iterdir()}
    for name in OPTIONAL:
        (directory / f"{name}.1").unlink()
    old = load(directory)
    assert old.dkim_rsa.numbers == old.dkim_ed25519.numbers == ()
    with pytest.raises(MissingSecret):
        _ = old.dkim_rsa.current
    assert complete(directory) == OPTIONAL
    assert complete(directory) == ()
    new = load(directory)
    assert (new.dkim_rsa.numbers, new.dkim_ed25519.numbers) == ((1,), (1,))
    kept = {path.name: path.read_text() for path in directory.iterdir() if path.name.partition(".")[0] in NAMES}
    assert kept.items() <= before.items()


def test_nothing_is_made_where_the_secrets_are_not(directory: Path, tmp_path: Path) -> None:
    """A place that holds none, or not all, is not where they are kept."""
    assert complete(tmp_path / "nowhere") == ()
    for name in ("pepper", *OPTIONAL):
        (directory / f"{name}.1").unlink()
    assert complete(directory) == ()
    assert not (directory / "dkim-rsa.1").exists()


def test_signing_keys_are_rotated(directory: Path) -> None:
    """The new one signs; the old one is there as long as what it signed is on its way."""
    old = load(directory)
    assert [rotate(directory, name) for name in OPTIONAL] == [2, 2]
    new = load(directory)
    for before, after in ((old.dkim_rsa, new.dkim_rsa), (old.dkim_ed25519, new.dkim_ed25519)):
        assert (before.numbers, after.numbers, after.number) == ((1,), (1, 2), 2)
        assert after.of(1).public == before.current.public != after.current.public


@pytest.mark.parametrize("damage", ["", "zz", "00" * 40, "00" * 5_000])
def test_damaged_rsa_key(directory: Path, damage: str) -> None:
    """It is named, or its directory is."""
    (directory / "dkim-rsa.1").write_text(damage)
    assert str(directory) in str(_problem(directory))
    load(directory, DOORS)


def test_a_number_has_an_octet(directory: Path) -> None:
    """The 255th version is the last."""
    (directory / "cache.1").rename(directory / "cache.255")
    assert load(directory).cache.number == 255
    with pytest.raises(MissingSecret):
        rotate(directory, "cache")
    (directory / "cache.255").rename(directory / "cache.256")
    assert "256" in str(_problem(directory))


def test_lost_version(directory: Path) -> None:
    """Something made with a version that is gone names it."""
    with pytest.raises(MissingSecret, match=r"pepper\.9") as caught:
        load(directory).peppers.of(9)
    assert "escrow" in caught.value.cure


def test_doors_hold_public_halves(directory: Path) -> None:
    """A door seals envelopes and checks keys, but can neither open the ones nor sign the others."""
    for name in ("queue", "community", "ledger"):
        (directory / f"{name}.1").unlink()
    doors = load(directory, DOORS)
    sealed = EnvelopeSealer(doors.queue_public.current, doors.queue_public.number).seal(b"entry", b"envelope")
    assert b"envelope" not in sealed
    assert doors.community_public.number == 1
    for absent in (doors.queue, doors.community, doors.ledger):
        with pytest.raises(MissingSecret, match="does not hold"):
            _ = absent.current
        with pytest.raises(MissingSecret):
            _ = absent.number


def test_doors_do_not_read_private_halves(directory: Path) -> None:
    """The files that a door has no use for are not even looked at."""
    (directory / "queue.1").write_text("damaged")
    load(directory, DOORS)
    assert "queue.1" in str(_problem(directory))


def test_missing_secrets(tmp_path: Path, directory: Path) -> None:
    """No directory, an incomplete one, a file in its place: named with a cure."""
    assert "secrets_directory" in _problem(tmp_path / "nowhere").cure
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0o600)
    assert "file" in str(_problem(tmp_path / "file"))
    (directory / "pepper.1").unlink()
    (directory / "queue.1.public").unlink()
    assert "pepper" in str(_problem(directory))
    assert "queue.1.public" in str(_problem(directory, DOORS))


@pytest.mark.parametrize("damage", ["", "00" * 31, "00" * 33, "zz" * 32, "é"])
def test_damaged_secret(directory: Path, damage: str) -> None:
    """A damaged file is named."""
    (directory / "pepper.1").write_text(damage, encoding="utf-8")
    assert "pepper.1" in str(_problem(directory))


def test_damaged_public_half(directory: Path) -> None:
    """So is a public half of the right length that is no key."""
    (directory / "queue.1.public").write_text("ff" * 1216)
    assert "public" in str(_problem(directory, DOORS))


@pytest.mark.parametrize(("name", "mode"), [(".", 0o750), ("pepper.1", 0o644), ("queue.1", 0o660)])
def test_open_permissions(directory: Path, name: str, mode: int) -> None:
    """Secrets that others could read are refused with the command that mends it."""
    (directory / name).chmod(mode)
    problem = _problem(directory)
    assert problem.cure.startswith("chmod ")
    assert "others" in str(problem)


def test_writable_public_half(directory: Path) -> None:
    """A public half may be read by others, but not changed."""
    (directory / "queue.1.public").chmod(0o644)
    load(directory, DOORS)
    (directory / "queue.1.public").chmod(0o666)
    assert "changed by others" in str(_problem(directory, DOORS))


def test_systemd_credentials(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials come first, with or without a prefix; without any, the directory serves."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert load(directory).peppers.number == 1
    for path in directory.iterdir():
        (credentials / f"cjsm_{path.name}").write_bytes(path.read_bytes())
        (credentials / f"cjsm_{path.name}").chmod(0o400)
    assert load(tmp_path / "nowhere").queue.number == 1
    (credentials / "cjsm_pepper.1").unlink()
    assert "pepper" in str(_problem(directory))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "gone"))
    assert "gone" in str(_problem(directory))


def test_shows_nothing(directory: Path) -> None:
    """No secret is in what the objects print of themselves."""
    loaded = load(directory)
    shown = repr(loaded) + repr([getattr(loaded, name) for name in ServiceSecrets.__slots__])
    for path in directory.iterdir():
        octets = path.read_text().strip()
        assert octets not in shown
        assert repr(bytes.fromhex(octets))[2:-1] not in shown


def test_randomness_is_an_argument() -> None:
    """The same octets make the same secrets; by default no two are alike."""
    assert generate(lambda n: bytes(n)).peppers.current == bytes(32)
    assert generate().peppers.current != generate().peppers.current
    assert os.environ.get("CREDENTIALS_DIRECTORY") is None
