"""The door for operators: the ``cjsm`` command."""
