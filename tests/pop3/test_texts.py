"""What the door says, in each language."""

import string

import pytest

from cjsm.access import errors
from cjsm.access.errors import AccessError, CodeNeeded, CodeRefused, LoginTooSoon, NotOffered, TryLater
from cjsm.pop3 import refusals, texts
from cjsm.pop3.texts import LANGUAGES, Text, Words
from cjsm.wire.connections import Refusal
from cjsm.wire.sasl import SaslFailure


def _holes(template: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != texts.ENGLISH])
def test_each_catalogue_is_whole(language: str) -> None:
    """Every text is there, says something else than English, fills in the same, and is a line."""
    told = texts.catalogue(language)
    for text in Text:
        assert _holes(told[text]) == _holes(text.value), text
        assert told[text] != text.value
        assert told[text].isprintable()
        # RFC 2449 §4: 512 octets with code and what is filled in.
        assert len(told[text].encode()) < 400
        assert not told[text].startswith("[")


def test_what_other_rooms_refuse_is_known() -> None:
    """Whoever changes a sentence there changes it here, so that it is translated."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AccessError)]
    # Codes are asked for where secrets are changed, never at this door.
    for kind in set(kinds) - {AccessError, NotOffered, CodeNeeded, CodeRefused}:
        error = kind(9) if kind in (TryLater, LoginTooSoon) else kind()
        told = refusals.signing_in(error).text
        assert isinstance(told, Words), kind
        assert texts.say(told, texts.ENGLISH) == str(error)
    for sentence in (*(each.value for each in SaslFailure), Refusal.ACCOUNT.value):
        assert isinstance(texts.recognised(sentence), Words), sentence
    assert texts.recognised("something new") == "something new"
    assert texts.say("something new", "cy") == "something new"


@pytest.mark.parametrize(
    ("asked", "found"),
    [("en", "en"), ("CY", "cy"), ("cy-GB", "cy"), ("en-GB-x-y", "en"), ("fr", None), ("cyx", None), ("*", "cy")],
)
def test_chosen(asked: str, found: str | None) -> None:
    """Lookup by range (RFC 4647 §3.4)."""
    assert texts.chosen(asked, "cy") == found
