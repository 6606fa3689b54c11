"""Applications where they need more than a record: the sponsor's code, and the keys of the first administrator."""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime, formataddr

from msgspec import Struct

from cjsm.access.enrolment import Enrolment
from cjsm.community import finding
from cjsm.community.acts import accounts, applications, connections, domains, organisations, roles
from cjsm.community.acts.acting import By
from cjsm.community.acts.connectionvalues import next_hop_of
from cjsm.community.acts.together import Act, part_of
from cjsm.community.address import Address, name_from
from cjsm.community.applicationrecords import Application, MailSystem
from cjsm.community.errors import NotAllowed
from cjsm.community.identifiers import (
    LENGTH,
    ApplicationId,
    ConnectionId,
    Entropy,
    OrganisationId,
    RoleAssignmentId,
)
from cjsm.community.records import (
    Account,
    Connection,
    ConnectionKind,
    Organisation,
    Profile,
    Role,
    RoleAssignment,
    TlsTrust,
)
from cjsm.community.verdicts import Service
from cjsm.community.view import Change, View
from cjsm.configuration import Settings
from cjsm.mail import plaintext
from cjsm.mail.ownmail import OwnMail
from cjsm.store.interfaces import ICommunityStore, ISpool
from cjsm.vault import tags
from cjsm.vault.secrets import ServiceSecrets

#: Random octets of a code: 16 letters and digits in groups of four.
_CODE = 10


class Joined(Struct, frozen=True, kw_only=True):
    """What was made of an application; the one-time password is shown once and kept nowhere.

    :ivar connection: its short name, where the organisation has a mail system of its own.
    """

    path: str
    user_id: str
    address: str
    one_time_password: str
    connection: str | None = None

    def __repr__(self) -> str:
        return f"<Joined {self.path}>"


class _Draft(Struct, frozen=True, kw_only=True):
    """The records that an application becomes."""

    organisation: Organisation
    account: Account
    address: Address | None
    role: RoleAssignment
    connection: Connection | None
    domain: str


class Applying:
    """Sends sponsors their codes, takes these, and makes an organisation of an application.

    :param clock: seconds since the epoch.
    """

    def __init__(
        self,
        settings: Settings,
        enrolment: Enrolment,
        *,
        community: ICommunityStore,
        spool: ISpool,
        own_mail: Callable[[], OwnMail],
        secrets: ServiceSecrets,
        entropy: Entropy,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._enrolment = enrolment
        self._community = community
        self._spool = spool
        self._own_mail = own_mail
        self._secrets = secrets
        self._entropy = entropy
        self._clock = clock

    async def ask_sponsor(self, by: By, identifier: ApplicationId, address: Address) -> None:
        """Name the sponsor of an application and send a code to that address, inside the community.

        :raises CommunityError: when it is no member's.
        """
        days = self._settings.applications.sponsor_code
        code = _in_groups(base64.b32encode(self._entropy(_CODE)).decode())

        def decide(view: View) -> Change:
            return applications.ask_sponsor(view, by, identifier, address, self._tag(identifier, code), days)

        await self._community.commit(by.act_id, decide)
        name = self._community.read_now(lambda view: applications.existing_application(view, identifier).name)
        text = self._letter(str(address), name, code, days)
        batch = await self._own_mail().write(Service.NOTICE, str(address), text, plaintext.nothing)
        if batch is None:
            raise NotAllowed(f"the code did not reach {address}", "name another sponsor, or note the word with --note")
        await self._spool.put(batch)

    async def confirm_sponsor(self, by: By, identifier: ApplicationId, typed: str) -> None:
        """Take the sponsor's word, who shows the code.

        :raises NotAllowed: when it is not the code, which is counted, or there is none to show.
        """
        tries = self._settings.applications.sponsor_tries
        tag = self._tag(identifier, _in_groups("".join(each for each in typed.upper() if each.isalnum())))
        taken: list[bool] = []

        def decide(view: View) -> Change:
            change = applications.confirm_sponsor(view, by, identifier, tag, tries)
            taken.append(applications.is_confirmed(change))
            return change

        await self._community.commit(by.act_id, decide)
        if not all(taken):
            raise NotAllowed("this is not the code", f"type it as the letter has it; {tries} wrong ones end it")

    def _tag(self, identifier: ApplicationId, code: str) -> bytes:
        return tags.sponsor_tag(self._secrets.cache.current, identifier, code)

    def _letter(self, to: str, name: str, code: str, days: int) -> bytes:
        community = self._settings.community
        sender = formataddr((community.service_name, f"postmaster@{community.suffix}"))
        date = format_datetime(datetime.fromtimestamp(int(self._clock()), UTC))
        head = (
            f"From: {sender}\r\nTo: <{to}>\r\nSubject: An organisation names you as its sponsor\r\nDate: {date}\r\n"
            f"Message-ID: <sponsor.{self._entropy(LENGTH).hex()}@{community.suffix}>\r\n"
            f"Auto-Submitted: auto-generated\r\n{plaintext.HEAD}"
        )
        words = (
            f"{name}\nasks to join {community.service_name}, and names you as a member who knows it.\n\n"
            f"If you say that it should join, tell this code to {community.helpdesk_contact},\n"
            f"within {days} days:\n\n    {code}\n\n"
            "If you do not know it, or do not want to say so, tell nobody the code.\n"
        )
        return head.encode() + plaintext.lines(words)

    async def approve(self, by: By, identifier: ApplicationId) -> Joined:
        """Make of an application, in one commit, the organisation, its first administrator, who gets a one-time
        password, and where it has a mail system of its own a connection in testing with its domain.

        :raises CommunityError: saying what it does not have yet, or who may not decide.
        """
        settings = self._settings.applications

        def decidable(view: View) -> Application:
            return applications.decidable(
                view,
                by,
                identifier,
                terms_version=settings.terms_version,
                by_another=settings.review_by_another,
            )

        application = self._community.read_now(decidable)
        draft = self._community.read_now(lambda view: self._draft(view, application))
        # Keys that no act names are swept.
        typed = await self._enrolment.make_keys(draft.account)

        def approved(view: View, following: By) -> Change:
            return applications.approve(
                view,
                following,
                identifier,
                draft.organisation.id,
                terms_version=settings.terms_version,
                by_another=settings.review_by_another,
            )

        def decide(view: View) -> Iterator[Act]:
            if decidable(view) != application:
                raise NotAllowed("the application was changed meanwhile", "look at it again")
            return (part_of(by, self._entropy, act) for act in (*_acts(draft), approved))

        await self._community.commit_each(by.act_id, decide)
        return self._community.read_now(lambda view: _joined(view, draft, typed))

    def _draft(self, view: View, application: Application) -> _Draft:
        organisation = Organisation(
            id=OrganisationId(self._entropy(LENGTH)),
            parent=None,
            slug=application.slug,
            name=application.name,
            abbreviation=application.abbreviation,
            business_type=application.business_type,
            area=application.area,
            protected=application.protected,
            ex_directory=application.protected,
        )
        account, address = self._administrator(view, application, organisation.id)
        role = RoleAssignment(
            id=RoleAssignmentId(self._entropy(LENGTH)),
            account=account.id,
            role=Role.ORGANISATION_ADMINISTRATOR,
            organisation=organisation.id,
        )
        own = application.system is not MailSystem.HOSTED
        connection = self._connection(application, organisation.id) if own else None
        return _Draft(
            organisation=organisation,
            account=account,
            address=address,
            role=role,
            connection=connection,
            domain=application.domain,
        )

    def _administrator(
        self, view: View, application: Application, organisation: OrganisationId
    ) -> tuple[Account, Address | None]:
        person = application.administrator
        name = name_from(person.first_name, person.last_name)
        user_id = finding.free_user_id(view, name, application.abbreviation)
        profile = Profile(
            first_name=person.first_name,
            last_name=person.last_name,
            telephone=person.telephone,
            description=person.position,
            address1=application.address1,
            address2=application.address2,
            town=application.town,
            postcode=application.postcode,
            ordinary_email=person.email,
        )
        if application.system is MailSystem.HOSTED:
            return self._enrolment.new_hosted(organisation, user_id, profile, self._settings.mail.quota), None
        account = self._enrolment.new_relayed(organisation, user_id, profile)
        return account, Address.parse(f"{person.email}.{view.suffix}")

    def _connection(self, application: Application, organisation: OrganisationId) -> Connection:
        cloud = application.system is MailSystem.CLOUD
        contact = application.contact
        return Connection(
            id=ConnectionId(self._entropy(LENGTH)),
            organisation=organisation,
            slug=application.slug,
            kind=ConnectionKind(application.system.value),
            name=application.name,
            next_hops=tuple(map(next_hop_of, application.next_hops)),
            provider=application.provider if cloud else "",
            tenant=application.tenant if cloud else "",
            tls_trust=TlsTrust.PUBLIC if cloud else TlsTrust.COMMUNITY,
            contact=" ".join(filter(None, (contact.first_name, contact.last_name, contact.telephone)))[:200],
        )


def _acts(draft: _Draft) -> Iterator[Callable[[View, By], Change]]:
    """Yield the acts before the approval itself, in their order."""
    yield lambda view, by: organisations.add(view, by, draft.organisation)
    connection, address = draft.connection, draft.address
    if connection is not None:
        yield lambda view, by: connections.add(view, by, connection)
        yield lambda view, by: domains.add(view, by, draft.domain, connection.id)
    if address is not None:
        yield lambda view, by: accounts.add_relayed(view, by, draft.account, address)
    else:
        yield lambda view, by: accounts.add_hosted(view, by, draft.account)
    yield lambda view, by: roles.grant(view, by, draft.role)


def _joined(view: View, draft: _Draft, typed: str) -> Joined:
    return Joined(
        path=finding.path_of(view, draft.organisation.id),
        user_id=draft.account.user_id,
        address=finding.primary_address(view, draft.account.id),
        one_time_password=typed,
        connection=draft.connection.slug if draft.connection is not None else None,
    )


def _in_groups(code: str) -> str:
    """Return a code as people read and type it: four characters, a hyphen, and so on."""
    return "-".join(code[at : at + 4] for at in range(0, len(code), 4))
