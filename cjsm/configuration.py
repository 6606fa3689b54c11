"""``cjsm.toml`` as typed settings: every limit in one place, with its default, unit and bounds.

``etc/cjsm.toml`` explains each setting to operators; ``tests/test_configuration.py`` keeps it and this module equal.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from cjsm import policies
from cjsm.sources import SharedNetworks

Octets = Annotated[int, Meta(ge=0, description="octets")]
Seconds = Annotated[int, Meta(ge=1, description="seconds")]
Days = Annotated[int, Meta(ge=0, description="days")]
Count = Annotated[int, Meta(ge=1, description="count")]
Rate = Annotated[int, Meta(ge=0, description="count in the time that the setting names, 0 for no limit")]

KIB = 1024
MIB = 1024 * KIB


class ConfigurationError(Exception):
    """cjsm.toml cannot be used.

    :ivar cure: what to change.
    """

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(problem)
        self.cure = cure


class CommunitySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The community's own names."""

    suffix: str = "cjsm.test"
    service_name: str = "Secure mail"
    helpdesk_contact: str = "your helpdesk"
    file_octets: Octets = 64 * MIB


class StoreSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where data lives and how much disk it may take."""

    data_directory: str = "/var/lib/cjsm"
    secrets_directory: str = "/etc/cjsm/secrets"
    disk_floor: Octets = 256 * MIB
    inline_body: Octets = 256 * KIB
    mailbox_map: Octets = 16 * 1024 * MIB
    map: Octets = 256 * 1024 * MIB
    open_mailboxes: Count = 512
    compact_after: Annotated[int, Meta(ge=1, description="days")] = 30
    disk_threads: Count = 4
    batch_entries: Count = 512
    batch_octets: Octets = 16 * MIB


class TlsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The certificate the doors show."""

    certificate: str = "/etc/cjsm/tls/server.pem"
    key: str = "/etc/cjsm/tls/server.key"
    authority: str = "/etc/cjsm/tls/authority.pem"
    warn_before: Days = 30


class ConnectionSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many clients may be connected, over all doors."""

    anonymous_per_source: Count = 20
    per_account: Count = 10
    per_connection: Count = 50
    listed_networks: tuple[str, ...] = ()
    anonymous_per_listed_network: Count = 500
    proxy_networks: tuple[str, ...] = ()
    proxy_header: Seconds = 5
    descriptors_percent: Annotated[int, Meta(ge=10, le=95, description="percent")] = 80


class AccessSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signing in."""

    policy: str = "ncsc"
    bcrypt_cost: Annotated[int, Meta(ge=4, le=18, description="log2 rounds")] = 12
    argon2_memory: Annotated[int, Meta(ge=8, description="KiB")] = 46 * KIB
    argon2_iterations: Count = 1
    kdf_threads: Annotated[int, Meta(ge=0, description="threads, 0 for one per core")] = 0
    kdf_queue: Count = 64
    verification_cache: Annotated[int, Meta(ge=0, description="seconds")] = 900
    unlock_cache: bool = True
    verification_cache_entries: Count = 100_000
    refusal_time: Annotated[int, Meta(ge=0, description="seconds")] = 1
    failures_forgotten: Seconds = 86_400
    source_failing_accounts: Count = 50
    shared_source_failing_accounts: Count = 1_000
    source_window: Seconds = 3_600
    one_time_password_life: Seconds = 86_400
    second_factor_drift: Annotated[int, Meta(ge=0, le=10, description="steps of 30 seconds")] = 1
    second_factor_failures: Count = 10
    recovery_codes: Annotated[int, Meta(ge=1, le=20, description="count")] = 10
    revalidate: Seconds = 5
    inactive_warned: Days = 150
    inactive_suspended: Days = 180


class MailSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a message may be."""

    message_octets: Octets = 26_214_400
    recipients: Count = 1_000
    header_octets: Octets = 100 * KIB
    header_fields: Count = 1_000
    received_fields: Count = 50
    quota: Octets = 500 * MIB
    quota_organisation: Octets = 1024 * MIB
    quota_largest: Octets = 10 * 1024 * MIB
    over_quota_grace: Seconds = 86_400
    deleted_kept: Annotated[int, Meta(ge=0, description="days")] = 14
    delivery_workers: Count = 2
    delivery_batch: Count = 256
    retry_first: Seconds = 5
    retry_most: Seconds = 600


class KeySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long keys live."""

    undelete: Days = 30
    address_reserved: Days = 270
    address_delivers: Days = 90
    aliases: Count = 10
    rotate_after: Days = 365
    rotations: Count = 2_000
    generation_kept: Annotated[int, Meta(ge=1, description="days")] = 2
    shared_members: Count = 500
    request_life: Annotated[int, Meta(ge=1, description="days")] = 14
    recovery_delay: Annotated[int, Meta(ge=0, description="seconds")] = 0
    login: Seconds = 900


class LedgerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How what happened is kept provable."""

    anchor_every: Seconds = 60
    anchor_batch: Count = 1_000
    checkpoint_every: Seconds = 10
    checkpoint_mail: bool = True


class ImportSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is taken from files of other systems."""

    message_octets: Octets = 64 * MIB
    messages: Count = 1_000_000
    depth: Count = 8
    list_octets: Octets = 128 * MIB
    batch_messages: Count = 64
    batch_octets: Octets = 8 * MIB
    directory_octets: Octets = 64 * MIB
    directory_rows: Count = 100_000
    directory_cell: Count = 4_000
    users: Count = 500


class ApplicationSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Organisations that ask to join."""

    assessment: Annotated[int, Meta(ge=1, description="days")] = 28
    review_by_another: bool = True
    sponsor_code: Annotated[int, Meta(ge=1, description="days")] = 14
    sponsor_tries: Count = 5
    terms_version: str = "1"
    terms: Annotated[int, Meta(ge=1, description="days")] = 365
    terms_warning: Days = 30
    erase_rejected: Annotated[int, Meta(ge=1, description="days")] = 90


class RatesSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much may come in how fast."""

    account_messages_per_minute: Rate = 60
    account_messages_per_day: Rate = 5_000
    account_recipients_per_minute: Rate = 1_000
    account_recipients_per_day: Rate = 20_000
    account_refused_recipients_per_hour: Rate = 100
    source_messages_per_minute: Rate = 600
    listed_network_messages_per_minute: Rate = 6_000
    connection_messages_per_minute: Rate = 1_200
    connection_refused_recipients_per_minute: Rate = 300
    messages_per_minute: Rate = 6_000
    remembered: Count = 100_000


class TraceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is remembered of each message for the helpdesk."""

    identities: Literal["pseudonym", "clear"] = "pseudonym"
    kept: Annotated[int, Meta(ge=1, description="days")] = 366


class NoticeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What people are told of what was done to their accounts, and how it reaches their ordinary addresses."""

    language: Literal["en", "cy"] = "en"
    per_day: Annotated[int, Meta(ge=0, description="count, 0 for none at all")] = 20
    shared_every: Seconds = 3_600
    kept: Annotated[int, Meta(ge=1, description="days")] = 90
    host: str = ""
    port: Annotated[int, Meta(ge=1, le=65_535, description="port")] = 25
    tls_name: str = ""
    tls_pins: tuple[str, ...] = ()
    tls_trust: Literal["public", "community"] = "public"
    sender: str = ""
    ordinary_per_day: Annotated[int, Meta(ge=0, description="count, 0 for none at all")] = 5
    retry_first: Seconds = 60
    retry_most: Seconds = 3_600
    give_up: Seconds = 172_800


class SmtpSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The submission doors."""

    host_name: str = "localhost"
    submissions: str = "tcp:465"
    submission: str = "tcp:587"
    command_octets: Octets = 512
    auth_octets: Octets = 12_288
    parameters_octets: Octets = 2_048
    text_line: Octets = 1_000
    announced_recipients: Count = 100
    handshake: Seconds = 10
    command: Seconds = 300
    data_block: Seconds = 180
    data_rate: Annotated[int, Meta(ge=0, description="octets a second")] = 100
    session: Seconds = 3_600
    failed_sign_ins: Count = 3
    bad_commands: Count = 10
    pipelined_octets: Octets = 64 * KIB


class RelaySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mail to and from organisations' own mail systems."""

    host_name: str = "localhost"
    relay: str = ""
    certificate: str = ""
    key: str = ""
    client_certificate: str = ""
    client_key: str = ""
    text_line: Octets = 2_000
    session: Seconds = 3_600
    concurrency_first: Count = 5
    concurrency: Count = 20
    messages_per_connection: Count = 100
    idle_connection: Annotated[int, Meta(ge=0, description="seconds")] = 5
    connect_timeout: Seconds = 30
    reply_timeout: Seconds = 300
    retry_first: Seconds = 300
    retry_most: Seconds = 3_600
    delay_notice: Seconds = 14_400
    give_up: Seconds = 172_800
    active: Count = 2_000
    report_whole: Octets = 64 * KIB


class AuthenticationSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Looking at who vouches for mail that organisations' own mail systems send: SPF, DKIM, DMARC."""

    nameservers: tuple[str, ...] = ()
    lookup: Seconds = 5
    message: Seconds = 20
    lookups: Count = 60
    signatures: Count = 5
    threads: Count = 4
    queue: Count = 64


class Pop3Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The POP3 doors."""

    pop3s: str = "tcp:995"
    pop3: str = ""
    login_delay: Annotated[int, Meta(ge=0, description="seconds, 0 for no delay")] = 0
    retention: Annotated[int, Meta(ge=0, description="days, 0 for ever")] = 0
    language: Literal["en", "cy"] = "en"
    line_octets: Octets = 255
    auth_octets: Octets = 12_288
    handshake: Seconds = 10
    command: Seconds = 600
    session: Seconds = 3_600
    failed_sign_ins: Count = 3
    bad_commands: Count = 10
    pipelined_octets: Octets = 64 * KIB


class LdapSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The LDAP doors."""

    ldaps: str = "tcp:636"
    ldap: str = ""
    anonymous_pdu_octets: Octets = 64 * KIB
    pdu_octets: Octets = 1 * MIB
    depth: Count = 32
    filter_elements: Count = 100
    term_octets: Octets = 4 * KIB
    attributes: Count = 500
    controls: Count = 20
    sort_keys: Count = 5
    outstanding: Count = 4
    entries: Count = 100
    administrator_entries: Count = 1_000
    term_characters: Count = 2
    entries_per_hour: Rate = 10_000
    entries_per_day: Rate = 40_000
    open_searches: Count = 3
    open_search_life: Seconds = 120
    search_time: Seconds = 30
    handshake: Seconds = 10
    idle: Seconds = 600
    session: Seconds = 3_600
    failed_sign_ins: Count = 3


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of cjsm.toml."""

    community: CommunitySettings = field(default_factory=CommunitySettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    connections: ConnectionSettings = field(default_factory=ConnectionSettings)
    access: AccessSettings = field(default_factory=AccessSettings)
    mail: MailSettings = field(default_factory=MailSettings)
    keys: KeySettings = field(default_factory=KeySettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    imports: ImportSettings = field(default_factory=ImportSettings)
    applications: ApplicationSettings = field(default_factory=ApplicationSettings)
    rates: RatesSettings = field(default_factory=RatesSettings)
    trace: TraceSettings = field(default_factory=TraceSettings)
    notices: NoticeSettings = field(default_factory=NoticeSettings)
    smtp: SmtpSettings = field(default_factory=SmtpSettings)
    relay: RelaySettings = field(default_factory=RelaySettings)
    authentication: AuthenticationSettings = field(default_factory=AuthenticationSettings)
    pop3: Pop3Settings = field(default_factory=Pop3Settings)
    ldap: LdapSettings = field(default_factory=LdapSettings)


def load(path: Path) -> Settings:
    """Read *path*.

    :raises ConfigurationError: naming file, key and cure.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} does not exist", "run `cjsm init`, or name the file with --config or CJSM_CONFIG"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}", "check the file's owner and mode") from None


def parse(text: str, name: str = "cjsm.toml") -> Settings:
    """Return the settings of *text*; *name* is how errors call it.

    :raises ConfigurationError: for TOML errors, unknown keys and values out of bounds.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name} is not valid TOML: {error}", "correct that line") from None
    _refuse_unknown(tables, Settings, "", name)
    try:
        settings = msgspec.convert(tables, Settings)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{name}: {error}", "see etc/cjsm.toml, or a file that `cjsm init` makes") from None
    _check_networks(settings.connections, name)
    _check_policy(settings.access, name)
    _check_inactivity(settings.access, name)
    _check_notices(settings.notices, settings.community.suffix, name)
    return settings


def _check_networks(connections: ConnectionSettings, name: str) -> None:
    for setting in ("listed_networks", "proxy_networks"):
        try:
            SharedNetworks(getattr(connections, setting))
        except ValueError as error:
            cure = 'write networks like "192.0.2.0/24", one address like "192.0.2.7/32"'
            raise ConfigurationError(f"{name}: connections.{setting}: {error}", cure) from None


def _check_policy(access: AccessSettings, name: str) -> None:
    try:
        policies.load(access.policy)
    except policies.BadPolicy as error:
        raise ConfigurationError(f"{name}: access.policy: {error}", error.cure) from None


def _check_inactivity(access: AccessSettings, name: str) -> None:
    """Nobody is suspended on the day of the warning, which says that there is time."""
    warned, suspended = access.inactive_warned, access.inactive_suspended
    if warned and 0 < suspended <= warned:
        problem = f"{name}: access.inactive_suspended = {suspended} leaves no time after the warning at {warned} days"
        raise ConfigurationError(problem, "give more days than access.inactive_warned has, or 0: nobody is suspended")


#: The address that letters to ordinary addresses come from, and the pin of a key.
_SENDER = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
_PIN = re.compile(r"[0-9a-f]{64}")


def _check_notices(notices: NoticeSettings, suffix: str, name: str) -> None:
    if not notices.host:
        return
    domain = notices.sender.rpartition("@")[2].lower()
    if not _SENDER.fullmatch(notices.sender) or domain == suffix or domain.endswith(f".{suffix}"):
        cure = (
            "give an address that ordinary mail systems know, such as noreply@example.org; or leave notices.host away"
        )
        raise ConfigurationError(f"{name}: notices.sender: {notices.sender!r} is no ordinary address", cure)
    for pin in notices.tls_pins:
        if not _PIN.fullmatch(pin):
            cure = "a pin is the SHA-256 of the key (SubjectPublicKeyInfo): 64 lower-case hexadecimal digits"
            raise ConfigurationError(f"{name}: notices.tls_pins: {pin!r} is no pin", cure)


def _refuse_unknown(table: Mapping[str, Any], kind: type[Struct], prefix: str, name: str) -> None:
    fields = {item.name: item for item in msgspec.structs.fields(kind)}
    for key, value in table.items():
        if key not in fields:
            raise ConfigurationError(f"{name}: unknown setting {prefix}{key}", _nearest(prefix, key, fields))
        inner = fields[key].type
        if isinstance(inner, type) and issubclass(inner, Struct) and isinstance(value, Mapping):
            _refuse_unknown(value, inner, f"{prefix}{key}.", name)


def _nearest(prefix: str, key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key, list(known), n=1, cutoff=0.0)
    return f"did you mean {prefix}{close[0]}?" if close else "remove it"
