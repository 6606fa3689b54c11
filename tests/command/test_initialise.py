"""``cjsm init``."""

import tomllib
from pathlib import Path

from cjsm.command.initialise import with_values
from tests.command.conftest import ran, refused, told


def arguments(home: Path) -> list[str]:
    """All in one directory."""
    return [
        *("init", "--suffix", "mail.example", "--host-name", "mail.example", "--config", str(home / "cjsm.toml")),
        *("--data-directory", str(home / "data"), "--secrets-directory", str(home / "secrets")),
    ]


def test_a_new_community(tmp_path: Path) -> None:
    """Settings with every comment, data, secrets, certificates; nothing that others may read."""
    document = told(ran(*arguments(tmp_path), "--json"))
    assert document["suffix"] == "mail.example"
    config = (tmp_path / "cjsm.toml").read_text()
    assert tomllib.loads(config)["smtp"]["host_name"] == "mail.example"
    assert config.count("\n#") > 50
    for path in ("data", "secrets"):
        assert (tmp_path / path).stat().st_mode & 0o077 == 0
    for path in (
        (tmp_path / "secrets").iterdir(),
        [tmp_path / "tls" / "server.key", tmp_path / "tls" / "authority.key"],
    ):
        assert all(each.stat().st_mode & 0o077 == 0 for each in path if each.suffix != ".public")


def test_again(tmp_path: Path) -> None:
    """Changes nothing: neither secrets nor certificates nor settings are lost by a second run."""
    ran(*arguments(tmp_path))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".mdb-lock"}
    assert ran(*arguments(tmp_path)).exit_code == 0
    for path, octets in before.items():
        if not path.name.endswith("-lock"):
            assert path.read_bytes() == octets, path


def test_no_new_secrets_for_old_data(tmp_path: Path) -> None:
    """They would open nothing: what is missing has to come back, and until then nothing is made."""
    ran(*arguments(tmp_path))
    (tmp_path / "secrets").rename(tmp_path / "away")
    document = refused(ran(*arguments(tmp_path), "--json"))
    assert "restore" in document["cure"]
    assert not (tmp_path / "secrets").exists()
    (tmp_path / "away").rename(tmp_path / "secrets")
    (tmp_path / "secrets" / "pepper.1").unlink()
    assert "pepper" in refused(ran(*arguments(tmp_path), "--json"))["error"]
    assert not (tmp_path / "secrets" / "pepper.1").exists()


def test_bad_values(tmp_path: Path) -> None:
    """A suffix that is no domain, a place that is a file."""
    assert refused(ran("init", "--suffix", "no domain", "--json", "--config", str(tmp_path / "c.toml")))["error"]
    (tmp_path / "file").write_text("")
    document = refused(
        ran("init", "--json", "--config", str(tmp_path / "c.toml"), "--data-directory", str(tmp_path / "file" / "data"))
    )
    assert "file" in document["error"]


def test_replaced_values() -> None:
    """Only values change; a setting that the file does not have is added to its section."""
    assert with_values('# why\n[a]\nb = "x" \nc = 1\n', {"a.c": "y"}) == '# why\n[a]\nb = "x" \nc = "y"\n'
    assert with_values("[a]\nb = 1\n[d]\n", {"a.c": "y"}) == '[a]\nc = "y"\nb = 1\n[d]\n'
    assert with_values("[a]\n", {"e.f": "y"}) == '[a]\n\n[e]\nf = "y"\n'
