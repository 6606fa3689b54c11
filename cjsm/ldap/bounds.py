"""The door's settings as the limits that its parts go by."""

from cjsm.configuration import LdapSettings
from cjsm.directory.query import Limits
from cjsm.ldap.grammar.limits import DecodingLimits
from cjsm.ldap.lookups import LookupLimits
from cjsm.ldap.rations import Ration


def of_requests(settings: LdapSettings) -> DecodingLimits:
    """Return what a request may be made of."""
    return DecodingLimits(
        depth=settings.depth,
        filter_elements=settings.filter_elements,
        term_octets=settings.term_octets,
        attributes=settings.attributes,
        controls=settings.controls,
        sort_keys=settings.sort_keys,
    )


def of_lookups(settings: LdapSettings) -> LookupLimits:
    """Return what a search may take."""
    query = Limits(
        entries=settings.entries,
        administrator_entries=settings.administrator_entries,
        term_characters=settings.term_characters,
    )
    return LookupLimits(
        query=query,
        ration=Ration(settings.entries_per_hour, settings.entries_per_day),
        seconds=settings.search_time,
        open_searches=settings.open_searches,
        open_seconds=settings.open_search_life,
    )
