"""Officers, and what they do: mail that a reset closed is opened again by two people of two authorities.

An approval's keys are written first; nobody looks at them before the act that names them, with its ledger entry, is
committed. So nothing is released that the ledger does not tell of.
"""

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from cjsm.access import keyring, officerkeys
from cjsm.access.enrolment import Enrolment
from cjsm.access.errors import AccessRefused
from cjsm.access.generations import Generations
from cjsm.access.keychanges import anew
from cjsm.access.keyring import AccountKeys, AuthorityKeys, MailboxKeys, ReleasedKeys
from cjsm.access.recoveryseals import read_authority
from cjsm.access.signedin import Officer, SignedIn
from cjsm.community.acts import recovery as acts
from cjsm.community.acts.acting import By
from cjsm.community.acts.credentials import KeyStep
from cjsm.community.acts.keys import MailboxStep, keys_of
from cjsm.community.acts.shared import member_of
from cjsm.community.errors import BadValue, Conflict, NotFound
from cjsm.community.identifiers import LENGTH, AccountId, Entropy, MailboxId, OrganisationId, RequestId
from cjsm.community.records import Account, RecoveryAuthority, RecoveryRequest, RequestState, SharedMailbox
from cjsm.community.states import takes_mail
from cjsm.community.view import View
from cjsm.configuration import KeySettings
from cjsm.store.interfaces import ICommunityStore, IKeyStore
from cjsm.vault import device, passwords
from cjsm.vault.accountkeys import SignedAccountKey, check_account_key, sign_account_key
from cjsm.vault.errors import NotAuthentic
from cjsm.vault.hybrid import PrivateKey
from cjsm.vault.mailboxes import GenerationKey, Grant, check_generation
from cjsm.vault.officers import check_recovery_key, grant_officer, new_recovery_key, open_officer
from cjsm.vault.recovery import RecoveryWrap, recover, release
from cjsm.vault.secrets import ServiceSecrets
from cjsm.vault.slots import KeyUse, new_account_key

_DAY = 86_400


class Approved(Struct, frozen=True, kw_only=True):
    """What an approval led to: the request as it is now, and whether mail is open now."""

    request: RecoveryRequest
    opened: bool


class Recovering:
    """Appoints officers; requests and approves.

    :param entropy: for identifiers.
    :param clock: seconds since the epoch.
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
        clock: Callable[[], float],
    ) -> None:
        self._enrolment = enrolment
        self._generations = generations
        self._settings = settings
        self._community = community
        self._keys = keys
        self._secrets = secrets
        self._entropy = entropy
        self._clock = clock

    # Officers

    def officer(self, account: AccountId, password: bytes) -> Officer:
        """Return who showed their own *password*, with what it opens. Slow.

        :raises AccessRefused: when it is not the password that the person chose.
        """
        keys = self._account_keys(account)[1]
        self._enrolment.open_mail_keys(account, password)
        if keys.password_stretch is None or device.parse(password) is not None:
            raise AccessRefused
        return Officer(account, officerkeys.open_slots(keys, password, self._secrets))

    def officer_of(self, shown: SignedIn, password: bytes) -> Officer:
        """The same for somebody whose own *password* the checker let in just now.

        :raises AccessRefused: when it was changed meanwhile.
        """
        account = shown.account.id
        try:
            return Officer(account, officerkeys.open_slots(self._account_keys(account)[1], password, self._secrets))
        except NotAuthentic:
            raise AccessRefused from None

    async def appoint(self, by: By, place: OrganisationId, account: AccountId, password: bytes) -> RecoveryAuthority:
        """Make *account* a recovery officer of *place*, an organisation or COMMUNITY; *password* is their own.

        A new recovery key is granted to every officer; mailboxes begin new generations under it by themselves.

        :raises AccessRefused: when the password is not theirs.
        """
        self.officer(account, password)

        async def act() -> RecoveryAuthority:
            found, keys = self._account_keys(account)
            own = self._own_key(keys)
            step, public = KeyStep(found.keys, found.keys), own
            if own is None:
                public, following = self._new_own_key(keys, password)
                step = KeyStep(found.keys, self._keys.latest(account) + 1)
            before, authority, officers = self._next(place)
            self._community.read_now(lambda view: acts.appoint(view, by, account, authority, step, before))
            if own is None:
                await self._keys.put(account, step.written, keyring.encode(following))
            assert public is not None, "made just now where there was none"
            fresh = {account: public}
            made = await self._write(authority, {*officers, account}, fresh)
            await self._community.commit(by.act_id, lambda view: acts.appoint(view, by, account, made, step, before))
            return made

        return await anew(act)

    async def dismiss(self, by: By, place: OrganisationId, account: AccountId) -> RecoveryAuthority:
        """Take *account* off the officers of *place*; a new recovery key goes to the others alone."""

        async def act() -> RecoveryAuthority:
            before, authority, officers = self._next(place)
            self._community.read_now(lambda view: acts.dismiss(view, by, account, authority, before))
            made = await self._write(authority, {each for each in officers if each != account}, {})
            await self._community.commit(by.act_id, lambda view: acts.dismiss(view, by, account, made, before))
            return made

        return await anew(act)

    def _next(self, place: OrganisationId) -> tuple[int, RecoveryAuthority, tuple[AccountId, ...]]:
        """Return the version of the authority's keys that is named (0: none), what follows it, and its officers."""

        def look(view: View) -> tuple[RecoveryAuthority | None, tuple[AccountId, ...]]:
            return view.recovery_authority(place), acts.officers(view, place)

        known, officers = self._community.read_now(look)
        if known is None:
            return 0, RecoveryAuthority(id=place, keys=1, number=1, since=0), officers
        version = self._keys.latest(place) + 1
        following = msgspec.structs.replace(known, keys=version, number=known.number + 1)
        return known.keys, following, officers

    async def _write(
        self, authority: RecoveryAuthority, officers: set[AccountId], fresh: Mapping[AccountId, SignedAccountKey]
    ) -> RecoveryAuthority:
        """Write the authority's keys with a new one, granted to *officers*; what others had is dropped."""
        known = self._community.read_now(lambda view: view.recovery_authority(authority.id))
        record = read_authority(self._keys, known) if known is not None else None
        seed, key = new_recovery_key(authority.id, authority.number, self._secrets.community)
        granted = []
        for officer in sorted(officers):
            own = fresh.get(officer) or self._own_key(self._account_keys(officer)[1])
            if own is not None:
                to = check_account_key(own, officer, self._secrets.community_public)
                granted.append(grant_officer(seed, key, officer, own.epoch, to))
        earlier = record or AuthorityKeys(organisation=authority.id, keys=(), grants=())
        following = AuthorityKeys(
            organisation=authority.id,
            keys=(*earlier.keys, key),
            grants=(*(each for each in earlier.grants if each.officer in officers), *granted),
        )
        version = self._keys.latest(authority.id) + 1
        await self._keys.put(authority.id, version, keyring.encode(following))
        return msgspec.structs.replace(authority, keys=version)

    def _own_key(self, keys: AccountKeys) -> SignedAccountKey | None:
        """Return the public authority key that the account's password opens; None when there is none (any more)."""
        open_now = {slot.epoch for slot in keys.authority_slots}
        return next((each for each in reversed(keys.authority) if each.epoch in open_now), None)

    def _new_own_key(self, keys: AccountKeys, password: bytes) -> tuple[SignedAccountKey, AccountKeys]:
        if keys.password_stretch is None:
            raise AccessRefused
        epoch = keys.authority[-1].epoch + 1 if keys.authority else 1
        seed, unsigned = new_account_key(keys.account, epoch, KeyUse.AUTHORITY)
        public = sign_account_key(unsigned, self._secrets.community)
        key = passwords.stretch(keys.password_stretch, password, self._secrets.peppers)
        slot = officerkeys.wrap(seed, key, keys, epoch, self._secrets)
        following = msgspec.structs.replace(
            keys, authority=(*keys.authority, public), authority_slots=(*keys.authority_slots, slot)
        )
        return public, following

    def _account_keys(self, account: AccountId) -> tuple[Account, AccountKeys]:
        found = self._community.read_now(lambda view: view.account(account))
        if found is None or not found.keys:
            raise NotFound("there is no such user")
        return found, keyring.decode(self._keys.get_now(account, found.keys), AccountKeys)

    # Requests

    async def request(
        self,
        by: By,
        account: AccountId,
        beneficiary: AccountId | None = None,
        days: int | None = None,
        *,
        shared: MailboxId | None = None,
    ) -> RecoveryRequest:
        """Ask that mail of *account* is opened: to them again, or for *days* to somebody else.

        :param shared: a shared mailbox that they read, in place of their own: a reset closes that too, and where no
            other reader is left only recovery opens it.
        :raises CommunityError: when there is nothing that recovery could open, or *by* may not ask.
        """
        found = self._account_keys(account)[0]
        mailbox = shared or found.mailbox
        if mailbox is None:
            raise Conflict("this user's mail is kept elsewhere", "ask their organisation")
        owner, record, _ = self._generations.read(mailbox)
        to = beneficiary or account
        if to == account and days is not None:
            raise BadValue("a user's own mail is theirs without an end", "leave out --days")
        if shared is not None and to != account:
            raise BadValue("a shared mailbox is opened again to who reads it", "let them join: cjsm shared join")
        member = member_of(owner, account) if isinstance(owner, SharedMailbox) else None
        wraps = self._sealed(record, to, member.first if member is not None else 0)
        newest = wraps[-1] if wraps else None
        moment = int(self._clock())
        made = RecoveryRequest(
            id=RequestId(self._entropy(LENGTH)),
            mailbox=mailbox,
            account=account,
            beneficiary=to,
            organisation=newest.organisation if newest is not None else owner.organisation,
            counter_signer=newest.counter_signer if newest is not None else owner.organisation,
            generations=tuple(wrap.generation for wrap in wraps),
            reason=by.reason,
            expires=moment + self._settings.request_life * _DAY,
            until=moment + days * _DAY if days is not None else None,
        )
        await self._community.commit(by.act_id, lambda view: acts.request(view, by, made))
        return self._request(made.id)

    def _sealed(self, record: MailboxKeys, to: AccountId, first: int) -> list[RecoveryWrap]:
        """Return the wraps, under the newest two authorities, of what *to* is not granted yet, from *first* on."""
        epoch = self._generations.newest_key(to).epoch
        has = {each.generation for each in record.grants if (each.member, each.epoch) == (to, epoch)}
        found = [wrap for wrap in record.recovery if wrap.generation not in has and wrap.generation >= first]
        pair = (found[-1].organisation, found[-1].counter_signer) if found else None
        return [wrap for wrap in found if (wrap.organisation, wrap.counter_signer) == pair]

    def _request(self, identifier: RequestId) -> RecoveryRequest:
        found = self._community.read_now(lambda view: view.recovery_request(identifier))
        if found is None:
            raise NotFound("there is no such request", "see `cjsm recovery list`")
        return found

    async def approve(self, by: By, identifier: RequestId, officer: Officer) -> Approved:
        """Approve as what is due next: the counter-signer's officer first, then the organisation's.

        :raises CommunityError: when *officer* is not one whose turn it is.
        """
        if self._request(identifier).state is RequestState.REQUESTED:
            return await anew(lambda: self._counter_sign(by, identifier, officer))
        return await anew(lambda: self._open(by, identifier, officer))

    async def refuse(self, by: By, identifier: RequestId) -> RecoveryRequest:
        """Say no to a request; what the counter-signer handed over is destroyed."""
        await self._community.commit(by.act_id, lambda view: acts.refuse(view, by, identifier))
        await self._keys.destroy(identifier)
        return self._request(identifier)

    async def _counter_sign(self, by: By, identifier: RequestId, officer: Officer) -> Approved:
        found = self._request(identifier)
        self._community.read_now(lambda view: acts.counter_sign(view, by, identifier, 0))
        _, record, _ = self._generations.read(found.mailbox)
        wraps = [each for each in record.recovery if each.generation in found.generations]
        opened = self._recovery_keys(found.counter_signer, {wrap.counter_number for wrap in wraps}, officer)
        released = [
            release(wrap, self._generation(record, wrap.generation), opened[wrap.counter_number])
            for wrap in wraps
            if wrap.counter_number in opened
        ]
        version = self._keys.latest(identifier) + 1
        kept = ReleasedKeys(request=identifier, wraps=tuple(released))
        await self._keys.put(identifier, version, keyring.encode(kept))
        await self._community.commit(by.act_id, lambda view: acts.counter_sign(view, by, identifier, version))
        return Approved(request=self._request(identifier), opened=False)

    async def _open(self, by: By, identifier: RequestId, officer: Officer) -> Approved:
        found = self._request(identifier)
        owner, record, _ = self._generations.read(found.mailbox)
        released = keyring.decode(self._keys.get_now(identifier, found.keys), ReleasedKeys) if found.keys else None
        version = keys_of(owner)[0]
        same = MailboxStep(found.mailbox, version, version, 0, "")
        delay = self._settings.recovery_delay
        self._community.read_now(lambda view: acts.open_mail(view, by, identifier, same, delay))
        if released is None or released.request != identifier:
            raise Conflict("what the counter-signer handed over is not there", "refuse this request, and ask again")
        granted: list[Grant] = []
        opened = self._recovery_keys(found.organisation, {wrap.key_number for wrap in released.wraps}, officer)
        for wrap in released.wraps:
            if wrap.key_number in opened:
                key = self._generation(record, wrap.generation)
                seed = recover(wrap, key, opened[wrap.key_number])
                granted += self._generations.granted((found.beneficiary,), seed, key, {})
        following = msgspec.structs.replace(record, grants=(*record.grants, *granted))
        if found.beneficiary != found.account and self._takes_mail(found.account):
            # What comes from now on is not part of what was approved.
            following = self._generations.with_next(following, (found.account,), {})
        step = await self._generations.write(owner, following)
        await self._community.commit(by.act_id, lambda view: acts.open_mail(view, by, identifier, step, delay))
        await self._keys.destroy(identifier)
        return Approved(request=self._request(identifier), opened=True)

    def _takes_mail(self, account: AccountId) -> bool:
        found = self._community.read_now(lambda view: view.account(account))
        return found is not None and takes_mail(found)

    def _generation(self, record: MailboxKeys, generation: int) -> GenerationKey:
        key = next((each for each in record.generations if each.generation == generation), None)
        if key is None:
            raise Conflict("a generation was destroyed meanwhile: nothing is sealed to it", "refuse, and ask again")
        check_generation(key, record.mailbox, self._secrets.community_public)
        return key

    def _recovery_keys(self, authority: OrganisationId, numbers: set[int], officer: Officer) -> dict[int, PrivateKey]:
        """Return those of an authority's recovery keys that the officer's own authority key opens.

        :raises Conflict: when it opens none of them.
        """
        known = self._community.read_now(lambda view: view.recovery_authority(authority))
        if known is None:
            raise NotFound("there is no such recovery authority")
        record = read_authority(self._keys, known)
        public = {each.number: each for each in record.keys if each.number in numbers}
        opened = {}
        for granted in record.grants:
            seed = officer.seeds.get(granted.epoch)
            if granted.officer == officer.account and granted.number in public and seed is not None:
                key = public[granted.number]
                check_recovery_key(key, authority, self._secrets.community_public)
                opened[key.number] = open_officer(granted, key, PrivateKey(seed))
        if not opened:
            raise Conflict(
                "this mail was sealed for recovery before this officer was appointed, or before they were reset",
                "let an officer approve who was one at that time",
            )
        return opened
