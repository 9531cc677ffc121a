"""The search sees train and valid alone, is repeatable, and never does worse there than the untuned model."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from recnb import evaluate
from recnb.data import Dataset, Split, splits
from recnb.errors import InputError
from recnb.evaluation import Protocol
from recnb.models import EASE, MF, Blend, ItemKNN, Popularity, Random, RecentPopularity
from recnb.progress import reach
from recnb.recommender import Recommender
from recnb.study import Search, search
from recnb.study.search import Judge


def make_split(**settings) -> Split:
    rng = np.random.default_rng(0)
    rows = []
    for u in range(50):
        for t, i in enumerate(rng.choice(24, 12, replace=False)):
            rating = int(np.clip((4 if i % 2 == u % 2 else 2) + rng.integers(-1, 2), 1, 5))
            rows.append((f"u{u}", f"i{i}", rating, 86_400 * (t + 1)))
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])
    ds = Dataset.from_frames(frame, feedback="explicit", scale=(1, 5))
    return splits.user_time(ds, **{"test": 0.25, "valid": 0.2, **settings})


def poisoned(split: Split) -> Split:
    """The same split with other items and ratings in its test rows."""
    rows = split.dataset.interactions.copy()
    test = split.part == 2
    rows.loc[test, "item"] = (23 - rows.loc[test, "item"]).astype(np.int32)
    rows.loc[test, "rating"] = 6 - rows.loc[test, "rating"]
    return replace(split, dataset=replace(split.dataset, interactions=rows))


@pytest.mark.parametrize(
    "model, metric", [(EASE(), "ndcg"), (ItemKNN(), "recall"), (MF(n_factors=2), "rmse")]
)
def test_the_test_rows_change_nothing(model, metric):
    split = make_split()
    other = poisoned(split)
    assert other.test.matrix().toarray().tolist() != split.test.matrix().toarray().tolist()
    one, two = (search(model, s, trials=6, metric=metric) for s in (split, other))
    assert one.get_params() == two.get_params()
    assert [t.value for t in one.searched.trials] == [t.value for t in two.searched.trials]


@pytest.mark.parametrize("metric", ["auc", "r_precision"])
@pytest.mark.parametrize("rule", ["user_time", "cold_item"])
def test_a_metric_of_all_scores_is_that_of_the_evaluation(metric, rule):
    split = make_split() if rule == "user_time" else splits.cold_item(make_split().dataset)
    protocol = Protocol(k=5, metrics=(metric,), draws=1000)
    for model in (EASE(), ItemKNN()):
        best = search(model, split, trials=3, protocol=protocol)
        assert best.searched.metric == (metric if metric == "auc" else f"{metric}@5")
        table = evaluate({"m": best}, split.inner, protocol).rows()
        found = [trial.value for trial in best.searched.trials]
        assert max(found) == pytest.approx(table["value"].iloc[0], abs=1e-6)


def test_the_test_rows_are_never_asked_for():
    split = make_split()
    split.__dict__["test"] = property(lambda _: pytest.fail("the test rows were read"))
    search(EASE(), split, trials=3)


@pytest.mark.parametrize(
    "given, untuned_is_best",
    [(ItemKNN(k=1, shrinkage=1e4), False), (RecentPopularity(half_life=0.01), True)],
)
def test_the_best_is_never_worse_than_the_model_given(given, untuned_is_best):
    split = make_split()
    best = search(given, split, trials=12)
    values = [t.value for t in best.searched.trials]
    judge = Judge.of(split, "ndcg", 10, None)
    assert best.searched.trials[0].settings == {}
    assert values[0] == judge.value(clone(given).fit(split.train))
    assert values[best.searched.best] == max(values)
    assert (max(values) == values[0]) == untuned_is_best
    assert judge.value(clone(best).fit(split.train)) == max(values)


def test_every_model_gets_the_same_number_of_trials():
    split = make_split()
    counted = []
    for model in (EASE(), ItemKNN()):
        best = search(model, split, trials=7, progress=lambda _, done, n: counted.append((done, n)))
        assert len(best.searched.trials) == 7
    assert counted == [(i, 7) for i in range(1, 8)] * 2
    for model in (Popularity(), Random(seed=4)):
        best = search(model, split, trials=7)
        assert len(best.searched.trials) == 1 and repr(best) == repr(model)


def test_a_seed_decides_the_trials():
    split = make_split()
    runs = [search(EASE(), split, trials=5, seed=s).searched for s in (1, 1, 2)]
    values = [[t.settings for t in run.trials] for run in runs]
    assert values[0] == values[1] != values[2]


def test_the_result_is_unfitted_and_clones_plainly():
    best = search(EASE(), make_split(), trials=4)
    assert not best.fitted and isinstance(best.searched, Search)
    fresh = clone(best)
    assert fresh.get_params() == best.get_params() and not hasattr(fresh, "searched")
    plain = best.searched.to_dict()
    assert plain["metric"] == "ndcg@10" and len(plain["trials"]) == 4
    assert search(EASE(l2=3.0), make_split(), trials=0).get_params() == EASE(l2=3.0).get_params()


def test_epochs_found_are_kept_for_the_refit():
    split = make_split()
    given = MF(n_factors=2, n_epochs=60)
    best = search(given, split, trials=2, metric="rmse")
    trial = best.searched.trials[best.searched.best]
    assert best.n_epochs == trial.chosen["n_epochs"]
    assert trial.value == min(t.value for t in best.searched.trials), "lower is better"
    assert all(t.seconds > 0 for t in best.searched.trials)


def test_a_hybrid_has_its_parts_searched():
    best = search(Blend([EASE(l2=1e6), Popularity()]), make_split(), trials=6)
    assert best.models[0].l2 < 1e6 and not best.fitted and best.weights is None
    assert len(best.models[0].searched.trials) == 6


def test_parts_of_a_hybrid_are_searched_for_what_they_add():
    split = make_split()
    alone = search(Blend([EASE(l2=1e6), ItemKNN()]), split, trials=6)
    best = search(Blend([EASE(l2=1e6), ItemKNN()], tuned="together"), split, trials=6)
    assert best.models[0].get_params() == alone.models[0].get_params(), "the first one on its own"
    assert {key.split("__")[1] for t in best.searched.trials for key in t.settings} == {"1"}
    values = [t.value for t in best.searched.trials]
    assert values[best.searched.best] == max(values) > values[0]
    # the value of a trial is that of the whole
    judge = Judge.of(split, "ndcg", 10, None)
    fitted = clone(best).fit(split.train, split.valid)
    assert judge.value(fitted) == pytest.approx(max(values))


def test_cold_items_are_judged_among_themselves():
    split = splits.cold_item(make_split().dataset, test=0.2, valid=0.2)
    judge = Judge.of(split, "ndcg", 10, None)
    assert set(judge.inner.candidates) == set(split.valid.interactions["item"])
    assert 0 < judge.value(Random().fit(split.train)) <= 1


def test_cold_users_are_judged_with_what_is_given():
    split = splits.cold_user(make_split().dataset, test=0.2, valid=0.3)
    judge = Judge.of(split, "ndcg", 5, None)
    told = judge.value(EASE(l2=5.0).fit(split.train))
    assert told > judge.value(Popularity().fit(split.train))


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"metric": "rmse"}, "predicts no ratings"),
        ({"metric": "ndgc"}, "ndgc"),
    ],
)
def test_wrong_arguments_are_named(arguments, words):
    with pytest.raises(InputError, match=words):
        search(EASE(), make_split(), trials=2, **arguments)


def test_no_validation_part_is_an_error():
    with pytest.raises(InputError, match="no validation part"):
        search(EASE(), make_split(valid=0.0), trials=2)


@pytest.mark.parametrize("model", [EASE(), Blend([ItemKNN(), EASE()])])
def test_a_killed_search_goes_on_and_ends_as_one_that_was_not(tmp_path, monkeypatch, model):
    module = import_module("recnb.study.search")  # the package shows the function of this name

    split, kept = make_split(), tmp_path / "kept.sqlite"
    whole = search(model, split, trials=6)
    fits: list[dict] = []
    real = module._try

    def counted(model, settings, judge, pruning):
        if len(fits) == 4:
            raise KeyboardInterrupt
        fits.append(settings)
        return real(model, settings, judge, pruning)

    monkeypatch.setattr(module, "_try", counted)
    with pytest.raises(KeyboardInterrupt):
        search(model, split, trials=6, kept=kept)
    before, fits[:] = list(fits), []
    monkeypatch.setattr(
        module, "_try", lambda m, settings, *more: fits.append(settings) or real(m, settings, *more)
    )
    again = search(model, split, trials=6, kept=kept)
    assert repr(again) == repr(whole) and again.get_params(deep=False).keys()
    all_fits = 6 if isinstance(model, EASE) else 12
    assert len(before) == 4 and 0 < len(fits) <= all_fits - 4
    fits.clear()
    assert repr(search(model, split, trials=6, kept=kept)) == repr(whole) and not fits


def test_kept_trials_of_other_settings_are_not_used(tmp_path):
    split, kept = make_split(), tmp_path / "kept.sqlite"
    search(EASE(), split, trials=5, seed=1, kept=kept)
    assert repr(search(EASE(), split, trials=5, seed=2, kept=kept)) == repr(
        search(EASE(), split, trials=5, seed=2)
    )


class Learner(Recommender):
    """Tells after each of eight epochs what it has reached: more with a higher `level`."""

    uses_valid = True

    def __init__(self, level: float = 0.5, n_epochs: int = 8) -> None:
        self.level, self.n_epochs = level, n_epochs

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {"level": ("float", 0.0, 1.0)}

    def _fit(self, train, valid):
        self.popular_ = np.bincount(train.interactions["item"], minlength=train.n_items)
        for epoch in range(self.n_epochs):
            FITS[-1:] = [epoch + 1]
            reach(epoch, self.level * (epoch + 1))
        self.n_epochs_ = self.n_epochs

    def fit(self, train, valid=None):
        FITS.append(0)
        return super().fit(train, valid)

    def score(self, users, history=None):
        noise = np.random.default_rng(0).random((len(users), len(self.popular_)))
        return ((1 - self.level) * noise * 20 + self.level * self.popular_).astype(np.float32)


FITS: list[int] = []  # epochs of each fit


def test_hopeless_trials_are_given_up_and_a_killed_search_still_ends_alike(tmp_path):
    split = make_split()
    FITS.clear()
    whole = search(Learner(), split, trials=12)
    full = sum(FITS)
    FITS.clear()
    pruned = search(Learner(), split, trials=12, prune="median", kept=tmp_path / "a.sqlite")
    trials = pruned.searched.trials
    assert sum(FITS) < 0.8 * full and full == 12 * 8
    for trial, epochs in zip(trials, FITS, strict=True):
        assert trial.pruned == (epochs < 8) and len(trial.epochs) == epochs
        level = trial.settings.get("level", 0.5)
        assert trial.epochs == tuple(level * (e + 1) for e in range(epochs))
    assert not trials[pruned.searched.best].pruned
    assert pruned.searched.best == max(
        (i for i, t in enumerate(trials) if not t.pruned), key=lambda i: trials[i].value
    )
    by_median = [
        t.settings["level"] for t in trials[4:] if t.pruned
    ]  # the rule looks back at what was reached at that epoch
    assert by_median and max(by_median) < max(t.settings.get("level", 0.5) for t in trials[:5])
    search(Learner(), split, trials=7, prune="median", kept=tmp_path / "b.sqlite")
    FITS.clear()
    again = search(Learner(), split, trials=12, prune="median", kept=tmp_path / "b.sqlite")
    assert len(FITS) == 5 and again.get_params() == pruned.get_params()
    assert [t.epochs for t in again.searched.trials] == [t.epochs for t in trials]
    assert repr(whole)


def test_hyperband_ends_some_trials_early_and_repeats():
    split = make_split()
    runs = []
    for _ in range(2):
        FITS.clear()
        search(Learner(), split, trials=14, prune="hyperband")
        runs.append(list(FITS))
    assert runs[0] == runs[1] and min(runs[0]) < 8 == max(runs[0])


def test_an_unknown_pruner_is_named():
    with pytest.raises(InputError, match="none, median, hyperband"):
        search(EASE(), make_split(), trials=2, prune="halving")
