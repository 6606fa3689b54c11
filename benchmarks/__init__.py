"""Measurements beside other systems, and against ourselves. They print ratios; they never decide a test."""
