"""Nothing readable reaches the disk."""

import base64
import mmap
import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.relay.caller import Calls, send
from tests.relay.firm import SUFFIXED, Firm
from tests.running import Community

pytestmark = pytest.mark.torture


@pytest.fixture
def own_community(tmp_path: Path) -> Iterator[Community]:
    """A community that may be killed."""
    made = Community(tmp_path / "demo")
    made.make()
    yield made
    made.stop()


def test_no_canary_on_disk(own_community: Community) -> None:
    """Neither content, subject, attachment, envelope nor password stands anywhere in the data directory or the log.

    Looked at three times: as mail waits in the spool, after delivery, after it was read and deleted.
    """
    community = own_community
    sender, reader = community.person("jane.smith@avon"), community.person("john.smith@smithjones")
    canaries = [account[kind].encode() for account in (sender, reader) for kind in ("password", "device_password")]
    for number, octets in enumerate((0, 200_000, 3_000_000)):
        message, within = _message(sender["address"], reader["address"], number, octets)
        canaries += within
        with closing(community.smtp(sender)) as session:
            session.sendmail(sender["address"], [reader["address"]], message)
            if number == 0:
                community.kill()
        if number == 0:
            _look(community, canaries)
            community.start()
    # Found in what is read: the canaries are what they should be.
    read = b"".join(community.messages(reader, at_least=3).values())
    assert all(canary in read for canary in canaries[4:] if not canary.startswith(b"raw"))
    _look(community, canaries)
    community.empty(reader)
    community.stop()
    _look(community, canaries)
    community.start()


def test_no_canary_of_relayed_mail_on_disk(own_community: Community, tmp_path: Path) -> None:
    """Nor of what waits for an organisation's server, of its report, and of what that server sent."""
    community, firm = own_community, Firm(own_community, tmp_path / "authority")
    member, outside = community.person("jane.smith@avon"), f"{secrets.token_hex(8)}@{SUFFIXED}"
    firm.join(1)
    canaries = [outside.partition("@")[0].encode()]
    for number, octets in enumerate((0, 200_000)):
        message, within = _message(member["address"], outside, number, octets)
        canaries += within
        with closing(community.smtp(member)) as session:
            session.sendmail(member["address"], [outside], message)
    assert len(firm.queue()) == 2
    _look(community, canaries)
    message, within = _message(outside, member["address"], 2, 200_000)
    canaries += within
    with closing(Calls(community)) as calls:
        answer = send(calls.call(firm.issued()), outside.removesuffix(".cjsm.test"), [member["address"]], message)
        assert answer.code == 250
    community.messages(member, at_least=1)
    _look(community, canaries)
    for queued in firm.queue():
        done = community.command("queue", "remove", str(queued.sequence), "--reason", "a test")
        assert done.returncode == 0, done.stderr
    read = b"".join(community.messages(member, at_least=3).values())
    assert canaries[0] in read
    assert canaries[-5] in read
    community.stop()
    _look(community, canaries)
    community.start()


def _message(sender: str, recipient: str, number: int, octets: int) -> tuple[bytes, list[bytes]]:
    subject, text, identifier = (secrets.token_hex(12) for _ in range(3))
    raw = b"raw" + secrets.token_bytes(24)
    attached = raw + secrets.token_bytes(octets)
    encoded = base64.encodebytes(attached).replace(b"\n", b"\r\n")
    message = (
        f"From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\nMessage-ID: <{identifier}@client.example>\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\nX-Text: {text}\r\n\r\n"
    ).encode() + encoded
    return message, [subject.encode(), text.encode(), identifier.encode(), raw, encoded[:36]]


def _look(community: Community, canaries: list[bytes]) -> None:
    looked_at = 0
    for path in (*community.data.rglob("*"), community.directory / "service.log"):
        if not path.is_file() or path.stat().st_size == 0:
            continue
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as octets:
            looked_at += 1
            for canary in canaries:
                assert octets.find(canary) < 0, f"{canary!r} in {path}"
    assert looked_at > 5
