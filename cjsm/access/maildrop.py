"""A maildrop opened for one POP3 session: leased, fixed as it was at login, read segment by segment."""

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from cjsm.access.interfaces import IMaildrop, IMessageReader
from cjsm.access.mailboxkeys import OpenedMailbox
from cjsm.community.identifiers import AccountId, MailboxId
from cjsm.store.interfaces import IBodyReader, ILease, IMailStore, MailboxList, Row, StoredMessage
from cjsm.vault.errors import NotAuthentic
from cjsm.vault.message import BodyOpener, decode_wrap, open_wrap
from cjsm.vault.secrets import Versions
from cjsm.vault.signing import Verifies


@implementer(IMaildrop)
class Maildrop:
    """See :class:`IMaildrop`.

    :param valid: whether the session may go on.
    :ivar mailbox: which mailbox it is.
    :param shared: others have the mailbox too: what is deleted is hidden from this member only.
    """

    def __init__(
        self,
        *,
        account: AccountId,
        pseudonym: str,
        valid: Callable[[], bool],
        mailbox: MailboxId,
        listing: MailboxList,
        lease: ILease,
        mail: IMailStore,
        keys: OpenedMailbox,
        acceptance: Versions[Verifies],
        shared: bool = False,
    ) -> None:
        self.account = account
        self.pseudonym = pseudonym
        self.still_valid = valid
        self.mailbox = mailbox
        self._lease = lease
        self._mail = mail
        self._keys = keys
        self._acceptance = acceptance
        self._shared = shared
        self.messages: Sequence[Row] = listing.rows

    def open(self, index: int) -> "Deferred[MessageReader]":
        """See :class:`IMaildrop`."""
        row = self.messages[index]

        def opened(stored: StoredMessage) -> MessageReader:
            try:
                return self._reader(index, stored)
            except BaseException:
                stored.body.close()
                raise

        return self._mail.open(self.mailbox, row.delivery_id).addCallback(opened)

    def _reader(self, index: int, stored: StoredMessage) -> "MessageReader":
        row = self.messages[index]
        wrap = decode_wrap(stored.wrap)
        key = self._keys.private_key(row.generation)
        place = (self.mailbox, row.generation, row.delivery_id)
        message = open_wrap(wrap, *place, acceptance=self._acceptance, key=key)
        if wrap.octets != row.octets:
            raise NotAuthentic("the message's length is not what was accepted")
        opener = message.body()
        opener.check_length(stored.body.octets)
        return MessageReader(message.prefix, opener, stored.body, wrap.signed_at)

    def delete(self, indexes: Sequence[int]) -> "Deferred[None]":
        """See :class:`IMaildrop`."""
        gone = [self.messages[index].delivery_id for index in indexes]
        if self._shared:
            return self._mail.hide(self.mailbox, self.account, gone, self._lease)
        return self._mail.delete(self.mailbox, gone, self._lease)

    def release(self) -> None:
        """Forget the keys and give the lease back; the session is over."""
        self._keys.forget()
        self._lease.release()


@implementer(IMessageReader)
class MessageReader:
    """Reads the prefix, then the body's segments; gives out nothing unverified.

    :ivar accepted: when this service took the message, in seconds since the epoch.
    """

    def __init__(self, prefix: bytes, opener: BodyOpener, body: IBodyReader, accepted: int) -> None:
        self.accepted = accepted
        self._prefix = prefix
        self._opener = opener
        self._body = body
        self._offset = 0

    def read(self) -> "Deferred[bytes]":
        """See :class:`IMessageReader`."""
        if self._prefix:
            prefix, self._prefix = self._prefix, b""
            return succeed(prefix)
        length = self._opener.next_length
        if not length:
            return succeed(b"")
        offset, self._offset = self._offset, self._offset + length
        # The segment of an empty body opens to nothing, which reads as the end: it is the end.
        return self._body.read(offset, length).addCallback(self._opener.open)

    def close(self) -> None:
        """See :class:`IMessageReader`."""
        self._body.close()
