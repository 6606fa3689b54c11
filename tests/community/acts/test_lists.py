"""Distribution lists: who makes and changes them, who can be in them, and that none goes round."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.community.acts import lists
from cjsm.community.address import Address
from cjsm.community.admission import Refuse, expand
from cjsm.community.errors import BadValue, CommunityError, Conflict, Exists, NotAllowed, NotFound
from cjsm.community.identifiers import AccountId, ListId
from cjsm.community.invariants import problems
from cjsm.community.memory import MemoryView
from cjsm.community.posting import LIST_DEPTH
from cjsm.community.records import Life, MailList, WhoMayPost
from tests.community.communities import CRIME_LIST, SUFFIX, by, community, hosted, identifier

from .support import JO, VIEW

SAM, OLIVE = f"sam.hill@avon.{SUFFIX}", f"olive.marsh@avon.{SUFFIX}"
ALL = f"all@avon.{SUFFIX}"


def address(name: str) -> Address:
    return Address.parse(f"{name}@avon.{SUFFIX}")


def new_list(slug: str) -> MailList:
    return MailList(id=ListId(identifier(slug)), organisation=CRIME_LIST.organisation, slug=slug, name=slug.title())


def with_list(view: MemoryView, slug: str, *members: str) -> MemoryView:
    """The view with another list of Crime's; *members* are its members, checked."""
    view = view.apply(lists.add(view, by("olive.marsh"), new_list(slug), address(slug)))
    if members:
        joining = [Address.parse(member) for member in members]
        view = view.apply(lists.join(view, by("olive.marsh"), ListId(identifier(slug)), joining))
    return view


def found(view: MemoryView, identity: ListId = CRIME_LIST.id) -> MailList:
    known = view.mail_list(identity)
    assert known is not None
    return known


def test_a_new_list() -> None:
    """Gets an address in its organisation's domain that nobody else has, and managers who can be such."""
    made = msgspec.structs.replace(new_list("news"), managers=(JO,))
    after = VIEW.apply(lists.add(VIEW, by("olive.marsh"), made, address("news")))
    assert after.address(f"news@avon.{SUFFIX}") is not None
    assert found(after, made.id).managers == (JO,)
    assert problems(after) == []
    with pytest.raises(Exists):
        lists.add(VIEW, by(), new_list("all"), address("all"))
    with pytest.raises(BadValue):
        lists.add(VIEW, by(), new_list("news"), Address.parse(f"news@firm.{SUFFIX}"))
    with pytest.raises(BadValue):
        lists.add(VIEW, by(), msgspec.structs.replace(new_list("news"), name=" "), address("news"))
    with pytest.raises(NotFound):
        lists.add(VIEW, by(), msgspec.structs.replace(new_list("news"), managers=(AccountId(bytes(16)),)), address("n"))
    for actor in ("jo.ward", "henry.desk", "erin.wright"):
        with pytest.raises(NotAllowed):
            lists.add(VIEW, by(actor), new_list("news"), address("news"))


def test_members_join_under_their_primary_address() -> None:
    """Once, whatever name they are given by; the ledger tells who, and no address."""
    alias = msgspec.structs.replace(hosted("sam.hill", "avon", "avon")[1], address=f"s.hill@avon.{SUFFIX}", alias=True)
    view = community(alias)
    change = lists.join(view, by("olive.marsh"), CRIME_LIST.id, [address("s.hill"), address("sam.hill")])
    assert found(view.apply(change)).members == (*CRIME_LIST.members, SAM)
    assert change.entry is not None
    assert dict(change.entry.details) == {"joined": identifier("sam.hill").hex(), "many": "1"}
    with pytest.raises(Conflict, match="already"):
        lists.join(view.apply(change), by("olive.marsh"), CRIME_LIST.id, [address("sam.hill")])


@pytest.mark.parametrize(
    "member", [f"no.one@avon.{SUFFIX}", "jo@elsewhere.example", f"echo@{SUFFIX}", ALL, f"x@unknown.co.uk.{SUFFIX}"]
)
def test_who_cannot_be_a_member(member: str) -> None:
    """Whom mail from the list does not reach, the echo, the list itself; and then nobody joins."""
    with pytest.raises(CommunityError) as caught:
        lists.join(VIEW, by("olive.marsh"), CRIME_LIST.id, [address("sam.hill"), Address.parse(member)])
    assert str(caught.value)


def test_members_of_connected_domains() -> None:
    """An address in an approved domain is a member without being listed."""
    outside = Address.parse(f"somebody@firm.co.uk.{SUFFIX}")
    change = lists.join(VIEW, by("olive.marsh"), CRIME_LIST.id, [outside])
    assert str(outside) in found(VIEW.apply(change)).members
    assert change.entry is not None
    assert dict(change.entry.details) == {"joined": "", "many": "1"}


def test_members_leave() -> None:
    """Under any of their names; who is none is named, and then nobody leaves."""
    change = lists.leave(VIEW, by("olive.marsh"), CRIME_LIST.id, [address("jo.ward"), address("no.body")])
    assert found(VIEW.apply(change)).members == (f"re.layed@firm.co.uk.{SUFFIX}",)
    with pytest.raises(NotFound, match=r"sam\.hill"):
        lists.leave(VIEW, by("olive.marsh"), CRIME_LIST.id, [address("jo.ward"), address("sam.hill")])
    with pytest.raises(Conflict):
        lists.leave(VIEW, by("olive.marsh"), CRIME_LIST.id, [])


def test_members_take_themselves_off() -> None:
    """Their own address only, and while they may act."""
    lists.leave(VIEW, by("jo.ward"), CRIME_LIST.id, [address("jo.ward")])
    with pytest.raises(NotAllowed):
        lists.leave(VIEW, by("jo.ward"), CRIME_LIST.id, [address("jo.ward"), address("no.body")])
    locked = community(hosted("jo.ward", "crime", "avon", locked=True)[0])
    with pytest.raises(NotAllowed):
        lists.leave(locked, by("jo.ward"), CRIME_LIST.id, [address("jo.ward")])


def test_managers() -> None:
    """Change the members and nothing else."""
    view = VIEW.apply(lists.appoint(VIEW, by("olive.marsh"), CRIME_LIST.id, JO))
    view = view.apply(lists.join(view, by("jo.ward"), CRIME_LIST.id, [address("sam.hill")]))
    view = view.apply(lists.leave(view, by("jo.ward"), CRIME_LIST.id, [address("no.body")]))
    with pytest.raises(NotAllowed):
        lists.change(view, by("jo.ward"), CRIME_LIST.id, name="Mine")
    with pytest.raises(NotAllowed):
        lists.appoint(view, by("jo.ward"), CRIME_LIST.id, AccountId(identifier("sam.hill")))
    with pytest.raises(NotAllowed):
        lists.delete(view, by("jo.ward"), CRIME_LIST.id, 1)
    with pytest.raises(Conflict):
        lists.appoint(view, by("olive.marsh"), CRIME_LIST.id, JO)
    after = view.apply(lists.dismiss(view, by("olive.marsh"), CRIME_LIST.id, JO))
    with pytest.raises(NotAllowed):
        lists.leave(after, by("jo.ward"), CRIME_LIST.id, [address("sam.hill")])
    with pytest.raises(NotFound):
        lists.dismiss(after, by("olive.marsh"), CRIME_LIST.id, JO)


def test_who_is_deleted_manages_nothing() -> None:
    """A manager has to be there."""
    view = community(hosted("sam.hill", "avon", "avon", life=Life.DELETED)[0])
    with pytest.raises(Conflict):
        lists.appoint(view, by("olive.marsh"), CRIME_LIST.id, AccountId(identifier("sam.hill")))


def test_change() -> None:
    """Name, who may post, whether it is listed; what is not given stays."""
    change = lists.change(VIEW, by("olive.marsh"), CRIME_LIST.id, who_may_post=WhoMayPost.COMMUNITY, ex_directory=True)
    made = found(VIEW.apply(change))
    assert (made.name, made.who_may_post, made.ex_directory) == (CRIME_LIST.name, WhoMayPost.COMMUNITY, True)
    assert made.version == CRIME_LIST.version + 1
    with pytest.raises(BadValue):
        lists.change(VIEW, by("olive.marsh"), CRIME_LIST.id)
    with pytest.raises(BadValue):
        lists.change(VIEW, by("olive.marsh"), CRIME_LIST.id, name="\0")
    with pytest.raises(NotFound):
        lists.change(VIEW, by("olive.marsh"), ListId(bytes(16)), name="x")


def test_delete() -> None:
    """The address takes no mail, is nobody else's for a time, and other lists lose it."""
    view = with_list(VIEW, "outer", SAM, ALL)
    after = view.apply(lists.delete(view, by("olive.marsh"), CRIME_LIST.id, 100))
    assert after.mail_list(CRIME_LIST.id) is None
    assert (after.address(ALL), after.reserved_address(ALL) is None) == (None, False)
    assert found(after, ListId(identifier("outer"))).members == (SAM,)
    assert problems(after) == []
    with pytest.raises(Exists):
        lists.add(after, by("olive.marsh"), new_list("all"), address("all"))
    later = MemoryView(after._records.values(), suffix=SUFFIX, moment=after.moment + 100, number=99)
    lists.add(later, by("olive.marsh"), new_list("all"), address("all"))


def test_lists_do_not_go_round() -> None:
    """However long the way back is."""
    view = with_list(VIEW, "one", SAM)
    view = with_list(view, "two", f"one@avon.{SUFFIX}")
    with pytest.raises(Conflict, match="round"):
        lists.join(view, by("olive.marsh"), ListId(identifier("one")), [address("two")])


def test_lists_are_not_too_deep() -> None:
    """Counted upwards and downwards: what is deeper would reach nobody."""
    view = with_list(VIEW, "l1", SAM)
    for depth in range(2, LIST_DEPTH + 1):
        view = with_list(view, f"l{depth}", f"l{depth - 1}@avon.{SUFFIX}")
    everybody = expand(view, ListId(identifier(f"l{LIST_DEPTH}")))
    assert not isinstance(everybody, Refuse)
    assert [str(reached) for reached, _ in everybody] == [SAM]
    view = with_list(view, "above")
    view = with_list(view, "below", OLIVE)
    with pytest.raises(Conflict, match="deep"):
        lists.join(view, by("olive.marsh"), ListId(identifier("above")), [address(f"l{LIST_DEPTH}")])
    with pytest.raises(Conflict, match="deep"):
        lists.join(view, by("olive.marsh"), ListId(identifier("l1")), [address("below")])


def test_too_many_at_once() -> None:
    """A list is filled in parts."""
    many = [Address.parse(f"p{number}@firm.co.uk.{SUFFIX}") for number in range(lists.AT_ONCE + 1)]
    with pytest.raises(BadValue, match="at once"):
        lists.join(VIEW, by("olive.marsh"), CRIME_LIST.id, many)
    view = VIEW.apply(lists.join(VIEW, by("olive.marsh"), CRIME_LIST.id, many[:-1]))
    assert len(found(view).members) == lists.AT_ONCE + len(CRIME_LIST.members)


def test_a_list_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many members, and so many addresses reached."""
    monkeypatch.setattr(lists, "LIST_TOTAL", 4)
    outside = [Address.parse(f"p{number}@firm.co.uk.{SUFFIX}") for number in range(2)]
    with pytest.raises(Conflict, match="at most 4 members"):
        lists.join(VIEW, by("olive.marsh"), CRIME_LIST.id, outside)
    view = with_list(VIEW, "outer", SAM, OLIVE)
    with pytest.raises(Conflict, match="at most 4 addresses"):
        lists.join(view, by("olive.marsh"), ListId(identifier("outer")), [Address.parse(ALL)])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=25))
def test_whatever_joins_what_every_member_is_reached(pairs: list[tuple[int, int]]) -> None:
    """Lists joined into lists in any order: allowed joins never make a member that the outer list does not reach."""
    view = VIEW
    for number in range(6):
        view = with_list(view, f"l{number}")
        view = view.apply(lists.join(view, by(), ListId(identifier(f"l{number}")), [address("sam.hill")]))
    for outer, inner in pairs:
        try:
            view = view.apply(lists.join(view, by(), ListId(identifier(f"l{outer}")), [address(f"l{inner}")]))
        except Conflict:
            continue
    for number in range(6):
        identity = ListId(identifier(f"l{number}"))
        assert identity not in set(lists._lists_below(view, found(view, identity)))
        assert lists._height(view, found(view, identity)) <= LIST_DEPTH
