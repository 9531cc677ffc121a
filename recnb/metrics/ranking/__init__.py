"""Metrics of ranked lists: the measures, the truth they are held against, and variants of other libraries."""
