"""What reaches the log."""

import json

import pytest
from twisted.logger import ILogObserver, Logger
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
