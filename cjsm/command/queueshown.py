"""What ``cjsm queue`` says of messages that wait: for engineers, so never what is in them."""

import time
from collections.abc import Sequence
from typing import Any

from cjsm.command.output import when
from cjsm.community import finding
from cjsm.community.identifiers import ConnectionId
from cjsm.community.records import Connection
from cjsm.community.view import View
from cjsm.mail.envelope import OutgoingEnvelope
from cjsm.mail.outgoing import open_outgoing
from cjsm.mail.traced import speakable
from cjsm.store.interfaces import Damaged, Queued, QueueSummary
from cjsm.suite import Suite
from cjsm.vault.errors import MissingSecret, VaultError
from cjsm.vault.traces import TraceSealer


class Shown:
    """Tells of messages of one suite, with identities as its settings say."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._clear = suite.settings.trace.identities == "clear"
        self._sealer = TraceSealer(suite.secrets.cache)

    def row(self, queued: Queued) -> dict[str, Any]:
        """Return what the list says of a message."""
        envelope, _ = self.opened(queued)
        return self._row(queued, envelope)

    def whole(self, queued: Queued) -> dict[str, Any]:
        """Return all that may be shown of a message."""
        envelope, problem = self.opened(queued)
        outgoing, state = queued.outgoing, queued.state
        connection = self._connection(outgoing.connection)
        told = self._row(queued, envelope) | {
            "connection_state": connection.state if connection is not None else "gone",
            "next_hops": [f"{hop.host}:{hop.port}" for hop in connection.next_hops] if connection is not None else [],
            "last_try": when(state.tried),
            "gives_up": when(outgoing.accepted + self._figure(connection, "give_up")),
            "sender_was_told": state.told,
            "removed": state.removed,
        }
        if envelope is None:
            return told | {"sealed": problem}
        told["sender"] = self._who(envelope.reverse_path) or "<>"
        told["require_tls"] = envelope.demands.require_tls
        told["recipients"] = [
            {
                "recipient": self._who(each.address),
                "state": "done" if index in state.settled else "waiting",
                "notify": sorted(each.wish.notify) if each.wish.notify is not None else [],
            }
            for index, each in enumerate(envelope.recipients)
        ]
        return told

    def opened(self, queued: Queued) -> tuple[OutgoingEnvelope | None, str]:
        """Return the envelope of a message, or None and why it stays sealed."""
        try:
            return open_outgoing(self._suite.secrets.queue, queued.outgoing), ""
        except MissingSecret as error:
            return None, f"sender and recipients stay sealed: {error}; {error.cure}"
        except (VaultError, Damaged) as error:
            return None, f"the envelope cannot be opened: {error}"

    def _row(self, queued: Queued, envelope: OutgoingEnvelope | None) -> dict[str, Any]:
        outgoing, state = queued.outgoing, queued.state
        return {
            "number": queued.sequence,
            "queue_id": envelope.queue_id if envelope is not None else "",
            "connection": self.name(outgoing.connection),
            "since": when(outgoing.accepted),
            "attempts": state.attempts,
            "next_try": None if state.held else when(max(state.due, outgoing.accepted)),
            "recipients_left": outgoing.recipients - len(state.settled),
            "recipients_all": outgoing.recipients,
            "octets": envelope.octets if envelope is not None else outgoing.sealed_octets,
            "state": self._state(queued),
            "reason": speakable(state.reason, clear=self._clear),
        }

    def _state(self, queued: Queued) -> str:
        """Return how it is with a message, in a word."""
        state, outgoing = queued.state, queued.outgoing
        if state.removed:
            return "returning"
        if state.held:
            return "held"
        notice = self._figure(self._connection(outgoing.connection), "delay_notice")
        return "late" if state.told or time.time() - outgoing.accepted >= notice else "waiting"

    def name(self, connection: ConnectionId) -> str:
        """Return the short name of a connection."""
        found = self._connection(connection)
        return finding.name_of(found) if found is not None else connection.hex()

    def summary(self, summary: QueueSummary) -> dict[str, Any]:
        """Return what waits for one connection."""
        return {
            "connection": self.name(summary.connection),
            "messages": summary.messages,
            "held": summary.held,
            "tried": summary.tried,
            "damaged": summary.damaged,
            "oldest": when(summary.oldest),
            "reason": speakable(summary.reason, clear=self._clear),
        }

    def outgoing(self, summaries: Sequence[QueueSummary]) -> dict[str, Any]:
        """Return what ``cjsm status`` says of everything that waits to go out."""
        oldest = min((each.oldest for each in summaries if each.oldest), default=0)
        return {
            "messages": sum(each.messages for each in summaries),
            "oldest_seconds": int(time.time()) - oldest if oldest else 0,
            "held": sum(each.held for each in summaries),
            "damaged": sum(each.damaged for each in summaries),
            "failing": [
                f"{self.name(each.connection)}: {speakable(each.reason, clear=self._clear)}"
                for each in summaries
                if each.tried
            ],
        }

    def _connection(self, connection: ConnectionId) -> Connection | None:
        def look(view: View) -> Connection | None:
            return view.connection(connection)

        return self._suite.stores.community.read_now(look)

    def _figure(self, connection: Connection | None, name: str) -> int:
        own: int | None = getattr(connection.limits, name) if connection is not None else None
        return own if own is not None else int(getattr(self._suite.settings.relay, name))

    def _who(self, address: str) -> str:
        return address if self._clear or not address else self._sealer.name(address)
