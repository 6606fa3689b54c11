"""The table of cloud providers."""

import msgspec
import pytest

from cjsm import resources
from cjsm.community.providers import Provider, parse

CLOUD = Provider(name="cloud", title="Cloud", names=("mail.cloud.example", "*.out.cloud.example"), tenant_header="X-T")


def test_our_own_table() -> None:
    """It reads, and every provider says who its servers are and where it names the tenant."""
    found = parse(resources.data("providers.toml").read_text("utf-8"))
    assert found
    for name, provider in found.items():
        assert provider.name == name
        assert provider.names
        assert provider.tenant_header.isascii()


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("mail.cloud.example", True),
        ("MAIL.cloud.example", True),
        ("a.out.cloud.example", True),
        ("a.b.out.cloud.example", True),
        ("*.out.cloud.example", True),
        ("out.cloud.example", False),
        ("evilout.cloud.example", False),
        ("mail.cloud.example.evil.example", False),
        ("other.example", False),
        ("", False),
    ],
)
def test_names(name: str, called: bool) -> None:
    """A star stands for whole labels only."""
    assert CLOUD.is_called(frozenset({name})) is called


@pytest.mark.parametrize("text", ["[[provider]]\nname = 'x'\n", "[[provider]]\nwrong = 1\n", "provider = 1\n"])
def test_what_is_no_table(text: str) -> None:
    """It is refused whole."""
    with pytest.raises(msgspec.ValidationError):
        parse(text)
