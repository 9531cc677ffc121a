"""Fairness and harm: who is seen, what it would cost to share attention, and what a feedback loop makes of it."""

from __future__ import annotations

from recnb.effect.fairness.exposure import (
    attention,
    exposure_table,
    inequality,
    item_exposure,
    shares_of,
    supplier_exposure,
    unearned,
    with_interval,
)
from recnb.effect.fairness.frontier import fair_lists, frontier, ndcg_of
from recnb.effect.fairness.loop import Loop, live_days, true_clicks

__all__ = [
    "Loop",
    "attention",
    "exposure_table",
    "fair_lists",
    "frontier",
    "inequality",
    "item_exposure",
    "live_days",
    "ndcg_of",
    "shares_of",
    "supplier_exposure",
    "true_clicks",
    "unearned",
    "with_interval",
]
