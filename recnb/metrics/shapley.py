"""What each part of a whole is worth when every subset of the parts has been tried: Shapley values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from math import factorial

import numpy as np

from recnb.errors import InputError


def shapley(values: Mapping[frozenset[str] | tuple[str, ...], np.ndarray]) -> dict[str, np.ndarray]:
    """The share of each part in the value of all together.

    Parameters
    ----------
    values : mapping
        For every subset of the parts, the empty one among them, its value: a number, or an array of one value a user.

    Returns
    -------
    dict of str to ndarray
        Of each part its mean gain over all orders in which the parts may come, in the shape of the values. The shares
        add up to the value of all less that of none, user by user, so that intervals over users hold for them.

    Raises
    ------
    InputError
        A subset is missing, or the shapes differ.

    References
    ----------
    L. S. Shapley, A value for n-person games, 1953, equation 13.

    Examples
    --------
    >>> found = shapley({(): 0.0, ("text",): 0.2, ("image",): 0.1, ("text", "image"): 0.25})
    >>> {name: round(float(value), 3) for name, value in found.items()}
    {'image': 0.075, 'text': 0.175}
    """
    table = {frozenset(parts): np.asarray(value, float) for parts, value in values.items()}
    names = sorted(frozenset[str]().union(*table))
    for subset in subsets(names):
        if frozenset(subset) not in table:
            raise InputError(
                f"no value for {{{', '.join(subset)}}}", mend="give one for every subset"
            )
    if len({value.shape for value in table.values()}) > 1:
        raise InputError("values of unlike shapes", mend="the same users for every subset")
    n, out = len(names), {}
    for name in names:
        others = [other for other in names if other != name]
        out[name] = sum(
            factorial(len(s)) * factorial(n - len(s) - 1) / factorial(n)
            * (table[frozenset((*s, name))] - table[frozenset(s)])
            for s in subsets(others)
        )  # fmt: skip
    return out


def subsets(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Every subset, the small ones first.

    Examples
    --------
    >>> subsets(["a", "b"])
    [(), ('a',), ('b',), ('a', 'b')]
    """
    names = tuple(names)
    return [part for size in range(len(names) + 1) for part in combinations(names, size)]
