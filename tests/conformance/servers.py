"""POP3 servers of Debian, each in a root of its own, on loopback: for holding them against the standards side by side.

Their packages exclude one another, so each is installed into a directory with debootstrap, and runs in namespaces of
its own that end with it. Settings are those of the packages but for what a comparison needs: addresses, a certificate,
TLS before passwords, one user, and no pauses and limits that slow the suite down.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.peers.certificates import Identity
from tests.peers.processes import free_port, running

USER = "conformance"
PASSWORD = "correct horse"
_MIRROR = "http://deb.debian.org/debian"
_RELEASE = "bookworm"


class DebianServer:
    """One server.

    :cvar name: as people call it.
    :cvar packages: what is installed, the one whose version is told first.
    :cvar host: what the suite calls.
    :ivar starttls: the port that begins in the clear; ``implicit`` the other.
    """

    name: str
    packages: tuple[str, ...]
    host = "127.0.0.1"

    def __init__(self, roots: Path) -> None:
        self.root = roots / self.packages[0]
        self._roots = roots
        self.starttls = free_port()
        self.implicit = free_port()

    # What each of them says.

    def configure(self) -> None:
        """Write its settings; certificate and key lie in ``/etc/peer`` of its root."""
        raise NotImplementedError

    def start(self) -> str:
        """Return the shell commands that start it, the last of which stays."""
        raise NotImplementedError

    def delivery(self) -> Sequence[str]:
        """Return the options by which the suite puts messages into the mailbox."""
        return ("--maildir", str(self.root / "srv/Maildir"))

    # What is the same for all.

    def install(self) -> None:
        """Install it, unless it is there."""
        if (self.root / "etc/peer").is_dir():
            return
        base = self._roots / "base"
        self._roots.mkdir(parents=True, exist_ok=True)
        if not (base / "usr/sbin/policy-rc.d").exists():
            shutil.rmtree(base, ignore_errors=True)
            _run("debootstrap", "--variant=minbase", _RELEASE, str(base), _MIRROR)
            sources = base / "etc/apt/sources.list"
            security = f"deb {_MIRROR}-security {_RELEASE}-security main\n"
            sources.write_text(f"deb {_MIRROR} {_RELEASE} main\ndeb {_MIRROR} {_RELEASE}-updates main\n{security}")
            (base / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
            (base / "usr/sbin/policy-rc.d").chmod(0o755)
        shutil.rmtree(self.root, ignore_errors=True)
        _run("cp", "-a", str(base), str(self.root))
        self.inside("apt-get", "update", "-qq")
        self.inside("apt-get", "install", "-y", "-qq", "--no-install-recommends", *self.packages)
        (self.root / "etc/peer").mkdir()

    def version(self) -> str:
        """Return the version of its package."""
        return self.inside("dpkg-query", "-W", "-f", "${Version}", self.packages[0])

    def inside(self, *command: str, typed: str = "") -> str:
        """Run *command* in its root."""
        return _run("chroot", str(self.root), "env", "DEBIAN_FRONTEND=noninteractive", *command, typed=typed)

    def write(self, path: str, text: str, *, more: bool = False) -> None:
        """Write a file in its root, or *more* of it."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if more:
            original = file.with_name(f"{file.name}.original")
            if not original.exists():
                shutil.copy2(file, original)
            text = original.read_text() + text
        file.write_text(text)

    @contextmanager
    def running(self, identity: Identity) -> Iterator[None]:
        """Run it."""
        peer = self.root / "etc/peer"
        shutil.copy(identity.certificate, peer / "certificate.pem")
        shutil.copy(identity.key, peer / "key.pem")
        (peer / "both.pem").write_bytes(identity.key.read_bytes() + identity.certificate.read_bytes())
        for file in peer.iterdir():
            file.chmod(0o644)
        maildir = self.root / "srv/Maildir"
        shutil.rmtree(maildir, ignore_errors=True)
        for part in ("cur", "new", "tmp"):
            (maildir / part).mkdir(parents=True)
        for path in (self.root / "srv", maildir, *maildir.iterdir()):
            os.chown(path, 8, 8)
        self.configure()
        (self.root / "start").write_text(f"set -e\n{self.start()}\n")
        # The shell stays as the first process of its namespace: with it all that was started ends.
        script = f"mount -t proc proc {self.root}/proc && chroot {self.root} sh /start; exit"
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script]
        with running(command, log=self.root / "log", ports=(self.starttls, self.implicit)):
            time.sleep(1)
            yield


class Dovecot(DebianServer):
    """Dovecot with a Maildir."""

    name = "Dovecot"
    packages = ("dovecot-pop3d",)
    # It takes a client that comes from its own address for one inside TLS; this is another than the client's.
    host = "127.0.0.2"

    def configure(self) -> None:
        """See :class:`DebianServer`."""
        self.write("etc/peer/users", f"{USER}:{{PLAIN}}{PASSWORD}\n")
        self.write(
            "etc/peer/dovecot.conf",
            f"""
protocols = pop3
listen = 127.0.0.1, 127.0.0.2
log_path = /var/log/dovecot.log
ssl = required
ssl_cert = </etc/peer/certificate.pem
ssl_key = </etc/peer/key.pem
mail_location = maildir:/srv/Maildir
first_valid_uid = 1
auth_failure_delay = 0
mail_max_userip_connections = 100
passdb {{
  driver = passwd-file
  args = /etc/peer/users
}}
userdb {{
  driver = static
  args = uid=8 gid=8 home=/srv
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.starttls}
  }}
  inet_listener pop3s {{
    port = {self.implicit}
    ssl = yes
  }}
}}
""",
        )

    def start(self) -> str:
        """See :class:`DebianServer`."""
        return "rm -rf /run/dovecot; exec dovecot -F -c /etc/peer/dovecot.conf"


class Courier(DebianServer):
    """Courier with a Maildir."""

    name = "Courier"
    packages = ("courier-pop", "courier-authlib-userdb")

    def configure(self) -> None:
        """See :class:`DebianServer`."""
        crypted = _run("openssl", "passwd", "-1", PASSWORD).strip()
        self.write("etc/courier/userdb", f"{USER}\thome=/srv|mail=/srv/Maildir|uid=8|gid=8|systempw={crypted}\n")
        (self.root / "etc/courier/userdb").chmod(0o600)
        self.write("etc/courier/authdaemonrc", '\nauthmodulelist="authuserdb"\n', more=True)
        own = f'\nADDRESS=127.0.0.1\nPORT={self.starttls}\nMAXPERIP=100\nPOP3AUTH_TLS="PLAIN LOGIN"\n'
        self.write("etc/courier/pop3d", own, more=True)
        tls = f"\nSSLADDRESS=127.0.0.1\nSSLPORT={self.implicit}\nPOP3_TLS_REQUIRED=1\nTLS_CERTFILE=/etc/peer/both.pem\n"
        self.write("etc/courier/pop3d-ssl", tls, more=True)

    def start(self) -> str:
        """See :class:`DebianServer`."""
        return (
            "rm -rf /run/courier; mkdir -p /run/courier/authdaemon; makeuserdb\n"
            "authdaemond start; pop3d start; pop3d-ssl start; while :; do sleep 60; done"
        )


class Cyrus(DebianServer):
    """Cyrus with its own mail store."""

    name = "Cyrus"
    packages = ("cyrus-pop3d", "cyrus-imapd", "sasl2-bin", "libsasl2-modules")

    def configure(self) -> None:
        """See :class:`DebianServer`."""
        settings = (
            "\nservername: localhost\nsasl_mech_list: PLAIN LOGIN\nallowplaintext: no\npopminpoll: 0\n"
            "failedloginpause: 0\nautocreate_quota: -1\nautocreate_post: 1\nduplicatesuppression: 0\n"
            "tls_server_cert: /etc/peer/certificate.pem\ntls_server_key: /etc/peer/key.pem\n"
        )
        names = {line.partition(":")[0] for line in settings.split("\n")}
        usual = (self.root / "etc/imapd.conf").read_text().split("\n")
        kept = "\n".join(line for line in usual if line.partition(":")[0] not in names)
        self.write("etc/imapd.conf", kept + settings)
        self.write(
            "etc/cyrus.conf",
            f"""
START {{
  recover cmd="/usr/sbin/cyrus ctl_cyrusdb -r"
}}
SERVICES {{
  pop3 cmd="pop3d" listen="127.0.0.1:{self.starttls}" prefork=0 maxchild=50
  pop3s cmd="pop3d -s" listen="127.0.0.1:{self.implicit}" prefork=0 maxchild=50
  lmtpunix cmd="lmtpd -a" listen="/run/cyrus/socket/lmtp" prefork=0 maxchild=20
}}
EVENTS {{
}}
""",
        )
        self.inside("saslpasswd2", "-p", "-c", "-u", "localhost", USER, typed=PASSWORD)
        self.inside("chown", "cyrus:mail", "/etc/sasldb2")

    def start(self) -> str:
        """See :class:`DebianServer`."""
        return (
            "mkdir -p /run/cyrus/socket /run/cyrus/proc /run/cyrus/lock; chown -R cyrus:mail /run/cyrus\n"
            "exec /usr/lib/cyrus/bin/master"
        )

    def delivery(self) -> Sequence[str]:
        """See :class:`DebianServer`."""
        return ("--deliver", f"chroot {self.root} /usr/lib/cyrus/bin/deliver {USER}")


SERVERS = (Dovecot, Courier, Cyrus)


def _run(*command: str, typed: str = "") -> str:
    done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=1_200)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2_000:] or done.stdout[-2_000:]}")
    return done.stdout
