"""Models that read the order of a user's events."""
