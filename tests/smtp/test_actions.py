"""What a session asks for can be compared and shows no secrets."""

from cjsm.smtp.actions import Begin, Close, SignIn
from cjsm.wire.sasl import SaslResult


def test_actions_are_values() -> None:
    """Two alike are one."""
    assert Begin("a@b", 5) == Begin("a@b", 5) != Begin("a@b", None)
    assert Close("quit") != Close("lost")


def test_a_claim_shows_no_secret() -> None:
    """Neither in logs nor in tracebacks."""
    assert "hunter2" not in repr(SignIn(SaslResult("alex", b"hunter2")))
