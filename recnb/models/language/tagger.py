"""The tagger: a history and a slate of candidates in one sequence; tokens of wanted items are labelled P, others O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.hashing import hash_ids
from recnb.metrics import kendall
from recnb.models.common.histories import Told
from recnb.models.common.settings import flat, group_of, whole_numbers
from recnb.models.language.joint.model import JointReader, passes
from recnb.models.language.joint.settings import JointSettings

if TYPE_CHECKING:
    from recnb.models.language.joint.sequences import Layout

WANTED, OTHER = "P", "O"
LEVELS = ("item", "token")


@dataclass(frozen=True)
class SlateSettings:
    """What a slate holds, and in which order.

    Parameters
    ----------
    slate : int
        Candidates in one sequence.
    n_targets : int
        Wanted ones among them at most, the next liked items behind a moment of a user's history; the rest is drawn.
    shuffle : bool
        Whether the slate's order is drawn, in training and when it is asked; False puts the popular ones first.
    n_orders : int
        Orders over which scores are averaged; one without `shuffle`.
    places : bool
        Whether a token is told its place in the slate. Without it, and with fewer layers than all, the order says
        nothing by construction.
    """

    slate: int = 10
    n_targets: int = 3
    shuffle: bool = True
    n_orders: int = 2
    places: bool = True

    def check(self) -> None:
        """Refuse what is out of range."""
        whole_numbers(self, "slate", "n_targets", "n_orders")
        if self.n_targets >= self.slate:
            raise InputError(
                f"n_targets={self.n_targets} in a slate of {self.slate}",
                mend="leave room for items that are not wanted",
            )


@flat(SlateSettings, JointSettings)
class SlateTagger(JointReader):
    """An encoder that reads a history and a slate of candidates in one sequence and tags the tokens of wanted ones.

    Parameters
    ----------
    {settings}

    Notes
    -----
    Candidates see the history and each other, the history sees itself. A candidate's score is the mean over its tokens
    of the log-odds of P. Its companions in the slate count too: they are drawn anew with each
    order. Where all layers read the sequence, a slate must fit in the encoder's positions.

    References
    ----------
    L. Ramshaw, M. Marcus, Text chunking using transformation-based learning, 1995 (labels of tokens); Q. Ai et al.,
    Learning a deep listwise context model for ranking refinement, SIGIR 2018 (a slate read as a whole).
    """

    loss = "tokens"

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "lr_encoder": ("log", 2e-4, 5e-3),
            "n_targets": ("int", 1, 5),
            "negatives": ("choice", ("popularity", "uniform")),
            "max_history": ("int", 5, 25),
        }

    @property
    def n_negatives(self) -> int:
        """Drawn items in a slate of the training."""
        return self.slate - self.n_targets

    @property
    def _sees(self) -> str:
        return "slate"

    @property
    def _slots(self) -> int:
        return self.slate if self.places else 0

    def _check_settings(self) -> None:
        super()._check_settings()
        group_of(self, SlateSettings).check()

    def _layout(self, network: Any) -> Layout:
        layout = super()._layout(network)
        most = self.slate * self.item_tokens
        if layout.whole and most > layout.tower.most_tokens:
            raise InputError(
                f"a slate of {self.slate} texts of {self.item_tokens} tokens does not fit in the encoder's "
                f"{layout.tower.most_tokens} positions",
                mend="lower slate, item_tokens or n_layers",
            )
        return layout

    def _learn_texts(self, train: Dataset) -> None:
        super()._learn_texts(train)
        self.popularity_ = np.asarray(train.positives().sum(axis=0), np.float32).ravel()

    def _labelled(
        self,
        layout: Layout,
        drawn: Sequence[tuple[Told, np.ndarray, np.ndarray]],
        rng: np.random.Generator,
    ) -> dict[str, Any]:
        ordered = []
        for told, items, labels in drawn:
            order = rng.permutation(len(items)) if self.shuffle else self._popular_first(items)
            ordered.append((told, items[order], labels[order]))
        return super()._labelled(layout, ordered, rng)

    def _popular_first(self, items: np.ndarray) -> np.ndarray:
        return np.lexsort((self.item_ids_[items].astype(str), -self.popularity_[items]))

    def _scores_of(
        self, network: Any, told: Sequence[Told], items: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """The mean over orders; the slates of an order are drawn by the items alone, so that equal calls agree."""
        n_orders = self.n_orders if self.shuffle else 1
        out = [np.zeros(len(row), np.float32) for row in items]
        for turn in range(n_orders):
            orders = [self._order(row, turn) for row in items]
            mixed = [row[order] for row, order in zip(items, orders)]
            for row, order, scores in zip(out, orders, super()._scores_of(network, told, mixed)):
                row[order] += scores / n_orders
        return out

    def _order(self, items: np.ndarray, turn: int) -> np.ndarray:
        if not self.shuffle:
            return self._popular_first(items)
        named = hash_ids(self.item_ids_[items]).tolist()
        return np.random.default_rng([self.seed, turn, *named]).permutation(len(items))

    def _packs(self, layout: Layout, told: Told, items: np.ndarray) -> Iterable[np.ndarray]:
        return np.array_split(np.arange(len(items)), max(1, -(-len(items) // self.slate)))

    # -- read as labels

    def token_scores(
        self, users: np.ndarray, items: np.ndarray, history: Dataset | None = None
    ) -> list[list[np.ndarray]]:
        """Log-odds of P of every token, the slate in the order given.

        Parameters
        ----------
        users : ndarray of shape (n,), int
        items : ndarray of shape (n, m), int
            Slates of at most `slate` items; -1 where one is short.
        history : Dataset, optional

        Returns
        -------
        list of list of ndarray
            For each user and candidate an array over its tokens; empty where there is no candidate.

        Raises
        ------
        InputError
            A slate is too long.
        """
        items = np.asarray(items)
        if items.shape[1] > self.slate:
            raise InputError(
                f"{items.shape[1]} candidates in a slate of {self.slate}", mend="give fewer at once"
            )
        network, told = self.network, self._told(users, history)
        layout = self._layout(network)
        kept = [row[row >= 0] for row in items]
        rows = [layout.row(past, row) for past, row in zip(told, kept)]
        sizes = np.array([len(row) for row in kept], np.int64)
        out = [[np.zeros(0, np.float32) for _ in row] for row in items]
        for part, values in passes(network.token_scores, network, rows, sizes):
            for number, scores in zip(part, values):
                parts = rows[number][1]
                for slot, place in enumerate(np.flatnonzero(items[number] >= 0)):
                    out[number][place] = scores[: len(parts)][parts == slot + 1]
        return out

    def report(
        self,
        users: np.ndarray,
        items: np.ndarray,
        wanted: np.ndarray,
        level: str = "item",
        history: Dataset | None = None,
    ) -> dict[str, Any]:
        """scikit-learn's `classification_report` of the labels, P where the log-odds are above 0.

        Parameters
        ----------
        users, items, history
            As in :meth:`token_scores`.
        wanted : ndarray of shape (n, m), bool
        level : {"item", "token"}
            Whether items count (P where the mean over the tokens is above 0) or tokens.

        Returns
        -------
        dict
            `P`, `O` (each `precision`, `recall`, `f1-score`, `support`), `accuracy`, `macro avg`, `weighted avg`.
        """
        from sklearn.metrics import classification_report

        if level not in LEVELS:
            raise InputError(f"level={level!r}", mend=f"one of {', '.join(LEVELS)}")
        true: list[str] = []
        guessed: list[str] = []
        for row, labels in zip(self.token_scores(users, items, history), np.asarray(wanted)):
            for scores, label in zip(row, labels):
                if not len(scores):
                    continue
                read = scores if level == "token" else [scores.mean()]
                true += [WANTED if label else OTHER] * len(read)
                guessed += [WANTED if score > 0 else OTHER for score in read]
        return classification_report(
            true, guessed, labels=[WANTED, OTHER], output_dict=True, zero_division=0.0
        )

    def order_sensitivity(
        self, users: np.ndarray, items: np.ndarray, history: Dataset | None = None, seed: int = 0
    ) -> dict[str, float]:
        """How far a slate's order moves its ranking: two drawn orders of each slate, compared.

        Parameters
        ----------
        users, items, history
            As in :meth:`token_scores`.
        seed : int
            Of the orders.

        Returns
        -------
        dict
            `kendall`, the mean of Kendall's tau between the two rankings (1: the same), `swapped`, the mean share of
            pairs that change places, and `n` slates in which there is an order to compare.

        See Also
        --------
        recnb.metrics.kendall
        """
        items = np.asarray(items)
        rng = np.random.default_rng(seed)
        orders = [
            rng.permuted(np.tile(np.arange(items.shape[1]), (len(items), 1)), axis=1)
            for _ in range(2)
        ]
        means = []
        for order in orders:
            mixed = self.token_scores(users, np.take_along_axis(items, order, axis=1), history)
            read = np.array([[s.mean() if len(s) else np.nan for s in row] for row in mixed])
            back = np.full(items.shape, np.nan)
            np.put_along_axis(back, order, read, axis=1)
            means.append(back)
        taus = kendall(*means)
        compared = int((~np.isnan(taus)).sum())
        tau = float(np.nanmean(taus)) if compared else float("nan")
        return {"kendall": tau, "swapped": (1 - tau) / 2, "n": float(compared)}
