"""What became of each message for each recipient: told by acceptance, delivery and relay, for the helpdesk.

An event never holds subject or content. Who sent and who receives is kept as a pseudonym or in clear, as the settings
say; all of it is sealed, and the Message-ID is kept as a keyed tag only.
"""

from collections.abc import Callable, Sequence

from twisted.logger import Logger

from cjsm.community.identifiers import DeliveryId
from cjsm.community.verdicts import AccountOrigin, ConnectionOrigin, EchoRoute, ListRoute, Origin, RelayRoute, Route
from cjsm.configuration import TraceSettings
from cjsm.mail.interfaces import Hop
from cjsm.mail.traced import Answer, Event, Result, Side, Target, kept, plain_message_id, seal_event
from cjsm.store.interfaces import ITrace
from cjsm.vault.secrets import ServiceSecrets
from cjsm.vault.traces import TraceSealer


class Tracer:
    """Makes the events. Nothing here waits, and nothing here fails a message.

    :ivar settings: may be replaced.
    :param clock: seconds since the epoch.
    """

    _log = Logger()

    def __init__(
        self, trace: ITrace, secrets: ServiceSecrets, settings: TraceSettings, *, clock: Callable[[], float]
    ) -> None:
        self.settings = settings
        self._trace = trace
        self._sealer = TraceSealer(secrets.cache)
        self._clock = clock

    def accepted(
        self,
        queue_id: str,
        *,
        message_id: str,
        origin: Origin,
        sender: str,
        octets: int,
        hop: Hop,
        targets: Sequence[Target],
        host: str = "",
    ) -> None:
        """A message was taken: one event for each of *targets*.

        :param sender: the reverse-path, canonical; empty for the null sender.
        :param octets: as the message was transmitted.
        :param host: the connection's host that handed it over; leave it out for accounts.
        """
        self._add(
            queue_id,
            [
                self._event(
                    Result.ACCEPTED,
                    sender=sender,
                    recipient=target.address,
                    delivery=target.delivery,
                    octets=octets,
                    origin=_origin(origin),
                    route=_route(target.route),
                    of_list=target.of_list,
                    side=Side(host=host, tls_version=hop.tls_version, tls_group=hop.tls_group),
                )
                for target in targets
            ],
            message_id,
        )

    def refused(
        self,
        queue_id: str,
        *,
        answer: Answer,
        origin: Origin,
        sender: str,
        hop: Hop,
        recipient: str = "",
        message_id: str = "",
        host: str = "",
    ) -> None:
        """One *recipient* was refused, or, without one, the message."""
        event = self._event(
            Result.REFUSED,
            sender=sender,
            recipient=recipient,
            origin=_origin(origin),
            side=Side(host=host, tls_version=hop.tls_version, tls_group=hop.tls_group),
            answer=answer,
        )
        self._add(queue_id, [event], message_id)

    def delivered(self, queue_id: str, *deliveries: DeliveryId) -> None:
        """Copies are in their mailboxes."""
        self._add(queue_id, [self._event(Result.DELIVERED, delivery=each) for each in deliveries])

    def relayed(
        self, queue_id: str, *, recipient: str, side: Side, answer: Answer, delivery: DeliveryId | None = None
    ) -> None:
        """The next system took the message for *recipient* and answers for it."""
        self._later(Result.RELAYED, queue_id, recipient, delivery, side, answer)

    def deferred(
        self,
        queue_id: str,
        *,
        recipient: str = "",
        delivery: DeliveryId | None = None,
        side: Side | None = None,
        answer: Answer,
    ) -> None:
        """It could not be delivered or relayed now and will be tried again."""
        self._later(Result.DEFERRED, queue_id, recipient, delivery, side, answer)

    def failed(
        self,
        queue_id: str,
        *,
        recipient: str = "",
        delivery: DeliveryId | None = None,
        side: Side | None = None,
        answer: Answer,
    ) -> None:
        """It will never be delivered to *recipient*."""
        self._later(Result.FAILED, queue_id, recipient, delivery, side, answer)

    def expired(self, queue_id: str, *, recipient: str, answer: Answer, delivery: DeliveryId | None = None) -> None:
        """It was tried for as long as the settings say, and is given up."""
        self._later(Result.EXPIRED, queue_id, recipient, delivery, None, answer)

    def returned(self, queue_id: str, *, recipient: str, report: str, delivery: DeliveryId | None = None) -> None:
        """The sender was told about *recipient* with the message whose queue id is *report*."""
        self._later(Result.RETURNED, queue_id, recipient, delivery, None, Answer(words=f"report {report}"))

    def answered(self, word: str, *, origin: Origin, hop: Hop, found: str = "") -> None:
        """An answer came to the test of a connection called *word*.

        :param found: what SPF, DKIM and DMARC say of it, in one line.
        """
        side = Side(host=hop.client, tls_version=hop.tls_version, tls_group=hop.tls_group)
        answer = Answer(words=found)
        self._add(word, [self._event(Result.ANSWERED, origin=_origin(origin), side=side, answer=answer)])

    def _later(
        self,
        result: Result,
        queue_id: str,
        recipient: str,
        delivery: DeliveryId | None,
        side: Side | None,
        answer: Answer,
    ) -> None:
        event = self._event(result, recipient=recipient, delivery=delivery, side=side or Side(), answer=answer)
        self._add(queue_id, [event])

    def _event(
        self,
        result: Result,
        *,
        sender: str = "",
        recipient: str = "",
        delivery: DeliveryId | None = None,
        octets: int = 0,
        origin: str = "",
        route: str = "",
        of_list: bool = False,
        side: Side | None = None,
        answer: Answer | None = None,
    ) -> Event:
        side, answer = side or Side(), answer or Answer()
        return Event(
            result=result,
            moment=self._clock(),
            sender=self._who(sender),
            recipient=self._who(recipient),
            clear=self._clear,
            delivery=delivery or b"",
            octets=octets,
            origin=origin,
            route=route,
            of_list=of_list,
            host=side.host,
            tls_version=side.tls_version,
            tls_group=side.tls_group,
            code=answer.code,
            status=answer.status,
            words=self._said(answer.words),
        )

    @property
    def _clear(self) -> bool:
        return self.settings.identities == "clear"

    def _who(self, address: str) -> str:
        return address if self._clear or not address else self._sealer.name(address)

    def _said(self, words: str) -> str:
        """Return the first of *words*, printable, without addresses unless those are kept in clear."""
        return kept(words, clear=self._clear)

    def _add(self, queue_id: str, events: Sequence[Event], message_id: str = "") -> None:
        try:
            tag = self._sealer.message(plain_message_id(message_id)) if message_id else b""
            self._trace.add([seal_event(self._sealer, bytes.fromhex(queue_id), event, tag) for event in events])
        except Exception:  # noqa: BLE001 - a message is worth more than its trace
            self._log.failure("a message could not be traced")


def _origin(origin: Origin) -> str:
    match origin:
        case AccountOrigin():
            return "account"
        case ConnectionOrigin(connection):
            return f"connection {connection.hex()}"
        case _:
            return f"service {origin.service}"


def _route(route: Route) -> str:
    match route:
        case RelayRoute(connection):
            return f"relay {connection.hex()}"
        case ListRoute():
            return "list"
        case EchoRoute():
            return "echo"
        case _:
            return "hosted"
