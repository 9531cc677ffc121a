"""Figures of single lessons that take more than a few lines: drawings, and the data behind one idea."""
