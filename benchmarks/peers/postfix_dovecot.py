"""Postfix, LMTP and Dovecot with mail_crypt, for the same people with the same passwords and certificate."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load import Person, Target
from benchmarks.peers import sink
from benchmarks.processes import free_ports, running

#: What must be there, and how to get it.
PROGRAMS = ("postfix", "dovecot", "doveadm")
INSTALL = "as root: apt-get install postfix dovecot-lmtpd dovecot-pop3d"
_HERE = Path(__file__).parent
_USER = "postfix"


def missing() -> str:
    """Return what to do before this peer can run; empty when nothing."""
    if os.geteuid() != 0:
        return "Postfix wants to be started by root"
    lacking = [program for program in PROGRAMS if shutil.which(program, path="/usr/bin:/usr/sbin") is None]
    return f"{', '.join(lacking)} missing; {INSTALL}" if lacking else ""


@contextmanager
def service(home: Path, like: Target, milter: str = "") -> Iterator[tuple[Target, tuple[int, ...]]]:
    """Run the peer in *home* with the people of *like*; yield the target and the process ids of both masters.

    :param milter: what Postfix lets look at each message.
    """
    submissions, pop3s = free_ports(2)
    _prepare(home, like, submissions, pop3s, milter)
    target = Target(
        name="Postfix, Dovecot",
        authority=like.authority,
        submissions=submissions,
        pop3s=pop3s,
        # Dovecot's user is the name that LMTP gives: the address.
        people=tuple(Person(person.address, person.address, _word(person)) for person in like.people),
    )
    dovecot = ["/usr/sbin/dovecot", "-F", "-c", str(home / "dovecot.conf")]
    with running(dovecot, log=home / "dovecot.out", ports=(pop3s,)) as first:
        for person in like.people:
            _make_key(home, person)
        with _postfix(home, submissions) as second:
            yield target, (first, second)


@contextmanager
def _postfix(home: Path, submissions: int) -> Iterator[int]:
    command = ["/usr/lib/postfix/sbin/master", "-c", str(home / "postfix"), "-d"]
    with running(command, log=home / "postfix.out", ports=(submissions,)) as process:
        yield process


def _prepare(home: Path, like: Target, submissions: int, pop3s: int, milter: str) -> None:
    tls = Path(like.authority).parent
    values = {
        "home": str(home),
        "certificate": str(tls / "server.pem"),
        "key": str(tls / "server.key"),
        "lmtp": str(home / "lmtp"),
        "auth": str(home / "auth"),
        "authority": like.authority,
        "sink": sink.NAME,
        "milter": milter,
        "port": str(submissions),
        "pop3s": str(pop3s),
        "user": _USER,
    }
    for folder in ("postfix", "spool", "data", "run", "mail", "home"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    for name, place in (("main.cf", "postfix"), ("master.cf", "postfix"), ("dovecot.conf", ".")):
        text = (_HERE / name).read_text()
        for key, value in values.items():
            text = text.replace(f"@{key}@", value)
        (home / place / name).write_text(text)
    hops = ((sink.domain(each), f"smtp:[{sink.host(each)}]:{sink.PORT}") for each in range(sink.DESTINATIONS))
    (home / "transport").write_text("".join(f"{domain} {hop}\n" for domain, hop in hops))
    (home / "recipients").write_text("".join(f"{person.address} 1\n" for person in like.people))
    (home / "passwd").write_text("".join(_line(person) for person in like.people))
    owner = pwd.getpwnam(_USER)
    for folder in ("data", "mail", "home"):
        os.chown(home / folder, owner.pw_uid, owner.pw_gid)
    subprocess.run(
        ["/usr/sbin/postfix", "-c", str(home / "postfix"), "check"], check=True, capture_output=True, timeout=60
    )


def _line(person: Person) -> str:
    """Return a line of the password file: plain, so that a sign-in costs this side no password hash."""
    return f"{person.address}:{{PLAIN}}{_word(person)}::::::userdb_mail_crypt_private_password={_word(person)}\n"


def _word(person: Person) -> str:
    """Return the password of a person's key: without spaces, which end a field."""
    return person.password.replace(" ", "_")


def _make_key(home: Path, person: Person) -> None:
    done = subprocess.run(
        [
            "/usr/bin/doveadm",
            "-c",
            str(home / "dovecot.conf"),
            "-o",
            f"plugin/mail_crypt_private_password={_word(person)}",
            "mailbox",
            "cryptokey",
            "generate",
            "-u",
            person.address,
            "-U",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode != 0 and "already" not in done.stdout + done.stderr:
        raise RuntimeError(f"no key for {person.address}: {done.stdout}{done.stderr}")
