"""What a store could not do: one small family; rooms import it from :mod:`cjsm.store.interfaces`."""

import msgspec

#: What decoding raises for octets that are no such record: text that is none, and nesting without an end, too.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class StoreError(Exception):
    """Something a store could not do.

    :ivar cure: what to do about it.
    """

    cure = "see `cjsm check`"


class VersionTaken(StoreError):
    """Somebody else has written that version of a record."""


class Unavailable(StoreError):
    """The store cannot answer now; nothing is known to be wrong with the request.

    :ivar maybe_committed: True when a write may or may not have happened.
    """

    def __init__(self, reason: str, *, maybe_committed: bool = False) -> None:
        super().__init__(reason)
        self.maybe_committed = maybe_committed


class NewerStore(StoreError):
    """The store was written by a newer version of this software; nothing was touched."""

    cure = "install that version again"


class CannotOpen(StoreError):
    """A store cannot be opened."""

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(problem)
        self.cure = cure


class Damaged(StoreError):
    """A record or file is not what was written."""


class Altered(Damaged):
    """A mailbox that can be read, and is not what was written to it: it may have lost messages."""

    cure = "restore it from a backup (cjsm mailbox restore), or go on with what there is (cjsm mailbox accept)"


class BackupDamaged(Damaged):
    """A backup, or a part of one, is not what was written."""

    cure = (
        "use another backup; or make one anew where what it is of is still whole: cjsm backup, or cjsm mailbox backup"
    )


class Missing(StoreError):
    """What was asked for is not in the store."""


class DiskFull(Unavailable):
    """Below the floor of free space: nothing is written, reading goes on."""


class LeaseTaken(StoreError):
    """Another session holds the maildrop."""


class LeaseLost(StoreError):
    """The lease that an act was to be done under is not held any more; nothing was done."""


class Quarantined(Damaged):
    """A mailbox's file cannot be relied on: nobody reads or writes it until it is restored. Only that mailbox."""

    cure = "keep the disk as it is, then restore this mailbox from a backup: cjsm mailbox restore --help"


class MailboxExists(StoreError):
    """There is a mailbox already where one was to be restored."""
