"""Opens the stores and puts the rooms together from settings; the only module that names a back end.

A suite without doors is what the ``cjsm`` command works with; :mod:`cjsm.service` adds doors.
"""

import os
import resource
import time
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.internet.task import Clock, deferLater

from cjsm import policies, resources
from cjsm.access.applying import Applying
from cjsm.access.checker import Checker
from cjsm.access.delay import LoginDelay
from cjsm.access.destruction import Destruction
from cjsm.access.enrolment import Enrolment
from cjsm.access.factors import Factors
from cjsm.access.kdf import InlineKdf, KdfPool
from cjsm.access.keyjobs import EmptyGenerations, Rotation
from cjsm.access.keylife import KeyLife
from cjsm.access.mailboxkeys import CurrentKeys
from cjsm.access.peppers import Resealing
from cjsm.access.proof import Proof
from cjsm.access.realm import Realm
from cjsm.access.recovering import Recovering
from cjsm.access.recoveryends import RecoveryEnds
from cjsm.access.sharing import Sharing
from cjsm.community import providers
from cjsm.community.identifiers import MailboxId
from cjsm.configuration import AccessSettings, Settings
from cjsm.directory import schema
from cjsm.directory.following import Directory
from cjsm.instance import Instance
from cjsm.jobs import kinds
from cjsm.jobs.applications import ApplicationTimes
from cjsm.jobs.checkpointing import Checkpointing
from cjsm.jobs.inactivity import Inactivity
from cjsm.jobs.ledgerkeys import LedgerKeys
from cjsm.jobs.schedule import Kind, Schedule
from cjsm.ledger.entries import MalformedEntry, decode_entry, encode_entry
from cjsm.mail.acceptance import Acceptance
from cjsm.mail.anchoring import HeadAnchoring
from cjsm.mail.attempts import Attempts
from cjsm.mail.authentication.authenticator import Authenticator
from cjsm.mail.authentication.resolver import DnsResolver
from cjsm.mail.authentication.signing import signer
from cjsm.mail.dailycheckpoint import DailyCheckpoint
from cjsm.mail.delivery import DeliveryWorker
from cjsm.mail.edge import Edge
from cjsm.mail.entries import EntryMaker
from cjsm.mail.failing import FailingConnections
from cjsm.mail.fullness import Fullness, FullnessJob
from cjsm.mail.importing import Importer
from cjsm.mail.noticemail import NoticeMail
from cjsm.mail.ownmail import OwnMail
from cjsm.mail.rates import Rates
from cjsm.mail.relay import RelayWorker
from cjsm.mail.reporting import Reports
from cjsm.mail.sending import IRelayConnector
from cjsm.mail.sharednews import SharedNews
from cjsm.mail.telling import Telling
from cjsm.mail.traced import TraceReader
from cjsm.mail.tracing import Tracer
from cjsm.notices.addresses import OrdinaryAddresses
from cjsm.notices.desk import NoticeDesk
from cjsm.notices.expiring import CertificateWarnings, PasswordWarnings, TermsWarnings
from cjsm.notices.following import LedgerFollower
from cjsm.notices.interfaces import ICarrier
from cjsm.notices.ordinary import OrdinarySender
from cjsm.sources import SharedNetworks
from cjsm.store.interfaces import CannotOpen
from cjsm.store.lmdb import allocation
from cjsm.store.lmdb.activity import LmdbActivity
from cjsm.store.lmdb.anchored import HeadHashes
from cjsm.store.lmdb.bodies import FileBodyStore
from cjsm.store.lmdb.community import LmdbCommunityStore
from cjsm.store.lmdb.disk import Disk, InlineDisk
from cjsm.store.lmdb.keys import LmdbKeyStore
from cjsm.store.lmdb.leases import Leases
from cjsm.store.lmdb.ledgerfiles import LedgerFiles
from cjsm.store.lmdb.mailboxes import LmdbMailStore
from cjsm.store.lmdb.notices import LmdbNotices
from cjsm.store.lmdb.openmailboxes import most_open
from cjsm.store.lmdb.space import Space
from cjsm.store.lmdb.spool import LmdbSpool
from cjsm.store.lmdb.trace import LmdbTrace
from cjsm.store.rehearsal import RehearsedCommunity, RehearsedKeys
from cjsm.vault import chain, heads, secrets, tags


class Stores:
    """Every store of one data directory, opened.

    :param rehearsal: what is written to the community and of keys is not.
    :raises StoreError: when one cannot be opened; those opened before are closed again by the end of the process.
    """

    def __init__(self, settings: Settings, disk: Disk, *, rehearsal: bool = False) -> None:
        allocation.take_large_blocks_from_the_system()
        store = settings.store
        directory = Path(store.data_directory)
        self.directory = directory
        self.disk = disk
        self.community = LmdbCommunityStore(
            directory,
            disk,
            suffix=settings.community.suffix,
            map_size=store.map,
            encode_entry=encode_entry,
            hashes=HeadHashes(leaf=heads.leaf, bucket=heads.bucket, shelf=heads.shelf, root=heads.root),
            clock=time.time,
        )
        self.keys = LmdbKeyStore(directory, disk, map_size=store.map)
        if rehearsal:
            rehearsed: Any = (RehearsedCommunity(self.community), RehearsedKeys(self.keys))
            self.community, self.keys = rehearsed
        self.activity = LmdbActivity(directory, disk, map_size=store.map)
        self.anchoring = HeadAnchoring(
            settings.ledger,
            remembered=self.activity,
            ledger=self.community,
            clock=time.time,
            entropy=os.urandom,
        )
        self.ledger = LedgerFiles(directory / "ledger", disk)
        self.trace = LmdbTrace(directory, disk, map_size=store.map)
        self.notices = LmdbNotices(directory, disk, map_size=store.map)
        space = Space(directory, store.disk_floor)
        self.bodies = FileBodyStore(directory / "spool" / "bodies", disk, space)
        self.spool = LmdbSpool(
            directory / "spool",
            disk,
            self.bodies,
            map_size=store.map,
            batch_entries=store.batch_entries,
            batch_octets=store.batch_octets,
            space=space,
            clock=time.time,
        )
        self.mail = LmdbMailStore(
            directory,
            disk,
            self.bodies,
            Leases(directory / "run" / "leases"),
            map_size=store.mailbox_map,
            open_mailboxes=most_open(store.open_mailboxes, resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
            advance=chain.advance,
            anchors=self.activity,
            in_ledger=self.community.anchored_head,
            noticed=self.anchoring.noticed,
            clock=time.time,
            compact_after=store.compact_after * 86_400,
        )

    def check_readers(self) -> None:
        """Clear what readers that died left in the stores."""
        for store in (self.community, self.keys, self.activity, self.trace, self.notices, self.spool, self.mail):
            store.check_readers()

    async def close(self) -> None:
        """Close everything once it is written, and stop the disk's threads."""
        await self.spool.close()
        await self.activity.close()
        await self.trace.close()
        await self.notices.close()
        await self.keys.close()
        await self.community.close()
        # What people still read or delete ends first: nothing may use a mailbox while it is closed.
        self.disk.stop()
        self.mail.close()


class Suite:
    """The rooms without doors: what administration needs. Works beside a running service.

    :param rehearsal: acts are decided and not done, see :mod:`cjsm.store.rehearsal`.
    :raises MissingSecret: when the service secrets cannot be read.
    :raises StoreError: when a store cannot be opened.
    """

    def __init__(self, settings: Settings, disk: Disk | None = None, *, rehearsal: bool = False) -> None:
        self.settings = settings
        self.secrets = secrets.load(Path(settings.store.secrets_directory))
        self.stores = Stores(settings, disk or InlineDisk(), rehearsal=rehearsal)
        changing: dict[str, Any] = {
            "community": self.stores.community,
            "keys": self.stores.keys,
            "activity": self.stores.activity,
            "secrets": self.secrets,
            "entropy": os.urandom,
            "clock": time.time,
        }
        self.enrolment = Enrolment(settings.access, **changing)
        self.factors = Factors(settings.access, service=settings.community.service_name, **changing)
        self.key_life = KeyLife(
            self.enrolment, community=self.stores.community, keys=self.stores.keys, secrets=self.secrets
        )
        self.rotation = Rotation(
            self.key_life.generations,
            settings.keys,
            community=self.stores.community,
            clock=time.time,
            entropy=os.urandom,
        )
        self.sharing = Sharing(
            self.enrolment,
            self.key_life.generations,
            settings.keys,
            community=self.stores.community,
            keys=self.stores.keys,
            secrets=self.secrets,
            entropy=os.urandom,
        )
        self.recovering = Recovering(
            self.enrolment,
            self.key_life.generations,
            settings.keys,
            community=self.stores.community,
            keys=self.stores.keys,
            secrets=self.secrets,
            entropy=os.urandom,
            clock=time.time,
        )
        self.applying = Applying(
            settings,
            self.enrolment,
            community=self.stores.community,
            spool=self.stores.spool,
            own_mail=self.own_mail,
            secrets=self.secrets,
            entropy=os.urandom,
            clock=time.time,
        )
        self.traces = TraceReader(self.stores.trace, self.secrets)
        self.ledger_keys = LedgerKeys(settings.community.suffix, self.secrets)
        self.instance = instance(settings)

    def portal_at_the_server(self) -> Portal:
        """Return what lets people open their own mail in a command: the checker and realm of the doors."""
        return Portal(self.realm(InlineKdf()), [self.checker_at_the_server])

    @cached_property
    def checker_at_the_server(self) -> Checker:
        """What says in a command who somebody is: it counts wrong passwords as the doors do, and with them."""
        return self.checker(InlineKdf())

    def checker(self, kdf: KdfPool, reactor: IReactorTime | None = None) -> Checker:
        """Return what says who somebody is."""
        stores = self.stores
        return Checker(
            self.settings.access,
            community=stores.community,
            keys=stores.keys,
            activity=stores.activity,
            secrets=self.secrets,
            kdf=kdf,
            clock=time.time,
            shared=SharedNetworks(self.settings.connections.listed_networks),
            reactor=reactor,
        )

    def realm(self, kdf: KdfPool, delay: LoginDelay | None = None) -> Realm:
        """Return what somebody who is known gets behind each door."""
        return Realm(
            community=self.stores.community,
            keys=self.stores.keys,
            mail=self.stores.mail,
            secrets=self.secrets,
            enrolment=self.enrolment,
            kdf=kdf,
            delay=delay,
        )

    def importer(self, mailbox: MailboxId, quota: int | None) -> Importer:
        """Return what imports into a mailbox in a command.

        :param quota: octets that the mailbox may hold; None where that does not matter.
        """
        stores = self.stores
        return Importer(
            self.settings,
            mailbox,
            quota=quota,
            keys=CurrentKeys(stores.community, stores.keys, self.secrets),
            mail=stores.mail,
            spool=stores.spool,
            bodies=stores.bodies,
            secrets=self.secrets,
            clock=time.time,
            entropy=os.urandom,
        )

    def own_mail(self) -> OwnMail:
        """Return what writes messages of the service in a command, where nobody waits for a turn."""
        stores = self.stores
        keys = CurrentKeys(stores.community, stores.keys, self.secrets)
        return OwnMail(
            self.settings,
            community=stores.community,
            bodies=stores.bodies,
            entries=EntryMaker(keys, self.secrets, entropy=os.urandom, reactor=Clock()),
            clock=time.time,
            entropy=os.urandom,
        )


def _failures_kept(access: AccessSettings) -> int:
    """Return for how many seconds failures count for an account, or for a source."""
    return max(access.failures_forgotten, access.source_window)


def instance(settings: Settings) -> Instance:
    """Return the mark of the service that runs on the settings' data directory.

    :raises CannotOpen: when there is no place for it.
    """
    run = Path(settings.store.data_directory) / "run"
    try:
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotOpen(
            f"{run} cannot be made: {error.strerror}", "correct store.data_directory, or its owner"
        ) from error
    return Instance(run)


class RunningSuite(Suite):
    """The rooms as the service runs them: with threads, a portal, acceptance, delivery and the directory."""

    def __init__(
        self, settings: Settings, reactor: IReactorTime, connector: IRelayConnector, carrier: ICarrier
    ) -> None:
        threads = IReactorFromThreads(reactor)
        self._reactor = reactor
        self.disk = Disk(threads, settings.store.disk_threads)
        super().__init__(settings, self.disk)
        stores, access = self.stores, settings.access
        threads_wanted = access.kdf_threads or os.cpu_count() or 1
        self.kdf = KdfPool(threads, threads=threads_wanted, queue=access.kdf_queue)
        self._checker = self.checker(self.kdf, reactor)
        self._login_delay = LoginDelay(settings.pop3.login_delay)
        self.portal = Portal(self.realm(self.kdf, self._login_delay), [self._checker])
        self.tracer = Tracer(stores.trace, self.secrets, settings.trace, clock=time.time)
        self.rates = Rates(
            settings.rates,
            name=lambda whose: tags.pseudonym(self.secrets.cache.current, whose),
            shared=SharedNetworks(settings.connections.listed_networks),
        )
        self.authenticator = Authenticator(
            settings.authentication, resolver=DnsResolver(settings.authentication.nameservers), reactor=reactor
        )
        known = known_providers()
        self.desk = NoticeDesk(settings.notices, store=stores.notices, clock=time.time)
        self._fullness = Fullness(
            settings.mail, community=stores.community, mail=stores.mail, desk=self.desk, clock=time.time
        )
        self._news = SharedNews(settings.notices, community=stores.community, desk=self.desk, clock=time.time)
        self.acceptance = Acceptance(
            settings,
            community=stores.community,
            spool=stores.spool,
            bodies=stores.bodies,
            mail=stores.mail,
            keys=CurrentKeys(stores.community, stores.keys, self.secrets),
            secrets=self.secrets,
            rates=self.rates,
            tracer=self.tracer,
            authenticator=self.authenticator,
            providers=known,
            clock=time.time,
            reactor=reactor,
            full=lambda mailbox: self._fullness.touched((mailbox,)),
        )
        self.proof = Proof(stores.community, known)
        self.reports = Reports(
            settings,
            own_mail=self.acceptance.own_mail,
            bodies=stores.bodies,
            secrets=self.secrets,
            clock=time.time,
            entropy=os.urandom,
        )
        self.attempts = Attempts(
            settings,
            community=stores.community,
            bodies=stores.bodies,
            secrets=self.secrets,
            edge=Edge(stores.community),
            signer=signer(settings.community.suffix, self.secrets, time.time),
            tracer=self.tracer,
            reports=self.reports,
            clock=time.time,
        )
        self.relay = RelayWorker(
            settings.relay,
            queue=stores.spool.outgoing,
            attempts=self.attempts,
            connector=connector,
            reactor=reactor,
        )
        stores.spool.on_arrival(self.relay.wake)
        self.delivery = DeliveryWorker(
            settings.mail,
            spool=stores.spool,
            mail=stores.mail,
            reports=self.reports.delivered,
            tracer=self.tracer,
            reactor=reactor,
            clock=time.time,
            delivered=self._delivered,
        )
        self._notice_mail = NoticeMail(
            settings.community,
            store=stores.notices,
            community=stores.community,
            spool=stores.spool,
            own_mail=self.acceptance.own_mail,
            clock=time.time,
            entropy=os.urandom,
            reactor=reactor,
        )
        self._ordinary = OrdinarySender(
            settings.notices,
            settings.community,
            store=stores.notices,
            addresses=OrdinaryAddresses(stores.community),
            carrier=carrier,
            clock=time.time,
            entropy=os.urandom,
        )
        follower = LedgerFollower(
            self.desk,
            community=stores.community,
            store=stores.notices,
            decode=decode_entry,
            unreadable=MalformedEntry,
        )
        self.telling = Telling(follower, self._fullness, self._notice_mail, self._ordinary)
        self.directory = Directory(stores.community, schema.load(), reactor)
        self._forgetting = kinds.Activity(stores.activity, time.time, _failures_kept(access))
        self._pruning = kinds.Trace(stores.trace, time.time, settings.trace.kept)
        self._purging = kinds.DeletedMail(stores.mail, time.time, settings.mail.deleted_kept)
        telling: dict[str, Any] = {"community": stores.community, "desk": self.desk, "clock": time.time}
        self._warnings = PasswordWarnings(policies.load(access.policy), **telling)
        self._failing = FailingConnections(settings.relay, queue=stores.spool.outgoing, **telling)
        self._forgetting_notices = kinds.Notices(stores.notices, time.time, settings.notices.kept)
        self.checkpointing = Checkpointing(
            self.ledger_keys, community=stores.community, files=stores.ledger, turn=self._turn
        )
        self._daily_checkpoint = DailyCheckpoint(
            settings,
            self.ledger_keys,
            community=stores.community,
            files=stores.ledger,
            spool=stores.spool,
            own_mail=self.acceptance.own_mail,
            clock=time.time,
            aside=self.disk.run,
            turn=self._turn,
        )
        acting: dict[str, Any] = {"community": stores.community, "clock": time.time, "entropy": os.urandom}
        self._key_jobs = (
            self.rotation,
            EmptyGenerations(self.key_life.generations, settings.keys, mail=stores.mail, spool=stores.spool, **acting),
            Destruction(settings.keys, keys=stores.keys, mail=stores.mail, activity=stores.activity, **acting),
        )
        self._inactivity = Inactivity(access, activity=stores.activity, **acting)
        self._applications = ApplicationTimes(settings.applications, **acting)
        self._terms_warnings = TermsWarnings(settings.applications, community=stores.community, desk=self.desk)
        jobs: tuple[Kind, ...] = (
            self._inactivity,
            kinds.Orphans(stores.spool, stores.bodies, time.time),
            self._forgetting,
            self._pruning,
            self._purging,
            kinds.UnnamedKeys(stores.community, stores.keys),
            self._warnings,
            CertificateWarnings(**telling),
            self._terms_warnings,
            self._failing,
            FullnessJob(self._fullness, stores.mail),
            self._forgetting_notices,
            self._daily_checkpoint,
            kinds.Delivered(stores.mail, stores.spool),
            *self._key_jobs,
            Resealing(community=stores.community, keys=stores.keys, secrets=self.secrets, entropy=os.urandom),
            RecoveryEnds(self.key_life.generations, keys=stores.keys, **acting),
            self._applications,
        )
        self.schedule = Schedule(stores.community, jobs, reactor=reactor, clock=time.time)

    def _delivered(self, mailboxes: Collection[MailboxId]) -> "Deferred[int]":
        self._fullness.touched(mailboxes)
        return self._news.delivered(mailboxes)

    def renew(self, settings: Settings) -> None:
        """Take new settings, as far as they need no restart."""
        self.desk.settings = self._news.settings = self._ordinary.settings = settings.notices
        self._notice_mail.names = self._ordinary.community = settings.community
        self._forgetting_notices.kept = settings.notices.kept
        self._fullness.settings = settings.mail
        self._failing.settings = settings.relay
        self.acceptance.renew(settings)
        self.relay.renew(settings.relay)
        self.reports.settings = settings
        self.attempts.settings = settings
        shared = SharedNetworks(settings.connections.listed_networks)
        self._checker.renew(settings.access, shared)
        self.enrolment.renew(settings.access)
        self._applications.settings = self._terms_warnings.settings = settings.applications
        self._warnings.policy = policies.load(settings.access.policy)
        self._daily_checkpoint.settings = settings
        self._login_delay.seconds = settings.pop3.login_delay
        self.rates.renew(settings.rates, shared)
        self.authenticator.settings = settings.authentication
        self.tracer.settings = settings.trace
        self._pruning.kept = settings.trace.kept
        self._purging.kept = settings.mail.deleted_kept
        for job in self._key_jobs:
            job.settings = settings.keys
        self.delivery.settings = settings.mail
        self.stores.anchoring.settings = settings.ledger
        self._inactivity.settings = settings.access
        self._forgetting.forgotten = _failures_kept(settings.access)

    def _turn(self) -> "Deferred[None]":
        return deferLater(self._reactor, 0)

    def start(self) -> None:
        """Start the threads."""
        self.disk.start()
        self.kdf.start()
        self.authenticator.start()

    def stop_threads(self) -> None:
        """Stop the threads after the work they have; stores are left as a crash would leave them."""
        self.authenticator.stop()
        self.kdf.stop()
        self.disk.stop()

    def stop(self) -> "Deferred[None]":
        """Fire when everything is written and closed."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self.authenticator.stop()
        self.kdf.stop()
        await self.stores.close()


def known_providers() -> Mapping[str, providers.Provider]:
    """Return the cloud providers that the package knows, by name."""
    return providers.parse(resources.data("providers.toml").read_text("utf-8"))
