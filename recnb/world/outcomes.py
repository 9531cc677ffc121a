"""Fresh outcomes of a generated world: what users would take next, drawn from the truth as often as wanted."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recnb.errors import InputError


def draw_outcomes(
    demand: np.ndarray,
    sizes: np.ndarray,
    rng: np.random.Generator,
    barred: sparse.csr_array | None = None,
) -> sparse.csr_array:
    """Draw for each user the next items, without replacement, in proportion to the true demand.

    Parameters
    ----------
    demand : ndarray of shape (n_users, n_items), at least 0
        `World.truth.demand`, or rows of it (a user may stand there several times).
    sizes : ndarray of shape (n_users,), int
        How many items each user takes, at least 1; fewer where no more have demand.
    rng : numpy.random.Generator
    barred : scipy sparse of shape (n_users, n_items), optional
        Nonzero: cannot be taken, such as what is known already.

    Returns
    -------
    csr_array of shape (n_users, n_items)
        1 for what is taken.

    Notes
    -----
    The items with the smallest of independent exponential times, each with the demand as its rate,
    are a sample without replacement (Efraimidis and Spirakis, Information Processing Letters 97,
    2006).

    Examples
    --------
    >>> taken = draw_outcomes(np.array([[0.5, 0.0, 0.5]]), np.array([2]), np.random.default_rng(0))
    >>> taken.toarray().tolist()
    [[1.0, 0.0, 1.0]]
    """
    sizes = np.asarray(sizes)
    if demand.ndim != 2 or sizes.shape != demand.shape[:1] or (sizes < 1).any():
        raise InputError(
            f"demand has shape {demand.shape} and sizes {sizes.shape}",
            mend="give one size of at least 1 for each row of demand",
        )
    with np.errstate(divide="ignore"):
        times = rng.standard_exponential(demand.shape) / demand
    if barred is not None:
        times[barred.nonzero()] = np.inf
    most = min(int(sizes.max()), demand.shape[1])
    first = np.argpartition(times, most - 1, axis=1)[:, :most]  # (n_users, most), any order
    when = np.take_along_axis(times, first, axis=1)
    place = np.argsort(np.argsort(when, axis=1, kind="stable"), axis=1, kind="stable")
    row, column = np.nonzero((place < sizes[:, None]) & np.isfinite(when))
    entries = (np.ones(len(row)), (row, first[row, column]))
    return sparse.csr_array(entries, shape=demand.shape)
