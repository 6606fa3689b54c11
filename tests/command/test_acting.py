"""``--as``: on every verb that changes something or shows what is not everybody's, and what people's roles allow."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result

from cjsm.command.context import wait
from cjsm.community.records import LedgerEntry
from cjsm.ledger.entries import decode_entry
from tests.command.conftest import copied, ran, refused, told
from tests.command.mailboxes import beside
from tests.command.test_main import EVERY
from tests.command.test_user import PASSWORD

JANE, TOM, OLIVE, UNA = "jane.smith@avon", "tom.harding@avon", "olive.marsh@avon", "una.above@avon"
HENRY, ERIN = "henry.desk@avon", "erin.wright@avon"
DESK, WATCH = "duty@avon.cjsm.test", "watch@avon.cjsm.test"

#: Verbs that take no ``--as``, and why.
WITHOUT = {
    "the server's own, before there is anybody or whoever there is": (
        *(
            "init",
            "demo",
            "restore",
            "status",
            "check",
            "reload",
            "jobs list",
            "jobs run",
            "jobs watch",
            "keys peppers",
        ),
        *("keys escrow", "keys restore", "keys rotate-secret", "audit recover"),
        # A job of the service, which it would begin by itself.
        "keys rotate-due",
    ),
    "what is published, and the rules themselves": (
        *("completion", "connection dns", "policy explain", "policy matrix", "notice preview", "audit keys"),
    ),
    "people's own acts, for which they show their own password": (
        *("login", "logout", "user set-password", "user recovery-codes", "factor add", "factor confirm"),
        *("device add", "shared open", "mailbox export"),
    ),
}

FILES = "FILES/"
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
#: Every other verb, with what is asked of it here; {} is the request that waits.
WITH = {
    "backup": ("FILES/backup",),
    "trace": ("0123456789abcdef",),
    "notice list": (),
    "notice show": ("1",),
    "notice send": ("--kind", "outage-cancelled", "--from", TOMORROW),
    "application add": ("new-firm", "--name", "New firm"),
    "application edit": ("asking", "--need", "Papers"),
    "application assess": ("asking",),
    "application sponsor": ("asking", "jane.smith@avon.cjsm.test"),
    "application terms": ("asking", "--accepted"),
    "application approve": ("asking",),
    "application reject": ("asking", "--reason", "withdrawn"),
    "application show": ("asking",),
    "application list": (),
    "community export": (),
    "community diff": ("FILES/community.toml",),
    "community apply": ("FILES/community.toml", "--yes"),
    "audit list": (),
    "audit show": ("0",),
    "audit prove": ("0",),
    "audit verify": (),
    "audit export": ("FILES/ledger",),
    "organisation add": ("avon/new", "--name", "New"),
    "organisation show": ("avon",),
    "organisation list": (),
    "organisation move": ("avon/crime", "/"),
    "organisation merge": ("avon/crime", "firm", "--reason", "other"),
    "organisation change": ("avon/crime", "--area", "West"),
    "organisation suspend": ("avon/crime", "--reason", "other"),
    "organisation resume": ("avon/crime",),
    "organisation delete": ("avon/crime", "--reason", "other"),
    "organisation undelete": ("avon/crime",),
    "directory search": ("marsh",),
    "directory show": (OLIVE,),
    "directory export": ("FILES/people.csv",),
    "directory import": ("FILES/people.csv",),
    "user add": ("avon", "--first", "A", "--last", "B"),
    "user import": ("FILES/people.csv",),
    "user change": (TOM, "--town", "Bath"),
    "user rename": (TOM, "--last", "Hardy"),
    "user move": (TOM, "avon"),
    "user alias add": (TOM, "sergeant@avon.cjsm.test"),
    "user alias remove": (TOM, "sergeant@avon.cjsm.test"),
    "user show": (OLIVE,),
    "user list": (),
    "user lock": (TOM,),
    "user unlock": (TOM,),
    "user reset-password": (TOM, "--reason", "other"),
    "user suspend": (TOM, "--reason", "other"),
    "user resume": (TOM,),
    "user delete": (TOM, "--reason", "other"),
    "user undelete": (TOM,),
    "factor remove": (TOM, "--lost", "--reason", "telephone lost"),
    "device list": (TOM,),
    "device revoke": (TOM, "phone"),
    "role grant": (HENRY, "engineer"),
    "role revoke": (OLIVE, "organisation-administrator", "--organisation", "avon"),
    "role list": (),
    "keys show": (TOM,),
    "keys rotate": (TOM,),
    "recovery officer add": (OLIVE, "--organisation", "avon"),
    "recovery officer remove": (OLIVE, "--organisation", "avon"),
    "recovery officers": (),
    "recovery request": (TOM, "--reason", "other"),
    "recovery approve": ("{}",),
    "recovery refuse": ("{}",),
    "recovery list": (),
    **{f"report {what}": () for what in ("inactive", "never", "locked", "without-factor", "near-quota")},
    "report traffic": (),
    "report tls-failures": ("--csv", "FILES/tls.csv"),
    "quota show": (TOM,),
    "quota set": (TOM, "750M"),
    "list add": ("avon", "news", "--name", "News"),
    "list change": (WATCH, "--name", "Watchers"),
    "list join": (WATCH, f"{OLIVE}.cjsm.test"),
    "list leave": (WATCH, f"{TOM}.cjsm.test"),
    "list appoint": (WATCH, TOM),
    "list dismiss": (WATCH, JANE),
    "list delete": (WATCH,),
    "list show": (WATCH,),
    "list list": (),
    "shared add": ("avon", "front", "--name", "Front", "--member", TOM),
    "shared change": (DESK, "--notice", "--name", "Duty desk"),
    "shared join": (DESK, TOM),
    "shared leave": (DESK, OLIVE),
    "shared delete": (DESK, "--reason", "other"),
    "shared undelete": (DESK,),
    "shared show": (DESK,),
    "shared list": (),
    "connection add": ("other", "avon", "--kind", "server", "--name", "Other"),
    "connection edit": ("firm", "--contact", "somebody"),
    "connection show": ("firm",),
    "connection list": (),
    "connection live": ("firm",),
    "connection suspend": ("firm", "--reason", "because"),
    "connection resume": ("firm", "--testing"),
    "connection test": ("firm",),
    "connection domain add": ("firm", "other.co.uk"),
    "connection domain remove": ("firm.co.uk",),
    "connection domain suspend": ("firm.co.uk", "--reason", "because"),
    "connection domain resume": ("firm.co.uk",),
    "connection domain exception": ("jo@firm.co.uk.cjsm.test", "jo@mail.firm.co.uk"),
    "connection domain show": ("firm.co.uk",),
    "connection certificate issue": ("firm",),
    "connection certificate renew": ("firm",),
    "connection certificate revoke": ("firm", "abc", "--reason", "because"),
    "connection certificate list": (),
    "connection certificate revocations": ("FILES/revoked.crl",),
    "queue list": (),
    "queue show": ("1",),
    "queue retry": ("--all",),
    "queue hold": ("--all",),
    "queue release": ("--all",),
    "queue remove": ("1", "--reason", "because"),
    "mailbox list": (),
    "mailbox show": (TOM,),
    "mailbox verify": (TOM,),
    "mailbox undelete": (TOM, "--all", "--reason", "because"),
    "mailbox destroy": (TOM, "--reason", "because"),
    "mailbox accept": (TOM, "--reason", "because"),
    "mailbox backup": (TOM, "FILES/tom.mailbox"),
    "mailbox restore": (TOM, "FILES/tom.mailbox", "--reason", "because"),
    "mailbox import": (TOM, "FILES/tom.mbox"),
}

#: Verbs that need no role: every member may, and sees what LDAP shows.
MEMBERS = ("directory search", "directory show")


class Avon:
    """A community of people with every role, a shared mailbox, a connection and a request for recovery."""

    def __init__(self, config: Path) -> None:
        self.config = config
        people = (*(("Jane", "Smith"), ("Tom", "Harding"), ("Olive", "Marsh")),
                  *(("Una", "Above"), ("Henry", "Desk"), ("Erin", "Wright")))  # fmt: skip
        for first, last in people:
            made = told(self.run("user", "add", "avon/crime", "--first", first, "--last", last))
            typed = f"{made['one_time_password']}\n{PASSWORD}\n"
            told(self.run("user", "set-password", made["user_id"], "--password-stdin", typed=typed))
        told(self.run("role", "grant", OLIVE, "organisation-administrator", "--organisation", "avon"))
        for who, role in ((UNA, "community-administrator"), (HENRY, "helpdesk"), (ERIN, "engineer")):
            told(self.run("role", "grant", who, role))
        told(self.run("organisation", "add", "firm", "--name", "Firm", "--abbreviation", "firm"))
        told(self.run("user", "add", "firm", "--first", "Jo", "--last", "Law"))
        told(self.run("connection", "add", "firm", "firm", "--kind", "server", "--name", "F", "--next-hop", "mx.f:25"))
        told(self.run("connection", "domain", "add", "firm", "firm.co.uk"))
        told(self.run("shared", "add", "avon", "duty", "--name", "Duty", "--member", OLIVE))
        told(self.run("list", "add", "avon", "watch", "--name", "Watch", "--manager", OLIVE, "--manager", UNA))
        told(self.run("list", "join", WATCH, f"{TOM}.cjsm.test"))
        for who, where in ((OLIVE, ("--organisation", "avon")), (UNA, ())):
            told(self.run("recovery", "officer", "add", who, *where, "--password-stdin", typed=f"{PASSWORD}\n"))
        told(self.run("application", "add", "asking", "--name", "Asking", "--signatory", "Jo Law <jo@asking.uk>"))
        told(self.run("keys", "rotate", TOM))
        told(self.run("user", "reset-password", TOM, "--reason", "forgotten"))
        with beside(config) as suite:
            self.identifiers: dict[str, bytes] = suite.stores.community.read_now(
                lambda view: {each.user_id: each.id for each in view.accounts()}
            )
        self.request: str = told(self.run("recovery", "request", TOM, "--reason", "forgotten"))["request"]

    def run(self, *words: str, typed: str = "") -> Result:
        return ran(*words, "--json", config=self.config, typed=typed)

    def act(self, who: str, verb: str, *words: str, typed: str = f"{PASSWORD}\n") -> Result:
        """Do what the table says, or *words*, as somebody."""
        files = f"{self.config.parent}/"
        asked = [word.replace("{}", self.request).replace(FILES, files) for word in words or WITH[verb]]
        return self.run(*verb.split(), *asked, "--as", who, "--password-stdin", typed=typed)

    def state(self) -> str:
        """The community as it is on the disk: each act makes another of it."""
        return hashlib.sha256((self.config.parent / "data" / "community.mdb").read_bytes()).hexdigest()

    def entries(self) -> list[LedgerEntry]:
        with beside(self.config) as suite:
            return [decode_entry(encoded) for _, encoded in wait(suite.stores.community.entries(0, 10_000))]


@pytest.fixture(scope="module")
def avon(_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Avon:
    return Avon(copied(_made, tmp_path_factory.mktemp("acting") / "home"))


def test_every_verb_knows_as_whom() -> None:
    """Whoever adds a verb decides: it takes --as, or it is one of those that nobody else can do, which are few."""
    takes = {" ".join(path) for path, command in EVERY.items() if any("--as" in each.opts for each in command.params)}
    without = {verb for verbs in WITHOUT.values() for verb in verbs}
    # There it says who would send.
    takes.remove("policy explain")
    assert takes | without == {" ".join(path) for path in EVERY}
    assert not takes & without
    assert takes == set(WITH), "each is tried below"


#: What a refusal for want of a role says.
REASONS = ("no role that lets this account", "only ", "this is for a recovery officer")


@pytest.mark.parametrize("verb", [verb for verb in WITH if verb not in MEMBERS])
def test_without_the_role(avon: Avon, verb: str) -> None:
    """Refused with the reason and the cure; the ledger has no entry, and no file is there."""
    before, files = avon.state(), set(avon.config.parent.iterdir())
    typed = f"{PASSWORD}\n" * 2
    answer = refused(avon.act(JANE, verb, typed=typed))
    assert answer["error"].startswith(REASONS), answer
    assert answer["cure"]
    assert avon.state() == before
    assert set(avon.config.parent.iterdir()) == files


@pytest.mark.parametrize("verb", MEMBERS)
def test_what_every_member_may(avon: Avon, verb: str) -> None:
    """Without a role and without an entry; states are not for them."""
    before = avon.state()
    shown = told(avon.act(JANE, verb))
    (entry,) = shown["entries"] if verb == "directory search" else [shown]
    assert (entry["user_id"], entry["status"]) == (OLIVE, None)
    assert avon.state() == before


WITH_A_PASSWORD = ("trace", "user suspend", "connection certificate issue", "mailbox backup", "directory search")


@pytest.mark.parametrize("verb", WITH_A_PASSWORD)
def test_with_a_wrong_password(avon: Avon, verb: str) -> None:
    """The same answer everywhere, and nothing is done. Each time the same password: it counts once."""
    before = avon.state()
    answer = refused(avon.act(UNA, verb, typed="not the password\n"))
    assert answer["error"] == "user name or password not accepted"
    assert avon.state() == before


def seen(avon: Avon, who: str, verb: str, field: str) -> set[str]:
    """What a list shows somebody."""
    return {each[field] for each in told(avon.act(who, verb))}


def test_lists_show_what_is_theirs(avon: Avon) -> None:
    """Administrators see their subtree, the helpdesk and the community's everything, members their own."""
    everybody = seen(avon, UNA, "user list", "user_id")
    assert seen(avon, HENRY, "user list", "user_id") == everybody
    assert seen(avon, OLIVE, "user list", "user_id") == everybody - {"jo.law@firm"}
    assert "no role" in refused(avon.act(OLIVE, "user list", "--organisation", "firm"))["error"]
    assert seen(avon, OLIVE, "organisation list", "path") == {"avon", "avon/crime"}
    assert seen(avon, ERIN, "organisation list", "path") == {"avon", "avon/crime", "firm"}
    assert seen(avon, OLIVE, "connection list", "connection") == set()
    assert seen(avon, ERIN, "connection list", "connection") == {"firm"}
    assert "jo.law@firm" not in seen(avon, OLIVE, "mailbox list", "name")
    assert "jo.law@firm" in seen(avon, ERIN, "mailbox list", "name")
    assert seen(avon, OLIVE, "role list", "user_id") == {OLIVE, UNA, HENRY, ERIN}
    assert seen(avon, HENRY, "recovery list", "user") == {TOM}
    assert seen(avon, OLIVE, "recovery officers", "authority") == {"avon"}
    assert seen(avon, UNA, "recovery officers", "authority") == {"avon", "the community"}
    assert seen(avon, OLIVE, "shared list", "address") == {DESK}
    assert seen(avon, UNA, "list list", "address") == {WATCH}
    assert seen(avon, HENRY, "list list", "address") == {WATCH}


def test_tree_of_what_is_theirs(avon: Avon) -> None:
    """For people too: others' organisations are not named."""
    said = ran(
        "organisation", "list", "--as", OLIVE, "--password-stdin", config=avon.config, typed=f"{PASSWORD}\n"
    ).output
    assert "Crime" in said
    assert "Firm" not in said


def test_ones_own(avon: Avon) -> None:
    """Nobody needs a role to look at themselves."""
    for verb in ("user show", "device list", "keys show", "mailbox show"):
        told(avon.act(JANE, verb, JANE))
    assert told(avon.act(JANE, "role list", "--user", JANE)) == []
    told(avon.act(OLIVE, "shared show"))


#: What each may do, with the entry that it makes.
ACTS = (
    (UNA, "organisation add", "organisation-add"),
    (UNA, "role grant", "role-grant"),
    (UNA, "connection edit", "connection-edit"),
    (UNA, "connection domain add", "domain-add"),
    (UNA, "connection suspend", "connection-suspended"),
    (UNA, "mailbox backup", "mailbox-backup"),
    (ERIN, "queue hold", "queue-hold"),
    (ERIN, "queue retry", "queue-retry"),
    (ERIN, "mailbox verify", "mailbox-verify"),
    (HENRY, "user unlock", "user-unlock"),
    (HENRY, "application add", "application-add"),
    (HENRY, "application edit", "application-edit"),
    (ERIN, "application assess", "application-assess"),
    (HENRY, "application sponsor", "application-sponsor-ask"),
    (UNA, "application terms", "application-terms"),
    (OLIVE, "organisation change", "organisation-change"),
    (OLIVE, "user add", "user-add"),
    (OLIVE, "directory export", "directory-export"),
    (OLIVE, "user change", "user-edit"),
    (OLIVE, "user alias add", "alias-add"),
    (OLIVE, "user alias remove", "alias-remove"),
    (OLIVE, "user lock", "user-lock"),
    (OLIVE, "user suspend", "user-suspended"),
    (OLIVE, "user resume", "user-resumed"),
    (OLIVE, "quota set", "quota-set"),
    (OLIVE, "list add", "list-add"),
    (OLIVE, "list join", "list-join"),
    (OLIVE, "shared join", "shared-join"),
    (OLIVE, "shared change", "shared-change"),
    (OLIVE, "shared delete", "shared-deleted"),
    (OLIVE, "shared undelete", "shared-undeleted"),
    (UNA, "notice send", "notice-send"),
    (OLIVE, "keys rotate", "keys-rotated"),
)


@pytest.mark.parametrize(("who", "verb", "act"), ACTS, ids=[each[1] for each in ACTS])
def test_the_ledger_names_who_acted(avon: Avon, who: str, verb: str, act: str) -> None:
    """Not the operator, and no glass is broken."""
    before = avon.state()
    told(avon.act(who, verb))
    assert avon.state() != before
    entry = avon.entries()[-1]
    assert entry.actor == avon.identifiers[who]
    assert entry.act == act
    assert "break-glass" not in dict(entry.details)


def test_without_anybody_the_operator_acts(avon: Avon) -> None:
    """As ever: everybody can see that in the ledger."""
    told(avon.run("queue", "hold", "--all"))
    entry = avon.entries()[-1]
    assert (entry.actor, dict(entry.details)["break-glass"]) == (b"", "yes")


def test_what_is_not_for_others(avon: Avon) -> None:
    """Options that make an act one's own, and a secret that only its owner may see."""
    for words in (("user", "unlock", TOM, "--self"), ("factor", "remove", TOM)):
        assert "own act" in refused(avon.run(*words, "--as", UNA, "--password-stdin", typed=f"{PASSWORD}\n"))["error"]
    answer = refused(avon.act(OLIVE, "user add", "avon", "--first", "Al", "--last", "Ng", "--device", "laptop"))
    assert "alone to make" in answer["error"]
    assert "al.ng@avon" not in seen(avon, UNA, "user list", "user_id")
    answer = refused(avon.act(UNA, "mailbox undelete", TOM, "--all"))
    assert "--reason" in answer["cure"]


#: Verbs that are one act: who may do it as the community is, and what is asked where it is not as above.
REHEARSED: dict[str, tuple[str, tuple[str, ...]]] = {
    "organisation add": (OLIVE, ("avon/other", "--name", "Other")),
    "organisation change": (OLIVE, ("avon/crime", "--area", "South")),
    "organisation suspend": (OLIVE, ()),
    "user add": (OLIVE, ()),
    "user change": (OLIVE, (TOM, "--postcode", "BS1")),
    "user rename": (OLIVE, ()),
    "user move": (OLIVE, (JANE, "avon")),
    "user alias add": (OLIVE, ()),
    "quota set": (OLIVE, (TOM, "800M")),
    "user lock": (OLIVE, ()),
    "user unlock": (HENRY, ()),
    "user reset-password": (HENRY, ()),
    "user suspend": (OLIVE, ()),
    "user delete": (OLIVE, ()),
    "role grant": (UNA, (TOM, "helpdesk")),
    "application add": (HENRY, ("third-firm", "--name", "Third firm")),
    "application sponsor": (HENRY, ()),
    "application reject": (UNA, ()),
    "keys rotate": (OLIVE, ()),
    "recovery refuse": (UNA, ()),
    "list change": (OLIVE, ()),
    "list appoint": (OLIVE, ()),
    "list delete": (OLIVE, ()),
    "list leave": (OLIVE, ()),
    "shared add": (OLIVE, ()),
    "shared change": (OLIVE, ()),
    "shared delete": (OLIVE, ()),
    "connection add": (UNA, ()),
    "connection edit": (UNA, ()),
    "connection domain add": (UNA, ("firm", "third.co.uk")),
    "connection domain remove": (UNA, ()),
    "connection domain exception": (UNA, ()),
}


@pytest.mark.parametrize("verb", REHEARSED)
def test_rehearsed(avon: Avon, verb: str) -> None:
    """--dry-run tells the act and every field that it would change, and writes nothing."""
    keys = avon.config.parent / "data" / "keys.mdb"
    before = avon.state(), hashlib.sha256(keys.read_bytes()).hexdigest()
    who, words = REHEARSED[verb]
    said = told(avon.act(who, verb, *(words or WITH[verb]), "--dry-run"))
    assert (avon.state(), hashlib.sha256(keys.read_bytes()).hexdigest()) == before
    assert said["dry_run"]
    assert said["act"]
    assert said["records"]
    for each in said["records"]:
        assert each["kind"]
        assert each["change"] in ("added", "changed", "removed")


def test_what_is_one_act_can_be_rehearsed() -> None:
    """The others are several steps, each with its own ways, or files of the caller's."""
    rehearsed = {
        " ".join(path) for path, command in EVERY.items() if any("--dry-run" in each.opts for each in command.params)
    }
    assert set(REHEARSED) <= rehearsed
    changing = {verb for _, verb, _ in ACTS if not verb.startswith(("mailbox ", "queue ", "directory "))}
    assert changing <= rehearsed


def test_who_may_not_act_rehearses_nothing(avon: Avon) -> None:
    """The refusal is the act's own."""
    assert "no role" in refused(avon.act(JANE, "user lock", TOM, "--dry-run"))["error"]


def test_a_rehearsal_in_words(avon: Avon) -> None:
    """Field by field, now and then; nothing of a password that is not made."""
    words = ("organisation", "change", "avon/crime", "--area", "East", "--dry-run")
    said = ran(*words, config=avon.config).output
    assert "nothing was changed" in said
    assert "organisation-change" in said
    assert "East" in said
    made = ran("user", "add", "avon", "--first", "Al", "--last", "Ng", "--dry-run", config=avon.config).output
    assert "al.ng@avon" in made
    assert "one-time password" not in made
