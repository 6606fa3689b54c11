"""Shared mailboxes and their keys: who joins reads what comes from now on at once, older mail when a reader opens it.

A new generation needs public keys only. To grant an old one somebody has to have it: a reader gives a secret of their
own, with which the old seeds are opened and sealed to whoever waits.
"""

from collections.abc import Callable, Mapping
from functools import partial

import msgspec
from msgspec import Struct

from cjsm.access import keyring
from cjsm.access.enrolment import Enrolment
from cjsm.access.generations import Generations, readers
from cjsm.access.keychanges import anew
from cjsm.access.keyring import MailboxKeys
from cjsm.access.signedin import Opener
from cjsm.community import finding
from cjsm.community.acts import shared as acts
from cjsm.community.acts.acting import By
from cjsm.community.acts.keys import MailboxStep
from cjsm.community.address import Address
from cjsm.community.errors import BadValue, CommunityError, Conflict
from cjsm.community.identifiers import LENGTH, AccountId, Entropy, MailboxId, OrganisationId
from cjsm.community.records import MailboxRight, SharedMailbox, SharedMember
from cjsm.community.view import Change, View
from cjsm.configuration import KeySettings
from cjsm.store.interfaces import ICommunityStore, IKeyStore
from cjsm.vault.hybrid import PrivateKey
from cjsm.vault.mailboxes import GenerationKey, Grant, check_generation, new_generation, open_seed
from cjsm.vault.secrets import ServiceSecrets


class Joined(Struct, frozen=True, kw_only=True):
    """What a member reads now: from ``generation`` on, and of older ones all but ``waiting``."""

    generation: int
    waiting: int


class Sharing:
    """Makes shared mailboxes and changes their members.

    :param entropy: for identifiers.
    """

    def __init__(
        self,
        enrolment: Enrolment,
        generations: Generations,
        settings: KeySettings,
        *,
        community: ICommunityStore,
        keys: IKeyStore,
        secrets: ServiceSecrets,
        entropy: Entropy,
    ) -> None:
        self._enrolment = enrolment
        self._generations = generations
        self._settings = settings
        self._community = community
        self._keys = keys
        self._secrets = secrets
        self._entropy = entropy

    async def add(
        self, by: By, organisation: OrganisationId, slug: str, name: str, member: SharedMember, quota: int
    ) -> SharedMailbox:
        """Make a shared mailbox with its first member, who reads and manages it.

        :raises CommunityError: when the act is not allowed or a value not taken.
        """
        if MailboxRight.READ not in member.rights:
            raise BadValue("the first member reads: mail that nobody can read would be lost")
        made = SharedMailbox(
            id=MailboxId(self._entropy(LENGTH)),
            organisation=organisation,
            slug=slug,
            name=name,
            members=(member,),
            managers=(member.account,),
            quota=quota,
            keys=1,
            generation=1,
        )

        def decide(view: View) -> Change:
            acts.check_member(view, organisation, member)
            domain = f"{finding.abbreviation_for(view, organisation)}.{view.suffix}"
            return acts.add(view, by, made, Address.parse(f"{slug}@{domain}"))

        self._community.read_now(decide)
        seed, key = new_generation(made.id, 1, self._secrets.community)
        granted = self._generations.granted((member.account,), seed, key, {})
        recovery = self._generations.seals.wraps_for(organisation, seed, key)
        record = MailboxKeys(mailbox=made.id, generations=(key,), grants=granted, recovery=recovery)
        await self._keys.put(made.id, 1, keyring.encode(record))
        await self._community.commit(by.act_id, decide)
        return made

    async def join(
        self,
        by: By,
        mailbox: MailboxId,
        account: AccountId,
        rights: tuple[MailboxRight, ...],
        *,
        from_now: bool = False,
        manager: bool = False,
        opener: Opener | None = None,
    ) -> Joined:
        """Let *account* join with *rights*, or have other rights.

        :param from_now: mail of before stays closed to them for good.
        :param opener: a reader who opens older mail to them at once; else they wait until one does.
        :raises AccessRefused: when the opener's secret is not one.
        """
        seeds = self._seeds(opener)

        async def act() -> Joined:
            owner, record, newest = self._generations.read(mailbox)
            shared = _shared(owner)
            before = acts.member_of(shared, account)
            reads = MailboxRight.READ in rights
            turned = reads != (before is not None and MailboxRight.READ in before.rights)
            following = newest.generation + 1 if turned else newest.generation
            first = before.first if before is not None and not turned else following if from_now else 0
            member = SharedMember(account=account, rights=tuple(sorted(set(rights))), first=first)

            def decide(view: View, step: MailboxStep | None) -> Change:
                return acts.join(view, by, mailbox, member, step, manager=manager, most=self._settings.shared_members)

            if not turned:
                await self._community.commit(by.act_id, lambda view: decide(view, None))
                return Joined(generation=newest.generation, waiting=self._waiting_of(mailbox, account))
            self._ask(lambda view: decide(view, _same(mailbox, shared, newest)))
            members = (*(each for each in readers(shared) if each != account), *((account,) if reads else ()))
            self._check_keys(reads, account)
            record = self._generations.with_next(_without(record, account), members, {})
            if reads and opener is not None and not from_now:
                granted, _ = self._opened(record, opener.account, seeds, {account: 0})
                record = msgspec.structs.replace(record, grants=(*record.grants, *granted))
            step = await self._generations.write(shared, record)
            await self._community.commit(by.act_id, lambda view: decide(view, step))
            return Joined(generation=step.generation, waiting=self._waiting_of(mailbox, account))

        return await anew(act)

    async def leave(self, by: By, mailbox: MailboxId, account: AccountId) -> int:
        """Take *account* out; return the generation that mail is sealed to from now on, without them.

        :raises CommunityError: when nobody would be left to read, or *by* may not.
        """

        async def act() -> int:
            owner, record, newest = self._generations.read(mailbox)
            shared = _shared(owner)
            reads = account in readers(shared)
            same = _same(mailbox, shared, newest)
            self._ask(lambda view: acts.leave(view, by, mailbox, account, same))
            step = None
            if reads:
                members = tuple(each for each in readers(shared) if each != account)
                following = self._generations.with_next(_without(record, account), members, {})
                step = await self._generations.write(shared, following)
            await self._community.commit(by.act_id, lambda view: acts.leave(view, by, mailbox, account, step))
            return step.generation if step is not None else newest.generation

        return await anew(act)

    async def undelete(self, by: By, mailbox: MailboxId, within: int) -> tuple[AccountId, ...]:
        """Have a deleted shared mailbox back with a new generation; return who is left out: no member can they be now.

        :param within: seconds for which it can be had back.
        :raises CommunityError: when its time is over, nobody is left who could read it, or *by* may not.
        """

        async def act() -> tuple[AccountId, ...]:
            shared, members = self._community.read_now(partial(_deleted, mailbox=mailbox))
            same = MailboxStep(mailbox, shared.keys, shared.keys, shared.generation, "")
            self._ask(lambda view: acts.undelete(view, by, mailbox, members, same, within))
            owner, record, _ = self._generations.read(mailbox)
            back = msgspec.structs.replace(shared, members=members)
            for account in set(readers(shared)) - set(readers(back)):
                record = _without(record, account)
            step = await self._generations.write(owner, self._generations.with_next(record, readers(back), {}))
            await self._community.commit(
                by.act_id, lambda view: acts.undelete(view, by, mailbox, members, step, within)
            )
            return tuple(each.account for each in shared.members if each not in members)

        return await anew(act)

    async def open_old(self, by: By, mailbox: MailboxId, opener: Opener) -> tuple[tuple[AccountId, int], ...]:
        """Open old mail to every member who waits for it, with a reader's secret; return who may read what now.

        :raises AccessRefused: when the secret is not one.
        :raises Conflict: when nobody waits for what this reader has.
        """
        seeds = self._seeds(opener)

        async def act() -> tuple[tuple[AccountId, int], ...]:
            owner, record, newest = self._generations.read(mailbox)
            shared = _shared(owner)
            self._ask(lambda view: acts.open_old(view, by, _same(mailbox, shared, newest), ()))
            waiting = {
                member.account: member.first
                for member in shared.members
                if MailboxRight.READ in member.rights and member.account != opener.account
            }
            granted, released = self._opened(record, opener.account, seeds, waiting)
            if not released:
                raise Conflict("nobody waits for old mail that this member can open", "see `cjsm shared show`")
            following = msgspec.structs.replace(record, grants=(*record.grants, *granted))
            step = await self._generations.write(shared, following)
            await self._community.commit(by.act_id, lambda view: acts.open_old(view, by, step, released))
            return released

        return await anew(act)

    def waiting(self, mailbox: MailboxId) -> dict[AccountId, tuple[int, ...]]:
        """Return the generations that readers are to read and are not granted yet."""
        owner, record, _ = self._generations.read(mailbox)
        found = {}
        for member in _shared(owner).members:
            if MailboxRight.READ in member.rights:
                closed = tuple(_closed(record, member.account, self._epoch(member.account), member.first))
                if closed:
                    found[member.account] = closed
        return found

    def _waiting_of(self, mailbox: MailboxId, account: AccountId) -> int:
        return len(self.waiting(mailbox).get(account, ()))

    def _epoch(self, account: AccountId) -> int:
        try:
            return self._generations.newest_key(account).epoch
        except CommunityError:
            return 0

    def _check_keys(self, reads: bool, account: AccountId) -> None:
        """Refuse somebody without a key now: others' grants would hide that there is none for them."""
        if reads:
            self._generations.newest_key(account)

    def _ask(self, decide: Callable[[View], Change]) -> None:
        """Ask whether the act may be, before keys are made; it is asked again inside the commit."""
        self._community.read_now(decide)

    def _seeds(self, opener: Opener | None) -> Mapping[int, bytes]:
        return self._enrolment.open_mail_keys(opener.account, opener.secret) if opener is not None else {}

    def _opened(
        self, record: MailboxKeys, opener: AccountId, seeds: Mapping[int, bytes], to: Mapping[AccountId, int]
    ) -> tuple[tuple[Grant, ...], tuple[tuple[AccountId, int], ...]]:
        """Return grants of all that *opener* opens and others are not granted yet, and (member, generation) of each.

        :param to: who should read, with the first generation of theirs.
        """
        made: list[Grant] = []
        released = []
        for member, first in to.items():
            epoch = self._epoch(member)
            for generation in _closed(record, member, epoch, first) if epoch else ():
                key = next(each for each in record.generations if each.generation == generation)
                seed = self._seed(record, key, opener, seeds)
                if seed is not None:
                    made += self._generations.granted((member,), seed, key, {})
                    released.append((member, generation))
        return tuple(made), tuple(released)

    def _seed(
        self, record: MailboxKeys, key: GenerationKey, opener: AccountId, seeds: Mapping[int, bytes]
    ) -> bytes | None:
        """Return the seed of a generation as the opener was granted it; None when not with these keys."""
        check_generation(key, record.mailbox, self._secrets.community_public)
        for granted in record.grants:
            seed = seeds.get(granted.epoch)
            if (granted.member, granted.generation) == (opener, key.generation) and seed is not None:
                return open_seed(granted, key, PrivateKey(seed))
        return None


def _deleted(view: View, mailbox: MailboxId) -> tuple[SharedMailbox, tuple[SharedMember, ...]]:
    """Return a shared mailbox, and who is a member when it is back."""
    found = acts.kept_mailbox(view, mailbox)
    return found, acts.staying(view, found)


def _shared(owner: object) -> SharedMailbox:
    if not isinstance(owner, SharedMailbox):
        raise Conflict("this is a person's own mailbox", "make a shared one: cjsm shared add")
    return owner


def _same(mailbox: MailboxId, shared: SharedMailbox, newest: GenerationKey) -> MailboxStep:
    """Return a step that goes nowhere, to ask with whether an act may be."""
    return MailboxStep(mailbox, shared.keys, shared.keys, newest.generation, "")


def _without(record: MailboxKeys, account: AccountId) -> MailboxKeys:
    return msgspec.structs.replace(record, grants=tuple(each for each in record.grants if each.member != account))


def _closed(record: MailboxKeys, account: AccountId, epoch: int, first: int) -> list[int]:
    """Return the generations from *first* on that the account's newest epoch is not granted."""
    has = {each.generation for each in record.grants if (each.member, each.epoch) == (account, epoch)}
    return [each.generation for each in record.generations if each.generation >= first and each.generation not in has]
