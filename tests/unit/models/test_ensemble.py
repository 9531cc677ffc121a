"""Several fits of one model, and one that has learned from them."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from recnb.errors import InputError  # noqa: E402
from recnb.models import MF, Ensemble, Popularity, make  # noqa: E402
from recnb.models.registry import describe, register  # noqa: E402
from recnb.recommender import load_model  # noqa: E402
from tests.unit.models.two_tower.test_two_tower import small, world  # noqa: E402

pytestmark = pytest.mark.usefixtures("with_tiny_bert")


def test_the_mean_of_fits_from_other_seeds_is_kept(tmp_path):
    ds = world()
    model = Ensemble(small(), n=3, seed=1).fit(ds)
    users = np.arange(ds.n_users)
    parts = [m.score(users) for m in model.parts()]
    assert len({m.seed for m in model.parts()}) == 3 and np.abs(parts[0] - parts[1]).max() > 1e-3
    np.testing.assert_allclose(model.score(users), np.mean(parts, axis=0), atol=1e-6)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").score(users), model.score(users))


class Contrary:
    """A teacher to whom everybody likes what the rows say they do not."""

    def score(self, users: np.ndarray) -> np.ndarray:
        return np.where(np.arange(30)[None, :] % 2 == users[:, None] % 2, -4.0, 4.0)


def test_a_teacher_is_learned_from_by_its_weight():
    ds = world("implicit")
    users = np.arange(ds.n_users)
    likes = np.arange(24)[None, :] % 2 == users[:, None] % 2

    def gap(weight: float) -> float:
        model = small(n_epochs=15, lr=2e-2, dropout=0.0, user="id+mean")
        if weight:
            model.learn_from(Contrary(), weight, temperature=2.0)
        scores = model.fit(ds).score(users)[:, :24]
        return float(scores[likes].mean() - scores[~likes].mean())

    assert gap(0.0) > 1 > gap(0.6) > -1 > gap(1.0)
    student = Ensemble(small(), n=2, distil=True).fit(ds)
    assert len(student.parts()) == 1 and len(student.epochs_) == 2
    one = small(seed=student.seed)
    assert np.abs(student.score(users) - one.fit(ds).score(users)).max() > 1e-4


def test_epochs_found_are_kept_for_the_refit():
    ds = world()
    rank = ds.interactions.groupby("user").cumcount(ascending=False).to_numpy()
    train, valid = ds.rows(rank >= 2), ds.rows(rank < 2)
    model = Ensemble(small(n_epochs=6, patience=1), n=3, distil=True).fit(train, valid)
    chosen = model.chosen()
    assert chosen["model"].n_epochs == int(np.median(model.epochs_)) and len(model.epochs_) == 3
    assert chosen["student_epochs"] == model.parts()[0].n_epochs_


def test_names():
    model = make("text_dot[width=8]*[distil=True,taught=0.7]4")
    assert (model.n, model.distil, model.taught, model.model.width) == (4, True, 0.7, 8)
    assert (
        make("text_dot@lora*2").model.method == "lora" and make("ease+text_dot*3").models[1].n == 3
    )
    assert describe("mf*5") == "The mean of 5 fits of mf from other seeds."
    for name in ("mf*", "mf*x", "*3", "mf*2*2"):
        with pytest.raises(InputError, match="is no ensemble"):
            make(name)
    with pytest.raises(InputError, match="cannot name a model"):
        register("a*b", MF)


@pytest.mark.parametrize(
    "model, words",
    [
        (Ensemble(Popularity()), "draws nothing by chance"),
        (Ensemble(MF(n_factors=2), n=1), "ensemble of 1"),
        (Ensemble(MF(n_factors=2), distil=True), "learns from no other"),
        (Ensemble(small(loss="mse"), n=2, distil=True), "no candidates"),
    ],
)
def test_what_cannot_be_is_one_line(model, words):
    with pytest.raises(InputError, match=words):
        model.fit(world())
