"""After any changes the directory that followed them says what one loaded anew says."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from cjsm.community.memory import MemoryView
from cjsm.community.records import Account, AddressRecord, MailList, Organisation, Record, RoleAssignment, SharedMailbox
from cjsm.community.view import record_key
from cjsm.directory import names, schema
from cjsm.directory.catalogue import Catalogue
from cjsm.directory.loading import load
from cjsm.directory.query import Filter, Limits, NoSuchEntry, Query
from cjsm.directory.reading import Reading
from cjsm.directory.search import Search
from cjsm.directory.selection import attributes, selected
from tests.directory.generated import (
    FILTERS,
    THOROUGH,
    a_function,
    a_person,
    a_role,
    an_organisation,
    bases,
    communities,
    readers,
)
from tests.directory.test_following import Community, following

_ALL = Limits(entries=10_000, administrator_entries=10_000, term_characters=0)


@st.composite
def a_change(draw: st.DrawFn) -> tuple[str, list[Record]]:
    """Something made or changed, or the number of something taken away."""
    kind = draw(
        st.sampled_from(("organisation", "person", "person", "person", "function", "role", "removal", "address"))
    )
    if kind == "organisation":
        return kind, [draw(an_organisation(draw(st.integers(1, 7))))]
    if kind == "person":
        return kind, draw(a_person(draw(st.integers(98, 112))))
    if kind == "function":
        return kind, draw(a_function(draw(st.integers(200, 205))))
    if kind == "role":
        return kind, [draw(a_role(draw(st.integers(0, 4))))]
    return kind, []


def apply(store: Community, kind: str, made: list[Record], data: st.DataObject) -> None:
    """Commit a change; a person's earlier addresses go."""
    held = list(store.view._records.values())
    if kind in ("removal", "address"):
        wanted = (
            (AddressRecord,) if kind == "address" else (Account, Organisation, MailList, SharedMailbox, RoleAssignment)
        )
        gone = data.draw(st.sampled_from([record for record in held if isinstance(record, wanted)] or [None]))
        if gone is not None:
            store.put(removed=[gone])
        return
    kept = {record_key(record) for record in made}
    owners = {record.id for record in made if isinstance(record, (Account, MailList, SharedMailbox))}
    gone_addresses = [
        record
        for record in held
        if isinstance(record, AddressRecord) and record.owner in owners and record.address not in kept
    ]
    store.put(*made, removed=gone_addresses)


def told(catalogue: Catalogue, reader: bytes) -> dict[str, object]:
    """Return all that *reader* can see."""
    seen = Reading(catalogue, reader)  # type: ignore[arg-type]
    everything = selected(catalogue.schema, ("*", "+"))
    found: dict[str, object] = {"in charge": seen.in_charge}
    for position in catalogue.positions():
        dn = seen.dn(position)
        assert catalogue.position(names.parse(dn)) == position
        if seen.visible(position):
            values = {name: set(values) for name, values in attributes(seen, position, everything)}
            found[dn] = (
                values,
                {kind.key: set(seen.terms(position, kind) or ()) for kind in catalogue.schema.attributes if kind.rule},
            )
    return found


def found_by(catalogue: Catalogue, reader: bytes, filter_: Filter, base: str) -> set[str] | None:
    """Return the names that a search finds; None when there is no such base."""
    seen = Reading(catalogue, reader)  # type: ignore[arg-type]
    try:
        return {seen.dn(position) for position in Search(seen, Query(base=base, filter=filter_), _ALL).run()}
    except NoSuchEntry:
        return None


@settings(max_examples=20 * THOROUGH, deadline=None)
@given(
    communities(),
    st.lists(a_change(), min_size=1, max_size=8),
    st.lists(FILTERS, min_size=1, max_size=6),
    bases(),
    st.data(),
)
def test_a_followed_directory_is_as_one_loaded_anew(
    made: list[Record],
    changes: list[tuple[str, list[Record]]],
    filters: list[Filter],
    base: str,
    data: st.DataObject,
) -> None:
    """Entries, names, rights and what searches find."""
    store, clock = Community(made), Clock()
    directory = following(store, clock)
    first = directory.catalogue
    reader = data.draw(st.sampled_from(readers(made)))
    before = told(first, reader)
    together = data.draw(st.integers(1, 3))
    for place, (kind, records) in enumerate(changes):
        apply(store, kind, records, data)
        if not place % together:
            clock.pump([0.25] * 2)
    clock.pump([0.25] * 2)
    anew = load(store.view, schema.load())
    followed = directory.catalogue
    assert len(followed) == len(anew)
    for who in {reader, *readers(list(store.view._records.values()))[:2]}:
        assert told(followed, who) == told(anew, who)
        for filter_ in filters:
            assert found_by(followed, who, filter_, base) == found_by(anew, who, filter_, base)
    # Whoever still reads the first one reads what it said.
    assert told(first, reader) == before
    assert isinstance(store.view, MemoryView)
