"""A shared mailbox in a running community, made as administrators make one."""

from typing import Any

from tests.running import Community


def share(community: Community, slug: str, *people: dict[str, Any]) -> str:
    """Make a shared mailbox in the organisation of *people*, who may read, delete and send; return its address."""
    first, *others = (person["user_id"] for person in people)
    place = community.document("user", "show", first)["organisation"]
    made = community.document("shared", "add", place, slug, "--name", "Front desk", "--member", first)
    for user_id in others:
        community.document("shared", "join", made["address"], user_id)
    address: str = made["address"]
    return address
