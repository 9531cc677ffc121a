"""Measures of recommendations, per user, and intervals over users."""

from __future__ import annotations

from recnb.metrics.membership import count_relevant, hits
from recnb.metrics.ranking import METRICS, UNCUT, auc, evaluate_lists, resolve

__all__ = ["METRICS", "UNCUT", "auc", "count_relevant", "evaluate_lists", "hits", "resolve"]
