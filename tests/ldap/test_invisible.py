"""What somebody may not see makes no difference at the wire: every answer is that of a community without it.

Communities, readers and questions are made up; each question is put to the community, and to the same one without
whatever the reader may not see. The answers must be the same, octet for octet: entries, values, order, counts, codes,
the names that errors name, pages and views. Only cookies, which are random, may differ.

``CJSM_LDAP_COMMUNITIES=1000`` tries more of them than CI does.
"""

import os
from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from cjsm.community.identifiers import AccountId, ListId, MailboxId
from cjsm.community.records import (
    Account,
    AddressRecord,
    Life,
    MailList,
    Organisation,
    OwnerKind,
    Record,
    RoleAssignment,
    SharedMailbox,
)
from cjsm.directory import schema
from cjsm.directory.catalogue import FLAT, Catalogue
from cjsm.directory.schema import AttributeType
from tests.directory.support import address, number
from tests.directory.test_visibility import _Told as Told
from tests.directory.test_visibility import communities
from tests.ldap import support
from tests.ldap.house import Connection, House
from tests.ldap.questions import Asker, Known

_QUESTIONS = 12
_COMMUNITIES = int(os.environ.get("CJSM_LDAP_COMMUNITIES", "25"))
_SCHEMA = schema.load()


@st.composite
def peopled(draw: st.DrawFn) -> list[Record]:
    """A community with lists, shared mailboxes and second addresses too."""
    made = draw(communities())
    for found in [record for record in made if isinstance(record, Organisation)]:
        each = int.from_bytes(found.id, "big")
        desk, everybody = MailboxId(number(500 + each)), ListId(number(600 + each))
        unlisted = draw(st.booleans())
        made += [
            SharedMailbox(
                id=desk,
                organisation=found.id,
                slug="desk",
                name=f"Desk {each}",
                ex_directory=unlisted,
                life=draw(st.sampled_from((Life.ACTIVE, Life.DELETED))),
            ),
            address(f"desk@org{each}.cjsm.test", desk, kind=OwnerKind.SHARED_MAILBOX),
            MailList(
                id=everybody,
                organisation=found.id,
                slug="everybody",
                name=f"Everybody {each}",
                ex_directory=not unlisted,
                members=(f"p0.ann@org{each}.cjsm.test",),
            ),
            address(f"everybody@org{each}.cjsm.test", everybody, kind=OwnerKind.LIST),
            address(f"other{each}@org{each}.cjsm.test", AccountId(number(each * 10)), alias=True),
        ]
    return made


def without_the_invisible(made: list[Record], told: Told) -> list[Record]:
    """Return *made* without what the reader of *told* may not see, however it is hidden."""
    seen_organisations = {
        found.id for found in made if isinstance(found, Organisation) and told.sees_organisation(found.id)
    }
    # Above something that is seen there is something, though it may not be seen itself.
    kept = {above.id for identifier in seen_organisations for above in told._above(identifier)}
    owners: set[bytes] = set()
    left: list[Record] = []
    for record in made:
        match record:
            case Organisation() if record.id in kept:
                left.append(record)
            case Account() if told.sees(record.id):
                owners.add(record.id)
                left.append(_as_seen(record, told))
            case SharedMailbox() | MailList() if record.organisation in seen_organisations:
                in_charge = told._in_charge(record.organisation, states=True)
                withdrawn = isinstance(record, SharedMailbox) and record.life is Life.DELETED
                listed = not record.ex_directory or told._colleague(record.organisation)
                if in_charge or (listed and not withdrawn):
                    owners.add(record.id)
                    hides = isinstance(record, MailList) and not in_charge
                    left.append(msgspec.structs.replace(record, members=()) if hides else record)
            case _:
                pass
    left += [record for record in made if isinstance(record, AddressRecord) and record.owner in owners]
    reader = told._reader.id
    return left + [record for record in made if isinstance(record, RoleAssignment) and record.account == reader]


def _as_seen(account: Account, told: Told) -> Account:
    """Return *account* without the values that the reader may not read."""
    profile = account.profile
    if not told.sees_mobile(account.id):
        profile = msgspec.structs.replace(profile, mobile="")
    if told._in_charge(account.organisation, states=True):
        return msgspec.structs.replace(account, profile=profile)
    return msgspec.structs.replace(account, profile=profile, locked=False, life=Life.ACTIVE)


def known(made: list[Record]) -> Known:
    """Return what there is to ask for, seen or not."""
    reading = House(base=made).directory.reading(AccountId(number(10)))
    catalogue = reading.catalogue
    positions = list(catalogue.positions())
    values: dict[str, list[str]] = {}
    for attribute in _SCHEMA.attributes:
        found = {value for position in positions for value in _held(catalogue, position, attribute)}
        if found:
            values |= {name.lower(): sorted(found) for name in (*attribute.names, attribute.oid)}
    values["numsubordinates"] = [str(count) for count in range(5)]
    return Known(names=[catalogue.dn(position) for position in positions], values=values)


def _held(catalogue: Catalogue, position: int, attribute: AttributeType) -> Sequence[str]:
    entry = catalogue.entry(position)
    if attribute.operational:
        return entry.operational(attribute.key, catalogue.dn(position), flat=position >= FLAT)
    return entry.values().get(attribute.key, ())


def asked(asker: Asker, about: Known, chance: Any) -> list[bytes]:
    """Return requests of all kinds."""
    found = [support.extended(2, "1.3.6.1.4.1.4203.1.11.3")]
    for _ in range(_QUESTIONS):
        question = asker.question()
        dn = chance.choice(about.names)
        attribute = chance.choice(sorted(about.values))
        value = chance.choice(about.values[attribute])
        sort = support.sort(chance.choice(("cn", "-sn", "mail", "numSubordinates", "mobile", "cjsmLocked")))
        place = chance.choice((1, 2, 3, 50, "a", "p", value))
        counted = question.base if chance.random() < 0.5 else dn
        found += [
            question.octets(2),
            support.compare(2, dn, attribute, value, support.asserted(question.filter)),
            support.compare(2, dn, attribute, value),
            support.search(2, question.filter, base=question.base, controls=[sort, support.view(1, 2, place, 4)]),
            support.search(2, question.filter, base=dn, scope=0, controls=[support.asserted(question.filter)]),
            support.search(
                2, support.present("objectClass"), base=counted, scope=question.scope, attributes=["*", "+"]
            ),
            support.search(2, support.equal(attribute, value), base=question.base, attributes=["1.1"]),
            support.search(2, support.element(0xA2, support.equal(attribute, value)), controls=[sort]),
        ]
    return found


def told_to(connection: Connection, octets: bytes) -> list[Any]:
    """Return the answers; of cookies only whether there is one."""
    answers = connection.ask(octets)
    given = answers[-1].controls
    if support.PAGED_RESULTS in given:
        given[support.PAGED_RESULTS] = b"more" if answers[-1].cookie else b"last"
    return answers


# Without making a failure smaller, which takes minutes here.
@settings(max_examples=_COMMUNITIES, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(peopled(), st.randoms(use_true_random=False), st.sampled_from((2, 5, 1_000)))
def test_the_invisible_makes_no_difference(made: list[Record], chance: Any, entries: int) -> None:
    """Whoever asks whatever hears the same whether or not there is something that it may not see."""
    accounts = [found for found in made if isinstance(found, Account)]
    reader = chance.choice(accounts)
    told = Told(made, reader.id)
    assume(told.sees(reader.id))
    about = known(made)
    houses = [
        House(base=records, entries=entries, administrator_entries=entries, entries_per_hour=0, entries_per_day=0)
        for records in (made, without_the_invisible(made, told))
    ]
    connections = [house.connect(reader.user_id) for house in houses]
    for octets in asked(Asker(about, chance.getrandbits(32)), about, chance):
        whole, without = (told_to(connection, octets) for connection in connections)
        assert whole == without, octets
