"""The default models are those that the machine and the data allow, and what is left out is said."""

from __future__ import annotations

import importlib.util
import sys
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from recnb.data import Dataset, splits
from recnb.errors import InputError
from recnb.evaluation import Protocol, evaluate
from recnb.models import EASE, Rerank, make, parse_models
from recnb.models.table import DEFAULTS
from recnb.recommender import CandidateScorer
from recnb.study.run import Study, choose_models, run
from recnb.study.store import DiskStore
from tests.unit.encoders.test_loading import hub

SHOP = (
    pd.DataFrame({"user_id": list("aabbccdd"), "item_id": list("xyxyyxyx")}),
    pd.DataFrame({"item_id": ["x", "y"], "title": ["One", "Two"]}),
)
ROWS = pd.DataFrame({"user_id": list("aab"), "item_id": list("xyx")})


def data(**columns: list[str]) -> Dataset:
    return Dataset.from_frames(ROWS, pd.DataFrame({"item_id": ["x", "y"], **columns}))


def test_all_defaults_where_torch_and_text_are_there():
    models, left_out = choose_models(None, data(title=["One tea", "Two tea"]))
    assert tuple(models) == DEFAULTS and left_out == ()


def test_without_torch_the_language_model_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "torch" else real(name, *a)
    )
    models, left_out = choose_models(None, data(title=["One tea", "Two tea"]))
    assert "text_frozen" not in models and "tfidf" in models
    assert (
        len(left_out) == 1 and "text_frozen" in left_out[0] and "pip install torch" in left_out[0]
    )


def test_without_text_the_content_models_are_left_out_and_named():
    models, left_out = choose_models(None, data())
    assert not {"tfidf", "text_frozen"} & set(models)
    assert len(left_out) == 2 and all("no text" in line for line in left_out)


def test_a_default_that_cannot_be_fitted_is_left_out_and_another_named_one_ends_the_run(tmp_path):
    models, left_out = choose_models(None, data(title=["One", "Two"]))
    assert "tfidf" not in models and "no term of the item texts" in left_out[0]
    split = splits.random(data(title=["One", "Two"]), test=0.4, valid=0)
    study = Study(split, parse_models("popularity,mine=recnb.models:TfIdf"))
    with pytest.raises(InputError, match="mine: no term of the item texts"):
        run(study, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("judged.json"))  # nothing was fitted before


def test_a_description_is_text():
    assert "tfidf" in choose_models(None, data(description=["Green tea", "Black tea"]))[0]


def test_a_repeated_run_fits_nothing_for_other_orders_of_ties(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        [
            (f"u{u}", f"i{i}", int(rng.integers(0, 3)))
            for u in range(30)
            for i in rng.choice(25, 8, replace=False)
        ],
        columns=["user_id", "item_id", "timestamp"],
    )
    split = splits.user_time(Dataset.from_frames(rows))
    assert split.tied_users
    study = Study(split, {"ease": make("ease")}, Protocol(draws=1000))
    fits = []
    fit = EASE._fit
    monkeypatch.setattr(EASE, "_fit", lambda self, *parts: (fits.append(1), fit(self, *parts))[1])
    first = run(study, tmp_path / "out")
    assert len(fits) == 1 + 4
    again = run(study, tmp_path / "out")
    assert len(fits) == 1 + 4
    assert "tied_timestamps" in {finding.code for finding in again.findings}
    assert again.findings == first.findings


_MINE = """
import numpy as np
from recnb import Recommender
from {helper} import SIGN


class Mine(Recommender):
    def _fit(self, train, valid):
        self.counts_ = np.asarray(train.positives().sum(axis=0)).ravel().astype("float32")

    def score(self, users, history=None):
        return np.tile({sign} * SIGN * self.counts_, (len(users), 1))
"""


@pytest.mark.parametrize("changed", ["model", "import"])
def test_an_edited_model_is_judged_anew(tmp_path, monkeypatch, changed: str):
    name, helper = f"edited_{changed}", f"beside_{changed}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        [(f"u{u}", f"i{int(i)}") for u in range(60) for i in set(rng.geometric(0.1, 12))],
        columns=["user_id", "item_id"],
    )
    split, protocol = splits.random(Dataset.from_frames(rows)), Protocol(draws=1000)

    def value(sign: int, factor: int) -> tuple[float, bool]:
        (tmp_path / f"{name}.py").write_text(_MINE.format(helper=helper, sign=sign))
        (tmp_path / f"{helper}.py").write_text(f"SIGN = {factor}\n")
        for module in (name, helper):
            sys.modules.pop(module, None)
        importlib.invalidate_caches()
        store = DiskStore(tmp_path / "kept", split, protocol)
        ev = evaluate(parse_models(f"mine={name}:Mine"), split, protocol, store=store)
        return ev.table()["value"].iloc[0], store.reused == ["mine, seed 0"]

    first, _ = value(1, 1)
    assert value(1, 1) == (first, True)
    second, reused = value(*((-1, 1) if changed == "model" else (1, -1)))
    assert not reused and second < first / 2


def test_an_edited_wording_is_asked_anew(tmp_path):
    store = DiskStore(tmp_path / "kept", splits.random(Dataset.from_frames(*SHOP)), Protocol())
    wording = tmp_path / "mine.txt"
    wording.write_text("Will they like it?")
    (model,) = parse_models(f"ease>lm_yes[template={wording}]").values()
    model.set_params(second__instruction="as before " * 10_000)
    key, search = store.key("two", model, 0), store.search_result("two", model, {})
    assert store.key("two", model, 0) == key
    wording.write_text("Would they like it?")
    assert store.key("two", model, 0) != key and store.search_result("two", model, {}) != search


@pytest.mark.parametrize(
    "last, words",
    [
        ("tfidf", "no text"),
        ("ease+tfidf", "no text"),
        ("ease>lm_yes", "no text"),
        ("baseline", "predicts ratings"),
    ],
)
@pytest.mark.parametrize("trials", [0, 2])
def test_what_the_data_lack_is_told_before_any_fit(tmp_path, monkeypatch, last, words, trials):
    fits = []
    monkeypatch.setattr(EASE, "_fit", lambda self, *parts: fits.append(1))
    rows = pd.DataFrame({"user_id": list("aabbccdd"), "item_id": list("xyxyyzxz")})
    split = splits.random(Dataset.from_frames(rows))
    with pytest.raises(InputError, match=words):
        run(Study(split, parse_models(f"ease,{last}"), Protocol(), trials=trials), tmp_path / "out")
    assert not fits


def test_a_wording_is_opened_before_any_fit(monkeypatch):
    fits = []
    monkeypatch.setattr(EASE, "_fit", lambda self, *parts: fits.append(1))
    models = parse_models("ease,ease>lm_yes[template=nothing]")
    split = splits.random(Dataset.from_frames(*SHOP))
    with pytest.raises(InputError, match="no template 'nothing'"):
        evaluate(models, split, Protocol())
    assert not fits


class Judge(CandidateScorer):
    """The score of item i for user u is sin(7 u + 3 i); counts what it judged, and dies when told to."""

    pairs_kept = 8
    judged: ClassVar[list[int]] = []
    dies_after: ClassVar[int] = 10**9

    def _fit(self, train, valid):
        self.fitted_ = True

    def _score_candidates(self, users, items, history):
        if len(self.judged) >= self.dies_after:
            raise KeyboardInterrupt
        self.judged.append(int((items >= 0).sum()))
        return np.sin(7.0 * users[:, None] + 3.0 * items)


def test_a_killed_run_judges_no_pair_twice(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    pairs = {(f"u{u}", f"i{i}") for u in range(30) for i in rng.choice(25, 8, replace=False)}
    rows = pd.DataFrame(sorted(pairs), columns=["user_id", "item_id"])
    split = splits.random(Dataset.from_frames(rows))
    study = Study(split, {"two": Rerank(EASE(), Judge(), n=4)}, Protocol(draws=1000))
    monkeypatch.setattr(Judge, "judged", [])
    whole = run(study, tmp_path / "whole", page=False)
    n = sum(Judge.judged)
    assert not list((tmp_path / "whole" / ".finished" / "pairs").iterdir()), "kept as a whole"
    Judge.judged.clear()
    monkeypatch.setattr(Judge, "dies_after", 9)
    for _ in range(2):  # in the weight's search, and again
        with pytest.raises(KeyboardInterrupt):
            run(study, tmp_path / "out", page=False)
        monkeypatch.setattr(Judge, "dies_after", 18)
    monkeypatch.setattr(Judge, "dies_after", 10**9)
    said: list[str] = []
    again = run(study, tmp_path / "out", said=said.append, page=False)
    assert sum(Judge.judged) == n, "none twice, none left out"
    assert any("an earlier run has judged" in line for line in said)
    pd.testing.assert_frame_equal(again.table(), whole.table())


@pytest.mark.parametrize("setting", ["lm_yes[decoder=no/such-model]", "pair[encoder=./nowhere]"])
def test_a_language_model_is_looked_for_before_any_fit(tmp_path, monkeypatch, setting):
    hub(monkeypatch, cached=None, online=None)
    fits = []
    monkeypatch.setattr(EASE, "_fit", lambda self, *parts: fits.append(1))
    split = splits.random(Dataset.from_frames(*SHOP))
    study = Study(split, parse_models(f"ease,ease>{setting}"), Protocol())
    with pytest.raises(InputError) as error:
        run(study, tmp_path / "out")
    assert not fits and str(error.value).startswith(f"ease>{setting}: ")
    assert "smollm2-135m-instruct" in str(error.value)


class Backwards:
    """Workers that finish in another order than they were given."""

    def __init__(self) -> None:
        self.jobs: list[str] = []

    def each(self, function, shared, jobs):
        for number in reversed(range(len(jobs))):
            self.jobs.append(function.__name__)
            yield number, function(shared, *jobs[number])


def test_workers_do_the_work_once_and_the_numbers_are_the_same(tmp_path):
    rng = np.random.default_rng(0)
    pairs = {(f"u{u}", f"i{i}") for u in range(30) for i in rng.choice(25, 8, replace=False)}
    rows = pd.DataFrame(sorted(pairs), columns=["user_id", "item_id"])
    split = splits.random(Dataset.from_frames(rows))
    models = {"ease": EASE(), "random": make("random"), "popularity": make("popularity")}
    study = Study(split, models, Protocol(draws=1000), seeds=(0, 1), trials=2)
    alone = run(study, tmp_path / "alone")
    workers, said, steps = Backwards(), [], []
    heard = {"said": said.append, "progress": lambda *step: steps.append(step)}
    spread = run(study, tmp_path / "spread", True, workers=workers, **heard)
    chosen = [(done, total) for what, done, total in steps if "settings chosen" in what]
    assert chosen == [(0, 3), (1, 3), (2, 3)] and all(done < total for _, done, total in steps)
    assert spread.table().equals(alone.table()) and spread.per_user.equals(alone.per_user)
    settings = [[r.settings for r in ev.records] for ev in (alone, spread)]
    assert settings[0] == settings[1] and not any("reused" in line for line in said)
    # a search a model, and a judgement a model and seed that it draws from
    assert sorted(workers.jobs) == ["_judged"] * 4 + ["_searched"] * 3
    assert (tmp_path / "spread/models/ease-0/model.json").is_file()
    assert not list((tmp_path / "spread").rglob("*.sqlite*"))
    again = Backwards()
    run(study, tmp_path / "spread", True, said=said.append, workers=again)
    assert again.jobs == [] and any("reused" in line for line in said)
