"""What several verbs of ``cjsm user`` tell of somebody."""

from typing import Any

from cjsm.command.output import when
from cjsm.community import finding, states
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Account, AccountKind
from cjsm.community.view import View


def aliases(view: View, account: AccountId) -> list[dict[str, str | None]]:
    """Return the further addresses of somebody that nobody else may have, with their dates."""
    return [
        {
            "address": record.address,
            "delivers_until": when(record.delivers_until),
            "reserved_until": when(record.reserved_until),
        }
        for record in view.addresses_of(account)
        if record.alias and view.reserved_address(record.address) is not None
    ]


def told(view: View, account: Account) -> dict[str, Any]:
    """Return what a list says of somebody."""
    return {
        "user_id": account.user_id,
        "address": finding.primary_address(view, account.id),
        "name": f"{account.profile.first_name} {account.profile.last_name}",
        "organisation": finding.path_of(view, account.organisation),
        "kind": account.kind,
        "status": states.display_name(account, view.moment),
        "reason": account.state_reason or None,
        "note": account.state_note or None,
        "since": when(account.state_since),
        "roles": [
            f"{held.role} of {finding.path_of(view, held.organisation) or 'the community'}"
            for held in view.roles_of(account.id)
        ],
        "second_factor": when(account.factor_since),
        "recovery_codes": account.recovery_codes,
        "device_passwords": [known.name for known in account.device_passwords],
        "quota": account.quota if account.kind is AccountKind.HOSTED else None,
    }
