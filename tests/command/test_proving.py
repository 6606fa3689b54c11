"""Passwords that people show at commands are counted, shut out and answered as those at the doors."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from cjsm.access.errors import AccessRefused
from cjsm.access.interfaces import LoginAttempt
from cjsm.access.lockout import SECOND_FACTOR
from cjsm.command.context import wait
from cjsm.community import finding
from cjsm.suite import Suite
from tests.command.conftest import Run, copied, ran, refused, told
from tests.command.mailboxes import beside
from tests.command.test_acting import DESK, JANE, OLIVE, TOM, UNA, Avon
from tests.command.test_factor import later, turned_on
from tests.command.test_user import PASSWORD

REFUSED = "user name or password not accepted"
#: The policy's limit of different wrong passwords.
LIMIT = 10

#: Every way to show the password of {} at a command; the lines that follow it.
WAYS: dict[str, tuple[tuple[str, ...], str]] = {
    "login": (("login", "{}"), ""),
    "--as": (("user", "show", "{}", "--as", "{}"), ""),
    "an officer's": (("recovery", "officer", "add", "{}", "--organisation", "avon"), ""),
    "device add": (("device", "add", "{}", "phone"), ""),
    "shared open": (("shared", "open", DESK, "{}"), ""),
    "--opened-by": (("shared", "join", DESK, TOM, "--opened-by", "{}"), ""),
    "set-password": (("user", "set-password", "{}"), "quite another password\n"),
    "factor add": (("factor", "add", "{}"), ""),
    "factor confirm": (("factor", "confirm", "{}"), "123456\n"),
    "factor remove": (("factor", "remove", "{}"), "123456\n"),
    "recovery-codes": (("user", "recovery-codes", "{}"), ""),
    "unlock --self": (("user", "unlock", "{}", "--self"), "123456\n"),
    "export": (("mailbox", "export", "{}", "FILES/mail.mbox"), ""),
    "undelete": (("mailbox", "undelete", "{}", "--all"), ""),
}


@pytest.fixture(scope="module")
def made(_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Avon(copied(_made, tmp_path_factory.mktemp("proving") / "home")).config.parent


@pytest.fixture
def config(made: Path, tmp_path: Path) -> Path:
    """A community of one's own, in which everybody has a role."""
    return copied(made, tmp_path / "home")


def show(config: Path, way: str, who: str, password: str) -> Result:
    """Show a password at a command."""
    words, more = WAYS[way]
    told = [word.replace("{}", who).replace("FILES/", f"{config.parent}/") for word in words]
    return ran(*told, "--password-stdin", "--json", config=config, typed=f"{password}\n{more}")


def at_the_door(config: Path, who: str, *passwords: str) -> list[bool]:
    """Sign in over POP3 from this computer, with one password after the other; whether each is let in."""
    with beside(config) as suite:
        return [_admits(suite, who, password) for password in passwords]


def _admits(suite: Suite, who: str, password: str) -> bool:
    attempt = LoginAttempt(who, password.encode(), protocol="pop3", source="127.0.0.1")
    try:
        wait(suite.checker_at_the_server.requestAvatarId(attempt))
    except AccessRefused:
        return False
    return True


def counted(config: Path, who: str) -> dict[str, int]:
    """Different wrong passwords by network."""
    with beside(config) as suite:
        account = suite.stores.community.read_now(lambda view: finding.account_of(view, who))
        return {network: len(found.tags) for network, found in suite.stores.activity.failing(account.id)}


@pytest.mark.parametrize("way", WAYS)
def test_counted_and_shut_out(config: Path, way: str) -> None:
    """A wrong one counts once however often; what guesses closed stays closed to the right one, in the same words."""
    for _ in range(2):
        assert refused(show(config, way, OLIVE, "wrong"))["error"] == REFUSED
    assert counted(config, OLIVE) == {"127.0.0.0/24": 1}
    assert not any(at_the_door(config, OLIVE, *(f"guess {number}" for number in range(LIMIT - 1))))
    answer = refused(show(config, way, OLIVE, PASSWORD))
    assert answer["error"] == REFUSED
    assert "cjsm user unlock" in answer["cure"]


@pytest.mark.parametrize("way", WAYS)
def test_equal_words(config: Path, way: str) -> None:
    """Suspended, unknown and wrong are not told apart by whoever shows a password."""
    told(ran("user", "suspend", JANE, "--reason", "absent", "--json", config=config))
    answers = [refused(show(config, way, JANE, password)) for password in (PASSWORD, "wrong")]
    if way not in ("an officer's", "undelete", "--as"):
        # There somebody's name is an object of the act too.
        answers.append(refused(show(config, way, "nobody@avon", "wrong")))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["error"] == REFUSED


def test_as_nobody(config: Path) -> None:
    """As somebody who is not there: asked for a password, and refused as for a wrong one."""
    words = ("organisation", "list", "--as", "nobody@avon", "--password-stdin", "--json")
    assert refused(ran(*words, config=config, typed="x\n"))["error"] == REFUSED


def test_guesses_at_commands_close_the_door(config: Path) -> None:
    """And what follows at the doors is as after guesses there: this network, and later those never used."""
    for number in range(LIMIT):
        show(config, ("login", "--as", "device add", "shared open")[number % 4], OLIVE, f"guess {number}")
    assert at_the_door(config, OLIVE, PASSWORD) == [False]
    assert at_the_door(config, UNA, PASSWORD) == [True]
    shown = told(ran("user", "show", OLIVE, "--json", config=config))
    assert shown["closed_networks"] == ["127.0.0.0/24"]
    told(ran("user", "unlock", OLIVE, "--as", UNA, "--password-stdin", "--json", config=config, typed=f"{PASSWORD}\n"))
    assert at_the_door(config, OLIVE, PASSWORD) == [True]
    told(show(config, "--as", OLIVE, PASSWORD))


def test_a_success_forgets(config: Path) -> None:
    """One's own mistakes are one's own, as at the doors."""
    for number in range(3):
        show(config, "--as", OLIVE, f"mistake {number}")
    assert counted(config, OLIVE)
    told(show(config, "--as", OLIVE, PASSWORD))
    assert counted(config, OLIVE) == {}


def test_many_peoples_passwords(config: Path) -> None:
    """Guessing over many accounts closes the source for those who never were there; the others go on."""
    text = config.read_text()
    assert "source_failing_accounts = 50" in text
    config.write_text(text.replace("source_failing_accounts = 50", "source_failing_accounts = 3"))
    told(show(config, "--as", OLIVE, PASSWORD))
    for name in ("a", "b", "c"):
        refused(show(config, "login", f"{name}@avon", "guess"))
    late = refused(show(config, "--as", "henry.desk@avon", PASSWORD))
    assert late["cure"].startswith("wait")
    told(show(config, "--as", OLIVE, PASSWORD))


def test_system_made_secrets_lock_nobody(config: Path) -> None:
    """They cannot be guessed, so wrong ones are not counted, and the right one works where guesses closed the rest."""
    secret = told(show(config, "device add", JANE, PASSWORD))["device_password"]
    for number in range(LIMIT):
        show(config, "login", JANE, f"guess {number}")
    assert refused(show(config, "device add", JANE, PASSWORD))["error"] == REFUSED
    words = ("user", "set-password", JANE, "--password-stdin", "--json")
    assert refused(ran(*words, config=config, typed=f"{secret[:-2]}zz\nquite another password\n"))["error"] == REFUSED
    told(ran(*words, config=config, typed=f"{secret}\nquite another password\n"))
    # It does not act for her, or approve, or make another device's: that is for her own password.
    assert refused(show(config, "device add", JANE, secret))["error"] == REFUSED
    assert refused(show(config, "--as", JANE, secret))["error"] == REFUSED


class TestCodes:
    """The second factor's codes."""

    @pytest.fixture
    def code(self, cjsm: Run) -> Callable[[], str]:
        one, _ = turned_on(cjsm)
        return lambda: later(one)

    def test_wrong_codes_close(self, cjsm: Run, code: Callable[[], str], config: Path) -> None:
        """At --as and at cjsm login alike, in all processes: then not even the right one is taken."""
        for number in range(LIMIT):
            words = ("login", JANE) if number % 2 else ("user", "show", JANE, "--as", JANE)
            typed = f"{PASSWORD}\n{number:06}\n"
            answer = refused(cjsm(*words, "--password-stdin", "--json", typed=typed))
            assert answer["error"] == "code not accepted"
        assert counted(config, JANE) == {SECOND_FACTOR: LIMIT}
        typed = f"{PASSWORD}\n{code()}\n"
        for words in (("login", JANE), ("device", "add", JANE, "phone"), ("role", "list", "--as", JANE)):
            answer = refused(cjsm(*words, "--password-stdin", "--json", typed=typed))
            assert answer["error"] == "code not accepted"

    def test_a_wrong_password_asks_for_no_code(self, cjsm: Run, code: Callable[[], str]) -> None:
        """So nobody without the password uses the codes' tries up."""
        typed = f"wrong\n{code()}\n"
        assert refused(cjsm("login", JANE, "--password-stdin", "--json", typed=typed))["error"] == REFUSED
        assert told(
            cjsm("user", "show", JANE, "--as", JANE, "--password-stdin", "--json", typed=f"{PASSWORD}\n{code()}\n")
        )


def test_an_old_password_chooses_another(cjsm: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where passwords end: it acts no more, and serves to choose the next one."""
    config.write_text(config.read_text().replace('policy = "ncsc"', 'policy = "legacy"'))
    then = time.time() + 91 * 86_400
    monkeypatch.setattr("time.time", lambda: then)
    answer = refused(show(config, "--as", JANE, PASSWORD))
    assert "expired" in answer["error"]
    assert "set-password" in answer["cure"]
    chosen = "Quite another 1"
    words = ("user", "set-password", JANE, "--password-stdin", "--json")
    assert refused(cjsm(*words, typed=f"wrong\n{chosen}\n"))["error"] == REFUSED
    told(cjsm(*words, typed=f"{PASSWORD}\n{chosen}\n"))
    told(show(config, "--as", JANE, chosen))
