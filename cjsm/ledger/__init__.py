"""The record of what was done: entries in the act's own transaction, later the tree over them."""
