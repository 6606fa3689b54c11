"""The listing that people search: entries, who sees what, queries. LDAP, web and command ask it alike."""
