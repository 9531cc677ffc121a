"""Policies: the chance with which each item is shown, made from a model, from scores, from lists or from a table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import sparse

from recnb.effect.logs import Log
from recnb.errors import InputError
from recnb.recommender import Lists, Recommender

Floats = np.ndarray
KINDS = ("softmax", "epsilon", "top")


class Policy:
    """The chance of every item, in a context, at a place; codes are those of one log.

    Attributes
    ----------
    positional : bool
        Whether it differs by place.
    """

    positional = False

    def probabilities(self, contexts: np.ndarray, position: int = 1) -> Floats:
        """Chance of every item.

        Parameters
        ----------
        contexts : ndarray of shape (n,), int
        position : int, from 1

        Returns
        -------
        ndarray of shape (n, n_items), float64
            Rows add up to 1.
        """
        raise NotImplementedError


class UniformPolicy(Policy):
    """Every item of the catalogue with the same chance."""

    def __init__(self, n_items: int) -> None:
        if n_items < 1:
            raise InputError(f"n_items={n_items}", mend="give the number of items of the log")
        self.n_items = n_items

    def __repr__(self) -> str:
        return f"UniformPolicy({self.n_items} items)"

    def probabilities(self, contexts: np.ndarray, position: int = 1) -> Floats:
        return np.full((len(contexts), self.n_items), 1 / self.n_items)


class ScorePolicy(Policy):
    """A policy made from scores, of a model or any other.

    Parameters
    ----------
    score : function of context codes, giving ndarray of shape (n, n_items)
        Higher is better; -inf where an item must not be shown.
    kind : {"softmax", "epsilon", "top"}
        "softmax": chance in proportion to exp(score / `temperature`), scores standardised within the context first.
        "epsilon": the best item, but with chance `epsilon` any item evenly. "top": the best `k` evenly; items that
        tie at the last of these places share what is left of them. All kinds show a slate's places independently.
    temperature, epsilon, k
    """

    def __init__(
        self,
        score: Callable[[np.ndarray], Floats],
        kind: str = "softmax",
        temperature: float = 1.0,
        epsilon: float = 0.1,
        k: int = 10,
    ) -> None:
        if kind not in KINDS:
            raise InputError(f"a policy of kind '{kind}'", mend=f"one of {', '.join(KINDS)}")
        if not temperature > 0:
            raise InputError(f"temperature={temperature}", mend="give a number above 0")
        if not 0 <= epsilon <= 1:
            raise InputError(f"epsilon={epsilon}", mend="give a chance between 0 and 1")
        if k < 1:
            raise InputError(f"k={k}", mend="show at least one item")
        self.score, self.kind = score, kind
        self.temperature, self.epsilon, self.k = temperature, epsilon, k

    def __repr__(self) -> str:
        name = {"softmax": "temperature", "epsilon": "epsilon", "top": "k"}[self.kind]
        return f"ScorePolicy({self.kind}, {name}={getattr(self, name):g})"

    def probabilities(self, contexts: np.ndarray, position: int = 1) -> Floats:
        scores = np.asarray(self.score(contexts), np.float64)
        if np.isnan(scores).any() or not np.isfinite(scores).any(axis=1).all():
            raise InputError("a score is NaN, or no item may be shown", mend="mend the model")
        if self.kind == "softmax":
            return softmax(standardised(scores) / self.temperature)
        best = evenly_top(scores, 1 if self.kind == "epsilon" else self.k)
        if self.kind == "top":
            return best
        allowed = np.isfinite(scores)
        even = allowed / allowed.sum(axis=1, keepdims=True)
        return (1 - self.epsilon) * best + self.epsilon * even


class TablePolicy(Policy):
    """A policy given as probabilities.

    Parameters
    ----------
    by_position : dict of position to sparse or dense matrix of shape (n_contexts, n_items)
        Key 0 serves every place that has no key of its own.
    """

    def __init__(self, by_position: dict[int, Floats | sparse.csr_array]) -> None:
        self.by_position = by_position
        self.positional = set(by_position) != {0}

    def __repr__(self) -> str:
        n_contexts, n_items = next(iter(self.by_position.values())).shape
        places = f", {len(self.by_position)} places" if self.positional else ""
        return f"TablePolicy({n_contexts} contexts, {n_items} items{places})"

    def probabilities(self, contexts: np.ndarray, position: int = 1) -> Floats:
        table = self.by_position.get(position, self.by_position.get(0))
        if table is None:
            raise InputError(
                f"the policy says nothing about place {position}", mend="give its probabilities"
            )
        rows = table[contexts]
        return rows.toarray() if sparse.issparse(rows) else np.asarray(rows)


def softmax(scores: Floats) -> Floats:
    """Rows of chances in proportion to exp(score).

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0, -np.inf]])).tolist()
    [[0.5, 0.5, 0.0]]
    """
    out = scores - scores.max(axis=1, keepdims=True)
    np.exp(out, out=out)
    out /= out.sum(axis=1, keepdims=True)
    return out


def standardised(scores: Floats) -> Floats:
    """Scores less their mean, over their standard deviation, in each row; -inf stays."""
    finite = np.isfinite(scores)
    if finite.all():
        out = scores - scores.mean(axis=1, keepdims=True)
        spread = np.sqrt(np.einsum("ci,ci->c", out, out) / out.shape[1])[:, None]
        out /= np.where(spread > 0, spread, 1.0)
        return out
    n = finite.sum(axis=1, keepdims=True)
    held = np.where(finite, scores, 0.0)
    mean = held.sum(axis=1, keepdims=True) / n
    spread = np.sqrt((np.where(finite, scores - mean, 0.0) ** 2).sum(axis=1, keepdims=True) / n)
    return np.where(finite, (held - mean) / np.where(spread > 0, spread, 1.0), -np.inf)


def evenly_top(scores: Floats, k: int) -> Floats:
    """The best `k` of each row evenly; those tied at the k-th place share what the others leave.

    Examples
    --------
    >>> evenly_top(np.array([[3.0, 1.0, 1.0]]), 2).tolist()
    [[0.5, 0.25, 0.25]]
    """
    allowed = np.isfinite(scores)
    k = min(k, scores.shape[1])
    edge = -np.partition(-scores, k - 1, axis=1)[:, k - 1 : k]
    above = scores > edge
    tied = (scores == edge) & allowed
    wanted = np.minimum(k, allowed.sum(axis=1, keepdims=True))
    left = wanted - above.sum(axis=1, keepdims=True)
    share = left / np.maximum(tied.sum(axis=1, keepdims=True), 1)
    return (above + tied * share) / wanted


def model_policy(
    model: Recommender,
    log: Log,
    kind: str = "softmax",
    had: sparse.csr_array | None = None,
    **settings,
) -> ScorePolicy:
    """The policy of a fitted model, over the contexts (users) and items of a log.

    Parameters
    ----------
    model : Recommender
        Items that it does not know get no chance.
    log : Log
    had : csr_array of shape (n_users, n_items), bool, optional
        Over the model's users and items: what a user has had and is not shown.
    kind, **settings
        As in :class:`ScorePolicy`.

    Raises
    ------
    InputError
        The model is not fitted, a context of the log is no user of it, it knows none of the items, or nothing is left
        for a user.
    """
    if not hasattr(model, "item_ids_"):
        raise InputError(f"{type(model).__name__} is not fitted", mend="call fit first")
    users = pd.Index(model.user_ids_).get_indexer(pd.Index(log.context_ids))
    items = pd.Index(model.item_ids_).get_indexer(pd.Index(log.item_ids))
    if (users < 0).any():
        first = log.context_ids[int((users < 0).argmax())]
        raise InputError(
            f"user '{first}' of {log.name} is unknown to the model ({(users < 0).sum():,} such users)",
            mend="fit it on data that hold these users, or drop their rows from the log",
        )
    if (items < 0).all():
        raise InputError(f"the model knows no item of {log.name}", mend="use the ids of the log")
    known = np.flatnonzero(items >= 0)
    barred = None if had is None else had[users][:, items[known]]
    if barred is not None and (np.diff(barred.indptr) == len(known)).any():
        first = log.context_ids[int((np.diff(barred.indptr) == len(known)).argmax())]
        raise InputError(
            f"user '{first}' of {log.name} has had every item that the model could show",
            mend="let items come again (--repeats include), or drop the user's rows from the log",
        )

    def score(contexts: np.ndarray) -> Floats:
        out = np.full((len(contexts), len(items)), -np.inf)
        scores = model.score(users[contexts])[:, items[known]]
        if barred is not None:
            scores = np.where(barred[contexts].toarray(), -np.inf, scores)
        out[:, known] = scores
        return out

    return ScorePolicy(score, kind, **settings)


def list_policy(lists: Lists, log: Log, epsilon: float = 0.0) -> TablePolicy:
    """The policy that shows a list: its first item at the first place, and so on.

    Parameters
    ----------
    lists : Lists
    log : Log
    epsilon : float
        Chance that any item of the catalogue stands at the place instead, evenly.

    Raises
    ------
    InputError
        A listed user or item is foreign to the log, or a user of it has no list or one shorter than the slates.
    """
    n_places = int(log.position.max())
    table = lists.table[lists.table["rank"] <= n_places]
    context = pd.Index(log.context_ids).get_indexer(pd.Index(table["user_id"]))
    kept = context >= 0  # lists of users whom the log never met
    table, context = table[kept], context[kept]
    item = pd.Index(log.item_ids).get_indexer(pd.Index(table["item_id"]))
    if (item < 0).any():
        raise InputError(
            f"'{table['item_id'].iloc[int((item < 0).argmax())]}' is no item of {log.name}",
            file=lists.file,
            column="item_id",
            mend="give the log its catalogue (--items), or leave the item out",
        )
    shape = (len(log.context_ids), len(log.item_ids))
    rank = table["rank"].to_numpy()
    out: dict[int, Floats | sparse.csr_array] = {}
    for place in range(1, n_places + 1):
        at = rank == place
        shown = np.bincount(context[at], minlength=shape[0])
        if (shown == 0).any():
            raise InputError(
                f"user '{log.context_ids[int((shown == 0).argmax())]}' has no item for place {place} "
                f"({(shown == 0).sum():,} such users)",
                file=lists.file,
                mend="give every user of the log a list as long as its slates",
            )
        matrix = sparse.csr_array((np.ones(at.sum()), (context[at], item[at])), shape=shape)
        out[place] = (
            matrix if epsilon == 0 else (1 - epsilon) * matrix.toarray() + epsilon / shape[1]
        )
    return TablePolicy(out)


def table_policy(frame: pd.DataFrame, log: Log, file: str = "policy") -> TablePolicy:
    """A policy from a table of chances.

    Parameters
    ----------
    frame : DataFrame with `item_id`, `probability`, and `user_id` (or `context`) and `position` where they matter
        Without a user column it is the same for everybody.
    log : Log
    file : str

    Raises
    ------
    InputError
        A chance is negative, above 1 or missing, the chances of a context and place do not add up to 1, a pair
        stands twice, or an id is foreign to the log.
    """
    from recnb.effect.policy.tables import checked_table

    codes, positions = checked_table(frame, log, file)
    shape = (len(log.context_ids), len(log.item_ids))
    out: dict[int, Floats | sparse.csr_array] = {}
    for place in positions:
        rows = codes[codes["position"] == place]
        matrix = sparse.csr_array(
            (rows["probability"].to_numpy(), (rows["context"].to_numpy(), rows["item"].to_numpy())),
            shape=shape,
        )
        out[int(place)] = matrix
    return TablePolicy(out)
