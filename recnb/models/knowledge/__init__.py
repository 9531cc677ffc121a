"""Models over a graph of users, items and what is known of the items."""
