"""Every state of people, shared mailboxes and organisations at the real doors: who signs in, what becomes of mail.

The table is community §6's: life, credential and lock of the person, or the life of the shared mailbox, times the state
of the organisation.
"""

import poplib
import smtplib
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import product
from pathlib import Path

import msgspec
import pytest

from cjsm.access.enrolment import Enrolled
from cjsm.command.context import wait
from cjsm.community import finding
from cjsm.community.acts import lists, organisations, shared
from cjsm.community.acts.credentials import PROTOCOLS
from cjsm.community.address import Address
from cjsm.community.identifiers import ListId, OrganisationId
from cjsm.community.records import (
    Account,
    Credential,
    Life,
    MailboxRight,
    MailList,
    Organisation,
    OrganisationState,
    Profile,
    SharedMember,
    WhoMayPost,
)
from cjsm.community.view import Change, View
from cjsm.suite import Suite
from tests.command.mailboxes import beside
from tests.ldap.support import Found, answers, bind, equal, search, unbind
from tests.running import Community

pytestmark = pytest.mark.interop

PASSWORD = b"violet tractor lamp nineteen"
LETTER = b"From: Jane <jane.smith@avon.cjsm.test>\r\nSubject: States\r\n\r\nOne line.\r\n"


class State(msgspec.Struct, frozen=True):
    """One state in force."""

    life: Life
    credential: Credential
    locked: bool
    organisation: OrganisationState

    @property
    def name(self) -> str:
        return "-".join((self.life, self.credential.replace("-", ""), "locked" if self.locked else "open"))

    @property
    def user_id(self) -> str:
        return f"{self.name}.x@{self.organisation}"

    @property
    def signs_in(self) -> bool:
        """With a password of one's own."""
        return self._is_let_in and self.credential is Credential.CHOSEN

    @property
    def chooses(self) -> bool:
        """With a one-time password, and for nothing else."""
        return self._is_let_in and self.credential is Credential.ONE_TIME

    @property
    def _is_let_in(self) -> bool:
        lives = self.life in (Life.NEW, Life.ACTIVE)
        return lives and not self.locked and self.organisation is OrganisationState.ACTIVE

    @property
    def reply(self) -> int:
        """What RCPT is answered."""
        return 250 if self.life is not Life.DELETED and self.organisation is OrganisationState.ACTIVE else 550


STATES = [
    State(*values)
    for values in product(Life, Credential, (False, True), (OrganisationState.ACTIVE, OrganisationState.SUSPENDED))
    # Whoever chose a password is not new any more.
    if not (values[0] is Life.NEW and values[1] is Credential.CHOSEN)
]


class Desk(msgspec.Struct, frozen=True):
    """A shared mailbox in one state, whose member is the active person of its organisation."""

    life: Life
    organisation: OrganisationState

    @property
    def slug(self) -> str:
        return f"desk-{self.life}"

    @property
    def address(self) -> str:
        return f"{self.slug}@{self.organisation}.cjsm.test"

    @property
    def member(self) -> State:
        return State(Life.ACTIVE, Credential.CHOSEN, False, self.organisation)

    @property
    def is_there(self) -> bool:
        """For whom it is for: to be opened, written to, sent as, and found."""
        return self.life is Life.ACTIVE and self.organisation is OrganisationState.ACTIVE


DESKS = [
    Desk(life, organisation)
    for life in (Life.ACTIVE, Life.DELETED)
    for organisation in (OrganisationState.ACTIVE, OrganisationState.SUSPENDED)
]
DESK_RIGHTS = (MailboxRight.READ, MailboxRight.SEND)
LIST = "desks@active.cjsm.test"


class Doors:
    """A community with somebody in every state, and their secrets; and with desks."""

    def __init__(self, community: Community) -> None:
        self.community = community
        self.secrets: dict[State, list[str]] = {}
        with beside(Path(community.config)) as suite:
            for state in OrganisationState.ACTIVE, OrganisationState.SUSPENDED:
                place = self._place(suite, state)
                for each in STATES:
                    if each.organisation is state:
                        self.secrets[each] = self._person(suite, place, each)
                for desk in DESKS:
                    if desk.organisation is state:
                        self._desk(suite, place, desk)
            self._list(suite)
            self._suspend(suite)

    def _desk(self, suite: Suite, place: OrganisationId, desk: Desk) -> None:
        account = suite.stores.community.read_now(partial(finding.account_of, name=desk.member.user_id))
        member = SharedMember(account=account.id, rights=DESK_RIGHTS)
        made = wait(suite.sharing.add(suite.enrolment.by(), place, desk.slug, desk.slug, member, 1 << 20))
        if desk.life is Life.DELETED:
            by = suite.enrolment.by(reason="other")
            wait(suite.stores.community.commit(by.act_id, lambda view: shared.delete(view, by, made.id)))

    def _list(self, suite: Suite) -> None:
        """All desks: those that were there when they joined, and are not any more, among them."""
        by = suite.enrolment.by()
        place = suite.stores.community.read_now(partial(finding.organisation_of, path="active")).id
        made = MailList(
            id=ListId(b"desks".ljust(16)),
            organisation=place,
            slug="desks",
            name="Desks",
            members=tuple(desk.address for desk in DESKS),
            who_may_post=WhoMayPost.COMMUNITY,
        )
        wait(suite.stores.community.commit(by.act_id, lambda view: lists.add(view, by, made, Address.parse(LIST))))

    def _place(self, suite: Suite, state: OrganisationState) -> OrganisationId:
        place = Organisation(
            id=OrganisationId(state.encode().ljust(16)), parent=None, slug=state, name=state, abbreviation=state
        )
        by = suite.by()
        wait(suite.stores.community.commit(by.act_id, lambda view: organisations.add(view, by, place)))
        return place.id

    def _person(self, suite: Suite, place: OrganisationId, state: State) -> list[str]:
        enrolment = suite.enrolment
        profile = Profile(first_name=state.name, last_name="x")
        made: Enrolled = wait(enrolment.add_hosted(enrolment.by(), place, state.user_id, profile, 1 << 20))
        identifier, secrets = made.account.id, [made.one_time_password]
        if state.credential is Credential.CHOSEN:
            wait(enrolment.set_password(enrolment.by(identifier), identifier, secrets[0].encode(), PASSWORD))
            own = enrolment.by(identifier)
            device = wait(enrolment.add_device(own, identifier, PASSWORD, name="all", protocols=PROTOCOLS))
            secrets = [PASSWORD.decode(), device.secret]

        def decide(view: View) -> Change:
            account = view.account(identifier)
            assert account is not None
            return Change(put=(self._in(account, state),))

        wait(suite.stores.community.commit(enrolment.by().act_id, decide))
        return secrets

    def _in(self, account: Account, state: State) -> Account:
        assert account.credential is state.credential
        return msgspec.structs.replace(account, life=state.life, locked=state.locked, version=account.version + 1)

    def _suspend(self, suite: Suite) -> None:
        by = suite.by(reason="other")

        def decide(view: View) -> Change:
            place = finding.organisation_of(view, "suspended").id
            return organisations.set_state(view, by, place, OrganisationState.SUSPENDED)

        wait(suite.stores.community.commit(by.act_id, decide))

    def pop3(self, name: str, secret: str) -> str:
        """Sign in; return the refusal, or an empty string."""
        community = self.community
        session = poplib.POP3_SSL("localhost", community.port("pop3s"), context=community.tls(), timeout=30)
        try:
            session.user(name)
            session.pass_(secret)
            session.quit()
        except poplib.error_proto as error:
            return str(error)
        finally:
            session.close()
        return ""

    def smtp(self, name: str, secret: str) -> str:
        """The same."""
        community = self.community
        with closing(
            smtplib.SMTP_SSL("localhost", community.port("submissions"), context=community.tls(), timeout=30)
        ) as session:
            try:
                session.login(name, secret)
            except smtplib.SMTPResponseException as error:
                return str(error)
        return ""

    def sends_as(self, name: str, secret: str, address: str) -> bool:
        """Whether somebody who signs in may write from *address*."""
        community = self.community
        with closing(community.smtp({"user_id": name, "password": secret})) as session:
            session.ehlo_or_helo_if_needed()
            return session.mail(address)[0] == 250

    def finds(self, name: str, secret: str, address: str) -> int:
        """How many entries with *address* somebody finds."""
        filter_ = equal("mail", address)
        with (
            socket.create_connection(("localhost", self.community.port("ldaps")), timeout=30) as plain,
            self.community.tls().wrap_socket(plain, server_hostname="localhost") as session,
        ):
            session.sendall(bind(1, name, secret.encode()))
            assert answers(session.recv(4_096))[0].code == 0
            session.sendall(search(2, filter_, base=self.community.told["base_dn"]) + unbind(3))
            return sum(isinstance(each, Found) for each in answers(b"".join(iter(partial(session.recv, 4_096), b""))))

    def ldap(self, name: str, secret: str) -> str:
        """The same."""
        with (
            socket.create_connection(("localhost", self.community.port("ldaps")), timeout=30) as plain,
            self.community.tls().wrap_socket(plain, server_hostname="localhost") as session,
        ):
            session.sendall(bind(1, name, secret.encode()))
            (answer,) = answers(session.recv(4_096))
            return answer.text if answer.code else ""


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    community = Community(tmp_path_factory.mktemp("states") / "demo")
    community.prepare()
    community.set("bcrypt_cost", "4")
    community.set("argon2_memory", "8")
    community.set("refusal_time", "0")
    made = Doors(community)
    community.start()
    yield made
    community.stop()


@pytest.mark.parametrize("door", ["pop3", "smtp", "ldap"])
@pytest.mark.parametrize("state", STATES, ids=lambda state: f"{state.name}-{state.organisation}")
def test_signing_in(doors: Doors, state: State, door: str) -> None:
    """With every secret there is: let in, told to choose a password, or refused in words that tell nothing."""
    for secret in doors.secrets[state]:
        refusal = getattr(doors, door)(state.user_id, secret)
        if state.signs_in:
            assert refusal == ""
        elif state.chooses:
            assert "choose" in refusal
        else:
            assert "user name or password not accepted" in refusal


def test_mail(doors: Doors) -> None:
    """Refused where the table says so; what was taken is there, and the sender hears who does not read it."""
    community, jane = doors.community, doors.community.person("jane.smith@avon")
    community.empty(jane)
    with closing(community.smtp(jane)) as session:
        session.ehlo_or_helo_if_needed()
        session.mail(jane["address"])
        replies = {state: session.rcpt(f"{state.user_id}.cjsm.test")[0] for state in STATES}
        assert replies == {state: state.reply for state in STATES}
        assert session.data(LETTER)[0] == 250
        session.quit()
    taken = [state for state in STATES if state.reply == 250]
    ends = time.monotonic() + 30
    while (counts := _counts(doors, taken)) != dict.fromkeys(taken, 1):
        assert time.monotonic() < ends, counts
        time.sleep(0.1)
    (told,) = community.messages(jane, at_least=1).values()
    assert b"is not in use" in told


def _counts(doors: Doors, states: list[State]) -> dict[State, int]:
    """How many messages each has."""
    counted = _messages(doors, [state.user_id for state in states])
    return {state: counted[state.user_id] for state in states}


def _messages(doors: Doors, names: list[str]) -> dict[str, int]:
    """The same by name."""
    with beside(Path(doors.community.config)) as suite:
        stores = suite.stores

        def count(name: str) -> int:
            mailbox = stores.community.read_now(partial(finding.mailbox_of, name=name))
            return int(wait(stores.mail.usage(mailbox)).messages)

        return {name: count(name) for name in names}


@pytest.mark.parametrize("desk", DESKS, ids=lambda desk: f"{desk.slug}-{desk.organisation}")
def test_a_shared_mailbox(doors: Doors, desk: Desk) -> None:
    """Its member opens it, sends as it and finds it where the table says it is there, with every secret, else not."""
    user_id = desk.member.user_id
    for secret in doors.secrets[desk.member]:
        if desk.organisation is OrganisationState.SUSPENDED:
            assert "user name or password not accepted" in doors.pop3(f"{user_id}/{desk.slug}", secret)
            continue
        for name in (desk.slug, desk.address):
            refusal = doors.pop3(f"{user_id}/{name}", secret)
            assert refusal == "" if desk.is_there else "no shared mailbox of that name" in refusal
        assert doors.sends_as(user_id, secret, desk.address) is desk.is_there
        assert doors.finds(user_id, secret, desk.address) == desk.is_there
    jane = doors.community.person("jane.smith@avon")
    assert doors.finds(jane["user_id"], jane["password"], desk.address) == desk.is_there


def test_mail_to_shared_mailboxes(doors: Doors) -> None:
    """Refused where the table says so; a list brings it to those that are there, and nobody hears of the others."""
    community, jane = doors.community, doors.community.person("jane.smith@avon")
    community.empty(jane)
    with closing(community.smtp(jane)) as session:
        session.ehlo_or_helo_if_needed()
        session.mail(jane["address"])
        replies = {desk: session.rcpt(desk.address)[0] for desk in DESKS}
        assert replies == {desk: 250 if desk.is_there else 550 for desk in DESKS}
        assert session.data(LETTER)[0] == 250
        session.quit()
    community.send(jane, {"address": LIST}, LETTER)
    wanted = {desk.address: 2 if desk.is_there else 0 for desk in DESKS}
    ends = time.monotonic() + 30
    while (counts := _messages(doors, list(wanted))) != wanted:
        assert time.monotonic() < ends, counts
        time.sleep(0.1)
    assert community.messages(jane) == {}


def test_a_session_ends_with_its_mailbox(doors: Doors) -> None:
    """Deleted while it is open: its member is out, and in again when it is back, with what came before."""
    community = doors.community
    (desk,) = [each for each in DESKS if each.is_there]
    before = _messages(doors, [desk.address])[desk.address]
    login = {"user_id": f"{desk.member.user_id}/{desk.slug}", "password": doors.secrets[desk.member][0]}
    session = community.pop3(login)
    community.document("shared", "delete", desk.address, "--reason", "other")
    with pytest.raises((poplib.error_proto, OSError)):
        session.stat()
    session.close()
    with pytest.raises(poplib.error_proto, match="no shared mailbox"):
        community.pop3(login)
    community.document("shared", "undelete", desk.address)
    assert len(community.messages(login)) == before
