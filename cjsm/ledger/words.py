"""Entries of the ledger in words: what each act is called where people read it."""

from cjsm.community.acts.reasons import MEANINGS, Reason
from cjsm.community.records import LedgerEntry

#: What was done, by the act's name; what it was done to follows.
ACTS = {
    "application-add": "entered",
    "application-approve": "approved",
    "application-assess": "assessed",
    "application-edit": "edited",
    "application-erase": "erased what was known of people in",
    "application-overdue": "marked as overdue",
    "application-reject": "rejected",
    "application-sponsor": "recorded the sponsor's word for",
    "application-sponsor-ask": "asked a sponsor about",
    "application-sponsor-wrong": "was shown a wrong sponsor's code for",
    "application-terms": "recorded the acceptance of the terms by",
    "alias-add": "gave another address to",
    "alias-remove": "took an address from",
    "certificate-issue": "issued a certificate for",
    "certificate-revoke": "revoked a certificate of",
    "community-apply": "applied a file to",
    "connection-add": "added",
    "connection-edit": "changed",
    "connection-live": "set live",
    "connection-move": "moved",
    "connection-suspended": "suspended",
    "connection-test": "tested",
    "connection-testing": "put back to testing",
    "device-add": "added a device password of",
    "device-revoke": "revoked a device password of",
    "directory-export": "exported the people of",
    "domain-add": "approved",
    "domain-approved": "approved again",
    "domain-exceptions": "changed the exceptions of",
    "domain-members": "changed who is a member in",
    "domain-move": "moved",
    "domain-remove": "removed",
    "domain-suspended": "suspended",
    "factor-off": "turned off the second factor of",
    "factor-on": "turned on a second factor for",
    "factor-prepare": "prepared a second factor for",
    "factor-remove": "took away the second factor of",
    "factors-resealed": "sealed second factors anew in",
    "generations-destroyed": "destroyed old keys of",
    "heads-anchored": "anchored the state of",
    "job-run": "had a job done at once in",
    "keys-renewed": "renewed the keys of",
    "keys-rotated": "began new keys for",
    "ledger-key": "began to sign the ledger with a key of",
    "ledger-recovered": "brought entries back into the ledger of",
    "list-add": "added",
    "list-appoint": "appointed a manager of",
    "list-change": "changed",
    "list-delete": "deleted",
    "list-dismiss": "dismissed a manager of",
    "list-join": "let members join",
    "list-leave": "took members off",
    "list-move": "moved",
    "mailbox-accept": "accepted what is left of",
    "mailbox-backup": "backed up",
    "mailbox-destroy": "destroyed",
    "mailbox-export": "exported",
    "mailbox-import": "imported into",
    "mailbox-noticed": "noticed a change in",
    "mailbox-restore": "restored",
    "mailbox-undelete": "brought deleted messages back in",
    "mailbox-verify": "verified",
    "message-trace": "looked at the trace of",
    "organisation-active": "resumed",
    "organisation-add": "added",
    "organisation-change": "changed",
    "organisation-deleted": "deleted",
    "organisation-merge": "merged",
    "organisation-move": "moved",
    "organisation-resumed": "resumed",
    "organisation-suspended": "suspended",
    "organisation-undeleted": "undeleted",
    "notice-send": "sent a notice to",
    "password-chosen": "chose a password for",
    "password-reset": "reset the password of",
    "queue-hold": "held messages in",
    "queue-release": "released messages in",
    "queue-remove": "removed messages from",
    "queue-retry": "tried again what waits in",
    "queue-show": "looked at what waits of",
    "quota-set": "set the quota of",
    "recovery-codes-new": "had new recovery codes printed for",
    "recovery-counter-sign": "counter-signed the recovery of",
    "recovery-end": "ended the recovery of",
    "recovery-lapse": "let lapse the recovery of",
    "recovery-officer-add": "made a recovery officer of",
    "recovery-officer-remove": "removed as recovery officer",
    "recovery-open": "opened the mail of",
    "recovery-refuse": "refused the recovery of",
    "recovery-request": "asked for the recovery of",
    "role-grant": "gave a role to",
    "role-revoke": "took a role from",
    "secret-rotate": "renewed a secret of",
    "secrets-escrow": "put away the secrets of",
    "service-backup": "backed up",
    "service-restored": "restored",
    "shared-change": "changed",
    "shared-deleted": "deleted",
    "shared-destroyed": "destroyed keys and mail of",
    "shared-join": "let somebody join",
    "shared-leave": "took somebody out of",
    "shared-mailbox-add": "added",
    "shared-move": "moved",
    "shared-open": "opened old mail to members of",
    "shared-undeleted": "undeleted",
    "user-add": "added",
    "user-deleted": "deleted",
    "user-destroyed": "destroyed keys and mail of",
    "user-edit": "edited",
    "user-inactive": "warned for not signing in",
    "user-guard": "guarded",
    "user-lock": "locked",
    "user-move": "moved",
    "user-rename": "renamed",
    "user-resumed": "resumed",
    "user-suspended": "suspended",
    "user-undeleted": "undeleted",
    "user-unguard": "ended the guard of",
    "user-unlock": "unlocked",
}
#: What the service does by itself, where nobody is named who acts.
_ITSELF = frozenset(
    {
        "application-erase",
        "application-overdue",
        "factors-resealed",
        "generations-destroyed",
        "heads-anchored",
        "ledger-key",
        "mailbox-noticed",
        "recovery-end",
        "recovery-lapse",
        "user-destroyed",
        "user-guard",
        "user-inactive",
        "user-unguard",
    }
)
OPERATOR, SERVICE = "operator", "service"


def act_in_words(act: str) -> str:
    """Return what was done, such as ``suspended``; what it was done to follows."""
    return ACTS.get(act, act.replace("-", " "))


def reason_in_words(reason: str) -> str:
    """Return what a reason's code stands for."""
    return MEANINGS[Reason(reason)] if reason in frozenset(Reason) else reason


def nobody_acting(entry: LedgerEntry) -> str:
    """Return who acted where no account did: the service itself, or the operator of the server."""
    by_itself = entry.act in _ITSELF or (entry.act, entry.subject_kind) == ("keys-rotated", "mailboxes")
    # Acts that people do too tell of the job that did them.
    by_itself = by_itself or "job" in dict(entry.details)
    return SERVICE if by_itself else OPERATOR
