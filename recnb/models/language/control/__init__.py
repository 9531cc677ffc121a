"""Wishes in words: what an item table, a decoder or a text encoder makes of "only before 1990" and "no horror"."""
