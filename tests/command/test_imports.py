"""What a command imports: whoever calls it waits for that and for nothing else. Names of modules, no times."""

import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.command.conftest import Run, told

JANE = "jane.smith@avon"
#: What tells of every module that the program had in the end.
_PROGRAM = """
import sys
from cjsm.command.main import main
try:
    main(prog_name="cjsm")
finally:
    print(*sys.modules, file=sys.stderr)
"""
#: Only for doors, for whoever shows or chooses a password, for certificates, and for long work at a terminal.
_ELSEWHERE = (
    *(
        "twisted.internet.reactor",
        "twisted.internet.base",
        "twisted.internet.task",
        "twisted.cred",
        "twisted.protocols",
    ),
    *(
        "OpenSSL",
        "cryptography.x509",
        "cryptography.hazmat.primitives.serialization",
        "service_identity",
        "ldaptor",
        "dns",
        "spf",
        "publicsuffixlist",
    ),
    *("precis_i18n", "pyotp", "shamir_mnemonic", "zxcvbn", "rich.progress"),
    *("cjsm.ldap", "cjsm.pop3", "cjsm.smtp", "cjsm.service", "cjsm.runningsuite", "cjsm.wire.tls", "cjsm.directory"),
    *("cjsm.access.checker", "cjsm.access.enrolment", "cjsm.access.realm", "cjsm.access.recovering"),
    *("cjsm.mail.acceptance", "cjsm.mail.importing", "cjsm.mail.ownmail", "cjsm.notices"),
)
#: Only for what reads or writes the community.
_SUITE = ("cjsm.stores", "cjsm.store.lmdb", "cjsm.store.interfaces", "lmdb", "twisted")


def imported(*arguments: str, typed: str = "", config: Path | None = None) -> set[str]:
    """The modules that ``cjsm`` has in the end, called with *arguments*, or asked by bash to complete *typed*."""
    environment = dict(os.environ)
    if config is not None:
        environment["CJSM_CONFIG"] = str(config)
    if typed:
        last = str(len(typed.split()) - 1)
        environment |= {"_CJSM_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": last}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return set(done.stderr.split())


def too_many(modules: set[str], names: Collection[str]) -> list[str]:
    """Those of *modules* that are one of *names*, or below it."""
    return sorted(each for each in modules if any(f"{each}.".startswith(f"{name}.") for name in names))


@pytest.mark.parametrize(
    "words",
    [
        "organisation list",
        "organisation show avon",
        "organisation change avon --name Avon",
        "user list",
        f"user show {JANE}",
        f"user change {JANE} --town Bath",
        "list list",
        "list show watch@avon.cjsm.test",
        "role list",
        f"quota show {JANE}",
        f"quota set {JANE} 1G",
        "shared list",
        "policy matrix",
        "queue list",
        "jobs list",
    ],
)
def test_plain_verbs(words: str, cjsm: Run, config: Path) -> None:
    """They look at records, or change one."""
    told(cjsm("user", "add", "avon", "--first", "Jane", "--last", "Smith", "--json"))
    told(cjsm("list", "add", "avon", "watch", "--name", "Watch", "--json"))
    assert not too_many(imported(*words.split(), config=config), (*_ELSEWHERE, "importlib.metadata"))


def test_audit_list(config: Path) -> None:
    """It reads entries, and checks nothing signed."""
    assert not too_many(imported("audit", "list", config=config), set(_ELSEWHERE) - {"cjsm.directory"})


@pytest.mark.parametrize(
    "words", ["--help", "user --help", "directory --help", "user change --help", "list add --help"]
)
def test_help(words: str) -> None:
    """Nothing is opened for it."""
    assert not too_many(imported(*words.split()), (*_ELSEWHERE, *_SUITE))


@pytest.mark.parametrize("typed", ["cjsm us", "cjsm user sh", "cjsm user change --to", "cjsm list add --na"])
def test_completion(typed: str) -> None:
    """Nor for that."""
    assert not too_many(imported(typed=typed), (*_ELSEWHERE, *_SUITE))


def test_names_alone() -> None:
    """The names of commands are known without any of them."""
    modules = imported(typed="cjsm user") | imported("--help")
    assert {each for each in modules if each.startswith("cjsm.")} == {
        *("cjsm.command", "cjsm.command.groups", "cjsm.command.main"),
    }
