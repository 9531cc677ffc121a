"""The commands that export and serve."""
