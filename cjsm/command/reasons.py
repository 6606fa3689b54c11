"""Options that say why an act is done."""

import rich_click as click

from cjsm.community.acts.reasons import Reason

#: ``--reason``: a code from the list.
REASON = click.option(
    "--reason",
    type=click.Choice([reason.value for reason in Reason]),
    required=True,
    help="Why: the ledger keeps this code for ever.",
)
