"""Passwords that are chosen: what may come back, when they end, at the doors and from afar."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from twisted.internet.defer import fail

from cjsm.access.errors import (
    AccessError,
    AccessRefused,
    AccessUnavailable,
    DevicePasswordNeeded,
    MustChoosePassword,
    PasswordExpired,
    TryLater,
)
from cjsm.access.interfaces import IPasswordChooser, ISubmitter
from cjsm.access.protocols import CHOOSES
from cjsm.community.acts import accounts
from cjsm.community.identifiers import ActId, RoleAssignmentId
from cjsm.community.records import Role, RoleAssignment
from cjsm.community.view import Change
from cjsm.policies import DAY
from cjsm.store.interfaces import Unavailable
from cjsm.vault.errors import BadPassword

from .support import ORGANISATION, OTHER_PASSWORD, PASSWORD, SETTINGS, House, now, read

SHORT = b"tractor lamp"
FIRST, SECOND, THIRD = b"Tractor lamp 1", b"Tractor lamp 2", b"Tractor lamp 3"
DOORS = ("smtp", "pop3", "ldap")


@pytest.fixture
def legacy(tmp_path: Path) -> Iterator[House]:
    """A community of the old profile, with Jo in it."""
    made = House(tmp_path / "legacy", msgspec.structs.replace(SETTINGS, policy="legacy"))
    made.join(password=FIRST)
    yield made
    made.close()


def choose(
    house: House, current: bytes, chosen: bytes, *, name: str = "jo.ward@avon", source: str = "192.0.2.1"
) -> None:
    """Choose a password as a door lets people do it."""
    avatar, _ = house.avatar(house.sign_in(name, current, protocol=CHOOSES, source=source), IPasswordChooser)
    now(avatar.choose(current, chosen, source))


def test_not_the_current_one(house: House) -> None:
    """In whatever normal form it is typed, and with whatever secret; one from before may come back."""
    account = house.join()
    device = house.add_device(account.id)
    for current in (PASSWORD, device):
        with pytest.raises(BadPassword, match="already"):
            house.choose(account.id, current, unicodedata.normalize("NFD", PASSWORD.decode()).encode())
    house.choose(account.id, PASSWORD, OTHER_PASSWORD)
    house.choose(account.id, OTHER_PASSWORD, PASSWORD)
    assert house.account_keys(account.id).former == ()


def test_not_the_last_one(legacy: House) -> None:
    """The old profile remembers one more, and no more than that."""
    account = legacy.sign_in(secret=FIRST).account
    legacy.choose(account.id, FIRST, SECOND)
    for chosen in (FIRST, SECOND):
        with pytest.raises(BadPassword, match="already"):
            legacy.choose(account.id, SECOND, chosen)
    legacy.choose(account.id, SECOND, THIRD)
    assert len(legacy.account_keys(account.id).former) == 1
    legacy.choose(account.id, THIRD, FIRST)


@pytest.mark.parametrize("protocol", DOORS)
def test_expired(legacy: House, protocol: str) -> None:
    """After 90 days the right password is told to be too old, a wrong one nothing; device passwords go on."""
    account = legacy.sign_in(secret=FIRST).account
    device = legacy.add_device(account.id, current=FIRST)
    legacy.moment += 90 * DAY - 1
    legacy.sign_in(secret=FIRST, protocol=protocol)
    legacy.moment += 1
    with pytest.raises(PasswordExpired):
        legacy.sign_in(secret=FIRST, protocol=protocol)
    with pytest.raises(AccessRefused, match=r"not accepted$"):
        legacy.sign_in(secret=SECOND, protocol=protocol)
    assert legacy.sign_in(secret=device, protocol=protocol).secret
    choose(legacy, FIRST, SECOND)
    legacy.sign_in(secret=SECOND, protocol=protocol)


@pytest.mark.parametrize("protocol", DOORS)
def test_an_administrator_since(house: House, protocol: str) -> None:
    """Who becomes one chooses a password as long as theirs are before anything else, knows why, and may do it."""
    account = house.join(password=SHORT)
    device = house.add_device(account.id, current=SHORT)
    house.sign_in(secret=SHORT, protocol=protocol)
    held = RoleAssignment(
        id=RoleAssignmentId(b"r" * 16),
        account=account.id,
        role=Role.ORGANISATION_ADMINISTRATOR,
        organisation=ORGANISATION,
    )
    now(house.community.commit(ActId(b"becomes one....."), lambda view: Change(put=(held,))))
    with pytest.raises(PasswordExpired, match="fewer than the 14 characters"):
        house.sign_in(secret=SHORT, protocol=protocol)
    with pytest.raises(AccessRefused, match=r"not accepted$"):
        house.sign_in(secret=b"x" * 12, protocol=protocol)
    assert house.sign_in(secret=device, protocol=protocol).secret
    with pytest.raises(BadPassword, match="14"):
        choose(house, SHORT, b"lamp violet1")
    choose(house, SHORT, OTHER_PASSWORD)
    house.sign_in(secret=OTHER_PASSWORD, protocol=protocol)


def test_device_passwords_only(tmp_path: Path) -> None:
    """A profile may demand it: an own password is then not looked at by mail programs' doors, right or wrong, nobody's
    or somebody's, and costs nothing; it still chooses another.
    """
    own = tmp_path / "own.toml"
    own.write_text("user_length = 12\nadministrator_length = 14\ndevices_only = true\n")
    house = House(tmp_path / "data", msgspec.structs.replace(SETTINGS, policy=str(own)))
    account = house.join()
    device = house.add_device(account.id)
    for protocol in DOORS:
        for name, secret in (("jo.ward@avon", PASSWORD), ("jo.ward@avon", b"wrong"), ("nobody.here@avon", PASSWORD)):
            with pytest.raises(DevicePasswordNeeded):
                house.sign_in(name, secret, protocol=protocol)
        house.sign_in(secret=device, protocol=protocol)
    assert house.pool.sources == []
    assert house.activity.failing(account.id) == []
    choose(house, PASSWORD, OTHER_PASSWORD)
    house.close()


def test_chosen_from_afar(house: House) -> None:
    """With the one-time password, with the old one, with a device password for mail, with a recovery code: all mail
    stays readable, and the network is one that the account knows from then on.
    """
    enrolled = house.add()
    account = enrolled.account
    assert account.mailbox is not None
    house.deliver(account.mailbox, b"letter\r\n")
    once = enrolled.one_time_password.encode()
    choose(house, once, PASSWORD, source="203.0.113.5")
    assert house.activity.known_network(account.id, "203.0.113.0/24")
    choose(house, PASSWORD, OTHER_PASSWORD)
    device = house.add_device(account.id, current=OTHER_PASSWORD)
    choose(house, device, PASSWORD)
    codes = now(house.factors.new_codes(house.enrolment.by(account.id), account.id, PASSWORD, None))
    choose(house, codes[0].encode(), OTHER_PASSWORD)
    drop, _ = house.maildrop(secret=OTHER_PASSWORD)
    assert read(drop, 0) == b"letter\r\n"
    assert [dict(entry.details).get("using") for entry in house.entries() if entry.act == "password-chosen"] == [
        "one-time",
        "password",
        "device",
        "recovery",
    ]
    for used in (once, codes[0].encode()):
        with pytest.raises(AccessRefused):
            choose(house, used, PASSWORD)


def test_a_device_that_reads_no_mail_chooses_nothing(house: House) -> None:
    """It could not hand the mail key on."""
    account = house.join()
    device = house.add_device(account.id, "smtp", "ldap")
    with pytest.raises(AccessRefused):
        choose(house, device, OTHER_PASSWORD)


@pytest.mark.parametrize("secret", [PASSWORD, b"wrong"])
def test_from_afar_a_second_factor_needs_more_than_the_password(house: House, secret: bytes) -> None:
    """The own password is refused as a wrong one; a device password will do."""
    account = house.join()
    device = house.add_device(account.id)
    house.turn_on(account.id)
    with pytest.raises(AccessRefused, match=f"^{AccessRefused()}$"):
        choose(house, secret, OTHER_PASSWORD)
    choose(house, device, OTHER_PASSWORD)


def test_guessing_old_passwords_is_guessing(house: House) -> None:
    """It closes the network as signing in does, and says as little."""
    account = house.join()
    for number in range(10):
        for name in ("jo.ward@avon", "nobody.here@avon"):
            with pytest.raises(AccessRefused, match=f"^{AccessRefused()}$"):
                choose(house, b"guess %d" % number, OTHER_PASSWORD, name=name)
    with pytest.raises(AccessRefused):
        choose(house, PASSWORD, OTHER_PASSWORD)
    with pytest.raises(AccessRefused):
        house.sign_in()
    assert house.account(account.id).password_version == 1


@pytest.mark.parametrize("state", ["locked", "unknown"])
def test_who_may_not_sign_in_chooses_nothing(house: House, state: str) -> None:
    """In the same words."""
    enrolled = house.add()
    if state == "locked":
        house.commit(lambda view, by: accounts.set_locked(view, by, enrolled.account.id, locked=True))
    name = "jo.ward@avon" if state == "locked" else "nobody.here@avon"
    with pytest.raises(AccessRefused, match=f"^{AccessRefused()}$"):
        choose(house, enrolled.one_time_password.encode(), PASSWORD, name=name)


def test_a_bad_password_changes_nothing(house: House) -> None:
    """And the one-time password is still good."""
    enrolled = house.add()
    once = enrolled.one_time_password.encode()
    for chosen in (b"short", b"password1234", b"jo.ward of avon"):
        with pytest.raises(BadPassword):
            choose(house, once, chosen)
    with pytest.raises(MustChoosePassword):
        house.sign_in(secret=once)
    choose(house, once, PASSWORD)


def test_slow_work_is_done_in_the_pool(house: House) -> None:
    """For the client's own turn; a full pool says try later, and nothing changed."""
    account = house.join()
    house.pool.sources.clear()
    choose(house, PASSWORD, OTHER_PASSWORD, source="198.51.100.9")
    assert house.pool.sources == ["198.51.100.9"] * 3
    avatar, _ = house.avatar(house.sign_in(secret=OTHER_PASSWORD, protocol=CHOOSES), IPasswordChooser)
    house.pool.failure = TryLater()
    with pytest.raises(TryLater):
        now(avatar.choose(OTHER_PASSWORD, PASSWORD, "198.51.100.9"))
    house.pool.failure = None
    house.sign_in(secret=OTHER_PASSWORD)
    assert house.account(account.id).password_version == 2


def test_store_down(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody hears of its inside."""
    house.join()
    avatar, _ = house.avatar(house.sign_in(protocol=CHOOSES), IPasswordChooser)
    monkeypatch.setattr(house.keys, "put", lambda *_: fail(Unavailable("no disk")))
    with pytest.raises(AccessUnavailable):
        now(avatar.choose(PASSWORD, OTHER_PASSWORD, "192.0.2.1"))


def test_sessions_of_the_old_password_end(house: House) -> None:
    """Those with a device password go on."""
    account = house.join()
    device = house.add_device(account.id)
    own, _ = house.avatar(house.sign_in(protocol="smtp"), ISubmitter)
    program, _ = house.avatar(house.sign_in(secret=device, protocol="smtp"), ISubmitter)
    choose(house, PASSWORD, OTHER_PASSWORD)
    assert (own.still_valid(), program.still_valid()) == (False, True)


def test_every_refusal_has_words() -> None:
    """None of them is empty or the same as another's."""
    told = [str(kind()) for kind in (AccessRefused, MustChoosePassword, PasswordExpired, DevicePasswordNeeded)]
    assert len({*told, str(AccessRefused(warned=True))}) == 5
    assert issubclass(PasswordExpired, AccessError)
