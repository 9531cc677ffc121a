"""Which plan a content model follows, chosen on the validation part: another than the usual only if clearly better."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

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


@dataclass(frozen=True)
class Trial:
    """Where plans are tried.

    Attributes
    ----------
    validation : Validation
    scores : callable (plan) -> ndarray of shape (n_users_asked, n_items_asked)
    """

    validation: Validation
    scores: Callable[[Plan], np.ndarray]


def choose(
    shares: Sequence[float],
    penalties: Sequence[float],
    ranks: Sequence[int | None],
    trials: Sequence[Trial],
) -> Plan:
    """The share, then at this share the penalty, then at both the rank.

    Parameters
    ----------
    shares, penalties, ranks : sequence
        The usual value of each first, the others by their distance from it.
    trials : sequence of Trial
        The validation part, and more of its kind where it has few items; a plan counts by all of them.

    Notes
    -----
    On each axis the first value that is not clearly worse than the best. Clearly worse: by more than half a standard
    error of the paired difference in NDCG@10, users and items both being samples. The variance is that of sums over
    users plus that of sums over items less that of the single hits. One axis after the other takes the sum of the
    axes' lengths, not their product.

    References
    ----------
    Breiman et al. (1984), "Classification and regression trees", section 3.4.3 (there one standard error).
    Owen (2007), "The pigeonhole bootstrap", Annals of Applied Statistics, section 3 (two-way samples).
    """
    plan = Plan(shares[0], penalties[0], ranks[0])
    trials = [trial for trial in trials if len(trial.validation.users)]
    if not trials:
        return plan
    asked = np.bincount(np.concatenate([trial.validation.users for trial in trials]))
    n_items = trials[0].validation.relevant.shape[1]
    gains: dict[Plan, tuple[np.ndarray, np.ndarray]] = {}
    for name, values in (("share", shares), ("l2", penalties), ("rank", ranks)):
        along = [replace(plan, **{name: value}) for value in values]  # type: ignore[arg-type]
        if len(along) == 1:
            continue
        for at in along:
            if at not in gains:
                parts = [_gains(t.validation.lists(t.scores(at)), t.validation) for t in trials]
                cells, gained = (np.concatenate(part) for part in zip(*parts))
                gains[at] = cells, gained
        plan = _first_good(along, gains, asked, n_items)
    return plan


def _first_good(
    along: Sequence[Plan],
    gains: Mapping[Plan, tuple[np.ndarray, np.ndarray]],
    asked: np.ndarray,
    n_items: int,
) -> Plan:
    best = max(along, key=lambda plan: gains[plan][1].sum())
    for plan in along:
        lead, error = difference(gains[best], gains[plan], asked, n_items)
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
    user = validation.users[row].astype(np.int64)
    cell = user * validation.relevant.shape[1] + lists[row, place]
    return cell, discounts[place] / ideal[row]


def difference(
    left: tuple[np.ndarray, np.ndarray],
    right: tuple[np.ndarray, np.ndarray],
    asked: np.ndarray,
    n_items: int,
) -> tuple[float, float]:
    """Mean over the lists of the left gains less the right, and its standard error over users and items.

    Parameters
    ----------
    left, right : tuple of ndarray
        Cells ``user * n_items + item`` and what their hits add.
    asked : ndarray of shape (n_users,), int
        How many lists each user has.
    n_items : int
    """
    cells, place = np.unique(np.concatenate([left[0], right[0]]), return_inverse=True)
    single = np.bincount(place, weights=np.concatenate([left[1], -right[1]]), minlength=len(cells))
    users = np.bincount(cells // n_items, weights=single, minlength=len(asked))
    _, column = np.unique(cells % n_items, return_inverse=True)
    items = np.bincount(column, weights=single) if len(cells) else np.zeros(0)
    n_lists = int(asked.sum())
    mean = float(users.sum()) / n_lists
    by_user = float(((users - mean * asked) ** 2).sum())
    variance = by_user + max(float((items**2).sum() - (single**2).sum()), 0.0)
    return mean, float(np.sqrt(variance)) / n_lists
