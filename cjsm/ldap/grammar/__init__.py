"""Bytes to typed requests and answers to bytes (RFC 4511, Basic Encoding Rules as restricted by its §5.1)."""
