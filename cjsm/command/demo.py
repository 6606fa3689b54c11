"""``cjsm demo``: a whole community on this computer, with people to sign in as."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import rich_click as click

from cjsm import configuration
from cjsm.command import democommunity
from cjsm.command.context import wait
from cjsm.command.democommunity import DemoAccount
from cjsm.command.initialise import initialise, with_values
from cjsm.command.output import Refused, console, reported, table
from cjsm.configuration import Settings
from cjsm.directory import names
from cjsm.instance import Instance, NotRunning
from cjsm.suite import Suite, instance

_HOST = "localhost"
_SUFFIX = "cjsm.test"
#: The doors of the demonstration, by their place above the port base; None: not part of it.
_DOORS = {"submissions": 465, "submission": 587, "relay": 25, "pop3s": 995, "ldaps": 636, "ldap": None}
_SECTION = {"submissions": "smtp", "submission": "smtp", "relay": "relay", "pop3s": "pop3", "ldaps": "ldap"}
_COMPLAINTS = "service.err"
_STARTING = 60.0
_STOPPING = 20.0
#: Columns of a terminal that takes the whole table of people.
_WIDE = 160


@click.command()
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("cjsm-demo"),
    show_default=True,
    help="Where everything is kept; used again when it is there.",
)
@click.option(
    "--port-base",
    type=click.IntRange(1024, 64_000),
    default=20_000,
    show_default=True,
    help="Added to the usual ports: 25, 465, 587, 995, 636.",
)
@click.option("--detach", is_flag=True, help="Leave the service running and return.")
@reported
def demo(directory: Path, port_base: int, detach: bool) -> None:
    """Start a demonstration community on this computer and show how to use it. Ends with Ctrl-C.

    \b
    cjsm demo
    cjsm demo --directory /tmp/demo --port-base 30000 --detach
    """
    home = directory.resolve()
    config = home / "cjsm.toml"
    mark = Instance(home / "data" / "run")
    try:
        pid = mark.pid()
    except (NotRunning, FileNotFoundError):
        pid = None
    if pid is not None:
        _show(home)
        if not detach:
            raise Refused(f"it is running already (process {pid})", f"stop it with: kill {pid}")
        return
    # Before people are made, which takes a while.
    _check_ports(port_base)
    home.mkdir(parents=True, exist_ok=True)
    settings = _prepare(home, config, port_base)
    # Whatever ends the demonstration ends the service: Ctrl-C (also where it was ignored when this began, as for
    # commands in the background of a script), kill, and a terminal that is closed.
    # One that comes while the service is being begun waits until there is somebody to end.
    asked: list[int] = []
    _on_ending(lambda number, _: asked.append(number))
    service = _begin(home, config)
    try:
        _on_ending(signal.default_int_handler)
        if asked:
            raise KeyboardInterrupt
        _await(service, home, instance(settings))
        _show(home)
        if detach:
            console.print(f"Running as process {service.pid}. Stop it with: kill {service.pid}")
            return
        console.print("Running. Stop it with Ctrl-C.")
        code = service.wait()
    except KeyboardInterrupt:
        _end(service)
        console.print("stopped; start it again with the same command")
        return
    raise Refused(f"the service ended by itself (exit code {code})", "see service.log in the demo's directory")


def _on_ending(handler: Callable[[int, FrameType | None], object]) -> None:
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, handler)


def _check_ports(base: int) -> None:
    """Look whether the demonstration can listen there.

    :raises Refused: naming the ports that are taken, and a port base where none is.
    """
    taken = _taken(base)
    if not taken:
        return
    # Below those that the system gives to whoever asks for any.
    free = next((other for other in range(20_000, 31_000, 1_000) if not _taken(other)), None)
    cure = f"choose others: --port-base {free}" if free is not None else "choose others with --port-base"
    raise Refused(f"something listens on {', '.join(map(str, taken))} already, maybe another demonstration", cure)


def _taken(base: int) -> list[int]:
    """Return the ports of the doors above *base* that something listens on."""
    return [port for port in sorted(base + above for above in _DOORS.values() if above) if not _is_free(port)]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the service does: connections that ended a moment ago are in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _prepare(home: Path, config: Path, port_base: int) -> Settings:
    ports = {door: port_base + above if above else None for door, above in _DOORS.items()}
    listening = {f"{_SECTION[door]}.{door}": f"tcp:{port}:interface=127.0.0.1" for door, port in ports.items() if port}
    if config.exists():
        config.write_text(with_values(config.read_text(encoding="utf-8"), listening), encoding="utf-8")
    values = {
        "community.suffix": _SUFFIX,
        "store.data_directory": str(home / "data"),
        "store.secrets_directory": str(home / "secrets"),
        "tls.certificate": str(home / "tls" / "server.pem"),
        "tls.key": str(home / "tls" / "server.key"),
        "tls.authority": str(home / "tls" / "authority.pem"),
        "smtp.host_name": _HOST,
        **listening,
    }
    settings = initialise(config, values, _names())
    told = home / "demo.json"
    accounts: list[DemoAccount]
    if told.exists():
        accounts = msgspec.convert(msgspec.json.decode(told.read_bytes())["accounts"], list[DemoAccount])
    else:
        suite = Suite(settings)
        accounts = democommunity.make(suite)
        wait(suite.stores.close())
    _write(told, _document(settings, config, ports, accounts))
    return configuration.load(config)


def _names() -> tuple[str, ...]:
    """Return the names of the demo's certificate: some clients put the machine's own name for ``localhost``."""
    machine = {socket.gethostname(), socket.getfqdn()} - {_HOST, ""}
    return (_HOST, *sorted(machine), "127.0.0.1", "::1")


def _document(
    settings: Settings, config: Path, ports: dict[str, int | None], accounts: list[DemoAccount]
) -> dict[str, Any]:
    return {
        "host": _HOST,
        "suffix": settings.community.suffix,
        "ca_file": settings.tls.authority,
        "base_dn": names.of_suffix(settings.community.suffix),
        "data_directory": settings.store.data_directory,
        "config_file": str(config),
        "pid_file": str(instance(settings).pid_file),
        "unknown_address": f"nobody@avon.{settings.community.suffix}",
        "ports": ports,
        "accounts": accounts,
    }


def _write(path: Path, value: dict[str, Any]) -> None:
    """Replace *path* in one step; it is the only place with passwords."""
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    fresh.replace(path)


def _begin(home: Path, config: Path) -> "subprocess.Popen[bytes]":
    log = home / "service.log"
    log.touch(mode=0o600)
    arguments = ["--nodaemon", "--pidfile=", "--logger=cjsm.logs.text", "cjsm", "--config", str(config)]
    with log.open("ab") as stdout, (home / _COMPLAINTS).open("wb") as stderr:
        return subprocess.Popen(
            [str(Path(sys.executable).parent / "twistd"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=home,
            start_new_session=True,
        )


def _await(service: "subprocess.Popen[bytes]", home: Path, mark: Instance) -> None:
    """Return when the service has written its first status.

    :raises Refused: when it does not come to that.
    """
    with console.status("starting the service"):
        ends = time.monotonic() + _STARTING
        while time.monotonic() < ends and service.poll() is None:
            try:
                mark.status()
            except NotRunning:
                time.sleep(0.1)
            else:
                return
    if service.poll() is None:
        service.terminate()
    said = (home / _COMPLAINTS).read_text(encoding="utf-8", errors="replace").strip()
    problem, _, cure = said.partition("\ncure: ")
    raise Refused(problem.removeprefix("cjsm: ") or "the service did not start", cure or f"see {home / 'service.log'}")


def _end(service: "subprocess.Popen[bytes]") -> None:
    service.terminate()
    try:
        service.wait(_STOPPING)
    except subprocess.TimeoutExpired:
        service.kill()


def _show(home: Path) -> None:
    told = msgspec.json.decode((home / "demo.json").read_bytes())
    wide = console.width >= _WIDE
    columns = ("user ID", "address", "roles", "password", "device password")
    rows = [dict(zip(columns, _row(account), strict=True)) for account in told["accounts"]]
    shown = columns if wide else ("user ID", "roles", "password")
    table([[row[each] for each in shown] for row in rows], *shown, title=f"People of {told['suffix']}")
    more = "Everything again" if wide else "Addresses, device passwords and everything again"
    console.print(f"{more}, for programs: {home / 'demo.json'}\n", soft_wrap=True)
    for title, line in _recipes(told):
        console.print(f"[bold]{title}[/]")
        console.print(line + "\n", soft_wrap=True, markup=False)


def _row(account: dict[str, Any]) -> tuple[str, str, str, str, str]:
    roles = ", ".join(f"{held['role']} of {held['organisation'] or 'all'}" for held in account["roles"])
    return account["user_id"], account["address"], roles, account["password"], account["device_password"]


def _recipes(told: dict[str, Any]) -> list[tuple[str, str]]:
    sender, reader = told["accounts"][5], told["accounts"][11]
    ports, authority, host = told["ports"], told["ca_file"], told["host"]
    message = f"From: {sender['address']}\\r\\nTo: {reader['address']}\\r\\nSubject: Hello\\r\\n\\r\\nHello.\\r\\n"
    return [
        ("Use cjsm in another window", _environment(told["config_file"])),
        (
            "Send with curl",
            f"printf '{message}' | curl --cacert {authority} --url smtps://{host}:{ports['submissions']} "
            f"--user '{sender['user_id']}:{sender['password']}' --mail-from {sender['address']} "
            f"--mail-rcpt {reader['address']} --upload-file -",
        ),
        (
            "Send with swaks",
            f"swaks --server {host}:{ports['submission']} --tls --tls-verify --tls-ca-path {authority} --auth PLAIN "
            f"--auth-user '{sender['user_id']}' --auth-password '{sender['device_password']}' "
            f"--from {sender['address']} --to {reader['address']}",
        ),
        (
            "Read with curl",
            f"curl --cacert {authority} --user '{reader['user_id']}:{reader['password']}' "
            f"pop3s://{host}:{ports['pop3s']}/1",
        ),
        (
            "Speak POP3 yourself",
            f"openssl s_client -quiet -crlf -CAfile {authority} -connect {host}:{ports['pop3s']}",
        ),
        (
            "Search the directory",
            f"LDAPTLS_CACERT={authority} ldapsearch -x -H ldaps://{host}:{ports['ldaps']} "
            f"-D '{sender['user_id']}' -w '{sender['password']}' -b {told['base_dn']} '(sn=smi*)' cn mail",
        ),
    ]


def _environment(config: str) -> str:
    """Return the line after which a shell finds this very ``cjsm``, and that the demonstration's settings."""
    line = f"export CJSM_CONFIG={shlex.quote(config)}"
    program = Path(sys.executable).with_name("cjsm")
    found = shutil.which("cjsm")
    if found is not None and Path(found).resolve() == program.resolve():
        return line
    return f'{line} PATH={shlex.quote(str(program.parent))}:"$PATH"'
