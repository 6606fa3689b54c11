"""What the pages say to type exists: every command, and every option of it."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command.test_main import EVERY

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: A command on a line of its own, as pages and guides have them.
_LINE = re.compile(r"^ {4,}(cjsm [a-z].*)$", re.MULTILINE)
#: One within a sentence, where a line may end.
_WITHIN = re.compile(r"`(cjsm\s[^`]+)`")
_GROUPS = {path[:length] for path in EVERY for length in range(1, len(path))}


def commands(page: Path) -> Iterator[str]:
    """Yield what a page says to type, its remarks left out."""
    text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))
    for line in _LINE.findall(text):
        yield re.split(r" {3,}|  #", line)[0]
    yield from (" ".join(each.split()) for each in _WITHIN.findall(text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_there(page: Path) -> None:
    """With the options that are shown."""
    for line in commands(page):
        words = [word for word in shlex.split(line, comments=True)[1:] if word not in ("…", "...")]
        path: tuple[str, ...] = ()
        while words and (path in _GROUPS or not path) and path not in EVERY:
            path = (*path, words.pop(0))
        if path == ("--version",) or "--help" in words or path in _GROUPS:
            continue
        assert path in EVERY, f"{page.name}: {line}"
        known = {name for parameter in EVERY[path].params for name in (*parameter.opts, *parameter.secondary_opts)}
        shown = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert shown <= known, f"{page.name}: {line}"


def test_pages_are_linked() -> None:
    """Every page is reached from another one; a link leads somewhere."""
    linked: set[Path] = set()
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            place = (page.parent / target).resolve()
            assert place.exists(), f"{page.name}: {target}"
            linked.add(place / "README.md" if place.is_dir() else place)
    unlinked = {str(page.relative_to(ROOT)) for page in PAGES} - {str(each.relative_to(ROOT)) for each in linked}
    assert unlinked <= {"README.md", "docs/README.md"}
