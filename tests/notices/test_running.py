"""Notices of the running service, as people read them over POP3, and as the one host outside gets them."""

import email
import email.policy
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from cjsm.command.context import wait
from cjsm.community import finding
from cjsm.community.acts.acting import changed
from cjsm.community.identifiers import ActId
from cjsm.community.view import Change, View
from tests.command.mailboxes import beside
from tests.peers.canary import Canary
from tests.peers.certificates import CertificateMaker, Identity
from tests.peers.scripted import ScriptedPeer
from tests.running import Community

JANE, TOM, OLIVE = "jane.smith@avon", "tom.harding@avon", "olive.marsh@avon"
SENDER = "noreply@example.org"
PORTS = (25, 465, 587, 2525)


@dataclass
class House:
    """The demonstration community with people who have ordinary addresses."""

    community: Community
    read: dict[str, set[str]] = field(default_factory=dict)

    def person(self, user_id: str) -> dict[str, Any]:
        return self.community.person(user_id)

    def run(self, *words: str, typed: str = "") -> Any:
        done = self.community.command(*words, "--json", typed=typed)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def fresh(self, user_id: str, count: int = 1) -> list[EmailMessage]:
        """The next *count* messages that come to somebody; none comes besides."""
        before = self.read.setdefault(user_id, set())
        found = self.community.messages(self.person(user_id), len(before) + count)
        fresh = [
            email.message_from_bytes(octets, policy=email.policy.default)
            for name, octets in found.items()
            if name not in before
        ]
        before.update(found)
        assert len(fresh) == count, [each["Subject"] for each in fresh]
        return [each for each in fresh if isinstance(each, EmailMessage)]

    def change(self, user_id: str, decide: Callable[[View], Change]) -> None:
        with beside(Path(self.community.config)) as suite:
            wait(suite.stores.community.commit(ActId(f"{user_id[:8]}{time.monotonic_ns()}".encode()[:16]), decide))

    def ordinary(self, user_id: str, address: str) -> None:
        """Give somebody an ordinary address."""

        def decide(view: View) -> Change:
            found = finding.account_of(view, user_id)
            return Change(put=(changed(found, profile=msgspec.structs.replace(found.profile, ordinary_email=address)),))

        self.change(user_id, decide)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    community = Community(tmp_path_factory.mktemp("notices"))
    community.make()
    community.set("per_day", "20")
    community.reload()
    house = House(community)
    # Before it follows the ledger for the first time there is nothing to be told of.
    ends = time.monotonic() + 20
    while (house.run("notice", "list")["notices"], _followed(house)) != ([], True):
        assert time.monotonic() < ends
        time.sleep(0.1)
    for user_id in (JANE, TOM, OLIVE):
        house.read[user_id] = set(community.messages(house.person(user_id)))
    yield house
    community.stop()
    assert "Traceback" not in community.log(), community.log()[-3000:]


def _followed(house: House) -> bool:
    with beside(Path(house.community.config)) as suite:
        return suite.stores.notices.followed() is not None


def said(letter: EmailMessage) -> str:
    text: str = letter.get_content()
    return text


def test_locked_and_unlocked(house: House) -> None:
    """By mail from the one sender, in the order it was done, that asks for nothing and leads nowhere."""
    assert house.run("user", "lock", TOM, "--reason", "laptop stolen")["told"] is False
    assert house.run("user", "unlock", TOM)["told"] is False
    letters = house.fresh(TOM, 2)
    assert [each["Subject"] for each in letters] == ["Your account is locked", "Your account is unlocked"]
    for letter in letters:
        assert letter["From"].addresses[0].addr_spec == "postmaster@cjsm.test"
        assert letter["Return-Path"] == "<>"
        whole = letter.as_string() + said(letter)
        assert "laptop" not in whole
        assert "://" not in said(letter)
    shown = house.run("notice", "list", "--user", TOM)["notices"]
    assert [(each["kind"], each["inside"], each["ordinary"]) for each in shown] == [
        ("unlocked", "sent", "none"),
        ("locked", "sent", "none"),
    ]
    assert "An administrator locked" in house.run("notice", "show", str(shown[1]["number"]))["text"]


def test_reset(house: House) -> None:
    """Who chose a password again reads that it was reset, and that it was changed."""
    made = house.run("user", "reset-password", TOM, "--reason", "forgotten")
    assert made["told"] is False
    chosen = "another fine password of mine"
    typed = f"{made['one_time_password']}\n{chosen}\n"
    house.run("user", "set-password", TOM, "--password-stdin", typed=typed)
    house.person(TOM)["password"] = chosen
    house.read[TOM] = set()
    subjects = [each["Subject"] for each in house.fresh(TOM, 2)]
    assert subjects == ["Your password was reset", "Your password was changed"]


def test_a_mailbox_that_fills_up(house: House) -> None:
    """Is told once, however much comes."""
    jane = house.person(JANE)

    def smaller(view: View) -> Change:
        return Change(put=(changed(finding.account_of(view, JANE), quota=100_000),))

    house.change(JANE, smaller)
    letter = b"From: %s\r\nTo: %s\r\nSubject: x\r\n\r\n" % (jane["address"].encode(), jane["address"].encode())
    house.community.send(jane, jane, letter + (b"x" * 76 + b"\r\n") * 1_000)
    assert [each["Subject"] for each in house.fresh(JANE, 2)] == ["x", "Your mailbox is filling up: 70 %"]
    house.community.send(jane, jane, letter + b"small\r\n")
    assert [each["Subject"] for each in house.fresh(JANE)] == ["x"]


def test_shared_mail(house: House) -> None:
    """Its members hear that there is some, and not of whom or what."""
    house.run("shared", "add", "avon-police", "nights", "--name", "Night desk", "--member", OLIVE)
    jane, olive = house.person(JANE), house.person(OLIVE)
    shared = dict(olive, address="nights@avon.cjsm.test")
    letter = b"From: %s\r\nTo: nights@avon.cjsm.test\r\nSubject: a bail hearing\r\n\r\nAt ten.\r\n"
    house.community.send(jane, shared, letter % jane["address"].encode())
    assert house.run("shared", "change", shared["address"], "--notice")["notice"] is True
    for _ in range(3):
        house.community.send(jane, shared, letter % jane["address"].encode())
    (told,) = house.fresh(OLIVE)
    assert told["Subject"] == "New mail in a shared mailbox"
    whole = told.as_string() + said(told)
    assert not re.search("bail|jane|nights|At ten", whole)


def test_killed_between_act_and_notice(house: House) -> None:
    """The service ends before it saw the act, or while it tells of it; afterwards there is one notice, and one only."""
    house.community.kill()
    house.run("user", "lock", TOM)
    house.run("user", "unlock", TOM)
    house.community.start()
    time.sleep(0.4)
    house.community.kill()
    house.community.start()
    assert [each["Subject"] for each in house.fresh(TOM, 2)] == ["Your account is locked", "Your account is unlocked"]


def _pin(identity: Identity) -> str:
    certificate = x509.load_pem_x509_certificate(identity.certificate.read_bytes())
    key = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key)
    return digest.finalize().hex()


def test_ordinary_addresses(house: House, tmp_path: Path) -> None:
    """Inside TLS to the one host that is pinned, and to nobody else; a host with another key gets nothing."""
    house.ordinary(TOM, "tom@home.example")
    maker = CertificateMaker(tmp_path)
    true, false = maker.server("mail.example.org"), maker.server("mail.example.org")
    for name, value in (
        ("host", '"127.0.0.1"'),
        ("sender", f'"{SENDER}"'),
        ("tls_pins", f'["{_pin(true)}"]'),
        ("ordinary_per_day", "5"),
        ("retry_first", "1"),
    ):
        house.community.set(name, value)
    with Canary(PORTS) as canary:
        with ScriptedPeer(identity=false) as impostor:
            house.community.set("port", str(impostor.port))
            house.community.reload()
            assert house.run("user", "suspend", TOM, "--reason", "absent", "--note", "canary note")["told"] is True
            impostor.wait_for_connections(1)
            _until(lambda: "none of those that are pinned" in _last(house)["reason"])
            assert impostor.messages == []
        with ScriptedPeer(identity=true) as peer:
            house.community.set("port", str(peer.port))
            house.community.reload()
            (message,) = peer.wait_for_messages(1)
            assert peer.exposed == []
            assert message.encrypted
            house.run("user", "resume", TOM)
            second = peer.wait_for_messages(2)[1]
    assert canary.called == []
    assert message.sender.address == SENDER
    assert [each.address for each in message.recipients] == ["tom@home.example"]
    letters = [email.message_from_bytes(each.octets, policy=email.policy.default) for each in (message, second)]
    assert [each["Subject"] for each in letters] == ["Your account is suspended", "Your account is in use again"]
    for each in (message, second):
        text = each.octets.lower()
        for word in (b"tom.harding", b"harding", b"avon", b"cjsm.test", b"canary", b"absent"):
            assert word not in text
    _until(lambda: _last(house)["ordinary"] == "sent")
    house.community.set("host", '""')
    house.community.reload()
    house.fresh(TOM, 2)


def _last(house: House) -> Any:
    return house.run("notice", "list", "--user", TOM)["notices"][0]


def _until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.1)


def test_an_interruption(house: House) -> None:
    """Goes to everybody of an organisation; without a word that somebody wrote."""
    tomorrow = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 86_400))
    after = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 90_000))
    words = ("--kind", "planned-outage", "--organisation", "avon-police", "--from", tomorrow, "--until", after)
    dry = house.run("notice", "send", *words, "--dry-run")
    sent = house.run("notice", "send", *words)
    assert (dry["sent"], sent["sent"], dry["people"]) == (False, True, sent["people"])
    for user_id in (JANE, TOM, OLIVE):
        (letter,) = house.fresh(user_id)
        assert letter["Subject"] == dry["subject"]
