"""What the door announces about itself and its policy: CAPA (RFC 2449)."""

from collections.abc import Iterator

from msgspec import Struct

from cjsm.pop3.texts import ENGLISH


class Policy(Struct, frozen=True):
    """What clients are told and held to.

    :ivar login_delay: seconds from one login to the next (RFC 2449 §6.5); 0 for none.
    :ivar retention: days for which messages left here are kept at least (RFC 2449 §6.7); 0 for ever.
    :ivar language: the language of ``LANG *`` (RFC 6856 §3).
    """

    login_delay: int = 0
    retention: int = 0
    language: str = ENGLISH


def capabilities(policy: Policy, *, secure: bool, stls: bool) -> Iterator[str]:
    """Yield what CAPA lists: the same before and after signing in (RFC 2449 §5), other things before TLS.

    :param secure: inside TLS: before it nothing is offered that is taken inside only.
    :param stls: TLS may begin by STLS.
    """
    yield from ("TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING")
    if secure:
        yield from ("USER", "SASL PLAIN", "UTF8 USER", "LANG")
    elif stls:
        yield "STLS"
    if policy.login_delay:
        yield f"LOGIN-DELAY {policy.login_delay}"
    yield f"EXPIRE {policy.retention or 'NEVER'}"
    yield "IMPLEMENTATION CJSM"
