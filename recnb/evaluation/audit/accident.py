"""Whether something knows the *accidents* of the test rows, which nothing older than them can.

Knowing true tastes exactly, one would still not know how often an item is tested: counts scatter by chance around what
was to be expected, as coins do. A column that was written before the test leaves at least this scatter; one that was
made from the test rows takes it away. So a fair column may follow the test counts closely (external popularity,
quality, a trend) and is still told from one that leaks. The unit may also be a user, and the value a mean rating.

What this cannot see: a leak that is blurred by more than the scatter of chance itself (test counts with noise added, a
column with two or three wide bands that overlap), and one in data with few rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.stats import chi2, rankdata

Floats = NDArray[np.float64]

FOLDS = 5
BINS = 10
LEAST = 30  # units, and test rows
FLOOR = 0.4  # share of the chance scatter that is left, below which the accidents were known
FEW_LEVELS = 20


def monotone(x: Floats, y: Floats, weight: Floats | None = None) -> Floats:
    """Values of `y` told from `x` by a monotone curve that has not seen them (cross-validated).

    Examples
    --------
    >>> x = np.arange(40.0)
    >>> bool(np.abs(monotone(x, -x) + x).max() <= 3)
    True
    """
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.full(len(x), np.average(y, weights=weight))
    weight = np.ones(len(x)) if weight is None else weight
    rank_x, rank_y = rankdata(x), rankdata(y)
    rises = bool((rank_x - rank_x.mean()) @ (rank_y - rank_y.mean()) >= 0)
    levels, level = np.unique(x, return_inverse=True)
    fold = np.random.default_rng(0).permutation(len(x)) % FOLDS
    guess = np.empty(len(x))
    for out in range(FOLDS):
        here = fold == out
        total = np.bincount(level[~here], weight[~here], len(levels))
        values = np.bincount(level[~here], (weight * y)[~here], len(levels))
        seen = total > 0
        curve = isotonic_regression(
            values[seen] / total[seen], weights=total[seen], increasing=rises
        ).x
        guess[here] = np.interp(x[here], levels[seen], curve)
    return guess


def scatter(actual: Floats, guess: Floats, chance: Floats) -> float:
    """Squared errors over what chance alone makes: about 1 or more where only chance is unknown.

    The median over groups of units of like size, so that few large ones do not decide.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> mean = rng.uniform(1, 20, 2000)
    >>> counts = rng.poisson(mean)
    >>> bool(0.9 < scatter(counts, mean, mean) < 1.1), scatter(counts, counts, mean)
    (True, 0.0)
    """
    order = np.argsort(guess, kind="stable")
    reached = np.cumsum(chance[order])
    if not len(reached) or reached[-1] <= 0:
        return np.inf
    group = np.minimum((reached / reached[-1] * BINS).astype(int), BINS - 1)
    wrong = np.bincount(group, ((actual - guess) ** 2)[order], BINS)
    by_chance = np.bincount(group, chance[order], BINS)
    return float(np.median((wrong / np.maximum(by_chance, 1e-12))[by_chance > 0]))


def count_guesses(x: Floats, known: Floats, test: Floats) -> Iterator[Floats]:
    """Test counts as told by `x`, were it made from them, from all counts, or from a trend (by any monotone rule)."""
    yield monotone(x, test)
    yield monotone(x, known + test) - known
    share = test.sum() / max(known.sum(), 1)
    yield monotone(x, test - share * known) + share * known
    for more in (0.0, 1.0):
        base = known + more
        if (base > 0).all():
            yield monotone(x, test / base, base) * base


def knows_counts(
    x: Floats, known: Floats, test: Floats, n: int, kept: dict[bytes, float] | None = None
) -> float | None:
    """What of the scatter of test counts is left, where that is less than chance allows; else None.

    Parameters
    ----------
    x : ndarray of shape (m,)
        A number per unit (item or user).
    known, test : ndarray of shape (m,)
        Its known and test rows.
    n : int
        How many could have used each (test users): the most a count can be.
    kept : dict, optional
        Where what the known counts themselves leave is kept, for other numbers of the same units.
    """
    used = ~np.isnan(x) & (known + test > 0)
    units = used.tobytes()
    x, known, test = x[used], known[used].astype(float), test[used].astype(float)
    if len(x) < LEAST or test.sum() < LEAST or np.ptp(x) == 0:
        return None

    def left(guess: Floats) -> float:
        expected = np.clip(guess, 1e-3, None)
        return scatter(test, expected, expected * np.clip(1 - expected / max(n, 1), 0.05, 1))

    kept = {} if kept is None else kept
    if units not in kept:
        blind = np.ptp(known) == 0
        kept[units] = np.inf if blind else min(left(g) for g in count_guesses(known, known, test))
    if kept[units] < 2 * FLOOR:
        return None  # the division itself leaves no accident: so many rows of each
    least = min(left(guess) for guess in count_guesses(x, known, test))
    return least if least < min(FLOOR, _limit(len(x))) else None


def knows_means(
    x: Floats, n: Floats, known: Floats, m: Floats, test: Floats, variance: float
) -> float | None:
    """The same for mean ratings: `n` known rows with mean `known`, `m` test rows with mean `test`.

    `variance` is that of ratings of one unit; a mean of m of them scatters by variance / m.
    """
    used = ~np.isnan(x) & (n >= 1) & (m >= 1)
    x, n, known, m, test = (v[used] for v in (x, n, known, m, test))
    if len(x) < LEAST or np.ptp(x) == 0 or variance <= 0:
        return None
    every = (n * known + m * test) / (n + m)
    guesses = [
        monotone(x, test, m),
        (monotone(x, every, n + m) * (n + m) - n * known) / m,
        monotone(x, test - known, m) + known,
    ]
    if scatter(test, monotone(known, test, m), variance / m) < 2 * FLOOR:
        return None
    least = min(scatter(test, guess, variance / m) for guess in guesses)
    return least if least < min(FLOOR, _limit(len(x))) else None


def divides(levels: NDArray[np.integer], known: Floats, test: Floats) -> float | None:
    """Whether few levels of a column put the test counts in order without overlap, as no older column can.

    Returns
    -------
    Share of pairs of units of different levels in the right order, where it is nearly all and the known counts
    overlap; else None.
    """
    used = (levels >= 0) & (known + test > 0)
    levels, known, test = levels[used], known[used], test[used]
    size = np.bincount(levels)
    if len(levels) < LEAST or not 2 <= (size > 0).sum() <= FEW_LEVELS or size[size > 0].min() < 5:
        return None
    order = np.argsort(np.bincount(levels, test) / np.maximum(size, 1))
    place = np.argsort(order)[levels]
    tested, before = _in_order(place, test), _in_order(place, known)
    return tested if tested > 0.985 and before < 0.95 else None


def _in_order(place: NDArray[np.integer], values: Floats) -> float:
    """Share of pairs of different places whose values are in that order; half of the ties."""
    right = pairs = 0.0
    lower = np.empty(0)
    for level in np.unique(place):
        these = values[place == level]
        if len(lower):
            below = np.searchsorted(lower, these, "left").sum()
            tied = np.searchsorted(lower, these, "right").sum() - below
            right, pairs = right + below + tied / 2, pairs + len(lower) * len(these)
        lower = np.sort(np.concatenate([lower, these]))
    return right / pairs if pairs else 0.0


def _limit(n: int) -> float:
    """A scatter so low that chance reaches it once in a million times."""
    return float(chi2.ppf(1e-6, n) / n)
