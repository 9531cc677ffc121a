"""Off-policy estimates of one row, as formulas over arrays.

Every estimate is a ratio of two sums over rows or slates, so that one resample serves all of them. Throughout,
`w` is the chance under the judged policy over the propensity, `r` the outcome, `q` the outcome that a reward model
expects of what was shown, and `v` what it expects of the policy in this context.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recnb.errors import InputError

Floats = np.ndarray
ESTIMATORS = ("dm", "ips", "clipped", "snips", "dr", "switch_dr")
OF_SLATES = ("reward_interaction", "cascade_dr")
"""Those that weigh whole slates, in `slates.py`."""
MODELLED = ("dm", "dr", "switch_dr", "cascade_dr")
"""Those that need a reward model."""


@dataclass(frozen=True)
class Rows:
    """What the estimators read, each of shape (n,), float64.

    Attributes
    ----------
    weight : ndarray
        Chance under the judged policy over the propensity.
    outcome : ndarray
    expected : ndarray or None
        What the reward model expects of the shown item.
    value : ndarray or None
        What it expects of the judged policy in this context.
    """

    weight: Floats
    outcome: Floats
    expected: Floats | None = None
    value: Floats | None = None


def parts(name: str, rows: Rows, clip: float = 10.0, switch: float = 10.0) -> tuple[Floats, Floats]:
    """Numerator and denominator of an estimate, a pair for each row; the estimate is the ratio of their sums.

    Parameters
    ----------
    name : {"dm", "ips", "clipped", "snips", "dr", "switch_dr"}
    rows : Rows
    clip : float > 0
        Largest weight of "clipped".
    switch : float > 0
        Weight up to which "switch_dr" trusts the log; above it the reward model answers.

    Returns
    -------
    numerator, denominator : ndarrays of shape (n,)

    Raises
    ------
    InputError
        The name is unknown, or the estimate needs a reward model and there is none.

    Notes
    -----
    dm: v. ips: w r. clipped: min(w, clip) r. snips: w r over w. dr: v + w (r - q). switch_dr: v + w (r - q) where
    w <= switch, else v.

    References
    ----------
    Horvitz and Thompson 1952 (ips). Swaminathan and Joachims, The self-normalized estimator for counterfactual
    learning, NIPS 2015 (snips). Bottou et al., JMLR 14, 2013, section 4.4 (clipped). Dudík, Langford and Li, Doubly
    robust policy evaluation and learning, ICML 2011 (dm, dr). Wang, Agarwal and Dudík, Optimal and adaptive
    off-policy evaluation in contextual bandits, ICML 2017 (switch_dr).

    Examples
    --------
    >>> rows = Rows(np.array([2.0, 0.0]), np.array([1.0, 1.0]))
    >>> [float(a.sum() / b.sum()) for a, b in (parts("ips", rows), parts("snips", rows))]
    [1.0, 1.0]
    """
    w, r = rows.weight, rows.outcome
    ones = np.ones(len(r))
    if name == "ips":
        return w * r, ones
    if name == "clipped":
        return np.minimum(w, clip) * r, ones
    if name == "snips":
        return w * r, w
    if name not in ESTIMATORS:
        raise InputError(f"unknown estimator '{name}'", mend=f"one of {', '.join(ESTIMATORS)}")
    if rows.value is None or rows.expected is None:
        raise InputError(f"'{name}' needs a reward model", mend="give one, or leave it out")
    if name == "dm":
        return rows.value, ones
    trusted = w if name == "dr" else np.where(w <= switch, w, 0.0)
    return rows.value + trusted * (r - rows.expected), ones
