"""How a two tower is trained: its batches, and what the validation part says after an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

from recnb.data import Dataset
from recnb.models.common.validation import Validation
from recnb.models.two_tower.batches import BatchMaker, Rows, UserFacts
from recnb.models.two_tower.network import TwoTowerNetwork
from recnb.models.two_tower.settings import Settings
from recnb.models.two_tower.start import start_pretrained
from recnb.training import HEAD, LIVE, Batches, BatchPlan, Regularised, Trained, Training, train

BLOCK = 256  # users scored at once
KEPT_SCORES = (
    2 * 10**7
)  # of a teacher; of a larger matrix the rows are computed when they are asked for
SAMPLE = 4096  # training rows by which the start is set

BatchRows = Callable[
    [int], list[tuple[int, np.ndarray]]
]  # of an epoch: kind and rows of each batch
Scores = Callable[[Any, np.ndarray], np.ndarray]  # (network, users) to (len(users), n_items)


class Teacher:
    """Another model's scores, in the order of the training.

    Parameters
    ----------
    model : object with ``score(users)``
    order : tuple of ndarray
        :func:`recnb.models.two_tower.batches.order_of_ids` of the training data.
    weight, temperature : float
    """

    def __init__(
        self, model: Any, order: tuple[np.ndarray, np.ndarray], weight: float, temperature: float
    ) -> None:
        self.model, self.users, self.items = model, *order
        self.weight, self.temperature = weight, temperature
        self._all: np.ndarray | None = None
        if len(self.users) * len(self.items) <= KEPT_SCORES:
            self._all = self._scores(np.arange(len(self.users)))

    def __call__(self, users: np.ndarray) -> np.ndarray:
        """Scores of all items: (len(users), n_items), float32."""
        return self._scores(users) if self._all is None else self._all[users]

    def _scores(self, users: np.ndarray) -> np.ndarray:
        return np.asarray(self.model.score(self.users[users]))[:, self.items]


def plan_of(items: np.ndarray, settings: Settings) -> BatchPlan:
    """Which rows are in which batch; `items` are those of the rows."""
    optimisation = settings.optimisation
    return BatchPlan(
        items,
        items_per_batch=optimisation.items_per_batch,
        rows_per_batch=optimisation.rows_per_batch,
        head_epochs=optimisation.head_epochs,
        live_epochs=0 if settings.tuning.frozen else optimisation.live_epochs,
        seed=optimisation.seed,
    )


def fit_network(
    network: TwoTowerNetwork,
    settings: Settings,
    rows: Rows,
    users: UserFacts,
    data: Dataset,
    plan: BatchRows,
    value: Callable[[Any], float] | None = None,
    teacher: Teacher | None = None,
    place: str | None = None,
) -> Trained:
    """Train a network in place.

    Parameters
    ----------
    network : TwoTowerNetwork
    settings : Settings
    rows : Rows
        To learn from.
    users : UserFacts
    data : Dataset
        That the rows are of: what a user likes in it is no negative.
    plan : callable
        Of the batches, see :func:`plan_of`.
    value : callable, optional
        What the best epoch is chosen by.
    teacher : Teacher, optional
        Learned from, beside the rows.
    place : str, optional
        Folder of the checkpoint.
    """
    optimisation, scoring = settings.optimisation, settings.scoring
    maker = BatchMaker(
        *rows,
        users,
        None if scoring.predicts_ratings else data.positives(),
        optimisation.n_negatives,
        scoring.loss == "infonce",
        optimisation.rows_per_batch,
        optimisation.seed,
        teacher,
    )
    if teacher is not None:
        network.objective = replace(
            network.objective, taught=teacher.weight, temperature=teacher.temperature
        )
    if settings.starts_pretrained:
        some = np.random.default_rng(optimisation.seed).permutation(len(rows.items))[:SAMPLE]
        items = torch.from_numpy(np.unique(rows.items).astype(np.int64))
        start_pretrained(network, items, maker(0, HEAD, some, 0))
    if not settings.n_epochs:
        network.eval()
        return Trained(0, None, ())
    if network.budget is not None:
        epochs = map(plan, range(settings.n_epochs))
        network.budget.lay_out(sum(kind == LIVE for epoch in epochs for kind, _ in epoch))
    how = Training(
        epochs=settings.n_epochs,
        lr=optimisation.lr,
        lr_encoder=settings.lr_encoder,
        optimizer=optimisation.optimizer,
        weight_decay=optimisation.weight_decay,
        layer_decay=optimisation.layer_decay,
        warmup=optimisation.warmup,
        schedule=optimisation.schedule,
        patience=optimisation.patience,
        from_start=settings.starts_pretrained,
        seed=optimisation.seed,
        checkpoint=place,
    )

    def batches(epoch: int) -> Batches:
        return Batches(plan(epoch), partial(maker, epoch))

    shell = _regularised(network, settings)
    of_shell = None if value is None else lambda shell: value(shell.module)
    trained = train(shell, batches, how, of_shell, data=data.digest)
    network.refresh()
    return trained


def _regularised(network: TwoTowerNetwork, settings: Settings) -> Regularised:
    """The network with the noise and the averages that a step has; other readings and labels are its own."""
    asked = settings.regularisation
    words = None if network.tower is None else network.tower.words
    in_network: dict[str, Any] = {"label_smoothing": 0.0, "r_drop": 0.0, "back_translation": None}
    once: dict[str, Any] = {"word_dropout": 0.0, "synonyms": 0.0} if settings.tuning.frozen else {}
    return Regularised(network, replace(asked, **in_network, **once), words)


def scores_for(network: TwoTowerNetwork, facts: UserFacts, users: np.ndarray) -> np.ndarray:
    """Scores of every item for some users: (len(users), n_items), float32."""
    from accelerate.utils import send_to_device

    batch = send_to_device(facts.batch(users), network.place.device)
    return network.score(batch).cpu().numpy()


def closeness(
    scores_of: Scores, valid: Dataset, scale: tuple[float, float]
) -> Callable[[Any], float]:
    """Minus the root mean squared error of the validation ratings, predictions cut to the scale."""
    rows = valid.interactions.dropna(subset="rating")
    users, items = rows["user"].to_numpy(), rows["item"].to_numpy()
    truth = rows["rating"].to_numpy(np.float32)

    def value(network: Any) -> float:
        network.refresh()
        scores = np.empty(len(users), np.float32)
        for block, part in blocks_of(users):
            of_block = scores_of(network, block)
            scores[part] = of_block[np.searchsorted(block, users[part]), items[part]]
        return -float(np.sqrt(np.mean((scores.clip(*scale) - truth) ** 2)))

    return value


def quality(scores_of: Scores, validation: Validation) -> Callable[[Any], float]:
    """NDCG@10 of the validation part.

    Raises
    ------
    InputError
        Nothing in it is relevant.
    """
    validation = validation.needed()

    def value(network: Any) -> float:
        network.refresh()
        return validation.value_of(partial(scores_of, network))

    return value


def blocks_of(users: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Distinct users in blocks, each with the positions of its rows."""
    distinct, place = np.unique(users, return_inverse=True)
    for start in range(0, len(distinct), BLOCK):
        inside = np.flatnonzero((place >= start) & (place < start + BLOCK))
        yield distinct[start : start + BLOCK], inside
