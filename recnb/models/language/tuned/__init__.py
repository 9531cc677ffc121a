"""A decoder tuned on the answer word."""
