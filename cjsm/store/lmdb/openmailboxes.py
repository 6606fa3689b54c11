"""Mailboxes kept open while they are used, the least recently used closed first: nobody who is signed in pins one."""

import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

from cjsm.community.identifiers import MailboxId
from cjsm.store.interfaces import CannotOpen, Unavailable
from cjsm.store.lmdb.mailbox import Mailbox

#: Descriptors of one open mailbox.
_DESCRIPTORS = 3
#: Mailboxes that may be open however few descriptors there are.
_LEAST = 8


def most_open(asked: int, descriptors: int) -> int:
    """Return how many mailboxes may be kept open.

    :param asked: what the settings say.
    :param descriptors: what the process may have; half of them are for others.
    """
    return max(_LEAST, min(asked, descriptors // 2 // _DESCRIPTORS))


class _Open:
    """A mailbox in the cache, or about to be, and how many use it at this moment.

    It is opened under its own lock: syncing a new mailbox's directory keeps nobody from another.
    """

    __slots__ = ("lock", "mailbox", "stale", "users")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.mailbox: Mailbox | None = None
        self.users = 0
        self.stale = False

    def close(self) -> None:
        """Close it, if it was opened."""
        if self.mailbox is not None:
            self.mailbox.close()
            self.mailbox = None


def _no_descriptors(error: OSError | CannotOpen) -> bool:
    """Whether the system has no descriptor more to give, as it or LMDB says it."""
    return any(os.strerror(number) in str(error) for number in (errno.EMFILE, errno.ENFILE))


class OpenMailboxes:
    """The open mailboxes of this process. Every method may be called from any thread.

    :param open_one: opens a mailbox.
    :param most: mailboxes kept open at most while nobody uses them.
    """

    def __init__(self, open_one: Callable[[MailboxId], Mailbox], most: int) -> None:
        self._open_one = open_one
        self._most = most
        self._entries: OrderedDict[MailboxId, _Open] = OrderedDict()
        self._lock = threading.Lock()
        self._closed = False

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[MailboxId]:
        return iter(list(self._entries))

    def has(self, mailbox: MailboxId) -> bool:
        """Whether it is open."""
        entry = self._entries.get(mailbox)
        return entry is not None and entry.mailbox is not None

    def is_opening(self, mailbox: MailboxId) -> bool:
        """Whether somebody is opening it: who asks for it now waits for them."""
        entry = self._entries.get(mailbox)
        return entry is not None and entry.mailbox is None

    @contextmanager
    def using(self, mailbox: MailboxId) -> Iterator[Mailbox]:
        """The mailbox, kept open while it is used.

        :raises Unavailable: after :meth:`close`.
        """
        with self._lock:
            if self._closed:
                raise Unavailable("the service is stopping")
            entry = self._entries.setdefault(mailbox, _Open())
            entry.users += 1
            self._entries.move_to_end(mailbox)
            self._evict()
        try:
            with entry.lock:
                if entry.mailbox is None:
                    entry.mailbox = self._opened(mailbox)
            yield entry.mailbox
        finally:
            with self._lock:
                entry.users -= 1
                if entry.stale and not entry.users:
                    entry.close()

    def _opened(self, mailbox: MailboxId) -> Mailbox:
        try:
            return self._open_one(mailbox)
        except (OSError, CannotOpen) as error:
            if not _no_descriptors(error):
                raise
            # Others do not need theirs now.
            with self._lock:
                self._close_idle(len(self._entries))
            return self._open_one(mailbox)

    def retire(self, mailbox: MailboxId, opened: Mailbox | None = None) -> None:
        """Close it as soon as nobody uses it; who asks for it from now on gets it opened anew.

        :param opened: only if it is still this one.
        """
        with self._lock:
            entry = self._entries.get(mailbox)
            if entry is None or (opened is not None and entry.mailbox is not opened):
                return
            del self._entries[mailbox]
            entry.stale = True
            if not entry.users:
                entry.close()

    def _evict(self) -> None:
        self._close_idle(len(self._entries) - self._most)

    def _close_idle(self, most: int) -> int:
        """Close at most so many that nobody uses, the least recently used first; return how many there were."""
        idle = list(islice((known for known, entry in self._entries.items() if not entry.users), max(0, most)))
        for mailbox in idle:
            self._entries.pop(mailbox).close()
        return len(idle)

    def check_readers(self) -> None:
        """Clear what readers that died left."""
        with self._lock:
            for entry in self._entries.values():
                if entry.mailbox is not None:
                    entry.mailbox.check_readers()

    def close(self) -> None:
        """Close every mailbox; nothing may be under way, and nothing is opened afterwards."""
        with self._lock:
            for entry in self._entries.values():
                entry.close()
            self._entries.clear()
            self._closed = True
