"""Mail as other systems keep it in files: mbox, Maildir, EML, with the unique-ids that their POP3 servers gave out."""
