"""mutt completes a recipient by lbdb, both set up word for word by ``docs/clients``."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.desk import Desk
from tests.interop.fetchers import in_terminal
from tests.interop.sheets import Sheet
from tests.peers.certificates import CertificateMaker
from tests.running import Community

pytestmark = pytest.mark.interop
_SHEET = Sheet("mutt")


@pytest.fixture
def desk(community: Community, program: Callable[[str], str]) -> Iterator[Desk]:
    """The desk of somebody who looks people up."""
    for name in ("mutt", "lbdbq"):
        program(name)
    with Desk(community, community.person("sian.obrien@avon"), community.person("tom.harding@avon")) as made:
        made.set_up(_SHEET)
        yield made


def test_found(desk: Desk) -> None:
    """Everybody whose name has it, with the organisation."""
    found = desk.run(_SHEET.commands("To look somebody up without mutt")).decode().splitlines()
    assert found[0] == f"lbdbq: {len(found) - 1} matches"
    assert "jane.smith@avon.cjsm.test\tJane Smith\tSmith, Jane (Avon Police – Crime)" in found
    assert "john.smith@smithjones.cjsm.test\tJohn Smith\tSmith, John (Smith & Jones Solicitors)" in found
    assert desk.run("lbdbq zzz", codes=(1,)).decode().splitlines()[-1] == "lbdbq: no matches"


@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_asks_no_stranger(desk: Desk, tmp_path: Path, wrong: str) -> None:
    """Whoever has no certificate of the authority, or one of another name, gets no password and no search."""
    if wrong == "authority":
        desk.write(".config/cjsm/authority.pem", CertificateMaker(tmp_path).file.read_text())
    else:
        desk.change(_SHEET, "'localhost'", "'elsewhere.example'")
    before = desk.community.log().count(" search by ")
    assert b"no matches" in desk.run("lbdbq smith 2>&1", codes=(0, 1))
    assert desk.community.log().count(" search by ") == before


def test_completed(desk: Desk) -> None:
    """Some letters and Ctrl-T in mutt; the mail arrives."""
    community, reader = desk.community, desk.told.recipient
    community.empty(reader)
    keys = "<mail>hard<complete-query><enter>Looked up<enter><send-message><quit>"
    commands = f"set editor='echo Good_morning >>' abort_unmodified=no abort_nosubject=no quit=yes; push '{keys}'"
    in_terminal(desk, ["mutt", "-F", str(desk.home / ".config/mutt/muttrc"), "-f", "/dev/null", "-e", commands])
    (sent,) = community.messages(reader, at_least=1).values()
    assert b"To: Tom Harding <tom.harding@avon.cjsm.test>\r\n" in sent
    assert b"Subject: Looked up\r\n" in sent
