"""A share of lists drawn at random, with known chances: the log can then say what another model would have earned."""

from __future__ import annotations

import numpy as np

POOL = 5  # times k: the best items that a random list is drawn from


class Explorer:
    """Chooses which of the best items stand where.

    With probability 1 - `share` the list is the model's; else it is k items of the best ``5 k``, drawn and ordered at
    random. The chance that an item stands at a place is then ``(1 - share) [it is the model's there] + share / m``
    with m the number of items drawn from: exact, which estimates from the log rest on.

    Parameters
    ----------
    share : float
        From 0 to 1.
    seed : int, optional

    Examples
    --------
    >>> places, chances = Explorer(0.0).choose(9, 3)
    >>> places.tolist(), chances
    ([0, 1, 2], [1.0, 1.0, 1.0])
    """

    def __init__(self, share: float, seed: int | None = None) -> None:
        self.share, self._rng = share, np.random.default_rng(seed)

    def depth(self, k: int) -> int:
        """How many items are needed for a list of k."""
        return k if not self.share else POOL * k

    def choose(self, n: int, k: int) -> tuple[np.ndarray, list[float]]:
        """Places in the model's list of `n` items that are shown, and the chance of each to stand where it does."""
        k = min(n, k)
        if not self.share:
            return np.arange(k), [1.0] * k
        m = min(n, POOL * k)
        drawn = self._rng.random() < self.share
        places = self._rng.permutation(m)[:k] if drawn else np.arange(k)
        chances = self.share / max(m, 1) + (1 - self.share) * (places == np.arange(k))
        return places, chances.tolist()
