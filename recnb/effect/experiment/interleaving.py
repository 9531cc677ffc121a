"""Team-draft interleaving: two rankers fill one list in turns, and the clicks say whose items were wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from recnb.errors import InputError

Floats = np.ndarray


def team_draft(
    left: np.ndarray, right: np.ndarray, k: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Lists in which two rankers take turns, a coin deciding each round who picks first.

    Parameters
    ----------
    left, right : ndarrays of shape (n_users, depth), int
        Item codes, best first, at least `k` different ones in both together.
    k : int
        Length of the mixed list.
    rng : numpy.random.Generator

    Returns
    -------
    items : ndarray of shape (n_users, k), int
    team : ndarray of shape (n_users, k), int
        0 where the left ranker picked, 1 where the right one did.

    References
    ----------
    Radlinski, Kurup and Joachims, How does clickthrough data reflect retrieval quality?, CIKM 2008, section 5.2.

    Examples
    --------
    >>> items, team = team_draft(np.array([[1, 2]]), np.array([[1, 3]]), 2, np.random.default_rng(0))
    >>> items[0, 0], sorted(team[0].tolist())
    (np.int64(1), [0, 1])
    """
    if left.shape != right.shape or left.ndim != 2:
        raise InputError(
            f"lists of shape {left.shape} and {right.shape}", mend="give lists of equal length"
        )
    n, depth = left.shape
    items = np.full((n, k), -1, np.int64)
    team = np.full((n, k), -1, np.int64)
    rankers = (left, right)
    rows = np.arange(n)
    for place in range(k):
        if place % 2 == 0:
            picks = rng.integers(0, 2, n)
        else:
            picks = 1 - picks
        chosen = np.full(n, -1)
        for side in (0, 1):
            mine = rows[picks == side]
            # The first item of this ranker that is not yet in the list.
            free = ~(rankers[side][mine][:, :, None] == items[mine][:, None, :place]).any(axis=2)
            if not free.any(axis=1).all():
                raise InputError(
                    f"lists of {depth} items cannot fill {k} places", mend="give longer lists"
                )
            chosen[mine] = rankers[side][mine, free.argmax(axis=1)]
        items[:, place], team[:, place] = chosen, picks
    return items, team


@dataclass(frozen=True)
class Preference:
    """What an interleaved test says.

    Attributes
    ----------
    right_wins, left_wins, ties : int
        Users with more clicks on items of the one, of the other, as many of both.
    preference : float
        (right_wins - left_wins) / users; `low` and `high` are its 95 % interval.
    p : float
        Sign test, ties left out.
    """

    right_wins: int
    left_wins: int
    ties: int
    preference: float
    low: float
    high: float
    p: float


def preference(clicks: Floats, team: np.ndarray) -> Preference:
    """Count whose items were clicked more, user by user.

    Parameters
    ----------
    clicks : ndarray of shape (n_users, k), 0 or 1
    team : ndarray of shape (n_users, k)
        From :func:`team_draft`.

    Examples
    --------
    >>> preference(np.array([[1, 0], [1, 1]]), np.array([[1, 0], [0, 1]])).right_wins
    1
    """
    right = (clicks * (team == 1)).sum(axis=1)
    left = (clicks * (team == 0)).sum(axis=1)
    sign = np.sign(right - left)
    wins, losses = int((sign > 0).sum()), int((sign < 0).sum())
    n = len(sign)
    value = float(sign.mean())
    half = 1.959964 * float(sign.std(ddof=1)) / np.sqrt(n) if n > 1 else np.nan
    p = float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
    return Preference(wins, losses, n - wins - losses, value, value - half, value + half, p)
