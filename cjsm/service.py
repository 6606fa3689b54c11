"""Adds the doors to a suite for twistd, and keeps them: start, reload, status, stop."""

import gc
import os
import pwd
import resource
import signal
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from twisted.application.service import Service
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure

from cjsm import configuration
from cjsm.configuration import ConfigurationError, Settings, SmtpSettings
from cjsm.directory import names
from cjsm.instance import AlreadyRunning, DoorStatus, Instance, InstanceStatus
from cjsm.ldap.server import LdapFactory
from cjsm.pop3.server import Pop3Factory
from cjsm.regular import RegularTasks
from cjsm.runningsuite import RunningSuite
from cjsm.smtp.carrier import NoticeCarrier
from cjsm.smtp.client import RelayConnector
from cjsm.smtp.relay import RelayFactory
from cjsm.smtp.server import SmtpFactory
from cjsm.smtp.submission import SubmissionFactory
from cjsm.sources import SharedNetworks
from cjsm.store.interfaces import StoreError
from cjsm.suite import instance
from cjsm.vault import certificates
from cjsm.vault.errors import MissingSecret
from cjsm.wire.connections import ConnectionLimits
from cjsm.wire.errors import TlsError
from cjsm.wire.factory import DoorFactory
from cjsm.wire.peers import ClientTls, ask_for_certificate
from cjsm.wire.proxied import LoadBalancers, ProxiedFactory
from cjsm.wire.tls import ServerTls, over_tls

#: What the doors that are inside TLS from the first octet speak; a client that offers other protocols and not this one
#: is no mail program, such as a web browser that was tricked into coming here (RFC 7301).
_SPEAKS = {"submissions": "smtp", "pop3s": "pop3", "ldaps": "ldap"}
_PROTOCOLS = tuple(_SPEAKS.values())
_STATUS_EVERY = 5.0
_FLUSH_EVERY = 1.0
#: Seconds between looks for mail that doors in other processes took.
_ARRIVALS_EVERY = 0.05
#: Seconds between looks for what people are to be told, and for letters to ordinary addresses that are due.
_NOTICES_EVERY = 0.5
_ORDINARY_EVERY = 1.0
_READERS_EVERY = 60.0
#: Descriptors that a service needs beside connections and mailboxes.
_OWN_DESCRIPTORS = 64


class Options(usage.Options):
    """Options of ``twistd cjsm`` and its siblings."""

    optParameters = [  # noqa: RUF012 - Twisted's form
        ("config", "c", None, "The settings file; else $CJSM_CONFIG, else /etc/cjsm/cjsm.toml."),
    ]
    longdesc = "Runs the secure mail community. Example: twistd --nodaemon cjsm --config /etc/cjsm/cjsm.toml"


def settings_file(given: str | None) -> Path:
    """Return the settings file: *given*, else ``CJSM_CONFIG``, else ``/etc/cjsm/cjsm.toml``."""
    return Path(given or os.environ.get("CJSM_CONFIG") or "/etc/cjsm/cjsm.toml")


def make_service(options: Options, parts: Collection[str]) -> "CjsmService":
    """Return the service for twistd. Nothing is opened before it starts.

    Settings that cannot be used end the process.
    """
    path = settings_file(options["config"])
    try:
        settings = configuration.load(path)
    except ConfigurationError as error:
        _end_process(str(error), error.cure)
    return CjsmService(path, settings, parts)


def _end_process(problem: str, cure: str) -> NoReturn:
    if sys.__stderr__ is not None:
        # Not sys.stderr, which twistd may have turned into its log.
        sys.__stderr__.write(f"cjsm: cannot start: {problem}\ncure: {cure}\n")
        sys.__stderr__.flush()
    raise SystemExit(1)


class CjsmService(Service):
    """The running service: a suite, its doors, and what happens every few seconds."""

    _log = Logger()

    def __init__(self, path: Path, settings: Settings, parts: Collection[str], reactor: Any = None) -> None:
        self.setName("cjsm")
        self._path = path
        self._settings = settings
        self._parts = parts
        self._reactor: Any = reactor or global_reactor
        self._instance: Instance | None = None
        self._started = int(time.time())
        self._suite: RunningSuite
        self._limits: ConnectionLimits
        self._balancers: LoadBalancers
        self._tls: dict[str, ServerTls] = {}
        self._factories: list[DoorFactory] = []
        self._ports: list[tuple[str, IListeningPort]] = []
        self._tasks = RegularTasks(self._reactor)

    def startService(self) -> None:
        """Open everything and listen; where that cannot be, say why and end the process."""
        super().startService()
        try:
            self._open()
        except (ConfigurationError, TlsError, MissingSecret, StoreError) as error:
            self._give_up(str(error), error.cure)
        except AlreadyRunning as error:
            self._give_up(str(error), "stop it first, or name another settings file")
        except OSError as error:
            self._give_up(f"{error.filename or 'a file'}: {error.strerror}", "see `cjsm check`")

    def _give_up(self, problem: str, cure: str) -> None:
        self._log.critical("cannot start: {problem}; {cure}", problem=problem, cure=cure)
        if self._instance is not None:
            self._instance.give_back()
        _end_process(problem, cure)

    def _open(self) -> None:
        settings = self._settings
        # What crashed held opened mail.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _check_owner(Path(settings.store.data_directory))
        if "delivery" in self._parts:
            # Only the process that delivers is the service that `cjsm reload` and `cjsm status` speak of.
            self._instance = instance(settings)
            self._instance.take()
        self._limits = _connection_limits(settings)
        self._balancers = LoadBalancers(
            SharedNetworks(settings.connections.proxy_networks),
            settings.connections.proxy_header,
            limits=self._limits,
            clock=self._reactor,
        )
        tls = settings.tls
        for protocol in _PROTOCOLS:
            self._tls[protocol] = ServerTls(Path(tls.certificate), Path(tls.key), protocol=protocol.encode())
        self._tls["relay"] = _relay_tls(settings)
        self._warn_of_dates()
        self._client_tls = client_tls(settings)
        self._connector = RelayConnector(settings.relay, self._client_tls, settings.tls.authority, self._reactor)
        # Who takes notices for ordinary addresses is shown no certificate of ours.
        self._carrying = RelayConnector(settings.relay, ClientTls(), settings.tls.authority, self._reactor)
        self._suite = RunningSuite(settings, self._reactor, self._connector, NoticeCarrier(self._carrying))
        self._suite.start()
        # Before anybody can see that there is a service: unhandled, the signal would end it.
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self.reload))
        try:
            self._begin()
        except BaseException:
            # Threads that wait for work would keep the process from ending.
            self._suite.stop_threads()
            raise
        if self._instance is not None:
            self._tasks.every(_STATUS_EVERY, self._write_status, now=True)
        # What is there now stays: looking through all of it for garbage would hold everybody up for 50 ms.
        gc.collect()
        gc.freeze()
        self._log.info("started: {doors}", doors=", ".join(f"{name} on {_place(port)}" for name, port in self._ports))

    def _begin(self) -> None:
        if "delivery" in self._parts:
            self._suite.stores.spool.own()
            self._suite.checkpointing.check()
            self._suite.delivery.start()
            self._suite.relay.start()
            self._tasks.every(_ARRIVALS_EVERY, self._suite.stores.spool.look)
            self._suite.schedule.start(alone=True)
            self._tasks.every(_NOTICES_EVERY, self._suite.telling.run)
            self._tasks.every(_ORDINARY_EVERY, self._suite.telling.run_ordinary)
            ledger = self._settings.ledger
            self._tasks.every(ledger.anchor_every, lambda: self._suite.stores.anchoring.run())
            self._tasks.every(ledger.checkpoint_every, lambda: self._suite.checkpointing.run(), now=True)
        if "ldap" in self._parts:
            self._suite.directory.start()
        self._listen()
        self._tasks.every(_FLUSH_EVERY, lambda: self._suite.stores.activity.flush())
        self._tasks.every(_FLUSH_EVERY, lambda: self._suite.stores.trace.flush())
        self._tasks.every(_READERS_EVERY, lambda: self._suite.stores.check_readers())

    def _warn_of_dates(self) -> None:
        try:
            certificates.check_dates(Path(self._settings.tls.certificate), time.time())
        except MissingSecret as error:
            self._log.critical("{problem}; {cure}", problem=str(error), cure=error.cure)

    # Doors

    def _listen(self) -> None:
        settings, suite = self._settings, self._suite
        common: dict[str, Any] = {
            "portal": suite.portal,
            "limits": self._limits,
            "clock": self._reactor,
            "revalidate": settings.access.revalidate,
        }
        if "smtp" in self._parts:
            mail: dict[str, Any] = {"acceptance": suite.acceptance, "max_octets": settings.mail.message_octets}
            submissions = SubmissionFactory(settings.smtp, **mail, **common)
            self._door("submissions", settings.smtp.submissions, submissions, implicit=True)
            submission = SubmissionFactory(settings.smtp, **mail, **common, starttls=self._tls["smtp"])
            self._door("submission", settings.smtp.submission, submission, implicit=False)
            relay = RelayFactory(
                _relay_door(settings),
                **mail,
                **common,
                proof=suite.proof,
                authority=settings.tls.authority,
                per_connection=settings.connections.per_connection,
                starttls=self._tls["relay"],
            )
            self._door("relay", settings.relay.relay, relay, implicit=False)
        if "pop3" in self._parts:
            self._door("pop3s", settings.pop3.pop3s, Pop3Factory(settings.pop3, **common), implicit=True)
            clear = Pop3Factory(settings.pop3, **common, stls=self._tls["pop3"])
            self._door("pop3", settings.pop3.pop3, clear, implicit=False)
        if "ldap" in self._parts:
            base = names.of_suffix(settings.community.suffix)
            reached: dict[str, Any] = {"base": base, "directory": suite.directory, **common}
            directory = LdapFactory(settings.ldap, **reached)
            self._door("ldaps", settings.ldap.ldaps, directory, implicit=True)
            begun = LdapFactory(settings.ldap, **reached, starttls=self._tls["ldap"], beside=directory)
            self._door("ldap", settings.ldap.ldap, begun, implicit=False)

    def _door(self, name: str, where: str, factory: DoorFactory, *, implicit: bool) -> None:
        if not where:
            return
        self._factories.append(factory)
        listening: IProtocolFactory = factory
        if implicit:
            listening = over_tls(factory, self._tls[_SPEAKS[name]], self._reactor)
        try:
            endpoint = serverFromString(self._reactor, where)
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigurationError(
                f"{name} has no endpoint {where!r}: {error}", 'write it like "tcp:465" or "tcp:465:interface=192.0.2.1"'
            ) from error
        behind = ProxiedFactory(listening, self._balancers)
        self._ports.append((name, _now(endpoint.listen(behind), name, where)))

    # While it runs

    def reload(self) -> None:
        """Read certificates and settings again. What cannot be used is reported, and what was goes on."""
        try:
            settings = configuration.load(self._path)
            fresh = _connection_limits(settings)
            for tls in self._tls.values():
                tls.reload()
            self._client_tls.reload()
        except (ConfigurationError, TlsError) as error:
            self._log.critical("not reloaded: {problem}; {cure}", problem=str(error), cure=error.cure)
            return
        self._warn_of_dates()
        self._settings = settings
        for factory in self._factories:
            _renew(factory, settings)
        for limit in ("per_source", "per_account", "in_all", "shared", "per_shared"):
            setattr(self._limits, limit, getattr(fresh, limit))
        self._connector.settings = self._carrying.settings = settings.relay
        self._balancers.networks = SharedNetworks(settings.connections.proxy_networks)
        self._balancers.seconds = settings.connections.proxy_header
        self._suite.renew(settings)
        self._log.info("certificates and settings reloaded")

    def _write_status(self) -> None:
        if self._instance is None:
            return
        doors = tuple(DoorStatus(name=name, listening=_place(port)) for name, port in self._ports)
        self._instance.write_status(
            InstanceStatus(
                pid=os.getpid(),
                started=self._started,
                written=int(time.time()),
                connected=self._limits.connected,
                signed_in=self._limits.signed_in,
                doors=doors,
            )
        )

    def stopService(self) -> "Deferred[None]":
        """Fire when nothing is listened to and everything is written."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _anchor(self) -> None:
        """What was done until now is in the ledger when the service has stopped."""
        try:
            await self._suite.stores.activity.flush()
            await self._suite.stores.anchoring.run()
            await self._suite.checkpointing.run()
        except StoreError as error:
            self._log.error("the heads of mailboxes are not in the ledger, or not signed: {error}", error=error)

    async def _stop(self) -> None:
        self._tasks.stop()
        await gatherResults([_stopped(port) for _, port in self._ports])
        if "ldap" in self._parts:
            self._suite.directory.stop()
        if "delivery" in self._parts:
            await self._suite.telling.stop()
            await self._suite.schedule.stop()
            await self._suite.delivery.stop()
            await self._suite.relay.stop()
            await self._anchor()
        await self._suite.stop()
        if self._instance is not None:
            self._instance.give_back()


def _check_owner(directory: Path) -> None:
    """Refuse to be somebody else than the owner of the data: what was made here could not be written by him later."""
    if not directory.exists():
        return
    owner = directory.stat().st_uid
    if os.geteuid() != owner:
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = str(owner)
        raise ConfigurationError(
            f"{directory} belongs to {name}, and this process is somebody else",
            f"run it as that user, as the unit in etc/systemd does, or with `runuser -u {name} -- twistd …`",
        )


def _connection_limits(settings: Settings) -> ConnectionLimits:
    """Return the places for connections, after raising this process's limit on descriptors as far as it goes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # Three for each open mailbox, one for each connection.
    spare = hard - _OWN_DESCRIPTORS - 3 * settings.store.open_mailboxes
    connections = settings.connections
    if spare < 1:
        raise ConfigurationError(
            f"{hard} file descriptors are not enough for store.open_mailboxes = {settings.store.open_mailboxes}",
            "raise the limit (LimitNOFILE= in the unit) or lower the setting",
        )
    return ConnectionLimits(
        per_source=connections.anonymous_per_source,
        per_account=connections.per_account,
        in_all=max(1, spare * connections.descriptors_percent // 100),
        shared=SharedNetworks(connections.listed_networks),
        per_shared=connections.anonymous_per_listed_network,
    )


def _renew(factory: DoorFactory, settings: Settings) -> None:
    """Give a door the settings for connections that come from now on."""
    factory.revalidate = settings.access.revalidate
    match factory:
        case RelayFactory():
            factory.settings, factory.max_octets = _relay_door(settings), settings.mail.message_octets
            factory.per_connection = settings.connections.per_connection
        case SmtpFactory():
            factory.settings, factory.max_octets = settings.smtp, settings.mail.message_octets
        case Pop3Factory():
            factory.settings = settings.pop3
        case LdapFactory():
            factory.settings = settings.ldap


def _relay_door(settings: Settings) -> SmtpSettings:
    """Return what the door for servers goes by: as the doors for people, but for its own figures."""
    relay = settings.relay
    return msgspec.structs.replace(
        settings.smtp, host_name=relay.host_name, text_line=relay.text_line, session=relay.session
    )


def _relay_tls(settings: Settings) -> ServerTls:
    """Return the TLS of the door for servers. Tickets would let one in without its certificate."""
    tls, relay = settings.tls, settings.relay
    return ServerTls(
        Path(relay.certificate or tls.certificate),
        Path(relay.key or tls.key),
        tickets=False,
        asked_of_clients=lambda context: ask_for_certificate(context, tls.authority),
    )


def client_tls(settings: Settings) -> ClientTls:
    """Return the TLS that is begun with organisations' servers, with our own certificate."""
    tls, relay = settings.tls, settings.relay
    return ClientTls(
        relay.client_certificate or relay.certificate or tls.certificate, relay.client_key or relay.key or tls.key
    )


def _now(listening: "Deferred[IListeningPort]", name: str, where: str) -> IListeningPort:
    """Return the port that endpoints listen on at once.

    :raises ConfigurationError: when the address is taken or may not be used.
    """
    results: list[Any] = []
    listening.addBoth(results.append)
    found = results[0]
    if isinstance(found, Failure):
        raise ConfigurationError(
            f"{name} cannot listen on {where}: {found.getErrorMessage()}",
            "stop what listens there, choose another port, or let the service use low ports "
            "(AmbientCapabilities=CAP_NET_BIND_SERVICE)",
        )
    listened: IListeningPort = found
    return listened


async def _end(port: IListeningPort) -> None:
    stopped = port.stopListening()
    if stopped is not None:
        await stopped


def _stopped(port: IListeningPort) -> "Deferred[None]":
    return Deferred.fromCoroutine(_end(port))


def _place(port: IListeningPort) -> str:
    host: Any = port.getHost()
    return f"{host.host}:{host.port}" if hasattr(host, "port") else str(host)
