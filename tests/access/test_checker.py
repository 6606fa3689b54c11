"""Who gets in, who does not, and that those who do not learn nothing."""

import unicodedata
from collections.abc import Callable
from typing import Literal

import msgspec
import pytest
from twisted.internet.task import Clock

from cjsm import policies
from cjsm.access.errors import AccessError, AccessRefused, AccessUnavailable, MustChoosePassword, TryLater
from cjsm.access.interfaces import LoginAttempt
from cjsm.community.acts import accounts, lives, organisations
from cjsm.community.acts.lives import LifeStep
from cjsm.community.identifiers import AccountId, ActId
from cjsm.community.records import AddressRecord, OrganisationState, OwnerKind
from cjsm.community.view import Change
from cjsm.sources import SharedNetworks
from cjsm.store.interfaces import Unavailable

from .support import MOMENT, ORGANISATION, OTHER_PASSWORD, PASSWORD, House, logged, now

POLICY = policies.load("ncsc")
PROTOCOLS = ("smtp", "pop3", "ldap", "command")


def refusal(house: House, name: str = "jo.ward@avon", secret: bytes = b"wrong", **where: str) -> tuple[type, str, int]:
    """Return the error's class and text and how many derivations it took."""
    before = len(house.pool.sources)
    with pytest.raises(AccessError) as caught:
        house.sign_in(name, secret, **where)
    return type(caught.value), str(caught.value), len(house.pool.sources) - before


REFUSED = (AccessRefused, str(AccessRefused()), 1)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_password(house: House, protocol: str) -> None:
    """A chosen password signs in at every door; mail keys are opened where mail is read."""
    account = house.join()
    signed_in = house.sign_in(protocol=protocol)
    assert (signed_in.account.id, signed_in.secret, signed_in.shared_name) == (account.id, None, None)
    assert bool(signed_in.mail_keys) == (protocol in ("pop3", "command"))


@pytest.mark.parametrize("protocol", ["smtp", "pop3", "ldap"])
def test_device_password(house: House, protocol: str) -> None:
    """A device password signs in where it is meant for, without a derivation, and nowhere else."""
    account = house.join()
    made = now(
        house.enrolment.add_device(
            house.enrolment.by(account.id), account.id, PASSWORD, name="phone", protocols=(protocol,)
        )
    )
    signed_in = house.sign_in(secret=made.secret.encode(), protocol=protocol)
    assert signed_in.secret == made.password.id
    assert bool(signed_in.mail_keys) == (protocol in ("pop3", "command"))
    for other in {"smtp", "pop3", "ldap"} - {protocol}:
        assert refusal(house, secret=made.secret.encode(), protocol=other) == (AccessRefused, str(AccessRefused()), 0)
    assert house.pool.sources == []


def test_device_password_expires(house: House) -> None:
    """A device password stops at its time."""
    account = house.join()
    by = house.enrolment.by(account.id)
    made = now(
        house.enrolment.add_device(by, account.id, PASSWORD, name="phone", protocols=("pop3",), expires=MOMENT + 100)
    )
    house.moment += 99
    house.sign_in(secret=made.secret.encode())
    house.moment += 1
    assert refusal(house, secret=made.secret.encode())[0] is AccessRefused


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_time_password(house: House, protocol: str) -> None:
    """The right one-time password is told to choose one; after a day, or once used, it is like any wrong one."""
    enrolled = house.add()
    once = enrolled.one_time_password.encode()
    assert refusal(house, secret=once, protocol=protocol)[0] is MustChoosePassword
    house.moment += house.settings.one_time_password_life
    assert refusal(house, secret=once, protocol=protocol)[0] is AccessRefused
    house.moment = MOMENT
    house.choose(enrolled.account.id, once, PASSWORD)
    assert refusal(house, secret=once, protocol=protocol)[0] is AccessRefused


@pytest.mark.parametrize(
    "name",
    ["jo.ward@avon", "JO.Ward@AVON", "jo.ward@avon.cjsm.test", "Jo.Ward@Avon.CJSM.Test", " jo.ward@avon "],
)
def test_names(house: House, name: str) -> None:
    """User ID and address sign in, in any case."""
    account = house.join()
    assert house.sign_in(name).account.id == account.id


def test_shared_name(house: House) -> None:
    """What follows a slash is the shared mailbox to open."""
    house.join()
    assert house.sign_in("jo.ward@avon/Front-Desk").shared_name == "front-desk"


def _suspend(house: House, account: AccountId) -> None:
    house.commit(lambda view, by: lives.change_life(view, by, account, LifeStep.SUSPEND), "left")


def _delete(house: House, account: AccountId) -> None:
    house.commit(lambda view, by: lives.change_life(view, by, account, LifeStep.DELETE), "left")


def _lock(house: House, account: AccountId) -> None:
    house.commit(lambda view, by: accounts.set_locked(view, by, account, locked=True))


def _suspend_organisation(house: House, account: AccountId) -> None:
    house.commit(
        lambda view, by: organisations.set_state(view, by, ORGANISATION, OrganisationState.SUSPENDED),
        "terms",
    )


@pytest.mark.parametrize("protocol", ["smtp", "pop3"])
@pytest.mark.parametrize("end", [_suspend, _delete, _lock, _suspend_organisation])
def test_states_are_not_told(house: House, end: Callable[[House, AccountId], None], protocol: str) -> None:
    """Suspended, deleted and locked accounts refuse the right password as an unknown user: words and work, each time.

    Also when the password was right shortly before, and when it is tried again.
    """
    account = house.join()
    house.sign_in(protocol=protocol)
    end(house, account.id)
    for _ in range(3):
        assert refusal(house, secret=PASSWORD, protocol=protocol) == REFUSED
        assert refusal(house, secret=b"wrong", protocol=protocol) == REFUSED
        assert refusal(house, name="nobody.here@avon", protocol=protocol) == REFUSED


@pytest.mark.parametrize(
    "name", ["nobody.here@avon", "nobody@elsewhere.cjsm.test", "", "@", "jo", "jo.ward@avon/Not A Slug", "\0", "é@é"]
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_unknown(house: House, name: str, protocol: str) -> None:
    """A name that is nobody's costs one derivation, as a wrong password does, and gets the same words."""
    house.join()
    assert refusal(house, name, PASSWORD, protocol=protocol) == REFUSED
    assert refusal(house, secret=b"wrong", protocol=protocol) == REFUSED


@pytest.mark.parametrize(
    "secret", [b"", b"\0", PASSWORD + b"\0", b"\xff\xfe", b"x" * 4096, b"x" * 100_000, PASSWORD.upper(), b"\x7f"]
)
def test_hostile_secrets(house: House, secret: bytes) -> None:
    """What cannot be the password is wrong, nothing else."""
    house.join()
    assert refusal(house, secret=secret) == REFUSED


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_normal_forms(house: House, form: Literal["NFC", "NFD"]) -> None:
    """A password typed on another keyboard, composed or not, is the same password."""
    house.join(password=unicodedata.normalize("NFC" if form == "NFD" else "NFD", PASSWORD.decode()).encode())
    typed = unicodedata.normalize(form, PASSWORD.decode()).encode()
    assert house.sign_in(secret=typed).mail_keys


def test_long_password_counts_whole(house: House) -> None:
    """Of a password of 73 octets the last one counts too."""
    password = (b"correct horse staple " * 4)[:72] + b"1"
    house.join(password=password)
    house.sign_in(secret=password)
    assert refusal(house, secret=password[:72]) == REFUSED
    assert refusal(house, secret=password[:72] + b"2") == REFUSED


def test_pool_full(house: House) -> None:
    """A full pool says try again, counts no failure, and lets in afterwards."""
    account = house.join()
    house.pool.failure = TryLater()
    assert refusal(house, secret=PASSWORD)[0] is TryLater
    house.pool.failure = None
    assert house.activity.failures(account.id, "192.0.2.0/24").tags == ()
    house.sign_in()


def test_source_reaches_pool(house: House) -> None:
    """The pool is told the client's own address, to be fair by it."""
    house.join()
    house.sign_in(source="198.51.100.7")
    assert house.pool.sources == ["198.51.100.7"]


def test_store_down(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a store does not answer, nobody is told that their password is wrong; the log says why."""
    house.join()

    def fail(*_: object) -> bytes:
        raise Unavailable("no disk")

    monkeypatch.setattr(house.keys, "get_now", fail)
    with logged() as texts:
        assert refusal(house, secret=PASSWORD)[0] is AccessUnavailable
    assert texts == ["error: sign-in unavailable: no disk"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_cached(house: House, protocol: str) -> None:
    """A client that polls pays once; after the cache's life it pays again."""
    house.join()
    first = house.sign_in(protocol=protocol)
    again = house.sign_in(protocol=protocol)
    assert again.mail_keys == first.mail_keys
    assert len(house.pool.sources) == 1
    house.moment += house.settings.verification_cache
    house.sign_in(protocol=protocol)
    assert len(house.pool.sources) == 2


def test_cached_without_keys(house: House) -> None:
    """A success at a door that needs no key does not open mail: POP3 derives once itself."""
    house.join()
    house.sign_in(protocol="smtp")
    assert house.sign_in(protocol="pop3").mail_keys
    assert len(house.pool.sources) == 2


def test_cache_forgets_changed_password(house: House) -> None:
    """A changed password ends what was remembered of the old one."""
    account = house.join()
    house.sign_in()
    house.choose(account.id, PASSWORD, OTHER_PASSWORD)
    assert refusal(house, secret=PASSWORD) == REFUSED
    assert house.sign_in(secret=OTHER_PASSWORD).mail_keys


def test_wrong_password_beside_cache(house: House) -> None:
    """What is remembered lets only that very secret in."""
    house.join()
    house.sign_in()
    assert refusal(house, secret=PASSWORD + b"1") == REFUSED


def test_lockout_attack(house: House) -> None:
    """Guessing closes the guesser's network for the account; the owner signs in from elsewhere all the time."""
    account = house.join()
    with logged() as texts:
        for number in range(POLICY.lock):
            assert refusal(house, secret=f"guess {number}".encode(), source="203.0.113.9") == REFUSED
            house.sign_in(source="192.0.2.1")
    assert [text for text in texts if "source closed" in text]
    assert not any(account.user_id in text for text in texts)
    for _ in range(2):
        assert refusal(house, secret=PASSWORD, source="203.0.113.200") == REFUSED
    house.sign_in(source="192.0.2.1")


def test_closed_source_learns_nothing(house: House) -> None:
    """From a closed network the right password costs what a wrong one does, however often it is tried."""
    account = house.join()
    for number in range(POLICY.lock):
        refusal(house, secret=f"guess {number}".encode())
    before = house.activity.failures(account.id, "192.0.2.0/24").tags
    for _ in range(3):
        assert refusal(house, secret=PASSWORD) == REFUSED
        assert refusal(house, secret=b"guess 0") == REFUSED
    assert len(before) == POLICY.lock


def test_closed_source_opens_again(house: House) -> None:
    """A closed network opens after the time that failures are kept."""
    house.join()
    for number in range(POLICY.lock):
        refusal(house, secret=f"guess {number}".encode())
    house.moment += house.settings.failures_forgotten + 1
    house.sign_in()


def test_a_new_password_opens_every_network(house: House) -> None:
    """Who forgot a password, tried too often and chose a new one gets in at once."""
    account = house.join()
    for number in range(POLICY.lock):
        refusal(house, secret=f"guess {number}".encode())
    house.choose(account.id, PASSWORD, OTHER_PASSWORD)
    house.sign_in(secret=OTHER_PASSWORD)
    assert house.activity.failing(account.id) == []


def test_stale_client_counts_once(house: House) -> None:
    """A forgotten client with one old password never closes its owner's network; success forgets failures."""
    account = house.join()
    for _ in range(3 * POLICY.lock):
        assert refusal(house, secret=b"last year's") == REFUSED
    assert len(house.activity.failures(account.id, "192.0.2.0/24").tags) == 1
    house.sign_in()
    assert house.activity.failures(account.id, "192.0.2.0/24").tags == ()


def test_guessing_system_secrets_closes_nothing(house: House) -> None:
    """Secrets of the system's own shape cannot be guessed: wrong ones are not counted against the account."""
    account = house.join()
    wrong = house.add("al.other").one_time_password.encode()
    assert refusal(house, secret=wrong) == (AccessRefused, str(AccessRefused()), 0)
    assert refusal(house, "nobody.here@avon", wrong) == (AccessRefused, str(AccessRefused()), 0)
    assert house.activity.failures(account.id, "192.0.2.0/24").tags == ()


def spray(house: House, source: str) -> None:
    """Try one password on as many accounts as make a source wait."""
    for number in range(house.settings.source_failing_accounts):
        assert refusal(house, f"user.n{number}@avon", PASSWORD, source=source) == REFUSED


def test_refusals_of_system_secrets_take_the_same_time(house: House) -> None:
    """A wrong device password, of whomever, is refused at one moment after it came; neither sooner nor later."""
    jo, ann = house.join(), house.join("ann.lock")
    house.commit(lambda view, by: accounts.set_locked(view, by, ann.id, locked=True))
    other = house.add("bob.other")
    wrong, clock = other.one_time_password.encode(), Clock()
    checker = house.new_checker(reactor=clock)
    assert jo.id != ann.id
    for name in ("jo.ward@avon", "ann.lock@avon", "nobody.here@avon", "no name at all"):
        attempt = LoginAttempt(name, wrong, protocol="pop3", source="192.0.2.1")
        answer = checker.requestAvatarId(attempt)
        clock.advance(house.settings.refusal_time - 0.001)
        assert not answer.called, name
        clock.advance(0.001)
        with pytest.raises(AccessRefused):
            now(answer)


def test_spraying(house: House) -> None:
    """One password over many users makes the address wait, and nobody else; later it may again."""
    house.join()
    spray(house, "203.0.113.9")
    kind, _, work = refusal(house, secret=PASSWORD, source="203.0.113.9")
    assert (kind, work) == (TryLater, 0)
    house.sign_in(source="203.0.113.10")
    house.moment += house.settings.source_window
    house.sign_in(source="203.0.113.9")


def test_spraying_shuts_out_nobody_who_belongs_there(house: House) -> None:
    """Who signed in from that network before may again, and so may devices; all others get the same words."""
    account = house.join()
    house.join("al.other")
    device = now(
        house.enrolment.add_device(
            house.enrolment.by(account.id), account.id, PASSWORD, name="laptop", protocols=("pop3",)
        )
    )
    house.sign_in(source="203.0.113.10")
    spray(house, "203.0.113.9")
    house.sign_in(source="203.0.113.9")
    house.sign_in(secret=device.secret.encode(), source="203.0.113.9")
    told = {
        refusal(house, name, secret, source="203.0.113.9")[:2]
        for name, secret in (
            ("jo.ward@avon", b"a wrong password"),
            ("al.other@avon", PASSWORD),
            ("al.other@avon", b"a wrong password"),
            ("nobody.here@avon", PASSWORD),
        )
    }
    assert [kind for kind, _ in told] == [TryLater]


def test_inventing_devices_makes_nobody_wait(house: House) -> None:
    """Secrets that nobody can guess cost nothing to try: trying them must not cost anybody else."""
    house.join()
    wrong = house.add("al.other").one_time_password.encode()
    for number in range(2 * house.settings.source_failing_accounts):
        assert refusal(house, f"user.n{number}@avon", wrong, source="203.0.113.9")[0] is AccessRefused
    house.sign_in(source="203.0.113.9")


def test_new_settings(house: House) -> None:
    """Are in force from the next attempt on."""
    house.join()
    house.checker.renew(
        msgspec.structs.replace(house.settings, source_failing_accounts=1), SharedNetworks(["198.51.100.0/24"])
    )
    for source in ("203.0.113.9", "198.51.100.9"):
        assert refusal(house, "nobody.here@avon", PASSWORD, source=source) == REFUSED
    assert refusal(house, secret=PASSWORD, source="203.0.113.9")[0] is TryLater
    house.sign_in(source="198.51.100.9")


def test_suspended_while_deriving(house: House) -> None:
    """A state that changes while the password is being stretched counts."""
    account = house.join()
    house.pool.before = lambda: _suspend(house, account.id)
    assert refusal(house, secret=PASSWORD) == REFUSED


def test_nothing_secret_is_shown(house: House) -> None:
    """Results show neither names nor secrets."""
    house.join()
    assert "violet" not in repr(LoginAttempt("jo", PASSWORD, protocol="pop3", source="::1"))
    assert repr(house.sign_in()) == f"<SignedIn {house.sign_in().account.id.hex()}>"


def test_a_user_id_of_before(house: House) -> None:
    """Signs in as long as its address delivers, so that mail programs need not be told at once; to nobody else."""
    account = house.join()
    until = int(house.moment) + 100
    old = AddressRecord(
        address="jo.old@avon.cjsm.test",
        owner_kind=OwnerKind.ACCOUNT,
        owner=account.id,
        alias=True,
        delivers_until=until,
        reserved_until=until + 100,
    )
    now(house.community.commit(ActId(b"has another name"), lambda view: Change(put=(old,))))
    assert house.sign_in("jo.old@avon").account.id == account.id
    house.moment = until
    with pytest.raises(AccessRefused):
        house.sign_in("jo.old@avon")
