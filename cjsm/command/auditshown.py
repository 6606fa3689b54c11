"""What ``cjsm audit`` shows of entries: names for identifiers, and words while these are kept."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any

from cjsm.command import acting
from cjsm.command.output import Refused, when
from cjsm.community import applying, finding
from cjsm.community.authority import Action
from cjsm.community.errors import CommunityError
from cjsm.community.identifiers import AccountId, ApplicationId, ConnectionId, MailboxId, OrganisationId, from_text
from cjsm.community.records import LedgerEntry
from cjsm.community.subjects import organisation_of_subject
from cjsm.community.view import View
from cjsm.jobs import ledgertree
from cjsm.ledger import words
from cjsm.ledger.entries import MalformedEntry, commitment, decode_entry, encode_entry, tells_of
from cjsm.ledger.errors import LedgerBroken
from cjsm.suite import Suite

#: Entries read in one slice.
SLICE = 500
#: What is shown where words were destroyed with whom they were about, or were not brought back.
GONE = "(not kept any more)"
ALTERED = "(ALTERED: not what the entry has a commitment to)"
_IDENTIFIER = re.compile("[0-9a-f]{32}")


class Shown:
    """Entries as whoever acts may see them.

    :param path: of an organisation, where only its entries and those below it are meant.
    """

    def __init__(self, suite: Suite, path: str | None = None) -> None:
        self._suite = suite
        self._community = suite.stores.community
        self._sees = acting.sight(suite, Action.READ_LEDGER, path)
        self._path = path
        self._name = cache(self._name_of)
        # Whoever sees nothing anywhere is told so at once.
        self._community.read_now(lambda view: self._sees(view))

    def filtered(self, view: View) -> Callable[[LedgerEntry], bool]:
        """Return what tells in *view* which entries are shown."""
        sees, within = self._sees(view), self._path

        @cache
        def shown(place: OrganisationId | None) -> bool:
            above = f"{finding.path_of(view, place)}/"
            return sees(place) and (within is None or above.startswith(f"{within.strip('/').lower()}/"))

        return lambda entry: shown(_place(view, entry))

    def one(self, index: int) -> tuple[LedgerEntry, bytes]:
        """Return the entry at *index*, and its encoding.

        :raises Refused: when there is none, or it is not for whoever acts to see.
        """
        found = self._community.entries_now(index, 1)
        if not found or found[0][0] != index + 1:
            last = self._community.last_entry()
            raise Refused(f"there is no entry {index}", f"they are numbered from 0 to {last - 1}" if last else "")
        entry = _decoded(index, found[0][1])
        if not self._community.read_now(lambda view: self.filtered(view)(entry)):
            raise Refused(f"entry {index} is not about an organisation of yours", "ask a community administrator")
        return entry, found[0][1]

    def newest(self, before: int, needles: Sequence[bytes], without: str = "") -> Iterator[tuple[int, LedgerEntry]]:
        """Yield entries with an index below *before*, the newest first.

        :param needles: octets of which each has one; all entries where there are none.
        :param without: an act that is left out.
        """
        while before > 0:
            low = max(0, before - SLICE)
            found = [
                (number - 1, _decoded(number - 1, encoded))
                for number, encoded in reversed(self._community.entries_now(low, before - low))
                if (not needles or any(needle in encoded for needle in needles)) and not tells_of(encoded, without)
            ]
            yield from self._community.read_now(partial(self._seen, found=found))
            before = low

    def _seen(self, view: View, found: Sequence[tuple[int, LedgerEntry]]) -> list[tuple[int, LedgerEntry]]:
        shown = self.filtered(view)
        return [(index, entry) for index, entry in found if shown(entry)]

    # One entry in words

    def told(self, index: int, entry: LedgerEntry) -> dict[str, Any]:
        """Return an entry as programs read it."""
        kept = self.words(entry)
        reason = words.reason_in_words(entry.reason) or kept.pop("reason", "")
        return {
            "index": index,
            "when": when(entry.moment),
            "actor": self._name("account", entry.actor) if entry.actor else words.nobody_acting(entry),
            "act": entry.act,
            "what": words.act_in_words(entry.act),
            "subject": self._name(entry.subject_kind, entry.subject) or kept.get("user", ""),
            "subject_kind": entry.subject_kind,
            "subject_id": entry.subject.hex(),
            "organisation": self._community.read_now(lambda view: finding.path_of(view, _place(view, entry))),
            "reason": reason,
            "details": {name: self._detail(value) for name, value in entry.details} | kept,
        }

    def words(self, entry: LedgerEntry) -> dict[str, str]:
        """Return what the entry's commitments are to, as far as that is kept."""
        if not entry.commitments:
            return {}
        told = dict.fromkeys((name for name, _ in entry.commitments), GONE)
        for kept in self._community.words(encode_entry(entry)):
            holds = (kept.name, commitment(kept.name, kept.salt, kept.text)) in entry.commitments
            told[kept.name] = kept.text if holds else ALTERED
        return told

    def _detail(self, value: str) -> str:
        """Return *value* with names for the identifiers that are all it has."""
        words = value.split(" ")
        if not all(_IDENTIFIER.fullmatch(word) for word in words):
            return value
        return " ".join(self._community.read_now(lambda view: [_named(view, word) for word in words]))

    def _name_of(self, kind: str, subject: bytes) -> str:
        return self._community.read_now(lambda view: _name(view, kind, subject))


def _decoded(index: int, encoded: bytes) -> LedgerEntry:
    try:
        return decode_entry(encoded)
    except MalformedEntry as error:
        raise LedgerBroken(f"entry {index} is none any more: {error}", ledgertree.CHANGED, index) from error


def _place(view: View, entry: LedgerEntry) -> OrganisationId | None:
    """Return the organisation that an entry belongs to; those of version 1 did not say."""
    if entry.organisation is None:
        return organisation_of_subject(view, entry.subject_kind, entry.subject)
    return OrganisationId(entry.organisation) if entry.organisation else None


def _name(view: View, kind: str, subject: bytes) -> str:
    """Return what people call a *subject*; what is no more has the beginning of its identifier."""
    if not subject:
        return "all mailboxes" if kind == "mailbox" else kind
    match kind:
        case "domain":
            return subject.decode(errors="replace")
        case "organisation":
            found = finding.path_of(view, OrganisationId(subject))
        case "account":
            account = view.account(AccountId(subject))
            found = account.user_id if account is not None else ""
        case "mailbox" | "shared-mailbox":
            found = finding.mailbox_name(view, MailboxId(subject))
        case "list":
            found = next((record.address for record in view.addresses_of(subject)), "")
        case "connection":
            connection = view.connection(ConnectionId(subject))
            found = finding.name_of(connection) if connection is not None else ""
        case "application":
            application = view.application(ApplicationId(subject))
            found = applying.name_of(application) if application is not None else ""
        case _:
            return f"{kind} {subject.hex()}"
    return found or f"{kind} {subject.hex()[:8]}… (no more)"


def _named(view: View, digits: str) -> str:
    """Return what people call who or what has that identifier, in a detail of an entry; as it is, where nobody has."""
    identifier = from_text(digits)
    account = view.account(AccountId(identifier))
    if account is not None:
        return account.user_id
    if view.organisation(OrganisationId(identifier)) is not None:
        return finding.path_of(view, OrganisationId(identifier))
    return next((record.address for record in view.addresses_of(identifier)), digits)


def subjects_named(view: View, name: str) -> set[bytes]:
    """Return what a name may mean as the subject of entries: a person with their mailbox, an organisation, …

    :raises Refused: when it is nobody's and nothing's.
    """
    found: set[bytes] = set()
    with suppress(ValueError):
        found.add(from_text(name.lower()))
    with suppress(CommunityError):
        account = finding.account_of(view, name)
        found |= {account.id} | ({account.mailbox} if account.mailbox is not None else set())
    with suppress(CommunityError):
        found.add(finding.organisation_of(view, name).id)
    with suppress(CommunityError):
        found.add(finding.connection_of(view, name).id)
    found |= {each.id for each in view.applications() if each.slug == name.lower()}
    record = view.reserved_address(name.lower())
    if record is not None:
        found.add(record.owner)
    for domain in view.domains():
        if name.lower() in (domain.name, domain.name.removesuffix(f".{view.suffix}")):
            found.add(domain.name.encode())
    if not found:
        raise Refused(
            f"nobody and nothing is called {name}",
            "give a user ID, an address, an organisation's path, a connection, a domain, or 32 digits of an identifier",
        )
    return found
