"""What came of each test, for tables: ``script/conformance … --results FILE``."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.judgement import NOTES, Notes


class Results:
    """The plug-in that writes a JSON file: each test's name, what it tests, and what came of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told: dict[str, dict[str, Any]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Learn what each test says of itself: the first paragraph of its docstring."""
        for item in items:
            text = getattr(getattr(item, "obj", None), "__doc__", None) or ""
            about = " ".join(text.strip().split("\n\n")[0].split())
            module, _, function = item.nodeid.partition("::")
            self._told[item.nodeid] = {
                "group": Path(module).stem,
                "test": function.partition("[")[0],
                "name": item.name,
                "about": about,
                "outcome": "not run",
                "why": "",
            }

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what came of a test; what fails before or after it fails it."""
        told = self._told.get(report.nodeid)
        if told is None or (report.when != "call" and report.passed) or told["outcome"] == "failed":
            return
        told["outcome"] = report.outcome
        if report.skipped and isinstance(report.longrepr, tuple):
            told["why"] = report.longrepr[2].removeprefix("Skipped: ")
        elif report.failed:
            told["why"] = report.longreprtext.strip().splitlines()[-1]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the file."""
        findings = session.config.stash.get(NOTES, Notes()).findings
        self._path.write_text(json.dumps({"tests": list(self._told.values()), "findings": findings}, indent=1))


def pytest_addoption(parser: pytest.Parser) -> None:
    """For runs against our own service: ``pytest -p tests.conformance.results --results FILE``."""
    parser.addoption("--results", metavar="FILE", help="write what came of each test there, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    """Write where the option says."""
    if config.getoption("--results"):
        config.pluginmanager.register(Results(Path(config.getoption("--results"))))
