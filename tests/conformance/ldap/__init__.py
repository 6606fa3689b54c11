"""An LDAP server at the wire, against RFC 4511 and its neighbours."""
