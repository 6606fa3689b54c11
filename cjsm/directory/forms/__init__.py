"""The directory in files: CSV with the 15 columns, LDIF, vCard."""
