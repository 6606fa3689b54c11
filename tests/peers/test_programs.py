"""Postfix and the sink take and send mail as other organisations' servers do."""

import smtplib
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.peers.certificates import CertificateMaker, Identity
from tests.peers.postfix import PROGRAMS, Postfix, RelayHost, postfix
from tests.peers.processes import needs
from tests.peers.script import Script
from tests.peers.scripted import ScriptedPeer
from tests.peers.sink import PROGRAMS as SINK_PROGRAMS
from tests.peers.sink import sink

pytestmark = pytest.mark.interop
_TEXT = b"Subject: one\r\n\r\n.a dot\r\nsome text\r\n"
_LEVELS = [("verify", "localhost", 1), ("verify", "other.example", 0), ("encrypt", "other.example", 1)]


@pytest.fixture(scope="module")
def identity(maker: CertificateMaker) -> Identity:
    """What the servers show."""
    return maker.server("localhost")


@pytest.fixture(scope="module")
def ours(maker: CertificateMaker) -> Identity:
    """What this side shows."""
    return maker.client("cjsm.example")


@pytest.fixture(scope="module")
def organisation(maker: CertificateMaker, identity: Identity, ours: Identity) -> Iterator[Postfix]:
    """An organisation that takes mail from us only."""
    needs(*PROGRAMS)
    with postfix(
        host="mx.org.example", domains=["org.example"], identity=identity, authority=maker.file, trusted=[ours]
    ) as running:
        yield running


def _send(port: int, context: ssl.SSLContext | None, recipient: str = "b@org.example") -> None:
    with closing(smtplib.SMTP("localhost", port, timeout=30)) as session:
        if context is not None:
            session.starttls(context=context)
        session.sendmail("a@cjsm.example", [recipient], _TEXT)
        session.quit()


def test_postfix_takes_mail(organisation: Postfix, maker: CertificateMaker, ours: Identity) -> None:
    """Over TLS with our certificate; it arrives in the maildir."""
    before = len(organisation.messages())
    _send(organisation.port, ours.client_context(maker.file))
    text = organisation.messages(before + 1)[-1]
    assert text.endswith(b"\n\n.a dot\nsome text\n")
    assert b"Return-Path: <a@cjsm.example>" in text


def test_postfix_takes_mail_from_swaks(
    organisation: Postfix, maker: CertificateMaker, ours: Identity, program: Callable[[str], str]
) -> None:
    """A program that others use sends the same way."""
    before = len(organisation.messages())
    done = subprocess.run(
        [
            program("swaks"),
            *("--server", f"localhost:{organisation.port}", "--tls", "--tls-verify"),
            *("--tls-ca-path", str(maker.file), "--tls-cert", str(ours.certificate), "--tls-key", str(ours.key)),
            *("--from", "a@cjsm.example", "--to", "swaks@org.example", "--hide-all"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"Delivered-To: swaks@org.example" in organisation.messages(before + 1)[-1]


def test_postfix_refuses(organisation: Postfix, maker: CertificateMaker, ours: Identity) -> None:
    """Nothing in the clear, nothing without a certificate or with another, nothing for other domains or for nobody."""
    with pytest.raises(smtplib.SMTPResponseException, match="530"):
        _send(organisation.port, None)
    without = ssl.create_default_context(cafile=str(maker.file))
    other = maker.client("other.example").client_context(maker.file)
    for context in (without, other):
        with pytest.raises((smtplib.SMTPException, OSError)):
            _send(organisation.port, context)
    for recipient in ("b@elsewhere.example", "nobody.here@org.example"):
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            _send(organisation.port, ours.client_context(maker.file), recipient)


@pytest.mark.parametrize(("level", "name", "count"), _LEVELS)
def test_postfix_sends(
    maker: CertificateMaker, identity: Identity, ours: Identity, level: str, name: str, count: int
) -> None:
    """What its people hand in goes to the relay host over TLS with its certificate; to another name, only if told."""
    needs(*PROGRAMS)
    shown = identity if name == "localhost" else maker.server(name)
    with (
        ScriptedPeer(identity=shown, clients=maker.file) as peer,
        postfix(
            host="mx.org.example",
            domains=["org.example"],
            identity=identity,
            authority=maker.file,
            relay_host=RelayHost("localhost", peer.port, level),
            client=ours,
        ) as running,
    ):
        _send(running.plain_port, None, "b@cjsm.example")
        if count:
            (message,) = peer.wait_for_messages(1)
            assert (message.encrypted, message.certificate) == (True, ours.fingerprint)
            assert [path.address for path in message.recipients] == ["b@cjsm.example"]
            assert message.octets.endswith(b"\r\n\r\n.a dot\r\nsome text\r\n")
        else:
            running.wait_for_log("status=deferred")
            assert peer.messages == []
            assert "b@cjsm.example" in running.queue()
        assert peer.exposed == []


def test_postfix_tries_again(maker: CertificateMaker, identity: Identity, ours: Identity) -> None:
    """What was not taken at first is sent again."""
    needs(*PROGRAMS)
    late = Script(recipients={"b@cjsm.example": b"451 4.3.0 later\r\n"})
    with (
        ScriptedPeer(late, identity=identity, clients=maker.file) as peer,
        postfix(
            host="mx.org.example",
            domains=["org.example"],
            identity=identity,
            authority=maker.file,
            relay_host=RelayHost("localhost", peer.port),
            client=ours,
        ) as running,
    ):
        _send(running.plain_port, None, "b@cjsm.example")
        running.wait_for_log("status=deferred")
        peer.play(Script())
        running.flush()
        assert len(peer.wait_for_messages(1)) == 1


@pytest.mark.parametrize("implicit", [False, True])
def test_sink(maker: CertificateMaker, identity: Identity, ours: Identity, implicit: bool) -> None:
    """Everything from us is kept, nothing is taken from others."""
    needs(*SINK_PROGRAMS)
    with sink(identity=identity, clients=maker.file, implicit=implicit) as running:
        _hand_over(running.port, ours.client_context(maker.file), implicit)
        (text,) = running.messages(1)
        assert b"X-Rcpt-Args: <b@org.example>" in text
        assert text.rstrip(b"\n").endswith(b"\n\n.a dot\nsome text")
        with pytest.raises((smtplib.SMTPException, OSError)):
            _hand_over(running.port, ssl.create_default_context(cafile=str(maker.file)), implicit)


def _hand_over(port: int, context: ssl.SSLContext, implicit: bool) -> None:
    if not implicit:
        _send(port, context)
        return
    with closing(smtplib.SMTP_SSL("localhost", port, timeout=30, context=context)) as session:
        session.sendmail("a@cjsm.example", ["b@org.example"], _TEXT)
        session.quit()
