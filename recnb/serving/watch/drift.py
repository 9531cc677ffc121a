"""Whether requests and scores look as they did in training: shares kept at export, compared while serving."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from recnb.errors import InputError

SIGNALS = ("history_length", "history_popularity", "score")
BINS = 10
WINDOW = 2000  # latest values that are compared
ENOUGH = 500  # values from which a comparison is told
_SAMPLE = 500  # users whose lists give the scores
_FLOOR = 1e-4  # share of an empty bin
K = 10


class Shares:
    """A distribution as the shares of bins.

    Parameters
    ----------
    edges : ndarray of shape (n_bins - 1,)
        Inner edges, ascending; a value equal to an edge lies above it.
    shares : ndarray of shape (n_bins,)
        Sum to 1.

    Examples
    --------
    >>> shares = Shares.of(np.arange(100.0), bins=4)
    >>> shares.edges.tolist(), shares.shares.tolist()
    ([25.0, 50.0, 75.0], [0.25, 0.25, 0.25, 0.25])
    >>> round(shares.distance(np.array([25, 25, 25, 25])), 3), round(shares.distance(np.array([0, 0, 0, 9])), 1)
    (0.0, 6.9)
    """

    def __init__(self, edges: np.ndarray, shares: np.ndarray) -> None:
        self.edges, self.shares = edges, shares
        self._edges = edges.tolist()  # one value at a time is found sooner in a list

    @classmethod
    def of(cls, values: np.ndarray, bins: int = BINS) -> Shares:
        """Bins of equal share where values differ; fewer bins where many are alike."""
        edges = np.unique(np.quantile(values, np.arange(1, bins) / bins, method="higher"))
        counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
        filled = counts > 0
        if not filled[0]:  # the lowest values lie on the first edge
            edges, counts = edges[1:], counts[1:]
        return cls(edges, counts / counts.sum())

    @classmethod
    def from_json(cls, values: Any, file: str) -> Shares:
        """Checked values of `artefact.json`."""
        try:
            edges = np.array(values["edges"], dtype=np.float64)
            shares = np.array(values["shares"], dtype=np.float64)
            right = len(shares) == len(edges) + 1 and bool((np.diff(edges) > 0).all())
            right &= bool((shares >= 0).all()) and abs(float(shares.sum()) - 1) < 1e-6
        except (TypeError, ValueError, KeyError):
            right = False
        if not right:
            raise InputError("a reference of drift is broken", file=file, mend="export again")
        return cls(edges, shares)

    def to_json(self) -> dict[str, list[float]]:
        """Plain values."""
        return {"edges": self.edges.tolist(), "shares": self.shares.tolist()}

    def bin(self, value: float) -> int:
        """The bin of a value."""
        return bisect_right(self._edges, value)

    def distance(self, counts: np.ndarray) -> float:
        """Population stability index between counts in the bins and this distribution, 0 where they are alike.

        Notes
        -----
        ``sum over bins of (p - q) ln(p / q)``, an empty bin counted as one ten-thousandth. Without any drift its
        expectation over n values is about ``(bins - 1) / n``: 0.02 for 500. Common reading: below 0.1 steady, above
        0.25 another population.

        References
        ----------
        Siddiqi (2006), "Credit risk scorecards", chapter 10; Yurdakul (2018), "Statistical properties of population
        stability index", section 3.
        """
        p = np.maximum(counts / counts.sum(), _FLOOR)
        q = np.maximum(self.shares, _FLOOR)
        return float(((p - q) * np.log(p / q)).sum())


class Drift:
    """The latest values of each signal against those of the training data. Safe from any thread.

    Parameters
    ----------
    reference : mapping of signal to Shares
    window : int

    Examples
    --------
    >>> drift = Drift({"score": Shares.of(np.arange(1000.0))})
    >>> for value in range(0, 1000, 2):
    ...     drift.see("score", value)
    >>> round(drift.distances()["score"], 3)
    0.0
    """

    def __init__(self, reference: Mapping[str, Shares], window: int = WINDOW) -> None:
        self.reference = dict(reference)
        self._values: dict[str, deque[int]] = {n: deque(maxlen=window) for n in self.reference}
        self._counts = {n: [0] * len(s.shares) for n, s in self.reference.items()}
        self._lock = threading.Lock()

    def see(self, signal: str, value: float) -> None:
        """A value of a request; a signal that has no reference is passed over."""
        shares = self.reference.get(signal)
        if shares is None:
            return
        at, kept, counts = shares.bin(value), self._values[signal], self._counts[signal]
        with self._lock:
            if len(kept) == kept.maxlen:
                counts[kept[0]] -= 1
            kept.append(at)
            counts[at] += 1

    def distances(self) -> dict[str, float]:
        """The index of each signal that has 500 values or more."""
        with self._lock:
            counts = {n: np.array(c) for n, c in self._counts.items() if sum(c) >= ENOUGH}
        return {name: self.reference[name].distance(c) for name, c in counts.items()}


def fame(popularity: np.ndarray) -> np.ndarray:
    """Each item's rank by users as a share: 1 for the most used, ties their mean; shape (n_items,), float64.

    Examples
    --------
    >>> fame(np.array([5, 1, 1, 9])).tolist()
    [0.75, 0.375, 0.375, 1.0]
    """
    _, place, counts = np.unique(popularity, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return ranks[place] / max(1, len(popularity))


def fame_of_users(known: sparse.csr_matrix, of_items: np.ndarray) -> np.ndarray:
    """Mean fame of what each user knows, NaN for one who knows nothing; shape (n_users,)."""
    n = np.diff(known.indptr)
    with np.errstate(invalid="ignore"):
        return (known.astype(np.float64) @ of_items) / np.where(n > 0, n, np.nan)


def reference(
    model: Any, known: sparse.csr_matrix, popular: np.ndarray, seed: int = 0
) -> dict[str, Any]:
    """What an artefact keeps of its training data, in plain values.

    Parameters
    ----------
    model : Recommender
        Fitted.
    known : csr_matrix of shape (n_users, n_items)
    popular : ndarray of shape (n_items,), bool
        The most used tenth.
    seed : int
        Of the draw of 500 users whose first ten items give scores and the share of popular ones.

    Returns
    -------
    dict
        `signals`, by name of :data:`SIGNALS`; `popular_share`, from 0 to 1, or None without users.
    """
    from recnb.recommender.topk import top_k_scores

    n = np.diff(known.indptr)
    popularity = np.bincount(known.indices, minlength=known.shape[1])
    famous = fame_of_users(known, fame(popularity))
    signals = {}
    if (n > 0).any():
        signals["history_length"] = Shares.of(n[n > 0].astype(np.float64))
        signals["history_popularity"] = Shares.of(famous[n > 0])
    asked = np.sort(np.random.default_rng(seed).permutation(np.flatnonzero(n > 0))[:_SAMPLE])
    share = None
    if len(asked):
        codes, scores = top_k_scores(model, asked, K, known)
        signals["score"] = Shares.of(scores[:, 0][codes[:, 0] >= 0].astype(np.float64))
        share = float(popular[codes[codes >= 0]].mean())
    return {
        "signals": {name: shares.to_json() for name, shares in signals.items()},
        "popular_share": share,
    }
