"""Looking at all of a mailbox: whether its tables agree with each other, and its bodies with what is said of them."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from cjsm.community.identifiers import DeliveryId
from cjsm.store.archive import PIECE_OCTETS
from cjsm.store.interfaces import Altered, Damaged, Examine, Known, Row, StoreError, Usage, Verified
from cjsm.store.lmdb import rows
from cjsm.store.lmdb.content import BODIES, IMPORTED, MESSAGES, TABLES, Content, Message
from cjsm.store.lmdb.environment import Corrupted
from cjsm.store.lmdb.mailboxacts import check_not_behind, check_went_on

#: Problems that are told one by one; after that it is enough to know that there are more.
_TOLD = 100


class Findings:
    """What is wrong, in words, and what was seen of messages.

    :ivar altered: what was found of the list that is not as it was, the first of it; empty when there is nothing.
    """

    def __init__(self) -> None:
        self.altered = ""
        self.problems: list[str] = []
        self.messages: list[DeliveryId] = []
        self.listed = Usage()
        self.deleted = Usage()

    def verified(self) -> Verified:
        """Return what is told."""
        return Verified(
            messages=self.listed.messages,
            deleted=self.deleted.messages,
            octets=self.listed.octets,
            problems=tuple(self.problems),
        )

    def add(self, problem: str) -> None:
        """One more problem."""
        if len(self.problems) == _TOLD:
            self.problems.append("and more")
        elif len(self.problems) < _TOLD:
            self.problems.append(problem)

    def alter(self, problem: str) -> None:
        """One more problem, which says that the list is not what it was."""
        self.altered = self.altered or problem
        self.add(problem)


def look_at_tables(content: Content, findings: Findings, known: Known, advance: rows.Advance) -> None:
    """Read every table whole and hold them against each other.

    :raises Corrupted: when the file's structure is broken; what was found before stays in *findings*.
    """
    for table in TABLES:
        for _ in content.items(table):
            pass
    listed = _list(content, findings, known, advance)
    deleted = dict(content.deleted())
    seen: dict[DeliveryId, Message] = {}
    for key, _ in content.items(MESSAGES):
        message = _message(content, DeliveryId(key), findings)
        if message is not None:
            seen[DeliveryId(key)] = message
    findings.messages = list(seen)
    for delivery_id, message in seen.items():
        _look_at_place(delivery_id, message, listed, deleted, findings)
        if message.inline and not content.has(BODIES, delivery_id):
            findings.add(f"message {delivery_id.hex()} has no body")
    for what, named in (("on the list", listed.keys()), ("among the deleted", deleted.keys())):
        for delivery_id in named - seen.keys():
            findings.add(f"message {delivery_id.hex()} is {what} and is not there")
    for key, _ in content.items(BODIES):
        if key not in seen:
            findings.add(f"body {key.hex()} belongs to no message")
    _look_at_imported(content, seen, findings)
    findings.listed = _usage(list(listed.values()))
    findings.deleted = _usage([message.row for found, message in seen.items() if found in deleted])
    state = content.state()
    for what, told, found in (("list", state.usage, findings.listed), ("deleted", state.deleted, findings.deleted)):
        if told != found:
            findings.add(
                f"usage ({what}) says {told.messages} messages, {told.octets} octets: there are {found.messages}, "
                f"{found.octets}"
            )


def _list(content: Content, findings: Findings, known: Known, advance: rows.Advance) -> dict[DeliveryId, Row]:
    head, found = content.state().head, content.rows()
    if len(found) != head.listed:
        findings.alter(f"the list has {len(found)} rows of {head.listed}")
    # What was deleted and is kept tells of its place too.
    every = sorted((*found, *(message.row for message in content.messages())), key=lambda row: row.uid)
    for check in (
        partial(rows.check, found, head, advance),
        partial(check_not_behind, head, known),
        partial(check_went_on, every, head, known, advance),
    ):
        try:
            check()
        except Corrupted:
            raise
        except Altered as error:
            findings.alter(str(error))
        except Damaged as error:
            findings.add(str(error))
    return {row.delivery_id: row for row in found}


def _message(content: Content, delivery_id: DeliveryId, findings: Findings) -> Message | None:
    try:
        return content.message(delivery_id)
    except Damaged as error:
        findings.add(f"message {delivery_id.hex()}: {error}")
        return None


def _look_at_place(
    delivery_id: DeliveryId,
    message: Message,
    listed: dict[DeliveryId, Row],
    deleted: dict[DeliveryId, int],
    findings: Findings,
) -> None:
    if message.row.delivery_id != delivery_id:
        findings.add(f"message {delivery_id.hex()} says that it is another")
    row = listed.get(delivery_id)
    if row is not None and row != message.row:
        findings.add(f"message {delivery_id.hex()} is not what its row says")
    if (row is None) == (delivery_id not in deleted):
        both = "neither listed nor deleted" if row is None else "both listed and deleted"
        findings.add(f"message {delivery_id.hex()} is {both}")


def _look_at_imported(content: Content, seen: dict[DeliveryId, Message], findings: Findings) -> None:
    named = {DeliveryId(found): key.decode("ascii", "replace") for key, found in content.items(IMPORTED)}
    told = {found: message.row.imported_id for found, message in seen.items() if message.row.imported_id}
    if named != told:
        findings.add("the unique-ids of imported messages are not those that they brought")


def _usage(found: list[Row]) -> Usage:
    return Usage(messages=len(found), octets=sum(row.octets for row in found))


def look_at_body(read: Callable[[], tuple[Message, bytes | Path] | None], examine: Examine, findings: Findings) -> None:
    """Read one body whole; *read* gives its message and where it is, or None where the message is gone meanwhile."""
    found = read()
    if found is None:
        return
    message, body = found
    name = message.row.delivery_id.hex()
    digest, octets = hashlib.sha256(), 0
    try:
        for piece in _pieces(body):
            digest.update(piece)
            octets += len(piece)
    except OSError as error:
        if read() is not None:
            findings.add(f"the body of message {name} cannot be read: {error.strerror}")
        return
    if octets != message.sealed_octets:
        findings.add(f"the body of message {name} has {octets} octets of {message.sealed_octets}")
    problem = examine(message.row, message.wrap, octets, digest.digest())
    if problem:
        findings.add(f"message {name}: {problem}")


def _pieces(body: bytes | Path) -> Iterator[bytes]:
    if isinstance(body, bytes):
        yield body
        return
    with body.open("rb") as file:
        while piece := file.read(PIECE_OCTETS):
            yield piece


def body_of(content: Content, delivery_id: DeliveryId, bodies: Path) -> tuple[Message, bytes | Path] | None:
    """Return a message and its body, or where that is; None where it is gone."""
    with suppress(StoreError):
        message = content.message(delivery_id)
        if message is not None:
            return message, (content.get(BODIES, delivery_id) or b"") if message.inline else bodies / delivery_id.hex()
    return None
