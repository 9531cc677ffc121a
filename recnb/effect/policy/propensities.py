"""Propensities that were not logged, estimated from what was shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm

from recnb.effect.logs import Log
from recnb.effect.policy.rewards import folds_of
from recnb.errors import InputError

MOST_ITEMS = 500
ALIKE = "what was shown did not depend on the person"
BY_FEATURES = "what was shown depended on the person by the given features alone"
MORE_OFTEN = 1.1
"""How much more often one person may meet an item again than another person meets it, before that speaks."""


def estimate_propensities(
    log: Log, features: np.ndarray | pd.DataFrame | None = None, folds: int = 5, seed: int = 0
) -> Log:
    """The log with estimated propensities, and a note that says so.

    Parameters
    ----------
    log : Log
    features : ndarray or DataFrame of shape (n_contexts, m), optional
        What is known of each context. None: items are taken as shown without a look at the context, so a row's
        propensity is the share of its item at its place, drawn towards the share over all places.
    folds : int
        With features: a multinomial logistic regression, fitted on the other folds of units.
    seed : int

    Returns
    -------
    Log

    Raises
    ------
    InputError
        The features have the wrong shape or are not finite, or there are more than 500 items to tell apart.

    Notes
    -----
    Estimates are as good as what is known of the choice. Where the system chose by something that is not in
    `features`, estimates of policies are biased, and the calibration in the diagnostics can show it only in part.
    """
    if features is None:
        return log.with_propensity(
            _shares(log),
            f"propensities are estimated from the shares of the items: this assumes that {ALIKE}",
            ALIKE,
            _differs(log),
        )
    table = np.asarray(features, np.float64)
    if table.shape[0] != len(log.context_ids) or table.ndim != 2 or not np.isfinite(table).all():
        raise InputError(
            f"features of shape {table.shape}, or not finite",
            mend=f"give one row of numbers for each of the {len(log.context_ids)} contexts",
        )
    if len(log.item_ids) > MOST_ITEMS:
        raise InputError(
            f"{len(log.item_ids):,} items are too many to be told apart by a regression",
            mend="estimate from shares (features=None), or log the propensities",
        )
    return log.with_propensity(
        _regressed(log, table, folds, seed),
        f"propensities are estimated by a logistic regression on {table.shape[1]} features of the user",
        BY_FEATURES,
    )


def _differs(log: Log) -> str | None:
    """Whether people were clearly shown different items, from those who were shown several.

    Of two rows at one place, how often they show the same item: rows of one context against rows of any. Nothing
    that was chosen without a look at the context makes the first more frequent; rows that are one a person are mute.
    """
    n_items, n_contexts = len(log.item_ids), len(log.context_ids)
    place = np.unique(log.position, return_inverse=True)[1]

    def pairs(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The cells that occur, and in how many ordered pairs of rows."""
        at, n = np.unique(cells, return_counts=True)
        return at, n * (n - 1.0)

    of_place = np.bincount(place) * (np.bincount(place) - 1.0)
    cell, n = pairs(place * n_items + log.item)
    chance = np.bincount(cell // n_items, n) / np.maximum(of_place, 1)
    group = place * np.int64(n_contexts) + log.context
    cell, same = pairs(group * n_items + log.item)
    met = np.bincount((cell // n_items) % n_contexts, same, n_contexts)
    cell, n = pairs(group)
    due = np.bincount(cell % n_contexts, n * chance[cell // n_contexts], n_contexts)
    gap = met - due
    spread = float(np.sqrt((gap**2).sum()))
    if spread == 0 or gap.sum() / spread < norm.ppf(0.9995) or met.sum() < MORE_OFTEN * due.sum():
        return None
    return (
        f"two rows of one person show the same item {met.sum() / due.sum():.1f} times as often as two rows of any, "
        "so what was shown did depend on the person"
    )


def _shares(log: Log) -> np.ndarray:
    n_items = len(log.item_ids)
    overall = np.bincount(log.item, minlength=n_items) / log.n
    place = log.position
    pair = place * n_items + log.item
    counts = np.bincount(pair, minlength=(int(place.max()) + 1) * n_items)
    rows = np.bincount(place)
    # As if a row for each item had been seen at the place, in proportion to the shares over all places.
    return (counts[pair] + n_items * overall[log.item]) / (rows[place] + n_items)


def _regressed(log: Log, features: np.ndarray, folds: int, seed: int) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    out = np.empty(log.n)
    overall = (np.bincount(log.item, minlength=len(log.item_ids)) + 1) / (log.n + len(log.item_ids))
    dealt = folds_of(log.unit, folds, seed)
    design = features[log.context]
    for fold in range(folds):
        train, held = dealt != fold, dealt == fold
        model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=300))
        model.fit(design[train], log.item[train])
        column = np.full(len(log.item_ids), -1)
        column[model.classes_] = np.arange(len(model.classes_))
        chance = model.predict_proba(design[held])
        at = column[log.item[held]]
        known = at >= 0
        # An item that the other folds never show gets its share.
        value = overall[log.item[held]]
        value[known] = chance[np.flatnonzero(known), at[known]]
        out[held] = value
    return np.clip(out, 1e-6, 1.0)
