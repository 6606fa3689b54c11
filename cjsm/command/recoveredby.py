"""Who recovers closed mail, in words."""

from cjsm.community import finding
from cjsm.community.acts.recovery import parties
from cjsm.community.identifiers import OrganisationId
from cjsm.community.records import COMMUNITY
from cjsm.community.view import View


def recovered_by(view: View, identifier: OrganisationId) -> list[str] | None:
    """Return the two authorities whose officers open closed mail together; None where it stays closed."""
    pair = parties(view, identifier)
    if pair is None:
        return None
    return [finding.path_of(view, each.id) if each.id != COMMUNITY else "the community" for each in pair]
