"""What the door says to people, in English here and in the other languages of LANG in ``data/pop3/`` (RFC 6856 §3)."""

import tomllib
from collections.abc import Mapping
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import TypeAlias

from msgspec import Struct

from cjsm import resources

ENGLISH = "en"

LANGUAGES: Mapping[str, str] = MappingProxyType({ENGLISH: "English", "cy": "Cymraeg"})
"""The languages by tag, each by its own name."""


class Text(Enum):
    """Every text. What stands in braces is filled in; commands and response codes are the same in each language."""

    READY = "POP3 server ready"
    CAPABILITIES = "capabilities follow"
    BEGIN_TLS = "begin TLS"
    SEND_PASS = "send PASS"
    SEND_USER = "send USER first"
    MAILDROP = "maildrop has {count} messages ({octets} octets)"
    TOTALS = "{count} messages ({octets} octets)"
    UNIQUE_IDS = "unique-ids follow"
    NONE_MARKED = "no message is marked"
    DONE = "done"
    NO_SUCH_MESSAGE = "no such message"
    IS_MARKED = "that message is marked as deleted"
    MARKED = "message {number} is marked as deleted"
    OCTETS = "{octets} octets"
    TOP = "top of message follows"
    CHANGED = "the message follows, rewritten for a program that does not say UTF8"
    USAGE = "usage: {usage}"
    UNKNOWN = "unknown command"
    NOT_NOW = "not possible in this state"
    LINE_TOO_LONG = "line too long"
    STRAY = "{kind} in a line"
    MECHANISM = "the mechanism is PLAIN"
    CANCELLED = "cancelled"
    MALFORMED = "malformed response"
    OTHER_IDENTITY = "acting as somebody else is not possible"
    LANGUAGES = "languages follow"
    LANGUAGE = "this is English"
    NO_LANGUAGE = "that language is not spoken here"
    UTF8 = "UTF-8 from now on"
    GOODBYE = "goodbye"
    REMOVED_ONE = "1 message removed, goodbye"
    REMOVED = "{count} messages removed, goodbye"
    BROKEN = "this is not possible at the moment, try again later"
    REMOVING_BROKEN = "your messages could not be removed, try again later"
    NOT_ACCEPTED = "user name or password not accepted"
    SHUT_OUT_SOON = "user name or password not accepted; after another wrong password your network is shut out"
    CHOOSE_PASSWORD = "this is a one-time password: choose your own password first"
    PASSWORD_EXPIRED = "your password has expired: choose a new one first"
    DEVICE_PASSWORD = "mail programs sign in with a device password here, not with your own"
    TRY_LATER = "too many attempts at this time, try again in {seconds} seconds"
    TOO_SOON = "you signed in a moment ago, try again in {seconds} seconds"
    IN_USE = "your mailbox is open in another session"
    CLOSED = "your mailbox has been closed to protect it: please tell your helpdesk"
    UNAVAILABLE = "sign-in is not available at the moment, try again later"
    KEPT_ELSEWHERE = "your mail is kept at your organisation, not here"
    NO_SHARED_MAILBOX = "there is no shared mailbox of that name for you"
    TOO_MANY_CONNECTIONS = "too many connections of this account"
    ACCOUNT_CHANGED = "your account or password has changed, sign in again"
    UNREADABLE = "this message cannot be read at the moment, try again later"
    DAMAGED = "this message is damaged, tell your helpdesk"
    NOT_REMOVED = "no message was removed, try again later"
    MAYBE_REMOVED = "either all marked messages were removed or none, look again later"


class Words(Struct, frozen=True):
    """A text and what is filled in."""

    text: Text
    values: Mapping[str, object] = MappingProxyType({})


Sayable: TypeAlias = Words | str
"""Words, or a sentence that exists in English only."""


def words(text: Text, **values: object) -> Words:
    """Return *text* with *values*."""
    return Words(text, values)


def say(what: Sayable, language: str) -> str:
    """Return *what* in *language*, a key of :data:`LANGUAGES`."""
    if isinstance(what, str):
        return what
    template = what.text.value if language == ENGLISH else catalogue(language)[what.text]
    return template.format_map(what.values)


def recognised(sentence: str) -> Sayable:
    """Return the words of an English sentence that another room wrote, or itself where it is none of ours."""
    try:
        return Words(Text(sentence))
    except ValueError:
        return sentence


@cache
def catalogue(language: str) -> Mapping[Text, str]:
    """Return every text in *language*.

    :raises KeyError: when its file lacks one.
    """
    told = tomllib.loads(resources.data("pop3", f"{language}.toml").read_text("utf-8"))
    return MappingProxyType({text: told[text.name] for text in Text})


def chosen(language_range: str, preferred: str) -> str | None:
    """Return the language that a range asks for, by lookup (RFC 4647 §3.4); ``*`` asks for the *preferred* one."""
    if language_range == "*":
        return preferred
    asked = language_range.lower()
    while asked and asked not in LANGUAGES:
        asked = asked.rpartition("-")[0]
    return asked or None
