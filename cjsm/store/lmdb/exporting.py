"""All of a mailbox as one stream of ciphertext, as it was at one moment, and a mailbox made of such a stream."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from cjsm.community.identifiers import AccountId, DeliveryId, MailboxId
from cjsm.store.archive import (
    BEGIN,
    MESSAGE,
    PIECE,
    PIECE_OCTETS,
    VERSION,
    ArchiveReader,
    ArchiveWriter,
    Beginning,
    Exported,
)
from cjsm.store.interfaces import BackupDamaged, CannotOpen, Damaged, Head, Row, Unavailable, Usage
from cjsm.store.lmdb import rows
from cjsm.store.lmdb.content import (
    BODIES,
    DELETED,
    DELIVERED,
    HIDDEN,
    MESSAGES,
    ROWS,
    SCHEMA,
    TABLES,
    Content,
    Message,
    State,
)
from cjsm.store.lmdb.environment import Environment, number, sync_directory
from cjsm.store.lmdb.home import Home
from cjsm.store.private import opener

_ID = 16
#: Messages, and octets of bodies, that are restored in one transaction.
_TOGETHER = 256
_HELD = 16 << 20


def open_aside(home: Home, map_size: int) -> Environment:
    """Open the file of a mailbox that nobody else opens: a snapshot, or one that is made.

    :raises Unavailable: when it cannot be opened.
    """
    try:
        return Environment(home.file(1), tables=TABLES, schema=SCHEMA, map_size=map_size)
    except CannotOpen as error:
        raise Unavailable(str(error)) from error


# Out


def export(mailbox: MailboxId, snapshot: Home, environment: Environment, to: BinaryIO) -> None:
    """Write what *snapshot* holds.

    :raises Damaged: when something in it cannot be read.
    """
    archive = ArchiveWriter(to)
    beginning, keys = environment.read(lambda transaction: _beginning(mailbox, Content(environment, transaction)))
    archive.record(BEGIN, beginning)
    for key in keys:
        with environment.reading() as transaction:
            content = Content(environment, transaction)
            message, deleted = content.message(key), content.get(DELETED, key)
            body = content.get(BODIES, key)
        if message is None:
            raise Damaged("a message of the mailbox cannot be found")
        moment = int.from_bytes(deleted, "big") if deleted is not None else None
        archive.record(MESSAGE, _exported(message, moment))
        octets = 0
        for piece in _pieces(snapshot.bodies / key.hex() if body is None else body):
            archive.frame(PIECE, piece)
            octets += len(piece)
        if octets != message.sealed_octets:
            raise Damaged(f"the body of message {key.hex()} has {octets} octets of {message.sealed_octets}")
    archive.end()


def _beginning(mailbox: MailboxId, content: Content) -> tuple[Beginning, list[DeliveryId]]:
    keys = [DeliveryId(key) for key, _ in content.items(MESSAGES)]
    delivered = [(int.from_bytes(key[:8], "big"), DeliveryId(key[8:])) for key, _ in content.items(DELIVERED)]
    members = sorted({AccountId(key[:_ID]) for key, _ in content.items(HIDDEN)})
    hidden = [(member, _uids(content.hidden(member))) for member in members]
    beginning = Beginning(
        version=VERSION,
        mailbox=mailbox,
        head=content.state().head,
        messages=len(keys),
        full_since=content.full_since(),
        delivered=tuple(delivered),
        hidden=tuple(hidden),
    )
    return beginning, keys


def _uids(hidden: dict[int, int]) -> tuple[int, ...]:
    return tuple(
        page * rows.ROWS_PER_PAGE + place
        for page, bits in hidden.items()
        for place in range(rows.ROWS_PER_PAGE)
        if bits >> place & 1
    )


def _exported(message: Message, deleted: int | None) -> Exported:
    return Exported(
        row=message.row,
        body_id=message.body_id,
        sealed_octets=message.sealed_octets,
        inline=message.inline,
        wrap=message.wrap,
        summary=message.summary,
        deleted=deleted,
    )


def _pieces(body: Path | bytes) -> Iterator[bytes]:
    if isinstance(body, bytes):
        yield from (body[at : at + PIECE_OCTETS] for at in range(0, len(body), PIECE_OCTETS))
        return
    try:
        with body.open("rb") as file:
            while piece := file.read(PIECE_OCTETS):
                yield piece
    except FileNotFoundError as error:
        raise Damaged(f"the body file {body.name} is not there") from error


# In


class Restoring:
    """Makes a mailbox in the directory *home*, which nobody looks at yet.

    :param edition: the first edition that was not there before.
    """

    def __init__(self, home: Home, *, map_size: int, advance: rows.Advance, edition: int) -> None:
        self._home = home
        self._advance = advance
        self._edition = edition
        self._taken: list[tuple[Exported, bytes | None]] = []
        self._held = 0
        home.make()
        self._environment = open_aside(home, map_size)

    def close(self) -> None:
        """Close what was made."""
        self._environment.close()

    def fill(self, mailbox: MailboxId, source: BinaryIO) -> Head:
        """Put in what *source* holds, synced; return the list's head.

        :raises BackupDamaged: when it is not a whole, untouched export of *mailbox*.
        """
        archive = ArchiveReader(source)
        beginning = archive.beginning
        if beginning.mailbox != mailbox:
            raise BackupDamaged(f"this is an export of mailbox {beginning.mailbox.hex()}")
        listed: list[Row] = []
        deleted: list[Row] = []
        while (found := archive.message()) is not None:
            self._take(found, archive)
            (listed if found.deleted is None else deleted).append(found.row)
        self._write_taken()
        if len(listed) + len(deleted) != beginning.messages or len(listed) != beginning.head.listed:
            raise BackupDamaged("the export has not as many messages as it should")
        listed.sort(key=lambda row: row.uid)
        rows.check(listed, beginning.head, self._advance)
        head = msgspec.structs.replace(beginning.head, edition=max(self._edition, beginning.head.edition + 1))
        state = State(head=head, usage=_usage(listed), deleted=_usage(deleted))
        self._write_list(beginning, listed, state)
        sync_directory(self._home.bodies)
        sync_directory(self._home.directory)
        return head

    def _take(self, found: Exported, archive: ArchiveReader) -> None:
        """Take a message; several are written together."""
        if found.inline:
            body = b"".join(_body(found, archive))
            self._held += len(body)
        else:
            body = None
            with open(self._home.bodies / found.row.delivery_id.hex(), "xb", opener=opener) as file:
                for piece in _body(found, archive):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
        self._taken.append((found, body))
        if len(self._taken) >= _TOGETHER or self._held >= _HELD:
            self._write_taken()

    def _write_taken(self) -> None:
        def act(content: Content) -> None:
            for found, body in self._taken:
                if content.has(MESSAGES, found.row.delivery_id):
                    raise BackupDamaged("a message is in the export twice")
                content.put_message(_message(found), body)
                if found.deleted is not None:
                    content.put(DELETED, found.row.delivery_id, number(found.deleted))

        self._environment.write(lambda transaction: act(Content(self._environment, transaction)))
        self._taken.clear()
        self._held = 0

    def _write_list(self, beginning: Beginning, listed: list[Row], state: State) -> None:
        def act(content: Content) -> None:
            rows.append(content.transaction, content.table(ROWS), listed)
            for sequence, delivery_id in beginning.delivered:
                content.put(DELIVERED, number(sequence) + delivery_id, b"")
            for member, uids in beginning.hidden:
                content.hide(member, uids)
            if beginning.full_since:
                content.set_full_since(beginning.full_since)
            content.set_state(state)

        self._environment.write(lambda transaction: act(Content(self._environment, transaction)))


def _message(found: Exported) -> Message:
    return Message(
        row=found.row,
        body_id=found.body_id,
        sealed_octets=found.sealed_octets,
        inline=found.inline,
        wrap=found.wrap,
        summary=found.summary,
    )


def _body(found: Exported, archive: ArchiveReader) -> Iterator[bytes]:
    left = found.sealed_octets
    while left > 0:
        piece = archive.piece()
        left -= len(piece)
        if left < 0:
            raise BackupDamaged("a body in the export is longer than it should be")
        yield piece


def _usage(listed: list[Row]) -> Usage:
    return Usage(messages=len(listed), octets=sum(row.octets for row in listed))
