"""What can be done with rows that nobody has labelled: labels from a model, and which ones to ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.recommender import Recommender

CHOICES = ("random", "coverage", "uncertainty")


def with_pseudo_labels(
    model: Recommender, train: Dataset, n: int, items: np.ndarray | None = None
) -> Dataset:
    """Training rows, and as if liked the `n` items that a model puts first for each user.

    Parameters
    ----------
    model : Recommender
        Fitted on `train`.
    train : Dataset
    n : int
        Of each user with rows; known pairs are none of them.
    items : ndarray of int, optional
        Codes that may be labelled: new items, say; by default all.

    Returns
    -------
    Dataset
        New rows have the highest rating of the scale, and stand behind the user's own ones.

    Raises
    ------
    InputError
        `n` is below 1, or there is no item to label.

    References
    ----------
    D.-H. Lee, Pseudo-label, ICML workshop 2013, section 2.2.
    """
    codes = np.arange(train.n_items) if items is None else np.unique(np.asarray(items))
    if n < 1 or not len(codes):
        raise InputError(f"n={n} labels among {len(codes)} items", mend="at least 1 of both")
    users = np.flatnonzero(np.bincount(train.interactions["user"], minlength=train.n_users))
    scores = np.array(model.score(users)[:, codes], np.float32)
    scores[train.pairs()[users][:, codes].toarray() > 0] = -np.inf
    best = np.argsort(-scores, axis=1, kind="stable")[:, :n]
    there = np.isfinite(np.take_along_axis(scores, best, axis=1))
    rows, own = train.interactions, pd.DataFrame()
    own["user"] = np.repeat(users, best.shape[1])[there.ravel()]
    own["item"] = codes[best.ravel()][there.ravel()]
    own = own.astype({"user": rows["user"].dtype, "item": rows["item"].dtype})
    if train.feedback == "explicit" and train.scale is not None:
        own["rating"] = np.float32(train.scale[1])
    if train.order:
        last = rows.groupby("user")[train.order].max()
        own[train.order] = last.loc[own["user"]].to_numpy() + 1
    both = pd.concat([rows, own]).sort_values("user", kind="stable", ignore_index=True)
    return replace(train, interactions=both)


def disagreement(members: Sequence[Recommender], users: np.ndarray) -> np.ndarray:
    """How little members of an ensemble agree on each item: (n_items,), float64.

    Parameters
    ----------
    members : sequence of Recommender
        Fitted, two or more.
    users : ndarray of int
        Whose scores are compared: each user's are first brought to mean 0 and deviation 1, in each member.

    Returns
    -------
    ndarray
        Mean over users of the variance over members.
    """
    if len(members) < 2:
        raise InputError("one member agrees with itself", mend="give several")
    scores = np.stack([np.asarray(m.score(users), np.float64) for m in members])
    scores -= scores.mean(axis=2, keepdims=True)
    scores /= np.maximum(scores.std(axis=2, keepdims=True), 1e-12)
    return scores.var(axis=0, ddof=1).mean(axis=0)


def choose_items(
    n: int,
    how: str,
    items: np.ndarray,
    vectors: np.ndarray | None = None,
    uncertainty: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Which items to have labelled, where only some can be.

    Parameters
    ----------
    n : int
    how : {"random", "coverage", "uncertainty"}
        "coverage": each next item is the one farthest from those chosen (k-centre greedy, Sener & Savarese 2018,
        algorithm 1), the first one drawn; "uncertainty": those of which a model is least sure.
    items : ndarray of shape (m,), int
        Codes to choose from.
    vectors : ndarray of shape (n_items, dim)
        Of their texts, for "coverage".
    uncertainty : ndarray of shape (n_items,)
        :func:`disagreement`, for "uncertainty".
    seed : int

    Returns
    -------
    ndarray of shape (min(n, m),), int64
        In the order chosen.

    Raises
    ------
    InputError
        An unknown way, or what it goes by is not given.

    Examples
    --------
    >>> choose_items(2, "coverage", np.arange(3), np.array([[0.0], [0.1], [9.0]])).tolist()[1] in (0, 2)
    True
    """
    items = np.asarray(items)
    rng = np.random.default_rng(seed)
    if how not in CHOICES:
        raise InputError(f"how={how!r}", mend=f"one of {', '.join(CHOICES)}")
    n = min(n, len(items))
    if how == "random":
        return rng.permutation(items)[:n].astype(np.int64)
    if how == "uncertainty":
        if uncertainty is None:
            raise InputError("no uncertainty to go by", mend="give disagreement(members, users)")
        return items[np.argsort(-uncertainty[items], kind="stable")[:n]].astype(np.int64)
    if vectors is None:
        raise InputError("no vectors to cover", mend="give those of the texts")
    points = np.asarray(vectors, np.float64)[items]
    chosen = [int(rng.integers(len(items)))] if n else []
    nearest = np.full(len(items), np.inf)
    while len(chosen) < n:
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen[-1]], axis=1))
        nearest[chosen] = -1.0
        chosen.append(int(nearest.argmax()))
    return items[chosen].astype(np.int64)
