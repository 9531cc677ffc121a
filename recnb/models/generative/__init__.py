"""Models that generate the next item's id, token by token."""
