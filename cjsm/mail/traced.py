"""The events of a message as the trace keeps them, and finding them again."""

import re
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred

from cjsm.community.identifiers import DeliveryId
from cjsm.community.verdicts import Route
from cjsm.store.interfaces import ITrace, Traced
from cjsm.vault.errors import VaultError
from cjsm.vault.secrets import ServiceSecrets
from cjsm.vault.traces import TraceSealer

_QUEUE_ID = re.compile(r"[0-9a-fA-F]{16}")
_ADDRESS = re.compile(r"\S*@\S*")
#: Characters of a peer's words that are kept.
_WORDS = 160


class Result(StrEnum):
    """What happened."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    DEFERRED = "deferred"
    FAILED = "failed"
    EXPIRED = "expired"
    RETURNED = "returned"
    ANSWERED = "answered"


class Side(Struct, frozen=True, kw_only=True):
    """The other side of a connection: host (none for accounts: their addresses are not kept), TLS version and group."""

    host: str = ""
    tls_version: str = ""
    tls_group: str = ""


class Answer(Struct, frozen=True, kw_only=True):
    """What was answered: SMTP reply code, enhanced status code, and words."""

    code: int = 0
    status: str = ""
    words: str = ""


class Target(Struct, frozen=True, kw_only=True):
    """One recipient of an accepted message: its address and route; the delivery, by which later events are told.

    :ivar of_list: the recipient is a member of a list that was written to.
    """

    address: str
    route: Route
    delivery: DeliveryId | None = None
    of_list: bool = False


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event, as it is sealed. A field may be added with a default; then older records still read.

    :ivar moment: seconds since the epoch, with fractions.
    :ivar sender: address or pseudonym, as ``clear`` says; likewise ``recipient``. Empty: the null sender, or not told.
    :ivar delivery: delivery id; events of the same one are of the same recipient.
    :ivar origin: ``account``, ``connection <id>`` or ``service <which>``.
    :ivar route: ``hosted``, ``relay <id of the connection>``, ``echo`` or ``list``.
    """

    result: Result
    moment: float
    sender: str = ""
    recipient: str = ""
    clear: bool = False
    delivery: bytes = b""
    octets: int = 0
    origin: str = ""
    route: str = ""
    of_list: bool = False
    host: str = ""
    tls_version: str = ""
    tls_group: str = ""
    code: int = 0
    status: str = ""
    words: str = ""


class TraceReader:
    """Finds the events of messages."""

    def __init__(self, trace: ITrace, secrets: ServiceSecrets) -> None:
        self._trace = trace
        self._sealer = TraceSealer(secrets.cache)

    def queue_ids(self, name: str, limit: int) -> "Deferred[tuple[str, ...]]":
        """The messages called *name*, a queue id or Message-ID with or without angle brackets; at most *limit*."""
        return Deferred.fromCoroutine(self._queue_ids(name, limit))

    async def _queue_ids(self, name: str, limit: int) -> tuple[str, ...]:
        if is_queue_id(name):
            return (name.lower(),)
        found: dict[bytes, None] = {}
        for tag in self._sealer.messages(plain_message_id(name)):
            found |= dict.fromkeys(await self._trace.named(tag, limit))
        return tuple(each.hex() for each in found)[:limit]

    def events(self, queue_id: str, limit: int) -> "Deferred[tuple[Event, ...]]":
        """The events of one message in order of time, at most *limit*.

        :raises VaultError: when one is not authentic, or sealed under a secret that is gone.
        """
        return Deferred.fromCoroutine(self._events(queue_id, limit))

    async def _events(self, queue_id: str, limit: int) -> tuple[Event, ...]:
        records = await self._trace.find(bytes.fromhex(queue_id), limit)
        # A store that did not know whether it had written a record may have written it again.
        unlike = {record.sealed: record for record in records}.values()
        return tuple(sorted((open_event(self._sealer, record) for record in unlike), key=lambda each: each.moment))

    def since(self, moment: int, after: int, limit: int) -> "Deferred[tuple[int, list[tuple[str, Event]]]]":
        """Return (queue id, event) pairs from *moment* on, at most *limit*, and the number to go on after (0: the end).

        Events that cannot be read are left out.

        :param after: the number that was returned before; 0 to begin.
        """
        return self._trace.since(moment, after, limit).addCallback(self._opened)

    def _opened(self, records: "Sequence[tuple[int, Traced]]") -> tuple[int, list[tuple[str, Event]]]:
        found = []
        for _, record in records:
            with suppress(VaultError):
                found.append((record.queue_id.hex(), open_event(self._sealer, record)))
        return (records[-1][0] if records else 0), found

    def names(self, address: str) -> tuple[str, ...]:
        """Return what *address* may be called in events: itself, and its pseudonyms."""
        return (address.lower(), *self._sealer.names(address))

    def is_of(self, event: Event, recipient: str) -> bool:
        """Whether *event* is one of the address *recipient*."""
        if event.clear:
            return event.recipient.lower() == recipient.lower()
        return event.recipient in self._sealer.names(recipient)


def seal_event(sealer: TraceSealer, queue_id: bytes, event: Event, tag: bytes = b"") -> Traced:
    """Return the record of *event*; *tag* is that of its Message-ID, where it is to be found by it."""
    moment = int(event.moment)
    sealed = sealer.seal(msgspec.msgpack.encode(event), moment, queue_id, tag)
    return Traced(moment=moment, queue_id=queue_id, message=tag, sealed=sealed)


def open_event(sealer: TraceSealer, record: Traced) -> Event:
    """Return the event of *record*.

    :raises VaultError: when it is not what :func:`seal_event` made.
    """
    plain = sealer.open(record.sealed, record.moment, record.queue_id, record.message)
    try:
        return msgspec.msgpack.decode(plain, type=Event)
    except msgspec.MsgspecError as error:
        raise VaultError(f"an event of the message trace cannot be read: {error}") from error


def is_queue_id(name: str) -> bool:
    """Whether *name* is a queue id: 16 hexadecimal digits."""
    return _QUEUE_ID.fullmatch(name) is not None


def plain_message_id(name: str) -> str:
    """Return a Message-ID without white space and angle brackets (RFC 5322 section 3.6.4)."""
    return name.strip().removeprefix("<").removesuffix(">")


def speakable(words: str, *, clear: bool) -> str:
    """Return *words* of another system printable, and without addresses unless those are shown in *clear*."""
    plain = "".join(each if each.isprintable() else " " for each in words)
    return plain if clear else _ADDRESS.sub("(address)", plain)


def kept(words: str, *, clear: bool = False) -> str:
    """Return the first of *words*, :func:`speakable`; not in *clear* where what is kept is not sealed."""
    return speakable(words[: 4 * _WORDS], clear=clear)[:_WORDS]
