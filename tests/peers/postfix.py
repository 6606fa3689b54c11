"""A real Postfix as an organisation's mail server: takes mail for its domain, sends the rest to a relay host.

It listens twice on loopback: where others deliver, with STARTTLS required and client certificates if asked for; and
in the clear, where its own people hand in mail.
"""

import os
import pwd
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.peers.certificates import Identity
from tests.peers.processes import free_port, open_directory, running, wait_until

#: What must be installed.
PROGRAMS = ("postfix",)
_DAEMONS = "/usr/lib/postfix/sbin"
_OWNER = "postfix"
_READER = "nobody"


@dataclass(frozen=True)
class RelayHost:
    """Where mail for other domains goes: over TLS or not at all.

    :ivar level: Postfix's security level, ``verify`` for a verified name of *host*, ``encrypt`` for any certificate.
    """

    host: str
    port: int
    level: str = "verify"


@dataclass(frozen=True)
class Postfix:
    """A Postfix that runs.

    :ivar port: where others deliver.
    :ivar plain_port: where its own people hand in mail.
    :ivar process: of its master.
    """

    home: Path
    port: int
    plain_port: int
    process: int = field(default=0, compare=False)

    @property
    def maildir(self) -> Path:
        """Where all mail for its domains arrives, in ``new``."""
        return self.home / "mail" / "all"

    def messages(self, at_least: int = 0, seconds: float = 30.0) -> list[bytes]:
        """Return what arrived, oldest first, as soon as there are so many messages; lines end in LF."""
        wait_until(lambda: len(self._arrived()) >= at_least, self.log, seconds)
        return [path.read_bytes() for path in self._arrived()]

    def log(self) -> str:
        """Return what it has logged."""
        path = self.home / "postfix.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_for_log(self, words: str, seconds: float = 30.0) -> None:
        """Wait until *words* stand in the log."""
        wait_until(lambda: words in self.log(), self.log, seconds)

    def flush(self) -> None:
        """Try everything that is queued again now."""
        self._command("postqueue", "-f")

    def queue(self) -> str:
        """Return what is queued, as ``postqueue -p`` prints it."""
        return self._command("postqueue", "-p")

    def _command(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [f"/usr/sbin/{program}", "-c", str(self.home / "etc"), *arguments],
            capture_output=True,
            text=True,
            timeout=30,
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout

    def _arrived(self) -> list[Path]:
        new = self.maildir / "new"
        if not new.is_dir():
            return []
        # Names of one second are in no order.
        return sorted((new / name for name in os.listdir(new)), key=lambda path: path.stat().st_mtime_ns)


@contextmanager
def postfix(
    *,
    host: str,
    domains: Sequence[str],
    identity: Identity,
    authority: Path,
    ask_clients: bool = True,
    trusted: Sequence[Identity] = (),
    relay_host: RelayHost | None = None,
    client: Identity | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Postfix]:
    """Run a Postfix until the block ends.

    :param host: its name in greetings.
    :param domains: whose mail it takes; every local part exists but those that begin with ``nobody``.
    :param identity: the certificate it shows to clients.
    :param authority: whose certificates it trusts, of clients and of the relay host.
    :param ask_clients: clients must show a certificate of that authority.
    :param trusted: the only client certificates it takes, by fingerprint; any of the authority's when empty.
    :param relay_host: where the rest goes; without one, nowhere.
    :param client: the certificate it shows to the relay host.
    :param settings: further settings for ``main.cf``.
    """
    with open_directory() as home:
        peer = Postfix(home, free_port(), free_port())
        told = _settings(peer, host, domains, identity, authority, ask_clients)
        told |= _client_settings(relay_host, client, authority)
        if trusted:
            (home / "fingerprints").write_text("".join(f"{_colons(each.fingerprint)} ok\n" for each in trusted))
            told["relay_clientcerts"] = f"texthash:{home}/fingerprints"
        _prepare(peer, told | dict(settings or {}), bool(trusted))
        command = [f"{_DAEMONS}/master", "-c", str(home / "etc"), "-d"]
        with running(command, log=home / "master.out", ports=(peer.port, peer.plain_port)) as process:
            yield Postfix(home, peer.port, peer.plain_port, process)


def _settings(
    peer: Postfix, host: str, domains: Sequence[str], identity: Identity, authority: Path, ask_clients: bool
) -> dict[str, str]:
    home, reader = peer.home, pwd.getpwnam(_READER)
    return {
        "compatibility_level": "3.6",
        "queue_directory": f"{home}/spool",
        "data_directory": f"{home}/data",
        "command_directory": "/usr/sbin",
        "daemon_directory": _DAEMONS,
        "mail_owner": _OWNER,
        "setgid_group": "postdrop",
        "maillog_file": f"{home}/postfix.log",
        "maillog_file_prefixes": "/",
        "myhostname": host,
        "mydestination": "",
        "inet_interfaces": "loopback-only",
        "inet_protocols": "ipv4",
        "mynetworks": "127.0.0.0/8",
        "alias_maps": "",
        "local_recipient_maps": "",
        "virtual_mailbox_domains": ", ".join(domains),
        "virtual_mailbox_base": f"{home}/mail",
        "virtual_mailbox_maps": "static:all/",
        "virtual_uid_maps": f"static:{reader.pw_uid}",
        "virtual_gid_maps": f"static:{reader.pw_gid}",
        "message_size_limit": "26214400",
        "mailbox_size_limit": "0",
        "smtpd_error_sleep_time": "0",
        "smtpd_client_connection_count_limit": "0",
        "smtpd_recipient_restrictions": f"check_recipient_access regexp:{home}/refused, permit",
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
        "smtpd_tls_chain_files": f"{identity.key}, {identity.certificate}",
        "smtpd_tls_CAfile": str(authority),
        "smtpd_tls_req_ccert": "yes" if ask_clients else "no",
        "smtpd_tls_ask_ccert": "yes" if ask_clients else "no",
        "smtpd_tls_received_header": "yes",
        "smtpd_tls_fingerprint_digest": "sha256",
        "smtpd_tls_mandatory_protocols": ">=TLSv1.2",
        "smtpd_tls_loglevel": "1",
        "smtp_tls_loglevel": "1",
        "smtp_host_lookup": "native",
        "disable_dns_lookups": "yes",
        "minimal_backoff_time": "2s",
        "maximal_backoff_time": "5s",
        "queue_run_delay": "2s",
    }


def _client_settings(relay_host: RelayHost | None, client: Identity | None, authority: Path) -> dict[str, str]:
    if relay_host is None:
        return {"default_transport": "error:no relay host"}
    told = {
        "relayhost": f"[{relay_host.host}]:{relay_host.port}",
        "smtp_tls_security_level": relay_host.level,
        "smtp_tls_verify_cert_match": "nexthop",
        "smtp_tls_CAfile": str(authority),
        "smtp_tls_mandatory_protocols": ">=TLSv1.2",
    }
    if client is not None:
        told["smtp_tls_chain_files"] = f"{client.key}, {client.certificate}"
    return told


def _prepare(peer: Postfix, told: Mapping[str, str], by_fingerprint: bool) -> None:
    home = peer.home
    for folder in ("etc", "spool", "data", "mail"):
        (home / folder).mkdir()
    (home / "refused").write_text("/^nobody/ 550 5.1.1 no such mailbox\n")
    restrictions = "permit_tls_clientcerts,reject" if by_fingerprint else ""
    (home / "etc" / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in told.items()))
    (home / "etc" / "master.cf").write_text(_MASTER.format(tls=peer.port, plain=peer.plain_port, clients=restrictions))
    owner, reader = pwd.getpwnam(_OWNER), pwd.getpwnam(_READER)
    os.chown(home / "data", owner.pw_uid, owner.pw_gid)
    os.chown(home / "mail", reader.pw_uid, reader.pw_gid)
    done = subprocess.run(
        ["/usr/sbin/postfix", "-c", str(home / "etc"), "check"], capture_output=True, text=True, timeout=60
    )
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr + peer.log())


def _colons(fingerprint: str) -> str:
    """Return a fingerprint as Postfix writes it."""
    pairs = (fingerprint[place : place + 2] for place in range(0, len(fingerprint), 2))
    return ":".join(pairs).upper()


_MASTER = """\
# service type private unpriv chroot wakeup maxproc command
127.0.0.1:{tls} inet n - n - - smtpd
    -o smtpd_tls_security_level=encrypt
    -o smtpd_relay_restrictions=reject_unauth_destination
    -o smtpd_client_restrictions={clients}
127.0.0.1:{plain} inet n - n - - smtpd
    -o smtpd_tls_security_level=none
    -o smtpd_recipient_restrictions=permit
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
showq unix n - n - - showq
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
smtp unix - - n - - smtp
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
