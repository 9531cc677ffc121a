"""Two stages: what the second one is asked, where its answer stands, and how far it could reach."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from recnb.data import Dataset, splits
from recnb.errors import InputError
from recnb.evaluation import Evaluation, Protocol, evaluate
from recnb.evaluation.findings import Finding
from recnb.metrics import bootstrap, evaluate_lists
from recnb.models import EASE, Popularity, Random, Rerank, TfIdf, make, parse_models
from recnb.models.common.validation import Validation
from recnb.progress import listening
from recnb.recommender import CandidateScorer, load_model, top_k
from recnb.study.search import search


class Tastes(CandidateScorer):
    """Likes films of the user's parity; a setting turns it around, and it counts what it is asked."""

    asked = 0

    def __init__(self, sign: float = 1.0) -> None:
        self.sign = sign

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {"sign": ("choice", (1.0, -1.0, -2.0))}

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        self.parity_ = np.array([int(item[1:]) % 2 for item in train.item_ids], np.float32)
        self.of_user_ = np.array([int(user[1:]) % 2 for user in train.user_ids], np.float32)

    def _score_candidates(self, users, items, history):
        Tastes.asked += int((items >= 0).sum())
        same = self.of_user_[users][:, None] == self.parity_[items]
        return np.where(same, self.sign, 0.0) + 1e-3 * (items % 7)


def known_free(model, ds: Dataset, k: int = 28) -> np.ndarray:
    return top_k(model, k=k, exclude=ds)


def test_the_best_of_the_first_are_ranked_by_the_second(ds):
    first = EASE(l2=5.0).fit(ds)
    second = TfIdf().fit(ds)
    model = Rerank(EASE(l2=5.0), TfIdf(), n=6, weight=1.0).fit(ds)
    before, after = known_free(first, ds), known_free(model, ds)
    scores = second.score(np.arange(ds.n_users))
    for user, (old, new) in enumerate(zip(before, after)):
        assert set(new[:6]) == set(old[:6]), "the second stage adds and drops no candidate"
        np.testing.assert_array_equal(new[6:], old[6:])
        judged = scores[user, new[:6]]
        assert (np.diff(judged) <= 1e-6).all()


def test_what_is_known_is_no_candidate_unless_it_may_be_listed_again(ds):
    model = Rerank(Popularity(), Tastes(), n=3, weight=1.0).fit(ds)
    users = np.arange(ds.n_users)
    known = ds.pairs().toarray() > 0
    open_ = model.candidates(users, None, ds.pairs())
    assert not any(known[u, i] for u, row in enumerate(open_) for i in row)
    again = top_k(model, k=3)  # nothing is excluded: the three most used films, in another order
    popular = top_k(Popularity().fit(ds), k=3)
    assert all(set(new) == set(old) for new, old in zip(again.tolist(), popular.tolist()))
    assert (again != popular).any() and known[users[:, None], again].any()
    alone = model.score(users)
    assert (np.sort(np.where(known, -np.inf, alone), axis=1)[:, -3:] > alone[known].max()).all()


def test_the_candidates_are_among_the_shelf(ds):
    shelf = np.array([2, 3, 8, 9, 20])
    model = Rerank(Popularity(), Tastes(), n=2, weight=1.0).fit(ds)
    lists = top_k(model, k=5, exclude=ds, candidates=shelf)
    of_first = top_k(Popularity().fit(ds), k=5, exclude=ds, candidates=shelf)
    for new, old in zip(lists, of_first):
        assert set(new[:2]) == set(old[:2]) and new[2:].tolist() == old[2:].tolist()


def test_weight_zero_is_the_first_model_and_the_second_is_not_asked(ds):
    model = Rerank(EASE(l2=5.0), Tastes(), weight=0.0).fit(ds)
    Tastes.asked = 0
    np.testing.assert_array_equal(known_free(model, ds), known_free(EASE(l2=5.0).fit(ds), ds))
    assert Tastes.asked == 0


def test_a_second_stage_that_is_switched_off_is_said_in_the_report(ds):
    split = splits.random(ds, seed=0)
    off = {w: make("popularity>itemknn", n=20, weight=w) for w in (0.0, 1.0)}
    found = evaluate({"off": off[0.0], "on": off[1.0]}, split, Protocol(k=5, draws=1000)).findings
    said = [f.evidence for f in found if f.code == "remark"]
    assert len(said) == 1 and said[0].startswith("off: the weight of its second stage is 0")


def test_equal_scores_of_the_second_keep_the_order_of_the_first(ds):
    class Nothing(Tastes):
        def _score_candidates(self, users, items, history):
            return np.zeros(items.shape)

    for weight in (0.5, 1.0):
        model = Rerank(EASE(l2=5.0), Nothing(), n=10, weight=weight).fit(ds)
        np.testing.assert_array_equal(known_free(model, ds), known_free(EASE(l2=5.0).fit(ds), ds))


def test_the_mixture_is_that_of_z_scores_among_the_candidates(ds):
    model = Rerank(EASE(l2=5.0), TfIdf(), n=8, weight=0.3).fit(ds)
    users = np.arange(10)
    items = model.candidates(users, None, ds.pairs()[users])
    parts = [
        np.take_along_axis(m.fit(ds).score(users), items, axis=1).astype(float)
        for m in (EASE(l2=5.0), TfIdf())
    ]
    z = [(p - p.mean(1, keepdims=True)) / p.std(1, keepdims=True) for p in parts]
    expected = np.take_along_axis(items, np.argsort(-(0.7 * z[0] + 0.3 * z[1]), axis=1), axis=1)
    np.testing.assert_array_equal(top_k(model, users, 8, exclude=ds), expected)


@pytest.mark.parametrize("scale", ["zscore", "rank"])
def test_the_weight_is_chosen_on_valid(train_valid, scale):
    train, valid = train_valid
    good = Rerank(Random(seed=1), Tastes(), n=20, scale=scale).fit(train, valid)
    bad = Rerank(Random(seed=1), Tastes(sign=-1.0), n=20, scale=scale).fit(train, valid)
    assert good.weight_ >= 0.5 and bad.weight_ == 0.0
    assert good.weights_.shape == (2, 11)
    assert good.weights_[1, int(10 * good.weight_)] == good.weights_[1].max()
    # the grid's values are those of the models that have these weights
    for weight in (0.0, 0.4, 1.0):
        fixed = Rerank(Random(seed=1), Tastes(), n=20, scale=scale, weight=weight).fit(train)
        value = Validation.of(train, valid).value(fixed)
        assert value == pytest.approx(good.weights_[1, int(10 * weight)], abs=1e-12)


def test_a_costly_second_stage_is_asked_on_few_users_and_it_is_said(train_valid):
    train, valid = train_valid
    lines: list[str] = []
    Tastes.asked = 0
    with listening(said=lines.append):
        Rerank(EASE(), Tastes(), n=5, users=7).fit(train, valid)
    assert Tastes.asked == 7 * 5
    assert any("on 7 validation users, at most 5 candidates" in line for line in lines)


def test_chosen_holds_at_the_refit(train_valid):
    train, valid = train_valid
    model = Rerank(Random(), Tastes(), n=9, seed=4)
    first = clone(model).fit(train, valid)
    chosen = first.chosen()
    assert chosen["n"] == 9 and chosen["weight"] == first.weight_
    again = clone(model).set_params(**chosen).fit(train)
    assert again.weight_ == first.weight_ and again.parts()[0].seed == 4
    assert Rerank(Random(), Tastes()).fit(train).weight_ == 0.5


def test_a_saved_one_answers_alike(ds, tmp_path):
    model = Rerank(EASE(l2=5.0), TfIdf(), n=7, weight=0.4).fit(ds)
    users = np.arange(ds.n_users)
    before = model.score(users)
    model.save(tmp_path)
    again = load_model(tmp_path)
    np.testing.assert_array_equal(again.score(users), before)
    history = ds.rows(np.arange(0, len(ds.interactions), 3))
    np.testing.assert_array_equal(again.score(users, history), model.score(users, history))


def test_new_items_join_the_candidates(ds):
    new = ds.items.head(2).assign(title="robot planet story", text="laser robot space")
    new.index = ["n0", "n1"]
    grown = Rerank(TfIdf(), TfIdf(), n=30, weight=1.0).fit(ds).with_items(new)
    assert grown.score(np.arange(3)).shape == (3, 32)
    assert (grown.candidates(np.arange(3)) >= 30).any()
    with pytest.raises(InputError, match="EASE cannot score new items"):
        Rerank(EASE(), TfIdf(), weight=1.0).fit(ds).with_items(new)


def test_names():
    model = make("ease[l2=7.0]>tfidf[way=mean]")
    assert isinstance(model, Rerank) and model.first.l2 == 7.0 and model.second.way == "mean"
    assert (model.n, model.n_candidates, model.weight) == (None, 100, None)
    assert make("ease>[n=20,weight=0.5]tfidf").get_params(deep=False) | {
        "first": 0,
        "second": 0,
    } == {
        "first": 0,
        "second": 0,
        "n": 20,
        "weight": 0.5,
        "scale": "zscore",
        "users": None,
        "seed": None,
    }
    assert type(make("ease+tfidf>popularity").first).__name__ == "Blend"
    named = parse_models("ease>tfidf[way=mean],two=ease>[n=3]popularity+tfidf")
    assert list(named) == ["ease>tfidf[way=mean]", "two"] and named["two"].n == 3


@pytest.mark.parametrize(
    "name, words",
    [
        ("ease>", "'ease>' lacks a stage; write 'A>B', in quotes"),
        (">tfidf", "lacks a stage"),
        ("ease>tfidf>popularity", "names 3 stages"),
        ("ease>[m=3]tfidf", "has no setting 'm'; it has first, second, n, weight"),
        ("ease>tfdif", "no model 'tfdif'"),
    ],
)
def test_a_wrong_name_is_one_line(name, words):
    with pytest.raises(InputError, match=words.replace("[", r"\[")):
        make(name)


@pytest.mark.parametrize(
    "settings, words",
    [({"n": 0}, "n=0"), ({"weight": 1.5}, "weight=1.5"), ({"scale": "odd"}, "scale='odd'")],
)
def test_wrong_settings_say_so(ds, settings, words):
    with pytest.raises(InputError, match=words):
        Rerank(EASE(), TfIdf(), **settings).fit(ds)


def test_a_search_tunes_the_second_stage_behind_the_first(ds):
    split = splits.user_time(ds, test=0.2, valid=0.2)
    Tastes.asked = 0
    best = search(Rerank(Random(seed=1), Tastes(sign=-1.0), n=4), split, trials=12, seed=0)
    assert best.second.sign == 1.0 and len(best.searched.trials) == 12
    n_users = len(np.unique(split.inner.test.interactions["user"]))
    fits = len({str(t.settings) for t in best.searched.trials})
    assert Tastes.asked <= fits * 2 * n_users * 4, "it never judges the whole catalogue"


def test_the_report_knows_the_ceiling_and_the_cost_of_each_stage(ds, tmp_path):
    split = splits.user_time(ds, test=0.25, valid=0.1)
    protocol = Protocol(k=(3, 5), metrics=("ndcg", "recall"), draws=1000)
    models = {"p>t": Rerank(Popularity(), Tastes(), n=5), "ease": EASE()}
    ev = evaluate(models, split, protocol)
    rows = ev.ceilings
    assert set(zip(rows["metric"], rows["k"])) == {
        ("ndcg", 3),
        ("ndcg", 5),
        ("recall", 3),
        ("recall", 5),
    }
    assert set(rows["model"]) == {"p>t"} and (rows["n"] == 5).all()
    # by hand: the relevant ones among the candidates first
    popular = Popularity().fit(split.known)
    relevant = split.test.positives() > 0
    users = np.flatnonzero(np.diff(relevant.indptr))
    candidates = top_k(popular, users, 5, exclude=split.known)
    hit = np.array([[relevant[u, i] for i in row] for u, row in zip(users, candidates)])
    best = np.take_along_axis(candidates, np.argsort(~hit, axis=1, kind="stable"), axis=1)
    values = evaluate_lists(best, relevant[users], ["ndcg"], 3)["ndcg"]
    # with two candidates the third place is what popularity lists there
    two = evaluate({"p>t": Rerank(Popularity(), Tastes(), n=2)}, split, protocol).ceilings
    swapped = np.where(~hit[:, :1] & hit[:, 1:2], candidates[:, 1::-1], candidates[:, :2])
    deep = evaluate_lists(np.hstack([swapped, candidates[:, 2:3]]), relevant[users], ["ndcg"], 3)
    at_three = two[(two["metric"] == "ndcg") & (two["k"] == 3)].iloc[0]
    assert at_three["value"] == pytest.approx(deep["ndcg"].mean()) and hit[:, 2].any()
    row = rows[(rows["metric"] == "ndcg") & (rows["k"] == 3)].iloc[0]
    assert row["value"] == pytest.approx(values.mean())
    assert (row["low"], row["high"]) == pytest.approx(bootstrap(values, draws=1000))
    assert row["caught"] == pytest.approx(hit.sum() / relevant[users].nnz)
    reached = ev.rows(("ndcg", 3, "catalogue")).set_index("model").loc["p>t", "value"]
    assert 0 < reached <= row["value"] < 1
    (finding,) = [f for f in ev.findings if f.code == "ceiling"]
    assert isinstance(finding, Finding) and f"{row['value']:.4f}" in finding.evidence
    costs = ev.costs.set_index("model").loc["p>t"]
    assert costs["first_stage_ms"] > 0 and costs["second_stage_ms"] > 0
    ev.save(tmp_path)
    kept = Evaluation.load(tmp_path)
    assert kept.ceilings.equals(rows)
    assert kept.costs.set_index("model").loc["p>t", "second_stage_ms"] == costs["second_stage_ms"]
    page = kept.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert f"{costs['second_stage_ms']:,.1f} ms second, a user" in page
    assert f"at most ndcg@3 {row['value']:.4f}" in page


def test_the_second_stage_never_sees_test_rows(ds):
    split = splits.user_time(ds, test=0.25, valid=0.1)
    seen: list[set] = []

    class Spy(Tastes):
        def fit(self, train, valid=None):
            rows = [train.interactions] + ([] if valid is None else [valid.interactions])
            seen.append({(u, i) for r in rows for u, i in zip(r["user"], r["item"])})
            return super().fit(train, valid)

    evaluate({"e": Rerank(EASE(), Spy(), n=5)}, split, Protocol(k=3))
    tested = set(zip(split.test.interactions["user"], split.test.interactions["item"]))
    assert len(seen) == 2 and not any(rows & tested for rows in seen)


def test_a_costly_second_model_says_how_many_it_is_usually_asked(ds):
    class Slow(Tastes):
        usual_candidates, usual_users = 4, 3

    said: list[str] = []
    split = splits.user_time(ds)
    with listening(said=said.append):
        model = Rerank(EASE(), Slow()).fit(split.train, split.valid)
    assert model.candidates(np.arange(3)).shape == (3, 4)
    assert any("3 validation users, at most 4 candidates" in line for line in said)
    assert model.chosen()["n"] == 4
    assert Rerank(EASE(), Slow(), n=6).n_candidates == 6
    assert Rerank(EASE(), TfIdf()).n_candidates == 100
    assert make("ease>lm_yes").n_candidates == 40


def test_a_weight_that_few_people_chose_says_so(ds):
    split = splits.user_time(ds)
    few = Rerank(Popularity(), Tastes(), n=3, users=4).fit(split.train, split.valid)
    assert few.n_asked_ == 4
    assert "4 validation users chose the weight" in few.remarks()[-1]
    given = Rerank(Popularity(), Tastes(), n=3, weight=0.5).fit(split.train, split.valid)
    assert not given.remarks()
