"""What the door checks: single cells, and whole tables."""
