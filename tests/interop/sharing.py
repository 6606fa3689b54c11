"""A shared mailbox in a running community, made as administrators make one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.running import Community


def share(community: Community, slug: str, *people: dict[str, Any]) -> str:
    """Make a shared mailbox in the organisation of *people*, who may read, delete and send; return its address."""
    first, *others = (person["user_id"] for person in people)
    place = cjsm(community, "user", "show", first)["organisation"]
    made = cjsm(community, "shared", "add", place, slug, "--name", "Front desk", "--member", first)
    for user_id in others:
        cjsm(community, "shared", "join", made["address"], user_id)
    address: str = made["address"]
    return address


def cjsm(community: Community, *words: str) -> Any:
    """Run ``cjsm`` beside the community's service; return the document that it prints."""
    done = subprocess.run(
        [Path(sys.executable).parent / "cjsm", *words, "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"CJSM_CONFIG": community.config},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
