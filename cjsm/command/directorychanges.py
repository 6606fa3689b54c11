"""Which entries of the directory changed since a moment: what the ledger knows of everything that was done."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from cjsm.command.ledgersince import entries_since
from cjsm.command.output import watched
from cjsm.community import finding
from cjsm.community.identifiers import AccountId, ListId, MailboxId, OrganisationId
from cjsm.community.view import View
from cjsm.directory import entries
from cjsm.directory.excerpt import Found
from cjsm.store.interfaces import ICommunityStore

#: How acts begin that change nothing the directory lists.
_UNLISTED = ("device-", "factor-", "recovery-", "keys-", "role-", "directory-")
#: Acts after which entries have other names.
_MOVING = frozenset(("list-move", "organisation-merge", "organisation-move", "shared-move", "user-move", "user-rename"))


class Removed(Struct, frozen=True):
    """Somebody, or a list, who is no more: the former address, and what the entry was identified by."""

    address: str
    identity: str


class Changes(Struct, frozen=True, kw_only=True):
    """What changed.

    :ivar identities: of accounts, lists and shared mailboxes, as entryUUID has them.
    :ivar organisations: organisations that changed, so that everything below them is listed in another way.
    :ivar moved: whether something was moved or renamed: entries have other names since.
    """

    identities: frozenset[str]
    organisations: frozenset[bytes]
    gone: tuple[Removed, ...]
    moved: bool

    def has(self, found: Found) -> bool:
        """Whether an entry is to be told of."""
        if any(organisation.id in self.organisations for organisation in found.chain):
            return True
        identity = found.reading.schema.attribute("entryUUID")
        told = found.reading.values(found.position, identity) if identity is not None else ()
        return bool(told) and told[0] in self.identities


def since(
    store: ICommunityStore, moment: int, sees: Callable[[View], Callable[[OrganisationId | None], bool]]
) -> Changes:
    """Return what changed at *moment* or later.

    :param sees: whose removed people are told of.
    """
    records: set[bytes] = set()
    organisations: set[bytes] = set()
    moved = False
    for entry in watched(entries_since(store, moment), "entries of the ledger"):
        if entry.act.startswith(_UNLISTED):
            continue
        moved |= entry.act in _MOVING
        if entry.subject_kind == "organisation":
            organisations.add(entry.subject)
        elif entry.subject_kind in ("account", "list", "shared-mailbox"):
            records.add(entry.subject)
    gone = store.read_now(lambda view: tuple(_gone(view, records, sees(view))))
    identities = frozenset(str(entries.identity(record)) for record in records)
    return Changes(identities=identities, organisations=frozenset(organisations), gone=gone, moved=moved)


def _gone(view: View, touched: set[bytes], sees: Callable[[OrganisationId | None], bool]) -> Iterator[Removed]:
    for identifier in sorted(touched):
        address = finding.primary_address(view, AccountId(identifier))
        if not _is_there(view, identifier) and address and sees(_place(view, address)):
            yield Removed(address, str(entries.identity(identifier)))


def _is_there(view: View, identifier: bytes) -> bool:
    found = view.account(AccountId(identifier)) or view.mail_list(ListId(identifier))
    return found is not None or view.kept_shared_mailbox(MailboxId(identifier)) is not None


def _place(view: View, address: str) -> OrganisationId | None:
    """Return the organisation whose addresses end like this one, None where it is no more."""
    name = address.rpartition("@")[2]
    domain = view.domain(name)
    if domain is not None:
        return domain.organisation
    found = view.organisation_of_abbreviation(name.removesuffix(f".{view.suffix}"))
    return found.id if found is not None else None
