"""What a command says: tables for people, one JSON document for programs, errors that name the cure."""

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cjsm.access.errors import (
    AccessError,
    AccessUnavailable,
    CodeNeeded,
    CodeRefused,
    MailboxClosed,
    MaildropInUse,
    MustChoosePassword,
    NotOffered,
    TryLater,
)
from cjsm.community.errors import CommunityError
from cjsm.configuration import ConfigurationError
from cjsm.instance import AlreadyRunning, NotRunning
from cjsm.ledger.errors import EntryTooLong, Malformed, ProofFailed
from cjsm.mail.folders.errors import FolderError, ImportStopped
from cjsm.store.errors import StoreError
from cjsm.vault.errors import BadPassword, BadRequest, MissingSecret, VaultError
from cjsm.wire.errors import TlsError

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

# Bars of progress are imported where somebody at a terminal may wait for what they show.
#: Columns where nobody looks: programs get every value on one line.
_UNSEEN = 1_000

console = Console(highlight=False, width=None if sys.stdout.isatty() else _UNSEEN)
errors = Console(stderr=True, highlight=False)


class Refused(Exception):
    """A command was refused or failed.

    :ivar cure: what to do about it.
    """

    def __init__(self, problem: str, cure: str = "") -> None:
        super().__init__(problem)
        self.cure = cure


def table(rows: Sequence[Sequence[str]], *columns: str, title: str | None = None) -> None:
    """Print rows; whole values, even where the terminal is narrow, when nobody looks."""
    made = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(escape(value) for value in row))
    console.print(made)


def watched(items: Iterable[T], description: str, *, patience: float = 1.0) -> Generator[T, None, None]:
    """Yield *items*; whoever waits longer than *patience* seconds sees at a terminal how many there were.

    Whoever does not want all of them closes it before anything else is printed.
    """
    if not errors.is_terminal:
        yield from items
        return
    from rich.progress import Progress

    begun = time.monotonic()
    progress = Progress("{task.description}", "{task.completed}", console=errors, transient=True)
    task = progress.add_task(description, total=None)
    try:
        for number, item in enumerate(items):
            if time.monotonic() - begun > patience:
                progress.start()
                progress.update(task, completed=number)
            yield item
    finally:
        if progress.live.is_started:
            progress.stop()


@contextmanager
def progressing(
    description: str, total: int, *, octets: bool = True, patience: float = 1.0
) -> Iterator[Callable[[int], None]]:
    """A bar for whoever waits longer than *patience* seconds at a terminal; yields what moves it on.

    :param octets: what is counted; otherwise things.
    """
    if not errors.is_terminal:
        yield lambda octets: None
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    begun = time.monotonic()
    counted = (DownloadColumn(), TransferSpeedColumn()) if octets else (MofNCompleteColumn(),)
    columns = ("{task.description}", BarColumn(), *counted, TimeRemainingColumn())
    progress = Progress(*columns, console=errors, transient=True)
    task = progress.add_task(description, total=total)

    def advance(octets: int) -> None:
        progress.advance(task, octets)
        if not progress.live.is_started and time.monotonic() - begun > patience:
            progress.start()

    try:
        yield advance
    finally:
        if progress.live.is_started:
            progress.stop()


def when(moment: int | None) -> str | None:
    """Return a moment as people and programs both read it (ISO 8601, UTC); None for never."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds") if moment else None


def shown(value: Any) -> str:
    """Return a value of a document as people read it: one line for each part."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case dict():
            return "\n".join(f"{name} {shown(part)}" for name, part in value.items())
        case list() | tuple():
            return "\n".join(shown(part) for part in value) or "-"
        case _:
            return str(value)


def facts(told: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what is told of one thing: as one JSON document, or a line for each."""
    if as_json:
        document(told)
    else:
        table([(name.replace("_", " "), shown(value)) for name, value in told.items()], "field", "value")


def document(value: Any) -> None:
    """Print one JSON document."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    sys.stdout.flush()


def fail(problem: str, cure: str, *, as_json: bool) -> NoReturn:
    """Say what went wrong and end with exit code 1."""
    if as_json:
        document({"error": problem, "cure": cure})
    else:
        errors.print(f"[bold red]cjsm:[/] {_plain(problem)}", soft_wrap=True)
        if cure:
            errors.print(f"[bold]cure:[/] {_plain(cure)}", soft_wrap=True)
    raise SystemExit(1)


_PASSWORD = (
    "type the user's own password again: the current one, or the one-time password while it is valid. "
    "After many wrong ones none is looked at for a time: `cjsm user show USER`, `cjsm user unlock USER`"
)
_CODE = "type the code that the authenticator shows now; each is good once. Or a recovery code"
#: What to do about somebody who does not get in, where it is not to type the password again.
_CURES: dict[type[AccessError], str] = {
    CodeNeeded: _CODE,
    CodeRefused: _CODE,
    MustChoosePassword: "see `cjsm user set-password --help`",
    MaildropInUse: "end that session, then run this again",
    MailboxClosed: "see `cjsm mailbox verify`",
    NotOffered: "see `cjsm mailbox list`",
    AccessUnavailable: "see `cjsm check`",
    TryLater: "wait, then run this again",
}


def _cure(error: AccessError) -> str:
    return next((cure for kind, cure in _CURES.items() if isinstance(error, kind)), _PASSWORD)


def _plain(text: str) -> str:
    return escape(text)


def reported(function: Callable[P, R]) -> Callable[P, R]:
    """Translate the rooms' errors into a problem and its cure, in one place."""

    @wraps(function)
    def run(*arguments: P.args, **options: P.kwargs) -> R:
        as_json = bool(options.get("as_json", False))
        try:
            return function(*arguments, **options)
        except (
            *(Refused, CommunityError, ConfigurationError, StoreError, MissingSecret, TlsError),
            *(FolderError, ImportStopped, EntryTooLong, Malformed, ProofFailed),
        ) as error:
            fail(str(error), error.cure, as_json=as_json)
        except BadPassword as error:
            fail(str(error), "choose another password", as_json=as_json)
        except BadRequest as error:
            fail(str(error), "see `cjsm connection certificate issue --help`", as_json=as_json)
        except AccessError as error:
            fail(str(error), _cure(error), as_json=as_json)
        except NotRunning:
            fail("no service runs on this data directory", "start it: twistd cjsm --config FILE", as_json=as_json)
        except AlreadyRunning as error:
            fail(str(error), "stop it first", as_json=as_json)
        except VaultError as error:
            fail(str(error), "see `cjsm check`", as_json=as_json)
        except PermissionError as error:
            fail(f"{error.filename}: {error.strerror}", "run this as the service's user, or as root", as_json=as_json)
        except OSError as error:
            fail(f"{error.filename or ''}: {error.strerror}", "see `cjsm check`", as_json=as_json)

    return run


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
