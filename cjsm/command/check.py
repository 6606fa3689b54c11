"""``cjsm check``: everything that an operator can get wrong, each with its cure."""

import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import rich_click as click
from rich.markup import escape

from cjsm import configuration
from cjsm.access.mailboxkeys import CurrentKeys
from cjsm.command import checkconnections, checkledger, checkmerges
from cjsm.command.context import become_owner, config_option, wait
from cjsm.command.findings import Finding
from cjsm.command.output import console, document, json_option, reported, when
from cjsm.community import finding, invariants
from cjsm.community.identifiers import MailboxId
from cjsm.community.view import View
from cjsm.configuration import ConfigurationError, Settings
from cjsm.instance import NotRunning
from cjsm.store.interfaces import CannotOpen, StoreError
from cjsm.suite import Suite, instance
from cjsm.vault import certificates, secrets
from cjsm.vault.errors import MissingSecret, VaultError
from cjsm.wire.errors import TlsError
from cjsm.wire.tls import ServerTls

_DAY = 86_400
_MIB = 1024 * 1024


@click.command()
@config_option
@json_option
@reported
def check(config: Path, as_json: bool) -> None:
    """Look at settings, secrets, certificates, permissions, disk, ports and stores; say what is wrong and the cure.

    Ends with 1 when there is a problem, not for warnings.

    \b
    cjsm check
    cjsm check --json
    """
    findings = list(_findings(config))
    if as_json:
        document(findings)
    else:
        for found in findings:
            kind = "[bold yellow]warning[/]" if found.warning else "[bold red]problem[/]"
            told = f"{kind} {escape(found.problem)}\n        cure: {escape(found.cure)}"
            console.print(f"{found.what:<20}{told if found.problem else 'ok'}", soft_wrap=True)
    if any(found.problem and not found.warning for found in findings):
        raise SystemExit(1)


def _findings(config: Path) -> Iterator[Finding]:
    try:
        settings = configuration.load(config)
    except ConfigurationError as error:
        yield Finding("settings", str(error), error.cure)
        return
    yield Finding("settings")
    yield _permissions(settings)
    become_owner(Path(settings.store.data_directory))
    yield _disk(settings)
    yield _secrets(settings)
    yield _signing(settings)
    yield _apart(settings)
    yield from _certificates(settings)
    yield from _ports(settings)
    yield checkconnections.authority(settings)
    stores = _stores(settings)
    yield stores
    if not stores.problem:
        yield _mailboxes(settings)
        yield checkledger.finding(settings)
        yield checkmerges.finding(settings)
        yield from checkconnections.findings(settings)


def _permissions(settings: Settings) -> Finding:
    directory = Path(settings.store.data_directory)
    if not directory.is_dir():
        return Finding("permissions", f"{directory} does not exist", "run `cjsm init`")
    told = directory.stat()
    if stat.S_IMODE(told.st_mode) & 0o077:
        return Finding("permissions", f"{directory} is open to other users", f"chmod 700 {directory}")
    if os.geteuid() not in (0, told.st_uid):
        return Finding("permissions", f"{directory} belongs to somebody else", "run this as root or as its owner")
    strangers = [path for path in directory.rglob("*") if path.lstat().st_uid != told.st_uid]
    if strangers:
        return Finding(
            "permissions",
            f"{strangers[0]} does not belong to the service's user",
            f"chown -R --reference={directory} {directory}",
        )
    if not os.access(directory, os.W_OK):
        return Finding("permissions", f"{directory} cannot be written", f"chmod 700 {directory}")
    return Finding("permissions")


def _disk(settings: Settings) -> Finding:
    try:
        told = os.statvfs(settings.store.data_directory)
    except OSError as error:
        return Finding("disk", f"{settings.store.data_directory}: {error.strerror}", "run `cjsm init`")
    free, floor = told.f_bavail * told.f_frsize, settings.store.disk_floor
    if free < floor:
        return Finding("disk", f"{free // _MIB} MiB free: new mail is refused", "free disk space")
    if free < 4 * floor:
        problem = f"{free // _MIB} MiB free, mail stops at {floor // _MIB}"
        return Finding("disk", problem, "free disk space soon", warning=True)
    return Finding("disk")


def _secrets(settings: Settings) -> Finding:
    try:
        secrets.load(Path(settings.store.secrets_directory))
    except MissingSecret as error:
        return Finding("secrets", str(error), error.cure)
    return Finding("secrets")


def _signing(settings: Settings) -> Finding:
    """Mail that leaves goes out without a signature where there is no key; that is no reason to stop."""
    try:
        held = secrets.load(Path(settings.store.secrets_directory))
    except MissingSecret as error:
        return Finding("signing", f"not looked at: {error}", error.cure, warning=True)
    kinds = {"dkim-rsa": held.dkim_rsa, "dkim-ed25519": held.dkim_ed25519}
    missing = [name for name, versions in kinds.items() if not versions.numbers]
    if missing:
        cure = "run `cjsm init` again: it makes them; publish what `cjsm connection dns` shows, then restart"
        if os.environ.get("CREDENTIALS_DIRECTORY"):
            cure = f"with the directory of secrets back in its place, {cure} with them among its credentials"
        how = "with one signature less" if len(missing) < len(kinds) else "unsigned"
        return Finding("signing", f"mail leaves {how}: no {' and no '.join(missing)}", cure, warning=True)
    return Finding("signing")


def _apart(settings: Settings) -> Finding:
    """Whoever takes the disk must not have both."""
    data, secret = Path(settings.store.data_directory), Path(settings.store.secrets_directory)
    if os.environ.get("CREDENTIALS_DIRECTORY"):
        return Finding("apart")
    if secret.resolve().is_relative_to(data.resolve()):
        return Finding("apart", "the secrets lie inside the data directory", "move them out of it")
    if data.exists() and secret.exists() and data.stat().st_dev == secret.stat().st_dev:
        return Finding(
            "apart",
            "secrets and data lie on one file system: who takes the disk has both",
            "keep the secrets elsewhere, such as in systemd credentials (LoadCredential=)",
            warning=True,
        )
    return Finding("apart")


def _certificates(settings: Settings) -> Iterator[Finding]:
    tls, smtp, relay = settings.tls, settings.smtp, settings.relay
    yield _certificate("certificate", tls.certificate, tls.key, "smtp.host_name", smtp.host_name, tls.warn_before)
    if relay.relay:
        files = (relay.certificate or tls.certificate, relay.key or tls.key)
        yield _certificate("relay certificate", *files, "relay.host_name", relay.host_name, tls.warn_before)
        yield _client_certificate(settings)


def _certificate(name: str, certificate: str, key: str, setting: str, host: str, warn_before: int) -> Finding:
    """Look at one certificate, which is for *host* where *setting* says so."""
    try:
        ServerTls(Path(certificate), Path(key))
        found = certificates.check_dates(Path(certificate), time.time())
    except (TlsError, MissingSecret) as error:
        return Finding(name, str(error), error.cure)
    days = int(found.not_after - time.time()) // _DAY
    if days < warn_before:
        return Finding(name, f"ends in {days} days", "renew it, then run `cjsm reload`", warning=True)
    if setting and host not in found.names:
        return Finding(name, f"does not name {host}", f"get one for that name, or correct {setting}")
    return Finding(name)


def _client_certificate(settings: Settings) -> Finding:
    """Look at what is shown to organisations' servers; public authorities issue none that is good for it any more."""
    tls, relay = settings.tls, settings.relay
    name = "client certificate"
    shown = relay.client_certificate or relay.certificate or tls.certificate
    key = relay.client_key or relay.key or tls.key
    found = _certificate(name, shown, key, "", "", tls.warn_before)
    if not found.problem and not certificates.dates(Path(shown)).for_clients:
        cure = "name new files in relay.client_certificate and client_key; `cjsm init` lets the authority issue them"
        return Finding(name, f"{shown} is for servers only: organisations' servers may refuse us", cure, warning=True)
    return found


def _ports(settings: Settings) -> Iterator[Finding]:
    try:
        instance(settings).pid()
        running = True
    except (NotRunning, OSError):
        running = False
    doors = {
        "submissions": settings.smtp.submissions,
        "submission": settings.smtp.submission,
        "relay": settings.relay.relay,
        "pop3s": settings.pop3.pop3s,
        "pop3": settings.pop3.pop3,
        "ldaps": settings.ldap.ldaps,
        "ldap": settings.ldap.ldap,
    }
    for name, where in doors.items():
        if where.startswith("tcp:"):
            yield _port(name, where, running=running)


def _port(name: str, where: str, *, running: bool) -> Finding:
    fields = where.split(":")
    host = next((field.partition("=")[2] for field in fields if field.startswith("interface=")), "")
    port = next((field for field in fields[1:] if field.isdigit()), None)
    if port is None:
        return Finding(name, f"{where!r} names no port", 'write it like "tcp:465"')
    try:
        if running:
            socket.create_connection((host or "127.0.0.1", int(port)), timeout=2).close()
        else:
            with socket.create_server((host, int(port))):
                pass
    except PermissionError:
        # The service may: its unit lets it listen on low ports.
        return Finding(name)
    except OSError as error:
        if running:
            return Finding(name, f"the service runs but {where} does not answer: {error}", "see the service's log")
        return Finding(
            name, f"{where} cannot be listened on: {error.strerror}", "stop what listens there, or choose another port"
        )
    return Finding(name)


def _stores(settings: Settings) -> Finding:
    def look() -> list[str]:
        suite = Suite(settings)
        stores = suite.stores
        try:
            if not _opens(suite):
                return ["the service secrets are not those that this community was made with"]
            problems = stores.community.read_now(invariants.problems)
            damaged = stores.spool.status().damaged
            return [*problems, *([f"{damaged} messages in the spool cannot be read"] if damaged else [])]
        finally:
            wait(stores.close())

    return _stores_finding(look, Path(settings.store.data_directory))


def _mailboxes(settings: Settings) -> Finding:
    """Mailboxes that were found to be other than they were written, and the heads that would tell."""
    suite = Suite(settings)
    try:
        noticed = wait(suite.stores.community.noticed())
        heads = wait(suite.stores.community.check_heads())
        if heads:
            return Finding("mailboxes", heads, "somebody changed community.mdb: keep the disk as it is, restore it")
        if not noticed:
            return Finding("mailboxes")
        first = noticed[0]
        name = suite.stores.community.read_now(lambda view: finding.mailbox_name(view, first.mailbox))
    except StoreError as error:
        return Finding("mailboxes", str(error), error.cure)
    finally:
        wait(suite.stores.close())
    more = f" ({len(noticed)} mailboxes in all)" if len(noticed) > 1 else ""
    return Finding(
        "mailboxes",
        f"{name} is not what was written to it, noticed {when(first.moment)}: {first.problem}{more}",
        "`cjsm mailbox verify`, then `cjsm mailbox restore`; without a newer backup `cjsm mailbox accept`",
    )


def _opens(suite: Suite) -> bool:
    """Whether the secrets are those of the data: the community's key has signed every mailbox's."""

    def some_mailbox(view: View) -> MailboxId | None:
        return next((account.mailbox for account in view.accounts() if account.mailbox is not None), None)

    mailbox = suite.stores.community.read_now(some_mailbox)
    if mailbox is None:
        return True
    try:
        CurrentKeys(suite.stores.community, suite.stores.keys, suite.secrets).current(mailbox)
    except VaultError:
        return False
    return True


def _stores_finding(look: Callable[[], list[str]], directory: Path) -> Finding:
    if not (directory / "community.mdb").exists():
        return Finding("stores", f"there is no community in {directory}", "run `cjsm init`")
    try:
        problems = look()
    except CannotOpen as error:
        return Finding("stores", str(error), error.cure)
    except MissingSecret as error:
        return Finding("stores", f"not looked at: {error}", error.cure)
    except StoreError as error:
        return Finding("stores", str(error), "restore from the backup, or install the version that wrote it")
    if problems:
        return Finding("stores", problems[0], f"{len(problems)} in all: report this, it should not be possible")
    return Finding("stores")
