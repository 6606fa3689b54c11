"""Opens every store of a data directory; apart from :mod:`cjsm.runningsuite` this alone names a back end."""

import os
import resource
import time
from pathlib import Path
from typing import Any

from cjsm.configuration import Settings
from cjsm.ledger.entries import encode_entry
from cjsm.mail.anchoring import HeadAnchoring
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
from cjsm.vault import chain, heads


class Stores:
    """Every store of one data directory, opened.

    :param disk: does what waits for the disk; None where that is done at once, on the caller's thread.
    :param rehearsal: what is written to the community and of keys is not.
    :raises StoreError: when one cannot be opened; those opened before are closed again by the end of the process.
    """

    def __init__(self, settings: Settings, disk: Disk | None = None, *, rehearsal: bool = False) -> None:
        allocation.take_large_blocks_from_the_system()
        store = settings.store
        directory = Path(store.data_directory)
        self.directory = directory
        self.disk = disk = disk or InlineDisk()
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
