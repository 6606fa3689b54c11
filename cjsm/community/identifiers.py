"""Typed identifiers: 16 random bytes each, made by whoever has randomness, never derived from content.

Those of an imported message are derived with a key, so that it is known again (docs/decisions/0014).

The text form is 32 lower-case hexadecimal digits (:func:`text`, :func:`from_text`).
"""

from collections.abc import Callable
from typing import NewType

LENGTH = 16

OrganisationId = NewType("OrganisationId", bytes)
AccountId = NewType("AccountId", bytes)
MailboxId = NewType("MailboxId", bytes)
RoleAssignmentId = NewType("RoleAssignmentId", bytes)
ConnectionId = NewType("ConnectionId", bytes)
ListId = NewType("ListId", bytes)
JobId = NewType("JobId", bytes)
RequestId = NewType("RequestId", bytes)
ApplicationId = NewType("ApplicationId", bytes)
ActId = NewType("ActId", bytes)
SecretId = NewType("SecretId", bytes)
BodyId = NewType("BodyId", bytes)
DeliveryId = NewType("DeliveryId", bytes)

#: Bytes of randomness on request; ``os.urandom`` in production, a seed in tests.
Entropy = Callable[[int], bytes]


def text(identifier: bytes) -> str:
    """Return the 32 hexadecimal digits of *identifier*, as shown to people and used in file names."""
    return identifier.hex()


def from_text(digits: str) -> bytes:
    """Return the identifier that :func:`text` wrote as *digits*.

    :raises ValueError: when *digits* is not 32 hexadecimal digits.
    """
    identifier = bytes.fromhex(digits)
    if len(identifier) != LENGTH or len(digits) != 2 * LENGTH:
        raise ValueError(f"an identifier has {2 * LENGTH} hexadecimal digits")
    return identifier
