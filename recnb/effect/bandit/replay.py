"""Replay: a bandit lives through a random log and keeps the rows where it would have shown the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from recnb.effect.bandit.learners import LinearBandit
from recnb.effect.logs import Log
from recnb.errors import InputError

Floats = np.ndarray


@dataclass(frozen=True)
class Replayed:
    """What a bandit earned on the rows that it kept.

    Attributes
    ----------
    kept : ndarray of int
        Rows at which the log shows what the bandit chose, in order.
    value : float
        Mean outcome of these.
    low, high : float
        Exact 95 % interval of a share (Clopper and Pearson); NaN for outcomes that are not 0 or 1.
    """

    kept: np.ndarray
    value: float
    low: float
    high: float


def replay(
    log: Log, bandit: LinearBandit, vectors: Callable[[int], Floats], outcome: str = "click"
) -> Replayed:
    """Let a bandit live through a log whose items were shown evenly at random.

    Parameters
    ----------
    log : Log
        Rows in the order of their times, where there are times.
    bandit : LinearBandit
        Changed.
    vectors : function of a row number, giving ndarray of shape (n_items, n_features)
        Vectors of every candidate at this row.
    outcome : str

    Raises
    ------
    InputError
        The propensities are not all alike, so that replay would be biased; or no row is kept.

    References
    ----------
    Li, Chu, Langford and Wang, Unbiased offline evaluation of contextual-bandit-based news article recommendation
    algorithms, WSDM 2011, algorithm 2.
    """
    p = log.propensity
    if p is None or np.ptp(p) > 1e-3 * p.mean():
        raise InputError(
            f"{log.name} was not shown evenly at random", mend="replay a log of a uniform policy"
        )
    r, item = log.outcome(outcome), log.item
    order = np.arange(log.n)
    if "timestamp" in log.table:
        order = np.argsort(log.table["timestamp"].to_numpy(), kind="stable")
    kept = []
    for row in order.tolist():
        candidates = vectors(row)
        if bandit.choose(candidates) == item[row]:
            bandit.learn(candidates[item[row]], r[row])
            kept.append(row)
    if not kept:
        raise InputError("no row shows what the bandit chose", mend="give a longer log")
    got = r[kept]
    low = high = float("nan")
    if np.isin(got, (0, 1)).all():
        hits, n = int(got.sum()), len(got)
        low = float(beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
        high = float(beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0
    return Replayed(np.array(kept), float(got.mean()), low, high)
