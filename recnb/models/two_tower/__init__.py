"""The two tower: a network reads the items, another the users, a head scores them together."""
