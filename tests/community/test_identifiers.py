"""Identifiers are sixteen octets, each of its own type."""

from cjsm.community import identifiers
from cjsm.community.identifiers import LENGTH, AccountId, MailboxId


def test_length() -> None:
    """Long enough that two made at random are never the same."""
    assert LENGTH == 16


def test_types() -> None:
    """They cost nothing at run time and are told apart by the type checker."""
    assert AccountId(b"a" * 16) == MailboxId(b"a" * 16) == b"a" * 16
    assert {name for name in vars(identifiers) if name.endswith("Id")} >= {
        *("AccountId", "OrganisationId", "MailboxId", "DeliveryId", "BodyId", "ActId", "SecretId", "JobId", "ListId"),
        *("ConnectionId", "RoleAssignmentId"),
    }
