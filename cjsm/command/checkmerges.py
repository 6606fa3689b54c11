"""What ``cjsm check`` says of organisations that are becoming part of another."""

from cjsm.command.context import wait
from cjsm.command.findings import Finding
from cjsm.command.output import when
from cjsm.community import finding as names
from cjsm.community.records import Organisation, OrganisationState
from cjsm.community.view import View
from cjsm.configuration import Settings
from cjsm.suite import Suite


def finding(settings: Settings) -> Finding:
    """Look for a merge that was begun and is not over: the first of them."""
    suite = Suite(settings)
    try:
        return suite.stores.community.read_now(_look)
    finally:
        wait(suite.stores.close())


def _look(view: View) -> Finding:
    found = next((each for each in view.organisations() if _is_under_way(each)), None)
    if found is None:
        return Finding("merges")
    path, above = names.path_of(view, found.id), names.path_of(view, found.parent)
    told = f"{path} is becoming part of {above} since {when(found.merging)}"
    cure = f"where nobody does it now, finish it: cjsm organisation merge {path} {above} --reason …"
    return Finding("merges", told, cure, warning=True)


def _is_under_way(found: Organisation) -> bool:
    return bool(found.merging) and found.state is not OrganisationState.DELETED
