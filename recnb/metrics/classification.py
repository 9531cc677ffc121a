"""Measures of yes-or-no predictions: scikit-learn's, checked, and what it lacks.

`true` holds 0 and 1 (or False and True), `score` is higher for a likelier 1. All functions pool
rows; :func:`grouped_auc` and :func:`recnb.metrics.intervals.clustered` give intervals over users.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recnb.errors import InputError
from recnb.metrics.intervals import defined_interval, resamples

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GroupedAUC:
    """Pooled AUC, its interval over users, and how many users and rows stand behind it."""

    value: float
    low: float
    high: float
    n_users: int
    n_rows: int


def accuracy(true: ArrayLike, score: ArrayLike, threshold: float = 0.5) -> float:
    """Share of rows where ``score >= threshold`` equals the truth.

    Examples
    --------
    >>> accuracy([1, 0, 1, 0], [0.9, 0.8, 0.5, 0.1])
    0.75
    """
    t, s = _pair(true, score)
    return float(((s >= threshold) == t).mean())


def precision(true: ArrayLike, score: ArrayLike, threshold: float = 0.5) -> float:
    """Share of true among the rows with ``score >= threshold``; NaN where there is no such row.

    Examples
    --------
    >>> precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.6], threshold=0.75)
    0.5
    """
    return _precision_recall_f1(true, score, threshold)[0]


def recall(true: ArrayLike, score: ArrayLike, threshold: float = 0.5) -> float:
    """Share of the true rows with ``score >= threshold``; NaN where no row is true.

    Examples
    --------
    >>> recall([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.6], threshold=0.75)
    0.5
    """
    return _precision_recall_f1(true, score, threshold)[1]


def f1(true: ArrayLike, score: ArrayLike, threshold: float = 0.5) -> float:
    """2 TP / (2 TP + FP + FN); NaN where no row is true or called true.

    Examples
    --------
    >>> f1([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.6], threshold=0.75)
    0.5
    """
    return _precision_recall_f1(true, score, threshold)[2]


def roc_auc(true: ArrayLike, score: ArrayLike) -> float:
    """Probability that a true row scores above a false one, ties one half; NaN with one class.

    Examples
    --------
    >>> roc_auc([1, 0, 0], [0.5, 0.5, 0.1])
    0.75
    """
    from sklearn.metrics import roc_auc_score

    t, s = _pair(true, score)
    return float("nan") if t.all() or not t.any() else float(roc_auc_score(t, s))


def log_loss(true: ArrayLike, probability: ArrayLike) -> float:
    """Mean negative log-likelihood, in nats; 0 and 1 are moved inwards by the machine epsilon.

    Examples
    --------
    >>> round(log_loss([1, 0], [0.5, 0.5]), 4)
    0.6931
    """
    from sklearn.metrics import log_loss as loss

    t, p = _probabilities(true, probability)
    return float(loss(t, p, labels=[False, True]))


def ece(
    true: ArrayLike,
    probability: ArrayLike,
    bins: int = 15,
    kind: Literal["width", "mass"] = "width",
) -> float:
    """Expected calibration error: mean gap of probability and frequency, weighted by bin size.

    Parameters
    ----------
    true : array-like of shape (n_rows,), 0 or 1
    probability : array-like of shape (n_rows,), in [0, 1]
    bins : int, default 15
        The value depends on it: state it.
    kind : "width" (bins of equal width on [0, 1]) or "mass" (of about equal numbers of rows)
        A bin holds its upper end, not its lower, as in scikit-learn's ``calibration_curve``; tied
        probabilities always share a bin.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, ICML 2017,
    equation 3. Equal mass: Nguyen and O'Connor, EMNLP 2015.

    Examples
    --------
    Two bins: (0.2, 0.4; none true) and (0.8; true), so (2 * 0.3 + 1 * 0.2) / 3.

    >>> round(ece([0, 0, 1], [0.2, 0.4, 0.8], bins=2), 4)
    0.2667
    """
    t, p = _probabilities(true, probability)
    if bins < 1 or kind not in ("width", "mass"):
        raise InputError(f"bins is {bins} and kind '{kind}'", mend="use kind 'width' or 'mass'")
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    edges = inner if kind == "width" else np.quantile(p, inner)
    place = np.searchsorted(edges, p)
    gap = np.bincount(place, weights=p - t, minlength=bins)
    return float(np.abs(gap).sum() / len(p))


def grouped_auc(
    true: ArrayLike,
    score: ArrayLike,
    groups: ArrayLike,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> GroupedAUC:
    """AUC pooled over rows, with a bootstrap interval that resamples users.

    Rows of one user resemble each other; resampling rows would give too narrow an interval.

    Parameters
    ----------
    true : array-like of shape (n_rows,), 0 or 1; both must occur
    score : array-like of shape (n_rows,), float
    groups : array-like of shape (n_rows,)
        User of each row.
    draws, seed, level
        As in :func:`recnb.metrics.intervals.bootstrap`.

    Notes
    -----
    Resamples with one class only have no AUC and are left out; more than 5 % of them raise.

    Examples
    --------
    >>> result = grouped_auc([1, 0] * 20, [0.9, 0.1] * 20, np.repeat(np.arange(20), 2))
    >>> result.value, result.low, result.high, result.n_users
    (1.0, 1.0, 1.0, 20)
    """
    t, s = _pair(true, score)
    found, codes = np.unique(np.asarray(groups), return_inverse=True)
    if len(codes) != len(t):
        raise InputError(f"{len(codes)} groups stand beside {len(t)} rows")
    value = roc_auc(t, s)
    if np.isnan(value):
        raise InputError("all rows are of one class, so AUC is not defined")
    # Sorted once: a resample then only changes the weights of the rows.
    order = np.argsort(s, kind="stable")
    codes, positive = codes[order], t[order].astype(np.float64)
    starts = np.flatnonzero(np.diff(s[order], prepend=np.nan) != 0)
    values = []
    for chunk in resamples(len(found), draws, seed):
        for counts in chunk:
            weights = counts[codes]
            up = np.add.reduceat(weights * positive, starts)
            down = np.add.reduceat(weights * (1 - positive), starts)
            pairs = up.sum() * down.sum()
            below = np.cumsum(down) - down / 2  # tied rows count one half
            values.append(up @ below / pairs if pairs else np.nan)
    low, high = defined_interval(np.array(values), level)
    return GroupedAUC(value, low, high, len(found), len(t))


def _precision_recall_f1(
    true: ArrayLike, score: ArrayLike, threshold: float
) -> tuple[float, float, float]:
    from sklearn.metrics import precision_recall_fscore_support

    t, s = _pair(true, score)
    values = precision_recall_fscore_support(
        t, s >= threshold, average="binary", zero_division=np.nan
    )
    return float(values[0]), float(values[1]), float(values[2])


def _pair(true: ArrayLike, score: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    t, s = np.asarray(true), np.asarray(score, dtype=np.float64)
    if t.ndim != 1 or t.shape != s.shape or not len(t):
        raise InputError(
            f"true has shape {t.shape} and score {s.shape}",
            mend="give two arrays of the same length, with at least one row",
        )
    if not np.isin(t, (0, 1)).all():
        row = int(np.argmin(np.isin(t, (0, 1))))
        raise InputError(f"the truth is {t[row]!r}", row=row + 1, mend="use 0 and 1")
    if not np.isfinite(s).all():
        row = int(np.argmin(np.isfinite(s)))
        raise InputError(f"the score is {s[row]}", row=row + 1)
    return t.astype(bool), s


def _probabilities(true: ArrayLike, probability: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    t, p = _pair(true, probability)
    outside = (p < 0) | (p > 1)
    if outside.any():
        row = int(np.argmax(outside))
        raise InputError(f"the probability is {p[row]}", row=row + 1, mend="use 0 to 1")
    return t, p
