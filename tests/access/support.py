"""A community with real stores on disk, cheap passwords and a clock that a test moves."""

import base64
import hmac
import os
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred, execute
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from zope.interface import Interface

from cjsm.access.checker import Checker, SignedIn
from cjsm.access.enrolment import Enrolled, Enrolment
from cjsm.access.factors import Factors
from cjsm.access.interfaces import ILoginAttempt, IMaildrop, LoginAttempt
from cjsm.access.keyring import AccountKeys, decode
from cjsm.access.mailboxkeys import CurrentKeys
from cjsm.access.maildrop import Maildrop
from cjsm.access.realm import Realm
from cjsm.community.acts import accounts, connections, domains, organisations
from cjsm.community.acts.acting import By
from cjsm.community.identifiers import (
    AccountId,
    BodyId,
    ConnectionId,
    DeliveryId,
    MailboxId,
    OrganisationId,
)
from cjsm.community.records import Account, Connection, ConnectionKind, LedgerEntry, Organisation, Profile
from cjsm.community.view import Change, View
from cjsm.configuration import AccessSettings, LedgerSettings
from cjsm.ledger.entries import decode_entry, encode_entry
from cjsm.mail.anchoring import HeadAnchoring
from cjsm.store.interfaces import Delivery
from cjsm.store.lmdb.activity import LmdbActivity
from cjsm.store.lmdb.anchored import HeadHashes
from cjsm.store.lmdb.bodies import FileBodyStore
from cjsm.store.lmdb.community import LmdbCommunityStore
from cjsm.store.lmdb.disk import InlineDisk
from cjsm.store.lmdb.keys import LmdbKeyStore
from cjsm.store.lmdb.leases import Leases
from cjsm.store.lmdb.mailboxes import LmdbMailStore
from cjsm.store.lmdb.space import Space
from cjsm.vault import chain, heads
from cjsm.vault.message import MessageSealer, Summary, encode_wrap
from cjsm.vault.secrets import generate

T = TypeVar("T")

HASHES = HeadHashes(leaf=heads.leaf, bucket=heads.bucket, shelf=heads.shelf, root=heads.root)
MOMENT = 1_767_225_600
PASSWORD = "violet tractor café lamp".encode()
OTHER_PASSWORD = b"copper window nineteen oars"
ORGANISATION = OrganisationId(b"avon police 0001")
SETTINGS = AccessSettings(bcrypt_cost=4, argon2_memory=8, argon2_iterations=1)
PROFILE = Profile(first_name="Jo", last_name="Ward")
SECRETS = generate(random.Random("access").randbytes)
_MAP = 16 << 20


def now(answer: "Deferred[T] | Coroutine[Any, Any, T]") -> T:
    """Return what *answer* fired with, or raise what it failed with; it must have fired already."""
    deferred = answer if isinstance(answer, Deferred) else Deferred.fromCoroutine(answer)
    results: list[T] = []
    failures: list[BaseException] = []
    deferred.addCallbacks(results.append, lambda failure: failures.append(failure.value))
    if failures:
        raise failures[0]
    (result,) = results
    return result


@contextmanager
def logged() -> Iterator[list[str]]:
    """Collect the texts that are logged meanwhile."""
    texts: list[str] = []

    def keep(event: LogEvent) -> None:
        texts.append(f"{event['log_level'].name}: {formatEvent(event)}")

    globalLogPublisher.addObserver(keep)
    try:
        yield texts
    finally:
        globalLogPublisher.removeObserver(keep)


class InlinePool:
    """A pool that derives at once and remembers for whom.

    :ivar failure: comes instead of the next results.
    """

    def __init__(self) -> None:
        self.sources: list[str] = []
        self.failure: Exception | None = None
        self.before: Callable[[], object] = lambda: None

    def run(self, source: str, derive: Callable[[], T], wanted: Callable[[], bool] = lambda: True) -> "Deferred[T]":
        self.sources.append(source)

        def work() -> T:
            if self.failure is not None:
                raise self.failure
            self.before()
            return derive()

        return execute(work)


class House:
    """Avon Police with its stores, checker, realm and enrolment."""

    def __init__(self, directory: Path, settings: AccessSettings = SETTINGS) -> None:
        self.directory = directory
        self.settings = settings
        self.moment = float(MOMENT)
        self.secrets = SECRETS
        self.open()
        self.commit(lambda view, by: organisations.add(view, by, organisation()))

    @classmethod
    def beside(cls, directory: Path) -> "House":
        """The same house, in another process."""
        other = object.__new__(cls)
        other.directory, other.settings, other.moment, other.secrets = directory, SETTINGS, float(MOMENT), SECRETS
        other.open()
        return other

    def clock(self) -> float:
        return self.moment

    def open(self) -> None:
        """Open the stores, as a starting process does."""
        disk = InlineDisk()
        self.community = LmdbCommunityStore(
            self.directory,
            disk,
            suffix="cjsm.test",
            map_size=_MAP,
            encode_entry=encode_entry,
            hashes=HASHES,
            clock=self.clock,
        )
        self.keys = LmdbKeyStore(self.directory, disk, map_size=_MAP)
        self.activity = LmdbActivity(self.directory, disk, map_size=_MAP)
        self.anchoring = HeadAnchoring(
            LedgerSettings(),
            remembered=self.activity,
            ledger=self.community,
            clock=self.clock,
            entropy=os.urandom,
        )
        self.bodies = FileBodyStore(self.directory / "spool" / "bodies", disk, Space(self.directory, 0))
        self.mail = LmdbMailStore(
            self.directory,
            disk,
            self.bodies,
            Leases(self.directory / "run" / "leases"),
            map_size=_MAP,
            open_mailboxes=8,
            advance=chain.advance,
            anchors=self.activity,
            clock=self.clock,
            in_ledger=self.community.anchored_head,
            noticed=self.anchoring.noticed,
        )
        self.pool = InlinePool()
        stores: dict[str, Any] = {"community": self.community, "keys": self.keys, "secrets": self.secrets}
        self.enrolment = Enrolment(
            self.settings, **stores, activity=self.activity, entropy=os.urandom, clock=self.clock
        )
        self.factors = Factors(
            self.settings,
            service="Secure mail",
            **stores,
            activity=self.activity,
            entropy=os.urandom,
            clock=self.clock,
        )
        self._signing_in = {**stores, "kdf": self.pool}
        self.checker = self.new_checker()
        self.realm = Realm(**self._signing_in, mail=self.mail, enrolment=self.enrolment)
        self.current = CurrentKeys(self.community, self.keys, self.secrets)

    def new_checker(self, **more: Any) -> Checker:
        """Return a checker of this community; the house's own lets no refusal wait."""
        return Checker(self.settings, **self._signing_in, activity=self.activity, clock=self.clock, **more)

    def close(self) -> None:
        """Write everything and close the stores."""
        now(self.activity.close())
        now(self.keys.close())
        now(self.community.close())
        self.mail.close()

    def commit(self, act: "Callable[[View, By], Change]", reason: str = "") -> None:
        by = self.enrolment.by(reason=reason)
        now(self.community.commit(by.act_id, lambda view: act(view, by)))

    def account(self, identifier: AccountId) -> Account:
        found = self.community.read_now(lambda view: view.account(identifier))
        assert found is not None
        return found

    def account_keys(self, identifier: AccountId) -> AccountKeys:
        return decode(self.keys.get_now(identifier, self.account(identifier).keys), AccountKeys)

    def entries(self) -> list[LedgerEntry]:
        """The ledger."""
        return [decode_entry(encoded) for _, encoded in now(self.community.entries(0, 1_000))]

    def name_mailbox_keys(self, account: Account, version: int) -> None:
        """Let the community name another version of a mailbox's keys."""

        def act(view: View, by: By) -> Change:
            change = accounts.set_locked(view, by, account.id, locked=False)
            put = tuple(
                msgspec.structs.replace(record, mailbox_keys=version) if isinstance(record, Account) else record
                for record in change.put
            )
            return msgspec.structs.replace(change, put=put)

        self.commit(act)

    # People

    def add(self, name: str = "jo.ward") -> Enrolled:
        """Add somebody who has a one-time password yet."""
        return now(
            self.enrolment.add_hosted(self.enrolment.by(), ORGANISATION, f"{name}@avon", PROFILE, 1 << 20),
        )

    def join(self, name: str = "jo.ward", password: bytes = PASSWORD) -> Account:
        """Add somebody with a password of their own."""
        enrolled = self.add(name)
        self.choose(enrolled.account.id, enrolled.one_time_password.encode(), password)
        return self.account(enrolled.account.id)

    def choose(self, account: AccountId, current: bytes, chosen: bytes) -> None:
        now(self.enrolment.set_password(self.enrolment.by(account), account, current, chosen))

    def connect(self) -> None:
        """Approve firm.co.uk for relayed members."""
        link = Connection(
            id=ConnectionId(b"connection 00001"),
            organisation=ORGANISATION,
            kind=ConnectionKind.SERVER,
            slug="firm",
            name="firm",
        )
        self.commit(lambda view, by: connections.add(view, by, link))
        self.commit(lambda view, by: domains.add(view, by, "firm.co.uk", link.id))

    def add_device(self, account: AccountId, *protocols: str, name: str = "laptop", current: bytes = PASSWORD) -> bytes:
        """Make a device password."""
        by = self.enrolment.by(account)
        made = now(
            self.enrolment.add_device(by, account, current, name=name, protocols=protocols or ("smtp", "pop3", "ldap"))
        )
        return made.secret.encode()

    # The second factor

    def authenticator(self, account: AccountId, password: bytes = PASSWORD) -> "Authenticator":
        """Begin a second factor."""
        made = now(self.factors.prepare(self.enrolment.by(account), account, password))
        return Authenticator(self, made.typed)

    def turn_on(self, account: AccountId, password: bytes = PASSWORD) -> "tuple[Authenticator, list[str]]":
        """Turn a second factor on; return it and the recovery codes. The clock is a step later then."""
        one = self.authenticator(account, password)
        codes = now(self.factors.confirm(self.enrolment.by(account), account, password, one.code()))
        self.moment += 30
        return one, codes

    # Signing in

    def sign_in(
        self,
        name: str = "jo.ward@avon",
        secret: bytes = PASSWORD,
        *,
        protocol: str = "pop3",
        source: str = "192.0.2.1",
    ) -> SignedIn:
        attempt = LoginAttempt(name, secret, protocol=protocol, source=source)
        assert ILoginAttempt.providedBy(attempt)
        return now(self.checker.requestAvatarId(attempt))

    def avatar(self, signed_in: SignedIn, interface: type[Interface]) -> tuple[Any, Callable[[], None]]:
        found, avatar, logout = now(self.realm.requestAvatar(signed_in, None, interface))
        assert found is interface
        assert interface.providedBy(avatar)
        return avatar, logout

    def maildrop(self, name: str = "jo.ward@avon", secret: bytes = PASSWORD) -> tuple[Maildrop, Callable[[], None]]:
        return self.avatar(self.sign_in(name, secret), IMaildrop)

    # Mail

    def deliver(self, mailbox: MailboxId, content: bytes, *, prefix: bytes = b"", in_file: bool = False) -> Delivery:
        """Seal *content* to the mailbox's newest generation and put it there."""
        generation, public = self.current.current(mailbox)
        sealer = MessageSealer(BodyId(os.urandom(16)))
        sealed = sealer.write(content)
        last, body = sealer.finish()
        sealed += last
        wrap = sealer.wrap(
            mailbox,
            generation,
            DeliveryId(os.urandom(16)),
            to=public,
            prefix=prefix,
            acceptance=self.secrets.acceptance,
            moment=MOMENT,
        )
        if in_file:
            writer = now(self.bodies.create(body.body_id))
            writer.write(sealed)
            now(writer.finish())
        delivery = Delivery(
            delivery_id=wrap.delivery_id,
            spool_sequence=1,
            generation=generation,
            octets=wrap.octets,
            body_id=body.body_id,
            sealed_octets=len(sealed),
            wrap=encode_wrap(wrap),
            summary=sealer.seal_summary(Summary(sender="", to="", subject="", date="", octets=wrap.octets)),
            body=None if in_file else sealed,
        )
        now(self.mail.deliver(mailbox, [delivery], 0))
        return delivery

    def home(self, mailbox: MailboxId) -> Path:
        """Where a mailbox lies on disk."""
        return self.directory / "mailboxes" / mailbox.hex()[:2] / mailbox.hex()


class Authenticator:
    """What a person has on the telephone, by another implementation than ours."""

    def __init__(self, house: House, typed: str) -> None:
        self._house = house
        self.secret = base64.b32decode(typed.replace(" ", ""))

    def code(self, later: int = 0) -> bytes:
        """The code that is shown now, or *later* seconds after."""
        counter = (int(self._house.moment) + later) // 30
        digest = hmac.digest(self.secret, counter.to_bytes(8, "big"), "sha1")
        at = digest[-1] & 15
        return b"%06d" % ((int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF) % 1_000_000)


def organisation() -> Organisation:
    return Organisation(id=ORGANISATION, parent=None, slug="avon", name="Avon Police", abbreviation="avon")


def read(drop: Maildrop, index: int) -> bytes:
    """Read a whole message."""
    reader = now(drop.open(index))
    pieces = []
    try:
        while piece := now(reader.read()):
            pieces.append(piece)
    finally:
        reader.close()
    return b"".join(pieces)
