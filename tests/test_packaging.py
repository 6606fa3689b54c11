"""What an installed package holds: everything but the repository around it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent
_PARTS = ("cjsm", "cjsm-smtp", "cjsm-pop3", "cjsm-ldap", "cjsm-delivery")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked."""
    place = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", place, _ROOT],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    return place / "site"


def _run(installed: Path, *command: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    done = subprocess.run(command, cwd=installed, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_plug_ins(installed: Path) -> None:
    """twistd lists every part, from the package and not from the repository."""
    found = _run(installed, str(Path(sys.executable).parent / "twistd"), "--help")
    listed = [line.split()[0] for line in found.splitlines() if line.strip().startswith("cjsm")]
    assert sorted(listed) == sorted(_PARTS)
    where = _run(installed, sys.executable, "-c", "import cjsm; print(cjsm.__file__)")
    assert where.startswith(str(installed))


def test_files(installed: Path) -> None:
    """Settings, schema and demonstration are in it; tests and benchmarks are not."""
    files = "etc('cjsm.toml'), data('demo', 'community.toml'), data('schema', 'cjsm.schema')"
    script = f"from cjsm.resources import data, etc; print({files})"
    for path in _run(installed, sys.executable, "-c", script).split():
        assert path.startswith(str(installed))
        assert Path(path).is_file()
    names = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert names == {"cjsm", "twisted"}
    assert (installed / "cjsm" / "py.typed").exists()


def test_editable() -> None:
    """The same plug-ins are found in the environment that the tests run in."""
    found = subprocess.run(
        [Path(sys.executable).parent / "twistd", "--help"], cwd="/", capture_output=True, text=True, timeout=60
    )
    assert all(f"    {part} " in found.stdout for part in _PARTS)


def test_units_name_every_door() -> None:
    """Each door where mail is taken has a socket of its name, which the processes that share them are given."""
    units = _ROOT / "etc" / "systemd"
    sockets = {
        path.name: dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
        for path in units.glob("*.socket")
    }
    assert {each["FileDescriptorName"] for each in sockets.values()} == {"submissions", "submission", "relay"}
    (given,) = (line for line in (units / "cjsm-smtp@.service").read_text().splitlines() if line.startswith("Sockets="))
    assert set(given.removeprefix("Sockets=").split()) == set(sockets)
