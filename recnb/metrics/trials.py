"""Do intervals and p values keep their promise? Repeat the whole experiment on a known population.

A population holds one value per person and column (metric, model), so its means are the true values.
A trial looks at a sample of it only, as a study does, and the promise is kept or not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recnb.errors import InputError
from recnb.metrics.intervals import bootstrap, holm, paired

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def coverage_trials(
    population: ArrayLike,
    n_users: int,
    trials: int = 500,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[Bools, Floats]:
    """Whether the bootstrap interval of a sample holds the true mean, sample after sample.

    Parameters
    ----------
    population : array-like of shape (n_population, m), float
        Its column means are the true values.
    n_users : int
        Users of one sample, drawn without replacement.
    trials : int
    draws, level
        As in :func:`recnb.metrics.bootstrap`.
    seed : int

    Returns
    -------
    held : ndarray of shape (trials, m), bool
    width : ndarray of shape (trials, m)
        Of the intervals.

    Examples
    --------
    >>> values = np.random.default_rng(0).random((20_000, 1))
    >>> held, width = coverage_trials(values, n_users=100, trials=50)
    >>> bool(held.mean() > 0.85), held.shape
    (True, (50, 1))
    """
    values = _population(population, n_users)
    truth = values.mean(axis=0)
    held, width = np.empty((trials, values.shape[1]), bool), np.empty((trials, values.shape[1]))
    for trial, rows in enumerate(_samples(len(values), n_users, trials, seed)):
        low, high = bootstrap(values[rows], draws=draws, seed=trial, level=level)
        held[trial] = (low <= truth) & (truth <= high)
        width[trial] = high - low
    return held, width


def null_trials(
    population: ArrayLike, n_users: int, trials: int = 500, draws: int = 1000, seed: int = 0
) -> tuple[Floats, Floats]:
    """p values of comparisons in which there is nothing to find.

    Parameters
    ----------
    population : array-like of shape (n_population, m), m at least 2, float
        Column 0 is the model to which the others are compared; columns are models that do not
        differ: a person's values could be exchanged among them.
    n_users, trials, draws, seed
        As in :func:`coverage_trials`.

    Returns
    -------
    p, p_holm : ndarrays of shape (trials, m - 1)
        Of :func:`recnb.metrics.paired`, and corrected within a trial. A trial errs where any of its
        values is below the level.

    Examples
    --------
    >>> values = np.random.default_rng(0).random((5000, 3))
    >>> p, p_holm = null_trials(values, n_users=50, trials=20)
    >>> p.shape, bool((p_holm >= p).all())
    ((20, 2), True)
    """
    values = _population(population, n_users)
    others = range(1, values.shape[1])
    if not others:
        raise InputError("one column leaves nothing to compare", mend="give at least two models")
    p = np.empty((trials, len(others)))
    for trial, rows in enumerate(_samples(len(values), n_users, trials, seed)):
        one = values[rows]
        p[trial] = [paired(one[:, m], one[:, 0], draws=draws, seed=trial).p for m in others]
    return p, np.array([holm(row) for row in p])


def _samples(n: int, n_users: int, trials: int, seed: int) -> Iterator[NDArray[np.int64]]:
    rng = np.random.default_rng([seed, 2])  # apart from the resamples within a trial
    for _ in range(trials):
        yield rng.choice(n, n_users, replace=False)


def _population(population: ArrayLike, n_users: int) -> Floats:
    values = np.asarray(population, dtype=np.float64)
    if values.ndim != 2 or len(values) < 20 * n_users:
        raise InputError(
            f"a population of shape {values.shape} for samples of {n_users} users",
            mend="give (n_population, m) with at least 20 times as many persons as a sample has",
        )
    return values
