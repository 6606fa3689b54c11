"""What ``cjsm check`` says of the ledger."""

from cjsm.command.context import wait
from cjsm.command.findings import Finding
from cjsm.command.output import when
from cjsm.community.records import Job
from cjsm.community.view import View
from cjsm.configuration import Settings
from cjsm.jobs import ledgertree
from cjsm.mail.dailycheckpoint import FOUND, DailyCheckpoint
from cjsm.store.interfaces import StoreError
from cjsm.suite import Suite


def finding(settings: Settings) -> Finding:
    """Look whether the entries go on where the ledger was signed last, and what the day's verification found."""
    suite = Suite(settings)
    stores = suite.stores
    try:
        checkpoint = ledgertree.signed(stores.ledger, suite.ledger_keys)
        if checkpoint is not None:
            ledgertree.check_newest(checkpoint, stores.community, stores.ledger)
        verified = stores.community.read_now(_verifications)
    except StoreError as error:
        return Finding("ledger", str(error), error.cure)
    finally:
        wait(stores.close())
    for job in verified:
        if job.last_result.startswith(FOUND):
            told = f"{job.last_result.removeprefix(FOUND)} ({when(job.last_run)})"
            return Finding("ledger", told, "see `cjsm audit verify`")
    return Finding("ledger")


def _verifications(view: View) -> list[Job]:
    return [job for job in view.jobs() if job.kind == DailyCheckpoint.name]
