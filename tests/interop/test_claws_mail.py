"""Claws Mail with its window, set up word for word by ``docs/clients``, fetches, shows, leaves, deletes and sends."""

import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.interop.desk import Desk
from tests.interop.fetchers import with_crlf
from tests.interop.letters import letter
from tests.interop.sheets import Sheet
from tests.interop.window import Screen, picture
from tests.peers.certificates import CertificateMaker
from tests.running import Community, without_trace

pytestmark = pytest.mark.interop
Program = Callable[[str], str]

_SHEET = Sheet("claws-mail")
#: The colour of a picture that is in no theme.
_MAGENTA = (255, 0, 255)
#: The colour of what is chosen in a list.
_CHOSEN = (53, 132, 228)
_PREFERENCES = """[Common]
enable_aspell=0
compose_width=1150
compose_height=840
compose_notebook_height=300
always_show_message_when_selected=1
inline_image=1
mainwin_x=0
mainwin_y=0
mainwin_width=1150
mainwin_height=850
"""
_FOLDERS = """<?xml version="1.0" encoding="UTF-8"?>
<folderlist>
    <folder type="mh" name="Mailbox" path="Mail">
        <folderitem type="inbox" name="inbox" path="inbox"/>
        <folderitem type="outbox" name="sent" path="sent"/>
        <folderitem type="draft" name="draft" path="draft"/>
        <folderitem type="queue" name="queue" path="queue"/>
        <folderitem type="trash" name="trash" path="trash"/>
    </folder>
</folderlist>
"""


class ClawsMail:
    """The program on a screen, with mail folders, the password typed, and the certificate accepted once.

    Use it as a context manager: it runs as long.
    """

    def __init__(self, desk: Desk, screen: Screen) -> None:
        self.desk = desk
        self._more = {"DISPLAY": screen.display, "NO_AT_BRIDGE": "1", "GSETTINGS_BACKEND": "memory"}
        desk.set_up(_SHEET)
        desk.write(".claws-mail/clawsrc", _PREFERENCES)
        desk.write(".claws-mail/folderlist.xml", _FOLDERS)
        desk.run("mkdir -p Mail/inbox Mail/sent Mail/draft Mail/queue Mail/trash")
        password = desk.account["device_password"]
        desk.write(".claws-mail/passwordstorerc", f"[account:1]\nrecv {password}\n[core:LDAP]\nlocalhost {password}\n")
        certificate = Path(desk.community.told["ca_file"]).with_name("server.pem")
        shown = ssl.PEM_cert_to_DER_cert(certificate.read_text())
        for door in ("pop3s", "submissions"):
            desk.write(f".claws-mail/certs/localhost.{desk.community.port(door)}.cert", shown)

    def __enter__(self) -> "ClawsMail":
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = self.desk.start(["claws-mail"], self._more, **quiet)
        # Whoever comes first is the program, and the others talk to it.
        self._until(lambda: any(path.is_socket() for path in (self.desk.home / ".cache").rglob("*")))
        self._until(lambda: b"#mh/Mailbox/inbox" in self.tell("--status-full"))
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.tell("--exit")
            self._process.wait(20)
        finally:
            self._process.kill()
            self._process.wait()

    def tell(self, *options: str) -> bytes:
        """Tell the running program."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        process = self.desk.start(["claws-mail", *options], self._more, **pipes)
        try:
            said: bytes = process.communicate(timeout=20)[0]
            return said
        finally:
            process.kill()
            process.wait()

    def fetch(self) -> None:
        """Fetch what is new, as "Get Mail" does."""
        before = len(self.desk.logged())
        self.tell("--receive-all")
        self._until(lambda: len(self.desk.logged()) > before)

    def kept(self, at_least: int = 0) -> dict[str, bytes]:
        """Return what is in the inbox by the message's number there, as soon as it is so much."""
        self._until(lambda: len(self._inbox()) >= at_least)
        return {path.name: with_crlf(path.read_bytes()) for path in self._inbox()}

    def _inbox(self) -> list[Path]:
        return sorted(path for path in (self.desk.home / "Mail/inbox").iterdir() if path.name.isdecimal())

    def _until(self, holds: Callable[[], bool]) -> None:
        ends = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < ends, self.desk.logged()
            assert self._process.poll() is None, "it has ended"
            time.sleep(0.1)


@pytest.fixture
def desk(community: Community) -> Iterator[Desk]:
    """The desk of somebody with an empty mailbox."""
    account = community.person("carol.finch@probation")
    community.empty(account)
    with Desk(community, account, community.person("tom.harding@avon")) as made:
        yield made


@pytest.fixture
def screen(program: Program) -> Iterator[Screen]:
    with Screen(program("Xvfb")) as made:
        yield made


@pytest.fixture
def claws(program: Program, desk: Desk, screen: Screen) -> ClawsMail:
    """Set up, and not running yet."""
    program("claws-mail")
    return ClawsMail(desk, screen)


def test_fetches_shows_leaves_and_deletes(
    claws: ClawsMail, desk: Desk, screen: Screen, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Mail arrives octet for octet and is seen; a second run fetches nothing; a third one deletes what was fetched."""
    community, sender = desk.community, desk.told.recipient
    sent = [letter(sender, desk.account, size, f"{size}") for size in (5_000, 1_000_000)]
    sent.append(_letter_with_picture(desk, tmp_path))
    for each in sent:
        community.send(sender, desk.account, each)
    whole = community.messages(desk.account, at_least=3)

    with claws:
        assert desk.session(claws.fetch).messages == 3
        kept = claws.kept(at_least=3)
        assert sorted(kept.values()) == sorted(whole.values())
        assert sorted(map(without_trace, kept.values())) == sorted(sent)

        (number,) = (number for number, text in kept.items() if b"image/png" in text)
        claws.tell("--select", f"#mh/Mailbox/inbox/{number}")
        shot = pytestconfig.cache.mkdir("screenshots") / "claws-mail.png"
        assert screen.wait_for(_MAGENTA, 10_000, shot) >= 10_000, f"the picture in the message is not seen: {shot}"

        again = desk.session(claws.fetch)
        assert (again.messages, again.octets, again.deleted) == (0, 0, 0)
        assert claws.kept() == kept
    assert community.messages(desk.account) == whole

    desk.change(_SHEET, *_SHEET.deleting())
    community.send(sender, desk.account, letter(sender, desk.account, 5_000, "another"))
    whole = community.messages(desk.account, at_least=4)
    with claws:
        last = desk.session(claws.fetch)
        assert (last.messages, last.deleted) == (1, 4)
        assert sorted(claws.kept(at_least=4).values()) == sorted(whole.values())
    assert community.messages(desk.account) == {}


def _letter_with_picture(desk: Desk, place: Path) -> bytes:
    message = EmailMessage()
    message["From"] = desk.told.recipient["address"]
    message["To"] = desk.account["address"]
    message["Subject"] = "Photograph for tomorrow's hearing"
    message["Date"] = "Mon, 02 Nov 2026 10:00:00 +0000"
    message["Message-ID"] = "<exhibit.7@client.example>"
    message.set_content("Exhibit 7, as it was found.\n")
    message.add_attachment(picture(_MAGENTA, place / "exhibit.png"), maintype="image", subtype="png", filename="7.png")
    return message.as_bytes().replace(b"\n", b"\r\n")


def test_sends(claws: ClawsMail, desk: Desk) -> None:
    """What waits in the queue, as "Send later" puts it there, goes out with the account's settings."""
    community, reader = desk.community, desk.told.recipient
    community.empty(reader)
    sent = letter(desk.account, reader, 20_000, "queued")
    fields = f"S:{desk.account['address']}\nSSV:localhost\nR:<{reader['address']}>\nMAID:1\n"
    queued = f"{fields}X-Claws-End-Special-Headers: 1\n".encode() + sent.replace(b"\r\n", b"\n")
    desk.write("Mail/queue/1", queued)
    with claws:
        claws.tell("--send")
        (read,) = community.messages(reader, at_least=1).values()
    assert without_trace(read) == sent


@pytest.fixture
def composing(claws: ClawsMail, screen: Screen, program: Program) -> Iterator[Screen]:
    """The screen with a new message, in whose first recipient's field is typed."""
    program("xdotool")
    with claws:
        claws.tell("--compose")
        ends = time.monotonic() + 30
        while not (found := screen.do("search", "--onlyvisible", "--name", "Compose").split()):
            assert time.monotonic() < ends, "no message is being written"
            time.sleep(0.1)
        screen.do("windowfocus", "--sync", found[-1])
        screen.do("mousemove", "560", "195", "click", "1")
        yield screen


def test_completes_a_recipient(composing: Screen, desk: Desk, pytestconfig: pytest.Config) -> None:
    """Letters and Tab: the directory's entry with its organisation, which mail then goes to."""
    searches = _searches(desk)
    composing.do("type", "--delay", "50", "hard")
    composing.do("key", "Tab")
    ends = time.monotonic() + 30
    while (found := _searches(desk)[len(searches) :]) == []:
        assert time.monotonic() < ends, "nothing is looked up"
        time.sleep(0.1)
    # Two alternatives each, as this program writes them.
    assert "(|(|(|(displayName=_*)(cn=_*))(sn=_*))(mail=_*)): 1 entries" in found[0]
    shot = pytestconfig.cache.mkdir("screenshots") / "claws-mail-directory.png"
    for _ in range(10):
        # The list that came up before the answer is empty.
        composing.do("key", "Escape")
        composing.do("key", "Tab")
        if composing.wait_for(_CHOSEN, 15_000, shot, seconds=2) >= 15_000:
            break
    else:
        pytest.fail(f"no entry is offered: {shot}")
    composing.do("key", "Return")

    reader = desk.told.recipient
    desk.community.empty(reader)
    composing.do("mousemove", "600", "405", "click", "1")
    composing.do("type", "--delay", "20", "Looked up")
    composing.do("mousemove", "600", "600", "click", "1")
    composing.do("type", "--delay", "20", "Good morning")
    composing.do("mousemove", "37", "57", "click", "1")
    (sent,) = desk.community.messages(reader, at_least=1).values()
    assert b'To: "Harding, Tom (Avon Police)" <tom.harding@avon.cjsm.test>\r\n' in sent


def test_asks_whoever_is_there(claws: ClawsMail, request: pytest.FixtureRequest, desk: Desk, tmp_path: Path) -> None:
    """It looks up with no authority known and with a foreign one, as its page warns: the page is to be changed when it
    does not any more.
    """
    desk.write(".ldaprc", f"TLS_CACERT {desk.home}/foreign.pem\nTLS_REQCERT demand\n")
    desk.write("foreign.pem", CertificateMaker(tmp_path).file.read_text())
    composing = request.getfixturevalue("composing")
    before = _searches(desk)
    composing.do("type", "--delay", "50", "hard")
    composing.do("key", "Tab")
    ends = time.monotonic() + 30
    while _searches(desk) == before:
        assert time.monotonic() < ends, "Claws Mail checks the directory's certificate now: change its page"
        time.sleep(0.1)
    assert "does not check the directory's certificate" in _SHEET.text


def _searches(desk: Desk) -> list[str]:
    return [line for line in desk.community.log().splitlines() if " search by " in line]
