"""The published layouts of MovieLens."""
