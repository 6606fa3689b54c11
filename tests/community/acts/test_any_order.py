"""A community stays whole whatever is done to it, in any order."""

import os
from collections.abc import Callable
from contextlib import suppress

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cjsm.community import finding
from cjsm.community.acts import (
    accounts,
    credentials,
    destruction,
    factors,
    inactivity,
    keys,
    lives,
    locks,
    mailboxes,
    mergechecks,
    merging,
    organisations,
    persons,
    quotas,
    renaming,
    roles,
    shared,
    transfers,
)
from cjsm.community.acts.acting import By
from cjsm.community.acts.credentials import KeyStep
from cjsm.community.acts.inactivity import Patience
from cjsm.community.acts.keys import MailboxStep
from cjsm.community.acts.lives import LifeStep
from cjsm.community.acts.merging import Merge
from cjsm.community.acts.quotas import QuotaLimits
from cjsm.community.acts.renaming import Name, OldAddress
from cjsm.community.address import Address
from cjsm.community.errors import CommunityError
from cjsm.community.identifiers import (
    AccountId,
    OrganisationId,
    RoleAssignmentId,
)
from cjsm.community.invariants import problems
from cjsm.community.records import (
    MailboxRight,
    Organisation,
    OrganisationState,
    Role,
    SharedMember,
)
from cjsm.community.sharing import lasting_readers, reads
from cjsm.community.states import organisation_state
from cjsm.community.view import Change
from tests.community.communities import (
    DESK,
    by,
    community,
    identifier,
    organisation,
    role,
)

from .support import new_account


class AnyActs(RuleBasedStateMachine):
    """Acts in any order by anybody: refused ones change nothing, allowed ones leave a whole community."""

    def __init__(self) -> None:
        super().__init__()
        self.view = community()
        self.count = 0

    def try_(self, act: Callable[..., Change], *arguments: object, **options: object) -> None:
        with suppress(CommunityError):
            self.done(act(self.view, *arguments, **options))

    def done(self, change: Change) -> None:
        assert change.entry is not None or change == Change()
        self.view = self.view.apply(change, moment=self.view.moment + 1)

    def fresh(self) -> str:
        self.count += 1
        return f"n{self.count}"

    actors = st.sampled_from([None, "ada.central", "olive.marsh", "henry.desk", "jo.ward", "n1.x"]).map(
        lambda name: by(name, "other")
    )
    people = st.sampled_from(["jo.ward", "sam.hill", "ada.central", "n1.x", "n2.x", "nobody"]).map(
        lambda name: AccountId(identifier(name))
    )
    places = st.sampled_from(["avon", "crime", "firm", "office", "n1", "nowhere"])

    @rule(who=actors, above=st.none() | places)
    def organisation(self, who: By, above: str | None) -> None:
        self.try_(organisations.add, who, organisation(self.fresh(), above))

    @rule(who=actors, where=places)
    def person(self, who: By, where: str) -> None:
        abbreviation = "firm" if where == "firm" else "avon"
        self.try_(accounts.add_hosted, who, new_account(f"{self.fresh()}.x", where, abbreviation))

    @rule(who=actors, whom=people, first=st.sampled_from(["Ann", "Jo", "Zoë"]), reserved=st.integers(0, 3))
    def rename(self, who: By, whom: AccountId, first: str, reserved: int) -> None:
        self.try_(renaming.rename, who, whom, Name(first=first, last="Ward"), OldAddress(2, reserved))

    @rule(who=actors, whom=people, to=places, reserved=st.integers(0, 3))
    def move(self, who: By, whom: AccountId, to: str, reserved: int) -> None:
        self.try_(transfers.move, who, whom, OrganisationId(identifier(to)), OldAddress(0, reserved))

    @rule(who=actors, where=places, to=places, commits=st.integers(1, 4), most=st.integers(1, 3))
    def merge(self, who: By, where: str, to: str, commits: int, most: int) -> None:
        place, into = OrganisationId(identifier(where)), OrganisationId(identifier(to))
        asked = Merge(organisation=place, into=into, old=OldAddress(2, 3), slug=self.fresh(), most=most)
        for _ in range(commits):
            view = self.view
            with suppress(CommunityError):
                if next(mergechecks.obstacles(view, who, asked), None) is None:
                    for act in merging.acts(view, who, asked, os.urandom):
                        view = view.apply(act(view), moment=view.moment)
                self.view = view.apply(Change(), moment=view.moment + 1)

    @rule(who=actors, whom=people, local=st.sampled_from(["jo.ward", "one", "two"]), adds=st.booleans())
    def alias(self, who: By, whom: AccountId, local: str, adds: bool) -> None:
        self.try_(renaming.add_alias if adds else renaming.remove_alias, who, whom, Address(local, "avon.cjsm.test"), 2)

    @rule(who=actors, whom=people, hidden=st.booleans())
    def change(self, who: By, whom: AccountId, hidden: bool) -> None:
        self.try_(persons.change, who, whom, {"town": "Bath"}, ordinary_email="a@example.org", ex_directory=hidden)

    @rule(whom=people, suspends=st.booleans(), months=st.integers(0, 9))
    def inactive(self, whom: AccountId, suspends: bool, months: int) -> None:
        self.view = self.view.apply(Change(), moment=self.view.moment + months * 2_592_000)
        act = inactivity.suspend if suspends else inactivity.warn
        self.try_(act, by(), whom, 0, Patience(5 * 2_592_000, 6 * 2_592_000))

    @rule(who=actors, whom=people, octets=st.integers(0, 30))
    def quota(self, who: By, whom: AccountId, octets: int) -> None:
        found = self.view.account(whom)
        if found is not None and found.mailbox is not None:
            self.try_(quotas.set_quota, who, found.mailbox, octets, QuotaLimits(10, 20))

    @rule(who=actors, whom=people, locked=st.booleans())
    def lock(self, who: By, whom: AccountId, locked: bool) -> None:
        self.try_(accounts.set_locked, who, whom, locked=locked)

    @rule(who=actors, whom=people, until=st.none() | st.integers(0, 10_000_000))
    def guard(self, who: By, whom: AccountId, until: int | None) -> None:
        self.try_(locks.guard, who, whom, until)

    @rule(who=actors, whom=people)
    def second_factor(self, who: By, whom: AccountId) -> None:
        found = self.view.account(whom)
        read = found.keys if found is not None else 0
        self.try_(factors.turn_on, who, whom, KeyStep(read, read + 1), 10)

    @rule(who=actors, whom=people)
    def unlock_self(self, who: By, whom: AccountId) -> None:
        found = self.view.account(whom)
        read = found.keys if found is not None else 0
        self.try_(locks.unlock_self, who, whom, KeyStep(read, read), 10)

    @rule(who=actors, whom=people, step=st.sampled_from(LifeStep))
    def life(self, who: By, whom: AccountId, step: LifeStep) -> None:
        self.try_(lives.change_life, who, whom, step)

    @rule(who=actors, whom=people)
    def reset(self, who: By, whom: AccountId) -> None:
        found = self.view.account(whom)
        read = found.keys if found is not None else 0
        self.try_(keys.reset_password, who, whom, KeyStep(read, read + 1), ())

    @rule(who=actors, whom=people)
    def destroy(self, who: By, whom: AccountId) -> None:
        self.try_(destruction.begin, who, whom, self.view.moment)
        found = self.view.account(whom)
        if found is not None and not found.keys:
            with suppress(CommunityError):
                self.view = self.view.apply(destruction.finish(self.view, whom, 1), moment=self.view.moment + 1)

    def desk_step(self) -> MailboxStep:
        found = self.view.kept_shared_mailbox(DESK.id)
        read, generation = (found.keys, found.generation) if found is not None else (0, 0)
        return MailboxStep(DESK.id, read, read + 1, generation + 1, "")

    @rule(who=actors, note=st.sampled_from(["", "closed"]))
    def delete_desk(self, who: By, note: str) -> None:
        self.try_(shared.delete, who, DESK.id, note=note)

    @rule(who=actors, within=st.none() | st.integers(0, 9))
    def undelete_desk(self, who: By, within: int | None) -> None:
        found = self.view.kept_shared_mailbox(DESK.id)
        members = shared.staying(self.view, found) if found is not None else ()
        self.try_(shared.undelete, who, DESK.id, members, self.desk_step(), within)

    @rule(who=actors, whom=people, rights=st.sets(st.sampled_from(MailboxRight), min_size=1))
    def join_desk(self, who: By, whom: AccountId, rights: set[MailboxRight]) -> None:
        member = SharedMember(account=whom, rights=tuple(sorted(rights)))
        self.try_(shared.join, who, DESK.id, member, self.desk_step())

    @rule(who=actors, whom=people)
    def leave_desk(self, who: By, whom: AccountId) -> None:
        self.try_(shared.leave, who, DESK.id, whom, self.desk_step())

    @rule(who=actors, old=st.integers(0, 9))
    def destroy_desk(self, who: By, old: int) -> None:
        self.try_(mailboxes.destroy, who, DESK.id, old)
        self.destroy(who, AccountId(DESK.id))

    @rule(who=actors, where=places, state=st.sampled_from(OrganisationState))
    def state(self, who: By, where: str, state: OrganisationState) -> None:
        self.try_(organisations.set_state, who, OrganisationId(identifier(where)), state)

    @rule(who=actors, whom=people, kind=st.sampled_from(Role), where=st.none() | places)
    def grant(self, who: By, whom: AccountId, kind: Role, where: str | None) -> None:
        assignment = role("x", kind, where)
        identifier_ = RoleAssignmentId(identifier(self.fresh()))
        self.try_(roles.grant, who, msgspec.structs.replace(assignment, account=whom, id=identifier_))

    @rule(who=actors, whom=people)
    def revoke(self, who: By, whom: AccountId) -> None:
        held = next(iter(self.view.roles_of(whom)), None)
        if held is not None:
            self.try_(roles.revoke, who, whom, held.id)

    @rule(who=actors, whom=people)
    def password(self, who: By, whom: AccountId) -> None:
        found = self.view.account(whom)
        read = found.keys if found is not None else 0
        self.try_(credentials.choose_password, who, whom, KeyStep(read, read + 1))

    @invariant()
    def whole(self) -> None:
        assert problems(self.view) == []

    @invariant()
    def everybody_gets_mail_at_one_address(self) -> None:
        for account in self.view.accounts():
            primary = finding.primary_address(self.view, account.id)
            record = self.view.address(primary)
            assert record is not None
            assert record.owner == account.id

    @invariant()
    def a_desk_that_is_there_is_read(self) -> None:
        """Or nobody would ever open its mail again; a deleted one is nobody's to open."""
        found = self.view.shared_mailbox(DESK.id)
        members = found.members if found is not None else ()
        readers = lasting_readers(self.view, members)
        assert bool(readers) is (found is not None)
        for person in self.view.accounts():
            member = any(each.account == person.id and MailboxRight.READ in each.rights for each in members)
            active = organisation_state(self.view, DESK.organisation) is OrganisationState.ACTIVE
            assert reads(self.view, person.id, DESK.id) is (member and active)

    @invariant()
    def somebody_administers(self) -> None:
        held = [found for found in self.view.roles_over(None) if found.role is Role.COMMUNITY_ADMINISTRATOR]
        assert held

    @invariant()
    def names_are_whole(self) -> None:
        for found in self.view.organisations():
            assert isinstance(found, Organisation)
            assert finding.organisation_of(self.view, finding.path_of(self.view, found.id)).id == found.id


TestAnyActs = AnyActs.TestCase
TestAnyActs.settings = settings(deadline=None, max_examples=40, stateful_step_count=30)
