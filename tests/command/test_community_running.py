"""Files and applications beside the running service: what they make works at once."""

import base64
import re
from email import message_from_bytes
from pathlib import Path
from typing import Any

from tests.command.conftest import ran, told
from tests.running import Community


def done(community: Community, *words: str, typed: str = "") -> Any:
    """What a command says that is run beside the service, in this process."""
    return told(ran(*words, "--json", config=Path(community.config), typed=typed))


def test_a_list_of_a_file(community: Community, tmp_path: Path) -> None:
    """Takes mail as soon as it is applied, and none when it is removed."""
    one, other = community.hosted()[-2:]
    for person in (one, other):
        community.empty(person)
    place, domain = one["organisation"], one["address"].partition("@")[2]
    address = f"of-a-file@{domain}"
    file = tmp_path / "community.toml"
    suffix = domain.partition(".")[2]
    head = f'format = 1\nsuffix = "{suffix}"\n'
    table = f'organisation = "{place}"\nname = "Of a file"\nmembers = ["{other["address"]}"]\n'
    file.write_text(f'{head}[list."{address}"]\n{table}who_may_post = "community"\n')
    assert done(community, "community", "apply", str(file), "--yes")["acts"] == 2
    message = f"Subject: through the list\r\nFrom: {one['address']}\r\nTo: {address}\r\n\r\nHello\r\n"
    community.send(one, {**one, "address": address}, message.encode())
    assert any(b"through the list" in each for each in community.messages(other, at_least=1).values())
    file.write_text(f'{head}[removed]\nlists = ["{address}"]\n')
    assert done(community, "community", "apply", str(file), "--yes")["acts"] == 1


def test_the_sponsors_letter(community: Community) -> None:
    """Comes to the sponsor as mail does, and its code is taken."""
    sponsor = community.hosted()[-1]
    community.empty(sponsor)
    done(community, "application", "add", "asking", "--name", "Asking & Sons", "--domain", "asking.co.uk")
    done(community, "application", "sponsor", "asking", sponsor["address"])
    (octets,) = community.messages(sponsor, at_least=1).values()
    letter = message_from_bytes(octets)
    assert letter["Subject"] == "An organisation names you as its sponsor"
    words = base64.b64decode(str(letter.get_payload())).decode()
    assert "Asking & Sons\n" in words
    code = re.search(r"^    ([A-Z2-7]{4}(?:-[A-Z2-7]{4}){3})$", words, re.MULTILINE)
    assert code is not None
    shown = done(community, "application", "sponsor", "asking", "--password-stdin", typed=f"{code[1]}\n")
    assert shown["sponsor"]["confirmed"] is not None
    done(community, "application", "reject", "asking", "--reason", "withdrawn")
    community.empty(sponsor)
