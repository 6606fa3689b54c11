"""Other people's mail servers for tests: one that plays a script, a real Postfix, and a sink behind stunnel."""
