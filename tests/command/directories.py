"""Communities to take people out of and in to: police, and a firm with a mail system of its own."""

from pathlib import Path
from typing import Any

from click.testing import Result

from cjsm.command.context import wait
from cjsm.community.records import LedgerEntry
from cjsm.ledger.entries import decode_entry
from tests.command.conftest import ran, told
from tests.command.mailboxes import beside
from tests.command.test_user import PASSWORD

JANE, OLIVE, HENRY, PAUL = "jane.smith@avon", "olive.marsh@avon", "henry.desk@firm", "paul.partner@firm"

#: Kills an import where a method is called, before or after it does what it does; two rows are done at once.
KILLED = """
import os, signal, sys
from cjsm.command import acting, importresults
from cjsm.store.lmdb.community import LmdbCommunityStore
from cjsm.store.lmdb.keys import LmdbKeyStore
acting.AT_ONCE = 2
where, name, calls, after = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "after"
kind = {"results": importresults.ResultFile, "keys": LmdbKeyStore, "community": LmdbCommunityStore}[where]
method = getattr(kind, name)
def counted(*arguments, **options):
    global calls
    calls -= 1
    if calls == 0 and not after:
        os.kill(os.getpid(), signal.SIGKILL)
    answer = method(*arguments, **options)
    if calls == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer
setattr(kind, name, counted)
sys.argv = ["cjsm", *sys.argv[5:]]
from cjsm.command.main import main
main()
"""


class Firm:
    """A police force with Jane, whom Olive administers; a firm, whom Paul does, with Henry of the helpdesk."""

    def __init__(self, config: Path) -> None:
        self.config = config
        told(self.run("organisation", "add", "firm", "--name", "Law & Sons", "--abbreviation", "firm"))
        told(self.run("connection", "add", "firm", "firm", "--kind", "server", "--name", "F", "--next-hop", "mx.f:25"))
        told(self.run("connection", "domain", "add", "firm", "firm.co.uk"))
        self.join("avon/crime", "Jane", "Smith", "--telephone", "+44 117 496 0110", "--mobile", "07700 900110")
        self.join("avon", "Olive", "Marsh")
        self.join("firm", "Henry", "Desk")
        self.join("firm", "Paul", "Partner")
        told(self.run("role", "grant", OLIVE, "organisation-administrator", "--organisation", "avon"))
        told(self.run("role", "grant", PAUL, "organisation-administrator", "--organisation", "firm"))
        told(self.run("role", "grant", HENRY, "helpdesk"))

    def join(self, place: str, first: str, last: str, *more: str) -> None:
        """Add somebody who has chosen a password."""
        made = told(self.run("user", "add", place, "--first", first, "--last", last, *more))
        typed = f"{made['one_time_password']}\n{PASSWORD}\n"
        told(self.run("user", "set-password", made["user_id"], "--password-stdin", typed=typed))

    def run(self, *words: str, typed: str = "") -> Result:
        """Run ``cjsm``."""
        return ran(*words, "--json", config=self.config, typed=typed)

    def ask(self, who: str | None, *words: str) -> Result:
        """Run ``cjsm directory`` as somebody."""
        acting = ("--as", who, "--password-stdin") if who is not None else ()
        return self.run("directory", *words, *acting, typed=f"{PASSWORD}\n")

    def shown(self, name: str) -> Any:
        """What the directory says of somebody."""
        return told(self.ask(None, "show", name))

    def entries(self) -> list[LedgerEntry]:
        """The ledger."""
        with beside(self.config) as suite:
            return [decode_entry(encoded) for _, encoded in wait(suite.stores.community.entries(0, 100_000))]
