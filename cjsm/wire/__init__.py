"""What every door shares: framing, the one dot-stuffing, SASL exchanges, TLS contexts, connection limits, time limits."""
