"""Stores that an act is tried on: it is decided in full, as it would be, and nothing of it is written."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, execute, succeed

from cjsm.community.applicationrecords import Application
from cjsm.community.identifiers import ActId
from cjsm.community.records import (
    Account,
    AddressRecord,
    Connection,
    Domain,
    Job,
    MailList,
    Organisation,
    Record,
    RecoveryAuthority,
    RecoveryRequest,
    RoleAssignment,
    SharedMailbox,
)
from cjsm.community.view import Change, View
from cjsm.store.interfaces import ICommunityStore, IKeyStore
from cjsm.store.rehearsed import Rehearsed, Step


class RehearsedCommunity:
    """A community store whose first commit ends the rehearsal; everything else is the store's own."""

    def __init__(self, store: ICommunityStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def commit(self, act_id: ActId, decide: Callable[[View], Change]) -> "Deferred[Change]":
        """Decide as :class:`ICommunityStore` does.

        :raises Rehearsed: with what was decided.
        """

        def look(view: View) -> Change:
            change = decide(view)
            raise Rehearsed(change, tuple(_steps(view, change)))

        return execute(self._store.read_now, look)

    def commit_each(
        self, act_id: ActId, decide: Callable[[View], Iterable[Callable[[View], Change]]], *, keep: bool = True
    ) -> "Deferred[int]":
        """Try the acts as :class:`ICommunityStore` does.

        :raises Rehearsed: with the last of them, and the records of all.
        """
        if not keep:
            return self._store.commit_each(act_id, decide, keep=False)
        changes: list[Change] = []
        steps: list[Step] = []

        def tried(act: Callable[[View], Change], view: View) -> Change:
            change = act(view)
            changes.append(change)
            steps.extend(_steps(view, change))
            return change

        def trying(view: View) -> Iterator[Callable[[View], Change]]:
            return (partial(tried, act) for act in decide(view))

        def tell(_: int) -> int:
            raise Rehearsed(changes[-1] if changes else Change(), steps)

        return self._store.commit_each(act_id, trying, keep=False).addCallback(tell)


def _steps(view: View, change: Change) -> Iterator[Step]:
    yield from (Step(_known(view, record), record) for record in change.put)
    yield from (Step(record, None) for record in change.removed)


class RehearsedKeys:
    """A key store that takes nothing and loses nothing."""

    def __init__(self, store: IKeyStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put(self, owner: bytes, version: int, value: bytes) -> "Deferred[None]":
        """See :class:`IKeyStore`."""
        return succeed(None)

    def put_all(self, records: Sequence[tuple[bytes, int, bytes]]) -> "Deferred[None]":
        """See :class:`IKeyStore`."""
        return succeed(None)

    def destroy(self, owner: bytes) -> "Deferred[None]":
        """See :class:`IKeyStore`."""
        return succeed(None)


def _known(view: View, record: Record) -> Record | None:
    match record:
        case Organisation():
            return view.organisation(record.id)
        case Account():
            return view.account(record.id)
        case AddressRecord():
            return view.reserved_address(record.address)
        case RoleAssignment():
            return view.role(record.id)
        case Domain():
            return view.domain(record.name)
        case Connection():
            return view.connection(record.id)
        case MailList():
            return view.mail_list(record.id)
        case SharedMailbox():
            return view.kept_shared_mailbox(record.id)
        case RecoveryAuthority():
            return view.recovery_authority(record.id)
        case RecoveryRequest():
            return view.recovery_request(record.id)
        case Application():
            return view.application(record.id)
        case Job():
            return view.job(record.id)
