"""``--reason`` of verbs that need one: a code from the community's list."""

import rich_click as click

from cjsm.community.acts.reasons import Reason

reason_option = click.option(
    "--reason",
    type=click.Choice([reason.value for reason in Reason]),
    required=True,
    help="Why: the ledger keeps this code for ever.",
)
