"""The second factor: begun, confirmed, asked for, removed; recovery codes; unlocking oneself."""

import pytest

from cjsm.access.errors import AccessError, AccessRefused, CodeNeeded, CodeRefused
from cjsm.access.interfaces import ISubmitter
from cjsm.access.lockout import SECOND_FACTOR
from cjsm.community.acts import accounts
from cjsm.community.errors import CommunityError, Conflict, NotAllowed
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Life
from cjsm.ledger.entries import encode_entry

from .support import OTHER_PASSWORD, PASSWORD, House, now, read

REFUSED = str(AccessRefused())


def acts_of(house: House) -> list[str]:
    return [entry.act for entry in house.entries()]


def choose(house: House, account: AccountId, current: bytes, code: bytes | None = None) -> None:
    by = house.enrolment.by(account)
    now(house.enrolment.set_password(by, account, current, OTHER_PASSWORD, code=code))


def test_turned_on(house: House) -> None:
    """In force from the first right code on, not before; what makes codes is sealed, and shown nowhere."""
    account = house.join()
    one = house.authenticator(account.id)
    assert house.account(account.id).factor_since == 0
    house.sign_in(protocol="smtp")
    with pytest.raises(CodeRefused):
        now(house.factors.confirm(house.enrolment.by(account.id), account.id, PASSWORD, one.code(later=300)))
    codes = now(house.factors.confirm(house.enrolment.by(account.id), account.id, PASSWORD, one.code()))
    found = house.account(account.id)
    assert (found.factor_since, found.recovery_codes) == (int(house.moment), 10)
    assert len(set(codes)) == 10
    assert all(code.startswith("r-") for code in codes)
    assert acts_of(house)[-2:] == ["factor-prepare", "factor-on"]
    kept = house.keys.get_now(account.id, found.keys)
    assert not any(code.encode() in kept for code in codes)


def test_mail_programs_use_device_passwords_then(house: House) -> None:
    """The own password is refused in the words for a wrong one, right or wrong, at no other cost, and never counted as
    more than one guess.
    """
    account = house.join()
    device = house.add_device(account.id)
    house.turn_on(account.id)
    house.pool.sources.clear()
    for protocol in ("smtp", "pop3", "ldap"):
        for secret in (PASSWORD, b"wrong"):
            with pytest.raises(AccessRefused, match=f"^{REFUSED}$"):
                house.sign_in(secret=secret, protocol=protocol)
        assert house.sign_in(secret=device, protocol=protocol).secret
    assert len(house.pool.sources) == 6
    for _ in range(20):
        with pytest.raises(AccessRefused):
            house.sign_in(secret=PASSWORD)
    assert house.account(account.id).guard is None


def test_sessions_of_the_password_end(house: House) -> None:
    """Those that began before with the own password, and no others."""
    account = house.join()
    device = house.add_device(account.id)
    own, _ = house.avatar(house.sign_in(protocol="smtp"), ISubmitter)
    program, _ = house.avatar(house.sign_in(secret=device, protocol="smtp"), ISubmitter)
    house.turn_on(account.id)
    assert (own.still_valid(), program.still_valid()) == (False, True)


def test_a_code_is_good_once(house: House) -> None:
    """The same code again, an earlier one after it, and one that is too old are refused; the next one is good."""
    account = house.join()
    one, _ = house.turn_on(account.id)
    code = one.code()
    choose(house, account.id, PASSWORD, code)
    add = house.enrolment.by(account.id)
    for typed in (code, one.code(-30), one.code(-90), b"000000", b""):
        with pytest.raises(CodeRefused):
            now(house.enrolment.add_device(add, account.id, OTHER_PASSWORD, name="x", protocols=("pop3",), code=typed))
    house.moment += 30
    by = house.enrolment.by(account.id)
    now(house.enrolment.add_device(by, account.id, OTHER_PASSWORD, name="x", protocols=("pop3",), code=one.code()))


def test_a_code_is_good_once_in_all_processes(house: House) -> None:
    """And after a restart."""
    account = house.join()
    one, _ = house.turn_on(account.id)
    code = one.code()
    choose(house, account.id, PASSWORD, code)
    house.close()
    house.open()
    with pytest.raises(CodeRefused):
        choose(house, account.id, OTHER_PASSWORD, code)


def test_asked_for_beside_the_own_password(house: House) -> None:
    """Choosing a password, device passwords and recovery codes want it; a wrong password hears nothing of it."""
    account = house.join()
    house.turn_on(account.id)
    with pytest.raises(CodeNeeded):
        choose(house, account.id, PASSWORD)
    with pytest.raises(CodeNeeded):
        house.add_device(account.id)
    by = house.enrolment.by(account.id)
    with pytest.raises(CodeNeeded):
        now(house.factors.new_codes(by, account.id, PASSWORD, None))
    with pytest.raises(AccessRefused):
        choose(house, account.id, b"wrong", b"123456")
    assert house.account(account.id).password_version == account.password_version + 1


def test_guessing_codes_ends(house: House) -> None:
    """After ten wrong ones the right one is refused too, though no recovery code; a day later codes are good again."""
    account = house.join()
    one, codes = house.turn_on(account.id)
    for number in range(house.settings.second_factor_failures):
        with pytest.raises(CodeRefused):
            choose(house, account.id, PASSWORD, b"%06d" % number)
    with pytest.raises(CodeRefused):
        choose(house, account.id, PASSWORD, one.code())
    choose(house, account.id, PASSWORD, codes[0].encode())
    house.moment += house.settings.failures_forgotten
    by = house.enrolment.by(account.id)
    now(house.factors.new_codes(by, account.id, OTHER_PASSWORD, one.code()))


def test_a_device_password_gives_no_more_guesses(house: House) -> None:
    """Who has a stolen device password chooses passwords with it: wrong codes that were counted stay counted."""
    account = house.join()
    device = house.add_device(account.id)
    one, _ = house.turn_on(account.id)
    for number in range(house.settings.second_factor_failures):
        with pytest.raises(CodeRefused):
            choose(house, account.id, PASSWORD, b"%06d" % number)
    with pytest.raises(AccessRefused):
        house.sign_in(secret=b"wrong", source="198.51.100.7")
    house.choose(account.id, device, OTHER_PASSWORD)
    by = house.enrolment.by(account.id)
    with pytest.raises(CodeRefused):
        now(house.factors.new_codes(by, account.id, OTHER_PASSWORD, one.code()))
    assert [network for network, _ in house.activity.failing(account.id)] == [SECOND_FACTOR]


def test_without_the_password_no_code_is_tried(house: House) -> None:
    """So nobody else can use the tries up."""
    account = house.join()
    one, _ = house.turn_on(account.id)
    for number in range(30):
        with pytest.raises(AccessRefused):
            choose(house, account.id, b"wrong", b"%06d" % number)
    choose(house, account.id, PASSWORD, one.code())


def test_recovery_code_for_a_lost_password(house: House) -> None:
    """A new password, and all mail stays readable: nothing begins anew. Each code is good once."""
    account = house.join()
    assert account.mailbox is not None
    house.deliver(account.mailbox, b"letter\r\n")
    codes = now(house.factors.new_codes(house.enrolment.by(account.id), account.id, PASSWORD, None))
    choose(house, account.id, codes[3].encode())
    assert read(house.maildrop(secret=OTHER_PASSWORD)[0], 0) == b"letter\r\n"
    assert [key.epoch for key in house.account_keys(account.id).epochs] == [1]
    assert house.account(account.id).recovery_codes == 9
    assert dict(house.entries()[-1].details) == {"using": "recovery"}
    with pytest.raises(AccessRefused):
        now(house.enrolment.set_password(house.enrolment.by(account.id), account.id, codes[3].encode(), PASSWORD))
    now(house.enrolment.set_password(house.enrolment.by(account.id), account.id, codes[4].encode(), PASSWORD))
    assert house.account(account.id).recovery_codes == 8


def test_recovery_codes_sign_nobody_in(house: House) -> None:
    """Not at a door, and not where they are another's."""
    account = house.join()
    other = house.join("al.other")
    codes = now(house.factors.new_codes(house.enrolment.by(account.id), account.id, PASSWORD, None))
    for protocol in ("smtp", "pop3", "ldap", "command"):
        with pytest.raises(AccessRefused):
            house.sign_in(secret=codes[0].encode(), protocol=protocol)
    with pytest.raises(AccessRefused):
        choose(house, other.id, codes[0].encode())


def test_new_recovery_codes_void_the_old(house: House) -> None:
    """All of them."""
    account = house.join()
    by = house.enrolment.by
    old = now(house.factors.new_codes(by(account.id), account.id, PASSWORD, None))
    new = now(house.factors.new_codes(by(account.id), account.id, PASSWORD, None))
    with pytest.raises(AccessRefused):
        choose(house, account.id, old[0].encode())
    choose(house, account.id, new[0].encode())
    assert acts_of(house)[-3:] == ["recovery-codes-new", "recovery-codes-new", "password-chosen"]


def test_only_the_own_password_changes_the_factor(house: House) -> None:
    """A stolen telephone's device password does not."""
    account = house.join()
    device = house.add_device(account.id)
    by = house.enrolment.by
    with pytest.raises(AccessRefused):
        house.authenticator(account.id, device)
    one, codes = house.turn_on(account.id)
    for secret in (device, codes[0].encode(), b"wrong"):
        with pytest.raises(AccessRefused):
            now(house.factors.remove(by(account.id), account.id, secret, one.code()))
        with pytest.raises(AccessRefused):
            now(house.factors.new_codes(by(account.id), account.id, secret, one.code()))
        with pytest.raises(AccessRefused):
            now(house.factors.unlock_self(by(account.id), account.id, secret, one.code()))


@pytest.mark.parametrize("with_recovery_code", [False, True])
def test_removed(house: House, with_recovery_code: bool) -> None:
    """With a code or a recovery code, which is used up; then the own password is good again."""
    account = house.join()
    one, codes = house.turn_on(account.id)
    code = codes[0].encode() if with_recovery_code else one.code()
    now(house.factors.remove(house.enrolment.by(account.id), account.id, PASSWORD, code))
    found = house.account(account.id)
    assert (found.factor_since, found.recovery_codes) == (0, 9 if with_recovery_code else 10)
    assert house.account_keys(account.id).factor is None
    house.sign_in()
    assert acts_of(house)[-1] == "factor-off"
    with pytest.raises(Conflict):
        now(house.factors.remove(house.enrolment.by(account.id), account.id, PASSWORD, one.code()))


def test_taken_away_by_somebody_else(house: House) -> None:
    """For a lost telephone, with a reason."""
    account = house.join()
    house.turn_on(account.id)
    with pytest.raises(CommunityError, match="reason"):
        now(house.factors.take_away(house.enrolment.by(), account.id))
    now(house.factors.take_away(house.enrolment.by(reason="telephone lost"), account.id))
    house.sign_in()
    entry = house.entries()[-1]
    assert (entry.act, [each.text for each in house.community.words(encode_entry(entry))]) == (
        "factor-remove",
        ["telephone lost"],
    )


def test_confirming_what_does_not_wait(house: House) -> None:
    """Nothing begun, or in force already; beginning again while it is in force changes nothing."""
    account = house.join()
    with pytest.raises(Conflict):
        now(house.factors.confirm(house.enrolment.by(account.id), account.id, PASSWORD, b"123456"))
    one, _ = house.turn_on(account.id)
    with pytest.raises(Conflict):
        now(house.factors.confirm(house.enrolment.by(account.id), account.id, PASSWORD, one.code()))
    before = house.account(account.id)
    with pytest.raises(Conflict):
        house.authenticator(account.id)
    assert house.account(account.id) == before


def test_not_before_a_password_was_chosen(house: House) -> None:
    """A one-time password chooses a password and nothing else."""
    enrolled = house.add()
    with pytest.raises(AccessRefused):
        house.authenticator(enrolled.account.id, enrolled.one_time_password.encode())


@pytest.mark.parametrize("with_recovery_code", [False, True])
@pytest.mark.parametrize("how", ["guesses", "somebody"])
def test_unlocking_oneself(house: House, how: str, with_recovery_code: bool) -> None:
    """With password and second factor, whoever locked; the account returns to what it was."""
    account = house.join()
    device = house.add_device(account.id)
    one, codes = house.turn_on(account.id)
    if how == "guesses":
        for number in range(10):
            with pytest.raises(AccessRefused):
                house.sign_in(secret=b"guess %d" % number, source=f"10.0.{number}.1")
    else:
        house.commit(lambda view, by: accounts.set_locked(view, by, account.id, locked=True))
        with pytest.raises(AccessRefused):
            house.sign_in(secret=device)
    locked = house.account(account.id)
    assert locked.locked or locked.guard
    with pytest.raises(CodeRefused):
        now(house.factors.unlock_self(house.enrolment.by(account.id), account.id, PASSWORD, b"000000"))
    code = codes[0].encode() if with_recovery_code else one.code()
    now(house.factors.unlock_self(house.enrolment.by(account.id), account.id, PASSWORD, code))
    found = house.account(account.id)
    assert (found.locked, found.guard, found.life) == (False, None, Life.ACTIVE)
    assert found.recovery_codes == (9 if with_recovery_code else 10)
    assert house.activity.failing(account.id) == []
    house.sign_in(secret=device)
    entry = house.entries()[-1]
    assert (entry.act, entry.actor, dict(entry.details)) == ("user-unlock", account.id, {"using": "second factor"})


def test_without_a_second_factor_nobody_unlocks_oneself(house: House) -> None:
    """The password alone does not; nor does a recovery code then."""
    account = house.join()
    codes = now(house.factors.new_codes(house.enrolment.by(account.id), account.id, PASSWORD, None))
    house.commit(lambda view, by: accounts.set_locked(view, by, account.id, locked=True))
    for code in (b"123456", codes[0].encode()):
        with pytest.raises((Conflict, AccessError)):
            now(house.factors.unlock_self(house.enrolment.by(account.id), account.id, PASSWORD, code))
    assert house.account(account.id).locked


def test_only_oneself(house: House) -> None:
    """Somebody else's act needs a role, even with all the secrets."""
    account, other = house.join(), house.join("al.other")
    one, _ = house.turn_on(account.id)
    house.commit(lambda view, by: accounts.set_locked(view, by, account.id, locked=True))
    for act in (
        lambda by: house.factors.unlock(by, account.id),
        lambda by: house.factors.unlock_self(by, account.id, PASSWORD, one.code()),
    ):
        with pytest.raises(NotAllowed):
            now(act(house.enrolment.by(other.id)))
        house.moment += 30
    assert house.account(account.id).locked
