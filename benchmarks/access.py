"""What signing in costs, and whether refusals can be told apart by their time."""

import os
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred, execute

from cjsm.access.checker import Checker
from cjsm.access.errors import AccessRefused
from cjsm.access.interfaces import LoginAttempt
from cjsm.command.context import wait
from cjsm.community import finding
from cjsm.community.acts import organisations
from cjsm.community.identifiers import LENGTH, AccountId, OrganisationId
from cjsm.community.records import Life, Organisation, Profile
from cjsm.community.view import Change, View
from cjsm.configuration import AccessSettings, CommunitySettings, Settings, StoreSettings
from cjsm.suite import Suite
from cjsm.vault import secrets

T = TypeVar("T")

_PASSWORD = b"violet tractor lamp nineteen"
_DOORS = ("smtp", "pop3", "ldap")
#: Accounts that are refused, by why, and what makes them so.
_REFUSED: dict[str, dict[str, object]] = {
    "wrong": {},
    "locked": {"locked": True},
    "suspended": {"life": Life.SUSPENDED},
}


class _Inline:
    """Stretches passwords where it is asked."""

    def run(self, source: str, derive: Callable[[], T], wanted: Callable[[], bool] = lambda: True) -> "Deferred[T]":
        return execute(derive)


@dataclass(frozen=True)
class Cost:
    """One kind of sign-in: processor seconds, the median of some."""

    name: str
    processor: float

    def line(self) -> str:
        """Return what people read."""
        return f"{self.name:<28} {self.processor * 1000:9.3f} ms of processor"


@dataclass(frozen=True)
class Refusals:
    """How long one kind of refusal takes, in seconds, and how often it takes longer than that of an unknown name: half
    of the times, where they cannot be told apart.
    """

    name: str
    median: float
    longer_than_unknown: float

    def line(self) -> str:
        """Return what people read."""
        return (
            f"refused, {self.name:<19} {self.median * 1000:9.3f} ms   longer than an unknown name's in "
            f"{self.longer_than_unknown:.0%} of all pairs"
        )


class House:
    """A community with one user for each kind of sign-in, in *home*."""

    def __init__(self, home: Path, bcrypt_cost: int) -> None:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        secrets.create(home / "secrets")
        settings = Settings(
            community=CommunitySettings(suffix="bench.test"),
            store=StoreSettings(data_directory=str(home / "data"), secrets_directory=str(home / "secrets")),
            access=AccessSettings(bcrypt_cost=bcrypt_cost),
        )
        self.suite = Suite(settings)
        stores = self.suite.stores
        pool: Any = _Inline()
        self.checker = Checker(
            settings.access,
            community=stores.community,
            keys=stores.keys,
            activity=stores.activity,
            secrets=self.suite.secrets,
            kdf=pool,
            clock=time.time,
        )
        place = Organisation(
            id=OrganisationId(os.urandom(LENGTH)), parent=None, slug="bench", name="Bench", abbreviation="bench"
        )
        self._act(lambda view, by: organisations.add(view, by, place))
        self.device = self._add("known", place.id)
        for why, changes in _REFUSED.items():
            self._add(why, place.id)
            self._change(f"bench.{why}@bench", changes)

    def _act(self, decide: Callable[[View, Any], Change]) -> None:
        by = self.suite.by()
        wait(self.suite.stores.community.commit(by.act_id, lambda view: decide(view, by)))

    def _add(self, last: str, where: OrganisationId) -> bytes:
        enrolment = self.suite.enrolment
        profile = Profile(first_name="Bench", last_name=last)
        made = wait(enrolment.add_hosted(enrolment.by(), where, f"bench.{last}@bench", profile, 1 << 20))
        account, once = AccountId(made.account.id), made.one_time_password.encode()
        device = wait(enrolment.add_device(enrolment.by(), account, once, name="device", protocols=_DOORS))
        wait(enrolment.set_password(enrolment.by(account), account, once, _PASSWORD))
        return device.secret.encode()

    def _change(self, user_id: str, changes: dict[str, object]) -> None:
        def decide(view: View, by: object) -> Change:
            found = finding.account_of(view, user_id)
            return Change(put=(msgspec.structs.replace(found, version=found.version + 1, **changes),))

        self._act(decide)

    def sign_in(self, name: str, secret: bytes, protocol: str) -> None:
        """Sign in, or be refused."""
        attempt = LoginAttempt(f"bench.{name}@bench", secret, protocol=protocol, source="192.0.2.1")
        wait(self.checker.requestAvatarId(attempt))

    def refused(self, name: str, secret: bytes) -> float:
        """Return how long a refusal took."""
        begun = time.perf_counter()
        try:
            self.sign_in(name, secret, "pop3")
        except AccessRefused:
            return time.perf_counter() - begun
        raise AssertionError(f"{name} was let in")


def measure(home: Path, say: Callable[[str], None], samples: int = 200) -> tuple[list[Cost], list[Refusals]]:
    """Measure sign-ins with the settings as they come, and refusals with a cheaper bcrypt, which hides less."""
    costs = _costs(House(home / "access", AccessSettings().bcrypt_cost))
    for cost in costs:
        say(cost.line())
    refusals = _refusals(House(home / "access", 8), samples)
    for refusal in refusals:
        say(refusal.line())
    shutil.rmtree(home / "access", ignore_errors=True)
    return costs, refusals


def _costs(house: House) -> list[Cost]:
    costs = []
    for protocol in ("pop3", "smtp"):
        begun = time.process_time()
        house.sign_in("known", _PASSWORD, protocol)
        costs.append(Cost(f"{protocol}, own password", time.process_time() - begun))
        for name, secret in (("remembered", _PASSWORD), ("device password", house.device)):
            costs.append(Cost(f"{protocol}, {name}", _median(house, secret, protocol)))
        # What one door remembers is not of use to the next kind.
        house.checker._cache.clear()
    return costs


def _median(house: House, secret: bytes, protocol: str) -> float:
    spent = []
    for _ in range(300):
        begun = time.process_time()
        house.sign_in("known", secret, protocol)
        spent.append(time.process_time() - begun)
    return statistics.median(spent)


def _refusals(house: House, samples: int) -> list[Refusals]:
    kinds = {"unknown": b"a wrong one", "wrong": b"a wrong one", "locked": _PASSWORD, "suspended": _PASSWORD}
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(samples):
        for name, secret in kinds.items():
            times[name].append(house.refused(name, secret))
    return [Refusals(name, statistics.median(each), _longer(each, times["unknown"])) for name, each in times.items()]


def _longer(these: list[float], those: list[float]) -> float:
    """Return in which part of all pairs the one of *these* is the longer (Mann and Whitney)."""
    return sum((this > that) + (this == that) / 2 for this in these for that in those) / len(these) / len(those)
