"""Whose lists are suspected of knowing the test rows: those that were made elsewhere, not what was fitted here."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recnb import evaluate
from recnb.data import Dataset, splits
from recnb.evaluation import Protocol, Task
from recnb.evaluation.audit.reference import Reference, better_than_known
from recnb.evaluation.judge import judge
from recnb.evaluation.record import Record
from recnb.models import EASE, make, parse_models
from recnb.recommender import Reads


@pytest.fixture(scope="module")
def split():
    """Walks over 300 items: what comes next is one of four followers, four times in five."""
    rng = np.random.default_rng(0)
    after = rng.integers(0, 300, (300, 4))
    rows = []
    for user in range(400):
        item = rng.integers(300)
        for step in range(6):
            rows.append((f"u{user}", f"i{item}", 1000 * user + step))
            item = after[item, rng.integers(4)] if rng.random() < 0.8 else rng.integers(300)
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    return splits.leave_one_out(Dataset.from_frames(frame))


def test_a_table_of_transitions_is_no_leak(split) -> None:
    """As scores of another library: the references count what followed what."""
    scores = make("transitions").fit(split.known).score(np.arange(split.dataset.n_users))
    models = {**parse_models("random,popularity"), "theirs": scores}
    found = evaluate(models, split, Protocol(k=3, draws=1000)).findings
    assert "too_good" not in {f.code for f in found}


class Oracle(EASE):
    """Of nobody's own code here."""


def test_what_was_fitted_here_is_known_from_what_was_not(split) -> None:
    task = Task(split, Protocol(k=3))
    fitted = EASE().fit(split.known)
    here = {
        name: judge(name, model, task).record.fitted_here
        for name, model in {
            "ease": EASE(),
            "blend": make("ease+popularity"),
            "fitted": fitted,
            "foreign": Oracle(),
            "scores": fitted.score(np.arange(split.dataset.n_users)),
        }.items()
    }
    assert here == {"ease": True, "blend": True, "fitted": False, "foreign": False, "scores": False}
    record = Record("ease", 0, "EASE", reads=Reads("pairs"), fitted_here=True)
    assert Record.from_dict(record.to_dict()) == record


def test_only_what_came_from_elsewhere_is_an_error(split) -> None:
    """Lists that hold nearly every answer, under three names."""
    reference = Reference(Task(split, Protocol(k=3)), 3)
    oracle = sparse.csr_matrix(reference.targets > 0)

    def severities(fitted_here: dict[str, bool]) -> list[str]:
        found = better_than_known(reference, {"oracle": oracle}, fitted_here)
        return [f.severity for f in found]

    assert severities({}) == ["error"]
    assert severities({"oracle": False}) == ["warning"]  # what it reads of items may know more
    assert severities({"oracle": True}) == []


def test_a_model_fitted_here_raises_the_bar(split) -> None:
    reference = Reference(Task(split, Protocol(k=3)), 3)
    oracle = sparse.csr_matrix(reference.targets > 0)
    both = {"learned": oracle, "theirs": oracle}
    assert better_than_known(reference, both, {"learned": True}) == []
