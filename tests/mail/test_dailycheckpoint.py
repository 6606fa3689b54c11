"""Each day every administrator gets the ledger's checkpoint, and hears when the ledger is not what it was."""

import email
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import execute, succeed

from cjsm.command.auditverify import found_in
from cjsm.community.identifiers import JobId
from cjsm.community.records import Job
from cjsm.configuration import LedgerSettings
from cjsm.mail.dailycheckpoint import DailyCheckpoint
from cjsm.store.interfaces import DiskFull
from cjsm.vault.errors import NotAuthentic
from tests.community.communities import NOW, identifier
from tests.jobs.test_checkpointing import Bench

from .support import OLIVE, House, logged, missing, opened, result, small
from .weather import Fate

JOB = Job(id=JobId(identifier("job")), kind="ledger-checkpoint", due=0)


class Both:
    """People as the house has them, and entries as the bench does."""

    def __init__(self, house: House, bench: Bench) -> None:
        self.read: Callable[..., Any] = house.community.read
        self.read_now: Callable[..., Any] = house.community.read_now
        self.entries_now = bench.store.entries_now
        self.last_entry = bench.store.last_entry


class Day:
    """A house with a ledger of some hundred entries."""

    def __init__(self, directory: Path) -> None:
        self.house, self.bench = House(), Bench(directory)
        self.bench.append(300)
        result(self.bench.signer.run())
        self.settings = small()

    def run(self) -> str:
        made = DailyCheckpoint(
            self.settings,
            self.bench.keys,
            community=Both(self.house, self.bench),  # type: ignore[arg-type]
            files=self.bench.files,
            spool=self.house.spool,
            own_mail=self.house.acceptance.own_mail,
            clock=self.house.clock.seconds,
            aside=execute,
            turn=lambda: succeed(None),
        )
        return result(made.run(JOB))

    def letters(self) -> list[Message]:
        return [
            email.message_from_bytes(
                opened(each.wrap, each.mailbox, each.delivery_id, entry.body or b"", entry.summary)[0]
            )
            for entry in self.house.platter.entries.values()
            for each in entry.deliveries
        ]


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    made = Day(tmp_path)
    yield made
    made.bench.close()


def text(letter: Message) -> str:
    payload = letter.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def test_every_administrator(day: Day) -> None:
    """Gets it once, in words and in lines that can be checked; it is kept under its date and in the log."""
    note = day.bench.files.read("checkpoint") or b""
    with logged() as lines:
        assert day.run() == f"301 entries verified, mailed to {len(day.letters())} administrators"
    letters = day.letters()
    told = {letter["To"] for letter in letters}
    assert "<olive.marsh@avon.cjsm.test>" in told
    assert "<jo.ward@avon.cjsm.test>" not in told
    assert len(told) == len(letters) > 1
    for letter in letters:
        assert letter["Subject"] == f"Checkpoint of the ledger, {datetime.fromtimestamp(NOW, UTC):%d %B %Y}"
        assert (letter["Auto-Submitted"], letter["Return-Path"]) == ("auto-generated", "<>")
        assert "301 entries" in text(letter)
        assert "ATTENTION" not in text(letter)
        assert found_in(letter.as_bytes(), "x.test/ledger") == note
    assert len({letter["Message-ID"] for letter in letters}) == len(letters)
    assert day.bench.files.read(f"checkpoints/{datetime.fromtimestamp(NOW, UTC):%Y-%m-%d}") == note
    assert any("today's checkpoint of the ledger: 301 entries" in line and "x.test/ledger" in line for line in lines)


def test_what_is_wrong(day: Day) -> None:
    """Is said first of all, to everybody and in the log."""
    day.bench.write({17: day.bench.encoded(18)})
    with logged() as lines:
        assert day.run().startswith("found: entry 17 is the first that is not what it was")
    assert all("ATTENTION" in text(letter) and "entry 17" in text(letter) for letter in day.letters())
    assert any("entry 17 is the first" in line for line in lines)


def test_without_mail(day: Day) -> None:
    """It is verified, logged and kept all the same."""
    day.settings = msgspec.structs.replace(small(), ledger=LedgerSettings(checkpoint_mail=False))
    assert day.run() == "301 entries verified, mailed to 0 administrators"
    assert day.letters() == []


def test_before_anything_is_signed(day: Day) -> None:
    """Nothing is mailed."""
    (day.bench.directory / "ledger" / "checkpoint").unlink()
    assert day.run() == "nothing is signed yet"


def test_one_that_cannot_be_written(day: Day) -> None:
    """Is in the log, and the others are written."""
    day.house.forecast.foretell("put", Fate(error=DiskFull("below the floor")))
    with logged() as lines:
        day.run()
    assert any("below the floor" in line for line in lines)
    assert day.letters()


@pytest.mark.parametrize("error", [missing(), NotAuthentic("not signed")])
def test_an_administrator_whose_keys_are_not_in_order(day: Day, error: Exception) -> None:
    """Keeps nobody else from hearing: whoever changes the ledger could have changed those too."""
    day.run()
    everybody = len(day.letters())
    day.house.platter.entries.clear()
    day.house.keys.lost[OLIVE] = error
    with logged() as lines:
        assert day.run() == f"301 entries verified, mailed to {everybody - 1} administrators"
    assert len(day.letters()) == everybody - 1
    assert any("a checkpoint was not mailed" in line for line in lines)
