"""How much of a message is looked at."""

from msgspec import Struct


class DecodingLimits(Struct, frozen=True, kw_only=True):
    """What a message may be made of.

    :ivar depth: filters inside filters.
    :ivar filter_elements: items, connectives and substring pieces of a filter.
    :ivar term_octets: one item of a filter, and a distinguished name.
    :ivar attributes: names in a search's attribute list.
    :ivar controls: controls of a message.
    :ivar sort_keys: keys of one server-side sort.
    """

    depth: int = 32
    filter_elements: int = 100
    term_octets: int = 4_096
    attributes: int = 500
    controls: int = 20
    sort_keys: int = 5
