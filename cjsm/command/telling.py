"""Whether the person hears of an act outside the community: where not, whoever acts has to tell them."""

from typing import Any

from cjsm.command.output import console
from cjsm.community.records import Account
from cjsm.notices.letter import is_plain
from cjsm.suite import Suite

_WORDS = "[bold]not told: tell them yourself[/]"


def told(suite: Suite, account: Account) -> dict[str, Any]:
    """Return what an act's document says of it: ``told``, whether a notice goes to the person's ordinary address.

    A notice inside the community comes too, but who cannot sign in does not read it.
    """
    settings = suite.settings.notices
    on = bool(settings.host) and settings.ordinary_per_day > 0
    return {"told": on and is_plain(account.profile.ordinary_email.strip())}


def say(suite: Suite, account: Account) -> None:
    """Say it to whoever acts, where the person is not told."""
    if told(suite, account)["told"]:
        console.print(f"{account.user_id} is told at their ordinary address")
        return
    why = "they have no ordinary address" if suite.settings.notices.host else "notices.host is not set"
    console.print(f"{account.user_id} is {_WORDS} ({why})")
