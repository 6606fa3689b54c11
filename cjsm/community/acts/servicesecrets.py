"""The service's own secrets: put away for the safe, and renewed. Acts of the operator, whose server it is."""

from collections.abc import Sequence

from cjsm.community.acts.acting import By, changed, entry_of, operators, service_entry
from cjsm.community.acts.credentials import KeyStep
from cjsm.community.acts.keys import ITSELF
from cjsm.community.authority import Permission
from cjsm.community.identifiers import AccountId, ActId
from cjsm.community.records import LedgerEntry
from cjsm.community.view import Change, View


def escrow(view: View, by: By, digest: str, *, needed: int, shares: int) -> Change:
    """Record that the secrets were put away, before anybody sees a share; *digest* is the sealed file's SHA-256."""
    told = {"needed": str(needed), "shares": str(shares), "file": digest}
    return Change(entry=entry_of(view, by, "secrets-escrow", "service", b"", _operator(by), **told))


def rotate(view: View, by: By, name: str) -> Change:
    """Record that a service secret is renewed, before it is."""
    return Change(entry=entry_of(view, by, "secret-rotate", "service", b"", _operator(by), secret=name))


def recovered(view: View, by: By, told: dict[str, str]) -> Change:
    """Record that entries were brought back into the ledger, after an older store was restored."""
    return Change(entry=entry_of(view, by, "ledger-recovered", "service", b"", _operator(by), **told))


def announced(act_id: ActId, moment: int, told: dict[str, str]) -> LedgerEntry:
    """Return the entry with a public key of the ledger, which the service makes when it first signs with it."""
    return service_entry(act_id, "ledger-key", moment, "service", b"", **told)


def _operator(by: By) -> Permission:
    return operators(by, "the service's own secrets are")


def reseal_factors(view: View, by: By, steps: Sequence[tuple[AccountId, KeyStep]]) -> Change:
    """The secrets of second factors are sealed under the newest pepper: the service's own act, and one entry.

    What another act came before is left out.
    """
    found = [(view.account(account), step) for account, step in steps]
    still = [(account, step) for account, step in found if account is not None and account.keys == step.read]
    if not still:
        return Change()
    put = tuple(changed(account, keys=step.written) for account, step in still)
    entry = entry_of(view, by, "factors-resealed", "service", b"", ITSELF, users=str(len(put)))
    return Change(put=put, entry=entry)
