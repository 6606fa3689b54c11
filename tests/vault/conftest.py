"""What the vault's tests share."""

import pytest

from cjsm.community.identifiers import AccountId, BodyId, DeliveryId, MailboxId
from cjsm.vault.hybrid import PrivateKey, PublicKey
from cjsm.vault.mailboxes import new_generation
from cjsm.vault.secrets import ServiceSecrets, generate

MAILBOX = MailboxId(b"mailbox one 0001")
OTHER_MAILBOX = MailboxId(b"mailbox two 0002")
DELIVERY = DeliveryId(b"delivery one 001")
OTHER_DELIVERY = DeliveryId(b"delivery two 002")
BODY = BodyId(b"body one 0000001")
OTHER_BODY = BodyId(b"body two 0000002")
ACCOUNT = AccountId(b"account one 0001")
OTHER_ACCOUNT = AccountId(b"account two 0002")
MOMENT = 1_767_225_600


class Reader:
    """A mailbox's first generation with both halves of its key."""

    def __init__(self, secrets: ServiceSecrets) -> None:
        self.seed, self.key = new_generation(MAILBOX, 1, secrets.community)
        self.private = PrivateKey(self.seed)
        self.public = PublicKey(self.key.public)


@pytest.fixture(scope="session")
def secrets() -> ServiceSecrets:
    """Service secrets that are nowhere kept."""
    return generate()


@pytest.fixture(scope="session")
def reader(secrets: ServiceSecrets) -> Reader:
    """One mailbox."""
    return Reader(secrets)
