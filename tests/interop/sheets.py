"""The set-up sheets of ``docs/clients``: their files and commands, with the test's own names in them."""

import re
from pathlib import Path
from typing import Any, NamedTuple

_PAGES = Path(__file__).parents[2] / "docs" / "clients"
_BLOCK = re.compile(r"^([A-Z][^\n]*):\n\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^In `~/([^`]+)`")
_BECOMES = re.compile(r"`([^`]+)`\s+becomes\s+`([^`]+)`")


class Told(NamedTuple):
    """What a person was told, to be put in the place of what the sheets say.

    :ivar account: as ``demo.json`` has it.
    :ivar recipient: whom examples write to.
    """

    account: dict[str, Any]
    recipient: dict[str, Any]
    home: Path
    ports: dict[str, int]
    base_dn: str

    def fill(self, text: str) -> str:
        """Return *text* with every placeholder of ``docs/clients/README.md`` filled; longer ones go first."""
        user_id = self.account["user_id"]
        values = {
            "tom.harding@avon.cjsm.example": self.recipient["address"],
            "jane.smith@avon.cjsm.example": self.account["address"],
            "jane.smith%40avon": user_id.replace("@", "%40"),
            "jane.smith@avon": user_id,
            "Jane Smith": self.account["name"],
            "d-abcd-efgh-ijkl-mnop-qrst-uvwx-yz23-4567": self.account["device_password"],
            "dc=cjsm,dc=example": self.base_dn,
            "/home/jane": str(self.home),
            "mail.cjsm.example": "localhost",
            "995": str(self.ports["pop3s"]),
            "465": str(self.ports["submissions"]),
            "636": str(self.ports["ldaps"]),
        }
        return re.sub("|".join(rf"(?<!\d){re.escape(each)}(?!\d)" for each in values), lambda at: values[at[0]], text)


class Sheet:
    """One page.

    :ivar text: all of it.
    """

    def __init__(self, name: str) -> None:
        self.text = (_PAGES / f"{name}.md").read_text(encoding="utf-8")
        self._blocks = _BLOCK.findall(self.text)

    def files(self) -> dict[str, str]:
        """Return what the page wants written, by path below the home directory."""
        found = ((_FILE.match(title), text) for title, text in self._blocks)
        return {match[1]: text for match, text in found if match is not None}

    def commands(self, title: str) -> str:
        """Return the commands under *title*; a page without it is a failure."""
        (found,) = (text for known, text in self._blocks if known == title)
        return str(found)

    def titles(self) -> list[str]:
        """Return the titles of all blocks."""
        return [title for title, _ in self._blocks]

    def deleting(self) -> tuple[str, str]:
        """Return what becomes what where fetched mail is to be deleted."""
        ((before, after),) = _BECOMES.findall(self.text)
        return before, after
