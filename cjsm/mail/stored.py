"""What can be said of stored messages without any reader's key, and how messages from elsewhere are named."""

from cjsm.community.identifiers import DeliveryId, MailboxId
from cjsm.store.interfaces import Examine, Row
from cjsm.vault.chain import imported_id
from cjsm.vault.errors import MissingSecret, VaultError
from cjsm.vault.message import decode_wrap, sealed_length, verify_wrap
from cjsm.vault.secrets import Versions
from cjsm.vault.signing import Verifies


def examiner(mailbox: MailboxId, acceptance: Versions[Verifies]) -> Examine:
    """Return what :meth:`~cjsm.store.interfaces.IMailStore.verify` asks of each message of *mailbox*.

    Whether this service accepted the message for this place in this mailbox, and with this sealed body.

    :param acceptance: the public halves of the acceptance keys.
    """

    def examine(row: Row, stored: bytes, octets: int, digest: bytes) -> str:
        try:
            wrap = decode_wrap(stored)
            verify_wrap(wrap, mailbox, row.generation, row.delivery_id, acceptance)
        except (VaultError, MissingSecret) as error:
            return str(error)
        if wrap.octets != row.octets:
            return f"the list says {row.octets} octets, accepted were {wrap.octets}"
        if wrap.body_digest != digest or octets > sealed_length(wrap.octets):
            return "its body is not the one that was accepted"
        if row.imported_id and row.delivery_id != imported_id(mailbox, row.imported_id):
            return "its unique-id is not the one that it was imported with"
        return ""

    return examine


def imported_delivery(mailbox: MailboxId, unique_id: str) -> DeliveryId:
    """Return the delivery id under which a message with *unique_id* is wrapped and imported into *mailbox*.

    The same for the same: importing it again changes nothing, and nobody can give it another unique-id unnoticed.
    """
    return DeliveryId(imported_id(mailbox, unique_id))
