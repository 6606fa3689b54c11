"""Who belongs and who may do what: pure values and decisions, without socket, disk, clock or randomness."""
