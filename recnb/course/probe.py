"""What vectors know of something: a linear probe, judged on items that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recnb.metrics.intervals import resamples


@dataclass(frozen=True)
class Probe:
    """R² of each target on new items, and in every bootstrap draw of them.

    Attributes
    ----------
    value : ndarray of shape (m,)
    draws : ndarray of shape (n_draws, m)
    """

    value: np.ndarray
    draws: np.ndarray

    def rows(self, names: list[str], mean: str) -> list[dict[str, float | str]]:
        """Value and 95 % interval of each target and of their mean, which is called `mean`."""
        values = np.append(self.value, self.value.mean())
        draws = np.column_stack([self.draws, self.draws.mean(axis=1)])
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        return [
            {"trait": name, "value": float(v), "low": float(a), "high": float(b)}
            for name, v, a, b in zip([*names, mean], values, low, high, strict=True)
        ]


def probe(
    vectors: np.ndarray,
    targets: np.ndarray,
    known: np.ndarray,
    new: np.ndarray,
    draws: int = 2000,
    seed: int = 0,
) -> Probe:
    """Ridge regression from vectors to targets, fitted on known items, judged on new ones.

    Parameters
    ----------
    vectors : ndarray of shape (n_items, dim)
    targets : ndarray of shape (n_items, m)
    known, new : ndarray of int
        Rows to fit on, its strength chosen there by leaving one out, and rows to judge on.
    draws, seed : int
        Bootstrap draws of the new items.

    Returns
    -------
    Probe
        R² = 1 - sum (y - guess)² / sum (y - mean of the known)²: knowing nothing gives about 0.

    References
    ----------
    G. Alain, Y. Bengio, Understanding intermediate layers using linear classifier probes, 2016.

    Examples
    --------
    >>> x = np.arange(40.0)[:, None]
    >>> found = probe(x, 2 * x, np.arange(30), np.arange(30, 40), draws=1000)
    >>> bool(found.value[0] > 0.95), found.draws.shape
    (True, (1000, 1))
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 5, 13), alpha_per_target=True))
    guess = model.fit(vectors[known], targets[known]).predict(vectors[new])
    wrong = (targets[new] - guess.reshape(targets[new].shape)) ** 2  # (n_new, m)
    spread = (targets[new] - targets[known].mean(axis=0)) ** 2
    counts = np.vstack(list(resamples(len(new), draws, seed)))  # (draws, n_new)
    return Probe(
        1 - wrong.sum(axis=0) / spread.sum(axis=0), 1 - (counts @ wrong) / (counts @ spread)
    )
