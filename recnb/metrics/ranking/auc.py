"""Area under the ROC curve of each user's scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recnb.errors import InputError


def auc(
    scores: NDArray[np.floating],
    relevant: NDArray[np.bool_],
    candidates: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Probability that a relevant item scores above one that is not, ties counted one half.

    Parameters
    ----------
    scores : ndarray of shape (n_users, n_items), float
        Higher is better; finite at every candidate, anything elsewhere.
    relevant : ndarray of shape (n_users, n_items), bool
        Relevant items that are no candidates are left out.
    candidates : ndarray of shape (n_users, n_items), bool, optional
        Items that are ranked; None = all.

    Returns
    -------
    ndarray of shape (n_users,), float64
        NaN where every candidate is relevant: without a second class AUC is not defined. A mean
        over users has to leave these out and say how many there were.

    Raises
    ------
    InputError
        Where a user has no relevant candidate, a candidate's score is NaN or infinite, or shapes
        differ.

    Notes
    -----
    The Mann-Whitney statistic: (sum of the relevant items' ranks - m (m + 1) / 2) / (m n), ranks
    from 1 for the lowest score, tied scores sharing their mean rank.

    References
    ----------
    Hanley and McNeil, Radiology 143, 1982.

    Examples
    --------
    One relevant item, above one other, tied with one and below one: (1 + 1/2 + 0) / 3.

    >>> auc(np.array([[0.5, 0.1, 0.5, 0.9]]), np.array([[True, False, False, False]]))
    array([0.5])
    """
    scores, relevant = np.asarray(scores), np.asarray(relevant)
    mask = np.ones(scores.shape, dtype=bool) if candidates is None else np.asarray(candidates)
    if scores.ndim != 2 or not scores.shape == relevant.shape == mask.shape:
        raise InputError(
            f"scores {scores.shape}, relevant {relevant.shape} and candidates {mask.shape} differ",
            mend="give three arrays of shape (n_users, n_items)",
        )
    if relevant.dtype != bool or mask.dtype != bool:
        raise InputError(f"relevant is {relevant.dtype} and candidates {mask.dtype}, not bool")
    bad = mask & ~np.isfinite(scores)
    if bad.any():
        row, item = np.argwhere(bad)[0]
        raise InputError(f"the score of item {item} is {scores[row, item]}", row=int(row) + 1)
    positive = relevant & mask
    n_positive = positive.sum(axis=1)
    if (n_positive == 0).any():
        raise InputError(
            "the user has no relevant candidate, so AUC is not defined",
            row=int(np.argmax(n_positive == 0)) + 1,
            mend="leave users without relevant items out",
        )
    from scipy.stats import rankdata  # slow to import

    n_negative = mask.sum(axis=1) - n_positive
    # Other items go above all candidates, where they leave the candidates' ranks as they are.
    ranks = rankdata(np.where(mask, scores, np.inf), axis=1)
    above = np.where(positive, ranks, 0.0).sum(axis=1) - n_positive * (n_positive + 1) / 2
    with np.errstate(invalid="ignore"):
        return np.where(n_negative > 0, above, np.nan) / (n_positive * n_negative)
