"""How far a measure differs between groups of users."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from recnb.errors import InputError
from recnb.metrics.intervals import resampled_means


def group_gap(
    values: ArrayLike,
    groups: ArrayLike,
    reference: str | None = None,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Means within groups of users, and how far each is from one of them.

    Parameters
    ----------
    values : array-like of shape (n_users,), float
        A measure per user, or a difference of two models per user (then the gap says for whom one helps more).
    groups : array-like of shape (n_users,)
        A label for each user. Missing labels (None, NaN) are a group of their own, "not given": who is described
        is rarely like who is not.
    reference : str, optional
        The group the others are compared with; default: the largest (of equals the first by name).
    draws, seed, level
        As in :func:`recnb.metrics.bootstrap`.

    Returns
    -------
    DataFrame, one row per group, sorted by name
        `group, n_users, value, low, high, to, difference, difference_low, difference_high`. Groups are resampled
        apart, each to its own size. NaN ends where a group has a single user. No correction is made over groups:
        the widest of many gaps is wide by chance alone.

    Raises
    ------
    InputError
        Fewer than two groups, an unknown reference, lengths that differ, or values that are not finite.

    References
    ----------
    Ekstrand et al., All the cool kids, how do they fit in?, FAT* 2018 (utility by demographic group).
    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 8.2 (two samples).

    Examples
    --------
    >>> gaps = group_gap([0.0, 0.2, 0.4, 0.6, 1.0], ["a", "a", "a", "b", "b"])
    >>> gaps[["group", "n_users", "value", "to", "difference"]].round(2)
      group  n_users  value to  difference
    0     a        3    0.2  a         0.0
    1     b        2    0.8  a         0.6
    """
    numbers = np.asarray(values, dtype=np.float64)
    labels = pd.Series(np.asarray(groups, dtype=object))
    if numbers.ndim != 1 or len(labels) != len(numbers) or not len(numbers):
        raise InputError(
            f"values have shape {numbers.shape} beside {len(labels)} groups",
            mend="give one number and one label per user",
        )
    if not np.isfinite(numbers).all():
        raise InputError(
            "a value is NaN or infinite",
            row=int(np.argmin(np.isfinite(numbers))) + 1,
            mend="leave users without a value out and state how many remain",
        )
    if not 0 < level < 1:
        raise InputError(f"level is {level}", mend="give a share between 0 and 1, such as 0.95")
    named = np.where(labels.isna(), "not given", labels.astype(str)).astype(object)
    names, sizes = np.unique(named.astype(str), return_counts=True)
    if len(names) < 2:
        raise InputError(f"the only group is '{names[0]}'", mend="a gap needs two groups")
    to = str(names[int(np.argmax(sizes))]) if reference is None else str(reference)
    if to not in names:
        raise InputError(f"no group '{to}'", mend=f"one of {', '.join(names)}")
    held, drawn = {}, {}
    for at, name in enumerate(names):
        mine = numbers[named == name]
        held[name] = mine
        # Seeds of their own: groups are independent samples.
        means = resampled_means(mine[:, None], None, draws, seed + at)[:, 0]
        drawn[name] = means if len(mine) > 1 else np.full(draws, np.nan)
    tail = [(1 - level) / 2, (1 + level) / 2]
    rows = []
    for name in names:
        gap = 0.0 if name == to else float(held[name].mean() - held[to].mean())
        ends = (0.0, 0.0) if name == to else np.quantile(drawn[name] - drawn[to], tail)
        mean = float(held[name].mean())
        rows.append(
            (str(name), len(held[name]), mean, *np.quantile(drawn[name], tail), to, gap, *ends)
        )
    return pd.DataFrame(
        rows,
        columns=[
            *("group", "n_users", "value", "low", "high"),
            *("to", "difference", "difference_low", "difference_high"),
        ],
    )
