"""How long a model that reads history and candidates together will take: three steps and a few pairs tell."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from recnb.data import Dataset
from recnb.models.language.joint.asked import OTHERS, USERS, WANTED
from recnb.progress import listening
from recnb.recommender.rehearsal import Rehearsal

if TYPE_CHECKING:
    from recnb.models.language.joint.model import JointReader

_STEPS = 3


def rehearsed(model: JointReader, train: Dataset, valid: Dataset | None) -> Rehearsal:
    """The parts of fitting with `valid` and of fitting again, and the pace of a fitted one."""
    probe: Any = clone(model)
    probe.set_params(n_epochs=1, users_per_epoch=_STEPS * model.batch_users, checkpoint=None)
    at: list[float] = []

    def heard(what: str, *_: Any) -> None:
        if what.endswith("training"):
            at.append(time.perf_counter())

    start = time.perf_counter()
    with listening(heard, lambda _: None):
        probe.fit(train)
    step = (at[-1] - at[0]) / (len(at) - 1) if len(at) > 1 else at[0] - start
    items = np.unique(np.linspace(0, train.n_items - 1, 32).astype(int))
    user = int(np.diff(probe.history_["start"]).argmax())
    pace = probe._pace(np.array([user]), items[None])
    users = min(model.users_per_epoch, train.n_users)
    steps = -(-users // model.batch_users) * model.n_epochs
    # what lower layers read alone is read once, and some of it is read already
    told = model.max_history + model.n_targets + model.n_negatives
    texts = min(2 * train.n_items, users * model.n_epochs * told)
    read = min(2 * train.n_items, _STEPS * model.batch_users * told)
    twice = 2 * (steps * step + (at[0] - start) * texts / read)
    parts = [(f"training twice, at most {steps:,} steps each", twice)]
    if valid is not None:
        each = WANTED + OTHERS
        n_users = min(USERS, valid.n_users)
        seconds = (model.n_epochs + 1) * n_users * pace.seconds(each)
        parts.append((f"{n_users * each:,} validation pairs after each epoch", seconds))
    return Rehearsal(tuple(parts), pace)
