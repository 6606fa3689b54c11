"""Who guesses is shut out, wherever from and in whatever process; whoever is guessed at is not (community §7)."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from twisted.internet.defer import fail

from cjsm import policies
from cjsm.access.enrolment import Enrolled
from cjsm.access.errors import AccessError, AccessRefused, MustChoosePassword, TryLater
from cjsm.access.lockout import SECOND_FACTOR
from cjsm.access.protocols import ACTS, AT_THE_SERVER, UNLOCKS
from cjsm.community import states
from cjsm.community.acts import accounts, lives
from cjsm.community.acts.lives import LifeStep
from cjsm.community.identifiers import AccountId
from cjsm.community.records import Life
from cjsm.policies import DAY
from cjsm.store.interfaces import Unavailable

from .support import PASSWORD, SETTINGS, House, logged, now

LOCK = policies.load("ncsc").lock
HOME, CAFE = "192.0.2.1", "198.51.100.1"
PLAIN = (AccessRefused, str(AccessRefused()))


@pytest.fixture
def legacy(tmp_path: Path) -> Iterator[House]:
    """A community of the old profile."""
    made = House(tmp_path / "legacy", msgspec.structs.replace(SETTINGS, policy="legacy"))
    yield made
    made.close()


def refusal(house: House, secret: bytes, source: str, name: str = "jo.ward@avon", protocol: str = "pop3") -> tuple:
    """Return the error's class and words."""
    with pytest.raises(AccessError) as caught:
        house.sign_in(name, secret, source=source, protocol=protocol)
    return type(caught.value), str(caught.value)


def network(number: int) -> str:
    """An address in a network of its own."""
    return f"10.{number // 250}.{number % 250}.7"


def guess_from_everywhere(house: House, guesses: int = LOCK, name: str = "jo.ward@avon") -> None:
    """One guess from each of so many networks."""
    for number in range(guesses):
        refusal(house, b"guess %d" % number, network(number), name)


def is_guarded(house: House, account: AccountId) -> bool:
    return states.is_guarded(house.account(account), house.moment)


def test_the_lockout_attack_fails(house: House) -> None:
    """Guessed at from thirty networks, the owner signs in from home all the time, and with a device from anywhere."""
    account = house.join()
    device = house.add_device(account.id)
    house.sign_in(source=HOME)
    with logged() as texts:
        for number in range(3 * LOCK):
            refusal(house, b"guess %d" % number, network(number))
            house.sign_in(source=HOME)
    house.sign_in(secret=device, source=CAFE)
    house.sign_in(secret=device, source=network(0))
    assert is_guarded(house, account.id)
    assert len([text for text in texts if "is guarded" in text]) == 1
    assert not any(account.user_id in text for text in texts)


def test_guessing_from_many_networks_ends(house: House) -> None:
    """After ten different guesses the right one is refused too, from anywhere new, in the same words and work."""
    account = house.join()
    guess_from_everywhere(house, LOCK - 1)
    assert not is_guarded(house, account.id)
    guess_from_everywhere(house)
    house.pool.sources.clear()
    for protocol in ("pop3", "smtp", "ldap"):
        assert refusal(house, PASSWORD, CAFE, protocol=protocol) == PLAIN
        assert refusal(house, b"a wrong one", CAFE, protocol=protocol) == PLAIN
        assert refusal(house, PASSWORD, CAFE, "nobody.here@avon", protocol) == PLAIN
    assert len(house.pool.sources) == 9


def test_a_guarded_account_is_not_told_by_the_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a network that it never used: as many things are written as for a name that is nobody's."""
    house.join()
    guess_from_everywhere(house)
    written: list[str] = []

    def noted(name: str) -> None:
        act = getattr(house.activity, name)
        monkeypatch.setattr(house.activity, name, lambda *given: (written.append(name), act(*given))[1])

    for name in ("failed", "failed_from"):
        noted(name)
    steps = []
    for name in ("jo.ward@avon", "nobody.here@avon"):
        written.clear()
        refusal(house, b"one more guess", "203.0.113.9", name)
        steps.append(list(written))
    assert steps[0] == steps[1] == ["failed_from", "failed"]


def test_it_is_an_act_of_the_service(house: House) -> None:
    """One entry, whose actor is nobody; the account is what it was but for that."""
    account = house.join()
    guess_from_everywhere(house, LOCK + 5)
    (entry,) = [entry for entry in house.entries() if entry.act == "user-guard"]
    assert (entry.subject, entry.actor, dict(entry.details)) == (account.id, b"", {"who": "service"})
    found = house.account(account.id)
    assert states.display_name(found, house.moment) == "Locked"
    assert msgspec.structs.replace(found, guard=None, version=account.version) == account


def test_one_stale_client_guards_nothing(house: House) -> None:
    """A telephone that goes from network to network with last year's password counts once."""
    account = house.join()
    for number in range(3 * LOCK):
        assert refusal(house, b"last year's", network(number)) == PLAIN
    assert not is_guarded(house, account.id)
    house.sign_in(source=CAFE)


def test_a_flood_of_networks_guards(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's telephone fails from hundreds of networks a day, with whatever password."""
    monkeypatch.setattr("cjsm.access.lockout._MOST_NETWORKS", 20)
    account = house.join()
    for number in range(20):
        refusal(house, b"the same", network(number))
    assert is_guarded(house, account.id)


def test_ones_own_network_guards_nothing(house: House) -> None:
    """Wrong ones from where the owner was before close that network and nothing else."""
    account = house.join()
    house.sign_in(source=HOME)
    for number in range(LOCK):
        refusal(house, b"guess %d" % number, HOME)
    assert not is_guarded(house, account.id)
    assert refusal(house, PASSWORD, HOME) == PLAIN
    house.sign_in(source=CAFE)


def test_trying_on_keeps_nobody_out_for_longer(house: House) -> None:
    """A closed network opens a day after the guess that closed it, whatever was tried meanwhile; so does a guarded
    account, and nothing of what was tried in vain is kept.
    """
    account = house.join()
    house.sign_in(source=HOME)
    for number in range(LOCK):
        refusal(house, b"guess %d" % number, HOME)
    guess_from_everywhere(house)
    kept = house.activity.failing(account.id)
    for hours in range(1, 24):
        house.moment += 3_600
        refusal(house, b"last year's", HOME)
        refusal(house, b"in vain %d" % hours, HOME)
        refusal(house, b"in vain %d" % hours, f"10.77.{hours}.1")
    assert house.activity.failing(account.id) == kept
    house.moment += 3_600
    house.sign_in(source=HOME)
    house.sign_in(source=CAFE)


def test_many_guesses_at_once_gain_nothing(house: House) -> None:
    """The right one among guesses that were begun together comes too late when the others reached the limit."""
    house.join()
    began: list[bool] = []

    def others() -> None:
        if not began:
            began.append(True)
            for number in range(LOCK):
                refusal(house, b"guess %d" % number, CAFE)

    house.pool.before = others
    assert refusal(house, PASSWORD, CAFE) == PLAIN


@pytest.mark.parametrize("life", [Life.NEW, Life.ACTIVE])
def test_unlocked_it_returns_to_what_it_was(house: House, life: Life) -> None:
    """Helpdesk and administrator unlock; every network is open again and nothing else changed."""
    enrolled: Enrolled = house.add()
    account = house.account(enrolled.account.id)
    if life is Life.ACTIVE:
        house.choose(account.id, enrolled.one_time_password.encode(), PASSWORD)
        account = house.account(account.id)
    guess_from_everywhere(house)
    assert is_guarded(house, account.id)
    now(house.factors.unlock(house.enrolment.by(), account.id))
    found = house.account(account.id)
    assert msgspec.structs.replace(found, version=account.version) == account
    assert house.activity.failing(account.id) == []
    assert house.entries()[-1].act == "user-unlock"
    if life is Life.ACTIVE:
        house.sign_in(source=CAFE)
        house.sign_in(source=network(0))


def test_it_opens_by_itself(house: House) -> None:
    """After a day, as the profile says; guesses are forgotten by then too."""
    account = house.join()
    guess_from_everywhere(house)
    house.moment += DAY - 1
    assert refusal(house, PASSWORD, CAFE) == PLAIN
    house.moment += 1
    assert not is_guarded(house, account.id)
    for _ in range(2):
        house.sign_in(source=CAFE)
    assert house.account(account.id).guard is None
    assert [entry.act for entry in house.entries()][-2:] == ["user-guard", "user-unguard"]


def test_where_it_cannot_be_written(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guess is refused all the same, and the next one tries again."""
    account = house.join()
    with monkeypatch.context() as broken:
        broken.setattr(house.community, "commit", lambda *_: fail(Unavailable("no disk")))
        guess_from_everywhere(house)
        assert not is_guarded(house, account.id)
    refusal(house, b"another", CAFE)
    assert is_guarded(house, account.id)


def test_codes_of_the_second_factor_are_counted_apart(house: House) -> None:
    """Wrong codes come after the right password: they are no guesses of strangers."""
    account = house.join()
    for tag in range(2 * LOCK):
        now(house.activity.failed(account.id, SECOND_FACTOR, tag, int(house.moment)))
    refusal(house, b"one wrong password", CAFE)
    assert not is_guarded(house, account.id)


def test_the_old_profile(legacy: House) -> None:
    """Five, with a warning at four, for names that are nobody's too; the lock stays until somebody unlocks."""
    account = legacy.join(password=b"Tractor lamp 9")
    for name in ("jo.ward@avon", "nobody.here@avon"):
        told = [refusal(legacy, b"guess %d" % number, CAFE, name)[1] for number in range(6)]
        plain, warned = str(AccessRefused()), str(AccessRefused(warned=True))
        assert told == [plain, plain, plain, warned, plain, plain]
    assert refusal(legacy, b"Tractor lamp 9", CAFE) == PLAIN
    assert is_guarded(legacy, account.id)
    legacy.moment += 1_000 * DAY
    assert is_guarded(legacy, account.id)


def test_locked_and_suspended_are_guessed_at_in_vain(house: House) -> None:
    """Neither is told from the other, before and after the limit."""
    account = house.join()
    house.commit(lambda view, by: accounts.set_locked(view, by, account.id, locked=True))
    told = {refusal(house, b"guess %d" % number, CAFE) for number in range(LOCK + 2)}
    assert told | {refusal(house, PASSWORD, CAFE), refusal(house, PASSWORD, HOME)} == {PLAIN}


def test_one_password_over_500_users(house: House) -> None:
    """Is stopped after fifty, and stays stopped; everybody else goes on, and so do those who belong there."""
    house.join("al.other")
    device = house.add_device(house.join().id)
    house.sign_in("al.other@avon", source="203.0.113.10")
    outcomes = [refusal(house, b"Spring2026!", "203.0.113.9", f"user.n{number}@avon")[0] for number in range(500)]
    assert outcomes == [AccessRefused] * 50 + [TryLater] * 450
    assert len(house.pool.sources) == 51
    house.close()
    house.open()
    assert refusal(house, PASSWORD, "203.0.113.9")[0] is TryLater
    house.sign_in(source=HOME)
    house.sign_in(secret=device, source="203.0.113.9")
    house.sign_in("al.other@avon", source="203.0.113.9")


def test_a_restart_opens_nothing(house: House) -> None:
    """Closed networks, guarded accounts and what was counted are on disk."""
    house.join()
    house.join("al.other")
    for number in range(LOCK - 1):
        refusal(house, b"guess %d" % number, CAFE, "al.other@avon")
    guess_from_everywhere(house)
    house.close()
    house.open()
    assert refusal(house, PASSWORD, HOME) == PLAIN
    refusal(house, b"the tenth", CAFE, "al.other@avon")
    assert refusal(house, PASSWORD, CAFE, "al.other@avon") == PLAIN


def elsewhere(house: House, script: str) -> str:
    """Run *script*, with the same ``house``, in another process beside this one; return what it printed."""
    beginning = "import sys\nfrom tests.access.support import *\nfrom tests.access.test_lockout import *\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{beginning}house = House.beside(Path(sys.argv[1]))\n{script}", str(house.directory)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_processes_count_together(house: House) -> None:
    """What fails at one process' doors counts at the other's: networks, accounts and sources; unlocking too."""
    account = house.join()
    house.join("al.other")
    half = LOCK // 2
    for number in range(half):
        refusal(house, b"guess %d" % number, CAFE)
    told = elsewhere(
        house,
        f"for n in range({half}, {LOCK}): refusal(house, b'guess %d' % n, CAFE)\n"
        "print(refusal(house, PASSWORD, CAFE) == PLAIN, refusal(house, PASSWORD, HOME) == PLAIN)\n"
        "for n in range(50): refusal(house, b'x', '203.0.113.9', f'user.n{n}@avon')\n"
        "house.close()",
    )
    assert told.split() == ["True", "True"]
    assert refusal(house, PASSWORD, CAFE) == PLAIN
    assert is_guarded(house, account.id)
    assert refusal(house, PASSWORD, HOME) == PLAIN
    assert refusal(house, PASSWORD, "203.0.113.9", "al.other@avon")[0] is TryLater
    now(house.factors.unlock(house.enrolment.by(), account.id))
    assert (
        elsewhere(house, "print(house.sign_in(source=CAFE).account.user_id)\nhouse.close()").strip() == "jo.ward@avon"
    )


@pytest.mark.parametrize("protocol", [ACTS, UNLOCKS, AT_THE_SERVER])
def test_at_the_server_as_at_the_doors(house: House, protocol: str) -> None:
    """A password shown for an act counts like one at a door, and is looked at no more where the door's is not."""
    house.join()
    house.sign_in(source=HOME)
    for number in range(LOCK):
        assert refusal(house, b"guess %d" % number, CAFE, protocol=protocol if number % 2 else "pop3") == PLAIN
    for door in (protocol, "pop3"):
        assert refusal(house, PASSWORD, CAFE, protocol=door) == PLAIN
        assert house.sign_in(source=HOME, protocol=door)


def test_acting_opens_nothing(house: House) -> None:
    """Who acts is known then; no key of theirs is. System-made secrets are not for that."""
    account = house.join()
    assert house.sign_in(protocol=ACTS).mail_keys == {}
    device = house.add_device(account.id)
    assert refusal(house, device, HOME, protocol=ACTS) == PLAIN
    enrolled = house.add("al.new")
    one_time = enrolled.one_time_password.encode()
    assert refusal(house, one_time, HOME, "al.new@avon", ACTS)[0] is MustChoosePassword


def test_who_unlocks_oneself_is_known(house: House) -> None:
    """Whatever locked the account; guesses at it are counted all the same, and close the network they come from."""
    account = house.join()
    guess_from_everywhere(house)
    assert is_guarded(house, account.id)
    assert refusal(house, PASSWORD, CAFE, protocol=ACTS) == PLAIN
    assert house.sign_in(source=CAFE, protocol=UNLOCKS).account.id == account.id
    house.commit(lambda view, by: accounts.set_locked(view, by, account.id, locked=True))
    assert house.sign_in(source=CAFE, protocol=UNLOCKS).account.id == account.id
    assert refusal(house, PASSWORD, CAFE, protocol=ACTS) == PLAIN
    for number in range(LOCK):
        assert refusal(house, b"more %d" % number, network(200), protocol=UNLOCKS) == PLAIN
    assert refusal(house, PASSWORD, network(200), protocol=UNLOCKS) == PLAIN
    assert house.sign_in(source=CAFE, protocol=UNLOCKS).account.id == account.id


def test_who_is_suspended_does_not_unlock_oneself(house: House) -> None:
    """Only the lock does not stand in the way."""
    account = house.join()
    house.commit(lambda view, by: lives.change_life(view, by, account.id, LifeStep.SUSPEND), "absent")
    assert refusal(house, PASSWORD, HOME, protocol=UNLOCKS) == PLAIN
