"""The schema's text and what is made of it."""

import pytest

from cjsm.directory import schema
from cjsm.directory.schema import INTERNAL, STATE, Schema, SchemaError


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("commonName", "cn"),
        ("SURNAME", "sn"),
        ("gn", "givenName"),
        ("rfc822Mailbox", "mail"),
        ("fax", "facsimileTelephoneNumber"),
        ("company", "o"),
        ("department", "ou"),
        ("2.5.4.3", "cn"),
        ("mail;binary", "mail"),
    ],
)
def test_aliases(alias: str, name: str) -> None:
    """Every name that clients use leads to the one attribute."""
    found = schema.load().attribute(alias)
    assert found is not None
    assert found.names[0] == name


def test_classes_of_attributes() -> None:
    """Who may see an attribute is part of the schema; passwords are not."""
    loaded = schema.load()
    assert loaded.attribute("mobile").seen == INTERNAL  # type: ignore[union-attr]
    assert loaded.attribute("cjsmLocked").seen == STATE  # type: ignore[union-attr]
    assert loaded.attribute("userPassword") is None


def test_subtypes() -> None:
    """``name`` stands for all names (RFC 4519 §2.18)."""
    loaded = schema.load()
    assert {"cn", "sn", "givenname", "o", "ou"} < {kind.key for kind in loaded.kinds("NAME")}
    for name in ("name", "2.5.4.41", "name;binary"):
        assert loaded.kinds(name)[0] is loaded.attribute("name")
        assert loaded.kinds(name) == loaded.kinds("NAME")
    assert loaded.kinds("cn") == (loaded.attribute("commonName"),)
    for name in ("cn;lang-en", "nonsense", "cn;x", ""):
        assert loaded.kinds(name) == ()


def test_object_classes_know_those_above() -> None:
    """An entry names every class above its own."""
    found = schema.load().object_class("INETORGPERSON")
    assert found is not None
    assert found.chain == ("top", "person", "organizationalPerson", "inetOrgPerson")


def test_options() -> None:
    """``binary`` is no difference here; other options have no values."""
    loaded = schema.load()
    assert loaded.kinds("cn;binary") == loaded.kinds("cn") != ()
    assert loaded.attribute("cn;lang-en") is loaded.attribute("cn")
    assert loaded.kinds("cn;lang-en") == ()


@pytest.mark.parametrize(
    "text",
    [
        "attributetype ( 1.1 NAME 'a' SUP b )",
        "attributetype ( 1.1 NAME 'a' EQUALITY nonsenseMatch )",
        "objectclass ( 1.1 NAME 'a' MUST b )",
    ],
)
def test_mistakes_are_found(text: str) -> None:
    """A schema that refers to what is not there is refused when it is loaded."""
    with pytest.raises(SchemaError):
        Schema(text)


def test_every_mentioned_syntax_and_rule_is_described() -> None:
    """Clients that read the schema find everything that it refers to."""
    loaded = schema.load()
    rules = " ".join(loaded.texts["matchingrule"])
    syntaxes = " ".join(loaded.texts["syntax"])
    for text in loaded.texts["attributetype"]:
        words = text.split()
        for kind, described in (("EQUALITY", rules), ("SUBSTR", rules), ("ORDERING", rules), ("SYNTAX", syntaxes)):
            if kind in words:
                assert words[words.index(kind) + 1].strip("'") in described
