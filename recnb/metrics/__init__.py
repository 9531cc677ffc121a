"""Measures of recommendations, per user, and intervals over users.

List metrics, beyond-accuracy measures, rating errors and intervals stand here by name. The
classification measures share names with the list metrics (`precision`, `recall`, `f1`) and stay in
:mod:`recnb.metrics.classification`.
"""

from __future__ import annotations

from recnb.metrics.agreement import kendall
from recnb.metrics.beyond_accuracy import (
    adherence,
    coverage,
    gini,
    intra_list_diversity,
    novelty,
    popularity_lift,
    serendipity,
)
from recnb.metrics.calibration import miscalibration
from recnb.metrics.classification import GroupedAUC, ece, grouped_auc, log_loss, roc_auc
from recnb.metrics.equivalence import Equivalence, equivalence
from recnb.metrics.group_gaps import group_gap
from recnb.metrics.intervals import Difference, bootstrap, clustered, holm, paired
from recnb.metrics.over_splits import OverSplits, over_splits, with_splits
from recnb.metrics.ranking.auc import auc
from recnb.metrics.ranking.frames import evaluate_frames
from recnb.metrics.ranking.lists import evaluate_lists
from recnb.metrics.ranking.measures import (
    average_precision,
    f1,
    hit_rate,
    ndcg,
    precision,
    r_precision,
    recall,
    reciprocal_rank,
)
from recnb.metrics.ranking.sampled import expected_hit_rate, sampled_ranks
from recnb.metrics.ranking.truth import RelevantItems, count_relevant, hits
from recnb.metrics.ranking.variants import (
    average_precision_hits,
    average_precision_mean_precision,
    average_precision_n,
    capped_recall,
    ndcg_fixed_ideal,
    ndcg_rank2,
    reciprocal_rank_all,
)
from recnb.metrics.rating import (
    PerUser,
    mae,
    mse,
    per_user_absolute_error,
    per_user_squared_error,
    rmse,
)
from recnb.metrics.shapley import shapley, subsets
from recnb.metrics.studies import Pooled, Relative, pooled, relative
from recnb.metrics.table import METRICS, Metric, names_of, resolve
from recnb.metrics.trials import coverage_trials, null_trials

__all__ = [
    "METRICS",
    "Difference",
    "Equivalence",
    "GroupedAUC",
    "Metric",
    "OverSplits",
    "PerUser",
    "Pooled",
    "Relative",
    "RelevantItems",
    "adherence",
    "auc",
    "average_precision",
    "average_precision_hits",
    "average_precision_mean_precision",
    "average_precision_n",
    "bootstrap",
    "capped_recall",
    "clustered",
    "count_relevant",
    "coverage",
    "coverage_trials",
    "ece",
    "equivalence",
    "evaluate_frames",
    "evaluate_lists",
    "expected_hit_rate",
    "f1",
    "gini",
    "group_gap",
    "grouped_auc",
    "hit_rate",
    "hits",
    "holm",
    "intra_list_diversity",
    "kendall",
    "log_loss",
    "mae",
    "miscalibration",
    "mse",
    "names_of",
    "ndcg",
    "ndcg_fixed_ideal",
    "ndcg_rank2",
    "novelty",
    "null_trials",
    "over_splits",
    "paired",
    "per_user_absolute_error",
    "per_user_squared_error",
    "pooled",
    "popularity_lift",
    "precision",
    "r_precision",
    "recall",
    "reciprocal_rank",
    "reciprocal_rank_all",
    "relative",
    "resolve",
    "rmse",
    "roc_auc",
    "sampled_ranks",
    "serendipity",
    "shapley",
    "subsets",
    "with_splits",
]
