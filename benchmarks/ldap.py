"""People looked up over LDAP and TLS in a large community: this service beside slapd, and beside its own bars."""

import base64
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from msgspec import structs

from benchmarks import ours, town
from benchmarks.asking import Client, Question, Server, begins, both, contains, either, equal, present, trusting
from benchmarks.load import Person
from benchmarks.peers import slapd
from benchmarks.processes import anonymous_memory, free_ports, processor_seconds, settle
from cjsm.command.context import wait
from cjsm.configuration import load
from cjsm.directory import schema
from cjsm.directory.loading import load as load_catalogue
from cjsm.directory.query import Limits, Query, SortKey, Window
from cjsm.directory.reading import Reading
from cjsm.directory.search import Search
from cjsm.directory.selection import attributes, selected
from cjsm.ldap.encoded import EncodedEntries
from cjsm.ldap.grammar.limits import DecodingLimits
from cjsm.ldap.grammar.requests import SearchRequest, decode
from cjsm.suite import Suite

_OUTLOOK = (
    *("cn", "commonName", "mail", "roleOccupant", "display-name", "displayname", "sn", "surname", "co", "o"),
    *("givenName", "legacyExchangeDN", "objectClass", "uid", "mailNickname", "title", "company"),
    "physicalDeliveryOfficeName",
)
_FEW = ("cn", "mail")
_IOS = ("o", "cn", "ou", "sn", "mail", "IMHandle", "givenName", "postalAddress", "telephoneNumber")
#: Processor time of a server, in seconds, that one figure is made of, and its requests at most.
_SECONDS, _MOST = 0.5, 5_000
_CHANGES = 10
#: Answers of one look inside, how many looks, and seconds between them.
_INSIDE, _ROUNDS, _PAUSE = 50, 30, 0.5


@dataclass
class Asked:
    """One question's figures.

    :ivar bar: processor seconds of a request that the directory may take; what brings requests to it is not in it.
    :ivar pairs: processor seconds of a request, and seconds until the answer: ours, theirs.
    :ivar inside: processor seconds from the request's octets to the answer's, without network, TLS, reactor and log.
    """

    name: str
    bar: float
    entries: tuple[int, int] = (0, 0)
    pairs: list[tuple[tuple[float, float], tuple[float, float]]] = field(default_factory=list)
    inside: float = 0.0

    def middle(self, side: int, which: int) -> float:
        """Return the median of one figure, in microseconds."""
        return statistics.median(pair[side][which] for pair in self.pairs) * 1e6

    def _verdict(self, spent: float) -> str:
        return "reached" if spent <= self.bar else "NOT reached"

    def line(self) -> str:
        """Return what people read."""
        ratios = sorted(theirs[0] / mine[0] for mine, theirs in self.pairs)
        spent = self.middle(0, 0)
        inside = f"   inside {self.inside * 1e6:.0f} µs, {self._verdict(self.inside)}" if self.inside else ""
        return (
            f"{self.name:<28} processor {spent:8.0f} : {self.middle(1, 0):8.0f} µs   {statistics.median(ratios):7.2f}"
            f" times less ({ratios[0]:.2f}-{ratios[-1]:.2f}, {len(ratios)} pairs)   bar {self.bar * 1e6:5.0f} µs"
            f" {self._verdict(spent / 1e6)}{inside}   wall {self.middle(0, 1):.0f} :"
            f" {self.middle(1, 1):.0f} µs   entries {self.entries[0]} : {self.entries[1]}"
        )


@dataclass
class Found:
    """What was measured."""

    people: int
    questions: list[Asked]
    ready_seconds: float
    ready_processor: float
    memory: tuple[int, int]
    changes: list[float] = field(default_factory=list)
    longest_pause: float = 0.0

    def document(self) -> dict[str, object]:
        """Return what programs read."""
        return asdict(self)


def questions(people: int) -> list[tuple[str, float, Question]]:
    """Return what is asked: name, bar in processor seconds, request."""
    account, address = town.person(people // 3 + 1, people)
    first, last = account.profile.first_name.lower(), account.profile.last_name.lower().partition("-")[0]
    names = ("cn", "sn", "givenName", "mail")
    return [
        ("mail equality", 60e-6, Question(equal("mail", address.address), _FEW)),
        ("4 beginnings, 100 entries", 250e-6, Question(either(*(begins(name, "mar") for name in names)), _FEW, 100)),
        (
            "contains, 3 letters",
            400e-6,
            Question(either(contains("displayName", "ash"), contains("mail", "ash")), _FEW, 100),
        ),
        (
            "Outlook",
            300e-6,
            Question(both(either(*(begins(name, first) for name in (*names, "displayName")))), _OUTLOOK, 100),
        ),
        (
            "Thunderbird, two words",
            800e-6,
            Question(
                either(
                    contains("cn", first, last),
                    contains("mail", f"{first} {last}"),
                    contains("givenName", first),
                    contains("sn", f"{first} {last}"),
                ),
                (),
                100,
            ),
        ),
        ("iOS, no match", 100e-6, Question(either(*(begins(name, "zzyx") for name in _IOS)), _FEW)),
        ("VLV, first page", 100e-6, Question(present("mail"), _FEW, window=("cn", 20))),
    ]


def measure(home: Path, people: int, pairs: int, beside: bool, say: Callable[[str], None]) -> Found:
    """Ask both sides in turn, *pairs* times; without a peer, this service alone.

    :param beside: whether slapd is asked too.
    """
    place = town.place(home, people)
    readers = town.prepare(place, people, say)
    peer = home / f"slapd-{people}"
    authority = place / "tls" / "authority.pem"
    if beside:
        say("loading slapd (some minutes, the first time)")
        slapd.prepare(peer, schema.read_text(), town.BASE, place / "tls", _ldif(place, readers[0]))
    with _ours(place, readers[0]) as (mine, process):
        found = Found(people, [], *_ready(mine, process, people), (0, 0))
        say(f"ready after {found.ready_seconds:.1f} s, {found.ready_processor:.1f} s of processor")
        settle(process)
        sides: list[tuple[Server, int]] = [(mine, process)]
        if beside:
            with slapd.service(peer, town.BASE, str(authority)) as theirs:
                _ask_all(found, [*sides, theirs], pairs, say)
                found.memory = anonymous_memory(process), _resident(theirs[1])
        else:
            _ask_all(found, sides * 2, pairs, say)
            found.memory = anonymous_memory(process), 0
        found.changes, found.longest_pause = _follow(place, mine, people, say)
        say(f"memory {found.memory[0] >> 20} : {found.memory[1] >> 20} MiB")
    _ask_inside(found, place, readers[0])
    return found


@contextmanager
def _ours(place: Path, reader: Person) -> Iterator[tuple[Server, int]]:
    (port,) = free_ports(1)
    settings = (place / "cjsm.toml").read_text().partition("[ldap]")[0]
    doors = (
        f'[ldap]\nldaps = "tcp:{port}:interface=127.0.0.1"\nentries_per_hour = 0\nentries_per_day = 0\nidle = 3600\n'
    )
    config = place / "ldap.toml"
    config.write_text(settings + doors)
    with ours.part(place, config, "cjsm-ldap", port) as process:
        authority = str(place / "tls" / "authority.pem")
        yield Server("ours", port, authority, "", reader.user_id, reader.password), process


def _ready(server: Server, process: int, people: int) -> tuple[float, float]:
    """Wait until the directory answers; return seconds since the door was open, and processor seconds in all."""
    began, question = time.monotonic(), questions(people)[0][2]
    client = Client(server, trusting(server.authority))
    while not client.ask(question)[1]:
        if time.monotonic() - began > 600:
            raise RuntimeError("the directory was not ready within ten minutes")
        time.sleep(0.1)
    client.close()
    return time.monotonic() - began, processor_seconds(process)


def _ask_all(found: Found, sides: Sequence[tuple[Server, int]], pairs: int, say: Callable[[str], None]) -> None:
    clients = [Client(server, trusting(server.authority)) for server, _ in sides]
    for name, bar, question in questions(found.people):
        asked = Asked(name, bar)
        asked.entries = (clients[0].ask(question)[1], clients[1].ask(question)[1])
        _alternate(asked, sides, pairs, [partial(client.ask, question) for client in clients])
        say(asked.line())
        found.questions.append(asked)
    for client in clients:
        client.close()
    asked = Asked("TLS, sign-in, search", 2_200e-6, (1, 1))
    _alternate(asked, sides, pairs, [_connecting(server, found.people) for server, _ in sides])
    say(asked.line())
    found.questions.append(asked)


def _alternate(
    asked: Asked, sides: Sequence[tuple[Server, int]], pairs: int, asking: Sequence[Callable[[], object]]
) -> None:
    for number in range(pairs):
        # Who goes first changes, so that neither always meets the other's leftovers.
        order = (0, 1) if number % 2 else (1, 0)
        made = {side: _often(asking[side], sides[side][1]) for side in order}
        asked.pairs.append((made[0], made[1]))


def _connecting(server: Server, people: int) -> Callable[[], object]:
    """Return what makes a new connection with a session that is resumed, signs in and asks, as at each letter typed."""
    question, context = questions(people)[0][2], trusting(server.authority)
    first = Client(server, context)
    first.ask(question)
    kept = first.close()

    def once() -> None:
        client = Client(server, context, kept)
        client.ask(question)
        client.close()

    return once


def _ask_inside(found: Found, place: Path, reader: Person) -> None:
    """Ask the directory alone, in this process, each question in turn, for some time.

    What else the machine does only adds to a figure, for seconds at a time: the least counts.
    """
    with _listed(place, reader) as seen:
        encoded = EncodedEntries()
        for _ in range(_ROUNDS):
            for asked, (_, _, question) in zip(found.questions, questions(found.people), strict=False):
                spent = _once(question.request("", 7), question, seen, encoded)
                asked.inside = min(asked.inside or spent, spent)
            time.sleep(_PAUSE)


def _once(octets: bytes, question: Question, seen: Reading, encoded: EncodedEntries) -> float:
    """Return processor seconds of one answer."""
    _answered(octets, question, seen, encoded)
    began = time.thread_time()
    for _ in range(_INSIDE):
        _answered(octets, question, seen, encoded)
    return (time.thread_time() - began) / _INSIDE


def _answered(octets: bytes, question: Question, seen: Reading, encoded: EncodedEntries) -> bytes:
    request = decode(octets, DecodingLimits()).request
    assert isinstance(request, SearchRequest)
    query = Query(filter=request.filter, attributes=request.attributes, size_limit=request.size_limit)
    if question.window is not None:
        attribute, count = question.window
        window = Window(before=0, after=count - 1, offset=1)
        query = structs.replace(query, sort=(SortKey(attribute=attribute),), window=window)
    search = Search(seen, query, Limits())
    encoder = encoded.encoder(seen, request.attributes, types_only=False)
    parts = []
    while search.outcome is None:
        parts.append(encoder.messages(7, search.step()))
    return b"".join(parts)


def _often(ask: Callable[[], object], process: int) -> tuple[float, float]:
    """Return the server's processor seconds and the seconds of one *ask*, of as many as make a figure."""
    before, began, done = processor_seconds(process), time.monotonic(), 0
    while done < _MOST and (done % 16 or processor_seconds(process) - before < _SECONDS):
        ask()
        done += 1
    return (processor_seconds(process) - before) / done, (time.monotonic() - began) / done


def _follow(place: Path, server: Server, people: int, say: Callable[[str], None]) -> tuple[list[float], float]:
    """Change people one by one, under load; return after how many seconds each was found, and the longest wait."""
    suite = Suite(load(place / "ldap.toml"))
    longest, ended = [0.0], threading.Event()

    def neighbour() -> None:
        client, question = Client(server, trusting(server.authority)), questions(people)[0][2]
        while not ended.is_set():
            began = time.monotonic()
            client.ask(question)
            longest[0] = max(longest[0], time.monotonic() - began)
            time.sleep(0.002)
        client.close()

    waiting = threading.Thread(target=neighbour)
    waiting.start()
    seconds = []
    try:
        client = Client(server, trusting(server.authority))
        for count in range(_CHANGES):
            account, _ = town.person(people // 2 + 1 + count, people)
            mark = f"changed{time.time_ns()}"
            profile = structs.replace(account.profile, description=mark)
            town.put(suite, (structs.replace(account, profile=profile),))
            began = time.monotonic()
            question = Question(equal("uid", account.user_id), ("description",))
            wanted = Question(both(equal("description", mark), question.filter), ("cn",))
            while not client.ask(wanted)[1]:
                if time.monotonic() - began > 60:
                    raise RuntimeError("a change was not found within a minute")
                time.sleep(0.01)
            seconds.append(time.monotonic() - began)
        client.close()
    finally:
        ended.set()
        waiting.join()
        wait(suite.stores.close())
    say(f"changes found after {max(seconds):.2f} s at most; the longest wait of a neighbour {longest[0] * 1000:.0f} ms")
    return seconds, longest[0]


def _ldif(place: Path, reader: Person) -> Iterator[str]:
    """Yield what a member of the community sees, as LDIF: the same that is asked of both sides."""
    with _listed(place, reader) as seen:
        catalogue, everything = seen.catalogue, selected(seen.schema, ("*",))
        for position in catalogue.positions():
            dn = seen.dn(position)
            if seen.visible(position) and dn.endswith(town.BASE):
                lines = [f"dn: {dn}\n"]
                for name, values in attributes(seen, position, everything):
                    lines += [_line(name, value) for value in values]
                yield "".join(lines) + "\n"


@contextmanager
def _listed(place: Path, reader: Person) -> Iterator[Reading]:
    """Yield the directory as *reader* sees it."""
    suite = Suite(load(place / "cjsm.toml"))
    try:
        catalogue = suite.stores.community.read_now(lambda view: load_catalogue(view, schema.load()))
        account = suite.stores.community.read_now(lambda view: view.account_of_user_id(reader.user_id))
        assert account is not None
        yield Reading(catalogue, account.id)
    finally:
        wait(suite.stores.close())


def _line(name: str, value: str) -> str:
    if value.isascii() and not value.startswith((" ", ":", "<")):
        return f"{name}: {value}\n"
    return f"{name}:: {base64.b64encode(value.encode()).decode()}\n"


def _resident(process: int) -> int:
    """Return what *process* has in memory, pages of its database included: they are what its answers are made of."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(process)
