"""``cjsm jobs``: what the service does by itself, and how far it is."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command.context import config_option, open_suite, wait
from cjsm.command.output import Refused, console, document, json_option, progressing, reported, table, when
from cjsm.community.acts import jobs as acts
from cjsm.community.records import Job
from cjsm.suite import Suite

#: Seconds between two looks at a job that is waited for.
_LOOK = 0.5


@click.group()
def jobs() -> None:
    """What the service does by itself: keys begun anew, mail and people destroyed, what is old forgotten."""


@jobs.command("list")
@config_option
@json_option
@reported
def list_(config: Path, as_json: bool) -> None:
    """List the jobs: when each is due, how far one is that takes long, and what it did the last time.

    \b
    cjsm jobs list
    cjsm jobs list --json
    """
    told = jobs_told(open_suite(config))
    if as_json:
        document(told)
    else:
        show_jobs(told)


@jobs.command("watch")
@click.argument("kind")
@config_option
@json_option
@reported
def watch(kind: str, config: Path, as_json: bool) -> None:
    """Wait until the job KIND has nothing left that it counts, such as `rotation` after recovery officers changed.

    Ending this command does not end the job. Ends with 1 when the last run failed.

    \b
    cjsm jobs watch rotation
    """
    suite = open_suite(config)
    job = _job(suite, kind)
    with progressing(f"{kind}: done", job.total, octets=False) as advance:
        seen = 0
        while _goes_on(job):
            advance(job.done - seen)
            seen = job.done
            time.sleep(_LOOK)
            job = _job(suite, kind)
    _end(job, as_json=as_json)


@jobs.command("run")
@click.argument("kind")
@config_option
@json_option
@reported
def run(kind: str, config: Path, as_json: bool) -> None:
    """Let the running service do the job KIND now, and wait until it has. Ends with 1 when it failed.

    It begins within a quarter of a minute; ending this command does not end the job.

    \b
    cjsm jobs run inactivity
    cjsm jobs run rotation
    """
    suite = open_suite(config)
    suite.instance.pid()
    job = _job(suite, kind)
    by = suite.by()
    wait(suite.stores.community.commit(by.act_id, lambda view: acts.run_now(view, by, job.id)))
    before = job.last_run
    with progressing(f"{kind}: done", job.total, octets=False) as advance:
        seen = 0
        while (job := _job(suite, kind)).last_run == before and not job.attempts:
            advance(max(0, job.done - seen))
            seen = job.done
            time.sleep(_LOOK)
    _end(job, as_json=as_json)


def _end(job: Job, *, as_json: bool) -> None:
    if as_json:
        document(_told(job))
    else:
        console.print(f"{job.kind}: {job.last_result or 'did not run yet'}", markup=False)
    if job.attempts:
        sys.exit(1)


def _goes_on(job: Job) -> bool:
    return job.done < job.total and not job.attempts


def _job(suite: Suite, kind: str) -> Job:
    found = suite.stores.community.read_now(lambda view: {each.kind: each for each in view.jobs()})
    if kind not in found:
        raise Refused(
            f"there is no job {kind}", f"there are: {', '.join(sorted(found)) or 'none before the first start'}"
        )
    return found[kind]


def _told(job: Job) -> dict[str, Any]:
    return {
        "kind": job.kind,
        "due": when(job.due),
        "running": job.claimed_until > time.time(),
        "done": job.done,
        "total": job.total,
        "last_run": when(job.last_run),
        "result": job.last_result,
    }


def jobs_told(suite: Suite) -> list[dict[str, Any]]:
    """Return what is told of each job, as programs read it."""
    return suite.stores.community.read_now(lambda view: [_told(job) for job in view.jobs()])


def show_jobs(told: Sequence[dict[str, Any]]) -> None:
    """Print it for people."""
    rows = [
        (
            job["kind"],
            "now" if job["running"] else job["due"] or "-",
            f"{job['done']:,} of {job['total']:,}" if job["total"] else "",
            job["last_run"] or "-",
            job["result"],
        )
        for job in told
    ]
    if rows:
        table(rows, "job", "due", "done", "last run", "result")
