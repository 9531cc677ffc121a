"""The pair model: an encoder reads what a user liked and a candidate together, and says how well they go together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.metaestimators import available_if

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.histories import Told
from recnb.models.common.settings import flat, group_of, one_of, whole_numbers
from recnb.models.language.calibration import MEASURED, Calibration, Platt
from recnb.models.language.joint.asked import Asked, told_of
from recnb.models.language.joint.model import JointReader
from recnb.models.language.joint.settings import JointSettings
from recnb.training.regularisation.settings import Regularisation

if TYPE_CHECKING:
    from recnb.models.language.joint.sequences import Layout

TARGETS, LOSSES, SEES = ("click", "rating"), ("bce", "softmax"), ("history", "both")


@dataclass(frozen=True)
class PairSettings:
    """What a pair model learns, and from which candidates.

    Parameters
    ----------
    target : {"click", "rating"}
        What is learned: whether an item comes next, against drawn ones that do not; or the rating, and then the model
        predicts ratings.
    loss : {"bce", "softmax"}
        Of clicks: cross-entropy of each candidate alone, or of the wanted one among the drawn ones.
    n_targets, n_negatives : int
        Candidates of a training row: the next liked items behind a moment of a user's history, and drawn ones.
    sees : {"history", "both"}
        "history": a candidate sees the history and the history no candidate, so that one pass over a history serves
        all its candidates; "both": the plain cross-encoder, a pass for each pair.
    calibration : tuple of two floats, optional
        Slope and shift of :meth:`probability`; None: found on the validation part.
    """

    target: str = "click"
    loss: str = "bce"
    n_targets: int = 4
    n_negatives: int = 8
    sees: str = "history"
    calibration: tuple[float, float] | None = None

    def check(self) -> None:
        """Refuse what is no such setting."""
        whole_numbers(self, "n_targets")
        whole_numbers(self, "n_negatives", least=0)
        one_of(self, "target", TARGETS)
        one_of(self, "loss", LOSSES)
        one_of(self, "sees", SEES)


@flat(PairSettings, JointSettings, Regularisation)
class TextPair(JointReader):
    """A cross-encoder on the texts of a user's history and of a candidate, for clicks or ratings.

    Parameters
    ----------
    {settings}

    Notes
    -----
    Histories hold only what stood before the target. A row of several candidates is one sequence; its costs follow the
    number of tokens. The best epoch has the highest mean area under the curve of what 200 validation users liked
    against drawn items, or the lowest error of ratings. An item with a text longer than `item_tokens` is cut there, a
    history at `max_history` items and names of 12 words.

    Against overfitting, noise on words needs all layers (`n_layers`), noise on labels the loss "bce" of clicks.

    References
    ----------
    R. Nogueira, K. Cho, Passage re-ranking with BERT, 2019, section 3 (the cross-encoder); S. MacAvaney et al.,
    Efficient document re-ranking for transformers by precomputing term representations, SIGIR 2020, section 3.

    See Also
    --------
    recnb.models.Rerank : ``ease>pair``, where it judges few candidates.

    Examples
    --------
    >>> model = TextPair(max_history=5, n_epochs=2).fit(split.train, split.valid)  # doctest: +SKIP
    >>> model.score_candidates(np.array([0]), np.array([[3, 8]])).shape  # doctest: +SKIP
    (1, 2)
    """

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
    def _against(self) -> Regularisation:  # type: ignore[override]
        return group_of(self, Regularisation)

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
        group_of(self, PairSettings).check()
        if self._against.changes_labels and self._loss != "bce":
            raise InputError(
                "label_smoothing and r_drop take a candidate for wanted or not",
                mend="use loss='bce' and target='click'",
            )
        if self._against.back_translation is not None:
            raise InputError(
                "back_translation: the pair model reads no other texts than the items'",
                mend="use it with text_dot",
            )

    def _learn_valid(self, asked: Asked | None) -> None:
        """Calibrate what is said of clicks."""
        self.platt_ = np.array(self.calibration or (1.0, 0.0))
        self.errors_ = np.full(len(MEASURED), np.nan)
        if asked is None or self._rated or self.calibration is not None:
            return
        told_of(type(self).__name__, asked)
        scores = np.concatenate(self._scores_of(self.network, asked.told, asked.items))
        wanted = np.concatenate(asked.labels) == 1
        users = np.repeat(asked.users, [len(items) for items in asked.items])
        learned = Calibration.of(scores, wanted, users)
        self.platt_ = np.array([learned.platt.slope, learned.platt.shift])
        self.errors_ = np.array([getattr(learned, part) for part in MEASURED], float)

    def chosen(self) -> dict[str, Any]:
        """The number of epochs, and the calibration."""
        found = super().chosen()
        return found if self._rated else {**found, "calibration": tuple(self.platt_.tolist())}

    @property
    def calibration_errors(self) -> dict[str, float]:
        """Of the validation rows `before`, `after`, `chance`, `n` and `people`; NaN where not fitted with `valid`.

        See :class:`recnb.models.language.calibration.Calibration`.
        """
        return dict(zip(MEASURED, self.errors_.tolist()))

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
