"""``cjsm audit``: who sees what, proofs that others can check, and every change found."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import lmdb
import pytest
from click.testing import Result

from cjsm.command.context import wait
from cjsm.community.acts import destruction, heads, lives
from cjsm.community.acts.lives import LifeStep
from cjsm.community.acts.mailboxes import MailboxAct
from cjsm.community.acts.queues import QueueAct
from cjsm.community.identifiers import ActId
from cjsm.community.records import ConnectionState, DomainState
from cjsm.community.view import Change
from cjsm.jobs.checkpointing import Checkpointing
from cjsm.ledger import words
from tests.command.conftest import copied, ran, refused, told
from tests.command.mailboxes import beside, commit
from tests.command.test_acting import ERIN, HENRY, JANE, OLIVE, TOM, UNA, Avon
from tests.command.test_user import PASSWORD

SCRIPT = Path(__file__).parents[2] / "docs" / "specifications" / "verify_ledger.py"
ACTS = Path(__file__).parents[2] / "cjsm" / "community" / "acts"


def sign(config: Path) -> int:
    """Do what the service does every ten seconds; return how many entries are signed."""
    with beside(config) as suite:
        stores = suite.stores
        wait(Checkpointing(suite.ledger_keys, community=stores.community, files=stores.ledger).run())
        return stores.community.last_entry()


@pytest.fixture(scope="module")
def avon(_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Avon:
    made = Avon(copied(_made, tmp_path_factory.mktemp("audit") / "home"))
    told(made.act(OLIVE, "user suspend", JANE, "--reason", "left"))
    told(made.act(OLIVE, "user resume", JANE))
    told(made.act(UNA, "connection suspend", "firm", "--reason", "Mr Law is ill"))
    sign(made.config)
    return made


@pytest.fixture
def copy(avon: Avon, tmp_path: Path) -> Path:
    """The settings file of a copy that may be broken."""
    made: Path = copied(avon.config.parent, tmp_path / "home")
    return made


def listed(avon: Avon, who: str, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = told(avon.act(who, "audit list", "--limit", "1000", *words))
    return found


def rewrite(config: Path, change: Callable[[bytes], bytes], index: int) -> None:
    """Change an entry as somebody does who has the disk."""
    path = config.parent / "data" / "community.mdb"
    environment = lmdb.open(str(path), subdir=False, max_dbs=40, map_size=1 << 30)
    with environment.begin(write=True, db=environment.open_db(b"entries")) as transaction:
        key = (index + 1).to_bytes(8, "big")
        transaction.put(key, change(transaction.get(key)))
    environment.close()


# Reading


def test_in_words(avon: Avon) -> None:
    """Who did what to whom, when and why; names for identifiers, the newest first."""
    found = listed(avon, UNA)
    assert [each["index"] for each in found] == sorted((each["index"] for each in found), reverse=True)
    assert found[-1]["index"] == 0
    (suspended,) = [each for each in found if each["act"] == "user-suspended"]
    assert (suspended["actor"], suspended["what"], suspended["subject"]) == (OLIVE, "suspended", JANE)
    assert (suspended["reason"], suspended["organisation"]) == ("left the organisation", "avon/crime")
    (firm,) = [each for each in found if each["act"] == "connection-suspended"]
    assert (firm["subject"], firm["reason"]) == ("firm", "Mr Law is ill")
    added = next(each for each in found if each["act"] == "user-add" and each["subject"] == JANE)
    assert (added["actor"], added["details"]["address"]) == ("operator", f"{JANE}.cjsm.test")
    assert next(each["actor"] for each in found if each["act"] == "ledger-key") == "service"
    shown = ran("audit", "list", "--as", UNA, "--password-stdin", config=avon.config, typed=f"{PASSWORD}\n").stdout
    assert "suspended" in shown
    assert "left the organisation" in shown


def test_identifiers_in_details(avon: Avon) -> None:
    """Of people, lists and organisations have their names."""
    found = listed(avon, UNA, "--act", "recovery-request")
    assert found[0]["details"]["beneficiary"] == TOM
    assert avon.identifiers[TOM].hex() not in str(found[0]["details"])


def test_progress_ends_before_the_table(avon: Avon, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tells at a terminal how far it is would draw over it, also where only the newest are wanted."""
    order: list[str] = []

    def watched(items: Iterable[Any], description: str) -> Iterator[Any]:
        try:
            yield from items
        finally:
            order.append(f"{description} watched")

    monkeypatch.setattr("cjsm.command.audit.watched", watched)
    monkeypatch.setattr("cjsm.command.audit.table", lambda *_: order.append("table"))
    ran("audit", "list", "--limit", "1", config=avon.config)
    assert order == ["entries watched", "table"]


def test_filters(avon: Avon) -> None:
    """By who, to whom, what, when and where; and the next page goes on where the last ended."""
    whole = listed(avon, UNA)

    def only(*words: str) -> list[int]:
        return [each["index"] for each in listed(avon, UNA, *words)]

    def those(wanted: Callable[[dict[str, Any]], bool]) -> list[int]:
        return [each["index"] for each in whole if wanted(each)]

    assert only("--actor", OLIVE) == those(lambda each: each["actor"] == OLIVE) != []
    assert only("--actor", "operator") == those(lambda each: each["actor"] == "operator") != []
    assert only("--actor", "service") == those(lambda each: each["actor"] == "service") != []
    assert only("--act", "connection") == those(lambda each: each["act"].startswith("connection-")) != []
    assert only("--act", "user-add") == those(lambda each: each["act"] == "user-add") != []
    janes = only("--subject", JANE)
    assert set(those(lambda each: each["subject"] == JANE)) == set(janes)
    # A person's mailbox is theirs.
    assert "keys-rotated" in {each["act"] for each in listed(avon, UNA, "--subject", TOM)}
    assert only("--subject", f"{JANE}.cjsm.test") == janes
    assert only("--subject", avon.identifiers[JANE].hex()) == janes
    assert only("--subject", "firm.co.uk") == those(lambda each: each["subject_kind"] == "domain") != []
    assert only("--organisation", "firm") == those(lambda each: each["organisation"] == "firm") != []
    assert only("--organisation", "avon") == those(lambda each: each["organisation"].startswith("avon")) != []
    assert only("--since", "1h") == [each["index"] for each in whole]
    assert only("--since", "2999-01-01") == only("--until", "2000-01-01") == only("--before", "0") == []
    first = told(avon.act(UNA, "audit list", "--limit", "3"))
    following = told(avon.act(UNA, "audit list", "--limit", "3", "--before", str(first[-1]["index"])))
    assert first + following == whole[:6]
    assert "nobody and nothing" in refused(avon.act(UNA, "audit list", "--subject", "nobody@avon"))["error"]


def test_what_nobody_did(copy: Path) -> None:
    """The state of mailboxes, each minute, is listed when it is asked for."""
    act_id = ActId(b"a" * 16)
    with beside(copy) as suite:
        entry = heads.anchored(act_id, 1_800_000_000, bytes(32), 3)
        wait(suite.stores.community.commit(act_id, lambda view: Change(entry=entry)))
        index = suite.stores.community.last_entry() - 1

    def newest(*words: str) -> dict[str, Any]:
        (found,) = told(ran("audit", "list", "--limit", "1", *words, "--json", config=copy))
        return dict(found)

    assert newest()["index"] == index - 1
    assert newest("--everything") == newest("--act", "heads-anchored")
    assert (newest("--everything")["index"], newest("--everything")["subject"]) == (index, "mailboxes")


def test_who_sees_what(avon: Avon) -> None:
    """The community's administrators and the operator everything, an organisation's what is theirs, others nothing."""
    whole = listed(avon, UNA)
    own = listed(avon, OLIVE)
    assert own == [each for each in whole if each["organisation"].split("/")[0] == "avon"]
    assert told(avon.run("audit", "list", "--limit", "1000")) == whole
    for who in (JANE, HENRY, ERIN):
        assert "no role" in refused(avon.act(who, "audit list"))["error"]
    assert "no role" in refused(avon.act(OLIVE, "audit list", "--organisation", "firm"))["error"]
    other = next(each["index"] for each in whole if each["organisation"] == "firm")
    mine = own[0]["index"]
    for verb in ("audit show", "audit prove"):
        assert "not about an organisation of yours" in refused(avon.act(OLIVE, verb, str(other)))["error"]
        told(avon.act(OLIVE, verb, str(mine)))
    assert "no role" in refused(avon.act(OLIVE, "audit export", "FILES/not-mine"))["error"]
    told(avon.act(OLIVE, "audit verify"))


def test_show(avon: Avon) -> None:
    """All of one entry, with what others need to check the words in it."""
    index = next(each["index"] for each in listed(avon, UNA, "--act", "connection-suspended"))
    found = told(avon.act(UNA, "audit show", str(index)))
    octets = base64.b64decode(found["entry"])
    assert found["hash"] == hashlib.sha256(b"\0" + octets).hexdigest()
    assert found["signed"] is True
    assert b"Mr Law" not in octets
    assert [each["text"] for each in found["words"]] == ["Mr Law is ill"]
    missing = refused(avon.act(UNA, "audit show", "99999"))
    assert missing["error"] == "there is no entry 99999"
    assert "numbered from 0 to" in missing["cure"]


def test_every_act_has_words() -> None:
    """Whoever adds an act says what it is called."""
    texts = "".join(path.read_text() for path in sorted(ACTS.glob("*.py")))
    acts = {
        *re.findall(r'view, by,(?: (?:made|found), permission,)? "([a-z]+-[a-z-]+)"', texts),
        *(step[2] for step in lives.STEPS.values()),
    }
    acts |= set(re.findall(r': "([a-z]+-[a-z]+ed)",$', texts, flags=re.MULTILINE))
    acts |= {each for name, each in vars(heads).items() if name.isupper()} | {destruction.ACT}
    for kind, kinds in (
        ("connection", ConnectionState),
        ("domain", DomainState),
        ("queue", QueueAct),
        ("mailbox", MailboxAct),
    ):
        acts |= {f"{kind}-{each}" for each in kinds}
    assert len(acts) > 60
    assert acts - set(words.ACTS) == set()


def test_words_of_people_who_are_destroyed(copy: Path) -> None:
    """Their names and what was said of them are gone from everything; the ledger still verifies."""
    with beside(copy) as suite:
        jane = suite.stores.community.read_now(lambda view: view.account_of_user_id(JANE))
        assert jane is not None
        commit(suite, lambda view, by: lives.change_life(view, by, jane.id, LifeStep.DELETE), "left")
        commit(suite, lambda view, by: destruction.begin(view, by, jane.id, 1 << 40))
        commit(suite, lambda view, by: destruction.finish(view, jane.id, 0))
    found = [
        each
        for each in told(ran("audit", "list", "--limit", "1000", "--json", config=copy))
        if each["subject_id"] == jane.id.hex()
    ]
    added = next(each for each in found if each["act"] == "user-add")
    assert added["subject"] == f"account {jane.id.hex()[:8]}… (no more)"
    assert set(added["details"].values()) - {"hosted", "yes"} == {"(not kept any more)"}
    assert JANE not in str(found)
    assert added["organisation"] == "avon/crime"
    told(ran("audit", "verify", "--json", config=copy))


# Proving to others


def checked(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """What the stand-alone script says."""
    command = [sys.executable, "-W", "error", str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def exported(avon: Avon) -> tuple[Path, Path]:
    """An export, and the keys, which outsiders get another way."""
    home = avon.config.parent
    done = told(avon.act(UNA, "audit export", "FILES/exported"))
    assert done["entries"] == len(avon.entries())
    keys = home / "ledger-keys"
    keys.write_text(ran("audit", "keys", config=avon.config).stdout)
    return home / "exported", keys


def test_proof(avon: Avon, exported: tuple[Path, Path], tmp_path: Path) -> None:
    """One entry, proved to somebody who has the key and a file; and the words in it."""
    index = next(each["index"] for each in listed(avon, UNA, "--act", "connection-suspended"))
    proof, shown = tmp_path / "one.tlog-proof", tmp_path / "shown.json"
    told(avon.act(UNA, "audit prove", str(index), "--out", str(proof)))
    shown.write_text(avon.act(UNA, "audit show", str(index)).stdout)
    done = checked("proof", proof, exported[1], "--words", shown)
    assert done.returncode == 0, done.stderr
    assert "act: connection-suspended" in done.stdout
    assert "reason: Mr Law is ill" in done.stdout
    # Not twice over a file.
    assert refused(avon.act(UNA, "audit prove", str(index), "--out", str(proof)))["cure"] == "name another file"
    lies = json.loads(shown.read_text())
    lies["words"][0]["text"] = "Mr Law is well"
    shown.write_text(json.dumps(lies))
    assert "not those that were written" in checked("proof", proof, exported[1], "--words", shown).stderr
    whole = proof.read_text()
    for old, new in ((f"index {index}", f"index {index + 1}"), ("extra AAAA", "extra AAAB"), ("\nextra", "\nexta")):
        assert old in whole
        proof.write_text(whole.replace(old, new, 1))
        assert checked("proof", proof, exported[1]).stderr.startswith("WRONG: ")


def test_export(avon: Avon, exported: tuple[Path, Path], tmp_path: Path) -> None:
    """The stand-alone script takes what was exported, and not what was changed in it; it names the entry."""
    directory, keys = exported
    done = checked("ledger", directory, keys)
    assert (done.returncode, done.stderr) == (0, "")
    total = len(avon.entries())
    assert done.stdout.startswith(f"{total} entries are as they were signed")
    other = tmp_path / "other"
    shutil.copytree(directory, other)
    (bundle,) = (other / "tile" / "entries").rglob("*.p/*")
    octets = bytearray(bundle.read_bytes())
    octets[octets.index(b"user-suspended")] ^= 1
    bundle.write_bytes(octets)
    index = next(each["index"] for each in listed(avon, UNA, "--act", "user-suspended"))
    assert (
        checked("ledger", other, keys).stderr
        == f"WRONG: entry {index} is the first that is not what it was when the ledger was signed\n"
    )
    assert (
        f"entry {index} is not what it is in the earlier"
        in checked("ledger", other, keys, "--earlier", directory).stderr
    )
    stranger = tmp_path / "keys"
    stranger.write_text("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n")
    assert "none of the keys" in checked("ledger", directory, stranger).stderr


def test_export_goes_on(copy: Path, exported: tuple[Path, Path]) -> None:
    """A later export takes the place of an earlier one; not one of another history."""
    directory = copy.parent / "exported"
    told(ran("organisation", "add", "third", "--name", "T", "--abbreviation", "third", "--json", config=copy))
    sign(copy)
    later = told(ran("audit", "export", str(directory), "--json", config=copy))
    done = checked(
        "ledger", directory, exported[1], "--earlier", exported[0], "--checkpoint", exported[0] / "checkpoint"
    )
    assert done.returncode == 0, done.stderr
    # One that was written into a directory of its own has nothing of the earlier one's.
    apart = copy.parent / "apart"
    told(ran("audit", "export", str(apart), "--json", config=copy))
    done = checked("ledger", apart, exported[1], "--earlier", exported[0])
    assert done.returncode == 0, done.stderr
    # The same community went on otherwise.
    other = copied(exported[0].parent, copy.parent / "other")
    for name in ("fourth", "fifth"):
        told(ran("organisation", "add", name, "--name", "F", "--abbreviation", name, "--json", config=other))
    sign(other)
    answer = refused(ran("audit", "export", str(directory), "--json", config=other))
    assert f"does not go on where the export in {directory} ended, with {later['entries']} entries" in answer["error"]


# Verifying


def test_verify(avon: Avon) -> None:
    """All as it was."""
    done = told(avon.act(UNA, "audit verify"))
    assert (done["entries"], done["signed"]) == (len(avon.entries()), len(avon.entries()))


def test_a_changed_entry(copy: Path) -> None:
    """Is named, here and when the service starts."""
    rewrite(copy, lambda entry: entry.replace(b"avon", b"nova", 1), 0)
    answer = refused(ran("audit", "verify", "--json", config=copy))
    assert answer["error"].startswith("entry 0 is the first that is not what it was")
    assert "community.mdb" in answer["cure"]


def test_no_entry_any_more(copy: Path) -> None:
    """What cannot be read is named wherever it is come across."""
    rewrite(copy, lambda entry: entry[:-3], 0)
    for words_ in (("list", "--limit", "1000"), ("show", "0"), ("prove", "0"), ("verify",)):
        answer = refused(ran("audit", *words_, "--json", config=copy))
        assert answer["error"].startswith("entry 0 is")


def test_changed_words(copy: Path) -> None:
    """Words that are kept beside an entry cannot be exchanged for others."""
    environment = lmdb.open(str(copy.parent / "data" / "community.mdb"), subdir=False, max_dbs=40, map_size=1 << 30)
    with environment.begin(write=True, db=(table := environment.open_db(b"ledger-words"))) as transaction:
        key, value = next((key, value) for key, value in transaction.cursor(db=table) if b"Mr Law is ill" in value)
        transaction.put(key, value.replace(b"ill", b"odd"))
    environment.close()
    assert "the words beside entry" in refused(ran("audit", "verify", "--json", config=copy))["error"]
    found = told(ran("audit", "list", "--act", "connection-suspended", "--json", config=copy))
    assert found[0]["reason"].startswith("(ALTERED")


def mail(note: str) -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"] = "postmaster@cjsm.test", "Checkpoint of the ledger"
    message.set_content(f"Keep this message.\n\n{note}", cte="base64")
    return message.as_bytes()


@pytest.mark.parametrize("form", ["mail", "lines", "quoted", "file"])
def test_against_a_mailed_checkpoint(copy: Path, form: str, tmp_path: Path) -> None:
    """A later ledger begins with what was mailed, however that was saved."""
    note = (copy.parent / "data" / "ledger" / "checkpoint").read_text()
    told(ran("organisation", "add", "third", "--name", "T", "--abbreviation", "third", "--json", config=copy))
    sign(copy)
    file = tmp_path / "saved"
    quoted = "".join(f"> {line}\r\n" for line in f"look:\n{note}\nyours".splitlines())
    octets = {
        "mail": mail(note),
        "lines": f"Hello\r\n{note}bye".encode(),
        "quoted": quoted.encode(),
        "file": note.encode(),
    }
    file.write_bytes(octets[form])
    done = told(ran("audit", "verify", "--checkpoint", str(file), "--json", config=copy))
    assert done["compared"] == done["signed"] - 1


def test_against_another_history(copy: Path, avon: Avon, tmp_path: Path) -> None:
    """Whoever has the key, and writes everything anew, is found out by what was mailed before."""
    file = tmp_path / "saved"
    file.write_bytes(mail((copy.parent / "data" / "ledger" / "checkpoint").read_text()))
    rewrite(copy, lambda entry: entry.replace(b"avon", b"nova", 1), 0)
    shutil.rmtree(copy.parent / "data" / "ledger")
    total = sign(copy)
    told(ran("audit", "verify", "--json", config=copy))
    answer = refused(ran("audit", "verify", "--checkpoint", str(file), "--json", config=copy))
    assert f"the first {total:,} entries are not those of the checkpoint" in answer["error"]


def test_against_a_longer_ledger(copy: Path, avon: Avon, tmp_path: Path) -> None:
    """An older state, with all its files, is found out too."""
    told(ran("organisation", "add", "third", "--name", "T", "--abbreviation", "third", "--json", config=copy))
    sign(copy)
    later = copy.parent / "data" / "ledger" / "checkpoint"
    answer = refused(avon.run("audit", "verify", "--checkpoint", str(later)))
    assert "the ledger was put back" in answer["error"]


def test_other_files(avon: Avon, tmp_path: Path) -> None:
    """What is no checkpoint, or not signed by this ledger's key, is told as that."""
    file = tmp_path / "saved"
    for octets, said in (
        (b"hello", "there is no checkpoint"),
        (b"cjsm.test/ledger\n1\n", "cut short"),
        (b"cjsm.test/ledger\n1\nAAAA\n\n", "a note is text"),
        (mail("cjsm.test/ledger\n1\nAAAA\n\n\N{EM DASH} cjsm.test/ledger AAAAAAAA\n"), "no key that is trusted"),
        (b"x" * 2_000_000, "less than"),
    ):
        file.write_bytes(octets)
        answer = refused(avon.run("audit", "verify", "--checkpoint", str(file)))
        assert said in answer["error"]
        assert answer["cure"]


# After a restore


def test_recover(copy: Path) -> None:
    """An older community.mdb: its ledger is completed from the files, and what came since goes behind."""
    data = copy.parent / "data"
    shutil.copy(data / "community.mdb", data / "kept")
    for name in ("third", "fourth"):
        told(ran("organisation", "add", name, "--name", "T", "--abbreviation", name, "--json", config=copy))
    total = sign(copy)
    (data / "kept").rename(data / "community.mdb")
    answer = refused(ran("audit", "verify", "--json", config=copy))
    assert f"entry {total - 2} is the first" in answer["error"]
    told(ran("organisation", "add", "fifth", "--name", "F", "--abbreviation", "fifth", "--json", config=copy))
    done = told(ran("audit", "recover", "--reason", "disk failed", "--json", config=copy))
    assert done == {"from": total - 2, "entries": 2, "moved": 1}
    assert told(ran("audit", "verify", "--json", config=copy))["entries"] == total + 2
    found = told(ran("audit", "list", "--limit", "4", "--json", config=copy))
    assert [each["act"] for each in found] == ["ledger-recovered", *["organisation-add"] * 3]
    assert [each["details"]["slug"] for each in found[1:]] == ["fifth", "fourth", "third"]
    assert found[0]["reason"] == "disk failed"
    assert sign(copy) == total + 2
    assert (
        "no entry is missing" in refused(ran("audit", "recover", "--reason", "again", "--json", config=copy))["error"]
    )


def test_recover_from_damaged_files(copy: Path) -> None:
    """Nothing is taken that was not signed."""
    data = copy.parent / "data"
    shutil.copy(data / "community.mdb", data / "kept")
    told(ran("organisation", "add", "third", "--name", "T", "--abbreviation", "third", "--json", config=copy))
    sign(copy)
    (data / "kept").rename(data / "community.mdb")
    for bundle in (data / "ledger" / "tile" / "entries").rglob("*.p/*"):
        octets = bytearray(bundle.read_bytes())
        octets[-1] ^= 1
        bundle.write_bytes(octets)
    answer: Result = ran("audit", "recover", "--reason", "disk failed", "--json", config=copy)
    assert "are not those that were signed" in refused(answer)["error"]
