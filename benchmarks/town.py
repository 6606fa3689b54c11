"""A large community to look people up in, made quickly: organisations of all sizes, each person with a whole profile.

The people that sign in are made through enrolment, everybody else is put straight into the store, many in a commit.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import ours
from benchmarks.load import Person
from cjsm.command.context import wait
from cjsm.community.identifiers import LENGTH, AccountId, OrganisationId
from cjsm.community.records import (
    Account,
    AccountKind,
    AddressRecord,
    Credential,
    Life,
    Organisation,
    OwnerKind,
    Profile,
    Record,
)
from cjsm.community.view import Change
from cjsm.configuration import load
from cjsm.suite import Suite

SUFFIX = "bench.test"
BASE = "dc=bench,dc=test"
#: People who sign in.
READERS = 20
_TOGETHER = 5_000
#: People of an organisation on average, its parts included.
_PER_ORGANISATION = 50
_AREAS = (
    "Avon and Somerset",
    "Cumbria",
    "Dyfed-Powys",
    "Essex",
    "Gwent",
    "Kent",
    "London",
    "Norfolk",
    "Surrey",
    "Wiltshire",
)
_KINDS = ("Police", "Solicitors", "Probation", "Court", "Victim services")
_TOWNS = ("Bristol", "Carlisle", "Chelmsford", "London", "Maidstone", "Newport", "Norwich", "Guildford", "Swindon")
_STARTS = ("an", "ber", "car", "dav", "el", "fran", "ge", "har", "is", "ja", "ka", "lu", "mar", "ni", "ol", "pet", "ro")
_ENDS = ("a", "ard", "bert", "cia", "da", "ella", "gar", "ian", "ita", "line", "mund", "na", "nie", "rick", "son", "y")
_FAMILY = ("ash", "brad", "cart", "daw", "ed", "field", "gold", "hart", "kirk", "lang", "marsh", "nor", "park", "rad")
_FAMILIES = ("bury", "by", "cott", "den", "er", "ford", "ham", "ington", "ley", "man", "ridge", "smith", "ston", "well")


def place(home: Path, people: int) -> Path:
    """Return where the community of so many people lives."""
    return home / f"town-{people}"


def prepare(home: Path, people: int, say: Callable[[str], None]) -> list[Person]:
    """Make the community in *home* unless it is there; return those who sign in."""
    done = home / "town.json"
    if done.exists():
        return [Person(**each) for each in json.loads(done.read_text())]
    say(f"making {people:,} people")
    shutil.rmtree(home, ignore_errors=True)
    suite = Suite(load(ours.settle(home)))
    for records in _batches(people):
        put(suite, records)
    readers = [_reader(suite, number) for number in range(READERS)]
    wait(suite.stores.close())
    done.write_text(json.dumps([asdict(each) for each in readers]))
    return readers


def put(suite: Suite, records: tuple[Record, ...]) -> None:
    """Put *records* into the store as they are."""
    wait(suite.stores.community.commit(suite.by().act_id, lambda view: Change(put=records)))


def organisation_id(number: int) -> OrganisationId:
    """Return the identifier of an organisation."""
    return OrganisationId((number + 1).to_bytes(LENGTH, "big"))


def account_id(number: int) -> AccountId:
    """Return the identifier of a person."""
    return AccountId(random.Random(number).randbytes(LENGTH))


def person(number: int, people: int) -> tuple[Account, AddressRecord]:
    """Return one person with an address."""
    chance = random.Random(number)
    first = (chance.choice(_STARTS) + chance.choice(_ENDS)).capitalize()
    # A few thousand last names, some much more frequent than others.
    last = (chance.choice(_FAMILY) + chance.choice(_FAMILIES)).capitalize()
    if chance.random() < 0.5:
        last = f"{last}-{(chance.choice(_FAMILY) + chance.choice(_FAMILIES)).capitalize()}"
    home = min(int(chance.paretovariate(0.6)), _organisations(people)) - 1
    user_id = f"{first}.{last}-{number}@o{home}".lower()
    area = chance.randrange(len(_AREAS))
    profile = Profile(
        first_name=first,
        last_name=last,
        user_type=chance.choice(("Officer", "Solicitor", "Clerk", "Administrator")),
        address1=f"{chance.randrange(1, 300)} High Street",
        address2="Floor 2" if chance.random() < 0.3 else "",
        town=chance.choice(_TOWNS),
        postcode=f"BS{chance.randrange(1, 40)} {chance.randrange(1, 9)}AA",
        telephone=f"+44 117 {chance.randrange(10**6, 10**7)}",
        mobile=f"07700 {chance.randrange(10**5, 10**6)}",
        description=chance.choice(("Case worker", "Duty desk", "Disclosure", "Custody", "Witness care")),
        business_type=_KINDS[home % len(_KINDS)],
        area=_AREAS[area],
        ordinary_email=f"p{number}@outside.example",
    )
    account = Account(
        id=account_id(number),
        organisation=organisation_id(home),
        kind=AccountKind.RELAYED,
        user_id=user_id,
        profile=profile,
        life=Life.ACTIVE,
        credential=Credential.CHOSEN,
        created=1_700_000_000 + number // 100,
        ex_directory=number % 50 == 0,
    )
    address = AddressRecord(address=f"{user_id}.{SUFFIX}", owner_kind=OwnerKind.ACCOUNT, owner=account.id)
    return account, address


def _organisations(people: int) -> int:
    return max(people // _PER_ORGANISATION, 4 * READERS)


def _batches(people: int) -> Iterator[tuple[Record, ...]]:
    count = _organisations(people)
    for first in range(0, count, _TOGETHER):
        yield tuple(_organisation(number) for number in range(first, min(first + _TOGETHER, count)))
    for first in range(0, people, _TOGETHER):
        both = (person(number, people) for number in range(first, min(first + _TOGETHER, people)))
        yield tuple(record for each in both for record in each)


def _organisation(number: int) -> Organisation:
    # Every fourth one is a top organisation with three parts.
    top = number - number % 4
    kind = _KINDS[top % len(_KINDS)]
    parts = (f"{_AREAS[top % len(_AREAS)]} {kind} {top}", "Crime", "Custody", "Justice Unit")
    return Organisation(
        id=organisation_id(number),
        parent=None if number == top else organisation_id(top),
        slug=f"org{number}",
        name=parts[number % 4],
        abbreviation=f"o{number}",
        business_type=kind,
        area=_AREAS[top % len(_AREAS)],
    )


def _reader(suite: Suite, number: int) -> Person:
    enrolment = suite.enrolment
    profile = Profile(first_name=f"Reader{number}", last_name="Bench")
    user_id = f"reader{number}.bench@o{number * 4}"
    enrolled: Any = wait(
        enrolment.add_hosted(enrolment.by(), organisation_id(number * 4), user_id, profile, suite.settings.mail.quota)
    )
    password = f"correct horse battery {number}"
    identifier = enrolled.account.id
    one_time = enrolled.one_time_password.encode()
    wait(enrolment.set_password(enrolment.by(identifier), identifier, one_time, password.encode()))
    return Person(user_id, enrolled.address, password)
