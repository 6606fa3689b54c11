"""The rooms put together."""

import queue
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.testing import MemoryReactorClock
from zope.interface import implementer

from cjsm.access.interfaces import ILoginAttempt
from cjsm.command.context import wait
from cjsm.command.initialise import initialise
from cjsm.configuration import RatesSettings, Settings, TraceSettings
from cjsm.mail.sending import CannotReach, IRelayConnector, NextHopPolicy
from cjsm.mail.traced import Answer
from cjsm.notices.interfaces import CannotCarry, Host, ICarrier
from cjsm.runningsuite import RunningSuite
from cjsm.store.interfaces import CannotOpen
from cjsm.suite import Suite, instance
from cjsm.vault.errors import MissingSecret


@implementer(IReactorFromThreads)
class Reactor(MemoryReactorClock):
    """Hears threads when the test listens."""

    def __init__(self) -> None:
        super().__init__()
        self._said: queue.Queue[Callable[[], None]] = queue.Queue()

    def callFromThread(self, function: Callable[..., None], *arguments: object) -> None:
        self._said.put(lambda: function(*arguments))

    def listen(self) -> None:
        self._said.get(timeout=10)()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of a new community."""
    values = {
        "store.data_directory": str(tmp_path / "data"),
        "store.secrets_directory": str(tmp_path / "secrets"),
        "tls.certificate": str(tmp_path / "server.pem"),
        "tls.key": str(tmp_path / "server.key"),
        "tls.authority": str(tmp_path / "authority.pem"),
    }
    return initialise(tmp_path / "cjsm.toml", values, ("localhost",))


@implementer(IRelayConnector)
class NoConnector:
    """Reaches nobody."""

    def connect(self, policy: NextHopPolicy) -> Deferred[None]:
        return fail(CannotReach("there is no network"))


@implementer(ICarrier)
class NoCarrier:
    """Carries nothing."""

    def carry(self, host: Host, sender: str, recipient: str, letter: bytes) -> Deferred[None]:
        return fail(CannotCarry("there is no network"))

    def rest(self) -> None:
        pass


def test_without_doors(settings: Settings) -> None:
    """What commands work with: opened, closed, opened again in the same process."""
    for _ in range(2):
        suite = Suite(settings)
        assert suite.stores.community.number() == 0
        assert suite.stores.community.read_now(lambda view: list(view.accounts())) == []
        suite.stores.check_readers()
        wait(suite.stores.close())


def test_with_threads(settings: Settings) -> None:
    """What the service runs: a portal, acceptance, delivery, a directory, jobs; it stops cleanly."""
    reactor = Reactor()
    suite = RunningSuite(settings, reactor, NoConnector(), NoCarrier())
    suite.start()
    assert ILoginAttempt in suite.portal.listCredentialsInterfaces()
    stopped = suite.stop()
    while not stopped.called:
        reactor.listen()
    wait(stopped)


def test_traces_outlive_the_service(settings: Settings) -> None:
    """What was traced in its last second is there after it stopped; new settings hold without a restart."""
    reactor = Reactor()
    suite = RunningSuite(settings, reactor, NoConnector(), NoCarrier())
    suite.start()
    rates, trace = RatesSettings(account_messages_per_minute=1), TraceSettings(identities="clear", kept=7)
    suite.renew(msgspec.structs.replace(settings, rates=rates, trace=trace))
    assert (suite.rates.settings, suite.tracer.settings) == (rates, trace)
    suite.tracer.failed("0123456789abcdef", recipient="jo@firm.co.uk.cjsm.test", answer=Answer(code=550))
    stopped = suite.stop()
    while not stopped.called:
        reactor.listen()
    wait(stopped)
    again = Suite(settings)
    (event,) = wait(again.traces.events("0123456789abcdef", 10))
    assert (event.code, event.recipient) == (550, "jo@firm.co.uk.cjsm.test")
    wait(again.stores.close())


def test_abandoned(settings: Settings) -> None:
    """A service that could not start leaves no thread behind."""
    suite = RunningSuite(settings, Reactor(), NoConnector(), NoCarrier())
    suite.start()
    suite.stop_threads()
    wait(suite.stores.close())


def test_without_secrets(settings: Settings, tmp_path: Path) -> None:
    """Nothing opens, and nothing is made anew."""
    (tmp_path / "secrets" / "cache.1").unlink()
    with pytest.raises(MissingSecret):
        Suite(settings)


def test_no_place_for_the_mark(tmp_path: Path) -> None:
    """Said with the cure."""
    from cjsm.configuration import StoreSettings

    (tmp_path / "file").write_text("")
    with pytest.raises(CannotOpen) as refused:
        instance(Settings(store=StoreSettings(data_directory=str(tmp_path / "file" / "data"))))
    assert "store.data_directory" in refused.value.cure
