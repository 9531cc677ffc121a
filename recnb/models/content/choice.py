"""Which plan a content model follows, chosen on the validation part: another than the usual only if clearly better."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from recnb.models.common.validation import Validation

CAUTION = 0.5  # standard errors by which the best plan must lead


@dataclass(frozen=True)
class Plan:
    """How item vectors become scores.

    Attributes
    ----------
    share : float
        Of the encoder's inner product in the sum, the rest being that of the words; 0 to 1.
    l2 : float
        Penalty of the ridge regression; infinite for the mean of the liked vectors.
    rank : int or None
        Factors of the training pairs that a user's likes are first brought to; None leaves them as they are.
    """

    share: float
    l2: float
    rank: int | None


def plans(
    shares: Sequence[float], penalties: Sequence[float], ranks: Sequence[int | None]
) -> list[Plan]:
    """All combinations, the usual values (the first of each) in front and the others by their distance from them.

    Examples
    --------
    >>> [(p.share, p.l2) for p in plans([0.3, 0.2, 0.5], [10.0, 3.0], [None])][:3]
    [(0.3, 10.0), (0.2, 10.0), (0.3, 3.0)]
    """
    places = product(*(range(len(axis)) for axis in (shares, penalties, ranks)))
    nearest = sorted(places, key=lambda place: (sum(place), place[::-1]))
    return [Plan(shares[a], penalties[b], ranks[c]) for a, b, c in nearest]


def choose(
    candidates: Sequence[Plan],
    scores: Callable[[Sequence[Plan]], Iterator[tuple[Plan, np.ndarray]]],
    validation: Validation,
) -> Plan:
    """The first plan that is not clearly worse than the best.

    Parameters
    ----------
    candidates : sequence of Plan
        The usual one first.
    scores : callable (plans) -> iterator of (Plan, ndarray of shape (n_users_asked, n_items_asked))
    validation : Validation

    Notes
    -----
    Clearly worse: by more than half a standard error of the paired difference in NDCG@10, users and items both being
    samples. The variance is that of sums over users plus that of sums over items less that of the single hits.

    References
    ----------
    Breiman et al. (1984), "Classification and regression trees", section 3.4.3 (there one standard error).
    Owen (2007), "The pigeonhole bootstrap", Annals of Applied Statistics, section 3 (two-way samples).
    """
    if len(candidates) == 1 or not len(validation.users):
        return candidates[0]
    gains = {plan: _gains(validation.lists(s), validation) for plan, s in scores(candidates)}
    best = max(candidates, key=lambda plan: gains[plan][1].sum())
    for plan in candidates:
        lead, error = difference(gains[best], gains[plan], *validation.relevant.shape)
        if lead <= CAUTION * error:
            return plan
    return best


def _gains(lists: np.ndarray, validation: Validation) -> tuple[np.ndarray, np.ndarray]:
    """The hits of lists: their cells (user, item) as one number, and what each adds to the user's NDCG."""
    row, place = np.nonzero(validation.hits(lists))
    discounts = 1 / np.log2(np.arange(validation.k) + 2)
    ideal = np.cumsum(discounts)[
        np.minimum(np.diff(validation.relevant.indptr), validation.k).clip(1) - 1
    ]
    cell = row.astype(np.int64) * validation.relevant.shape[1] + lists[row, place]
    return cell, discounts[place] / ideal[row]


def difference(
    left: tuple[np.ndarray, np.ndarray],
    right: tuple[np.ndarray, np.ndarray],
    n_users: int,
    n_items: int,
) -> tuple[float, float]:
    """Mean over users of the left gains less the right, and its standard error over users and items."""
    cells, place = np.unique(np.concatenate([left[0], right[0]]), return_inverse=True)
    single = np.bincount(place, weights=np.concatenate([left[1], -right[1]]), minlength=len(cells))
    users = np.bincount(cells // n_items, weights=single, minlength=n_users)
    _, column = np.unique(cells % n_items, return_inverse=True)
    items = np.bincount(column, weights=single) if len(cells) else np.zeros(0)
    mean = float(users.mean())
    by_user = float(((users - mean) ** 2).sum())
    variance = by_user + max(float((items**2).sum() - (single**2).sum()), 0.0)
    return mean, float(np.sqrt(variance)) / n_users
