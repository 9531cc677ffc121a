"""The pair model: an encoder reads what a user liked and a candidate together, and says how well they go together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.metaestimators import available_if

from recnb.data import Dataset
from recnb.data.text import Text
from recnb.errors import InputError
from recnb.models.language.calibration import Calibration, Platt
from recnb.models.language.histories import Told
from recnb.models.language.joint.asked import Asked
from recnb.models.language.joint.model import JointReader
from recnb.training.regularisation.settings import Regularisation

if TYPE_CHECKING:
    from recnb.models.language.joint.sequences import Layout

TARGETS, LOSSES, SEES = ("click", "rating"), ("bce", "softmax"), ("history", "both")


class TextPair(JointReader):
    """A cross-encoder on the texts of a user's history and of a candidate, for clicks or ratings.

    Parameters
    ----------
    target : {"click", "rating"}
        What is learned: whether an item comes next, against drawn ones that do not; or the rating, and then the model
        predicts ratings.
    loss : {"bce", "softmax"}
        Of clicks: cross-entropy of each candidate alone, or of the wanted one among the drawn ones.
    negatives : {"popularity", "uniform"}
        How items that did not come are drawn: as often as they are liked, so that popularity is no merit, or all alike.
    n_targets, n_negatives : int
        Candidates of a training row: the next liked items behind a moment of a user's history, and drawn ones.
    sees : {"history", "both"}
        "history": a candidate sees the history and the history no candidate, so that one pass over a history serves
        all its candidates; "both": the plain cross-encoder, a pass for each pair.
    n_layers : int
        The highest so many layers read the two together, and are tuned; below, each text is read alone and once.
    method : str
        How these layers are tuned: of :data:`recnb.models.language.joint.model.JOINT_METHODS`.
    size : int, optional
        Of the method, a rank for instance.
    max_history : int
        The most recent items told of a user: those liked, or for ratings all, with what was thought of them.
    item_tokens : int
        Tokens read of a candidate's text.
    text : Text, optional
        A candidate's sentence; by default the usual columns that the table has. Histories tell titles.
    encoder : str, optional
        Folder or name; None means the default encoder.
    users_per_epoch, batch_users : int
        Histories of an epoch, each at a moment drawn anew, and of a step.
    n_epochs, patience : int
        At most so many epochs; `patience` epochs without a better validation value end it.
    lr, lr_encoder, weight_decay, dropout
        `lr` of the head; None: what is usual for the method.
    word_dropout, synonyms, adversarial, epsilon, pgd_steps, r_drop, label_smoothing, average, average_decay, swa_start
        Against overfitting, see :class:`recnb.training.Regularisation`: noise on words needs all layers, noise on
        labels the loss "bce" of clicks.
    calibration : tuple of two floats, optional
        Slope and shift of :meth:`probability`; None: found on the validation part.
    checkpoint : str, optional
        Folder from which a killed training goes on.
    seed : int

    Notes
    -----
    Histories hold only what stood before the target. A row of several candidates is one sequence; its costs follow the
    number of tokens. The best epoch has the highest mean area under the curve of what 200 validation users liked
    against drawn items, or the lowest error of ratings. An item with a text longer than `item_tokens` is cut there, a
    history at `max_history` items and names of 12 words.

    References
    ----------
    R. Nogueira, K. Cho, Passage re-ranking with BERT, 2019, section 3 (the cross-encoder); S. MacAvaney et al.,
    Efficient document re-ranking for transformers by precomputing term representations, SIGIR 2020, section 3.

    See Also
    --------
    recnb.models.Rerank : ``ease>pair``, where it judges few candidates.
    """

    def __init__(
        self,
        target: str = "click",
        loss: str = "bce",
        negatives: str = "popularity",
        n_targets: int = 4,
        n_negatives: int = 8,
        sees: str = "history",
        n_layers: int = 2,
        method: str = "lora",
        size: int | None = None,
        max_history: int = 10,
        item_tokens: int = 24,
        text: Text | None = None,
        encoder: str | None = None,
        users_per_epoch: int = 400,
        batch_users: int = 8,
        n_epochs: int = 5,
        patience: int | None = 2,
        lr: float = 1e-3,
        lr_encoder: float | None = None,
        weight_decay: float = 0.01,
        dropout: float = 0.1,
        word_dropout: float = 0.0,
        synonyms: float = 0.0,
        adversarial: str = "none",
        epsilon: float = 0.1,
        pgd_steps: int = 3,
        r_drop: float = 0.0,
        label_smoothing: float = 0.0,
        average: str = "none",
        average_decay: float = 0.99,
        swa_start: int = 0,
        calibration: tuple[float, float] | None = None,
        checkpoint: str | None = None,
        seed: int = 0,
    ) -> None:
        self.target = target
        self.loss = loss
        self.negatives = negatives
        self.n_targets = n_targets
        self.n_negatives = n_negatives
        self.sees = sees
        self.n_layers = n_layers
        self.method = method
        self.size = size
        self.max_history = max_history
        self.item_tokens = item_tokens
        self.text = text
        self.encoder = encoder
        self.users_per_epoch = users_per_epoch
        self.batch_users = batch_users
        self.n_epochs = n_epochs
        self.patience = patience
        self.lr = lr
        self.lr_encoder = lr_encoder
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.word_dropout = word_dropout
        self.synonyms = synonyms
        self.adversarial = adversarial
        self.epsilon = epsilon
        self.pgd_steps = pgd_steps
        self.r_drop = r_drop
        self.label_smoothing = label_smoothing
        self.average = average
        self.average_decay = average_decay
        self.swa_start = swa_start
        self.calibration = calibration
        self.checkpoint = checkpoint
        self.seed = seed

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "lr_encoder": ("log", 2e-4, 5e-3),
            "n_negatives": ("int_log", 4, 16),
            "negatives": ("choice", ("popularity", "uniform")),
            "max_history": ("int", 5, 25),
        }

    @property
    def needs_ratings(self) -> bool:  # type: ignore[override]
        return self._rated

    @property
    def _rated(self) -> bool:
        return self.target == "rating"

    @property
    def _loss(self) -> str:
        return "mse" if self._rated else self.loss

    @property
    def _sees(self) -> str:
        return "own" if self.sees == "history" else "all"

    def _packs(self, layout: Layout, told: Told, items: np.ndarray) -> Iterable[np.ndarray]:
        if self.sees == "history":
            return super()._packs(layout, told, items)
        return (np.array([place]) for place in range(len(items)))

    def _labelled(
        self,
        layout: Layout,
        drawn: Sequence[tuple[Told, np.ndarray, np.ndarray]],
        rng: np.random.Generator,
    ) -> dict[str, Any]:
        if self.sees == "history":
            return super()._labelled(layout, drawn, rng)
        import torch

        from recnb.models.language.joint.sequences import batch_of

        at = [(r, c) for r, (_, items, _) in enumerate(drawn) for c in range(len(items))]
        rows = [layout.row(drawn[r][0], drawn[r][1][c : c + 1]) for r, c in at]
        labels = np.full((len(drawn), 1 + max(c for _, c in at)), np.nan, np.float32)
        for r, c in at:
            labels[r, c] = drawn[r][2][c]
        more = {"at": torch.tensor(at), "labels": torch.from_numpy(labels)}
        return {**batch_of(rows, 1), **more}

    def _check_settings(self) -> None:
        super()._check_settings()
        for name, known in (("target", TARGETS), ("loss", LOSSES), ("sees", SEES)):
            if getattr(self, name) not in known:
                raise InputError(
                    f"{name}={getattr(self, name)!r}", mend=f"one of {', '.join(known)}"
                )

        if Regularisation.of(self).changes_labels and self._loss != "bce":
            raise InputError(
                "label_smoothing and r_drop take a candidate for wanted or not",
                mend="use loss='bce' and target='click'",
            )

    def _learn_valid(self, asked: Asked | None) -> None:
        """Calibrate what is said of clicks."""
        self.platt_ = np.array(self.calibration or (1.0, 0.0))
        self.errors_ = np.full(3, np.nan)  # expected calibration error before and after, and rows
        if asked is None or self._rated or self.calibration is not None:
            return
        scores = np.concatenate(self._scores_of(self.network, asked.told, asked.items))
        wanted = np.concatenate(asked.labels) == 1
        users = np.repeat(asked.users, [len(items) for items in asked.items])
        learned = Calibration.of(scores, wanted, users)
        self.platt_ = np.array([learned.platt.slope, learned.platt.shift])
        self.errors_ = np.array([learned.before, learned.after, learned.n])

    def chosen(self) -> dict[str, Any]:
        """The number of epochs, and the calibration."""
        found = super().chosen()
        return found if self._rated else {**found, "calibration": tuple(self.platt_.tolist())}

    @property
    def calibration_errors(self) -> dict[str, float]:
        """Expected calibration error on the validation rows `before` and `after` Platt's numbers, and `n` rows.

        After: each half of the users by the numbers of the other half. NaN where it was not fitted with `valid`.
        """
        return dict(zip(("before", "after", "n"), self.errors_.tolist()))

    @available_if(lambda self: not self._rated)
    def probability(
        self, users: np.ndarray, items: np.ndarray, history: Dataset | None = None
    ) -> np.ndarray:
        """Probability that a candidate is what comes next, among candidates as the validation part had them.

        Parameters
        ----------
        users : ndarray of shape (n,), int
        items : ndarray of shape (n, m), int
            -1 where a list is short.
        history : Dataset, optional

        Returns
        -------
        ndarray of shape (n, m), float64
            NaN where there is no candidate.

        Notes
        -----
        There up to 4 wanted items stand among 20 drawn ones: a share that is not that of the catalogue.

        References
        ----------
        J. Platt, Probabilistic outputs for support vector machines, 1999.
        """
        scores = self.score_candidates(users, items, history)
        there = np.isfinite(scores)
        return np.where(there, Platt(*self.platt_)(np.where(there, scores, 0)), np.nan)

    @available_if(lambda self: self._rated)
    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Predicted ratings of pairs, cut to the scale: ndarray of shape (n,), float32."""
        users, items = np.asarray(users), np.asarray(items)
        distinct, at = np.unique(users, return_inverse=True)
        order = np.argsort(at, kind="stable")
        groups = np.split(order, np.cumsum(np.bincount(at, minlength=len(distinct)))[:-1])
        judged = self._scores_of(
            self.network, self._told(distinct, None), [items[group] for group in groups]
        )
        out = np.empty(len(users), np.float32)
        if len(order):
            out[order] = np.concatenate(judged)
        return out.clip(*self.scale_)
