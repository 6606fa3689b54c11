"""``cjsm device``: device passwords."""

import time
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting, proving, secrets, telling
from cjsm.command.context import open_suite, wait
from cjsm.command.output import Refused, console, document, shown, table, when
from cjsm.community import finding
from cjsm.community.acts.credentials import PROTOCOLS
from cjsm.community.authority import Action
from cjsm.community.records import DevicePassword

_DAY = 86_400


@click.group()
def device() -> None:
    """Device passwords: one for each mail program, so that none of them knows the user's own."""


@device.command("add")
@click.argument("user")
@click.argument("name")
@click.option(
    "--protocol",
    "protocols",
    type=click.Choice(PROTOCOLS),
    multiple=True,
    default=PROTOCOLS,
    help="What it is good for; may be repeated. Everything, when it is not given.",
)
@click.option("--days", type=click.IntRange(min=1), help="End after so many days.")
@acting.own_verb
def add(
    user: str,
    name: str,
    protocols: tuple[str, ...],
    days: int | None,
    config: Path,
    as_json: bool,
) -> None:
    """Make a device password called NAME for USER, and print it once. Asks for the user's password.

    Somebody with a second factor is asked for a code too: with --password-stdin it is the second line.

    \b
    cjsm device add jane.smith@avon phone --protocol pop3 --protocol smtp
    """
    suite = open_suite(config)
    (current,) = secrets.ask("Password")
    account = proving.own(suite, user, current)
    code = secrets.ask_code(account, current)
    made = wait(
        suite.enrolment.add_device(
            suite.by(account.id),
            account.id,
            current,
            name=name,
            protocols=tuple(sorted(set(protocols))),
            expires=int(time.time()) + days * _DAY if days else None,
            code=code,
        )
    )
    if as_json:
        document({"user_id": account.user_id, "name": name, "device_password": made.secret})
    else:
        console.print(f"device password    [bold]{made.secret}[/]   (shown once; for {name})")


@device.command("revoke")
@click.argument("user")
@click.argument("name")
@acting.act_verb
def revoke(user: str, name: str, config: Path, as_json: bool) -> None:
    """Take the device password NAME of USER away; sessions that use it end within seconds.

    \b
    cjsm device revoke jane.smith@avon phone
    cjsm device revoke jane.smith@avon phone --as olive.marsh@avon
    """
    suite = open_suite(config)
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, user))
    acting.require_or_own(suite, Action.MANAGE_USERS, account)
    known = next((known for known in account.device_passwords if known.name == name), None)
    if known is None:
        raise Refused(f"{account.user_id} has no device password {name!r}", f"see `cjsm device list {user}`")
    wait(suite.enrolment.revoke_device(acting.by(suite), account.id, known.id))
    others = acting.actor(suite) != account.id
    if as_json:
        document({"user_id": account.user_id, "revoked": name} | (telling.told(suite, account) if others else {}))
        return
    console.print(f"{name} of {account.user_id} is revoked")
    if others:
        telling.say(suite, account)


@device.command("list")
@click.argument("user")
@acting.verb
def list_(user: str, config: Path, as_json: bool) -> None:
    """List the device passwords of USER.

    \b
    cjsm device list jane.smith@avon
    """
    suite = open_suite(config)
    account = suite.stores.community.read_now(lambda view: finding.account_of(view, user))
    acting.require_or_own(suite, Action.FIND_USERS, account)
    used = dict(suite.stores.activity.last_used(account.id))
    found = [_told(known, used.get(known.id.hex())) for known in account.device_passwords]
    if as_json:
        document(found)
    else:
        rows = [[shown(value) for value in told.values()] for told in found]
        table(rows, "name", "protocols", "made", "ends", "last used")


def _told(known: DevicePassword, used: int | None) -> dict[str, Any]:
    return {
        "name": known.name,
        "protocols": known.protocols,
        "made": when(known.created),
        "ends": when(known.expires),
        "last_used": when(used),
    }
