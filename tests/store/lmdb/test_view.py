"""A view over a transaction is the same as the view in memory, and remembers nothing too long."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cjsm.community.identifiers import AccountId, ActId, ConnectionId, MailboxId, OrganisationId, RoleAssignmentId
from cjsm.community.memory import MemoryView
from cjsm.community.records import (
    Connection,
    ConnectionKind,
    Domain,
    Life,
    MailboxRight,
    Organisation,
    Role,
    RoleAssignment,
    SharedMailbox,
    SharedMember,
)
from cjsm.community.view import Change, View
from cjsm.store.lmdb.community import LmdbCommunityStore
from cjsm.store.lmdb.view import TABLES, Remembered

from ..support import identifier, open_community, result

FIRM = Organisation(id=OrganisationId(b"f" * 16), parent=None, slug="firm", name="Firm", abbreviation="firm")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LmdbCommunityStore]:
    """An empty community."""
    made = open_community(tmp_path)
    yield made
    result(made.close())


def put(store: LmdbCommunityStore, number: int, *records: Any) -> None:
    """Commit an act that writes *records*."""
    result(store.commit(ActId(identifier("act", number)), lambda view: Change(put=records)))


def names(view: View) -> list[str]:
    """The names of top organisations."""
    return [organisation.name for organisation in view.children(None)]


def test_every_kind_has_a_table() -> None:
    """Records of all kinds are stored, each in a table of its own."""
    assert len(set(TABLES.values())) == len(TABLES)


def test_changes_are_seen_at_once(store: LmdbCommunityStore) -> None:
    """What was looked up before a change, even in vain, is looked up anew after it."""
    assert store.read_now(lambda view: view.organisation(FIRM.id)) is None
    assert store.read_now(lambda view: view.organisation_of_abbreviation("firm")) is None
    put(store, 1, FIRM)
    assert store.read_now(lambda view: view.organisation(FIRM.id)) == FIRM
    assert store.read_now(lambda view: view.organisation_of_abbreviation("firm")) == FIRM
    renamed = Organisation(id=FIRM.id, parent=None, slug="firm", name="Firm & Co", abbreviation=None)
    put(store, 2, renamed)
    assert store.read_now(names) == ["Firm & Co"]
    assert store.read_now(lambda view: view.organisation_of_abbreviation("firm")) is None


def test_changes_of_another_process_are_seen(tmp_path: Path, store: LmdbCommunityStore) -> None:
    """What one process remembers ends when another writes."""
    put(store, 1, FIRM)
    assert store.read_now(names) == ["Firm"]
    script = f"""
from pathlib import Path
from tests.store.lmdb.test_view import *
other = open_community(Path({str(tmp_path)!r}))
put(other, 2, Organisation(id=FIRM.id, parent=None, slug="firm", name="Renamed", abbreviation="firm"))
"""
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert store.read_now(names) == ["Renamed"]


def test_a_decision_sees_what_is_stored(store: LmdbCommunityStore) -> None:
    """Inside an act nothing remembered is used, so that two acts in a row see each other."""
    put(store, 1, FIRM)
    store.read_now(names)
    seen = []

    def decide(view: View) -> Change:
        seen.append(names(view))
        return Change(removed=(FIRM,))

    result(store.commit(ActId(identifier("act", 2)), decide))
    assert seen == [["Firm"]]
    assert store.read_now(names) == []


def test_memory_is_bounded() -> None:
    """Too much is forgotten at once; another state too."""
    remembered = Remembered(most=2)
    remembered.at(1).keys.update({b"a": b"1", b"b": b"2"})
    assert remembered.at(1).keys
    remembered.at(1).records[Organisation, b"c"] = None
    assert not remembered.at(1).keys
    remembered.at(1).keys[b"a"] = b"1"
    assert not remembered.at(2).keys


def test_views_offer_the_same() -> None:
    """Both views have all that rooms ask of one."""
    asked = {name for name in vars(View) if not name.startswith("_")} | set(View.__annotations__)
    from cjsm.store.lmdb.view import LmdbView

    for kind in (LmdbView, MemoryView):
        lacking = {name for name in asked if not hasattr(kind, name)} - {"suffix", "moment", "number"}
        assert not lacking, kind


LINK = Connection(
    id=ConnectionId(b"c" * 16), organisation=FIRM.id, kind=ConnectionKind.SERVER, name="Firm's server", slug="firm"
)


def test_connections_by_short_name(store: LmdbCommunityStore) -> None:
    """Found under the one they have now; those from before there were any are found by identifier only."""
    old = msgspec.structs.replace(LINK, id=ConnectionId(b"o" * 16), slug="")
    put(store, 1, LINK, old)
    assert store.read_now(lambda view: view.connection_of_slug("firm")) == LINK
    assert store.read_now(lambda view: view.connection_of_slug("")) is None
    renamed = msgspec.structs.replace(LINK, slug="other")
    put(store, 2, renamed)
    assert store.read_now(lambda view: view.connection_of_slug("firm")) is None
    assert store.read_now(lambda view: view.connection_of_slug("other")) == renamed
    assert store.read_now(lambda view: list(view.connections())) == [renamed, old]


def test_all_domains(store: LmdbCommunityStore) -> None:
    """By name, of whatever connection."""
    made = [Domain(name=f"{name}.example.cjsm.test", connection=LINK.id, organisation=FIRM.id) for name in "ab"]
    put(store, 1, *made)
    assert store.read_now(lambda view: list(view.domains())) == made


@pytest.mark.parametrize("name", ["", "x" * 600])
def test_a_name_that_cannot_be_stored_is_nobodys(store: LmdbCommunityStore, name: str) -> None:
    """Asked for, as by a null reverse-path, it is not there; it is no failure of the store."""
    found = store.read_now(
        lambda view: (
            view.domain(name),
            view.address(name),
            view.account_of_user_id(name),
            view.organisation_below(None, name),
            view.connection(ConnectionId(name.encode())),
        )
    )
    assert found == (None,) * 5


def test_many_are_read_in_parts(store: LmdbCommunityStore) -> None:
    """Whoever goes on with another view misses nothing, and reads nothing twice: as in memory."""
    several = [
        Organisation(id=OrganisationId(bytes((number,)) * 16), parent=None, slug=f"o{number}", name=f"O {number}")
        for number in (3, 1, 255, 2)
    ]
    put(store, 1, *several)
    memory = MemoryView(several)
    for after in (
        None,
        *(each.id for each in several),
        OrganisationId(bytes(16)),
        OrganisationId(b"\x01" * 15 + b"\x02"),
    ):
        found = store.read_now(lambda view, after=after: [each.id for each in view.organisations(after)])
        assert sorted(found) == found == sorted(each.id for each in memory.organisations(after))
        assert found == sorted(each.id for each in several if after is None or each.id > after)


def test_roles_are_found_by_their_identifier(store: LmdbCommunityStore) -> None:
    """Followers are told of them so."""
    given = RoleAssignment(
        id=RoleAssignmentId(b"r" * 16), account=AccountId(b"a" * 16), role=Role.HELPDESK, organisation=None
    )
    put(store, 1, given)
    assert store.read_now(lambda view: view.role(given.id)) == given == MemoryView([given]).role(given.id)
    assert store.read_now(lambda view: view.role(RoleAssignmentId(b"x" * 16))) is None


def test_who_reads_many_leaves_nothing_remembered(store: LmdbCommunityStore) -> None:
    """Records that are each looked at once are not worth their memory."""
    put(store, 1, FIRM)
    assert result(store.read(lambda view: view.organisation(FIRM.id))) == FIRM
    assert not store._remembered.records
    store.read_now(lambda view: view.organisation(FIRM.id))
    assert store._remembered.records


def test_deleted_shared_mailboxes(store: LmdbCommunityStore) -> None:
    """Only who asks for the kept ones is given one; back, it is there for its members again: as in memory."""
    member = SharedMember(account=AccountId(b"a" * 16), rights=(MailboxRight.READ,))
    duty = SharedMailbox(id=MailboxId(b"m" * 16), organisation=FIRM.id, slug="duty", name="D", members=(member,))
    desk = msgspec.structs.replace(duty, id=MailboxId(b"n" * 16), slug="desk")

    def told(view: View) -> tuple[object, ...]:
        return (
            view.shared_mailbox(duty.id),
            list(view.shared_mailboxes_in(FIRM.id)),
            list(view.shared_mailboxes_of(member.account)),
            view.kept_shared_mailbox(duty.id),
            list(view.kept_shared_mailboxes_in(FIRM.id)),
        )

    gone = msgspec.structs.replace(duty, life=Life.DELETED)
    for number, record in enumerate((duty, gone, duty), 1):
        put(store, number, record, desk)
        there = [duty, desk] if record is duty else [desk]
        wanted = (record if record is duty else None, there, there, record, [record, desk])
        assert store.read_now(told) == wanted
        assert told(MemoryView([record, desk])) == wanted
