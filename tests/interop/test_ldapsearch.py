"""ldapsearch with every control that it knows."""

import re
import subprocess
from collections.abc import Callable

import pytest

from tests.running import Community

pytestmark = pytest.mark.interop
Program = Callable[[str], str]

_NAMES = re.compile(r"^dn: (.*)$", re.MULTILINE)


class Ldapsearch:
    """The program, signed in as somebody."""

    def __init__(self, program: str, community: Community, user_id: str = "jane.smith@avon") -> None:
        self._program = program
        self._community = community
        self._account = community.person(user_id)

    def ask(self, *asked: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
        """Ask, and wait for the end.

        :param typed: what is typed when it asks for the next window of a virtual list.
        """
        url = f"ldaps://localhost:{self._community.port('ldaps')}"
        who = ("-D", self._account["user_id"], "-w", self._account["device_password"])
        return subprocess.run(
            [self._program, "-L", "-x", "-o", "ldif-wrap=no", "-H", url, *who, *self._base(asked), *asked],
            input=typed,
            capture_output=True,
            text=True,
            timeout=30,
            env={"LDAPTLS_CACERT": self._community.told["ca_file"], "PATH": "/usr/bin:/bin"},
        )

    def _base(self, asked: tuple[str, ...]) -> tuple[str, ...]:
        return () if "-b" in asked else ("-b", self._community.told["base_dn"])


@pytest.fixture
def ldapsearch(community: Community, program: Program) -> Ldapsearch:
    return Ldapsearch(program("ldapsearch"), community)


def names(done: "subprocess.CompletedProcess[str]") -> list[str]:
    """The entries of an answer."""
    assert done.returncode == 0, done.stdout + done.stderr
    return _NAMES.findall(done.stdout)


PEOPLE = "(&(objectClass=inetOrgPerson)(sn=*))"


def test_paged(ldapsearch: Ldapsearch) -> None:
    """Three at a time are all of them, each once, whether it must be so or may."""
    everybody = names(ldapsearch.ask(PEOPLE, "1.1"))
    assert len(everybody) > 10
    for control, size in (
        ("pr=3/noprompt", 3),
        ("!pr=3/noprompt", 3),
        ("pr=1/noprompt", 1),
        ("pr=1000/noprompt", 1000),
    ):
        done = ldapsearch.ask("-E", control, PEOPLE, "1.1")
        assert names(done) == everybody
        assert done.stdout.count("pagedresults: cookie=") == -(-len(everybody) // size)


def _last_names(done: "subprocess.CompletedProcess[str]") -> list[str]:
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"^sn: (.*)$", done.stdout, re.MULTILINE)


def test_sorted(ldapsearch: Ldapsearch) -> None:
    """By last name, backwards, by two keys, by a rule; in pages too."""
    unsorted = _last_names(ldapsearch.ask(PEOPLE, "sn"))
    expected = sorted(unsorted, key=str.lower)
    assert unsorted != expected
    done = ldapsearch.ask("-E", "!sss=sn", PEOPLE, "sn")
    assert _last_names(done) == expected
    assert "# sortResult: (0) Success" in done.stdout
    assert _last_names(ldapsearch.ask("-E", "!sss=-sn", PEOPLE, "sn")) == expected[::-1]
    assert _last_names(ldapsearch.ask("-E", "!sss=sn/-givenName", PEOPLE, "sn")) == expected
    assert _last_names(ldapsearch.ask("-E", "!sss=sn:2.5.13.3", PEOPLE, "sn")) == expected
    paged = ldapsearch.ask("-E", "!sss=sn", "-E", "!pr=4/noprompt", PEOPLE, "sn")
    assert _last_names(paged) == expected


def test_what_cannot_be_sorted(ldapsearch: Ldapsearch) -> None:
    """Fails where it must be, and is left unsorted where it may."""
    for attribute in ("noSuchAttribute", "jpegPhoto"):
        refused = ldapsearch.ask("-E", f"!sss={attribute}", PEOPLE, "sn")
        assert refused.returncode == 12
        assert "sortResult: (16)" in refused.stdout
    done = ldapsearch.ask("-E", "sss=noSuchAttribute", PEOPLE, "sn")
    assert len(_last_names(done)) > 10
    assert "# sortResult: (16) No such attribute" in done.stdout


#: It ends when the next window that it is asked for is none.
_ENOUGH = "enough\n"
_WHERE = re.compile(r"^# vlvResult\s*pos=(\d+) count=(\d+) .*Success$", re.MULTILINE)


def test_windows(ldapsearch: Ldapsearch) -> None:
    """A virtual list: by place, by value, at both ends; it says where it is and how long the list is."""
    expected = _last_names(ldapsearch.ask("-E", "!sss=sn", PEOPLE, "sn"))
    count = len(expected)

    def window(asked: str, typed: str = "") -> tuple[list[str], list[tuple[str, str]]]:
        said = ldapsearch.ask("-E", "!sss=sn", "-E", f"!vlv={asked}", PEOPLE, "sn", typed=typed + _ENOUGH).stdout
        return re.findall(r"^sn: (.*)$", said, re.MULTILINE), _WHERE.findall(said)

    assert window("1/2/4/0") == (expected[2:6], [("4", str(count))])
    assert window("0/2/1/0") == (expected[:3], [("1", str(count))])
    assert window(f"2/5/{count}/{count}") == (expected[-3:], [(str(count), str(count))])
    first = next(place for place, name in enumerate(expected) if name.lower() >= "smi")
    assert window("0/1:smi") == (expected[first : first + 2], [(str(first + 1), str(count))])
    scrolled, places = window("0/0/1/0", typed=f"0/1/3/{count}\n")
    assert scrolled == [expected[0], *expected[2:4]]
    assert [place for place, _ in places] == ["1", "3"]


def test_asserted(ldapsearch: Ldapsearch) -> None:
    """The search is done where the base entry is as the client believes (RFC 4528), else fails with 122."""
    assert names(ldapsearch.ask("-e", "!assert=(objectClass=domain)", "(sn=Harding)", "1.1"))
    assert names(ldapsearch.ask("-e", "assert=(dc=cjsm)", "(sn=Harding)", "1.1"))
    for control in ("!assert=(objectClass=person)", "assert=(dc=other)", "!assert=(noSuchAttribute=1)"):
        assert ldapsearch.ask("-e", control, "(sn=Harding)", "1.1").returncode == 122


@pytest.mark.parametrize("control", [("-e", "manageDSAit"), ("-e", "!manageDSAit"), ("-M",), ("-MM",)], ids=" ".join)
def test_managed(ldapsearch: Ldapsearch, control: tuple[str, ...]) -> None:
    """There are no referrals: it changes nothing."""
    assert len(names(ldapsearch.ask(*control, "(sn=Harding)", "1.1"))) == 1


#: What this directory has not: where it must be, the answer is 12; where it may, it is as if it were not asked for.
OTHERS = (
    *("-E domainScope", "-E subentries=true", "-E sync=ro", "-E accountUsability", "-E mv=(sn=Harding)"),
    *("-E deref=manager:cn", "-E extendedDn=0", "-E showDeleted", "-E serverNotif", "-E 1.2.3.4=:value"),
    *("-e chaining", "-e noop", "-e relax", "-e sessiontracking=jane", "-e postread=cn", "-e preread=cn"),
    *("-e authzid=u:jane.smith@avon",),
)


@pytest.mark.parametrize("control", OTHERS)
def test_not_offered(ldapsearch: Ldapsearch, control: str) -> None:
    """Critical or not: never an answer that is something else."""
    option, value = control.split(" ", 1)
    # The program itself wants the one always, the other never to be critical.
    if "authzid" not in value:
        assert len(names(ldapsearch.ask(option, value, "(sn=Harding)", "1.1"))) == 1
    if "sessiontracking" in value:
        return
    assert ldapsearch.ask(option, f"!{value}", "(sn=Harding)", "1.1").returncode == 12


def test_limits(ldapsearch: Ldapsearch) -> None:
    """The client's own: some entries, and code 4."""
    done = ldapsearch.ask("-z", "2", PEOPLE, "1.1")
    assert done.returncode == 4
    assert len(_NAMES.findall(done.stdout)) == 2
    assert names(ldapsearch.ask("-l", "5", "(sn=Harding)", "1.1"))


@pytest.mark.parametrize("scope", ["base", "one", "sub"])
def test_scopes(ldapsearch: Ldapsearch, scope: str) -> None:
    """What is the entry itself, below it, both."""
    base = "o=avon-police,dc=cjsm,dc=test"
    done = ldapsearch.ask("-s", scope, "-b", base, "(objectClass=*)", "1.1")
    found = names(done)
    assert (base in found) is (scope in ("base", "sub"))
    assert any(name.endswith(f",ou=crime,{base}") for name in found) is (scope == "sub")
    # RFC 4511 knows three scopes.
    assert ldapsearch.ask("-s", "children", "-b", base, "1.1").returncode == 2


def test_types_only(ldapsearch: Ldapsearch) -> None:
    """Names of attributes without values."""
    done = ldapsearch.ask("-A", "(sn=Harding)", "mail")
    assert names(done)
    assert "mail:\n" in done.stdout
