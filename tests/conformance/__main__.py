"""The command behind ``script/conformance``: runs a suite against any server."""

import argparse
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.ldap import caller as ldap
from tests.conformance.pop3 import target as pop3
from tests.conformance.results import Results
from tests.conformance.smtp import target as smtp
from tests.conformance.target import Chosen, Security, Server


def main(arguments: list[str]) -> int:
    """Run the suite that *arguments* ask for; return pytest's exit status."""
    told, rest = _parser().parse_known_args(arguments)
    host, _, port = told.target.rpartition(":")
    problem = _problem(told, host, port)
    if problem:
        print(problem, file=sys.stderr)
        return 2
    common = {
        "host": host.strip("[]"),
        "port": int(port),
        "authority": told.ca,
        "identity": (told.certificate, told.key or told.certificate) if told.certificate else None,
        "user": told.user,
        "password": sys.stdin.readline().rstrip("\r\n") if told.password_stdin else "",
        "own": told.strict,
    }
    plugins: list[Any] = [Chosen(_target(told, common))]
    if told.results:
        plugins.append(Results(Path(told.results)))
    return int(pytest.main([str(Path(__file__).parent / told.suite), *rest], plugins=plugins))


def _problem(told: argparse.Namespace, host: str, port: str) -> str:
    if not host or not port.isdecimal():
        return f"{told.target} is not HOST:PORT"
    if bool(told.user) != told.password_stdin:
        return "--user and --password-stdin belong together"
    if told.suite in ("pop3", "ldap") and not told.user:
        return f"{told.suite} needs --user and --password-stdin"
    if told.suite == "ldap" and not told.base:
        return "ldap needs --base"
    return ""


def _target(told: argparse.Namespace, common: dict[str, Any]) -> Server:
    if told.suite == "smtp":
        return smtp.Target(
            **common,
            security=told.security or Security.STARTTLS,
            sender=told.sender,
            recipient=told.recipient,
            refused=told.refused,
            mailbox=smtp.Maildir(Path(told.maildir)) if told.maildir else None,
        )
    if told.suite == "ldap":
        return ldap.Target(**common, security=told.security or Security.IMPLICIT, base=told.base)
    deliverer: pop3.Deliverer | None = None
    if told.maildir:
        deliverer = pop3.Maildir(Path(told.maildir))
    elif told.deliver:
        deliverer = pop3.Command(told.deliver)
    return pop3.Target(**common, security=told.security or Security.IMPLICIT, deliverer=deliverer)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/conformance",
        description="Holds what a server answers on the wire against the standards. Further options go to pytest.",
        allow_abbrev=False,
    )
    parser.add_argument("suite", choices=["smtp", "pop3", "ldap"])
    parser.add_argument("target", metavar="HOST:PORT")
    begins = parser.add_mutually_exclusive_group()
    for security, text in (
        (Security.STARTTLS, "TLS begins with STARTTLS, STLS or StartTLS (this is the default for smtp)"),
        (Security.IMPLICIT, "TLS begins before anything is said (this is the default for pop3 and ldap)"),
        (Security.PLAIN, "no TLS"),
    ):
        begins.add_argument(
            f"--{security.value}", dest="security", action="store_const", const=security, help=text, default=None
        )
    parser.add_argument("--ca", metavar="FILE", help="the authority to trust (default: those of the system)")
    parser.add_argument("--certificate", metavar="FILE", help="a client certificate to show")
    parser.add_argument("--key", metavar="FILE", help="its key, where that is in a file of its own")
    parser.add_argument("--user", default="", metavar="U", help="who signs in")
    parser.add_argument("--password-stdin", action="store_true", help="the password is the first line of input")
    parser.add_argument("--results", metavar="FILE", help="write what came of each test there, as JSON")
    parser.add_argument(
        "--strict", action="store_true", help="what this project promises beyond the standards must hold"
    )
    parser.add_argument(
        "--maildir",
        metavar="DIRECTORY",
        help="smtp: where the recipient's mail arrives, to compare octets; pop3: the user's, to put messages in",
    )
    only = parser.add_argument_group("ldap")
    only.add_argument("--base", default="", metavar="DN", help="a tree in which the user may search several people")
    only = parser.add_argument_group("smtp")
    only.add_argument("--from", dest="sender", default="sender@example.test", metavar="A", help="the sender")
    only.add_argument("--to", dest="recipient", default="recipient@example.test", metavar="B", help="a recipient")
    only.add_argument("--refused", default="nobody@refused.example", metavar="C", help="a recipient that is refused")
    only = parser.add_argument_group(
        "pop3", "The user's mailbox is emptied. Without --maildir and --deliver it stays so."
    )
    only.add_argument(
        "--deliver", metavar="COMMAND", help="puts the message on its input (lines end in LF) into the user's mailbox"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
