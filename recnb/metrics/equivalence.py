"""Whether two models are alike within a margin: not the same as a difference that could not be shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from recnb.errors import InputError
from recnb.metrics.intervals import Floats, resampled_means


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests: the relative difference, its 90 % interval, p, whether it is within the margin, users."""

    relative: float
    low: float
    high: float
    p: float
    equivalent: bool
    n: int


def equivalence(
    a: ArrayLike,
    b: ArrayLike,
    margin: float = 0.01,
    draws: int = 2000,
    seed: int = 0,
    weights: ArrayLike | None = None,
    transform: Callable[[Floats], Floats] | None = None,
) -> Equivalence:
    """Test that a model's value is within a share of another's, on the same users.

    The statistic is ``transform(mean of a) / transform(mean of b) - 1``, both resampled over users together. Two
    one-sided tests at 5 % each reject "at least a margin lower" and "at least a margin higher": the same as a 90 %
    percentile interval inside the margin.

    Parameters
    ----------
    a, b : array-like of shape (n_users,), float
        Row i of both is the same user.
    margin : float, default 0.01
        Share of the value of `b`.
    draws, seed, weights, transform
        As in :func:`recnb.metrics.intervals.paired`.

    Returns
    -------
    Equivalence
        `p` is the larger of the two one-sided ones: (1 + resamples beyond the margin) / (1 + draws).

    Raises
    ------
    InputError
        The shapes differ, the margin is not above 0, or the value of `b` is not above 0 in every resample.

    References
    ----------
    D. Schuirmann, A comparison of the two one-sided tests procedure and the power approach, 1987, section 2.

    Examples
    --------
    >>> x = np.linspace(0.5, 1, 200)
    >>> equivalence(x * 1.001, x).equivalent, equivalence(x * 1.05, x).equivalent
    (True, False)
    """
    x, y = np.asarray(a, float), np.asarray(b, float)
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise InputError(
            f"the two models have values of shape {x.shape} and {y.shape}",
            mend="give one value per user for both, users in the same order",
        )
    if not margin > 0:
        raise InputError(f"margin is {margin}", mend="give a share above 0, such as 0.01")
    w = np.ones(len(x)) if weights is None else np.asarray(weights, float)
    change = transform or (lambda values: values)
    both = np.column_stack([x, y])
    observed = change(w @ both / w.sum())
    means = change(resampled_means(both, w, draws, seed))
    if observed[1] <= 0 or (means[:, 1] <= 0).any():
        raise InputError("the second model's value is not above 0", mend="compare with another")
    relative = means[:, 0] / means[:, 1] - 1
    low, high = np.quantile(relative, [0.05, 0.95])
    beyond = max(int((relative <= -margin).sum()), int((relative >= margin).sum()))
    inside = bool(low > -margin and high < margin)
    p = (1 + beyond) / (1 + draws)
    return Equivalence(
        float(observed[0] / observed[1] - 1), float(low), float(high), p, inside, len(x)
    )
