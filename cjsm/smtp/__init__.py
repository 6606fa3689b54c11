"""The SMTP doors: submission now, relay later."""
