"""Getting in at every door of a running service: who does, who does not, and in what words."""

import base64
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyotp
import pytest

from cjsm import configuration
from cjsm.command.context import wait
from cjsm.community import finding
from cjsm.community.records import Life, Profile
from cjsm.community.view import Change, View
from cjsm.suite import Suite
from cjsm.vault import device
from tests.command.mailboxes import beside
from tests.ldap import support as ldap
from tests.running import Community

pytestmark = pytest.mark.interop
Program = Callable[[str], str]

DOORS = {"smtp": "submissions", "pop3": "pop3s", "ldap": "ldaps"}
HOME, AWAY = "127.0.1.1", "127.0.2.1"
PASSWORD = "violet tractor lamp nineteen"
LET_IN = re.compile(r"235 |\+OK|0 ")


class Session:
    """One connection to a door, from an address of the tester's choice."""

    def __init__(self, community: Community, door: str, source: str) -> None:
        self._door = door
        plain = socket.create_connection(
            ("localhost", community.port(DOORS[door])), timeout=60, source_address=(source, 0)
        )
        self._socket: ssl.SSLSocket = community.tls().wrap_socket(plain, server_hostname="localhost")
        self._lines = self._socket.makefile("rb")
        if door != "ldap":
            self._lines.readline()

    def sign_in(self, name: str, secret: str) -> str:
        """Return the answer to signing in, in one line."""
        if self._door == "smtp":
            self._ask(b"EHLO tester")
            return self._ask(b"AUTH PLAIN " + base64.b64encode(f"\0{name}\0{secret}".encode()))
        if self._door == "pop3":
            self._ask(f"USER {name}".encode())
            return self._ask(f"PASS {secret}".encode())
        result = self.operate(ldap.bind(1, name, secret.encode()))
        return f"{result.code} {result.text}"

    def operate(self, request: bytes) -> Any:
        """Return the answer to an LDAP request."""
        self._socket.sendall(request)
        head = self._lines.read(2)
        more = self._lines.read(head[1] & 0x7F) if head[1] & 0x80 else b""
        length = int.from_bytes(more, "big") if more else head[1]
        (result,) = ldap.answers(head + more + self._lines.read(length))
        return result

    def _ask(self, line: bytes) -> str:
        self._socket.sendall(line + b"\r\n")
        reply = self._lines.readline()
        while self._door == "smtp" and reply[3:4] == b"-":
            reply = self._lines.readline()
        return reply.decode().strip()

    def ends(self) -> bool:
        """Whether the server ends the connection by itself."""
        try:
            while self._lines.read1():
                pass
        except (ssl.SSLError, ConnectionError):
            return True
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Go."""
        self._lines.close()
        self._socket.close()


def answer(community: Community, door: str, name: str, secret: str, source: str) -> str:
    """What a door says to a name and a password."""
    session = Session(community, door, source)
    try:
        return session.sign_in(name, secret)
    finally:
        session.close()


def add(suite: Suite, last: str, *, password: bool = True) -> dict[str, str]:
    """Somebody with a device password and, as a rule, a password."""
    enrolment = suite.enrolment
    where = suite.stores.community.read_now(lambda view: finding.organisation_of(view, "avon-police/crime").id)
    profile = Profile(first_name="Wire", last_name=last)
    made = wait(enrolment.add_hosted(enrolment.by(), where, f"wire.{last.lower()}@avon", profile, 1 << 20))
    account, once = made.account.id, made.one_time_password
    device = wait(enrolment.add_device(enrolment.by(), account, once.encode(), name="laptop", protocols=tuple(DOORS)))
    if password:
        wait(enrolment.set_password(enrolment.by(account), account, once.encode(), PASSWORD.encode()))
    return {"user_id": made.account.user_id, "once": once, "device_password": device.secret}


def keep_out(suite: Suite, user_id: str, why: str) -> list[bytes]:
    """Lock or suspend somebody, or turn a second factor on; return what must not lie on the disk in clear."""
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, user_id).id)
    by = suite.by(account)
    if why == "factor":
        made = wait(suite.factors.prepare(by, account, PASSWORD.encode()))
        one = pyotp.parse_uri(made.address)
        assert isinstance(one, pyotp.TOTP)
        by = suite.by(account)
        codes = wait(suite.factors.confirm(by, account, PASSWORD.encode(), one.now().encode()))
        parsed = [device.parse(code.encode()) for code in codes]
        return [base64.b32decode(one.secret), one.secret.encode(), *(code.octets for code in parsed if code)]
    changes = {"locked": {"locked": True}, "suspended": {"life": Life.SUSPENDED}}[why]

    def decide(view: View) -> Change:
        found = finding.account_of(view, user_id)
        return Change(put=(msgspec.structs.replace(found, version=found.version + 1, **changes),))

    wait(suite.stores.community.commit(by.act_id, decide))
    return []


@pytest.fixture(scope="module")
def people(community: Community) -> dict[str, dict[str, str]]:
    """Whom others guess at, who begins, and everybody who is kept out with the right password."""
    with beside(Path(community.config)) as suite:
        made = {why: add(suite, why.title()) for why in ("victim", "locked", "suspended", "factor")}
        for why in ("locked", "suspended", "factor"):
            made[why]["hidden"] = " ".join(each.hex() for each in keep_out(suite, made[why]["user_id"], why))
        return made | {"newcomer": add(suite, "Newcomer", password=False)}


@pytest.fixture(scope="module")
def victim(people: dict[str, dict[str, str]]) -> dict[str, str]:
    """Whom others guess at."""
    return people["victim"]


@pytest.mark.parametrize("door", DOORS)
def test_every_refusal_has_the_same_words(community: Community, people: dict[str, dict[str, str]], door: str) -> None:
    """Unknown, wrong, locked, suspended, and an own password where the second factor is on."""
    source = f"127.0.{30 + list(DOORS).index(door)}.1"
    names = {why: people[why]["user_id"] for why in ("locked", "suspended", "factor")} | {"unknown": "no.body@avon"}
    answers = {why: answer(community, door, name, PASSWORD, source) for why, name in names.items()}
    user_id = people["victim"]["user_id"]
    answers["wrong"] = answer(community, door, user_id, "not the password", source)
    assert len(set(answers.values())) == 1, answers
    assert not LET_IN.match(answers["wrong"])
    assert LET_IN.match(answer(community, door, user_id, PASSWORD, source))


def test_the_lockout_attack_fails(community: Community, victim: dict[str, str]) -> None:
    """While a stranger guesses from everywhere the owner signs in from home, and with a device from anywhere. After ten
    guesses not even the right one helps the stranger, and unlocking lets the owner in from everywhere.
    """
    user_id = victim["user_id"]
    assert LET_IN.match(answer(community, "pop3", user_id, PASSWORD, HOME))
    refused = set()
    for number in range(11):
        door = list(DOORS)[number % 3]
        reply = answer(community, door, user_id, f"guess {number}", f"127.9.{number}.1")
        refused.add(f"{door} {reply}")
        if number % 5 == 0:
            assert LET_IN.match(answer(community, "pop3", user_id, PASSWORD, HOME))
    assert len(refused) == 3
    shown = community.document("user", "show", user_id)
    assert shown["status"] == "Locked"
    assert f"{shown['name_in_logs']} is guarded" in community.log()
    for door in DOORS:
        assert f"{door} {answer(community, door, user_id, PASSWORD, AWAY)}" in refused
        assert LET_IN.match(answer(community, door, user_id, PASSWORD, HOME))
        assert LET_IN.match(answer(community, door, user_id, victim["device_password"], "127.9.100.1"))
    community.document("user", "unlock", user_id)
    assert community.document("user", "show", user_id)["status"] == "Active"
    assert LET_IN.match(answer(community, "smtp", user_id, PASSWORD, "127.9.200.1"))


def test_revoking_ends_sessions(community: Community, victim: dict[str, str]) -> None:
    """A device password that is taken away ends its sessions at every door within the time that is set, five seconds,
    though they say nothing; those of another go on.
    """
    user_id = victim["user_id"]
    other = community.document("device", "add", user_id, "telephone", "--password-stdin", typed=f"{PASSWORD}\n")[
        "device_password"
    ]
    assert configuration.load(Path(community.config)).access.revalidate <= 5
    sessions = {door: Session(community, door, HOME) for door in DOORS}
    for session in sessions.values():
        assert LET_IN.match(session.sign_in(user_id, other))
    kept = Session(community, "smtp", HOME)
    assert LET_IN.match(kept.sign_in(user_id, victim["device_password"]))
    assert {each["name"] for each in community.document("device", "list", user_id)} == {"laptop", "telephone"}
    community.document("device", "revoke", user_id, "telephone")
    for door, session in sessions.items():
        assert session.ends(), door
        session.close()
        assert not LET_IN.match(answer(community, door, user_id, other, HOME))
    assert kept._ask(b"NOOP").startswith("250 ")
    kept.close()


def test_one_protocol(community: Community, victim: dict[str, str]) -> None:
    """A device password opens the doors that it is for and no other, until it ends; its last use is shown."""
    user_id = victim["user_id"]
    made = community.document(
        "device", "add", user_id, "sender", "--protocol", "smtp", "--days", "1", "--password-stdin",
        typed=f"{PASSWORD}\n",
    )  # fmt: skip
    let_in = {
        door: bool(LET_IN.match(answer(community, door, user_id, made["device_password"], AWAY))) for door in DOORS
    }
    assert let_in == {"smtp": True, "pop3": False, "ldap": False}
    ends = time.monotonic() + 30
    while True:
        (sender,) = [each for each in community.document("device", "list", user_id) if each["name"] == "sender"]
        if sender["last_used"] or time.monotonic() > ends:
            break
    assert sender["last_used"]
    assert sender["ends"] > sender["made"]


def _ldappasswd(community: Community, ldappasswd: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [ldappasswd, "-x", "-H", f"ldaps://localhost:{community.port('ldaps')}", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={"LDAPTLS_CACERT": community.told["ca_file"], "PATH": "/usr/bin:/bin"},
    )


def test_ldappasswd(community: Community, program: Program, people: dict[str, dict[str, str]]) -> None:
    """OpenLDAP's own program: the one-time password chooses a password, once; then the old one does, signed in or not.

    Until then the one-time password opens no door, and says what it is for.
    """
    ldappasswd = program("ldappasswd")
    made = people["newcomer"]
    user_id, once = made["user_id"], made["once"]
    for door in DOORS:
        assert "choose your own password first" in answer(community, door, user_id, once, HOME)
    bad = _ldappasswd(community, ldappasswd, "-a", once, "-s", "password1234", user_id)
    assert bad.returncode != 0
    assert "Constraint violation (19)" in bad.stdout + bad.stderr
    assert "three random words" in bad.stdout + bad.stderr
    done = _ldappasswd(community, ldappasswd, "-a", once, "-s", PASSWORD, user_id)
    assert done.returncode == 0, done.stdout + done.stderr
    again = _ldappasswd(community, ldappasswd, "-a", once, "-s", f"{PASSWORD} again", user_id)
    assert "Invalid credentials (49)" in again.stdout + again.stderr
    signed_in = ("-D", user_id, "-w", PASSWORD, "-a", PASSWORD, "-s", f"{PASSWORD} again")
    done = _ldappasswd(community, ldappasswd, *signed_in)
    assert done.returncode == 0, done.stdout + done.stderr
    for door in DOORS:
        assert not LET_IN.match(answer(community, door, user_id, PASSWORD, HOME))
        assert LET_IN.match(answer(community, door, user_id, f"{PASSWORD} again", HOME))
        assert LET_IN.match(answer(community, door, user_id, made["device_password"], HOME))
    without = _ldappasswd(community, ldappasswd, "-D", user_id, "-w", f"{PASSWORD} again", "-s", PASSWORD)
    assert "Server is unwilling to perform (53)" in without.stdout + without.stderr


def test_what_is_kept_shows_no_secret(community: Community, people: dict[str, dict[str, str]]) -> None:
    """Passwords, what makes codes, recovery codes and names are not in the log or, in clear, on the disk."""
    victim = people["victim"]
    hidden = [bytes.fromhex(each) for each in people["factor"]["hidden"].split()]
    assert len(hidden) == 12
    log = community.log()
    for secret in (PASSWORD, victim["device_password"], victim["user_id"]):
        assert secret not in log
    for path in community.data.rglob("*.mdb"):
        octets = path.read_bytes()
        assert PASSWORD.encode() not in octets, path
        assert victim["device_password"].encode() not in octets, path
        assert not any(each in octets for each in hidden), path
