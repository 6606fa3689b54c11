"""Jobs of the service, done sooner than they would be."""

import msgspec

from cjsm.community.acts.acting import By, entry_of
from cjsm.community.authority import Permission
from cjsm.community.errors import NotAllowed, NotFound
from cjsm.community.identifiers import JobId
from cjsm.community.view import Change, View


def run_now(view: View, by: By, job: JobId) -> Change:
    """Let a job be due now; one that is under way goes on, and is due again afterwards as ever.

    :raises NotAllowed: for anybody but the operator.
    """
    if by.actor is not None:
        raise NotAllowed("the service's own work is the operator's", "do it without --as, on the server")
    found = view.job(job)
    if found is None:
        raise NotFound("there is no such job", "see `cjsm jobs list`")
    made = msgspec.structs.replace(found, due=view.moment, attempts=0)
    permission = Permission(True, "local operator on the server")
    entry = entry_of(view, by, "job-run", "service", b"", permission, job=found.kind)
    return Change(put=(made,), entry=entry)
