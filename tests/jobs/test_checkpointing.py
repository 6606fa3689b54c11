"""The signer: goes on wherever it was ended, signs nothing that is not so, and says which entry is not what it was."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from cjsm.community.acts import heads as acts
from cjsm.community.identifiers import ActId, MailboxId
from cjsm.community.records import LedgerEntry
from cjsm.community.view import Change
from cjsm.jobs import ledgertree
from cjsm.jobs.checkpointing import Checkpointing
from cjsm.jobs.ledgerkeys import LedgerKeys, checked
from cjsm.jobs.ledgertree import Verification
from cjsm.ledger import notes, tiles
from cjsm.ledger.checkpoints import Checkpoint
from cjsm.ledger.entries import decode_entry, encode_entry
from cjsm.ledger.errors import LedgerBroken, Malformed
from cjsm.ledger.tiles import HashTiles
from cjsm.ledger.tree import leaf_hash, root_of
from cjsm.store.interfaces import Unavailable
from cjsm.store.lmdb.community import LmdbCommunityStore
from cjsm.store.lmdb.disk import InlineDisk
from cjsm.store.lmdb.ledgerfiles import LedgerFiles
from cjsm.vault import secrets
from cjsm.vault.errors import MissingSecret
from cjsm.vault.signing import VerifyingKey

from ..store.support import HASHES, MAP, Clock, result

SECRETS = secrets.generate(lambda count: b"k" * count)


class Bench:
    """A community's store, the ledger's files, and a signer."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.secrets = SECRETS
        self.count = 0
        self.open()

    def open(self) -> None:
        """As a starting process does."""
        self.store = LmdbCommunityStore(
            self.directory, InlineDisk(), suffix="x.test", map_size=MAP, encode_entry=encode_entry, hashes=HASHES,
            clock=Clock(),
        )  # fmt: skip
        self.files = LedgerFiles(self.directory / "ledger", InlineDisk())
        self.keys = LedgerKeys("x.test", self.secrets)
        self.signer = Checkpointing(self.keys, community=self.store, files=self.files)

    def close(self) -> None:
        result(self.store.close())

    def again(self) -> None:
        self.close()
        self.open()

    def append(self, count: int = 1) -> None:
        """Append entries without committing one by one."""
        made = []
        for _ in range(count):
            self.count += 1
            made.append(encode_entry(entry(self.count)))
        result(self.store.bring_back(self.store.last_entry(), made))

    def signed(self) -> Checkpoint:
        found = ledgertree.signed(self.files, self.keys)
        assert found is not None
        return found

    def leaves(self) -> list[bytes]:
        return [leaf_hash(each) for _, each in self.store.entries_now(0, 1_000_000)]

    def check(self) -> None:
        """All that is signed is so, and all files of it are there."""
        checkpoint = self.signed()
        assert checkpoint.root == root_of(self.leaves()[: checkpoint.size])
        assert HashTiles(checkpoint.size, self.files.read).root() == checkpoint.root
        assert sum(self.verified()) == checkpoint.size

    def verified(self) -> Iterator[int]:
        return Verification(self.signed(), self.store, self.files).steps()

    def write(self, changes: dict[int, bytes | None]) -> None:
        """Write into the table of entries as somebody does who has the disk, by index."""
        self.close()
        environment = lmdb.open(str(self.directory / "community.mdb"), subdir=False, max_dbs=40, map_size=MAP)
        table = environment.open_db(b"entries")
        with environment.begin(write=True, db=table) as transaction:
            for index, octets in changes.items():
                key = (index + 1).to_bytes(8, "big")
                if octets is None:
                    transaction.delete(key)
                else:
                    transaction.put(key, octets)
        environment.close()
        self.open()

    def encoded(self, index: int) -> bytes:
        return self.store.entries_now(index, 1)[0][1]


def entry(number: int) -> LedgerEntry:
    return acts.noticed(ActId(number.to_bytes(16, "big")), 1_000, MailboxId(b"mailbox 00000001"), "problem")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def test_follows(bench: Bench) -> None:
    """What is new is signed, nothing new is not; the ledger has its own key first of all."""
    assert result(bench.signer.run()) == 1
    first = decode_entry(bench.encoded(0))
    (key,) = bench.keys.known
    assert (first.act, dict(first.details)) == ("ledger-key", {"key": key.text, "number": "1"})
    assert bench.files.read("keys") == f"{key.text}\n".encode()
    note = bench.files.read("checkpoint")
    assert result(bench.signer.run()) == 0
    assert bench.files.read("checkpoint") == note
    bench.append(3)
    assert result(bench.signer.run()) == 3
    assert (bench.signed().size, bench.signed().origin) == (4, "x.test/ledger")
    bench.check()


@pytest.mark.parametrize("steps", [[1] * 5, [254, 1, 1, 1], [255, 256, 257], [5_000, 1], [300, 4_000]])
def test_every_size(bench: Bench, steps: list[int]) -> None:
    """Whatever comes at once, with a new process or the same: tree, tiles and bundles are those of the entries."""
    result(bench.signer.run())
    for number, step in enumerate(steps):
        bench.append(step)
        if number % 2:
            bench.again()
            bench.signer.check()
        assert result(bench.signer.run()) == step
        bench.check()
    entries = [octets for _, octets in bench.store.entries_now(0, 10_000)]
    width = len(entries) % 256
    assert tiles.unbundled(bench.files.read(tiles.bundle_name(len(entries) // 256, width)) or b"") == entries[-width:]
    partial = [name for name in (bench.directory / "ledger").rglob("*.p/*") if name.parts[-3] == "0"]
    assert len(partial) <= 2


def test_earlier_tiles_stay_for_readers(bench: Bench) -> None:
    """Whoever has the checkpoint from before still finds what it needs."""
    bench.append(300)
    result(bench.signer.run())
    before = bench.signed()
    bench.append(250)
    result(bench.signer.run())
    assert HashTiles(before.size, bench.files.read).root() == before.root


def test_verified_while_it_grows(bench: Bench) -> None:
    """What takes long is no alarm when the tree went on meanwhile, further than tiles are kept."""
    bench.append(700)
    result(bench.signer.run())
    steps = bench.verified()
    begun = next(steps)
    before = bench.signed()
    for more in (1, 1, 1, 30, 256):
        bench.append(more)
        result(bench.signer.run())
        tree = HashTiles(before.size, ledgertree.reader(bench.files))
        assert tree.root() == before.root
    assert begun + sum(steps) == before.size


class Killed(BaseException):
    """The process ends."""


@given(st.lists(st.integers(1, 600), min_size=1, max_size=4), st.data())
@settings(max_examples=25)
def test_killed_anywhere(steps: list[int], data: st.DataObject) -> None:
    """Before and after each write and each removal: the next process goes on; no entry is there twice or missing."""
    directory = Path(mkdtemp(prefix="cjsm-killed-"))
    bench = Bench(directory)
    try:
        for step in steps:
            bench.append(step)
            left = data.draw(st.integers(0, 12))
            kill(bench, left)
            with suppress(Killed):
                result(bench.signer.run())
            bench.again()
            bench.signer.check()
        result(bench.signer.run())
        bench.check()
        assert bench.signed().size == bench.store.last_entry() == sum(steps) + 1
    finally:
        bench.close()
        shutil.rmtree(directory)


def kill(bench: Bench, left: int) -> None:
    """Let the process end after so many more steps on disk."""
    files, count = bench.files, [left]

    def counted(name: str) -> None:
        act = getattr(files, name)

        def step(*arguments: object) -> object:
            if count[0] == 0:
                raise Killed
            count[0] -= 1
            return act(*arguments)

        setattr(files, name, step)

    counted("_write")
    counted("_remove")


def test_two_runs_at_once(bench: Bench) -> None:
    """A service that stops runs it once more, whatever is under way: each entry is in the tree once."""
    turns: list[Deferred[None]] = []

    def turn() -> "Deferred[None]":
        turns.append(Deferred())
        return turns[-1]

    bench.append(700)
    signer = Checkpointing(bench.keys, community=bench.store, files=bench.files, turn=turn)
    first = signer.run()
    bench.append(5)
    second = signer.run()
    while turns:
        turns.pop(0).callback(None)
    assert result(first) + result(second) == 706
    bench.check()


def test_disk_full(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is signed that could not be written, and it is gone on with when there is room."""
    bench.append(10)
    result(bench.signer.run())
    bench.append(600)
    with monkeypatch.context() as patched:

        def full(files: object) -> None:
            raise Unavailable("no space")

        patched.setattr(bench.files, "_write", full)
        with pytest.raises(Unavailable):
            result(bench.signer.run())
    assert bench.signed().size == 11
    assert result(bench.signer.run()) == 600
    bench.check()


# Keys


def verify(public: bytes, signature: bytes, text: bytes) -> None:
    VerifyingKey.from_octets(public).verify(signature, text)


def rotated(number: int = 2) -> secrets.ServiceSecrets:
    octets = {name: {1: b"k" * 32} for name in secrets.NAMES}
    octets["ledger"] |= {each: bytes([each]) * 32 for each in range(2, number + 1)}
    return secrets.ServiceSecrets(octets)


def test_rotation(bench: Bench) -> None:
    """After a rotation both keys sign: who has either one checks; the ledger and the file have the new one too."""
    result(bench.signer.run())
    (old,) = bench.keys.known
    bench.secrets = rotated()
    bench.again()
    assert result(bench.signer.run()) == 1
    new, same = bench.keys.known
    assert same == old
    announced = decode_entry(bench.encoded(1))
    assert dict(announced.details) == {"key": new.text, "number": "2"}
    assert bench.files.read("keys") == f"{new.text}\n{old.text}\n".encode()
    note = notes.parse(bench.files.read("checkpoint") or b"")
    for key in (old, new):
        assert notes.check(note, [key], verify) == [key]
    bench.again()
    assert result(bench.signer.run()) == 0


def test_third_key(bench: Bench) -> None:
    """Of three, the newest two sign; the file for those who check keeps all."""
    result(bench.signer.run())
    bench.secrets = rotated(3)
    bench.again()
    assert result(bench.signer.run()) == 2
    assert len(notes.parse(bench.files.read("checkpoint") or b"").signatures) == 2
    assert len((bench.files.read("keys") or b"").split()) == 3


def test_without_the_key(bench: Bench) -> None:
    """A process that does not hold the key signs nothing."""
    octets = {name: {1: b"k" * 32} for name in secrets.NAMES if name != "ledger"}
    bench.secrets = secrets.ServiceSecrets(octets, {"ledger": {1: SECRETS.ledger_public.current.octets}})
    bench.again()
    bench.append()
    with pytest.raises(MissingSecret):
        result(bench.signer.run())
    assert bench.files.read("checkpoint") is None


def test_another_ledger(bench: Bench) -> None:
    """A checkpoint of somebody else's key, or another community's, stops the start."""
    result(bench.signer.run())
    bench.secrets = secrets.generate()
    bench.again()
    with pytest.raises(LedgerBroken, match="not what this service signed"):
        bench.signer.check()
    bench.secrets = SECRETS
    bench.again()
    with pytest.raises(Malformed, match=r"of x\.test/ledger, not of y\.test"):
        checked(bench.files.read("checkpoint") or b"", bench.keys.known, "y.test/ledger")


# What was changed


def test_put_back(bench: Bench) -> None:
    """A community.mdb from before the checkpoint stops the start; the error says what to do."""
    bench.append(20)
    result(bench.signer.run())
    bench.close()
    shutil.copy(bench.directory / "community.mdb", bench.directory / "kept")
    bench.open()
    bench.append(5)
    result(bench.signer.run())
    bench.close()
    shutil.copy(bench.directory / "kept", bench.directory / "community.mdb")
    bench.open()
    with pytest.raises(LedgerBroken, match=r"of 26 entries and community\.mdb has 21") as caught:
        bench.signer.check()
    assert caught.value.index == 21
    assert "cjsm audit recover" in caught.value.cure
    # Others were made since: as many as before, and more.
    bench.count = 1_000
    bench.append(9)
    with pytest.raises(LedgerBroken, match="entry 21 is not what it was"):
        bench.signer.check()
    with pytest.raises(LedgerBroken, match="entry 21 is the first that is not"):
        list(bench.verified())
    with pytest.raises(LedgerBroken):
        result(bench.signer.run())
    assert bench.signed().size == 26


@pytest.mark.parametrize("count", [20, 700])
@given(st.data())
@settings(max_examples=20)
def test_every_change_is_found(count: int, data: st.DataObject) -> None:
    """Flipped, exchanged, removed, cut off, put between: the first entry that is not what it was is named."""
    directory = Path(mkdtemp(prefix="cjsm-changed-"))
    bench = Bench(directory)
    try:
        bench.append(count)
        result(bench.signer.run())
        total = bench.store.last_entry()
        index = data.draw(st.integers(0, total - 1))
        other = data.draw(st.integers(0, total - 1).filter(lambda each: each != index))
        flipped = bytearray(bench.encoded(index))
        flipped[data.draw(st.integers(0, len(flipped) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        ways: dict[str, tuple[dict[int, bytes | None], int]] = {
            "flip": ({index: bytes(flipped)}, index),
            "delete": ({index: None}, index),
            "exchange": ({index: bench.encoded(other), other: bench.encoded(index)}, min(index, other)),
            "cut": (dict.fromkeys(range(index, total)), index),
            "shift": ({each: bench.encoded(each + 1) for each in range(index, total - 1)} | {total - 1: None}, index),
            "between": (
                {index: encode_entry(entry(99_999))} | {each + 1: bench.encoded(each) for each in range(index, total)},
                index,
            ),
        }
        changes, first = ways[data.draw(st.sampled_from(sorted(ways)))]
        bench.write(changes)
        with pytest.raises(LedgerBroken, match=rf"entry {first} ") as caught:
            list(bench.verified())
        assert caught.value.index == first
    finally:
        bench.close()
        shutil.rmtree(directory)


def test_files_lost(bench: Bench) -> None:
    """Tiles that are gone are made anew of the entries, when these are the ones that were signed."""
    bench.append(600)
    result(bench.signer.run())
    note = bench.files.read("checkpoint")
    shutil.rmtree(bench.directory / "ledger" / "tile")
    with pytest.raises(LedgerBroken, match="tile/0/000 is missing or damaged") as caught:
        list(bench.verified())
    assert caught.value.index is None
    bench.again()
    bench.signer.check()
    assert result(bench.signer.run()) == 0
    assert bench.files.read("checkpoint") == note
    bench.check()


def test_files_lost_and_entries_changed(bench: Bench) -> None:
    """Then nothing is made anew, and nothing signed."""
    bench.append(600)
    result(bench.signer.run())
    shutil.rmtree(bench.directory / "ledger" / "tile")
    bench.write({17: encode_entry(entry(99_999))})
    bench.append()
    for _ in range(2):
        with pytest.raises(LedgerBroken, match="some entry is not"):
            result(bench.signer.run())
    assert bench.signed().size == 601


@pytest.mark.parametrize("name", ["tile/0/000", "tile/entries/001", "tile/1/000.p/2", "tile/0/002.p/89"])
def test_files_damaged(bench: Bench, name: str) -> None:
    """A file that was damaged is named; the entries are not blamed."""
    bench.append(600)
    result(bench.signer.run())
    path = bench.directory / "ledger" / name
    octets = bytearray(path.read_bytes())
    octets[40] ^= 1
    path.write_bytes(octets)
    if name == "tile/1/000.p/2":
        bench.again()
        assert result(bench.signer.run()) == 0
        bench.check()
        return
    with pytest.raises(LedgerBroken, match=f"the ledger's file {name} is missing or damaged"):
        list(bench.verified())


def test_changed_while_it_runs(bench: Bench) -> None:
    """A store that is suddenly shorter than what was signed is no longer followed."""
    bench.append(5)
    result(bench.signer.run())
    bench.write({5: None})
    signer = Checkpointing(bench.keys, community=bench.store, files=bench.files)
    with pytest.raises(LedgerBroken):
        result(signer.run())


# Words beside entries


def test_words_go_with_the_person(bench: Bench) -> None:
    """What an entry says of somebody is kept beside it until they are forgotten; the entry stays as it is."""
    told = LedgerEntry(
        act_id=ActId(b"a" * 16), act="user-add", moment=1, actor=b"", subject_kind="account", subject=b"p" * 16,
        organisation=b"", words=(("user", "jane.smith@avon"), ("reason", "back from leave")), person=b"p" * 16,
    )  # fmt: skip
    result(bench.store.commit(ActId(b"a" * 16), lambda view: Change(entry=told)))
    encoded = bench.encoded(0)
    kept = bench.store.words(encoded)
    assert [(each.name, each.text) for each in kept] == [("user", "jane.smith@avon"), ("reason", "back from leave")]
    assert b"jane" not in encoded
    assert len({each.salt for each in kept}) == 2
    result(bench.store.commit(ActId(b"b" * 16), lambda view: Change(forgotten=(b"q" * 16,))))
    assert len(bench.store.words(encoded)) == 2
    result(bench.store.commit(ActId(b"c" * 16), lambda view: Change(forgotten=(b"p" * 16,))))
    assert bench.store.words(encoded) == []
    assert bench.encoded(0) == encoded


def test_several_entries_of_one_act(bench: Bench) -> None:
    """Each keeps its own words."""
    told = [
        LedgerEntry(
            act_id=ActId(b"a" * 16), act="user-add", moment=1, actor=b"", subject_kind="account", subject=person,
            organisation=b"", words=(("user", name),), person=person,
        )
        for name, person in (("jane.smith@avon", b"p" * 16), ("tom.harding@avon", b"q" * 16))
    ]  # fmt: skip
    result(bench.store.commit(ActId(b"a" * 16), lambda view: Change(entry=told[0], further=(told[1],))))
    result(bench.store.commit(ActId(b"c" * 16), lambda view: Change(forgotten=(b"p" * 16,))))
    kept = [[each.text for each in bench.store.words(bench.encoded(index))] for index in (0, 1)]
    assert kept == [[], ["tom.harding@avon"]]
