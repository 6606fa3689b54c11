"""What every door shares: framing, dot-stuffing, SASL exchanges, TLS contexts, connection limits, time limits."""
