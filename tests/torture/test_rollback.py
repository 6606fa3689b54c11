"""A mailbox put back to an earlier state while the service stood still, with all that remembers it but the ledger."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command.conftest import ran, told
from tests.running import Community
from tests.torture.test_kill import wait_until

_NOTICED = "is not what was written to it"


@pytest.fixture
def own_community(tmp_path: Path) -> Iterator[Community]:
    """A community that may be stopped."""
    made = Community(tmp_path / "demo")
    made.make()
    yield made
    made.stop()


def done(community: Community, *words: str) -> Any:
    """What a command says that is run beside the service, in this process."""
    return told(ran(*words, "--json", config=Path(community.config)))


def mailbox_of(community: Community, user_id: str) -> Path:
    """Where a mailbox lies."""
    name = done(community, "mailbox", "show", user_id)["mailbox"].replace("-", "")
    return community.data / "mailboxes" / name[:2] / name


def looked_at(community: Community) -> str:
    """What `cjsm check` says of mailboxes."""
    found = json.loads(ran("check", "--json", config=Path(community.config)).stdout)
    return str(next(each for each in found if each["what"] == "mailboxes")["problem"])


def send(community: Community, sender: dict[str, Any], person: dict[str, Any], *marks: str) -> None:
    for mark in marks:
        message = f"From: {sender['address']}\r\nTo: {person['address']}\r\nSubject: {mark}\r\n\r\n{mark}\r\n"
        community.send(sender, person, message.encode())


def marks(community: Community, person: dict[str, Any], at_least: int = 0) -> list[str]:
    """The last lines of the messages that are there."""
    return [message.split()[-1].decode() for message in community.messages(person, at_least).values()]


def test_put_back(own_community: Community, tmp_path: Path) -> None:
    """It is noticed at the next sign-in, once; what is there can be read, and what comes waits until it is accepted."""
    community = own_community
    sender, person = community.hosted()[:2]
    community.set("retry_first", "1")
    community.reload()
    community.empty(person)
    send(community, sender, person, "one", "two")
    assert marks(community, person, 2) == ["one", "two"]
    community.stop()
    home = mailbox_of(community, person["user_id"])
    shutil.copytree(home, tmp_path / "home")
    shutil.copy(community.data / "activity.mdb", tmp_path)

    community.start()
    send(community, sender, person, "three")
    assert marks(community, person, 3) == ["one", "two", "three"]
    community.stop()
    assert looked_at(community) == ""
    assert _NOTICED not in community.log()

    shutil.rmtree(home)
    shutil.copytree(tmp_path / "home", home)
    shutil.copy(tmp_path / "activity.mdb", community.data)
    community.start()
    for _ in range(2):
        assert marks(community, person) == ["one", "two"]
    assert community.log().count(_NOTICED) == 1
    assert "rolled back" in looked_at(community)
    verified = ran("mailbox", "verify", person["user_id"], "--json", config=Path(community.config))
    assert verified.exit_code == 1
    assert json.loads(verified.stdout)["mailboxes"][0]["noticed"]

    send(community, sender, person, "four")
    wait_until(lambda: "delivery to " in community.log())
    assert marks(community, person) == ["one", "two"]
    done(community, "mailbox", "accept", person["user_id"], "--reason", "no later backup")
    assert marks(community, person, 3) == ["one", "two", "four"]
    assert looked_at(community) == ""
    community.stop()
    community.start()
    assert marks(community, person) == ["one", "two", "four"]
    assert community.log().count(_NOTICED) == 1
    assert looked_at(community) == ""
