"""``cjsm backup`` and ``cjsm restore``: everything, on a machine that has nothing."""

import os
import shutil
from pathlib import Path

import pytest

from cjsm.command.context import wait
from cjsm.community import finding
from cjsm.community.acts import destruction, lives, shared
from cjsm.community.acts.lives import LifeStep
from cjsm.community.identifiers import AccountId, ActId, MailboxId, text
from cjsm.ledger.entries import decode_entry
from cjsm.ledger.errors import LedgerBroken
from tests.command.conftest import Run, refused, told
from tests.command.mailboxes import beside, commit, last_entry, unique_ids
from tests.command.test_audit import rewrite, sign
from tests.command.test_mailboxbackup import CANARY, JANE, TOM, House

PASSWORD = "violet tractor café lamp"


@pytest.fixture
def house(config: Path) -> House:
    return House(config)


def lose(house: House) -> Path:
    """The disk is gone, but for what was beside it; return where the data was."""
    data = house.config.parent / "data"
    shutil.rmtree(data)
    data.mkdir()
    return data


def test_everything_comes_back(cjsm: Run, house: House, tmp_path: Path) -> None:
    """People sign in, mail is where it was and opens; what is in the backup is no mail and no secret."""
    place = tmp_path / "backup"
    made = told(cjsm("backup", str(place), "--json"))
    assert made["mailboxes"] == 2
    assert last_entry(house.config).act == "service-backup"
    assert {path.name for path in place.iterdir()} >= {"manifest.jsonl", "community.mdb", "keys.mdb", "trace.mdb"}
    every = [path for path in place.rglob("*") if path.is_file()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in every)
    held = b"".join(path.read_bytes() for path in every)
    assert CANARY[:64] not in held
    assert not any(secret.read_bytes() in held for secret in (house.config.parent / "secrets").iterdir())
    data = lose(house)
    assert "init" in refused(cjsm("user", "list", "--json"))["cure"]
    shutil.rmtree(data)
    done = told(cjsm("restore", str(place), "--reason", "disk lost", "--json"))
    assert [each["result"] for each in done] == ["restored", "restored"]
    assert [each["problems"] for each in done] == [[], []]
    assert not [path for path in (data, *data.rglob("*")) if path.stat().st_mode & 0o077]
    assert house.as_before(house.jane)
    assert house.as_before(house.tom)
    out = tmp_path / "jane.mbox"
    cjsm("mailbox", "export", JANE, str(out), "--password-stdin", typed=f"{PASSWORD}\n")
    assert CANARY[:64] in out.read_bytes()
    with beside(house.config) as suite:
        entries = [decode_entry(encoded) for _, encoded in wait(suite.stores.community.entries(0, 10_000))]
    assert "service-restored" in {each.act for each in entries}


def test_the_ledger(cjsm: Run, house: House, tmp_path: Path) -> None:
    """What was signed is in the backup, and the ledger has to be that; a later one that survived is gone on with."""
    signed, place = sign(house.config), tmp_path / "backup"
    told(cjsm("backup", str(place), "--json"))
    told(cjsm("user", "lock", JANE, "--json"))
    later = sign(house.config)
    kept = tmp_path / "ledger"
    shutil.copytree(house.config.parent / "data" / "ledger", kept)
    data = lose(house)
    told(cjsm("restore", str(place), "--reason", "disk lost", "--json"))
    assert (data / "ledger" / "checkpoint").read_text().splitlines()[1] == str(signed)
    # As the service does when it starts.
    assert sign(house.config) > signed
    told(cjsm("audit", "verify", "--json"))
    # Whoever has a later checkpoint sees that something was lost.
    said = refused(cjsm("audit", "verify", "--checkpoint", str(kept / "checkpoint"), "--json"))["error"]
    assert "are not those of the checkpoint" in said or "was put back" in said
    data = lose(house)
    shutil.copytree(kept, data / "ledger")
    told(cjsm("restore", str(place), "--reason", "disk lost", "--json"))
    with pytest.raises(LedgerBroken, match=r"not what it was when the ledger was signed|was put back"):
        sign(house.config)
    assert told(cjsm("audit", "recover", "--reason", "backup", "--json"))["entries"] == later - signed - 1
    sign(house.config)
    told(cjsm("audit", "verify", "--checkpoint", str(kept / "checkpoint"), "--json"))


def test_another_ledger(cjsm: Run, house: House, tmp_path: Path) -> None:
    """A community.mdb that was changed in the backup, with its manifest, is not what was signed."""
    sign(house.config)
    place = tmp_path / "backup"
    told(cjsm("backup", str(place), "--json"))
    lose(house)
    told(cjsm("restore", str(place), "--reason", "disk lost", "--json"))
    rewrite(house.config, lambda entry: entry.replace(b"avon", b"nova", 1), 0)
    with pytest.raises(LedgerBroken, match="some entry is not what it was"):
        sign(house.config)


def test_what_came_between(cjsm: Run, house: House, tmp_path: Path) -> None:
    """Keys are written last: what changes while mailboxes are written can be opened all the same."""
    place = tmp_path / "backup"
    told(cjsm("keys", "rotate", JANE, "--json"))
    told(cjsm("backup", str(place), "--json"))
    lose(house)
    told(cjsm("restore", str(place), "--reason", "test", "--json"))
    assert [each["generation"] for each in told(cjsm("keys", "show", JANE, "--json"))] == [1, 2]


def with_keys_of(older: Path, place: Path) -> None:
    """Put the key store of an older backup into another one, with what vouches for it."""
    shutil.copy(older / "keys.mdb", place / "keys.mdb")
    line = next(each for each in (older / "manifest.jsonl").read_text().splitlines() if '"keys.mdb"' in each)
    manifest = (place / "manifest.jsonl").read_text().splitlines()
    mixed = [line if '"keys.mdb"' in each else each for each in manifest]
    (place / "manifest.jsonl").write_text("\n".join(mixed) + "\n")


def test_who_was_destroyed_stays_so(cjsm: Run, house: House, tmp_path: Path) -> None:
    """Though a key store of before is put in the backup's place."""
    older, place = tmp_path / "older", tmp_path / "backup"
    told(cjsm("backup", str(older), "--json"))
    with beside(house.config) as suite:
        account = suite.stores.community.read_now(lambda view: view.account_of_user_id(TOM))
        assert account is not None
        identifier = AccountId(account.id)
        commit(suite, lambda view, by: lives.change_life(view, by, identifier, LifeStep.DELETE), "left")
        commit(suite, lambda view, by: destruction.begin(view, by, identifier, view.moment + 1))
        wait(suite.stores.keys.destroy(identifier))
        wait(suite.stores.keys.destroy(house.tom))
        wait(suite.stores.mail.destroy(house.tom))
        act = ActId(os.urandom(16))
        wait(suite.stores.community.commit(act, lambda view: destruction.finish(view, identifier, 1)))
    told(cjsm("backup", str(place), "--json"))
    # The manifest vouches for what was written: a mixture is refused.
    shutil.copy(older / "keys.mdb", place / "keys.mdb")
    lose(house)
    answer = refused(cjsm("restore", str(place), "--reason", "test", "--json"))
    assert "not what was written" in answer["error"]
    assert "cjsm backup" in answer["cure"]
    with_keys_of(older, place)
    told(cjsm("restore", str(place), "--reason", "test", "--json"))
    with beside(house.config) as suite:
        assert suite.stores.keys.latest(identifier) == 0
        assert suite.stores.keys.latest(house.tom) == 0


def test_a_shared_mailbox_that_was_destroyed_stays_so(cjsm: Run, house: House, tmp_path: Path) -> None:
    """Though a mailbox and a key store of before are put in the backup's place."""
    older, place = tmp_path / "older", tmp_path / "backup"
    made = told(cjsm("shared", "add", "avon", "duty", "--name", "Duty", "--member", JANE, "--json"))
    told(cjsm("backup", str(older), "--json"))
    with beside(house.config) as suite:
        desk = suite.stores.community.read_now(lambda view: finding.mailbox_of(view, made["address"]))
        commit(suite, lambda view, by: shared.delete(view, by, desk), "other")
        commit(suite, lambda view, by: destruction.begin(view, by, desk, view.moment + 1))
        wait(suite.stores.keys.destroy(desk))
        wait(suite.stores.mail.destroy(desk))
        act = ActId(os.urandom(16))
        wait(suite.stores.community.commit(act, lambda view: destruction.finish(view, desk, 1)))
    told(cjsm("backup", str(place), "--json"))
    with_keys_of(older, place)
    lose(house)
    told(cjsm("restore", str(place), "--reason", "test", "--json"))
    with beside(house.config) as suite:
        assert suite.stores.keys.latest(desk) == 0
        assert suite.stores.community.read_now(lambda view: view.kept_shared_mailbox(desk)) is None
    assert "no shared mailbox" in refused(cjsm("shared", "show", made["address"], "--json"))["error"]


def test_a_place_that_has_something(cjsm: Run, house: House, tmp_path: Path) -> None:
    """Nothing is ever written over, and nothing half is taken for whole."""
    place = tmp_path / "backup"
    told(cjsm("backup", str(place), "--json"))
    assert "finished backup" in refused(cjsm("backup", str(place), "--json"))["error"]
    assert "there is a community" in refused(cjsm("restore", str(place), "--reason", "x", "--json"))["error"]
    mailboxes = tmp_path / "mailboxes"
    told(cjsm("mailbox", "backup", "--all", str(mailboxes), "--json"))
    data = lose(house)
    assert "whole service" in refused(cjsm("restore", str(mailboxes), "--reason", "x", "--json"))["error"]
    (data / "keys.mdb").write_bytes(b"of a try that was broken off")
    assert told(cjsm("restore", str(place), "--reason", "x", "--json"))


def test_a_store_is_missing(cjsm: Run, house: House, tmp_path: Path) -> None:
    """It is said before anything is put back, also where the ledger's checkpoint is there."""
    sign(house.config)
    place = tmp_path / "backup"
    told(cjsm("backup", str(place), "--json"))
    lines = (place / "manifest.jsonl").read_text().splitlines()
    (place / "manifest.jsonl").write_text("".join(f"{each}\n" for each in lines if '"community.mdb"' not in each))
    data = lose(house)
    assert "whole service" in refused(cjsm("restore", str(place), "--reason", "x", "--json"))["error"]
    assert list(data.iterdir()) == []


def test_without_secrets(cjsm: Run, house: House, tmp_path: Path) -> None:
    """It is said before anything is done."""
    place = tmp_path / "backup"
    told(cjsm("backup", str(place), "--json"))
    data = lose(house)
    shutil.rmtree(house.config.parent / "secrets")
    assert refused(cjsm("restore", str(place), "--reason", "x", "--json"))["cure"]
    assert list(data.iterdir()) == []


def test_an_interrupted_backup(cjsm: Run, house: House, tmp_path: Path) -> None:
    """Is no whole one, and is finished by running it again."""
    place = tmp_path / "backup"
    told(cjsm("backup", str(place), "--json"))
    manifest = (place / "manifest.jsonl").read_text().splitlines()
    (place / "manifest.jsonl").write_text("\n".join(manifest[:2]) + "\n")
    for name in ("community.mdb", "keys.mdb"):
        (place / name).unlink()
    again = told(cjsm("backup", str(place), "--json"))
    assert (again["from_before"], again["mailboxes"]) == (1, 2)
    lose(house)
    assert [each["result"] for each in told(cjsm("restore", str(place), "--reason", "x", "--json"))] == ["restored"] * 2


def test_mailboxes_are_named(cjsm: Run, house: House, tmp_path: Path) -> None:
    """By whose they are."""
    place = tmp_path / "backup"
    told(cjsm("backup", str(place), "--json"))
    lose(house)
    done = told(cjsm("restore", str(place), "--reason", "x", "--json"))
    assert {(each["name"], each["mailbox"]) for each in done} == {(JANE, text(house.jane)), (TOM, text(house.tom))}
    assert unique_ids(house.config, MailboxId(house.jane)) == house.before[house.jane]
