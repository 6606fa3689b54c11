"""Making people and their secrets: what they open, what is recorded, and who may."""

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import fail

from cjsm.access.enrolment import NewDevice
from cjsm.access.errors import AccessRefused
from cjsm.community.address import Address
from cjsm.community.errors import CommunityError
from cjsm.community.records import AccountKind, Credential, Life
from cjsm.store.interfaces import Unavailable
from cjsm.vault.errors import BadPassword

from .support import ORGANISATION, OTHER_PASSWORD, PASSWORD, PROFILE, House, now, read


def acts_of(house: House) -> list[str]:
    return [entry.act for entry in house.entries()][1:]


def test_add_hosted(house: House) -> None:
    """A new person has an address, a mailbox that takes mail at once, and a one-time password, shown once."""
    enrolled = house.add()
    account = enrolled.account
    assert (account.kind, account.life, account.credential) == (AccountKind.HOSTED, Life.NEW, Credential.ONE_TIME)
    assert enrolled.address == "jo.ward@avon.cjsm.test"
    assert enrolled.one_time_password not in repr(enrolled)
    assert account.mailbox is not None
    assert house.current.current(account.mailbox)[0] == 1
    assert acts_of(house) == ["user-add"]
    assert house.entries()[-1].subject == account.id


def test_mail_before_the_password(house: House) -> None:
    """Mail that came before somebody chose a password is read with it."""
    enrolled = house.add()
    assert enrolled.account.mailbox is not None
    house.deliver(enrolled.account.mailbox, b"welcome\r\n")
    house.choose(enrolled.account.id, enrolled.one_time_password.encode(), PASSWORD)
    assert read(house.maildrop()[0], 0) == b"welcome\r\n"


def test_add_relayed(house: House) -> None:
    """A relayed member has an account without mailbox or mail keys."""
    house.connect()
    address = Address.parse("jo@firm.co.uk.cjsm.test")
    enrolled = now(house.enrolment.add_relayed(house.enrolment.by(), ORGANISATION, "jo.ward@avon", PROFILE, address))
    assert (enrolled.account.kind, enrolled.account.mailbox) == (AccountKind.RELAYED, None)
    assert enrolled.address == str(address)
    assert house.account_keys(enrolled.account.id).epochs == ()
    assert acts_of(house) == ["connection-add", "domain-add", "user-add"]


def test_taken(house: House) -> None:
    """A user ID that is taken makes nothing: no account, no keys, no entry."""
    house.add()
    with pytest.raises(CommunityError):
        house.add()
    assert acts_of(house) == ["user-add"]


def test_not_allowed(house: House) -> None:
    """Somebody without a role adds nobody, and gives nobody else a password or device."""
    jo, al = house.join(), house.join("al.other", OTHER_PASSWORD)
    by = house.enrolment.by
    before = acts_of(house)
    with pytest.raises(CommunityError):
        now(house.enrolment.add_hosted(by(jo.id), ORGANISATION, "x.new@avon", PROFILE, 1))
    with pytest.raises(CommunityError):
        now(house.enrolment.set_password(by(jo.id), al.id, OTHER_PASSWORD, PASSWORD))
    with pytest.raises(CommunityError):
        now(house.enrolment.add_device(by(jo.id), al.id, OTHER_PASSWORD, name="x", protocols=("pop3",)))
    assert acts_of(house) == before
    assert house.sign_in("al.other@avon", OTHER_PASSWORD).mail_keys


def test_set_password(house: House) -> None:
    """A changed password reads the old mail; the old one nothing. Each change is in the ledger."""
    account = house.join()
    assert account.life is Life.ACTIVE
    assert account.mailbox is not None
    house.deliver(account.mailbox, b"before\r\n")
    house.choose(account.id, PASSWORD, OTHER_PASSWORD)
    assert read(house.maildrop(secret=OTHER_PASSWORD)[0], 0) == b"before\r\n"
    with pytest.raises(AccessRefused):
        house.sign_in(secret=PASSWORD)
    assert acts_of(house) == ["user-add", "password-chosen", "password-chosen"]
    assert house.entries()[-1].actor == account.id


@pytest.mark.parametrize("current", [b"wrong", b"", b"\0", OTHER_PASSWORD, b"x" * 5000])
def test_set_password_needs_a_secret(house: House, current: bytes) -> None:
    """Without a working secret nothing changes, before and after a password was chosen."""
    enrolled = house.add()
    with pytest.raises(AccessRefused):
        house.choose(enrolled.account.id, current, OTHER_PASSWORD)
    house.choose(enrolled.account.id, enrolled.one_time_password.encode(), PASSWORD)
    for secret in (current, enrolled.one_time_password.encode()):
        with pytest.raises(AccessRefused):
            house.choose(enrolled.account.id, secret, OTHER_PASSWORD)
    house.sign_in()


def test_one_time_password_expires(house: House) -> None:
    """A one-time password chooses nothing after its day."""
    enrolled = house.add()
    house.moment += house.settings.one_time_password_life
    with pytest.raises(AccessRefused):
        house.choose(enrolled.account.id, enrolled.one_time_password.encode(), PASSWORD)


@pytest.mark.parametrize(
    "chosen", [b"short", b"password1234", b"jo.ward is a name", b"line\nbreak in here", b"\xff" * 20]
)
def test_set_password_policy(house: House, chosen: bytes) -> None:
    """A password that the policy refuses is not taken."""
    account = house.join()
    with pytest.raises(BadPassword):
        house.choose(account.id, PASSWORD, chosen)


def test_device(house: House) -> None:
    """A device password reads mail, chooses a new password, and shows neither itself nor anything in the ledger."""
    account = house.join()
    assert account.mailbox is not None
    house.deliver(account.mailbox, b"letter\r\n")
    by = house.enrolment.by(account.id)
    made = now(house.enrolment.add_device(by, account.id, PASSWORD, name="phone", protocols=("pop3", "smtp")))
    assert repr(made) == "<NewDevice phone>"
    drop, logout = house.maildrop(secret=made.secret.encode())
    assert read(drop, 0) == b"letter\r\n"
    logout()
    house.choose(account.id, made.secret.encode(), OTHER_PASSWORD)
    assert read(house.maildrop(secret=OTHER_PASSWORD)[0], 0) == b"letter\r\n"
    now(house.enrolment.revoke_device(house.enrolment.by(account.id), account.id, made.password.id))
    assert acts_of(house)[2:] == ["device-add", "password-chosen", "device-revoke"]
    assert house.entries()[-1].details == (("device", made.password.id.hex()),)
    assert house.account_keys(account.id).devices == ()
    with pytest.raises(AccessRefused):
        house.choose(account.id, made.secret.encode(), PASSWORD)


@pytest.mark.parametrize("protocol", ["smtp", "ldap"])
def test_device_without_mail(house: House, protocol: str) -> None:
    """A device password that is not for POP3 opens no mail key, so it gives no password or device that would."""
    account = house.join()
    by = house.enrolment.by
    made = now(house.enrolment.add_device(by(account.id), account.id, PASSWORD, name="x", protocols=(protocol,)))
    (keys,) = house.account_keys(account.id).devices
    assert keys.slots == ()
    with pytest.raises(AccessRefused):
        house.choose(account.id, made.secret.encode(), OTHER_PASSWORD)
    secret = made.secret.encode()
    with pytest.raises(AccessRefused):
        now(house.enrolment.add_device(by(account.id), account.id, secret, name="y", protocols=("pop3",)))


def test_no_device_makes_another(house: House) -> None:
    """A stolen device password gets no more protocols, no longer life, and leaves nothing behind when it is revoked."""
    account = house.join()
    device = house.add_device(account.id, "pop3")
    house.turn_on(account.id)
    for name, protocols in (("phone", ("pop3",)), ("sender", ("smtp",))):
        with pytest.raises(AccessRefused):
            house.add_device(account.id, *protocols, name=name, current=device)
    assert [each.name for each in house.account(account.id).device_passwords] == ["laptop"]


def test_device_refused(house: House) -> None:
    """A wrong secret, no protocol, an unknown one, a name that is taken or empty: no device."""
    account = house.join()
    by = house.enrolment.by

    def add(secret: bytes = PASSWORD, name: str = "phone", protocols: tuple[str, ...] = ("pop3",)) -> None:
        now(house.enrolment.add_device(by(account.id), account.id, secret, name=name, protocols=protocols))

    add()
    with pytest.raises(AccessRefused):
        add(b"wrong", "desk")
    for name, protocols in (("phone", ("pop3",)), ("", ("pop3",)), ("desk", ()), ("desk", ("http",))):
        with pytest.raises(CommunityError):
            add(PASSWORD, name, protocols)
    assert len(house.account(account.id).device_passwords) == 1


def between(house: House, monkeypatch: pytest.MonkeyPatch, other: Callable[[], None], where: str) -> None:
    """Let *other* happen once, just before the next write to the store of keys or of the community."""
    store = house.keys if where == "put" else house.community
    genuine = getattr(store, where)

    def overtaken(*arguments: Any) -> Any:
        monkeypatch.undo()
        other()
        return genuine(*arguments)

    monkeypatch.setattr(store, where, overtaken)


@pytest.mark.parametrize("where", ["put", "commit"])
def test_two_at_once_lose_nothing(house: House, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """A device password that is made while the password changes: both hold afterwards, the old password does not."""
    account = house.join()
    made: list[bytes] = []

    def add() -> None:
        by = house.enrolment.by(account.id)
        device = now(house.enrolment.add_device(by, account.id, PASSWORD, name="laptop", protocols=("pop3",)))
        made.append(device.secret.encode())

    between(house, monkeypatch, add, where)
    house.choose(account.id, PASSWORD, OTHER_PASSWORD)
    assert house.sign_in(secret=OTHER_PASSWORD).mail_keys
    assert house.sign_in(secret=made[0]).mail_keys
    with pytest.raises(AccessRefused):
        house.sign_in(secret=PASSWORD)
    assert sorted(acts_of(house)[2:]) == ["device-add", "password-chosen"]


@pytest.mark.parametrize("where", ["put", "commit"])
def test_a_password_changed_meanwhile_is_not_brought_back(
    house: House, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """What was allowed by the old password is asked again, and refused, when that is the old one now."""
    account = house.join()
    between(house, monkeypatch, lambda: house.choose(account.id, PASSWORD, OTHER_PASSWORD), where)
    by = house.enrolment.by(account.id)
    with pytest.raises(AccessRefused):
        now(house.enrolment.add_device(by, account.id, PASSWORD, name="laptop", protocols=("pop3",)))
    assert house.account(account.id).device_passwords == ()
    assert house.sign_in(secret=OTHER_PASSWORD).mail_keys


def test_devices_revoked_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two device passwords taken away at the same moment are both away."""
    account = house.join()
    names = ("one", "two")
    first, second = (
        now(
            house.enrolment.add_device(
                house.enrolment.by(account.id), account.id, PASSWORD, name=name, protocols=("pop3",)
            )
        )
        for name in names
    )

    def revoke(device: NewDevice) -> None:
        now(house.enrolment.revoke_device(house.enrolment.by(account.id), account.id, device.password.id))

    between(house, monkeypatch, lambda: revoke(second), "commit")
    revoke(first)
    assert house.account(account.id).device_passwords == ()
    assert house.account_keys(account.id).devices == ()


def test_failures_that_cannot_be_forgotten(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password is changed all the same, and it is not said otherwise."""
    account = house.join()
    monkeypatch.setattr(house.activity, "forget_all", lambda *_: fail(Unavailable("no disk")))
    house.choose(account.id, PASSWORD, OTHER_PASSWORD)
    assert house.sign_in(secret=OTHER_PASSWORD).mail_keys
