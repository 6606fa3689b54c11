"""The ``cjsm`` command: its groups and what they share."""

import atexit
import gc

import rich_click as click

from cjsm.command.groups import Group

click.rich_click.TEXT_MARKUP = "rich"
click.rich_click.SHOW_ARGUMENTS = True
click.rich_click.STYLE_HELPTEXT = ""

# Most of what a command does is to import, and what it imported is there until the end: the collector looks less often
# for what could go, and not at all when everything goes. A fifth of the processor time of a plain verb.
gc.set_threshold(50_000)
atexit.register(gc.freeze)


class Commands(Group):
    """In the order in which they are told of, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See :class:`click.Group`."""
        return list(self.commands)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="cjsm-suite", prog_name="cjsm")
def main() -> None:
    """Run and administer a secure mail community.

    \b
    Try it:            cjsm demo
    A new community:   cjsm init --suffix example.org, then start the service
    See how it is:     cjsm status; cjsm check
    As yourself:       cjsm login olive.marsh@avon, then --as olive.marsh@avon

    Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
    """


main.elsewhere(
    "initialise",
    init="Make a new community: settings, data directory, service secrets, an authority and a first certificate.",
)
main.elsewhere("service", status="Show the service: sessions, queues, disk, certificate, jobs.")
main.elsewhere(
    "check",
    check=(
        "Look at settings, secrets, certificates, permissions, disk, ports and stores; say what is wrong and the cure."
    ),
)
main.elsewhere(
    "service",
    reload="Make the running service read certificates and settings again. No connection is dropped.",
)
main.elsewhere(
    "login",
    login="Sign in as USER for 15 minutes (keys.login): then --as USER asks for no password. Asks for it once, now.",
    logout="End what `cjsm login` began.",
)
main.elsewhere(
    "wholebackup",
    backup="Back the whole service up into a new DIRECTORY, beside the running service.",
    restore=(
        "Put the whole service back from DIRECTORY, which `cjsm backup` made, into a data directory that has "
        "nothing yet."
    ),
)
main.elsewhere(
    "demo",
    demo="Start a demonstration community on this computer and show how to use it. Ends with Ctrl-C.",
)
main.elsewhere(
    "community",
    community="The whole community as a file: organisations, connections, domains, lists, shared mailboxes, roles.",
)
main.elsewhere(
    "application",
    application="Organisations that ask to join: entered, sponsored, assessed, approved or rejected.",
)
main.elsewhere(
    "organisation",
    organisation="Add, change, move, merge, suspend and delete organisations, and look at them.",
)
main.elsewhere(
    "directory",
    directory="Search the directory, show entries, and take them out to files and in from them.",
)
main.elsewhere(
    "user",
    user="Add and look at users, reset, suspend and delete them, and let them choose their passwords.",
)
main.elsewhere(
    "device",
    device="Device passwords: one for each mail program, so that none of them knows the user's own.",
)
main.elsewhere("factor", factor="A second factor: an authenticator on a telephone, beside the password.")
main.elsewhere("role", role="Give and take roles; they cover an organisation and everything below it.")
main.elsewhere(
    "keys",
    keys="The keys of mailboxes, and the service's own secrets: which there are, new ones, copies for the safe.",
)
main.elsewhere(
    "jobs",
    jobs="What the service does by itself: keys begun anew, mail and people destroyed, what is old forgotten.",
)
main.elsewhere(
    "recovery",
    recovery=(
        "Open mail again that a reset closed, or that somebody left behind: two officers of two authorities approve."
    ),
)
main.elsewhere(
    "maillist",
    list_="Distribution lists: one address, several people, of any organisation; lists can be members of lists.",
)
main.elsewhere("shared", shared="Mailboxes that several people read, each with their own password.")
main.elsewhere("quota", quota="What mailboxes may hold: of people, and shared ones.")
main.elsewhere("report", report="Who and what needs attention: of the organisations that you administer.")
main.elsewhere(
    "trace",
    trace=(
        "Show what became of a message for each recipient: by its Message-ID, or the queue id that its sender was told."
    ),
)
main.elsewhere(
    "audit",
    audit="The ledger: every administrative act, who did it to what, in a form that nobody can change unnoticed.",
)
main.elsewhere("queue", queue="Messages on their way out to organisations' own mail systems: which wait, and why.")
main.elsewhere("mailbox", mailbox="Mailboxes as a whole: how they are, keeping them safe, moving mail in and out.")
main.elsewhere(
    "connection",
    connection=(
        "Organisations' own mail systems: how they are proved, where mail to them goes, which domains they have."
    ),
)
main.elsewhere(
    "notice",
    notice="What people are told of what is done to their accounts; and interruptions, which many are told of.",
)
main.elsewhere("policy", policy="Ask whether a message would be taken, and why; or see the whole table.")
main.elsewhere(
    "completion",
    completion=(
        "Print what makes SHELL complete the verbs and options of `cjsm`; for good, put it where the shell reads it."
    ),
)
