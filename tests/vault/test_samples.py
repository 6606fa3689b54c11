"""What was stored once can be read for good, and what is stored today has the same form."""

import json
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from cjsm.vault import device, passwords
from cjsm.vault.accountkeys import SignedAccountKey, check_account_key
from cjsm.vault.errors import VaultError
from cjsm.vault.factor import SealedFactor, open_factor, step_of
from cjsm.vault.hybrid import PrivateKey
from cjsm.vault.mailboxes import GenerationKey, Grant, check_generation, open_grant
from cjsm.vault.message import decode_wrap, open_wrap, verify_body
from cjsm.vault.officers import OfficerGrant, RecoveryKey, check_recovery_key, open_officer
from cjsm.vault.queue import open_envelope
from cjsm.vault.recovery import RecoveryWrap, ReleasedWrap, recover, release
from cjsm.vault.secrets import ServiceSecrets
from cjsm.vault.slots import AccountKey, Slot, open_slot

from .samples import __main__ as writer

KEPT = {
    path.stem: {name: bytes.fromhex(told) for name, told in json.loads(path.read_text()).items() if name != "suite"}
    for path in sorted((Path(__file__).parent / "samples").glob("*.json"))
}
Kind = TypeVar("Kind")


@pytest.fixture(scope="module", params=sorted(KEPT))
def kept(request: pytest.FixtureRequest) -> dict[str, bytes]:
    """Every kept file."""
    return KEPT[request.param]


@pytest.fixture(scope="module")
def secrets() -> ServiceSecrets:
    """The secrets that the samples were made with."""
    return ServiceSecrets(writer.held())


def record(octets: bytes, kind: type[Kind]) -> Kind:
    """A stored record of *kind*."""
    return msgspec.msgpack.decode(octets, type=kind)


def test_there_are_samples() -> None:
    """The first suite's file is there and holds every form that is written today."""
    assert set(KEPT["suite1"]) == set(writer.samples())


def test_message(kept: dict[str, bytes], secrets: ServiceSecrets) -> None:
    """A kept message opens from grant to last octet."""
    generation = record(kept["generation key"], GenerationKey)
    check_generation(generation, writer.MAILBOX, secrets.community_public)
    member = PrivateKey(kept["mail seed"])
    mailbox = open_grant(record(kept["grant"], Grant), generation, member)
    message = open_wrap(
        decode_wrap(kept["wrap"]), writer.MAILBOX, 1, writer.DELIVERY, acceptance=secrets.acceptance, key=mailbox
    )
    assert message.prefix + message.body().open(kept["body"]) == writer.PREFIX + writer.PLAINTEXT
    assert message.summary(kept["summary"]) == writer.SUMMARY
    assert message.wrap.signed_at == writer.MOMENT
    verify_body(message.wrap.body_digest, [kept["body"]])


def test_slots(kept: dict[str, bytes], secrets: ServiceSecrets) -> None:
    """Password and device password still verify and open their slots."""
    secret = device.parse(kept["device password"])
    assert secret is not None
    passwords.verify_password(
        record(kept["password verifier"], passwords.PasswordVerifier), writer.PASSWORD, secrets.peppers
    )
    device.verify(record(kept["secret verifier"], device.SecretVerifier), secret, secrets.peppers)
    key = passwords.stretch(record(kept["stretch"], passwords.Stretch), writer.PASSWORD, secrets.peppers)
    assert open_slot(record(kept["password slot"], Slot), key) == kept["mail seed"]
    assert open_slot(record(kept["authority slot"], Slot), key) == kept["authority seed"]
    device_slot = record(kept["device slot"], Slot)
    assert open_slot(device_slot, device.key(secret, device_slot.pepper, secrets.peppers)) == kept["mail seed"]
    for name in ("mail", "authority"):
        public = record(kept["account key" if name == "mail" else "authority key"], AccountKey)
        assert (public.public, public.use.value) == (PrivateKey(kept[f"{name} seed"]).public, name)


def test_second_factor(kept: dict[str, bytes], secrets: ServiceSecrets) -> None:
    """What a kept authenticator shows is still taken."""
    sealed = record(kept["second factor"], SealedFactor)
    assert open_factor(sealed, writer.ACCOUNT, secrets.peppers) == writer.FACTOR
    assert step_of(writer.FACTOR, b"287082", 59, 0) == 1


def test_recovery(kept: dict[str, bytes]) -> None:
    """Kept recovery wraps open for the two persons."""
    generation = record(kept["generation key"], GenerationKey)
    officer = PrivateKey(writer.Counter(b"officer")(32))
    counter = PrivateKey(writer.Counter(b"counter-signer")(32))
    for released in (
        release(record(kept["recovery wrap"], RecoveryWrap), generation, counter),
        record(kept["released wrap"], ReleasedWrap),
    ):
        assert recover(released, generation, officer) == kept["mailbox seed"]


def test_officers(kept: dict[str, bytes], secrets: ServiceSecrets) -> None:
    """A kept recovery key is still the community's, and its officer still opens it; so with a signed account key."""
    key = record(kept["recovery key"], RecoveryKey)
    check_recovery_key(key, writer.ORGANISATION, secrets.community_public)
    officer = PrivateKey(kept["authority seed"])
    assert open_officer(record(kept["officer grant"], OfficerGrant), key, officer).public == key.public
    signed = record(kept["signed account key"], SignedAccountKey)
    check_account_key(signed, writer.ACCOUNT, secrets.community_public)
    assert signed.public == record(kept["account key"], SignedAccountKey).public


def test_envelope(kept: dict[str, bytes], secrets: ServiceSecrets) -> None:
    """A kept envelope opens."""
    assert open_envelope(secrets.queue, b"sample entry", kept["envelope"]) == writer.ENVELOPE


@pytest.mark.parametrize("name", ["long body digest", "chain", "failure tag", "unknown subject", "pseudonym"])
def test_what_is_compared_has_not_changed(name: str) -> None:
    """Running hashes, tags and bodies come out today as they did then."""
    assert writer.samples()[name] == KEPT["suite1"][name]


@pytest.mark.parametrize(
    "name", ["generation key", "account key", "authority key", "signed account key", "recovery key"]
)
def test_what_is_derived_has_not_changed(name: str) -> None:
    """The same seed gives the same public key and signature."""
    assert writer.samples()[name] == KEPT["suite1"][name]


def test_lengths_have_not_changed() -> None:
    """What holds randomness has kept its length, to the octet."""
    lengths = {name: len(octets) for name, octets in writer.samples().items()}
    assert lengths == {name: len(octets) for name, octets in KEPT["suite1"].items()}


@pytest.mark.parametrize(
    "name", ["wrap", "body", "summary", "envelope", "grant", "password slot", "second factor", "generation key"]
)
def test_every_octet_counts(name: str, secrets: ServiceSecrets) -> None:
    """Any single octet of a kept form changed: what depends on it is refused."""
    kept = KEPT["suite1"]
    step = 1 if len(kept[name]) < 300 else 61
    for place in range(0, len(kept[name]), step):
        changed = bytearray(kept[name])
        changed[place] ^= 0x01
        with pytest.raises((VaultError, msgspec.MsgspecError, UnicodeDecodeError)):
            _use_every_form(kept | {name: bytes(changed)}, secrets)


def _use_every_form(kept: dict[str, bytes], secrets: ServiceSecrets) -> None:
    test_message(kept, secrets)
    test_slots(kept, secrets)
    test_second_factor(kept, secrets)
    test_envelope(kept, secrets)
