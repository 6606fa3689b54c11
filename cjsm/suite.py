"""Opens the stores and puts together the rooms that administration needs.

This is what the ``cjsm`` command works with, beside a running service or without one. :mod:`cjsm.runningsuite` is what
the service runs; apart from these two nothing names a back end.
"""

import os
import resource
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock

from cjsm import resources
from cjsm.access.applying import Applying
from cjsm.access.checker import Checker
from cjsm.access.delay import LoginDelay
from cjsm.access.enrolment import Enrolment
from cjsm.access.factors import Factors
from cjsm.access.kdf import InlineKdf, KdfPool
from cjsm.access.keyjobs import Rotation
from cjsm.access.keylife import KeyLife
from cjsm.access.mailboxkeys import CurrentKeys
from cjsm.access.realm import Realm
from cjsm.access.recovering import Recovering
from cjsm.access.sharing import Sharing
from cjsm.community import providers
from cjsm.community.identifiers import MailboxId
from cjsm.configuration import Settings
from cjsm.instance import Instance
from cjsm.jobs.ledgerkeys import LedgerKeys
from cjsm.ledger.entries import encode_entry
from cjsm.mail.anchoring import HeadAnchoring
from cjsm.mail.entries import EntryMaker
from cjsm.mail.importing import Importer
from cjsm.mail.ownmail import OwnMail
from cjsm.mail.traced import TraceReader
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
from cjsm.vault import chain, heads, secrets


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


def known_providers() -> Mapping[str, providers.Provider]:
    """Return the cloud providers that the package knows, by name."""
    return providers.parse(resources.data("providers.toml").read_text("utf-8"))
