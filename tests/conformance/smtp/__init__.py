"""SMTP on the wire: commands, order, pipelining, sizes, TLS, framing and extensions of any server."""
