"""Our signatures: others can check them, nobody can change what they cover, and what must be published is told."""

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm.mail.authentication.bodies import BodyHashes
from cjsm.mail.authentication.dkim import verify
from cjsm.mail.authentication.results import Result
from cjsm.mail.authentication.signing import OVERSIGNED, SIGNED, DkimRecord, Signer, published, signer
from cjsm.vault.dkimkeys import make_rsa
from cjsm.vault.secrets import ServiceSecrets, generate

from .support import BODY, ED25519, LETTER, NOW, Zone, fields, hashes, header, lookups, peer_says, rsa
from .support import published as keys

SUFFIX = "cjsm.test"
SIGNER = Signer(SUFFIX, (("rsa1", rsa()), ("ed1", ED25519)), lambda: NOW)
SECRETS = ServiceSecrets({"dkim-rsa": {1: make_rsa()}, "dkim-ed25519": {1: b"e" * 32, 2: b"f" * 32}})


def zone(secrets: ServiceSecrets = SECRETS) -> Zone:
    """What we tell operators to publish, published."""
    return Zone({(record.name, "TXT"): ["".join(record.strings)] for record in published(SUFFIX, secrets)})


def signed(section: bytes = LETTER, body: bytes = BODY, ours: Signer | None = None) -> bytes:
    """The section with our signatures."""
    made = ours or signer(SUFFIX, SECRETS, lambda: NOW)
    assert made is not None
    inspector = made.inspector()
    inspector.write(body)
    return made.sign(header(section), inspector.finish()) + section


def results(section: bytes, body: bytes = BODY, secrets: ServiceSecrets = SECRETS) -> list[Result]:
    """What we say of them ourselves."""
    told = fields(section)
    found = verify(told, hashes(body), lookups(zone(secrets)), author=SUFFIX, most=5, now=NOW)
    return [each.result for each in found]


def test_both_hold() -> None:
    """For us, and for another implementation."""
    section = signed()
    assert results(section) == [Result.PASS, Result.PASS]
    for number in (0, 1):
        assert peer_says(section + b"\r\n" + BODY, zone(), number)
        assert not peer_says(section + b"\r\n" + BODY + b"x", zone(), number)


def test_as_it_is_written() -> None:
    """Lines that fit everywhere, one field for each key, and everything that RFC 6376 asks for."""
    section = signed()
    one, two = header(section).all(b"dkim-signature")
    assert max(map(len, section.split(b"\r\n"))) <= 78
    plain = [each.value.replace("\t", " ").replace(": ", ":") for each in (one, two)]
    assert plain[0].startswith("v=1; a=rsa-sha256; c=relaxed/relaxed; d=cjsm.test; s=rsa1; t=1800000000; x=1800604800;")
    assert plain[1].startswith("v=1; a=ed25519-sha256; c=relaxed/relaxed; d=cjsm.test; s=ed2; t=1800000000;")
    assert plain[0].partition(" h=")[2].partition(";")[0].split(":") == [
        *("from", "from", "sender", "reply-to", "to", "to", "cc", "subject", "subject", "date", "date", "message-id"),
        *("message-id", "in-reply-to", "references", "mime-version", "content-type", "content-transfer-encoding"),
        "content-disposition",
    ]


@pytest.mark.parametrize("name", [*OVERSIGNED, *SIGNED])
def test_every_field_counts(name: str) -> None:
    """Changed, taken away or, where people act on it, added: neither signature holds."""
    line = f"{name.title()}: something\r\n".encode()
    present = LETTER if fields(LETTER).has(name.encode()) else LETTER + line
    section = signed(present)
    assert results(section) == [Result.PASS, Result.PASS]
    own = next(field.octets for field in header(present).fields if field.name == name.encode())
    assert results(section.replace(own, own[:-2] + b"x\r\n")) == [Result.FAIL, Result.FAIL]
    assert results(section.replace(own, b"")) == [Result.FAIL, Result.FAIL]
    if name in OVERSIGNED:
        assert results(section + line) == [Result.FAIL, Result.FAIL]
        assert results(line + section) == [Result.FAIL, Result.FAIL]
        absent = LETTER.replace(own, b"") if name in ("to", "subject", "date", "message-id") else LETTER
        if not fields(absent).has(name.encode()):
            assert results(signed(absent) + line) == [Result.FAIL, Result.FAIL]


def test_what_servers_change_on_the_way() -> None:
    """Trace fields above, and white space."""
    section = signed()
    assert results(b"Received: by them\r\n" + section) == [Result.PASS, Result.PASS]
    assert results(section.replace(b"Bail\r\n at ten", b"Bail at   ten")) == [Result.PASS, Result.PASS]
    assert results(section, BODY.replace(b"\t ten.", b" ten.  ")) == [Result.PASS, Result.PASS]


def test_changed_body() -> None:
    """Every octet of it."""
    section = signed()
    assert results(section, BODY.replace(b"ten", b"two")) == [Result.FAIL, Result.FAIL]
    assert results(section, b"x" + BODY) == [Result.FAIL, Result.FAIL]
    assert results(section, BODY + b"x") == [Result.FAIL, Result.FAIL]


@given(
    st.lists(
        st.builds(
            lambda name, value: name + b": " + value + b"\r\n",
            st.sampled_from([b"Received", b"X-One", b"List-Id", b"Resent-To", b"Comments"]),
            st.text(st.characters(min_codepoint=33, max_codepoint=0x2000), min_size=1, max_size=150).map(str.encode),
        ),
        max_size=8,
    ).map(b"".join),
    st.binary(max_size=200).map(lambda body: body.replace(b"\r", b"").replace(b"\n", b"\r\n") + b"\r\n"),
)
def test_any_message(more: bytes, body: bytes) -> None:
    """Whatever is in it: what we sign holds for us and for another implementation."""
    section = signed(more + LETTER, body, SIGNER)
    message = section + b"\r\n" + body
    records = keys(("rsa1", rsa()), ("ed1", ED25519), domain=SUFFIX)
    found = verify(header(section), hashes(body), lookups(records), author=SUFFIX, most=5, now=NOW)
    assert [each.result for each in found] == [Result.PASS, Result.PASS]
    assert peer_says(message, records, 0)
    assert peer_says(message, records, 1)


def test_without_the_body() -> None:
    """It has to have been read."""
    with pytest.raises(ValueError, match="body"):
        SIGNER.sign(header(LETTER), BodyHashes(simple=b"x" * 32))


def test_keys_that_are_missing() -> None:
    """One signature with one key; none, and nothing to sign with, without any."""
    one = ServiceSecrets({"dkim-ed25519": {7: b"e" * 32}})
    made = signer(SUFFIX, one, lambda: NOW)
    assert made is not None
    assert results(signed(ours=made), secrets=one) == [Result.PASS]
    assert [record.name for record in published(SUFFIX, one)] == ["ed7._domainkey.cjsm.test"]
    without = generate(random.Random(1).randbytes)
    assert signer(SUFFIX, without, lambda: NOW) is None
    assert published(SUFFIX, without) == ()


def test_what_is_published() -> None:
    """Every version of every key, in pieces that DNS takes; the newest signs."""
    records = published(SUFFIX, SECRETS)
    assert [record.name.partition(".")[0] for record in records] == ["rsa1", "ed1", "ed2"]
    assert records[0].value.startswith("v=DKIM1; k=rsa; s=email; p=MII")
    assert [len(each) <= 255 for each in records[0].strings] == [True, True]
    public = base64.b64encode(SECRETS.dkim_ed25519.of(1).public).decode()
    assert records[1] == DkimRecord("ed1._domainkey.cjsm.test", f"v=DKIM1; k=ed25519; s=email; p={public}")
    assert records[1].strings == (records[1].value,)
