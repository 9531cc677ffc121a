"""LightGCN: vectors of users and items spread along who likes what, and along what is known of the items."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils.metaestimators import available_if

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.hashing import hash_ids
from recnb.models.common.histories import check_items
from recnb.models.common.item_tables import constant_remark, groups_of
from recnb.models.common.liked import by_id, counts, liked_pairs, ruled, sink, ties
from recnb.models.common.new_items import grown_ids, new_items
from recnb.models.common.validation import Validation
from recnb.models.knowledge.graph import Facts, Graph, taken_together
from recnb.recommender import Reads, Recommender

if TYPE_CHECKING:
    from recnb.models.knowledge.network import GraphNetwork


class LightGCN(Recommender):
    """Vectors of users and items, spread along the graph of who likes what and of what items are.

    Parameters
    ----------
    share : float
        How much of an item's message comes from its attribute values, from 0 (they are not read) to below 1. An item
        that nobody has used hears them alone.
    columns : sequence of str, or str, optional
        Columns of the items table whose values become nodes, in a string joined by "+"; None means all but title and
        text whose values repeat.
    together : int
        Items joined to each item by an edge, those that the same people like; 0 joins none.
    width, n_layers : int
        Numbers of a vector; steps along the edges.
    loss : {"softmax", "bpr"}
        Cross-entropy over all items with rows, or each liked item against one drawn at random.
    l2 : float
        Penalty on the mean squared length of the learned vectors.
    rule : str, optional
        A column of the items: lists shall not hold two items with the same value of it. A soft rule: it costs
        `rule_weight` times the expected number of such pairs among ten listed items.
    rule_weight : float
        At least 0.
    lr : float
    batch_size : int
        Users of a step.
    n_epochs, patience : int
        The most epochs; with a validation part the best is kept, and so many without a better one end it.
    seed : int

    Notes
    -----
    The score is the product of the means over the layers 0 … `n_layers`. With a history a user's steps are taken from
    its items, the own vector is kept; a user unknown to `fit` has none. New items are reached by their values
    (:meth:`with_items`). An item with neither rows nor values stands below all others.

    References
    ----------
    X. He et al. (2020), "LightGCN: simplifying and powering graph convolution network for recommendation", SIGIR; X.
    Wang et al. (2019), "KGAT: knowledge graph attention network for recommendation", KDD, section 2 (the joint graph);
    S. Badreddine et al. (2022), "Logic tensor networks", section 3 (rules by the product of truths).
    """

    seeded = True
    uses_valid = True
    uses_history = True
    packages = ("torch",)

    def __init__(
        self,
        share: float = 0.0,
        columns: Sequence[str] | None = None,
        together: int = 0,
        width: int = 64,
        n_layers: int = 2,
        loss: str = "softmax",
        l2: float = 0.03,
        rule: str | None = None,
        rule_weight: float = 1.0,
        lr: float = 0.02,
        batch_size: int = 256,
        n_epochs: int = 100,
        patience: int = 10,
        seed: int = 0,
    ) -> None:
        self.share = share
        self.columns = columns
        self.together = together
        self.width = width
        self.n_layers = n_layers
        self.loss = loss
        self.l2 = l2
        self.rule = rule
        self.rule_weight = rule_weight
        self.lr = lr
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        self.patience = patience
        self.seed = seed

    def search_space(self) -> dict[str, tuple]:
        """Settings worth searching; the share of attributes where any are read."""
        space: dict[str, tuple] = {
            "n_layers": ("choice", [1, 2, 3]),
            "l2": ("log", 3e-3, 0.3),
            "lr": ("log", 3e-3, 5e-2),
        }
        return space | ({"share": ("float", 0.05, 0.9)} if self.share else {})

    def reads(self) -> Reads:
        attributes = self.share or self.rule is not None
        return Reads("pairs", ("attributes",) if attributes else ())

    def check_data(self, train: Dataset) -> None:
        super().check_data(train)
        self._check()
        if self.share:
            Facts.of(train.items, self.columns)
        if self.rule is not None:
            groups_of(train.items, self.rule)

    def _check(self) -> None:
        from recnb.models.knowledge.network import LOSSES

        if not 0 <= self.share < 1:
            raise InputError(f"share={self.share!r}", mend="a number from 0 to below 1")
        if self.loss not in LOSSES:
            raise InputError(f"loss={self.loss!r}", mend=f"one of {', '.join(LOSSES)}")
        for name, least in (("width", 1), ("n_layers", 0), ("together", 0), ("batch_size", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name}={getattr(self, name)!r}", mend=f"at least {least}")
        if not 0 <= self.rule_weight < np.inf:
            raise InputError(f"rule_weight={self.rule_weight!r}", mend="a number of at least 0")

    # ---------------------------------------------------------------- fitting

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        from recnb.models.knowledge.network import UserBatches
        from recnb.training import Training
        from recnb.training import train as train_network

        self._check()
        users, items = by_id(train)
        liked = liked_pairs(train)
        if not liked.nnz:
            raise InputError(f"'{train.name}' has no relevant pair", mend="lower relevant_from")
        self.popularity_ = counts(liked)
        self.own_ = np.diff(liked.indptr) > 0
        network, facts = self._network(train, liked, users, items)
        known = np.flatnonzero(np.diff(network.liked.tocsc().indptr))
        batches = UserBatches(network.liked, known, self.batch_size, self.seed)
        how = Training(
            epochs=self.n_epochs,
            lr=self.lr,
            weight_decay=0.0,
            warmup=0.0,
            schedule="constant",
            patience=self.patience,
            seed=self.seed,
        )

        def keep(module: Any) -> None:
            self._keep(module, liked, facts, users, items)

        value = None
        if valid is not None:
            validation = Validation.of(train, valid).needed()

            def value(module: Any) -> float:
                keep(module)
                return validation.value(self)

        trained = train_network(network, batches.epoch, how, value, data=train.digest)
        self.n_epochs_, self.learning_ = trained.n_epochs, list(trained.history)
        keep(network)

    def _network(
        self, train: Dataset, liked: sparse.csr_matrix, users: np.ndarray, items: np.ndarray
    ) -> tuple[GraphNetwork, sparse.csr_matrix]:
        """The network at its start, nodes in the order of their ids, and the facts in that of the catalogue."""
        import torch

        from recnb.models.knowledge.network import GraphNetwork

        if self.share:
            read = Facts.of(train.items, self.columns)
            self.columns_, self.names_, self.bins_ = read.columns, read.names, read.bins
            self.remarks_ = list(constant_remark(train.items, read.columns, self.columns))
            facts = read.edges(train.items)
        else:
            facts = sparse.csr_matrix((train.n_items, 0))
        ordered = sparse.csr_matrix(liked[users][:, items])
        ordered.sort_indices()
        together = None
        if self.together:
            together = taken_together(ordered, self.together, hash_ids(train.item_ids[items]))
        graph = Graph(ordered, sparse.csr_matrix(facts[items]), together)
        matrix = graph.spread(self.share, 0.3 * (1 - self.share) if self.together else 0.0)
        learned = np.ones(graph.n_nodes, bool)
        learned[: train.n_users] = np.diff(ordered.indptr) > 0
        learned[train.n_users : sum(ordered.shape)] = np.diff(ordered.tocsc().indptr) > 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = GraphNetwork(
                matrix,
                ordered,
                learned,
                self.width,
                self.n_layers,
                self.loss,
                self.l2,
                self._soft_rule(train.items.iloc[items]),
            )
        return network, sparse.csr_matrix(facts)

    def _soft_rule(self, items: pd.DataFrame) -> Any:
        import torch

        from recnb.models.knowledge.network import SoftRule

        if self.rule is None or not self.rule_weight:
            return None
        groups = groups_of(items, self.rule).tocoo()
        pairs = torch.from_numpy(np.stack([groups.row, groups.col], 1).astype(np.int64))
        return SoftRule(pairs, groups.shape[1], float(self.rule_weight))

    def _keep(
        self,
        network: GraphNetwork,
        liked: sparse.csr_matrix,
        facts: sparse.csr_matrix,
        users: np.ndarray,
        items: np.ndarray,
    ) -> None:
        """Vectors by code: of users layer 0 and the mean, of items and values those of all layers."""
        import torch

        with torch.no_grad():
            layers = torch.stack(network.layers()).float().cpu().numpy()
        n_users, n_items = liked.shape
        stop = n_users + n_items
        self.start_ = np.empty((n_users, self.width), np.float32)
        self.start_[users] = layers[0, :n_users]
        self.users_ = np.empty_like(self.start_)
        self.users_[users] = layers[:, :n_users].mean(axis=0)
        self.items_ = np.empty((len(layers), n_items, self.width), np.float32)
        self.items_[:, items] = layers[:, n_users:stop]
        self.values_ = layers[:, stop:].copy()
        self.degrees_ = np.asarray(facts.sum(axis=0), dtype=np.float32).ravel()
        reached = (self.popularity_ > 0) | (np.diff(facts.indptr) > 0)
        self.reached_ = reached

    # ---------------------------------------------------------------- scoring

    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """User and item vectors, float32, (n_users, d) and (n_items, d): their product orders items as the score does.

        Of items that are reached it is the score.
        """
        return ruled(self.users_, self.items_.mean(axis=0), ~self.reached_, self.popularity_)

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        users = np.asarray(users)
        if "users_" not in vars(self):
            raise InputError(f"{type(self).__name__} is not fitted", mend="call fit first")
        left = self.users_[users] if history is None else self._told(users, history)
        out = left @ self.items_.mean(axis=0).T + ties(self.popularity_)
        return sink(out.astype(np.float32), ~self.reached_, self.popularity_)

    def _told(self, users: np.ndarray, history: Dataset) -> np.ndarray:
        """User vectors whose steps are taken from a history."""
        check_items(history, self.item_ids_, fewer=True)
        rows = liked_pairs(history)[users]
        rows.resize(len(users), len(self.item_ids_))
        n = np.maximum(np.diff(rows.indptr), 1)[:, None]
        root = np.sqrt(np.maximum(self.popularity_, 1))
        weighted = sparse.csr_matrix(rows @ sparse.diags(1 / root))
        steps = sum(weighted @ layer for layer in self.items_[:-1]) / np.sqrt(n)
        known = (users < len(self.start_))[:, None]
        own = np.where(known, self.start_[np.minimum(users, len(self.start_) - 1)], 0)
        return ((own + steps) / len(self.items_)).astype(np.float32)

    # ---------------------------------------------------------------- new items

    @available_if(lambda self: self.share > 0)
    def with_items(self, items: pd.DataFrame) -> LightGCN:
        """A copy that also scores new items, which follow the known ones, by the attribute values they share.

        Raises
        ------
        InputError
            An id is known already, or stands twice.
        """
        table = new_items(items, self.item_ids_)
        edges = Facts(self.columns_, self.names_, self.bins_).edges(table)
        n = np.maximum(np.diff(edges.indptr), 1)[:, None]
        hears = sparse.diags(1 / np.sqrt(np.maximum(self.degrees_, 1)))
        weighted = sparse.csr_matrix(edges @ hears)
        new = np.zeros((len(self.items_), len(table), self.width), np.float32)
        for layer in range(1, len(new)):
            new[layer] = (weighted @ self.values_[layer - 1]) / np.sqrt(n)
        out: Any = copy.copy(self)
        out.items_ = np.concatenate([self.items_, new], axis=1)
        out.item_ids_ = grown_ids(self.item_ids_, table)
        out.popularity_ = np.pad(self.popularity_, (0, len(table)))
        out.reached_ = np.append(self.reached_, np.diff(edges.indptr) > 0)
        return out
