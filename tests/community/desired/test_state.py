"""A file of the desired state: what is exported is what is read, and applying it leads there or refuses whole."""

import shlex
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.community.acts.quotas import QuotaLimits
from cjsm.community.desired import reading, state
from cjsm.community.desired.differences import Difference, What
from cjsm.community.desired.seeing import Seen
from cjsm.community.desired.tables import FORMAT, KINDS, Desired
from cjsm.community.errors import BadValue, CommunityError, Conflict, Exists, NotAllowed, NotFound, Overtaken
from cjsm.community.identifiers import AccountId, Entropy
from cjsm.community.invariants import problems
from cjsm.community.memory import MemoryView
from cjsm.community.records import LedgerEntry, Life, OrganisationState, Role
from cjsm.community.view import Change
from tests.community.communities import (
    CRIME_LIST,
    NOW,
    SUFFIX,
    address,
    by,
    communities,
    community,
    hosted,
    identifier,
    organisation,
    role,
    with_state,
)
from tests.community.communities import DESK as SHARED

ALL = f"all@avon.{SUFFIX}"
LIMITS = QuotaLimits(1 << 30, 1 << 33)
DESK = f"desk@avon.{SUFFIX}"
FIRM = f"firm.co.uk.{SUFFIX}"


def entropy() -> Entropy:
    """Identifiers in a row."""
    numbers = iter(range(1, 1 << 30))
    return lambda length: b"new" + next(numbers).to_bytes(length - 3, "big")


def document(desired: Desired) -> dict[str, Any]:
    """The file as a TOML parser returns it."""
    told: dict[str, Any] = msgspec.to_builtins(desired)
    return {"format": FORMAT, "suffix": SUFFIX, **told}


def file(**tables: Any) -> dict[str, Any]:
    """A file with some tables."""
    return {"format": FORMAT, "suffix": SUFFIX, **tables}


def seen(view: MemoryView, asked: dict[str, Any], actor: str | None = None, **more: Any) -> Seen:
    """The file beside the view."""
    who = AccountId(identifier(actor)) if actor else None
    return Seen(view, who, reading.read(view, asked), entropy(), reserved_for=10, quotas=LIMITS, **more)


def differences(view: MemoryView, asked: dict[str, Any], actor: str | None = None, **more: Any) -> list[Difference]:
    """How it differs."""
    return state.compare(seen(view, asked, actor, **more))


def applied(
    view: MemoryView, asked: dict[str, Any], actor: str | None = None, reason: str = "requested", **more: Any
) -> tuple[MemoryView, list[LedgerEntry]]:
    """The view after all acts, and their entries."""
    entries = []
    looked = seen(view, asked, actor, **more)
    for act in state.acts(looked, by(actor, reason), None, digest="abc", entropy=entropy()):
        change = act(view)
        assert change.entry is not None
        entries.append(change.entry)
        view = view.apply(change)
    return view, entries


def words(found: list[Difference]) -> set[tuple[str, str]]:
    """What happens to what."""
    return {(each.what.value, each.key) for each in found}


def test_exported_is_no_difference() -> None:
    """What is exported says what is, and nothing is to be done."""
    view = community()
    exported = state.export(view, None)
    assert set(exported.organisation) == {"avon", "avon/crime", "avon/refuge", "office", "firm"}
    assert exported.organisation["avon/refuge"].protected is True
    assert exported.list[ALL].members == tuple(sorted(exported.list[ALL].members or ()))
    assert exported.role["olive.marsh@avon"].organisation_administrator == ("avon",)
    assert exported.role["ada.central@office"].community_administrator == ("/",)
    assert exported.domain[FIRM].connection == "firm"
    assert exported.shared[DESK].members == {"jo.ward@avon": ("read", "send"), "sam.hill@avon": ("read",)}
    assert differences(view, document(exported)) == []
    assert applied(view, document(exported)) == (view, [])


@given(view=communities())
def test_any_community_exported(view: MemoryView) -> None:
    """So it is with any community; pruning takes nothing that was exported."""
    exported = document(state.export(view, None))
    assert differences(view, exported) == []
    assert differences(view, exported, prune=True) == []


def test_a_whole_file() -> None:
    """Everything that a file can do, at once: it leads there, the entries say what was done, and then all is done."""
    view = community()
    asked = document(state.export(view, None))
    asked["organisation"]["avon"] |= {"area": 'Avon, and "more"', "business_type": "Police"}
    asked["organisation"]["avon/office"] = asked["organisation"].pop("office") | {"was": "office"}
    asked["organisation"]["avon/new"] = {"name": "חדש", "protected": True}
    asked["organisation"]["avon/new/inner"] = {"name": "Inner", "state": "suspended"}
    asked["connection"]["court"] = {
        "organisation": "avon/new", "kind": "government", "name": "Court", "next_hops": ["mx.court.uk"],
        "networks": ["192.0.2.0/24"], "certificate_names": ["MX.court.uk"], "limits": {"concurrency": 3},
        "state": "live",
    }  # fmt: skip
    asked["domain"]["Court.uk"] = {"connection": "court", "exceptions": {f"jo@court.uk.{SUFFIX}": "jo@mail.court.uk"}}
    asked["domain"][FIRM]["listed_members_only"] = True
    asked["connection"]["firm"]["next_hops"] = ["mail.firm.co.uk:25", "[2001:DB8::1]:2525"]
    asked["list"][f"news@avon.{SUFFIX}"] = {
        "organisation": "avon/new", "name": "News, weekly", "managers": [f"jo.ward@avon.{SUFFIX}"],
        "members": [ALL, f"anybody@court.uk.{SUFFIX}"], "who_may_post": "community",
    }  # fmt: skip
    asked["list"][ALL] |= {"name": "Everybody", "members": [f"sam.hill@avon.{SUFFIX}", f"jo.ward@avon.{SUFFIX}"]}
    asked["shared"][DESK] |= {"quota": 1_000_000, "managers": ["sam.hill@avon"], "notice": True}
    asked["shared"][DESK]["members"] = {"jo.ward@avon": ["read"], "olive.marsh@avon": ["read"]}
    asked["role"]["jo.ward@avon"] = {"organisation-administrator": ["avon/new", "avon"]}
    asked["role"]["olive.marsh@avon"] = {"organisation-administrator": []}
    found = differences(view, asked)
    elsewhere = [each.cure for each in found if each.what is What.ELSEWHERE]
    assert elsewhere == [
        f"cjsm shared join {DESK} olive.marsh@avon --right read", f"cjsm shared leave {DESK} sam.hill@avon"
    ]  # fmt: skip
    after, entries = applied(view, asked)
    assert problems(after) == problems(view)
    left = differences(after, asked)
    assert {each.what for each in left} == {What.ELSEWHERE}
    assert applied(after, asked) == (after, [])
    exported = state.export(after, None)
    assert exported.organisation["avon/new"].ex_directory is True
    assert exported.connection["court"].next_hops == ("mx.court.uk:25",)
    assert exported.connection["firm"].next_hops == ("mail.firm.co.uk:25", "[2001:db8::1]:2525")
    assert exported.shared[DESK].members == {"jo.ward@avon": ("read",), "sam.hill@avon": ("read",)}
    assert exported.shared[DESK].notice is True
    assert [entries[0].act, dict(entries[0].details)] == [
        "community-apply", {"acts": str(len(entries) - 1), "file": "abc", "break-glass": "yes"}
    ]  # fmt: skip
    assert all(dict(each.details)["within"] == entries[0].act_id.hex() for each in entries[1:])
    assert len({each.act_id for each in entries}) == len(entries)
    assert {each.act for each in entries} > {
        "organisation-move",
        "list-join",
        "list-leave",
        "role-grant",
        "domain-members",
    }


def test_a_command_is_one_to_copy() -> None:
    """What a file says is an argument of the command that is named, and nothing that a shell would do."""
    asked = file(shared={f"`id`@avon.{SUFFIX}": {"organisation": "avon/crime", "name": 'Night "desk" $(id)'}})
    (found,) = differences(community(), asked)
    assert shlex.split(found.cure) == [
        "cjsm", "shared", "add", "avon/crime", "`id`", "--name", 'Night "desk" $(id)', "--member", "USER",
    ]  # fmt: skip
    assert "'`id`'" in found.cure


def test_what_is_not_mentioned_stays() -> None:
    """A table, a key, a kind: nothing goes by being left out."""
    view = community()
    assert differences(view, file()) == []
    found = differences(view, file(organisation={"avon": {"area": "Avon"}}))
    assert [(each.what, each.key, [one.name for one in each.changed]) for each in found] == [
        ("change", "avon", ["area"])
    ]
    after, _ = applied(view, file(list={ALL: {"name": "Other"}}))
    assert state.export(after, None).list[ALL].members == state.export(view, None).list[ALL].members


def test_where_it_was() -> None:
    """A move is done once; when something is at the old path again that nobody named, it is told, and stays."""
    view = community()
    view = MemoryView([*view._records.values(), organisation("crime-2", "firm")], suffix=SUFFIX, moment=NOW)
    asked = file(organisation={"avon/crime-2": {"was": "firm/crime-2", "name": "Moved"}})
    after, entries = applied(view, asked)
    assert [each.act for each in entries[1:]] == ["organisation-change", "organisation-move"]
    assert applied(after, asked) == (after, [])
    assert differences(after, asked) == []
    both, _ = applied(after, file(organisation={"firm/crime-2": {"name": "Another"}}))
    assert words(differences(both, asked)) == {("elsewhere", "avon/crime-2")}
    assert differences(both, file(organisation=asked["organisation"] | {"firm/crime-2": {}})) == []


def test_moved_with_what_it_has() -> None:
    """Lists, roles and what is removed are named where they will be; by the old path it is not there any more."""
    view = MemoryView(
        [*community()._records.values(), organisation("home", "avon"), organisation("old", "home"),
         role("jo.ward", Role.ORGANISATION_ADMINISTRATOR, "home"),
         msgspec.structs.replace(CRIME_LIST, organisation=organisation("home").id)],
        suffix=SUFFIX, moment=NOW,
    )  # fmt: skip
    asked = document(state.export(view, None))
    assert asked["list"][ALL]["organisation"] == "avon/home"
    table = asked["organisation"].pop("avon/home") | {"was": "avon/home"}
    del asked["organisation"]["avon/home/old"]
    asked["organisation"]["avon/refuge/home"] = table
    with pytest.raises(NotFound, match=r"\[list.*'avon/home' moves to avon/refuge/home"):
        differences(view, asked)
    asked["list"][ALL]["organisation"] = "avon/refuge/home"
    with pytest.raises(NotFound, match=r"organisation-administrator: .* moves to"):
        differences(view, asked)
    asked["role"]["jo.ward@avon"] = {"organisation-administrator": ["avon/refuge/home"]}
    asked["removed"] = {"organisations": ["avon/refuge/home/old"]}
    assert words(differences(view, asked)) == {("change", "avon/refuge/home"), ("remove", "avon/home/old")}
    after, _ = applied(view, asked)
    assert differences(after, asked) == []
    assert state.export(after, None).list[ALL].organisation == "avon/refuge/home"
    twice = {"firm/crime": {"was": "avon/crime"}, "office/crime": {"was": "avon/crime"}}
    with pytest.raises(BadValue, match=r"\[organisation.\"office/crime\"\]: this is the one at firm/crime too"):
        differences(view, file(organisation=twice))


def test_a_connection_with_another_name() -> None:
    """Its domains name it as it will be; two tables are never about one."""
    view = community()
    asked = document(state.export(view, None))
    asked["connection"]["law"] = asked["connection"].pop("firm") | {"was": "firm"}
    with pytest.raises(NotFound, match="firm will be law"):
        differences(view, asked)
    asked["domain"][FIRM]["connection"] = "law"
    assert words(differences(view, asked)) == {("change", "law")}
    after, _ = applied(view, asked)
    assert differences(after, asked) == []
    assert state.export(after, None).domain[FIRM].connection == "law"
    asked["connection"]["other"] = {"was": "firm"}
    with pytest.raises(BadValue, match=r"\[connection.other\]: another table"):
        differences(view, asked)


def test_removed() -> None:
    """What is named goes, with a reason; what is gone already is no difference."""
    view = MemoryView([*community()._records.values(), organisation("empty", "avon")], suffix=SUFFIX, moment=NOW)
    asked = file(removed={"organisations": ["avon/empty", "avon/never"], "lists": [ALL, f"no@avon.{SUFFIX}"]})
    assert words(differences(view, asked)) == {("remove", "avon/empty"), ("remove", ALL)}
    after, entries = applied(view, asked)
    assert [each.act for each in entries[1:]] == ["list-delete", "organisation-deleted"]
    assert differences(after, asked) == []
    assert "avon/empty" not in state.export(after, None).organisation
    back, _ = applied(after, file(organisation={"avon/empty": {"name": "Empty"}}))
    assert "avon/empty" in state.export(back, None).organisation
    with pytest.raises(BadValue, match="reason"):
        applied(view, asked, reason="")
    with pytest.raises(Conflict, match=r"\[removed\] organisations: avon/crime: .*not empty"):
        applied(view, file(removed={"organisations": ["avon/crime"]}))
    with pytest.raises(BadValue, match="has a table too"):
        differences(view, file(organisation={"avon": {}}, removed={"organisations": ["avon"]}))
    with pytest.raises(NotFound, match="no list"):
        differences(view, file(removed={"lists": [DESK]}))
    with pytest.raises(Conflict, match="is a member"):
        applied(view, file(removed={"domains": ["firm.co.uk"]}, connection={"firm": {"state": "suspended"}}))


def test_a_shared_mailbox_removed() -> None:
    """With a reason; it is in no export then, is no difference, and back only by the command: its keys begin anew."""
    view = community()
    asked = file(removed={"shared": [DESK, f"no@avon.{SUFFIX}"]})
    assert words(differences(view, asked)) == {("remove", DESK)}
    after, entries = applied(view, asked, "olive.marsh")
    assert [(each.act, each.reason) for each in entries[1:]] == [("shared-deleted", "requested")]
    assert differences(after, asked) == []
    assert DESK not in state.export(after, None).shared
    (back,) = differences(after, file(shared={DESK: {"name": "Desk"}}))
    assert (back.what, back.cure, back.steps) == (What.ELSEWHERE, f"cjsm shared undelete {DESK}", ())
    with pytest.raises(BadValue, match="reason"):
        applied(view, asked, reason="")
    with pytest.raises(BadValue, match="has a table too"):
        differences(view, file(shared={DESK: {}}, removed={"shared": [DESK]}))
    with pytest.raises(NotFound, match=r"\[removed\] shared: .*no shared mailbox"):
        differences(view, file(removed={"shared": [ALL]}))


def test_a_shared_mailbox_of_others_is_not_removed() -> None:
    """By its manager it is seen, and not deleted; by whoever has no part in it, neither."""
    view = community(msgspec.structs.replace(SHARED, managers=(AccountId(identifier("jo.ward")),)))
    view = view.apply(Change(put=(role("jo.ward", Role.ENGINEER), role("law.yer", Role.ENGINEER))))
    asked = file(removed={"shared": [DESK]})
    for actor in ("jo.ward", "law.yer"):
        with pytest.raises(NotAllowed):
            applied(view, asked, actor)


def test_an_organisation_with_all_that_is_in_it() -> None:
    """What it has goes first."""
    unit = organisation("unit", "avon")
    view = community(unit, msgspec.structs.replace(SHARED, organisation=unit.id))
    asked = file(removed={"organisations": ["avon/unit"], "shared": [DESK]})
    _, entries = applied(view, asked, "olive.marsh")
    assert [each.act for each in entries[1:]] == ["shared-deleted", "organisation-deleted"]


def test_pruned() -> None:
    """Only of kinds that the file has something of; what a file cannot remove is told."""
    view = community()
    asked = document(state.export(view, None))
    for kind, key in (("organisation", "office"), ("list", ALL), ("role", "henry.desk@office"), ("connection", "firm")):
        del asked[kind][key]
    assert differences(view, asked) == []
    # Of lists and connections nothing is left.
    assert words(differences(view, asked, prune=True)) == {("remove", "office"), ("change", "henry.desk@office")}
    asked["connection"]["other"] = {"organisation": "firm", "kind": "server", "name": "Other"}
    del asked["domain"]
    assert ("elsewhere", "firm") in words(differences(view, asked, prune=True))
    asked = file(shared={f"front@avon.{SUFFIX}": {"organisation": "avon", "name": "Front"}})
    assert ("remove", DESK) in words(differences(view, asked, prune=True))
    assert ("remove", DESK) not in words(differences(view, asked))


FAULTS: list[tuple[dict[str, Any], type[CommunityError], str]] = [
    ({"organisaton": {}}, BadValue, "no table 'organisaton', did you mean organisation"),
    ({"organisation": {"avon": {"nme": "A"}}}, BadValue, r"\[organisation.avon\] 'nme': .* did you mean name"),
    ({"organisation": {"avon": {"name": 7}}}, BadValue, r"\[organisation.avon\] name: Expected `str`, got `int`"),
    ({"organisation": {"avon": {"state": "gone"}}}, BadValue, r"\[organisation.avon\] state: Invalid enum"),
    ({"organisation": {"avon": {"state": "deleted"}}}, BadValue, r"\[removed\]|state is"),
    ({"organisation": {"avon": 7}}, BadValue, r"\[organisation.avon\]: write it as a table"),
    ({"organisation": 7}, BadValue, "write tables like"),
    ({"organisation": {"avon": {"name": "x" * 10_240}}}, BadValue, r"\[organisation.avon\]: name: .*1 to 200"),
    ({"organisation": {"avon": {"name": "a\u202eb"}}}, BadValue, r"\[organisation.avon\]: name: .*printable"),
    ({"organisation": {"avon": {"name": ""}}}, BadValue, r"\[organisation.avon\]: name"),
    ({"organisation": {"a b": {"name": "x"}}}, BadValue, r"\[organisation.\"a b\"\]: .*short name"),
    ({"organisation": {"x" * 10_240: {"name": "x"}}}, BadValue, r"\[organisation.\"x+…\"\]: "),
    ({"organisation": {"a/" * 5_000 + "b": {"name": "x"}}}, BadValue, "at most 31 deep"),
    ({"organisation": {"\u202e": {"name": "x"}}}, BadValue, r"u202e"),
    ({"organisation": {"Avon": {}, "avon": {}}}, BadValue, r"\[organisation.avon\]: it is there twice"),
    ({"organisation": {"new": {"name": "New"}}}, BadValue, r"\[organisation.new\]: a top organisation needs"),
    ({"organisation": {"avon/new": {}}}, BadValue, r"\[organisation.\"avon/new\"\]: a new one needs name"),
    ({"organisation": {"no/new": {"name": "New"}}}, NotFound, r"\[organisation.\"no/new\"\]: there is no organisation"),
    ({"organisation": {"avon": {"abbreviation": "other"}}}, Conflict, r"\[organisation.avon\]: .*it stays"),
    ({"organisation": {"avon": {"abbreviation": ""}}}, BadValue, r"\[organisation.avon\]: .*stays"),
    ({"organisation": {"new": {"name": "N", "abbreviation": "firm"}}}, Exists, r"\[organisation.new\]: .*taken"),
    ({"organisation": {"avon/office/avon": {"was": "avon"}, "avon/office": {"was": "office"}}},
     CommunityError, r"\[organisation.\"avon/office"),
    ({"organisation": {"avon/crime/avon": {"was": "avon"}}}, CommunityError,
     r"\[organisation.\"avon/crime/avon\"\]: .*moves to"),
    ({"organisation": {"firm/other": {"was": "avon/crime"}}}, BadValue, "keeps its short name"),
    ({"organisation": {"avon": {"state": "suspended"}}, "removed": {"nme": []}}, BadValue, r"\[removed\]"),
    ({"domain": {"firm.co.uk": {}, FIRM: {}}}, BadValue, r"\[domain.\"firm.co.uk.cjsm.test\"\]: it is there twice"),
    ({"domain": {"new.uk": {}}}, BadValue, r"\[domain.\"new.uk.cjsm.test\"\]: a new one needs connection"),
    ({"domain": {"new.uk": {"connection": "no"}}}, NotFound, r"connection: there is no 'no'"),
    ({"domain": {"firm.co.uk": {"organisation": "avon"}}}, BadValue, "stays with its connection"),
    ({"domain": {"avon.cjsm.test": {"connection": "firm"}}}, BadValue, r"\[domain."),
    ({"domain": {"n.uk": {"connection": "firm", "exceptions": {"a@b.c": "d@e.f"}}}}, BadValue,
     "exceptions: a@b.c is not"),
    ({"connection": {"firm": {"next_hops": ["mx:x"]}}}, BadValue, r"\[connection.firm\]: next_hops: 'mx:x' has"),
    ({"connection": {"firm": {"limits": {"speed": 1}}}}, BadValue, r"\[connection.firm\]: limits: .* 'speed'"),
    ({"connection": {"firm": {"organisation": "avon"}}}, BadValue, "stays with its organisation"),
    ({"connection": {"firm": {"kind": "cloud"}}}, BadValue, "stays of its kind"),
    ({"connection": {"new": {"kind": "server", "organisation": "avon", "name": "N", "state": "live"}}}, Conflict,
     r"\[connection.new\] state: a live connection needs"),
    ({"connection": {"new": {"kind": "server", "organisation": "avon", "name": "N",
                             "certificate_names": ["mail.firm.co.uk"]}}}, Exists,
     r"\[connection.new\]: .*belongs to firm"),
    ({"list": {"no address": {}}}, BadValue, r"\[list.\"no address\"\]"),
    ({"list": {f"new@avon.{SUFFIX}": {"organisation": "avon"}}}, BadValue, "a new one needs name"),
    ({"list": {f"new@firm.{SUFFIX}": {"organisation": "avon", "name": "N"}}}, BadValue, "addresses there end in"),
    ({"list": {ALL: {"members": [f"no.one@avon.{SUFFIX}"], "managers": ["no.one@avon"]}}}, NotFound,
     r"managers: there is no user"),
    ({"list": {ALL: {"members": [f"no.one@firm.{SUFFIX}"]}}}, Conflict, r"\[list.*\] members: no.one@firm.* cannot be"),
    ({"list": {ALL: {"members": [ALL]}}}, Conflict, "member of itself"),
    ({"list": {ALL: {"organisation": "avon"}}}, BadValue, "stays with its organisation"),
    ({"shared": {ALL: {}}}, BadValue, "no shared mailbox"),
    ({"shared": {DESK: {"quota": -1}}}, BadValue, r"\[shared.*\] quota: a mailbox has at most"),
    ({"shared": {DESK: {"managers": ["olive.marsh@avon"]}}}, Conflict, "is no member"),
    ({"shared": {DESK: {"members": {"jo.ward@avon": ["all"]}}}}, BadValue, r"\[shared.*\] members"),
    ({"role": {"no.one@avon": {}}}, NotFound, r"\[role.\"no.one@avon\"\]: there is no user"),
    ({"role": {"jo.ward@avon": {"helpdesk": ["nowhere"]}}}, NotFound, r"\]: helpdesk: there is no organisation"),
    ({"role": {"jo.ward@avon": {"organisation-administrator": ["/"]}}}, BadValue, "over an organisation"),
    ({"role": {"jo.ward@avon": {"helpdesk": [""]}}}, BadValue, "path is empty"),
    ({"role": {"ada.central@office": {"community-administrator": []}}}, Conflict, "nobody would be left"),
    ({"format": 2}, BadValue, "format"),
    ({"suffix": "other.test"}, BadValue, "is it the right file"),
]  # fmt: skip


@pytest.mark.parametrize(("tables", "kind", "told"), FAULTS)
def test_faults(tables: dict[str, Any], kind: type[CommunityError], told: str) -> None:
    """Each names its table and key, in few words, and nothing is done."""
    with pytest.raises(kind, match=told) as raised:
        applied(community(), file(**tables))
    assert len(str(raised.value)) < 800


def test_many_faults() -> None:
    """All of the form are told at once, twenty of them."""
    with pytest.raises(BadValue, match=r"and 80 more") as raised:
        differences(community(), file(organisation={f"o{number}": {"x": 1} for number in range(100)}))
    assert str(raised.value).count("did you mean") == 20


def test_an_organisation_administrator() -> None:
    """Exports and applies what is below, and sees nothing else."""
    view = community()
    exported = state.export(view, AccountId(identifier("olive.marsh")))
    assert set(exported.organisation) == {"avon", "avon/crime", "avon/refuge"}
    assert (set(exported.connection), set(exported.list), set(exported.shared)) == (set(), {ALL}, {DESK})
    # Who administers it from elsewhere is shown where users there are.
    assert set(exported.role) == {"olive.marsh@avon"}
    asked = file(
        organisation={"avon/crime": {"area": "Bristol"}, "avon/new": {"name": "New"}}, list={ALL: {"members": []}}
    )
    after, entries = applied(view, asked, "olive.marsh")
    assert state.export(after, None).organisation["avon/crime"].area == "Bristol"
    assert {each.actor for each in entries} == {identifier("olive.marsh")}
    for tables in (
        {"organisation": {"firm": {}}},
        {"shared": {DESK: {"quota": 1 << 31}}},
        {"organisation": {"new": {"name": "New", "abbreviation": "new"}}},
        {"organisation": {"avon/crime": {"abbreviation": "crime"}}},
        {"connection": {"firm": {}}},
        {"domain": {"firm.co.uk": {}}},
        {"role": {"law.yer@firm": {}}},
        {"role": {"jo.ward@avon": {"helpdesk": ["avon"]}}},
    ):
        with pytest.raises(NotAllowed):
            applied(view, file(**tables), "olive.marsh")
    with pytest.raises(NotAllowed):
        state.export(view, AccountId(identifier("jo.ward")))
    pruned = differences(view, document(exported), "olive.marsh", prune=True)
    assert pruned == []


def test_overtaken() -> None:
    """What was agreed to is done, or nothing."""
    view = community()
    asked = file(organisation={"avon": {"area": "Avon"}})
    shown = differences(view, asked)
    after, _ = applied(view, file(organisation={"avon": {"area": "Other"}}))
    with pytest.raises(Overtaken):
        list(state.acts(seen(after, asked), by(), shown, digest="", entropy=entropy()))


def test_a_chain_of_lists_and_aliases() -> None:
    """Lists of new lists come out whatever their order; an alias is the member whose it is."""
    alias = address(f"joe@avon.{SUFFIX}", identifier("jo.ward"), alias=True)
    view = community(alias)
    names = [f"{letter}@avon.{SUFFIX}" for letter in "abcd"]
    asked = file(list={
        name: {"organisation": "avon", "name": name, "members": [inner]}
        for name, inner in zip(names, [*names[1:], f"joe@avon.{SUFFIX}"], strict=True)
    })  # fmt: skip
    after, _ = applied(view, asked)
    assert differences(after, asked) == []
    asked["list"][names[3]]["members"] = [names[0]]
    with pytest.raises(Conflict, match="go round"):
        applied(after, asked)


PATHS = ["north", "south", "east", "north/new", "south/new", "east/south", "north/east", "new", "north/south/east"]
NAMES = st.sampled_from(["x", "A, \"b\" 'c'", "\u05d0\u05d1", "Z"])
TEXTS = NAMES | st.sampled_from(["", "y" * 300, "a\u202eb", "\x00"])
MEMBERS = st.sampled_from(
    [*(f"p{number}.x@{place}.{SUFFIX}" for number in range(4) for place in ("north", "south", "east")),
     f"r.x@own.example.{SUFFIX}", f"list@north.{SUFFIX}", f"new@north.{SUFFIX}", "a@b.c"]
)  # fmt: skip
USERS = st.sampled_from([f"p{number}.x@{place}" for number in range(4) for place in ("north", "south", "east")])


def fields(
    needed: dict[str, st.SearchStrategy[Any]] | None = None, **values: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the keys; those that a new thing needs are often there."""
    some = st.fixed_dictionaries({}, optional=values | (needed or {}))
    return some | st.fixed_dictionaries(needed or {}, optional=values)


TOPS = st.sampled_from(["north", "south", "east"])
ORGANISATIONS = fields(
    {"name": NAMES}, abbreviation=st.sampled_from(["", "north", "new"]), area=TEXTS, ex_directory=st.booleans(),
    protected=st.booleans(), recovery=st.sampled_from(["none", "two-person"]),
    state=st.sampled_from(["active", "suspended"]), was=st.sampled_from(PATHS),
)  # fmt: skip
CONNECTIONS = fields(
    {"organisation": TOPS, "kind": st.sampled_from(["server", "cloud"]), "name": NAMES},
    state=st.sampled_from(["testing", "live", "suspended"]), tenant=TEXTS, contact=TEXTS,
    next_hops=st.lists(st.sampled_from(["mx.a:25", "mx.b", "[::1]:9", "x:y"]), max_size=3),
    networks=st.lists(st.sampled_from(["192.0.2.0/24", "0.0.0.0/0"]), max_size=2),
    certificate_names=st.lists(st.sampled_from(["MX.a", "b.c"]), max_size=2),
    limits=st.dictionaries(st.sampled_from(["concurrency", "nothing"]), st.integers(0, 3)),
    was=st.sampled_from(["one", "two"]),
)  # fmt: skip
DOMAINS = fields(
    {"connection": st.sampled_from(["one", "two"])}, organisation=st.sampled_from(PATHS),
    state=st.sampled_from(["approved", "suspended"]), listed_members_only=st.booleans(),
    exceptions=st.dictionaries(MEMBERS, MEMBERS, max_size=2),
)  # fmt: skip
LISTS = fields(
    {"organisation": TOPS, "name": NAMES}, who_may_post=st.sampled_from(["members", "community"]),
    ex_directory=st.booleans(), managers=st.lists(USERS, max_size=2), members=st.lists(MEMBERS, max_size=5),
)  # fmt: skip
PLACES = st.lists(st.sampled_from(["/", *PATHS]), max_size=2)
ROLES = st.dictionaries(
    st.sampled_from(["community-administrator", "organisation-administrator", "helpdesk", "mailbox-user"]),
    PLACES,
    max_size=2,
)
FILES = fields(
    organisation=st.dictionaries(st.sampled_from(PATHS), ORGANISATIONS, max_size=4),
    connection=st.dictionaries(st.sampled_from(["one", "two"]), CONNECTIONS, max_size=2),
    domain=st.dictionaries(st.sampled_from(["own.example", "new.uk"]), DOMAINS, max_size=2),
    list=st.dictionaries(st.sampled_from([f"list@north.{SUFFIX}", f"new@north.{SUFFIX}"]), LISTS, max_size=2),
    role=st.dictionaries(USERS, ROLES, max_size=2),
    removed=fields(
        organisations=st.lists(st.sampled_from(PATHS), max_size=2),
        lists=st.just([f"list@north.{SUFFIX}"]),
        shared=st.just([f"list@north.{SUFFIX}"]),
        domains=st.just(["own.example"]),
    ),
)  # fmt: skip


@given(
    view=communities(), tables=FILES, whole=st.booleans(), prune=st.booleans(), actor=st.sampled_from([None, "p0.x"])
)
def test_any_file(view: MemoryView, tables: dict[str, Any], whole: bool, prune: bool, actor: str | None) -> None:
    """It is refused whole, or leads to what it says: then nothing differs, and all holds that held before."""
    asked = file(**tables)
    if whole:
        exported = document(state.export(view, None))
        for kind in KINDS:
            known: dict[str, Any] = exported[kind]
            for key, table in tables.get(kind, {}).items():
                known[key] = known.get(key, {}) | table
            asked[kind] = known
    before = problems(view)
    try:
        after, entries = applied(view, asked, actor, prune=prune)
    except CommunityError:
        return
    assert [each for each in differences(after, asked, prune=prune) if each.steps] == []
    assert set(problems(after)) <= set(before)
    assert bool(entries) == (after is not view)
    again = document(state.export(after, None))
    assert differences(after, again) == []
    assert reading.read(after, again) == state.export(after, None)


def test_who_cannot_act() -> None:
    """A suspended administrator neither exports nor applies."""
    gone, mail = hosted("gone.admin", "avon", "avon", life=Life.SUSPENDED)
    view = community(gone, mail, role("gone.admin", Role.ORGANISATION_ADMINISTRATOR, "avon"))
    with pytest.raises(NotAllowed):
        state.export(view, gone.id)
    with pytest.raises(NotAllowed):
        differences(view, file(), "gone.admin")


def test_roles_over_what_is_no_more() -> None:
    """Are not in the file, and applying that leaves them: recovery officers of a merged organisation have such."""
    view = with_state(community(role("law.yer", Role.ORGANISATION_ADMINISTRATOR, "firm")), "firm",
                      OrganisationState.DELETED)  # fmt: skip
    exported = state.export(view, None)
    assert "law.yer@firm" not in exported.role
    assert differences(view, document(exported), prune=True) == []


def test_an_organisation_that_the_file_has_back() -> None:
    """Its roles are there again, and what the file does not have of them goes at once."""
    held = role("law.yer", Role.HELPDESK, "firm")
    view = with_state(community(held), "firm", OrganisationState.DELETED)
    asked = document(state.export(view, None))
    asked["organisation"]["firm"] = {}
    after, _ = applied(view, asked, prune=True)
    assert held not in after.roles_of(held.account)
    assert differences(after, asked, prune=True) == []
