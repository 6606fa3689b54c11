"""The command behind ``script/compare-pop3``: the same suite against ours and Debian's POP3 servers, as one table."""

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.conformance.servers import PASSWORD, SERVERS, USER, DebianServer
from tests.peers.certificates import CertificateMaker

_ROOT = Path(__file__).parents[2]
_OURS = "CJSM suite"
_GROUPS = {
    "test_commands": "Commands",
    "test_states": "Signing in",
    "test_sasl": "AUTH",
    "test_maildrop": "The maildrop",
    "test_messages": "Messages",
    "test_sessions": "Sessions",
    "test_framing": "Lines and capabilities",
    "test_tls": "TLS",
    "test_international": "UTF8 and LANG",
}
_ABOUT = """# POP3 servers against the standards

What each server answers to the {tests} tests of `script/conformance pop3`, at its port with STLS and at its port inside
TLS; {date}, Debian 12. `script/compare-pop3` writes this page: it installs Debian's packages into directories of their
own and runs them on loopback with the settings of the packages, but for addresses, one user, a certificate, TLS before
passwords, SASL PLAIN where it was off, and no pauses and limits that slow the suite down
(`tests/conformance/servers.py`).

| | |
|---|---|
| ✓ | as the standards ask, and as this project promises beyond them |
| ○ | as the standards ask; this project promises more, or otherwise where they leave a choice |
| ✗ | otherwise than the standards ask, in so many of so many cases |
| – | an extension that is not offered, and need not be |

Servers differ for good reasons: some settings change what stands here, and a strict reading of old texts is not what
every client needs. A test that is unfair to a server is a mistake of ours: tell us.

"""


def main(arguments: list[str]) -> int:
    """Run the suite against every server and write the table."""
    parser = argparse.ArgumentParser(prog="script/compare-pop3", description=__doc__)
    parser.add_argument(
        "--roots", default="/var/tmp/cjsm-peers", metavar="DIRECTORY", help="where servers are installed"
    )
    parser.add_argument("--results", metavar="DIRECTORY", help="where what came of each test is kept, as JSON")
    parser.add_argument("--again", action="store_true", help="only write the table anew, from --results")
    parser.add_argument(
        "--page", default=str(_ROOT / "docs/pop3-servers.md"), metavar="FILE", help="where the table goes"
    )
    told = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(told.results or scratch)
        results.mkdir(parents=True, exist_ok=True)
        if not told.again:
            _run_ours(results)
            maker = CertificateMaker(Path(scratch) / "certificates")
            for kind in SERVERS:
                _run_other(kind(Path(told.roots)), maker, results)
        Path(told.page).write_text(page(results, datetime.date.today()), "utf-8")
    return 0


def _run_ours(results: Path) -> None:
    told = ["tests/conformance/pop3", "-q", "-p", "no:cacheprovider", "--results", str(results / f"{_OURS}.json")]
    subprocess.run([sys.executable, "-m", "pytest", "-p", "tests.conformance.results", *told], cwd=_ROOT, check=False)


def _run_other(server: DebianServer, maker: CertificateMaker, results: Path) -> None:
    print(f"{server.name}: installing", flush=True)
    server.install()
    (results / f"{server.name}.version").write_text(server.version())
    with server.running(maker.server("127.0.0.1", "127.0.0.2")):
        for security, port in (("starttls", server.starttls), ("implicit-tls", server.implicit)):
            file = results / f"{server.name}.{security}.json"
            where = ["pop3", f"{server.host}:{port}", f"--{security}", "--ca", str(maker.file), "--user", USER]
            options = ["--password-stdin", *server.delivery(), "--results", str(file), "-q", "-p", "no:cacheprovider"]
            command = [sys.executable, "-m", "tests.conformance", *where, *options]
            done = subprocess.run(command, cwd=_ROOT, input=f"{PASSWORD}\n", text=True, capture_output=True)
            print(f"{server.name}, {security}: {done.stdout.strip().splitlines()[-1]}", flush=True)


class Column:
    """One server's results, by test.

    :ivar title: name and version.
    """

    def __init__(self, title: str, files: Iterable[Path]) -> None:
        self.title = title
        self.about: dict[tuple[str, str], str] = {}
        self.tests = 0
        self._outcomes: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._other: set[str] = set()
        for file in files:
            told: dict[str, Any] = json.loads(file.read_text())
            self.tests = max(self.tests, len({each["name"].partition("[")[2] + each["test"] for each in told["tests"]}))
            for each in told["tests"]:
                key = (each["group"], each["test"])
                self.about.setdefault(key, each["about"])
                self._outcomes[key].append(each["outcome"])
            self._other |= {name.partition("[")[0] for names in told["findings"].values() for name in names}

    def cell(self, key: tuple[str, str]) -> str:
        """Return what stands in the table."""
        ran = [outcome for outcome in self._outcomes[key] if outcome != "skipped"]
        failed = ran.count("failed")
        if not ran:
            return "–"
        if failed:
            return f"✗ {failed} of {len(ran)}" if len(ran) > 1 else "✗"
        return "○" if key[1] in self._other else "✓"


def page(results: Path, date: datetime.date) -> str:
    """Return the page with the table of *results*."""
    columns = [Column(f"**{_OURS}**", [results / f"{_OURS}.json"])]
    for kind in SERVERS:
        version = (results / f"{kind.name}.version").read_text().strip()
        columns.append(Column(f"{kind.name} {version}", sorted(results.glob(f"{kind.name}.*.json"))))
    keys = list(columns[0].about)
    told = [_ABOUT.format(tests=columns[1].tests, date=date.isoformat())]
    titles = " | ".join(column.title for column in columns)
    for group, heading in _GROUPS.items():
        told.append(f"## {heading}\n\n| | {titles} |\n|---|{'---|' * len(columns)}\n")
        for key in (key for key in keys if key[0] == group):
            cells = " | ".join(column.cell(key) for column in columns)
            told.append(f"| {columns[0].about[key].replace('|', '/')} | {cells} |\n")
        told.append("\n")
    told.append(f"## In all\n\n| rows | {titles} |\n|---|{'---|' * len(columns)}\n")
    for sign in "✓○✗–":
        counts = (sum(column.cell(key).startswith(sign) for key in keys) for column in columns)
        told.append(f"| {sign} | {' | '.join(map(str, counts))} |\n")
    return "".join(told)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
