"""Jobs of the service, done sooner than they would be."""

import msgspec

from cjsm.community.acts.acting import By, entry_of, operators
from cjsm.community.errors import NotFound
from cjsm.community.identifiers import JobId
from cjsm.community.view import Change, View


def run_now(view: View, by: By, job: JobId) -> Change:
    """Let a job be due now; one that is under way goes on, and is due again afterwards as ever.

    :raises NotAllowed: for anybody but the operator.
    """
    permission = operators(by, "the service's own work is")
    found = view.job(job)
    if found is None:
        raise NotFound("there is no such job", "see `cjsm jobs list`")
    made = msgspec.structs.replace(found, due=view.moment, attempts=0)
    entry = entry_of(view, by, "job-run", "service", b"", permission, job=found.kind)
    return Change(put=(made,), entry=entry)
