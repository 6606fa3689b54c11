"""The stores on one machine, over LMDB: see ``docs/specifications/stores.md`` for keys and values."""
