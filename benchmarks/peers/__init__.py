"""The systems that we are compared with, and their configuration."""
