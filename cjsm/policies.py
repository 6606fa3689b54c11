"""Password policies (community §7): settings files under ``data/policies``, or an operator's own of the same form."""

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from cjsm import resources

NAMES = ("ncsc", "legacy")
DAY = 86_400

_Count = Annotated[int, Meta(ge=1, le=1_000)]
_Some = Annotated[int, Meta(ge=0, le=1_000)]


class BadPolicy(Exception):
    """A policy that cannot be used.

    :ivar cure: what to change.
    """

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(problem)
        self.cure = cure


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One profile; ``data/policies/ncsc.toml`` explains each value. Lengths in characters, times in days."""

    user_length: _Count
    administrator_length: _Count
    longest: _Count = 128
    classes: Annotated[int, Meta(ge=1, le=4)] = 1
    deny_common: bool = True
    deny_names: bool = True
    expires: _Some = 0
    warnings: tuple[_Count, ...] = ()
    former: Annotated[int, Meta(ge=0, le=24)] = 0
    lock: _Count = 10
    warn_at: _Some = 0
    lock_days: _Some = 1
    devices_only: bool = False

    def ends(self, since: int) -> int | None:
        """Return when a password that was chosen at *since* must be changed; None for never."""
        return since + self.expires * DAY if self.expires else None

    def warned_since(self, since: int, now: float) -> int | None:
        """Return which of :attr:`warnings` is due at *now* for a password that was chosen at *since*.

        Each is due from so many days before the end until the next one; None before the first, and after the end.
        """
        end = self.ends(since)
        if end is None or now >= end:
            return None
        return min((days for days in self.warnings if now >= end - days * DAY), default=None)


def load(name: str) -> Policy:
    """Return the policy *name*: one of :data:`NAMES`, or the path of a file.

    :raises BadPolicy: naming the file and the cure.
    """
    if "/" not in name and name not in NAMES:
        raise BadPolicy(f"there is no password policy {name!r}", f"use {' or '.join(NAMES)}, or the path of a file")
    try:
        text = Path(name).read_text("utf-8") if "/" in name else _supplied(name)
        return msgspec.convert(tomllib.loads(text), Policy)
    except (OSError, UnicodeDecodeError) as error:
        raise BadPolicy(
            f"the password policy {name} cannot be read: {error}", "check the file's owner and mode"
        ) from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadPolicy(f"the password policy {name}: {error}", "data/policies/ncsc.toml explains each value") from None


def _supplied(name: str) -> str:
    return resources.data("policies", f"{name}.toml").read_text("utf-8")
