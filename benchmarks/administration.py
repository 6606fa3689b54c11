"""What verbs of administration cost in a community of 10,000 organisations and 500,000 people, beside a small one.

People are made by the acts that make them, without keys, which no verb here looks at; how long those take is another
figure (`cjsm user import` says it). Each answer is measured in an interpreter that has everything imported, and
once more as somebody types the command: the processor time of all of it.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from click.testing import CliRunner

from benchmarks import ours
from cjsm.command.context import wait
from cjsm.command.main import main
from cjsm.community.acts import accounts, lists, organisations, roles
from cjsm.community.acts.acting import By
from cjsm.community.acts.profiles import together
from cjsm.community.address import Address
from cjsm.community.identifiers import LENGTH, AccountId, ListId, MailboxId, OrganisationId, RoleAssignmentId
from cjsm.community.records import Account, MailList, Organisation, Profile, Role, RoleAssignment
from cjsm.community.view import Change, View
from cjsm.configuration import load
from cjsm.suite import Suite

#: Organisations below each top organisation.
_BELOW = 9
_TOGETHER = 500
_AGAIN = 5
#: Seconds within which a verb answers.
BAR = 0.2


@dataclass(frozen=True)
class Made:
    """What making a community cost.

    :ivar octets: of its store on disk; ``peak`` in memory.
    """

    organisations: int
    people: int
    seconds: float
    octets: int
    peak: int

    def line(self) -> str:
        """Return it for people."""
        each = self.seconds / max(self.people, 1) * 1e6
        return (
            f"{self.organisations:,} organisations, {self.people:,} people: made in {self.seconds:,.0f} s "
            f"({each:,.0f} µs each), {self.octets / 2**20:,.0f} MiB on disk, {self.peak / 2**20:,.0f} MiB in memory"
        )


@dataclass(frozen=True)
class Answer:
    """How long a verb took, in seconds: the least and the median of several, and in a small community.

    :ivar typed: processor time of a command of its own, with what it imports, in the small community; the median.
    """

    verb: str
    least: float
    median: float
    small: float
    typed: float

    def line(self) -> str:
        """Return it for people."""
        mark = "" if self.median <= BAR else "   over 200 ms"
        return (
            f"{self.verb:55} {self.least * 1e3:7.1f} ms least, {self.median * 1e3:7.1f} median, "
            f"{self.small * 1e3:7.1f} in a small community, "
            f"{self.typed * 1e3:5.0f} of processor as a command{mark}"
        )


def measure(home: Path, places: int, people: int, say: Callable[[str], None]) -> tuple[Made, list[Answer]]:
    """Make both communities where they are not there, and ask each verb several times."""
    large, small = home / f"administration-{places}-{people}", home / "administration-10-100"
    made = _made(large, places, people, say)
    _made(small, 10, 100, say)
    found = []
    for verb in _verbs(made):
        few = statistics.median(_ask(small, words) for words in _several(_verbs(_read(small))[verb]))
        typed = statistics.median(_type(small, words) for words in _several(_verbs(_read(small))[verb]))
        many = [_ask(large, words) for words in _several(_verbs(made)[verb])]
        found.append(Answer(verb, min(many), statistics.median(many), few, typed))
        say(found[-1].line())
    return made, found


def _several(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (words for _ in range(_AGAIN))


def _verbs(made: Made) -> dict[str, tuple[str, ...]]:
    """Return what is asked, of somebody in the middle."""
    number = made.people // 2
    top = (number * made.organisations // made.people) // (_BELOW + 1)
    who, chief = f"ann{number}.lee@top{top}", f"chief{top}.lee@top{top}"
    words = {
        "user show USER": ("user", "show", who),
        "user list --organisation PATH": ("user", "list", "--organisation", f"top{top}"),
        "role list --user USER": ("role", "list", "--user", chief),
        "role list (those over one organisation)": ("role", "list", "--organisation", f"top{top}"),
        "list show ADDRESS": ("list", "show", f"all@top{top}.bench.test"),
        "quota show USER": ("quota", "show", who),
        "quota show --organisation PATH": ("quota", "show", "--organisation", f"top{top}"),
        "organisation show PATH": ("organisation", "show", f"top{top}"),
        "user change USER": ("user", "change", who, "--town", str(time.time_ns())),
        "user rename USER": ("user", "rename", who, "--first", f"Ann{number}", "--last", "Lee", "--user-id", who),
        "report locked --organisation PATH": ("report", "locked", "--organisation", f"top{top}"),
        "report inactive --organisation PATH": ("report", "inactive", "--organisation", f"top{top}"),
    }
    return {verb: (*asked, "--json") for verb, asked in words.items()}


def _ask(home: Path, words: tuple[str, ...]) -> float:
    runner, began = CliRunner(), time.perf_counter()
    result = runner.invoke(main, list(words), env={"CJSM_CONFIG": str(home / "cjsm.toml")})
    took = time.perf_counter() - began
    if result.exit_code:
        raise SystemExit(f"{' '.join(words)}: {result.output}")
    return took


def _type(home: Path, words: tuple[str, ...]) -> float:
    """Return the processor time of a command in an interpreter of its own, in seconds."""
    before = os.times()
    subprocess.run(
        [sys.executable, "-c", "from cjsm.command.main import main; main()", *words],
        env=os.environ | {"CJSM_CONFIG": str(home / "cjsm.toml")}, stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def _read(home: Path) -> Made:
    return Made(**json.loads((home / "made.json").read_text()))


def _made(home: Path, places: int, people: int, say: Callable[[str], None]) -> Made:
    if not (home / "made.json").exists():
        shutil.rmtree(home, ignore_errors=True)
        say(f"making {places:,} organisations with {people:,} people")
        suite = Suite(load(ours.settle(home)))
        began = time.monotonic()
        _make(suite, places, people)
        seconds = time.monotonic() - began
        wait(suite.stores.close())
        octets = (home / "data" / "community.mdb").stat().st_blocks * 512
        made = Made(places, people, seconds, octets, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        (home / "made.json").write_text(json.dumps(asdict(made)))
    made = _read(home)
    say(made.line())
    return made


def _make(suite: Suite, places: int, people: int) -> None:
    tops = range(max(places // (_BELOW + 1), 1))
    for top in tops:
        _commit(suite, partial(_top, top=top))
        _commit(suite, partial(_all_below, top=top))
    for first in range(0, people, _TOGETHER):
        numbers = range(first, min(first + _TOGETHER, people))
        _commit(suite, partial(_people, numbers=numbers, places=places, people=people))
    for top in tops:
        for act in (_chief, _appointed, _list):
            _commit(suite, partial(act, top=top))


def _people(view: View, by: By, numbers: range, places: int, people: int) -> Change:
    persons = (_account("ann", number, number * places // people) for number in numbers)
    return together([accounts.add_hosted(view, by, each) for each in persons])


def _commit(suite: Suite, decide: Callable[[View, By], Change]) -> None:
    by = suite.by()
    wait(suite.stores.community.commit(by.act_id, lambda view: decide(view, by)))


def _identifier(kind: bytes, number: int) -> bytes:
    return kind.ljust(8, b".") + number.to_bytes(LENGTH - 8, "big")


def _place(number: int) -> OrganisationId:
    return OrganisationId(_identifier(b"place", number))


def _top(view: View, by: By, top: int) -> Change:
    number, slug = top * (_BELOW + 1), f"top{top}"
    return organisations.add(
        view, by, Organisation(id=_place(number), parent=None, slug=slug, name=slug, abbreviation=slug)
    )


def _all_below(view: View, by: By, top: int) -> Change:
    below = range(top * (_BELOW + 1) + 1, (top + 1) * (_BELOW + 1))
    return together([_below(view, by, each, top) for each in below])


def _below(view: View, by: By, number: int, top: int) -> Change:
    slug, parent = f"below{number}", _place(top * (_BELOW + 1))
    return organisations.add(view, by, Organisation(id=_place(number), parent=parent, slug=slug, name=slug))


def _account(name: str, number: int, place: int) -> Account:
    top = place // (_BELOW + 1)
    return accounts.new_hosted(
        AccountId(_identifier(name.encode(), number)),
        MailboxId(_identifier(b"m" + name.encode(), number)),
        _place(place),
        f"{name}{number}.lee@top{top}",
        Profile(first_name=f"{name.title()}{number}", last_name="Lee", telephone="0117 496 0110"),
        0,
    )


def _chief(view: View, by: By, top: int) -> Change:
    return accounts.add_hosted(view, by, _account("chief", top, top * (_BELOW + 1)))


def _appointed(view: View, by: By, top: int) -> Change:
    held = RoleAssignment(
        id=RoleAssignmentId(os.urandom(LENGTH)),
        account=AccountId(_identifier(b"chief", top)),
        role=Role.ORGANISATION_ADMINISTRATOR,
        organisation=_place(top * (_BELOW + 1)),
    )
    return roles.grant(view, by, held)


def _list(view: View, by: By, top: int) -> Change:
    """A list of everybody in the first organisation below."""
    people = view.accounts_in(_place(top * (_BELOW + 1) + 1))
    members = tuple(record.address for each in people for record in view.addresses_of(each.id))
    place = _place(top * (_BELOW + 1))
    made = MailList(id=ListId(os.urandom(LENGTH)), organisation=place, slug="all", name="All", members=members)
    return lists.add(view, by, made, Address("all", f"top{top}.bench.test"))
