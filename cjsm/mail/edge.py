"""What happens to messages where they cross the edge of the community: addresses are rewritten, both ways."""

from collections.abc import Sequence

from msgspec import Struct

from cjsm.community.records import Connection
from cjsm.community.view import View
from cjsm.mail.header import Header
from cjsm.mail.rewriting import SuffixRules, address_leaving, leaving, suffix_rules
from cjsm.store.interfaces import ICommunityStore


class Leaving(Struct, frozen=True):
    """A message as the other side is to see it."""

    header: Header
    reverse_path: str
    addresses: tuple[str, ...]


class Edge:
    """Both ways over the edge."""

    def __init__(self, community: ICommunityStore) -> None:
        self._community = community

    def leaving(self, connection: Connection, header: Header, reverse_path: str, addresses: Sequence[str]) -> Leaving:
        """Return a message with what *connection*'s own people are to see."""

        def look(view: View) -> Leaving:
            rules = rules_of(view, connection)
            return Leaving(
                leaving(header, rules),
                address_leaving(reverse_path, rules),
                tuple(address_leaving(address, rules) for address in addresses),
            )

        return self._community.read_now(look)


def rules_of(view: View, connection: Connection) -> SuffixRules:
    """Return the suffix rules of *connection*, for as long as *view* holds."""
    return suffix_rules(view.suffix, view.domains_of(connection.id), lambda name: view.domain(name) is not None)
