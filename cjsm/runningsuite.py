"""Puts the rooms together as the service runs them; :mod:`cjsm.service` adds doors.

Apart from :mod:`cjsm.suite`, because a command that needs none of this should not wait for it to be imported.
"""

import os
import time
from collections.abc import Collection
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.internet.task import deferLater

from cjsm import policies
from cjsm.access.delay import LoginDelay
from cjsm.access.destruction import Destruction
from cjsm.access.kdf import KdfPool
from cjsm.access.keyjobs import EmptyGenerations
from cjsm.access.mailboxkeys import CurrentKeys
from cjsm.access.peppers import Resealing
from cjsm.access.proof import Proof
from cjsm.access.recoveryends import RecoveryEnds
from cjsm.community.identifiers import MailboxId
from cjsm.configuration import AccessSettings, Settings
from cjsm.directory import schema
from cjsm.directory.following import Directory
from cjsm.jobs import kinds
from cjsm.jobs.applications import ApplicationTimes
from cjsm.jobs.checkpointing import Checkpointing
from cjsm.jobs.inactivity import Inactivity
from cjsm.jobs.schedule import Kind, Schedule
from cjsm.ledger.entries import MalformedEntry, decode_entry
from cjsm.mail.acceptance import Acceptance
from cjsm.mail.attempts import Attempts
from cjsm.mail.authentication.authenticator import Authenticator
from cjsm.mail.authentication.resolver import DnsResolver
from cjsm.mail.authentication.signing import signer
from cjsm.mail.dailycheckpoint import DailyCheckpoint
from cjsm.mail.delivery import DeliveryWorker
from cjsm.mail.edge import Edge
from cjsm.mail.failing import FailingConnections
from cjsm.mail.fullness import Fullness, FullnessJob
from cjsm.mail.noticemail import NoticeMail
from cjsm.mail.rates import Rates
from cjsm.mail.relay import RelayWorker
from cjsm.mail.reporting import Reports
from cjsm.mail.sending import IRelayConnector
from cjsm.mail.sharednews import SharedNews
from cjsm.mail.telling import Telling
from cjsm.mail.tracing import Tracer
from cjsm.notices.addresses import OrdinaryAddresses
from cjsm.notices.desk import NoticeDesk
from cjsm.notices.expiring import CertificateWarnings, PasswordWarnings, TermsWarnings
from cjsm.notices.following import LedgerFollower
from cjsm.notices.interfaces import ICarrier
from cjsm.notices.ordinary import OrdinarySender
from cjsm.sources import SharedNetworks
from cjsm.store.lmdb.disk import Disk
from cjsm.suite import Suite, known_providers
from cjsm.vault import tags


class RunningSuite(Suite):
    """The rooms as the service runs them: with threads, a portal, acceptance, delivery and the directory."""

    signs_mail = True

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
        self._warnings = PasswordWarnings(policies.load(access.policy), turn=self._turn, **telling)
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
        self._inactivity = Inactivity(access, activity=stores.activity, turn=self._turn, **acting)
        self._applications = ApplicationTimes(settings.applications, **acting)
        self._terms_warnings = TermsWarnings(settings.applications, community=stores.community, desk=self.desk)
        jobs: tuple[Kind, ...] = (
            self._inactivity,
            kinds.Orphans(stores.spool, stores.bodies, time.time),
            self._forgetting,
            self._pruning,
            self._purging,
            kinds.UnnamedKeys(stores.community, stores.keys, self._turn),
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


def _failures_kept(access: AccessSettings) -> int:
    """Return for how many seconds failures count for an account, or for a source."""
    return max(access.failures_forgotten, access.source_window)
