"""``cjsm application``: organisations that ask to join, from the first letter to the first administrator."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click

from cjsm.command import acting, secrets
from cjsm.command.applicationshown import COLUMNS, line, report
from cjsm.command.applicationvalues import application_values, given
from cjsm.command.context import open_suite, wait
from cjsm.command.output import console, document, shown, table
from cjsm.community import applying
from cjsm.community.acts import applications
from cjsm.community.acts.applications import Rejection
from cjsm.community.address import Address
from cjsm.community.applicationrecords import Application, ApplicationState, CheckResult
from cjsm.community.applying import Check
from cjsm.community.authority import Action
from cjsm.community.identifiers import LENGTH, ApplicationId
from cjsm.community.view import View
from cjsm.suite import Suite


@click.group()
def application() -> None:
    """Organisations that ask to join: entered, sponsored, assessed, approved or rejected.

    \b
    A new one:  cjsm application add firm --name "Firm LLP" --contact "Jo Law <jo@firm.co.uk>"
                cjsm application edit firm --domain firm.co.uk --need "Court papers" --users 12 …
                cjsm application sponsor firm jane.smith@avon.cjsm.test
                cjsm application assess firm contact passed
                cjsm application terms firm --accepted
                cjsm application show firm            says what is missing
                cjsm application approve firm
    """


@application.command("add")
@click.argument("slug", metavar="SHORT-NAME")
@click.option("--name", required=True, help="The full name of the organisation.")
@application_values
@acting.act_verb
def add(slug: str, name: str, config: Path, as_json: bool, **values: Any) -> None:
    """Enter the application of an organisation that is to have the path SHORT-NAME.

    Everything else may come later, with `application edit`. It is refused when another one asks for the same short
    name, domain or abbreviation; what else may be a duplicate is shown.

    \b
    cjsm application add firm --name "Firm LLP" --contact "Jo Law <jo@firm.co.uk>" --domain firm.co.uk
    """
    suite = open_suite(config)
    identifier = ApplicationId(os.urandom(LENGTH))
    made = Application(id=identifier, slug=slug, name=name, **given(values))
    days = suite.settings.applications.assessment
    acting.act(suite, lambda view, by: applications.add(view, by, made, days))
    report(suite, identifier, as_json)


@application.command("edit")
@click.argument("name", metavar="NAME")
@click.option("--name", "title", help="Another full name.")
@application_values
@acting.act_verb
def edit(name: str, title: str | None, config: Path, as_json: bool, **values: Any) -> None:
    """Change the application NAME. What is not given stays; points of the checklist that are about it are open again.

    \b
    cjsm application edit firm --system server --next-hop mail.firm.co.uk:25 --abbreviation firm
    cjsm application edit firm --administrator "Ann Clerk <ann@firm.co.uk>" --administrator-telephone "020 7946 0000"
    """
    suite = open_suite(config)
    found = _look_up(suite, name)
    changes = given(values, found) | ({"name": title} if title is not None else {})
    acting.act(suite, lambda view, by: applications.edit(view, by, found.id, changes))
    report(suite, found.id, as_json)


@application.command("assess")
@click.argument("name", metavar="NAME")
@click.argument("item", required=False, type=click.Choice([each.value for each in Check]))
@click.argument("result", required=False, type=click.Choice([each.value for each in CheckResult]))
@click.option("--note", default="", help="What was found; needed where it failed.")
@acting.act_verb
def assess(name: str, item: str | None, result: str | None, note: str, config: Path, as_json: bool) -> None:
    """Begin to assess the application NAME, or record the RESULT of one ITEM of its checklist.

    \b
    cjsm application assess firm
    cjsm application assess firm contact passed --note "called back, 020 7946 0000" --as henry.desk@avon
    cjsm application assess firm mail-system not-needed
    """
    if item is not None and result is None:
        raise click.UsageError("say what came of it: passed, failed or not-needed")
    suite = open_suite(config)
    found = _look_up(suite, name)
    check = Check(item) if item is not None else None
    outcome = CheckResult(result or CheckResult.PASSED)
    acting.act(suite, lambda view, by: applications.assess(view, by, found.id, check, outcome, note))
    report(suite, found.id, as_json)


@application.command("sponsor")
@click.argument("name", metavar="NAME")
@click.argument("address", required=False)
@click.option("--note", help="Record the sponsor's word without a code: what you know of it. For administrators.")
@acting.act_verb
def sponsor(name: str, address: str | None, note: str | None, config: Path, as_json: bool) -> None:
    """Send a code to ADDRESS, the sponsor of the application NAME: a member. Without ADDRESS the code is asked for.

    The sponsor gets it inside the community, and tells it to whoever asked. With --password-stdin it is read from
    standard input, behind the password of --as.

    \b
    cjsm application sponsor firm jane.smith@avon.cjsm.test
    cjsm application sponsor firm
    cjsm application sponsor firm jane.smith@avon.cjsm.test --note "rang her, 3 March" --as una.above@desk
    """
    if note is not None and address is None:
        raise click.UsageError("name the sponsor whose word it is")
    suite = open_suite(config)
    found = _look_up(suite, name)
    if address is None:
        (code,) = secrets.ask("The sponsor's code")
        wait(suite.applying.confirm_sponsor(acting.by(suite), found.id, code.decode(errors="replace")))
    elif note is not None:
        told, member = note, Address.parse(address)
        acting.act(suite, lambda view, by: applications.note_sponsor(view, by, found.id, member, told))
    else:
        wait(suite.applying.ask_sponsor(acting.by(suite), found.id, Address.parse(address)))
    report(suite, found.id, as_json)


@application.command("terms")
@click.argument("name", metavar="NAME")
@click.option("--accepted", is_flag=True, required=True, help="The signatory accepted them.")
@acting.act_verb
def terms(name: str, accepted: bool, config: Path, as_json: bool) -> None:
    """Record that the signatory of the application NAME accepts the terms, the version that the settings name.

    It is due again every year, also after the application was approved: `application list --terms-due`.

    \b
    cjsm application terms firm --accepted
    """
    suite = open_suite(config)
    found = _look_up(suite, name)
    version = suite.settings.applications.terms_version
    acting.act(suite, lambda view, by: applications.accept_terms(view, by, found.id, version))
    report(suite, found.id, as_json)


@application.command("approve")
@click.argument("name", metavar="NAME")
@acting.act_verb
def approve(name: str, config: Path, as_json: bool) -> None:
    """Approve the application NAME: makes the organisation, its first administrator and a draft of its connection.

    All of it or nothing. It needs everything that `application show` names, and somebody else than those who entered or
    edited it. The one-time password is shown once; the connection is in testing, without a certificate.

    \b
    cjsm application approve firm --as una.above@desk
    """
    suite = open_suite(config)
    found = _look_up(suite, name)
    made = wait(suite.applying.approve(acting.by(suite), found.id))
    if as_json:
        document(made)
        return
    console.print(
        f"organisation       {made.path}\nadministrator      {made.user_id}\naddress            {made.address}"
    )
    console.print(f"one-time password  [bold]{made.one_time_password}[/]   (shown once; only to choose a password)")
    if made.connection:
        console.print(
            f"connection         {made.connection}, in testing: cjsm connection certificate issue {made.connection}"
        )


@application.command("reject")
@click.argument("name", metavar="NAME")
@click.option(
    "--reason", required=True, type=click.Choice([each.value for each in Rejection]), help="The ledger has it."
)
@click.option("--note", default="", help="More, in your own words; it goes with the application.")
@acting.act_verb
def reject(name: str, reason: str, note: str, config: Path, as_json: bool) -> None:
    """Reject the application NAME. After applications.erase_rejected days nothing personal is left of it.

    \b
    cjsm application reject firm --reason not-eligible --note "no part in proceedings"
    """
    suite = open_suite(config)
    found = _look_up(suite, name)
    code = Rejection(reason)
    acting.act(suite, lambda view, by: applications.reject(view, by, found.id, code, note))
    report(suite, found.id, as_json)


@application.command("show")
@click.argument("name", metavar="NAME")
@acting.verb
def show(name: str, config: Path, as_json: bool) -> None:
    """Show the application NAME: what it says, what it still needs, what may be a duplicate, and its checklist.

    \b
    cjsm application show firm
    """
    suite = open_suite(config)
    report(suite, _look_up(suite, name).id, as_json)


@application.command("list")
@click.option("--state", type=click.Choice([each.value for each in ApplicationState]), help="Only those in this state.")
@click.option(
    "--terms-due", is_flag=True, help="Only those that are here whose terms are to be accepted anew, soon or now."
)
@acting.verb
def list_(state: str | None, terms_due: bool, config: Path, as_json: bool) -> None:
    """List applications, those that wait longest first.

    \b
    cjsm application list
    cjsm application list --state overdue
    cjsm application list --terms-due
    """
    suite = open_suite(config)
    acting.require(suite, Action.ASSESS_APPLICATIONS)
    settings = suite.settings.applications
    is_due = partial(
        applying.terms_are_due, days=settings.terms, version=settings.terms_version, warning=settings.terms_warning
    )

    def look(view: View) -> list[dict[str, Any]]:
        found = [each for each in view.applications() if state is None or each.state == state]
        if terms_due:
            found = [each for each in found if is_due(view, each)]
        return [line(each, settings) for each in sorted(found, key=lambda each: (each.due, each.id))]

    told = suite.stores.community.read_now(look)
    if as_json:
        document(told)
    else:
        rows = [[shown(each[column]) for column in COLUMNS] for each in told]
        table(rows, *COLUMNS)


def _look_up(suite: Suite, name: str) -> Application:
    # Whoever may not see any hears that, and not whether there is one.
    acting.require(suite, Action.ASSESS_APPLICATIONS)
    return suite.stores.community.read_now(lambda view: applying.application_of(view, name))
