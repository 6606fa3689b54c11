"""A message on its way: acceptance, header edits, spool, delivery and limits."""
