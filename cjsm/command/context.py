"""Opening the suite for a command: which settings file, as whom, and how a Deferred is waited for."""

import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cjsm import configuration
from cjsm.command.output import Refused
from cjsm.configuration import Settings
from cjsm.suite import Suite

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

T = TypeVar("T")

DEFAULT = "/etc/cjsm/cjsm.toml"
_REHEARSES = "cjsm.dry-run"

config_option = click.option(
    "--config",
    "config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="CJSM_CONFIG",
    default=DEFAULT,
    show_default=True,
    show_envvar=True,
    is_eager=True,
    help="The settings file.",
)


def load(config: Path) -> Settings:
    """Return the settings; whoever is root becomes the data directory's owner first.

    Files that a command makes belong to the service then, and a command never writes with more rights than it.

    :raises ConfigurationError: when the file cannot be used.
    """
    settings = configuration.load(config)
    become_owner(Path(settings.store.data_directory))
    return settings


def become_owner(directory: Path) -> None:
    """Give up being root for the owner of *directory*, where it exists and belongs to somebody else."""
    if os.geteuid() != 0 or not directory.exists():
        return
    owner = directory.stat()
    if owner.st_uid == 0:
        return
    _read_program()
    os.setgroups([])
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)


def _read_program() -> None:
    """Import what every suite needs while the command is still root, who reads wherever it was installed."""
    for module in ("cjsm.stores", "cjsm.vault.secrets", "twisted.internet.defer", "twisted.python.failure"):
        import_module(module)


def rehearses() -> bool:
    """Whether ``--dry-run`` was given."""
    context = click.get_current_context(silent=True)
    return bool(context is not None and context.meta.get(_REHEARSES))


def _rehearse(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    context.meta[_REHEARSES] = value


#: For a verb that is one act.
dry_run_option = click.option(
    "--dry-run",
    is_flag=True,
    expose_value=False,
    callback=_rehearse,
    help="Say what would be done, as far as it may be done, and do nothing.",
)


def open_suite(config: Path) -> Suite:
    """Return the suite without doors, open until the command ends; it works beside a running service.

    :raises ConfigurationError: for bad settings; stores and secrets raise their own errors.
    """
    settings = load(config)
    directory = Path(settings.store.data_directory)
    if not (directory / "community.mdb").exists():
        raise Refused(f"there is no community in {directory}", f"run `cjsm init --config {config}` first")
    suite = Suite(settings, rehearsal=rehearses())
    click.get_current_context().call_on_close(lambda: wait(suite.stores.close()))
    return suite


def open_suite_for_files(config: Path) -> Suite:
    """Open the suite as :func:`open_suite` does, for a command that also reads or writes the caller's own files.

    Whoever is root acts as the data directory's owner, and is root again inside :func:`as_caller`.
    """
    directory = Path(configuration.load(config).store.data_directory)
    if os.geteuid() == 0 and directory.exists() and directory.stat().st_uid != 0:
        groups, owner = os.getgroups(), directory.stat()
        _read_program()
        click.get_current_context().call_on_close(lambda: _again(groups))
        os.setgroups([])
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
    return open_suite(config)


def _again(groups: list[int]) -> None:
    os.seteuid(os.getuid())
    os.setegid(os.getgid())
    os.setgroups(groups)


@contextmanager
def as_caller() -> Iterator[None]:
    """Be whoever called the command, for its files; :func:`open_suite_for_files` became the data's owner."""
    user, group = os.geteuid(), os.getegid()
    if user != os.getuid():
        os.seteuid(os.getuid())
        os.setegid(os.getgid())
    try:
        yield
    finally:
        if user != os.geteuid():
            os.setegid(group)
            os.seteuid(user)


def check_free(path: Path, cure: str = "name another file") -> None:
    """Refuse a name for a new file that is taken, as whoever called the command sees it."""
    with as_caller():
        if path.exists():
            raise Refused(f"{path} exists already", cure)


def run_reactor(work: "Callable[[Any], Coroutine[Deferred[Any], Any, T]]") -> T:
    """Return the result of *work*, which gets a reactor that runs as long; once in a command."""
    # Here and in wait(): who completes options or asks for help waits for nothing of Twisted.
    from twisted.internet import reactor as running
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    reactor: Any = running
    results: list[T | Failure] = []

    def begin() -> None:
        done = Deferred.fromCoroutine(work(reactor)).addBoth(results.append)
        done.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    if not results:
        raise click.Abort
    result = results[0]
    if isinstance(result, Failure):
        result.raiseException()
    return result


def wait(work: "Coroutine[Deferred[Any], Any, T] | Deferred[T]") -> T:
    """Return the result of *work*, which has one at once: a command's stores need no reactor."""
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    done = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)
    results: list[Any] = []
    done.addBoth(results.append)
    result = results[0]
    if isinstance(result, Failure):
        result.raiseException()
    value: T = result
    return value
