"""What a notice of a break-glass act may say of it: how its name in the ledger begins, and nothing more."""

_AREAS = """
alias application certificate community connection device directory domain factor factors job keys ledger list mailbox
message notice organisation password queue quota recovery role secret secrets service shared terms user
"""
#: The areas that acts in the ledger are named by; the rest is :data:`OTHER`.
ACTS = frozenset(_AREAS.split())
OTHER = "other"


def area(act: str) -> str:
    """Return the area of an act of the ledger."""
    begins = act.partition("-")[0]
    return begins if begins in ACTS else OTHER
