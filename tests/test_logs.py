"""What reaches the log."""

import json
from pathlib import Path

import pytest
from twisted.logger import ILogObserver, Logger, LogLevel, formatEventAsClassicLogText
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from cjsm import logs


def test_text_begins_with_information(capsys: pytest.CaptureFixture[str]) -> None:
    """Information is written as a line, what only developers look at is not."""
    log = Logger(namespace="door", observer=verifyObject(ILogObserver, logs.text()) and logs.text())
    log.debug("thinking")
    log.info("a session of {who}", who="a1b2")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].endswith("[door#info] a session of a1b2")


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Each event is one document on one line, with its level and what it is about."""
    log = Logger(namespace="door", observer=logs.json_lines())
    log.debug("thinking")
    log.info("a session of {who}", who="a1b2")
    log.error("gone")
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["log_namespace"], first["who"]) == ("door", "a1b2")
    assert second["log_level"]["name"] == "error"


@pytest.mark.parametrize(
    "event",
    [
        {"log_format": "search by {who}: {hits} entries", "who": "member", "hits": 3},
        {"log_format": "two\nlines of {who}", "who": "a\nb"},
        {"log_format": "called {who()}", "who": lambda: "x"},
        {"log_format": "attribute {who.name}", "who": Path("x")},
        {"log_format": "shown {who!r}", "who": "x"},
        {"log_format": "{{braces}}"},
        {"log_format": "{lacking}"},
        {"log_format": "named", "log_system": "tls"},
        {"log_format": ""},
        {"log_format": "plain", "log_failure": Failure(ValueError("no"))},
        {"log_text": "as before", "log_format": "{log_text}"},
        {"log_format": None},
    ],
)
def test_lines_are_twisteds_own(event: dict[str, object]) -> None:
    """What is written quickly is what would be written slowly."""
    whole = {"log_time": 1_700_000_000.75, "log_level": LogLevel.info, "log_namespace": "cjsm.ldap", **event}
    assert logs.line(whole) == formatEventAsClassicLogText(whole)
