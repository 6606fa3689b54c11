"""Where twistd's log goes: ``twistd --logger=cjsm.logs.text`` for people and the journal, ``json_lines`` for programs.

Nothing below the level of information is written, and no log line holds a password, an address or a subject.
"""

import sys

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    jsonFileLogObserver,
    textFileLogObserver,
)


def text() -> ILogObserver:
    """Return an observer that writes one line of text for each event to standard output."""
    return _informative(textFileLogObserver(sys.stdout))


def json_lines() -> ILogObserver:
    """Return an observer that writes one JSON document and a line feed for each event to standard output."""
    return _informative(jsonFileLogObserver(sys.stdout, recordSeparator=""))


def _informative(observer: ILogObserver) -> ILogObserver:
    return FilteringLogObserver(observer, [LogLevelFilterPredicate(LogLevel.info)])
