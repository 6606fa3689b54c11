"""Mail goes in and comes out octet for octet, through the programs that people have."""

import smtplib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.letters import SIZES, letter
from tests.running import Community, without_trace

pytestmark = pytest.mark.interop
Program = Callable[[str], str]


@pytest.mark.parametrize("size", SIZES)
def test_curl(community: Community, program: Program, tmp_path: Path, size: str) -> None:
    """curl sends over smtps and reads over pop3s."""
    curl = program("curl")
    sender, reader = community.person("jane.smith@avon"), community.person("john.smith@smithjones")
    community.empty(reader)
    sent = letter(sender, reader, SIZES[size], f"curl {size}")
    (tmp_path / "sent").write_bytes(sent)
    _curl(
        curl,
        community,
        *("--url", f"smtps://localhost:{community.port('submissions')}"),
        *("--user", f"{sender['user_id']}:{sender['password']}"),
        *("--mail-from", sender["address"], "--mail-rcpt", reader["address"]),
        *("--upload-file", str(tmp_path / "sent")),
    )
    community.messages(reader, at_least=1)
    read = _curl(
        curl,
        community,
        *("--user", f"{reader['user_id']}:{reader['device_password']}"),
        f"pop3s://localhost:{community.port('pop3s')}/1",
    )
    assert without_trace(read) == sent


def _curl(curl: str, community: Community, *arguments: str) -> bytes:
    done = subprocess.run(
        [curl, "--silent", "--show-error", "--max-time", "60", "--cacert", community.told["ca_file"], *arguments],
        capture_output=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks(community: Community, program: Program, tmp_path: Path, size: str, mechanism: str) -> None:
    """swaks sends over 587 with STARTTLS, with a device password."""
    swaks = program("swaks")
    if (size, mechanism) == ("25 MB", "LOGIN"):
        size = "5 KB"
    sender, reader = community.person("tom.harding@avon"), community.person("hannah.levy@smithjones")
    community.empty(reader)
    sent = letter(sender, reader, SIZES[size], f"swaks {mechanism} {size}")
    (tmp_path / "sent").write_bytes(sent)
    done = subprocess.run(
        [
            swaks,
            *("--server", f"localhost:{community.port('submission')}", "--tls", "--tls-verify"),
            *("--tls-ca-path", community.told["ca_file"], "--auth", mechanism, "--hide-all"),
            *("--auth-user", sender["user_id"], "--auth-password", sender["device_password"]),
            *("--from", sender["address"], "--to", reader["address"], "--data", f"@{tmp_path / 'sent'}"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (read,) = community.messages(reader, at_least=1).values()
    # swaks ends what it sends with an empty line of its own.
    assert without_trace(read).removesuffix(b"\r\n").rstrip(b"\r\n") == sent.rstrip(b"\r\n")


@pytest.mark.parametrize("size", SIZES)
def test_python(community: Community, size: str) -> None:
    """smtplib sends, poplib reads."""
    sender, reader = community.person("priya.jones@smithjones"), community.person("liam.byrne@avon")
    community.empty(reader)
    sent = letter(sender, reader, SIZES[size], f"python {size}")
    community.send(sender, reader, sent)
    (read,) = community.messages(reader, at_least=1).values()
    assert without_trace(read) == sent


def test_many_recipients(community: Community) -> None:
    """Everybody gets one copy; an unknown recipient is refused and does not cost the others theirs."""
    sender = community.person("grace.okafor@avon")
    readers = [each for each in community.hosted() if each["user_id"] != sender["user_id"]][:6]
    for reader in readers:
        community.empty(reader)
    sent = letter(sender, readers[0], 5_000, "many")
    session = community.smtp(sender)
    addresses = [reader["address"] for reader in readers]
    refused = session.sendmail(sender["address"], [*addresses, community.told["unknown_address"]], sent)
    session.quit()
    assert list(refused) == [community.told["unknown_address"]]
    assert refused[community.told["unknown_address"]][0] == 550
    for reader in readers:
        (read,) = community.messages(reader, at_least=1).values()
        assert without_trace(read) == sent


def test_closed(community: Community) -> None:
    """Nothing leaves, nobody writes in another's name, nothing too large comes in; each says why."""
    sender, reader = community.person("jane.smith@avon"), community.person("john.smith@smithjones")
    session = community.smtp(sender)
    code, text = session.mail("somebody.else@avon.cjsm.test")
    assert (code, text[:5]) == (550, b"5.7.1")
    session.rset()
    session.mail(sender["address"])
    code, text = session.rcpt("somebody@example.org")
    assert (code, text[:5]) == (550, b"5.7.1"), text
    session.rset()
    code, text = session.mail(sender["address"], ["SIZE=99999999"])
    assert (code, text[:5]) == (552, b"5.3.4")
    session.rset()
    forged = letter(sender | {"address": reader["address"]}, reader, 5_000, "forged")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        session.sendmail(sender["address"], [reader["address"]], forged)
    assert refused.value.smtp_code == 550
    session.quit()


def test_wrong_password(community: Community) -> None:
    """A wrong password and an unknown user get the same words."""
    texts = set()
    for name in ("jane.smith@avon", "nobody.here@avon"):
        session = smtplib.SMTP_SSL("localhost", community.port("submissions"), context=community.tls())
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            session.login(name, "not the password")
        texts.add((refused.value.smtp_code, refused.value.smtp_error))
        session.close()
    ((code, _),) = texts
    assert code == 535
