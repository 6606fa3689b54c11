"""Suites that speak to any server on the wire and hold what it answers against the standards."""
