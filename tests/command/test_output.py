"""What commands say."""

import io
import json

import pytest
from rich.console import Console

from cjsm.access.errors import (
    AccessError,
    AccessRefused,
    AccessUnavailable,
    CodeNeeded,
    CodeRefused,
    MailboxClosed,
    MaildropInUse,
    MustChoosePassword,
    NotOffered,
    PasswordExpired,
    TryLater,
)
from cjsm.command import output
from cjsm.community.errors import BadValue
from cjsm.configuration import ConfigurationError
from cjsm.instance import AlreadyRunning, NotRunning
from cjsm.mail.folders.errors import FolderError, ImportStopped
from cjsm.store.interfaces import CannotOpen, Damaged, NewerStore
from cjsm.vault.errors import BadPassword, MissingSecret, NotAuthentic
from cjsm.wire.errors import TlsError

FAILURES = [
    output.Refused("no", "do this"),
    BadValue("no", "do this"),
    ConfigurationError("no", "do this"),
    CannotOpen("no", "do this"),
    NewerStore("no"),
    FolderError("no", "do this"),
    ImportStopped("no", "do this"),
    Damaged("no"),
    MissingSecret("no", "do this"),
    TlsError("no", "do this"),
    BadPassword("no"),
    AccessRefused(),
    NotRunning(),
    AlreadyRunning(5),
    NotAuthentic("no"),
    PermissionError(13, "Permission denied", "/some/file"),
    OSError(28, "No space left on device", "/some/file"),
]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("as_json", [True, False])
def test_every_error_has_a_cure(error: Exception, as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """One line of what is wrong, one of what to do; or one document. The exit code is 1."""

    @output.reported
    def act(*, as_json: bool) -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        act(as_json=as_json)
    assert ended.value.code == 1
    said = capsys.readouterr()
    if as_json:
        document = json.loads(said.out)
        assert document["error"]
        assert document["cure"]
    else:
        assert said.out == ""
        assert said.err.startswith("cjsm: ")
        assert "\ncure: " in said.err


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (AccessRefused(), "cjsm user unlock"),
        (AccessRefused(warned=True), "cjsm user unlock"),
        (MustChoosePassword(), "set-password"),
        (PasswordExpired(), "set-password"),
        (CodeNeeded(), "authenticator"),
        (CodeRefused(), "authenticator"),
        (TryLater(), "wait"),
        (MaildropInUse(), "end that session"),
        (MailboxClosed(), "mailbox verify"),
        (NotOffered("nothing here"), "mailbox list"),
        (AccessUnavailable(), "cjsm check"),
    ],
)
def test_who_does_not_get_in(error: AccessError, cure: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Hears what to do about it; who types a wrong password always the same."""

    @output.reported
    def act(as_json: bool) -> None:
        raise error

    with pytest.raises(SystemExit):
        act(as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["error"] == str(error)
    assert cure in document["cure"]


def test_bugs_are_not_hidden() -> None:
    """What nobody expected keeps its traceback."""

    @output.reported
    def act() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act()


def test_values() -> None:
    """As people read them."""
    assert output.shown(None) == output.shown("") == output.shown([]) == "-"
    assert (output.shown(True), output.shown(5)) == ("yes", "5")
    assert output.shown(["a", "b"]) == "a\nb"
    assert output.shown({"smtp": None, "pop3": 3}) == "smtp -\npop3 3"
    assert (output.when(0), output.when(1_767_225_600)) == (None, "2026-01-01T00:00:00+00:00")


def test_watched() -> None:
    """Whoever waits sees how far it is; whoever does not sees nothing. All items come through."""
    assert list(output.watched(range(5), "things")) == list(range(5))
    assert list(output.watched(range(5), "things", patience=-1)) == list(range(5))
    ended = output.watched(range(5), "things", patience=-1)
    assert next(ended) == 0
    ended.close()


@pytest.mark.parametrize("octets", [True, False])
def test_progressing(octets: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar only for whoever waits, gone at the end; whoever does not sees nothing."""
    said = io.StringIO()
    monkeypatch.setattr(output, "errors", Console(file=said, force_terminal=True, width=100))
    with output.progressing("things", 10, octets=octets) as advance:
        advance(5)
    assert said.getvalue() == ""
    with output.progressing("things", 10, octets=octets, patience=-1) as advance:
        advance(5)
    assert "things" in said.getvalue()
