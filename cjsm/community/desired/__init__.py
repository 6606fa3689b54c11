"""The community as a file that people review: what it says, how that differs from what is, and the acts between."""
