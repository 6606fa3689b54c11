"""``cjsm init``: a new community: settings file, data directory, service secrets, certificates."""

import os
import re
import socket
import time
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm import configuration, resources
from cjsm.command.context import become_owner, config_option, wait
from cjsm.command.output import Refused, console, document, json_option, reported
from cjsm.community.address import check_domain
from cjsm.configuration import Settings
from cjsm.suite import Suite
from cjsm.vault import secrets
from cjsm.vault.certificates import Authority
from cjsm.vault.errors import MissingSecret

#: Days that the community's own authority and its first server certificate hold.
_AUTHORITY_DAYS = 3_650
_SERVER_DAYS = 365


@click.command()
@click.option("--suffix", default="cjsm.test", show_default=True, help="The community suffix: all addresses end in it.")
@click.option("--data-directory", type=click.Path(file_okay=False, path_type=Path), default=Path("/var/lib/cjsm"))
@click.option("--secrets-directory", type=click.Path(file_okay=False, path_type=Path), default=None)
@click.option("--host-name", default=socket.getfqdn, help="The name that clients connect to; this computer's own.")
@config_option
@json_option
@reported
def init(config: Path, as_json: bool, **values: Any) -> None:
    """Make a new community: settings, data directory, service secrets, an authority and a first certificate.

    What is there already stays as it is, so it can be run again after a failure, and when the settings name a
    certificate that is to be issued.

    \b
    cjsm init --suffix mail.example.org --host-name mail.example.org
    cjsm init --config ./cjsm.toml --data-directory ./data --secrets-directory ./secrets
    """
    suffix = values["suffix"].lower()
    check_domain(suffix)
    place = config.resolve().parent
    made = {
        "community.suffix": suffix,
        "smtp.host_name": values["host_name"],
        "relay.host_name": values["host_name"],
        "store.data_directory": str(values["data_directory"].resolve()),
        "store.secrets_directory": str((values["secrets_directory"] or place / "secrets").resolve()),
        "tls.certificate": str(place / "tls" / "server.pem"),
        "tls.key": str(place / "tls" / "server.key"),
        "tls.authority": str(place / "tls" / "authority.pem"),
    }
    settings = initialise(config, made, (values["host_name"],))
    if as_json:
        document({"config": str(config), "data_directory": settings.store.data_directory, "suffix": suffix})
        return
    console.print(f"settings   {config}\ndata       {settings.store.data_directory}")
    console.print(f"secrets    {settings.store.secrets_directory}   (copy them to a safe; without them mail is lost)")
    console.print(f"authority  {settings.tls.authority}   (give it to everybody who connects)")
    console.print("next       cjsm organisation add …, cjsm user add …, cjsm role grant …, then start the service")


def initialise(config: Path, values: dict[str, str], names: tuple[str, ...]) -> Settings:
    """Make what is missing of a community and return its settings.

    :param values: settings by dotted name, for a settings file that is not there yet.
    :param names: host names and addresses for the first certificate.
    :raises Refused: when something cannot be written.
    """
    if not config.exists():
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(with_values(resources.etc("cjsm.toml").read_text(encoding="utf-8"), values), encoding="utf-8")
    settings = configuration.load(config)
    directory = Path(settings.store.data_directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _secrets(settings)
    _certificates(settings, names)
    _give_to_owner(settings)
    become_owner(directory)
    wait(Suite(settings).stores.close())
    return settings


def with_values(text: str, values: dict[str, str]) -> str:
    """Return the settings file *text* with some values replaced, comments and all else as it was.

    :param values: strings by dotted name, such as ``store.data_directory``.
    """
    section = ""
    lines = []
    remaining = dict(values)
    for line in text.splitlines():
        header = re.fullmatch(r"\[(\w+)\]", line)
        if header:
            section = header[1]
        name = f"{section}.{line.partition(' = ')[0]}"
        if name in remaining:
            line = f'{name.partition(".")[2]} = "{remaining.pop(name)}"'
        lines.append(line)
    for name, value in remaining.items():
        section, _, key = name.partition(".")
        _add(lines, section, key, value)
    return "\n".join(lines) + "\n"


def _add(lines: list[str], section: str, name: str, value: str) -> None:
    """Add a setting that the file does not have, such as one that came with a newer version."""
    if f"[{section}]" not in lines:
        lines += ["", f"[{section}]"]
    lines.insert(lines.index(f"[{section}]") + 1, f'{name} = "{value}"')


def _secrets(settings: Settings) -> None:
    """Make the secrets of a community that is new. Others would open nothing of what is there.

    What a community can do without is made for an old one too.

    :raises Refused: where there is a community, and its secrets are not.
    """
    place = Path(settings.store.secrets_directory)
    if not (Path(settings.store.data_directory) / "community.mdb").exists():
        secrets.create(place)
        return
    try:
        secrets.load(place)
        secrets.complete(place)
    except MissingSecret as error:
        raise Refused(
            f"there is a community in {settings.store.data_directory} already, but {error}", error.cure
        ) from error


def _certificates(settings: Settings, names: tuple[str, ...]) -> None:
    """Let the community's authority, which is made where there is none, issue what the settings name and is missing."""
    tls, relay = settings.tls, settings.relay
    doors = dict.fromkeys((*names, settings.smtp.host_name, relay.host_name))
    wanted = (
        (tls.certificate, tls.key, tuple(doors)),
        (relay.certificate, relay.key, (relay.host_name,)),
        (relay.client_certificate, relay.client_key, (relay.host_name,)),
    )
    missing = [each for each in wanted if each[0] and not Path(each[0]).exists()]
    if not missing:
        return
    public, private = Path(tls.authority), Path(tls.authority).with_suffix(".key")
    moment = int(time.time())
    public.parent.mkdir(parents=True, exist_ok=True)
    if public.exists():
        authority = Authority.load(public, private)
    else:
        authority = Authority.make(f"{settings.community.suffix} authority", moment, _AUTHORITY_DAYS)
        authority.save(public, private)
    for certificate, key, shown in missing:
        authority.issue(shown, moment, _SERVER_DAYS, Path(certificate), Path(key))


def _give_to_owner(settings: Settings) -> None:
    """Made by root for a service that is not: what the service must read becomes its own."""
    owner = Path(settings.store.data_directory).stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    directory, tls, relay = Path(settings.store.secrets_directory), settings.tls, settings.relay
    shown = (tls.certificate, tls.key, relay.certificate, relay.key, relay.client_certificate, relay.client_key)
    for path in (directory, *directory.iterdir(), *(Path(each) for each in shown if each)):
        os.chown(path, owner.st_uid, owner.st_gid)
