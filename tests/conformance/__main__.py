"""The command behind ``script/conformance``: runs a suite against any server."""

import argparse
import sys
from pathlib import Path

import pytest

from tests.conformance.smtp.target import Chosen, Maildir, Security, Target


def main(arguments: list[str]) -> int:
    """Run the suite that *arguments* ask for; return pytest's exit status."""
    told, rest = _parser().parse_known_args(arguments)
    host, _, port = told.target.rpartition(":")
    if not host or not port.isdecimal():
        print(f"{told.target} is not HOST:PORT", file=sys.stderr)
        return 2
    if bool(told.user) != told.password_stdin:
        print("--user and --password-stdin belong together", file=sys.stderr)
        return 2
    target = Target(
        host=host.strip("[]"),
        port=int(port),
        security=told.security,
        authority=told.ca,
        identity=(told.certificate, told.key or told.certificate) if told.certificate else None,
        user=told.user,
        password=sys.stdin.readline().rstrip("\r\n") if told.password_stdin else "",
        sender=told.sender,
        recipient=told.recipient,
        refused=told.refused,
        own=told.strict,
        mailbox=Maildir(Path(told.maildir)) if told.maildir else None,
    )
    return int(pytest.main([str(Path(__file__).parent / told.suite), *rest], plugins=[Chosen(target)]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/conformance",
        description="Holds what a server answers on the wire against the standards. Further options go to pytest.",
        allow_abbrev=False,
    )
    parser.add_argument("suite", choices=["smtp"])
    parser.add_argument("target", metavar="HOST:PORT")
    begins = parser.add_mutually_exclusive_group()
    for security, text in (
        (Security.STARTTLS, "TLS begins with STARTTLS (this is the default)"),
        (Security.IMPLICIT, "TLS begins before anything is said"),
        (Security.PLAIN, "no TLS"),
    ):
        begins.add_argument(
            f"--{security.value}", dest="security", action="store_const", const=security, help=text, default=None
        )
    parser.set_defaults(security=Security.STARTTLS)
    parser.add_argument("--ca", metavar="FILE", help="the authority to trust (default: those of the system)")
    parser.add_argument("--certificate", metavar="FILE", help="a client certificate to show")
    parser.add_argument("--key", metavar="FILE", help="its key, where that is in a file of its own")
    parser.add_argument("--user", default="", metavar="U", help="who signs in")
    parser.add_argument("--password-stdin", action="store_true", help="the password is the first line of input")
    parser.add_argument("--from", dest="sender", default="sender@example.test", metavar="A", help="the sender")
    parser.add_argument("--to", dest="recipient", default="recipient@example.test", metavar="B", help="a recipient")
    parser.add_argument("--refused", default="nobody@refused.example", metavar="C", help="a recipient that is refused")
    parser.add_argument("--maildir", metavar="DIRECTORY", help="where the recipient's mail arrives, to compare octets")
    parser.add_argument(
        "--strict", action="store_true", help="what this project promises beyond the standards must hold"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
