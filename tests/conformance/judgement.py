"""What every suite judges alike: what is left out, what is promised, and what is told at the end."""

from typing import NoReturn

import pytest

from tests.conformance.target import Security, Server


class Notes:
    """What is told at the end: what was left out, and where a server that is not ours does other than ours promises."""

    def __init__(self) -> None:
        self.left_out: dict[str, int] = {}
        self.findings: dict[str, list[str]] = {}


#: The notes of a run, in pytest's configuration.
NOTES = pytest.StashKey[Notes]()


class Judge:
    """Judges a target on behalf of one test.

    :param test: the test's name, for findings.
    """

    def __init__(self, server: Server, offered: dict[str, str], notes: Notes, test: str) -> None:
        self.offered = offered
        self._server = server
        self._notes = notes
        self._test = test

    def promise(self, kept: bool, text: str) -> None:
        """Note *text* where *kept* is False: a failure of our own service, a finding about any other."""
        if kept:
            return
        if self._server.own:
            pytest.fail(text)
        self._notes.findings.setdefault(text, []).append(self._test)

    def leave_out(self, why: str) -> NoReturn:
        """End the test, and say so at the end of the run."""
        self._notes.left_out[why] = self._notes.left_out.get(why, 0) + 1
        pytest.skip(why)

    def needs(self, keyword: str) -> str:
        """Return the parameters of an extension; leave the test out where it is not offered."""
        if keyword not in self.offered:
            self.leave_out(f"{keyword} is not offered")
        return self.offered[keyword]

    def needs_tls(self, *kinds: Security) -> None:
        """Leave the test out where TLS begins in another way."""
        if self._server.security not in kinds:
            self.leave_out(
                f"TLS begins as {self._server.security.value}, not {' or '.join(kind.value for kind in kinds)}"
            )


def tell(terminalreporter: pytest.TerminalReporter, notes: Notes, suite: str) -> None:
    """Say what was left out and what was found."""
    if notes.left_out:
        terminalreporter.section(f"{suite} conformance: left out")
        for why, count in sorted(notes.left_out.items()):
            terminalreporter.line(f"{why}: {count} test{'s' if count > 1 else ''}")
    if notes.findings:
        terminalreporter.section(f"{suite} conformance: does other than this project's service promises")
        for text, tests in sorted(notes.findings.items()):
            terminalreporter.line(f"{text}  [{', '.join(sorted(set(tests)))}]")
