"""The directory, asked by the programs that people have."""

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.peers.processes import free_port
from tests.running import Community, beside

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


def _as(community: Community, ldapsearch: str, user_id: str) -> list[str]:
    account = community.person(user_id)
    return [
        *(ldapsearch, "-x", "-o", "ldif-wrap=no", "-H", f"ldaps://localhost:{community.port('ldaps')}"),
        *("-D", user_id, "-w", account["password"], "-b", community.told["base_dn"]),
    ]


def test_pages(community: Community, program: Program) -> None:
    """All of an answer, two entries at a time, each once; the rest is not told when it is not wanted."""
    asking = _as(community, program("ldapsearch"), "jane.smith@avon")
    whole = _ask(community, *asking, "-LLL", "(sn=*)", "1.1").stdout.split("\n\n")
    paged = _ask(community, *asking, "-E", "!pr=2/noprompt", "(sn=*)", "1.1")
    assert paged.returncode == 0, paged.stderr
    names = [line for line in paged.stdout.splitlines() if line.startswith("dn: ")]
    assert sorted(names) == sorted(entry.strip() for entry in whole if entry.strip())
    assert len(names) > 4
    assert paged.stdout.count("pagedresults: cookie=") == -(-len(names) // 2)


def test_an_order(community: Community, program: Program) -> None:
    """By last name, forwards and backwards, with and without pages; what has none is told."""
    asking = _as(community, program("ldapsearch"), "jane.smith@avon")
    for control, backwards in (("sss=sn/givenName", False), ("sss=-sn:2.5.13.3", True)):
        for paging in ([], ["-E", "pr=3/noprompt"]):
            found = _ask(community, *asking, "-E", f"!{control}", *paging, "(sn=*)", "sn")
            names = [line.partition(": ")[2].lower() for line in found.stdout.splitlines() if line.startswith("sn: ")]
            assert names == sorted(names, reverse=backwards)
            assert len(names) > 4
    refused = _ask(community, *asking, "-E", "!sss=jpegPhoto", "(sn=*)", "sn")
    assert refused.returncode == 12
    assert "sortResult: (16)" in refused.stdout


def test_a_view_of_a_list(community: Community, program: Program) -> None:
    """Three entries about the second, and where a value would be; the list's length comes along."""
    asking = _as(community, program("ldapsearch"), "jane.smith@avon")
    for target in ("vlv=1/1/2/0", "vlv=1/1:sm"):
        told = _first_view(community, *asking, "-E", "!sss=sn", "-E", f"!{target}", "(sn=*)", "sn")
        names = [line.partition(": ")[2].strip().lower() for line in told if line.startswith("sn: ")]
        assert names == sorted(names)
        assert len(names) == 3
        assert "(0) Success" in told[-1]
        if target.endswith("sm"):
            assert names[0] < "sm" <= names[1]


def _first_view(community: Community, *command: str) -> list[str]:
    """Return what is told until the view's result; ldapsearch then asks where to look next, for ever."""
    environment = {"LDAPTLS_CACERT": community.told["ca_file"], "PATH": os.environ["PATH"]}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        told: list[str] = []
        for line in process.stdout:
            told.append(line)
            if line.startswith("vlvResult"):
                break
        process.kill()
    return told


def test_an_assertion(community: Community, program: Program) -> None:
    """Of the base, by ldapsearch's general option; ldapcompare takes it too."""
    asking = _as(community, program("ldapsearch"), "jane.smith@avon")
    for label, code in (("cjsm", 0), ("other", 122)):
        found = _ask(community, *asking, "-e", f"!assert=(dc={label})", "(uid=jane.smith)", "cn")
        assert found.returncode == code, found.stderr


@pytest.fixture(scope="module")
def starttls(community: Community, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The door that begins in the clear, which is off unless it is asked for: in a process of its own, beside."""
    port = free_port()
    with beside(community, "cjsm-ldap", {"ldap": port}, tmp_path_factory.mktemp("starttls")):
        yield f"ldap://localhost:{port}"


def test_starttls(community: Community, program: Program, starttls: str) -> None:
    """With it all is as at the other port; without it no password is taken, and nobody is found."""
    account = community.person("jane.smith@avon")
    asking = [program("ldapsearch"), "-x", "-LLL", "-H", starttls, "-b", community.told["base_dn"]]
    signing_in = ["-D", account["user_id"], "-w", account["password"]]
    found = _ask(community, *asking, "-ZZ", *signing_in, "(uid=jane.smith)", "cn")
    assert "cn: Jane Smith" in found.stdout, found.stderr
    assert _ask(community, *asking, *signing_in, "(uid=jane.smith)", "cn").returncode == 13
    assert _ask(community, *asking, "(uid=jane.smith)", "cn").returncode == 13
    root = _ask(community, *asking, "-s", "base", "-b", "", "supportedExtension")
    assert "1.3.6.1.4.1.1466.20037" in root.stdout
    who = _ask(community, program("ldapwhoami"), "-x", "-ZZ", "-H", starttls, *signing_in)
    assert who.stdout.startswith("dn:uid=jane.smith,")
