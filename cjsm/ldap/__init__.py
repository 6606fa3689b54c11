"""The directory door: LDAP version 3 (RFC 4511), read only."""
