"""Files that are installed with the package."""

from cjsm import resources


def test_files_are_there() -> None:
    """Settings, schema, demonstration."""
    for path in (
        resources.etc("cjsm.toml"),
        resources.data("schema", "cjsm.schema"),
        resources.data("demo", "community.toml"),
    ):
        assert path.is_file()


def test_others_are_not() -> None:
    """A name that is not there is simply no file."""
    assert not resources.data("nothing").is_file()
