"""Which seeds there are: ``CJSM_SIMULATION_SEEDS`` is a number of them, or ``from-to``."""

import os


def seeds() -> range:
    """Return the seeds that the environment asks for."""
    first, dash, last = os.environ.get("CJSM_SIMULATION_SEEDS", "300").partition("-")
    return range(int(first), int(last) + 1) if dash else range(int(first))
