"""What holds in every community, whatever acts led to it."""

from collections import Counter
from collections.abc import Iterator

from cjsm.community import applying
from cjsm.community.address import has_suffix
from cjsm.community.applicationrecords import Application, ApplicationState
from cjsm.community.finding import name_of
from cjsm.community.records import AccountKind, OwnerKind
from cjsm.community.states import DEEPEST, chain
from cjsm.community.view import View


def problems(view: View) -> list[str]:
    """Return what does not hold, in words; empty when all is well. Reads every record."""
    kinds = (_organisations, _accounts, _shared, _connections, _domains, _applications)
    return [problem for kind in kinds for problem in kind(view)]


def _organisations(view: View) -> Iterator[str]:
    found = list(view.organisations())
    for organisation in found:
        above = tuple(chain(view, organisation.id))
        if above[-1].parent is not None or len(above) >= DEEPEST:
            yield f"organisation {organisation.slug} hangs below nothing, or in a circle"
        for assignment in view.roles_over(organisation.id):
            if view.account(assignment.account) is None:
                yield f"a role over {organisation.slug} belongs to nobody"
    places = Counter((organisation.parent, organisation.slug) for organisation in found)
    yield from (f"two organisations {slug} in one place" for (_, slug), many in places.items() if many > 1)
    names = Counter(organisation.abbreviation for organisation in found if organisation.abbreviation)
    yield from (f"the abbreviation {name} is used twice" for name, many in names.items() if many > 1)


def _accounts(view: View) -> Iterator[str]:
    names: Counter[str] = Counter()
    for account in view.accounts():
        names[account.user_id] += 1
        if view.organisation(account.organisation) is None:
            yield f"user {account.user_id} belongs to no organisation"
        if (account.kind is AccountKind.HOSTED) != (account.mailbox is not None):
            yield f"user {account.user_id} and its mailbox contradict each other"
        own = [record for record in view.addresses_of(account.id) if record.owner_kind is OwnerKind.ACCOUNT]
        if sum(not record.alias for record in own) != 1:
            yield f"user {account.user_id} needs exactly one primary address"
    yield from (f"the user ID {name} is used twice" for name, many in names.items() if many > 1)


def _shared(view: View) -> Iterator[str]:
    for organisation in view.organisations():
        for shared in view.kept_shared_mailboxes_in(organisation.id):
            own = [found for found in view.addresses_of(shared.id) if found.owner_kind is OwnerKind.SHARED_MAILBOX]
            if sum(not record.alias for record in own) != 1:
                yield f"the shared mailbox {shared.slug} needs exactly one primary address"
            if any(view.account(member.account) is None for member in shared.members):
                yield f"a member of the shared mailbox {shared.slug} is nobody"
            if not {*shared.managers} <= {member.account for member in shared.members}:
                yield f"somebody manages the shared mailbox {shared.slug} who is no member of it"


def _connections(view: View) -> Iterator[str]:
    slugs: Counter[str] = Counter()
    names: Counter[str] = Counter()
    fingerprints: Counter[str] = Counter()
    for connection in view.connections():
        slugs[connection.slug] += 1
        names.update(set(connection.certificate_names))
        fingerprints.update(issued.fingerprint for issued in connection.issued)
        if view.organisation(connection.organisation) is None:
            yield f"connection {name_of(connection)} belongs to no organisation"
    del slugs[""]
    yield from (f"two connections are called {slug}" for slug, many in slugs.items() if many > 1)
    yield from (f"the certificate name {name} proves two connections" for name, many in names.items() if many > 1)
    yield from (f"the certificate {told} proves two connections" for told, many in fingerprints.items() if many > 1)


def _domains(view: View) -> Iterator[str]:
    for domain in view.domains():
        connection = view.connection(domain.connection)
        if connection is None:
            yield f"the domain {domain.name} belongs to no connection"
        elif connection.organisation not in {found.id for found in chain(view, domain.organisation)}:
            yield f"the domain {domain.name} is of an organisation that its connection does not serve"
        plain = domain.name.removesuffix(f".{view.suffix}")
        if plain == domain.name or "." not in plain or has_suffix(plain, view.suffix):
            yield f"the domain {domain.name} could be taken for another"


def _applications(view: View) -> Iterator[str]:
    asked: Counter[str] = Counter()
    for application in view.applications():
        name = applying.name_of(application)
        if application.state in applying.OPEN:
            asked.update({f"short name {application.slug}", *(_asked(application))})
        if (application.state is ApplicationState.APPROVED) != (application.organisation is not None):
            yield f"the application {name} and what was made of it contradict each other"
        if application.erased and (application.name or application.slug or application.sponsor or application.terms):
            yield f"something is left of the application {name}"
    yield from (f"two applications ask for the {what}" for what, many in asked.items() if many > 1)


def _asked(application: Application) -> Iterator[str]:
    if application.domain:
        yield f"domain {application.domain}"
    if application.abbreviation:
        yield f"abbreviation {application.abbreviation}"
