"""The directory, asked by the programs that people have."""

import os
import subprocess
from collections.abc import Callable

import pytest

from tests.running import Beside, Community

pytestmark = pytest.mark.interop
Program = Callable[[str], str]


def _search(community: Community, ldapsearch: str, name: str, password: str, *asked: str) -> str:
    done = subprocess.run(
        [
            ldapsearch,
            *("-LLL", "-x", "-o", "ldif-wrap=no", "-H", f"ldaps://localhost:{community.port('ldaps')}"),
            *("-D", name, "-w", password, "-b", community.told["base_dn"], *asked),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        env={"LDAPTLS_CACERT": community.told["ca_file"], "PATH": "/usr/bin:/bin"},
    )
    return done.stdout if done.returncode == 0 else f"{done.returncode}: {done.stderr}"


@pytest.mark.parametrize("name", ["jane.smith@avon", "jane.smith@avon.cjsm.test"])
@pytest.mark.parametrize("password", ["password", "device_password"])
def test_ldapsearch_finds_the_sender(community: Community, program: Program, name: str, password: str) -> None:
    """Bound by user ID or address, a member finds people by name."""
    account = community.person("jane.smith@avon")
    found = _search(community, program("ldapsearch"), name, account[password], "(sn=smi*)", "cn", "mail")
    assert "cn: Jane Smith\nmail: jane.smith@avon.cjsm.test\n" in found
    assert "mail: john.smith@smithjones.cjsm.test\n" in found


def test_bind_by_distinguished_name(community: Community, program: Program) -> None:
    """The name that a search gave signs in too."""
    ldapsearch = program("ldapsearch")
    account = community.person("jane.smith@avon")
    found = _search(community, ldapsearch, account["user_id"], account["password"], "(uid=jane.smith)", "1.1")
    name = found.strip().removeprefix("dn: ")
    assert "cn: Jane Smith" in _search(community, ldapsearch, name, account["password"], "(uid=jane.smith)", "cn")


def test_wrong_password(community: Community, program: Program) -> None:
    """Result code 49, whoever it is."""
    for name in ("jane.smith@avon", "nobody.here@avon"):
        assert _search(community, program("ldapsearch"), name, "wrong", "(cn=*)").startswith("49: ")


def test_root_and_schema(community: Community, program: Program) -> None:
    """Clients find out where to search and what attributes there are."""
    account = community.person("jane.smith@avon")
    told = (program("ldapsearch"), account["user_id"], account["password"])
    root = _search(community, *told, "-s", "base", "-b", "", "+")
    assert f"namingContexts: {community.told['base_dn']}" in root
    schema = _search(community, *told, "-s", "base", "-b", "cn=subschema", "(objectClass=subschema)", "+")
    assert "NAME 'mail'" in schema or "'mail'" in schema


def test_curl(community: Community, program: Program) -> None:
    """curl reads an answer of several entries to its end."""
    account = community.person("jane.smith@avon")
    url = f"ldaps://localhost:{community.port('ldaps')}/{community.told['base_dn']}?cn,mail?sub?(sn=smi*)"
    done = subprocess.run(
        [
            program("curl"),
            "-sS",
            "--max-time",
            "20",
            "--cacert",
            community.told["ca_file"],
            "-u",
            f"{account['user_id']}:{account['password']}",
            url,
        ],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("mail: ") == 2


def _ask(community: Community, *command: str) -> "subprocess.CompletedProcess[str]":
    environment = {"LDAPTLS_CACERT": community.told["ca_file"], "PATH": os.environ["PATH"]}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment, stdin=subprocess.DEVNULL
    )


def test_starttls(community: Community, program: Program, starttls: Beside) -> None:
    """With it all is as at the other port; without it no password is taken, and nobody is found."""
    account, url = community.person("jane.smith@avon"), f"ldap://localhost:{starttls.port}"
    asking = [program("ldapsearch"), "-x", "-LLL", "-H", url, "-b", community.told["base_dn"]]
    signing_in = ["-D", account["user_id"], "-w", account["password"]]
    found = _ask(community, *asking, "-ZZ", *signing_in, "(uid=jane.smith)", "cn")
    assert "cn: Jane Smith" in found.stdout, found.stderr
    assert _ask(community, *asking, *signing_in, "(uid=jane.smith)", "cn").returncode == 13
    assert _ask(community, *asking, "(uid=jane.smith)", "cn").returncode == 13
    root = _ask(community, *asking, "-s", "base", "-b", "", "supportedExtension")
    assert "1.3.6.1.4.1.1466.20037" in root.stdout
    who = _ask(community, program("ldapwhoami"), "-x", "-ZZ", "-H", url, *signing_in)
    assert who.stdout.startswith("dn:uid=jane.smith,")
