"""A 250 means that the message is on stable storage."""

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.letters import letter
from tests.running import Community

pytestmark = pytest.mark.torture

_LINE = re.compile(r"^\d+ +(?P<time>\d+\.\d+) (?P<call>\w+)\((?P<first>[^,)]*)")


def test_synced_before_acknowledged(community: Community, program: Callable[[str], str], tmp_path: Path) -> None:
    """Between a message's last octet and the reply lie an fdatasync of the spool and a synchronous write of its head.

    Seen by strace; the head is the page that makes what was synced before it current.
    """
    sender, reader = community.person("jane.smith@avon"), community.person("tom.harding@avon")
    session = community.smtp(sender)
    session.mail(sender["address"])
    session.rcpt(reader["address"])
    session.docmd("DATA")
    trace = tmp_path / "trace"
    calls = "trace=fdatasync,pwrite64,sendto"
    command = [program("strace"), "-f", "-y", "-ttt", "-e", calls, "-o", trace, "-p", str(community.pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracing:
        assert tracing.stderr is not None
        assert "attached" in tracing.stderr.readline()
        began = time.time()
        session.send(letter(sender, reader, 5_000, "sync") + b".\r\n")
        code, _ = session.getreply()
        tracing.terminate()
    assert code == 250
    seen = [found for line in trace.read_text().splitlines() if (found := _LINE.match(line))]
    seen = [found for found in seen if float(found["time"]) >= began]
    replied = next(
        place for place, found in enumerate(seen) if found["call"] == "sendto" and "socket:" in found["first"]
    )
    spool = [(found["call"], found["first"]) for found in seen[:replied] if "/spool/" in found["first"]]
    synced = next(place for place, (call, _) in enumerate(spool) if call == "fdatasync")
    call, head = spool[synced + 1]
    assert call == "pwrite64"
    assert _is_synchronous(community.pid, head.partition("<")[0])
    session.quit()


def _is_synchronous(process: int, descriptor: str) -> bool:
    told = Path(f"/proc/{process}/fdinfo/{descriptor}").read_text()
    flags = next(line for line in told.splitlines() if line.startswith("flags:"))
    return bool(int(flags.split()[1], 8) & os.O_DSYNC)
