"""Models that read the order of events."""
