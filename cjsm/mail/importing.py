"""Messages from files of other systems into a mailbox: sealed for it as acceptance does, and no less than whole.

A message's unique-id is the one it had, where the source knows it and nobody else has it; else it follows from its
content. So running again does nothing for what is there, and an interrupted run goes on where it ended.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum

from cjsm.community.identifiers import LENGTH, AccountId, BodyId, Entropy, MailboxId
from cjsm.configuration import Settings
from cjsm.mail.content import SealedContent
from cjsm.mail.folders.errors import ImportStopped
from cjsm.mail.folders.lineends import Canonical
from cjsm.mail.folders.source import Found, Source
from cjsm.mail.folders.uniqueids import is_good
from cjsm.mail.header import Field, Header
from cjsm.mail.interfaces import IMailboxKeys
from cjsm.mail.stored import imported_delivery
from cjsm.mail.submission import told_of
from cjsm.store.interfaces import Delivery, IBodyStore, ILease, IMailStore, ISpool, Missing, Row
from cjsm.vault import tags
from cjsm.vault.message import decode_wrap, encode_wrap
from cjsm.vault.secrets import ServiceSecrets

#: Stands for a member in the lease that one import at a time has of a mailbox; nobody's maildrop.
_IMPORTING = AccountId(b"cjsm importing 1")
_FIELD = re.compile(rb"^([!-9;-~]{1,128})[ \t]*:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", re.MULTILINE)
_END_OF_HEADER = b"\r\n\r\n"


class Outcome(Enum):
    """What became of one message."""

    NEW = "new"
    PRESENT = "present"
    TOO_LARGE = "too large"


class _Seen:
    """What is known of a message once it was read: its length and digest, and how it begins."""

    def __init__(self, pieces: Iterable[bytes], header_octets: int, most: int) -> None:
        self.octets = 0
        self._head = bytearray()
        digest = hashlib.sha256()
        for piece in canonical(pieces):
            self.octets += len(piece)
            if self.octets > most:
                break
            digest.update(piece)
            self._head += piece[: max(0, header_octets - len(self._head))]
        self.digest = digest.digest()

    def header(self) -> Header:
        """Return what can be read of the header; nothing in it is refused, it was delivered once."""
        section, _, _ = bytes(self._head).partition(_END_OF_HEADER)
        fields = _FIELD.finditer(section.removesuffix(b"\r\n") + b"\r\n")
        return Header(tuple(Field(match[1].lower(), match[0]) for match in fields))


def canonical(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a message in pieces with every end of line CRLF."""
    ends = Canonical()
    for piece in pieces:
        yield ends.write(piece)
    yield ends.finish()


class Importer:
    """Imports into one mailbox; nobody else does meanwhile.

    :param quota: octets that the mailbox may hold; None where that does not matter.
    :param clock: seconds since the epoch.
    """

    def __init__(
        self,
        settings: Settings,
        mailbox: MailboxId,
        *,
        quota: int | None,
        keys: IMailboxKeys,
        mail: IMailStore,
        spool: ISpool,
        bodies: IBodyStore,
        secrets: ServiceSecrets,
        clock: Callable[[], float],
        entropy: Entropy,
    ) -> None:
        self._settings = settings
        self._mailbox = mailbox
        self._room = quota
        self._keys = keys
        self._mail = mail
        self._spool = spool
        self._bodies = bodies
        self._acceptance = secrets.acceptance
        self._tag_keys = secrets.cache
        self._clock = clock
        self._entropy = entropy
        self._lease: ILease | None = None
        self._known: dict[str, Row] = {}
        self._taken: set[str] = set()
        self._batch: list[Delivery] = []
        self._held = 0
        self._written = 0

    @property
    def written(self) -> int:
        """How many messages are new in the mailbox so far, on stable storage."""
        return self._written

    async def begin(self) -> None:
        """Look at what the mailbox has.

        :raises LeaseTaken: while somebody else imports into it.
        :raises Damaged: when it is not what it was.
        """
        self._lease = await self._mail.lease(self._mailbox, _IMPORTING)
        listing = await self._mail.list(self._mailbox)
        deleted = await self._mail.deleted(self._mailbox)
        rows = (*listing.rows, *(each.row for each in deleted))
        self._known = {row.unique_id: row for row in rows}
        if self._room is not None:
            self._room -= sum(row.octets for row in listing.rows) + self._spool.waiting(self._mailbox)

    async def end(self) -> None:
        """Write what was gathered, and let others import."""
        try:
            await self._flush()
        finally:
            if self._lease is not None:
                self._lease.release()

    async def take(self, source: Source, found: Found) -> Outcome:
        """Import one message, unless it is there.

        :raises ImportStopped: when the mailbox has no room for it, or it changes while it is read.
        :raises StoreError: when it cannot be written.
        """
        limits, header_octets = self._settings.imports, self._settings.mail.header_octets
        if found.octets > limits.message_octets:
            return Outcome.TOO_LARGE
        seen = _Seen(source.read(found), header_octets, limits.message_octets)
        if seen.octets > limits.message_octets:
            return Outcome.TOO_LARGE
        header = seen.header()
        claimed = found.unique_id or (header.first(b"x-uidl") if source.x_uidl else "")
        unique_id = await self._unique_id(claimed, seen)
        if unique_id is None:
            return Outcome.PRESENT
        self._check_room(found, seen.octets)
        await self._seal(source, found, seen, header, unique_id)
        if len(self._batch) >= limits.batch_messages or self._held >= limits.batch_octets:
            await self._flush()
        return Outcome.NEW

    async def _unique_id(self, claimed: str, seen: _Seen) -> str | None:
        """Return the unique-id that the message gets; None when it is there.

        One that is claimed counts where it is of a good form and belongs to no other message, of the source or of the
        mailbox. A sender can write a field, and some servers count from 1.
        """
        mine = is_good(claimed) and claimed not in self._taken
        if mine and await self._is_there(claimed, seen):
            self._taken.add(claimed)
            return None
        by_content = self._by_content(seen)
        if by_content in self._known:
            self._taken.add(by_content)
            return None
        chosen = claimed if mine and claimed not in self._known else by_content
        self._taken.add(chosen)
        return chosen

    async def _is_there(self, unique_id: str, seen: _Seen) -> bool:
        """Whether the message that has *unique_id* is this one."""
        row = self._known.get(unique_id)
        if row is None or row.octets != seen.octets:
            return False
        if not row.imported_id:
            # It is 128 random bits, made here.
            return True
        try:
            stored = await self._mail.open(self._mailbox, row.delivery_id)
        except Missing:
            # Its owner deleted it: nothing more than its length can be compared.
            return True
        stored.body.close()
        return decode_wrap(stored.wrap).body_id in self._body_ids(unique_id, seen)

    def _body_ids(self, unique_id: str, seen: _Seen) -> list[BodyId]:
        """Return the body ids that the message may have there, the newest last: the key changes now and then."""
        keys = (self._tag_keys.of(number) for number in self._tag_keys.numbers)
        return [BodyId(tags.imported_body(key, self._mailbox, unique_id, seen.digest)) for key in keys]

    def _by_content(self, seen: _Seen) -> str:
        """Return the unique-id of a message without one; the same message twice in a source has two."""
        base = seen.digest[:LENGTH].hex()
        number, made = 1, f"{base}-i"
        while made in self._taken:
            number += 1
            made = f"{base}-i{number}"
        return made

    def _check_room(self, found: Found, octets: int) -> None:
        if self._room is None:
            return
        if octets > self._room:
            room = max(0, self._room)
            raise ImportStopped(
                f"{found.name} does not fit: it has {octets:,} octets, and the mailbox has room for {room:,}",
                "give the mailbox more room, or import over its quota with --over-quota; then run it again",
            )
        self._room -= octets

    async def _seal(self, source: Source, found: Found, seen: _Seen, header: Header, unique_id: str) -> None:
        body_id, inline = self._body_ids(unique_id, seen)[-1], self._settings.store.inline_body
        # An import that was killed may have left it; nobody else uses this name.
        await self._bodies.release(body_id)
        content = SealedContent(body_id, bodies=self._bodies, entropy=self._entropy, inline=inline)
        try:
            digest = hashlib.sha256()
            for piece in canonical(source.read(found)):
                digest.update(piece)
                written = content.write(piece)
                if written is not None:
                    await written
            if digest.digest() != seen.digest:
                raise ImportStopped(f"{found.name} changed while it was read", "let nothing change the source")
            body = await content.finish()
        except BaseException:
            await content.discard()
            raise
        generation, public = self._keys.current(self._mailbox)
        wrap = content.sealer.wrap(
            self._mailbox,
            generation,
            imported_delivery(self._mailbox, unique_id),
            to=public,
            prefix=b"",
            acceptance=self._acceptance,
            moment=int(self._clock()),
        )
        inline_body = content.inline_body
        self._batch.append(
            Delivery(
                delivery_id=wrap.delivery_id,
                spool_sequence=0,
                generation=generation,
                octets=wrap.octets,
                body_id=body_id,
                sealed_octets=body.sealed_octets,
                wrap=encode_wrap(wrap),
                summary=content.seal_summary(told_of(header).summary, body),
                body=inline_body,
                imported_id=unique_id,
            )
        )
        self._held += len(inline_body or b"")

    async def _flush(self) -> None:
        """Write what was gathered, in one transaction."""
        batch, self._batch, self._held = self._batch, [], 0
        if not batch:
            return
        try:
            self._spool.check_room(sum(len(each.body or b"") for each in batch))
            self._written += await self._mail.import_messages(self._mailbox, batch)
        finally:
            # The mailbox has its own name for each by now; what it did not take is made again.
            for each in _in_files(batch):
                await self._bodies.release(each.body_id)


def _in_files(batch: Sequence[Delivery]) -> Iterator[Delivery]:
    return (each for each in batch if each.body is None)
