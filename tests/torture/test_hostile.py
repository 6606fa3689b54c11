"""Hostile strangers and members at every door: nobody else notices, nothing is logged as a surprise."""

import base64
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.interop.letters import letter
from tests.running import Community

pytestmark = pytest.mark.torture

_NOT_NOW = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)
#: Seconds without an answer after which a door is taken to wait for more: longer than a slow machine thinks.
_QUIET = 15.0
_MOST_MEMORY = 16 * 1024 * 1024


@pytest.fixture(autouse=True)
def nobody_notices(community: Community) -> Iterator[None]:
    """After each attack: another member finishes a transaction, memory has not grown much, no traceback is logged."""
    _transaction(community)
    before, logged = _resident(community), len(community.log())
    yield
    _transaction(community)
    assert _resident(community) - before <= _MOST_MEMORY
    said = community.log()[logged:]
    assert "Traceback" not in said, said[-3_000:]
    assert "#error" not in said, said[-3_000:]
    assert "#critical" not in said, said[-3_000:]


def _transaction(community: Community) -> None:
    sender, reader = community.person("marek.nowak@avon"), community.person("sian.obrien@avon")
    with closing(community.smtp(sender, timeout=30)) as session:
        session.sendmail(sender["address"], [reader["address"]], letter(sender, reader, 2_000, "others"))
    with closing(community.pop3(reader, timeout=30)) as session:
        session.stat()


def _resident(community: Community) -> int:
    for line in Path(f"/proc/{community.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the service is gone")


def _connect(community: Community, door: str, *, tls: bool = True) -> socket.socket:
    plain = socket.create_connection(("localhost", community.port(door)), timeout=20)
    return community.tls().wrap_socket(plain, server_hostname="localhost") if tls else plain


def _read_all(connection: socket.socket, most: int = 4_000_000) -> bytes:
    """Return what comes until the other side ends, or says nothing for some time."""
    told = b""
    with suppress(ConnectionError, ssl.SSLError, TimeoutError):
        while len(told) < most and (more := connection.recv(65_536)):
            told += more
    return told


def _talk(community: Community, door: str, octets: bytes, *, tls: bool = True) -> bytes:
    """Send *octets* whatever is answered, reading meanwhile; return all answers."""
    with closing(_connect(community, door, tls=tls)) as connection:
        connection.setblocking(False)
        left, told, quiet = memoryview(octets), b"", 0.0
        while quiet < _QUIET:
            moved = False
            with suppress(*_NOT_NOW):
                if left:
                    left = left[connection.send(left[:65_536]) :]
                    moved = True
            try:
                more = connection.recv(65_536)
            except _NOT_NOW:
                pass
            except OSError:
                break
            else:
                if not more:
                    break
                told += more
                moved = True
            quiet = 0.0 if moved else quiet + 0.01
            if not moved:
                time.sleep(0.01)
        return told


def _send(connection: socket.socket, octets: bytes) -> None:
    with suppress(OSError):
        connection.sendall(octets)


def _signed_in(account: dict[str, Any]) -> bytes:
    token = base64.b64encode(f"\0{account['user_id']}\0{account['password']}".encode())
    return b"EHLO attacker.example\r\nAUTH PLAIN " + token + b"\r\n"


_ENDS = [
    b"\n.\n",
    b"\r.\r",
    b"\r.\n",
    b"\n.\r",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\n\n.\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n.\x0b\r\n",
]


@pytest.mark.parametrize("end", _ENDS, ids=repr)
def test_never_two_messages(community: Community, end: bytes) -> None:
    """What only looks like the end of a message is refused; nothing after it is taken as a message of its own."""
    sender, reader = community.person("jane.smith@avon"), community.person("tom.harding@avon")
    community.empty(reader)
    envelope = f"MAIL FROM:<{sender['address']}>\r\nRCPT TO:<{reader['address']}>\r\nDATA\r\n".encode()
    head = f"From: {sender['address']}\r\nSubject: %s\r\n\r\n".encode()
    with closing(_connect(community, "submissions")) as connection:
        connection.sendall(_signed_in(sender) + envelope)
        connection.sendall(head % b"outer" + b"text" + end + envelope + head % b"inner" + b"text\r\n.\r\nQUIT\r\n")
        told = _read_all(connection)
    assert told.count(b"\r\n250 2.0.0") + told.count(b"\r\n250 2.6.0") <= 1
    # What is accepted later is delivered later.
    community.send(sender, reader, head % b"after" + b"text\r\n")
    ends = time.monotonic() + 30
    while not any(b"\r\nSubject: after" in message for message in community.messages(reader).values()):
        assert time.monotonic() < ends
    heads = [message.partition(b"\r\n\r\n")[0] for message in community.messages(reader).values()]
    assert not any(b"\r\nSubject: inner" in head for head in heads)


def test_commands_before_starttls_are_forgotten(community: Community) -> None:
    """What was sent in the clear behind STARTTLS is not carried out inside TLS."""
    with closing(_connect(community, "submission", tls=False)) as plain:
        plain.recv(1_000)
        plain.sendall(b"EHLO a.example\r\nSTARTTLS\r\nMAIL FROM:<injected@avon.cjsm.test>\r\nNOOP\r\n")
        told = _read_all(plain)
    # Neither in the clear, nor inside TLS: that is not even begun.
    assert told.endswith(b"\r\n220 2.0.0 begin TLS\r\n")
    assert b"530" not in told


def test_two_hundred_sign_ins(community: Community) -> None:
    """Pipelined guesses are tried one after another and cut off after three."""
    guesses = b"".join(b"AUTH PLAIN " + base64.b64encode(b"\0jo\0guess%d" % each) + b"\r\n" for each in range(200))
    told = _talk(community, "submissions", b"EHLO attacker.example\r\n" + guesses)
    assert told.count(b"\r\n535 ") <= 3
    assert b"\r\n421 " in told


def test_fifty_passwords(community: Community) -> None:
    """The same over POP3."""
    told = _talk(community, "pop3s", b"USER jo\r\nPASS guess\r\n" * 50)
    assert told.count(b"-ERR") <= 5


_HTTP = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40\r\n\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"


@pytest.mark.parametrize(
    ("door", "octets"),
    [
        ("submissions", b"\xff\x00garbage\r\n" * 10_000),
        ("submissions", b"A" * 17_000 + b"\r\nNOOP\r\nQUIT\r\n"),
        ("submissions", b"A" * 5_000_000 + b"\r\nQUIT\r\n"),
        ("submissions", _HTTP),
        ("submissions", b"EHLO " + b"a" * 600 + b"\r\nQUIT\r\n"),
        ("submissions", b"NOOP\r\n" * 60_000 + b"QUIT\r\n"),
        ("pop3s", b"\xff\x00garbage\r\n" * 10_000),
        ("pop3s", b"A" * 5_000_000 + b"\r\nQUIT\r\n"),
        ("pop3s", _HTTP),
        ("pop3s", b"NOOP\r\n" * 60_000 + b"QUIT\r\n"),
        ("ldaps", b"\x30\x84\x7f\xff\xff\xff" + b"A" * 100_000),
        ("ldaps", b"\x30\x80" + b"\x02\x01\x01" * 10_000),
        ("ldaps", b"\xff" * 100_000),
        ("ldaps", b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00" * 8_000),
        ("ldaps", _HTTP),
    ],
    ids=lambda value: repr(value[:12]) if isinstance(value, bytes) else value,
)
def test_garbage(community: Community, door: str, octets: bytes) -> None:
    """Whatever it is, the door answers each piece in a line at most."""
    assert len(_talk(community, door, octets)) < 50 * len(octets)


@pytest.mark.parametrize("door", ["submissions", "submission", "pop3s", "ldaps"])
def test_http_in_the_clear(community: Community, door: str) -> None:
    """A web browser on a mail port gets nothing done."""
    told = _talk(community, door, _HTTP, tls=False)
    assert b"250 2.1.0" not in told
    assert b"354" not in told


@pytest.mark.parametrize(("door", "own"), [("submissions", "smtp"), ("pop3s", "pop3"), ("ldaps", "ldap")])
def test_browsers_inside_tls(community: Community, door: str, own: str) -> None:
    """One that is led here offers the protocols of the web, and gets no connection; mail programs do, with any name."""
    for offered, taken in ((["h2", "http/1.1"], False), ([own], True), (["h2", own], True), ([], True)):
        context = community.tls()
        if offered:
            context.set_alpn_protocols(offered)
        with socket.create_connection(("localhost", community.port(door)), timeout=10) as plain:
            try:
                with context.wrap_socket(plain, server_hostname="localhost") as connection:
                    assert taken
                    assert connection.selected_alpn_protocol() == (own if offered else None)
            except ssl.SSLError:
                assert not taken


def test_twenty_thousand_recipients(community: Community) -> None:
    """Refused one by one; the sender is sent away or answered, and others go on."""
    sender = community.person("jane.smith@avon")
    recipients = b"".join(b"RCPT TO:<nobody%d@avon.cjsm.test>\r\n" % each for each in range(20_000))
    told = _talk(
        community,
        "submissions",
        _signed_in(sender) + f"MAIL FROM:<{sender['address']}>\r\n".encode() + recipients + b"QUIT\r\n",
    )
    assert told.count(b"\r\n250 2.1.5") == 0


@pytest.mark.parametrize(
    "head",
    [b"X-Field: value\r\n" * 100_000, b"Received: by a with b; now\r\n" * 60, b"X: " + b"a" * 200_000 + b"\r\n"],
    ids=["100,000 fields", "60 Received", "a long field"],
)
def test_large_headers(community: Community, head: bytes) -> None:
    """Refused with a reason, after DATA was read to its end."""
    sender, reader = community.person("jane.smith@avon"), community.person("tom.harding@avon")
    envelope = f"MAIL FROM:<{sender['address']}>\r\nRCPT TO:<{reader['address']}>\r\nDATA\r\n".encode()
    message = f"From: {sender['address']}\r\n".encode() + head + b"\r\ntext\r\n.\r\nQUIT\r\n"
    told = _talk(community, "submissions", _signed_in(sender) + envelope + message)
    lines = told.split(b"\r\n")
    after = lines[next(place for place, line in enumerate(lines) if line.startswith(b"354")) + 1]
    assert after[:3] in (b"500", b"550", b"552", b"554"), after


def test_a_message_that_is_too_large(community: Community) -> None:
    """Without a SIZE, it is refused at its end and leaves nothing."""
    sender, reader = community.person("jane.smith@avon"), community.person("tom.harding@avon")
    with closing(community.smtp(sender)) as session:
        session.mail(sender["address"])
        session.rcpt(reader["address"])
        code, text = session.data(b"From: " + sender["address"].encode() + b"\r\n\r\n" + b"evidence\r\n" * 3_000_000)
        assert (code, text[:5]) == (552, b"5.3.4")
        assert session.noop()[0] == 250


def test_cut_off_anywhere(community: Community) -> None:
    """A sender that vanishes in the middle of its message leaves nothing in the mailbox."""
    sender, reader = community.person("jane.smith@avon"), community.person("tom.harding@avon")
    community.empty(reader)
    envelope = f"MAIL FROM:<{sender['address']}>\r\nRCPT TO:<{reader['address']}>\r\nDATA\r\n".encode()
    whole = _signed_in(sender) + envelope + letter(sender, reader, 400_000, "cut").replace(b"\r\n.", b"\r\n..")
    for at in range(10, len(whole), len(whole) // 12):
        connection = _connect(community, "submissions")
        connection.sendall(whole[:at])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    ends = time.monotonic() + 30
    while left := [path for path in (community.data / "spool").rglob("*") if path.is_file() and "bodies" in path.parts]:
        assert time.monotonic() < ends, left
        time.sleep(0.05)
    assert community.messages(reader) == {}


def test_half_handshakes_and_idlers(community: Community) -> None:
    """Hundreds of connections that say nothing, or half a handshake, take no place from members."""
    with ExitStack() as held:
        for number in range(300):
            for door in ("submissions", "pop3s", "ldaps"):
                # Beyond the limit for one address they are cut off at once.
                with suppress(ConnectionError):
                    connection = socket.create_connection(("127.0.0.1", community.port(door)), 20, ("127.0.0.66", 0))
                    held.enter_context(closing(connection))
                    if number % 2:
                        _send(connection, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        # Whoever comes from elsewhere finds a place.
        _transaction(community)


def test_a_reader_that_does_not_read(community: Community) -> None:
    """Large answers that nobody fetches are not piled up in memory."""
    sender, reader = community.person("jane.smith@avon"), community.person("liam.byrne@avon")
    community.send(sender, reader, letter(sender, reader, 10_000_000, "unread"))
    community.messages(reader, at_least=1)
    with ExitStack() as held:
        before = _resident(community)
        connection = held.enter_context(closing(_connect(community, "pop3s")))
        login = f"USER {reader['user_id']}\r\nPASS {reader['password']}\r\n".encode()
        connection.sendall(login + b"RETR 1\r\n" * 40)
        # A member who is served meanwhile shows that there was time to pile up whatever would be.
        for _ in range(3):
            _transaction(community)
        assert _resident(community) - before < _MOST_MEMORY
    community.empty(reader)


def test_three_thousand_searches(community: Community) -> None:
    """Pipelined searches are answered a few at a time."""
    account = community.person("jane.smith@avon")
    bind = _ldap(
        1, _tlv(0x60, b"\x02\x01\x03" + _tlv(4, account["user_id"].encode()) + _tlv(0x80, account["password"].encode()))
    )
    search = (
        _tlv(4, community.told["base_dn"].encode()) + b"\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00"
    )
    present = search + _tlv(0x87, b"objectClass") + b"\x30\x00"
    with closing(_connect(community, "ldaps")) as connection:
        connection.sendall(bind)
        assert b"\x0a\x01\x00" in connection.recv(1_000)
        sending = threading.Thread(target=_send, args=(connection, _ldap(2, _tlv(0x63, present)) * 3_000))
        sending.start()
        _transaction(community)
        connection.settimeout(2)
        connection.recv(65_536)
    sending.join()


def _tlv(tag: int, value: bytes) -> bytes:
    length = len(value)
    head = bytes((length,)) if length < 128 else b"\x82" + length.to_bytes(2, "big")
    return bytes((tag,)) + head + value


def _ldap(number: int, operation: bytes) -> bytes:
    return _tlv(0x30, _tlv(2, bytes((number,))) + operation)


def test_locked_out_elsewhere(community: Community) -> None:
    """Somebody who guesses an account's password elsewhere does not keep its owner out."""
    account = community.person("hannah.levy@smithjones")
    for guess in range(12):
        octets = f"USER {account['user_id']}\r\nPASS wrong guess {guess}\r\nQUIT\r\n".encode()
        _from(community, "127.0.0.77", "pop3s", octets)
    told = _from(
        community,
        "127.0.0.77",
        "pop3s",
        f"USER {account['user_id']}\r\nPASS {account['password']}\r\nQUIT\r\n".encode(),
    )
    device = f"USER {account['user_id']}\r\nPASS {account['device_password']}\r\nQUIT\r\n".encode()
    assert b"-ERR" in told
    assert told.count(b"+OK") <= 3
    # The owner's device goes on working, from anywhere.
    assert b"-ERR" not in _from(community, "127.0.0.77", "pop3s", device)


def _from(community: Community, source: str, door: str, octets: bytes) -> bytes:
    plain = socket.create_connection(("127.0.0.1", community.port(door)), timeout=20, source_address=(source, 0))
    with closing(community.tls().wrap_socket(plain, server_hostname="localhost")) as connection:
        connection.sendall(octets)
        return _read_all(connection)


def test_slowly(community: Community) -> None:
    """An octet now and then is waited for, and does not hold anybody up."""
    done: list[bytes] = []

    def drip(act: Callable[[], bytes]) -> None:
        done.append(act())

    def slow() -> bytes:
        with closing(_connect(community, "submissions")) as connection:
            for octet in b"EHLO slow.example\r\nQUIT\r\n":
                connection.sendall(bytes((octet,)))
                time.sleep(0.05)
            return _read_all(connection)

    clients = [threading.Thread(target=drip, args=(slow,)) for _ in range(10)]
    for client in clients:
        client.start()
    _transaction(community)
    for client in clients:
        client.join()
    assert all(b"\r\n221 " in told for told in done)
