"""Off-policy estimates of slates: the outcome of a slate is the sum over its places.

What differs is which places a place's outcome may depend on: only itself (independent), those above it too
(reward interaction, cascade), or all of them (standard).
"""

from __future__ import annotations

import numpy as np

from recnb.effect.policy.estimators import Rows
from recnb.errors import InputError

Floats = np.ndarray
SLATE_ESTIMATORS = ("standard", "independent", "reward_interaction", "cascade_dr")


def slate_parts(
    name: str, rows: Rows, slate: np.ndarray, position: np.ndarray
) -> tuple[Floats, Floats]:
    """Numerator and denominator of each slate; the estimate, an outcome per slate, is the ratio of their sums.

    Parameters
    ----------
    name : {"standard", "independent", "reward_interaction", "cascade_dr"}
    rows : Rows
        A row for each place of each slate. For "cascade_dr", `expected` and `value` are of the outcomes from this
        place on, given the slate so far (for outcomes that depend on the own place alone: their sums over the places
        that follow).
    slate : ndarray of shape (n,), int
        Slate of each row, 0 to n_slates - 1.
    position : ndarray of shape (n,), int

    Returns
    -------
    numerator, denominator : ndarrays of shape (n_slates,)

    Raises
    ------
    InputError
        The name is unknown, or a reward model is needed and missing.

    Notes
    -----
    With places l = 1, 2, … of a slate, W_l the product of the weights up to l and W_0 = 1:
    standard: W_L sum of r_l. independent: sum of w_l r_l. reward_interaction: sum of W_l r_l.
    cascade_dr: sum of W_l (r_l - Q_l) + W_(l-1) V_l, Q and V being `expected` and `value`.

    References
    ----------
    Li et al., Offline evaluation of ranking policies with click models, KDD 2018 (independent). McInerney et al.,
    Counterfactual evaluation of slate recommendations with sequential reward interactions, KDD 2020. Kiyohara et al.,
    Doubly robust off-policy evaluation for ranking policies under the cascade behavior model, WSDM 2022, equation 8.

    Examples
    --------
    >>> rows = Rows(np.array([2.0, 0.5]), np.array([1.0, 1.0]))
    >>> slate, place = np.array([0, 0]), np.array([1, 2])
    >>> {name: float(slate_parts(name, rows, slate, place)[0][0]) for name in SLATE_ESTIMATORS[:3]}
    {'standard': 2.0, 'independent': 2.5, 'reward_interaction': 3.0}
    """
    if name not in SLATE_ESTIMATORS:
        raise InputError(
            f"unknown slate estimator '{name}'", mend=f"one of {', '.join(SLATE_ESTIMATORS)}"
        )
    n = int(slate.max()) + 1
    ones = np.ones(n)
    if name == "independent":
        return np.bincount(slate, rows.weight * rows.outcome, n), ones
    order = np.lexsort((position, slate))
    w, r, group = rows.weight[order], rows.outcome[order], slate[order]
    running, before = _running(w, group)
    if name == "reward_interaction":
        return np.bincount(group, running * r, n), ones
    if name == "standard":
        last = np.append(group[1:] != group[:-1], True)
        whole = np.zeros(n)
        whole[group[last]] = running[last]
        return whole * np.bincount(group, r, n), ones
    if rows.value is None or rows.expected is None:
        raise InputError("'cascade_dr' needs a reward model", mend="give one, or leave it out")
    q, v = rows.expected[order], rows.value[order]
    return np.bincount(group, running * (r - q) + before * v, n), ones


def _running(w: Floats, group: np.ndarray) -> tuple[Floats, Floats]:
    """Products of the weights within a slate, up to a place and before it; rows sorted by slate and place."""
    first = np.append(True, group[1:] != group[:-1])
    start = np.flatnonzero(first)
    place = np.arange(len(w)) - np.repeat(start, np.diff(np.append(start, len(w))))
    running = w.copy()
    for at in range(1, int(place.max()) + 1):
        rows = np.flatnonzero(place == at)
        running[rows] = running[rows - 1] * w[rows]
    before = np.ones(len(w))
    rest = np.flatnonzero(~first)
    before[rest] = running[rest - 1]
    return running, before
