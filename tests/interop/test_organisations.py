"""Organisations whose members have their mail behind a Postfix of their own: both ways, with mutual TLS."""

import email
import re
import smtplib
import subprocess
from collections.abc import Callable, Iterator
from email.message import Message
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import pytest

from cjsm.community.records import NextHop
from tests.peers.certificates import Identity
from tests.peers.postfix import PROGRAMS, Postfix, RelayHost, postfix
from tests.peers.processes import needs
from tests.peers.sink import PROGRAMS as SINK_PROGRAMS
from tests.peers.sink import sink
from tests.relay.firm import Firm
from tests.running import Community

pytestmark = pytest.mark.interop
_JO = "jo.ward@firm.example"


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firm]:
    """A firm in a community of its own."""
    community = Community(tmp_path_factory.mktemp("community"))
    community.make()
    made = Firm(community, tmp_path_factory.mktemp("authority"))
    made.join(1)
    yield made
    community.stop()
    assert "Traceback" not in community.log(), community.log()[-3000:]


@pytest.fixture(scope="module")
def shown(firm: Firm) -> Identity:
    """The certificate that the community issued for the firm's server."""
    return firm.issued()


@pytest.fixture(scope="module")
def server(firm: Firm, shown: Identity) -> Iterator[Postfix]:
    """The firm's server: it takes mail from the community only, and sends what is not for itself there only.

    Of its domain's names only Jo's has a mailbox; for ``nobody`` it says so at once, for others it finds out later.
    """
    needs(*PROGRAMS)
    told = Path(firm.community.told["ca_file"])
    with postfix(
        host=firm.name,
        domains=[firm.domain],
        identity=firm.certificates.server(firm.name),
        authority=told,
        trusted=[_of_service(told.with_name("server.pem"))],
        relay_host=RelayHost("localhost", firm.community.port("relay")),
        client=shown,
        settings={
            "myorigin": firm.domain,
            "virtual_mailbox_maps": f"inline:{{ {_JO}=all/ }}",
            "smtpd_reject_unlisted_recipient": "no",
        },
    ) as running:
        firm.change(next_hops=(NextHop(host="127.0.0.1", port=running.port),))
        yield running


def _of_service(certificate: Path) -> Identity:
    done = subprocess.run(
        ["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    fingerprint = done.stdout.partition("=")[2].strip().replace(":", "").lower()
    return Identity(certificate, certificate.with_suffix(".key"), fingerprint, "")


def _write(sender: str, recipient: str, subject: str, *fields: str) -> bytes:
    lines = (
        *(f"From: {sender}", f"To: {recipient}", f"Subject: {subject}", f"Message-ID: <{subject}@client.example>"),
        *("Date: Mon, 02 Nov 2026 10:00:00 +0000", *fields, "", ".a dot", "some text", ""),
    )
    return "\r\n".join(lines).encode()


def _from_member(firm: Firm, sender: dict[str, Any], recipient: str, subject: str, *options: str) -> None:
    session = firm.community.smtp(sender)
    message = _write(sender["address"], recipient, subject)
    session.sendmail(sender["address"], [recipient], message, rcpt_options=options)
    session.quit()


def _from_firm(server: Postfix, recipient: str, message: bytes) -> None:
    with smtplib.SMTP("localhost", server.plain_port, timeout=30) as session:
        session.sendmail(_JO, [recipient], message)


def _last(firm: Firm, account: dict[str, Any], subject: str) -> Message:
    """Return the one message of this subject as soon as it is there."""
    number = 1
    while True:
        found = [email.message_from_bytes(each) for each in firm.community.messages(account, number).values()]
        named = [each for each in found if each["Subject"] == subject]
        if named:
            (message,) = named
            return message
        number = len(found) + 1


def test_there_and_back(firm: Firm, server: Postfix) -> None:
    """A member writes to Jo behind Postfix, Jo answers to what stands in From, and so on: no address needs editing."""
    tom = firm.community.person("tom.harding@avon")
    before = len(server.messages())
    _from_member(firm, tom, f"Jo.Ward@{firm.suffixed}", "there")
    there = email.message_from_bytes(server.messages(before + 1)[-1])
    assert there["Subject"] == "there"
    assert there["Return-Path"] == f"<{tom['address']}>"
    assert there["To"].lower() == _JO
    assert there.get_payload() == ".a dot\nsome text\n"
    outer = there.get_all("Received")[0]
    assert "TLSv1.3" in outer
    assert "Client CN" in outer
    _, answer_to = parseaddr(there["From"])
    _from_firm(server, answer_to, _write(_JO, answer_to, "back", f"In-Reply-To: {there['Message-ID']}"))
    back = _last(firm, tom, "back")
    assert back["Return-Path"] == back["From"].join("<>") == f"<{_JO}.cjsm.test>"
    assert back["In-Reply-To"] == there["Message-ID"]
    assert re.match(rf"from {firm.name} \(\[127\.0\.0\.1\]\)\s+by localhost with ESMTPS ", back["Received"])
    assert back["Authentication-Results"].startswith("localhost;")
    assert back.get_payload() == ".a dot\r\nsome text\r\n"
    _from_member(firm, tom, back["From"], "there again")
    assert email.message_from_bytes(server.messages(before + 2)[-1])["Subject"] == "there again"


def test_nobody_there(firm: Firm, server: Postfix) -> None:
    """What Postfix refuses, we report; what it finds out later, it reports, and its report reaches the sender."""
    tom = firm.community.person("tom.harding@avon")
    _from_member(firm, tom, f"nobody.here@{firm.suffixed}", "refused")
    ours = _last(firm, tom, "Your message could not be delivered")
    assert "no such mailbox" in str(ours)
    _from_member(firm, tom, f"lost@{firm.suffixed}", "lost")
    theirs = _last(firm, tom, "Undelivered Mail Returned to Sender")
    assert theirs["Return-Path"] == "<>"
    assert parseaddr(theirs["From"])[1] == "MAILER-DAEMON@firm.example.cjsm.test"
    assert theirs.get_content_type() == "multipart/report"
    assert "lost@firm.example" in str(theirs)


def test_reports_of_success(firm: Firm, server: Postfix) -> None:
    """Postfix takes over what the sender asked for, and says that it was delivered."""
    tom = firm.community.person("tom.harding@avon")
    _from_member(firm, tom, f"jo.ward@{firm.suffixed}", "success", "NOTIFY=SUCCESS")
    report = _last(firm, tom, "Successful Mail Delivery Report")
    assert "Action: delivered" in str(report)


def test_what_the_firm_may_not_send(firm: Firm, server: Postfix) -> None:
    """A forged From and an address outside come back to Jo from Postfix with our words; nothing is left waiting."""
    tom = firm.community.person("tom.harding@avon")
    before = len(server.messages())
    _from_firm(server, tom["address"], _write("ada.central@office.cjsm.test", tom["address"], "forged"))
    assert b"this connection may not send as" in server.messages(before + 1)[-1].replace(b"\n    ", b" ")
    _from_firm(server, "x@evil.com", _write(_JO, "x@evil.com", "outside"))
    assert b"5.7.1" in server.messages(before + 2)[-1]
    _from_firm(server, tom["address"], _write(_JO, tom["address"], "and this goes"))
    assert _last(firm, tom, "and this goes")["From"] == f"{_JO}.cjsm.test"
    assert "forged" not in [email.message_from_bytes(each)["Subject"] for each in firm.community.messages(tom).values()]


def test_large_mail(firm: Firm, server: Postfix) -> None:
    """25 MB goes both ways."""
    tom = firm.community.person("tom.harding@avon")
    text = b"".join(b"%09d a line of evidence, and another one\r\n" % number for number in range(480_000))
    before = len(server.messages())
    session = firm.community.smtp(tom, timeout=120)
    large = _write(tom["address"], f"jo.ward@{firm.suffixed}", "large") + text
    session.sendmail(tom["address"], [f"jo.ward@{firm.suffixed}"], large)
    session.quit()
    assert server.messages(before + 1, 120)[-1].endswith(text.replace(b"\r\n", b"\n"))
    firm.community.empty(tom)
    _from_firm(server, tom["address"], _write(_JO, tom["address"], "large") + text)
    (back,) = firm.community.messages(tom, 1).values()
    assert back.endswith(text)


@pytest.mark.parametrize("version", ["tlsv1_2", "tlsv1_3"])
def test_swaks(firm: Firm, shown: Identity, program: Callable[[str], str], version: str) -> None:
    """swaks with the issued certificate is the firm's server; without one it is nobody."""
    tom = firm.community.person("tom.harding@avon")
    command = [
        program("swaks"),
        *("--server", f"localhost:{firm.community.port('relay')}", "--tls", "--tls-verify"),
        *("--tls-protocol", version, "--tls-ca-path", firm.community.told["ca_file"], "--helo", firm.name),
        *("--from", _JO, "--to", tom["address"], "--header", f"Subject: swaks {version}"),
    ]
    certificate = ["--tls-cert", str(shown.certificate), "--tls-key", str(shown.key)]
    done = subprocess.run([*command, *certificate], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _last(firm, tom, f"swaks {version}")["From"] == f"{_JO}.cjsm.test"
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "550 5.7.1 your server shows no certificate" in done.stdout


def test_a_sink_as_next_hop(firm: Firm) -> None:
    """stunnel in front of Postfix's test server gets our mail with our certificate."""
    needs(*SINK_PROGRAMS)
    tom = firm.community.person("tom.harding@avon")
    authority = Path(firm.community.told["ca_file"])
    hops = firm.beside(lambda suite: suite.stores.community.read_now(lambda view: view.connection(firm.identifier)))
    with sink(identity=firm.certificates.server(firm.name), clients=authority) as running:
        firm.change(next_hops=(NextHop(host="127.0.0.1", port=running.port),))
        _from_member(firm, tom, f"jo.ward@{firm.suffixed}", "sink")
        (text,) = running.messages(1)
    firm.change(next_hops=hops.next_hops)
    assert b"X-Rcpt-Args: <jo.ward@firm.example>" in text
    assert b"To: jo.ward@firm.example\n" in text
    assert text.rstrip(b"\n").endswith(b"\n\n.a dot\nsome text")
