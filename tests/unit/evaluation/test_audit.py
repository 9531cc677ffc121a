"""Every check of the audit catches a planted fault and stays silent on clean data."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from recnb import evaluate, load
from recnb.data import Dataset, Text, splits
from recnb.evaluation import Protocol, Task
from recnb.evaluation.audit import CHECKS, audit, material, near
from recnb.evaluation.audit import items as item_checks
from recnb.evaluation.audit import pairs as pair_checks
from recnb.evaluation.audit.models import effort
from recnb.evaluation.audit.reference import places_of
from recnb.evaluation.audit.rows import later_shares
from recnb.evaluation.judge import judge
from recnb.models import make
from recnb.recommender import read_lists, top_k

N_USERS, N_ITEMS, PER_USER = 300, 240, 24
BASELINES = ("random", "popularity", "ease")


def frames(seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clean data: tastes in four groups, a long tail, one clock without ties, every text its own."""
    rng = np.random.default_rng(seed)
    group_u, group_i = rng.integers(0, 4, N_USERS), np.arange(N_ITEMS) % 4
    weight = 1 / (1 + rng.permutation(N_ITEMS) / 12)
    rows = []
    for u in range(N_USERS):
        p = weight * np.where(group_i == group_u[u], 8, 1)
        for i in rng.choice(N_ITEMS, PER_USER, replace=False, p=p / p.sum()):
            rows.append((f"u{u}", f"i{i}"))
    table = pd.DataFrame(rows, columns=["user_id", "item_id"])
    table["timestamp"] = 1_600_000_000 + rng.permutation(len(table)) * 60
    words = [f"w{a}{b}" for a in "abcdefghij" for b in "klmnopqrst"]
    items = pd.DataFrame(
        {
            "item_id": [f"i{i}" for i in range(N_ITEMS)],
            "title": [" ".join(rng.choice(words, 5, replace=False)) for _ in range(N_ITEMS)],
            "weight": rng.integers(1, 1000, N_ITEMS),
        }
    )
    return table, items


def task_of(rows, items, make_split=splits.global_time, protocol=None, **settings) -> Task:
    return Task(make_split(Dataset.from_frames(rows, items, **settings)), protocol or Protocol())


def codes(task: Task, models=None, **more) -> set[str]:
    if models is None:
        return {f.code for f in audit(task)}
    return {f.code for f in evaluate(models, task.split, task.protocol).findings}


@pytest.fixture(scope="module")
def clean() -> tuple[pd.DataFrame, pd.DataFrame]:
    return frames()


@pytest.fixture(scope="module")
def clean_task(clean) -> Task:
    return task_of(*clean)


def test_clean_data_judged_cleanly_say_nothing(clean_task):
    assert codes(clean_task, {name: make(name) for name in BASELINES}) == set()


def test_every_finding_has_a_described_code(clean_task):
    assert {"future_leak", "overlap", "seen_recommended"} <= set(CHECKS)


# ---------------------------------------------------------------- rows


@pytest.mark.parametrize("split", [splits.random, splits.user_time, splits.leave_one_out])
def test_future_leak(clean, split):
    assert "future_leak" in codes(task_of(*clean, make_split=split))


def test_future_leak_is_counted_by_hand():
    rows = pd.DataFrame(
        {
            "user_id": ["a", "a", "b", "b", "b"],
            "item_id": ["x", "y", "x", "y", "z"],
            "timestamp": [1, 4, 2, 3, 9],
        }
    )
    task = Task(splits.leave_one_out(Dataset.from_frames(rows), valid=False), Protocol())
    newer, after = later_shares(task)
    # a's test row is at 4: known are 1, 2, 3, none newer; b's is at 9.
    assert newer.tolist() == [0, 0]
    assert after == pytest.approx([1 / 5, 0])


def test_overlap(clean):
    rows, items = clean
    again = pd.concat([rows, rows.tail(300)], ignore_index=True)
    ds = Dataset.from_frames(again, items, duplicates="keep")
    part = np.zeros(len(ds.interactions), np.int8)
    twice = ds.interactions.duplicated(["user", "item"], keep="first").to_numpy()
    part[twice] = 2
    task = Task(splits.Split(ds, part, "predefined"), Protocol(repeats="include"))
    assert "overlap" in codes(task)


def test_repeated_pairs(clean):
    rows, items = clean
    later = rows.head(400).assign(
        timestamp=lambda f: f["timestamp"].max() + 10**6 + np.arange(len(f))
    )
    assert "repeated_pairs" in codes(task_of(pd.concat([rows, later]), items))


def test_tied_last_and_spread(clean):
    rows, items = clean
    tied = rows.assign(timestamp=rows["timestamp"] // 10**6)
    task = task_of(tied, items, splits.leave_one_out)
    ev = evaluate({"popularity": make("popularity")}, task.split, task.protocol)
    found = {f.code: f for f in ev.findings}
    assert found["tied_last"].n > 100
    assert found["tied_timestamps"].value > 0


def test_cold_users(clean):
    rows, items = clean
    fresh = rows.tail(60).assign(
        user_id=[f"new{n}" for n in range(60)],
        timestamp=lambda f: rows["timestamp"].max() + 1 + np.arange(len(f)),
    )
    assert "cold_users" in codes(task_of(pd.concat([rows, fresh]), items))


def test_few_users(clean):
    rows, items = clean
    some = rows[rows["user_id"].isin([f"u{n}" for n in range(40)])]
    assert "few_users" in codes(task_of(some, items))


# ---------------------------------------------------------------- items


def test_duplicate_items(clean):
    rows, items = clean
    same = items.copy()
    same.loc[1, ["title", "weight"]] = same.loc[0, ["title", "weight"]].tolist()
    assert "duplicate_items" in codes(task_of(rows, same))
    assert "duplicate_items" not in codes(task_of(rows, same.assign(size=range(len(same)))))


def test_text_that_names_kinds_is_no_catalogue_of_duplicates(clean):
    rows, items = clean
    kinds = items.assign(title=items["title"].to_numpy()[np.arange(len(items)) // 3], weight=1)
    found = codes(task_of(rows, kinds))
    assert "coarse_text" in found and "duplicate_items" not in found
    assert "coarse_text" not in codes(task_of(rows, kinds.assign(size=range(len(kinds)))))


def test_near_duplicate_items(clean):
    rows, items = clean
    long = "a very long sentence about the same thing, written with great care and at some length for the test"
    alike = items.copy()
    alike.loc[[0, 1], "title"] = [long, long + "s"]
    assert "near_duplicate_items" in codes(task_of(rows, alike))
    sequel = alike.copy()
    sequel.loc[[0, 1], "title"] = [long + " 1", long + " 2"]
    assert "near_duplicate_items" not in codes(task_of(rows, sequel))


def test_column_made_from_the_test_rows(clean, clean_task):
    rows, items = clean
    counts = np.bincount(clean_task.split.test.interactions["item"], minlength=N_ITEMS)
    ids = clean_task.dataset.item_ids
    told = items.set_index("item_id").assign(shelf_space=pd.Series(counts, index=ids)).reset_index()
    assert "column_reveals" in codes(task_of(rows, told))
    known = np.bincount(clean_task.split.known.interactions["item"], minlength=N_ITEMS)
    fair = items.set_index("item_id").assign(shelf_space=pd.Series(known, index=ids)).reset_index()
    assert "column_reveals" not in codes(task_of(rows, fair))


def test_column_made_from_test_ratings(clean):
    rows, items = clean
    rng = np.random.default_rng(1)
    rated = rows.assign(rating=rng.integers(1, 6, len(rows)))
    task = task_of(rated, items, feedback="explicit", scale=(1, 5))
    test = task.split.test.interactions
    mean = test.groupby("item")["rating"].mean().reindex(range(N_ITEMS)).fillna(3)
    told = items.set_index("item_id").assign(
        stars=pd.Series(mean.to_numpy(), index=task.dataset.item_ids)
    )
    assert "column_reveals" in codes(
        task_of(rated, told.reset_index(), feedback="explicit", scale=(1, 5))
    )


def test_text_made_from_the_test_rows(clean, clean_task):
    rows, items = clean
    counts = np.bincount(clean_task.split.test.interactions["item"], minlength=N_ITEMS)
    told = items.copy()
    at = clean_task.dataset.items.index.get_indexer(told["item_id"])
    told["title"] = [
        f"{title} {' '.join(f'tag{t}' for t in range(counts[i]))}"
        for title, i in zip(told["title"], at)
    ]
    assert "text_reveals" in codes(task_of(rows, told))


def test_items_dated_after_their_use(clean):
    rows, items = clean
    assert "dated_later" in codes(task_of(rows, items.assign(year=2040)))
    assert "dated_later" not in codes(task_of(rows, items.assign(year=2015)))


def test_aggregate_column(clean):
    rows, items = clean
    assert "aggregate_column" in codes(
        task_of(rows, items.assign(average_rating=range(len(items))))
    )


# ---------------------------------------------------------------- lists


def lists_from(task: Task, items: np.ndarray, scores: np.ndarray | None = None):
    ds = task.dataset
    users, places = np.nonzero(items >= 0)
    frame = pd.DataFrame(
        {
            "user_id": ds.user_ids[task.users[users]],
            "item_id": ds.item_ids[items[users, places]],
            "rank": places + 1,
        }
    )
    if scores is not None:
        frame["score"] = scores[users, places]
    return read_lists(frame)


def test_seen_items_recommended(clean_task):
    popular = make("popularity").fit(clean_task.split.known)
    listed = top_k(popular, clean_task.users, 10)  # nothing excluded
    assert "seen_recommended" in codes(clean_task, {"theirs": lists_from(clean_task, listed)})


def test_sampled_candidates(clean_task):
    rng = np.random.default_rng(0)
    listed = np.full((len(clean_task.users), 40), -1)
    for row in range(len(clean_task.users)):
        right = clean_task.relevant[row].indices
        barred = set(right) | set(clean_task.excluded[clean_task.users[row]].indices)
        others = [i for i in rng.permutation(N_ITEMS) if i not in barred]
        mixed = rng.permutation(np.concatenate([right, others[: 40 - len(right)]]))
        listed[row] = mixed[:40]
    assert "sampled_candidates" in codes(
        replace_protocol(clean_task, k=40), {"theirs": lists_from(clean_task, listed)}
    )


def replace_protocol(task: Task, **changes) -> Task:
    return Task(task.split, replace(task.protocol, **changes))


def test_hits_first_among_ties(clean_task):
    model = make("ease").fit(clean_task.split.known)
    listed = top_k(model, clean_task.users, 10, exclude=clean_task.split.known)
    hit = np.take_along_axis(clean_task.relevant.toarray(), listed, axis=1) > 0
    order = np.argsort(~hit, axis=1, kind="stable")
    flat = np.ones(listed.shape)
    planted = lists_from(clean_task, np.take_along_axis(listed, order, axis=1), flat)
    assert "optimistic_ties" in codes(clean_task, {"theirs": planted})
    shuffled = np.random.default_rng(0).permuted(listed, axis=1)
    assert "optimistic_ties" not in codes(
        clean_task, {"theirs": lists_from(clean_task, shuffled, flat)}
    )


def test_short_lists(clean_task):
    listed = top_k(make("popularity").fit(clean_task.split.known), clean_task.users, 4)
    ev = evaluate({"theirs": lists_from(clean_task, listed)}, clean_task.split)
    assert "short_lists" in {f.code for f in ev.findings}


def test_constant_scores(clean_task):
    flat = np.zeros((clean_task.dataset.n_users, N_ITEMS), np.float32)
    ev = evaluate({"flat": flat}, clean_task.split)
    assert "constant_scores" in {f.code for f in ev.findings}


def test_a_model_that_only_repeats_popularity(clean_task):
    popular = make("popularity").fit(clean_task.split.known)
    scores = popular.score(np.arange(clean_task.dataset.n_users))
    noise = np.random.default_rng(0).normal(0, 0.01, scores.shape).astype(np.float32)
    assert "repeats_popularity" in codes(clean_task, {"clever": scores + noise})


# ---------------------------------------------------------------- models


def test_missing_baseline(clean_task):
    assert "missing_baseline" in codes(clean_task, {"ease": make("ease")})


def test_untuned_and_unequal_effort(clean_task):
    judged = [judge(name, make(name), clean_task) for name in BASELINES]

    def said(search):
        return [f.code for f in effort(judged, search)]

    assert said(None) == []  # not known
    assert said({"trials": 0}) == ["untuned"]
    counts = {"ease": {"trials": 3}, "popularity": {}}
    assert said({"trials": 20, "models": counts}) == ["unequal_effort"]
    assert said({"trials": 20, "models": {"ease": {}, "popularity": {}}}) == []


def test_effort_is_said_in_the_evaluation(clean_task):
    ev = evaluate({"ease": make("ease")}, clean_task.split, search={"trials": 0, "models": {}})
    assert "untuned" in {f.code for f in ev.findings} and ev.settings["search"]["trials"] == 0


def test_baselines_are_known_by_what_they_read(clean_task):
    """Other names than usual are no fault, and usual names on other models are no cure."""
    renamed = {"a": make("random"), "b": make("popularity"), "c": make("itemknn")}
    assert "missing_baseline" not in codes(clean_task, renamed)
    borrowed = {"random": make("ease"), "popularity": make("itemknn"), "ease": make("ease")}
    assert "missing_baseline" in codes(clean_task, borrowed)


def test_selection_on_test(clean_task):
    many = {f"ease{at}": make("ease", l2=10.0 * (at + 1)) for at in range(6)}
    assert "selection_on_test" in codes(clean_task, many)


# ---------------------------------------------------------------- the figures of real data


@pytest.mark.real
def test_movielens_ties_and_leak_are_reproduced():
    ds = load("ml-100k")
    task = Task(splits.leave_one_out(ds), Protocol(relevant_from=1))
    found = {f.code: f for f in audit(task)}
    assert found["tied_last"].value == pytest.approx(0.44, abs=0.005)
    _, after = later_shares(task)
    assert after.mean() == pytest.approx(0.41, abs=0.01)


def test_a_text_column_with_missing_cells_is_read() -> None:
    from recnb.evaluation.audit.reveals import numbers_in_text

    column = pd.Series(["sales rank 7"] * 40 + [None], dtype="str")
    found = numbers_in_text(column)
    assert found["rank"][0] == 7 and np.isnan(found["rank"][-1])


def test_words_of_rows_with_missing_cells_are_read() -> None:
    from recnb.evaluation.audit.words import words_of

    table = pd.DataFrame({"age": pd.Series(["45-54", None], dtype="str"), "home": ["Owner", None]})
    assert words_of(table) == [{"45-54", "owner"}, set()]


# ---------------------------------------------------------------- cost


def all_near_pairs(texts: list[str]) -> int:
    """By every cosine there is, within the same windows."""
    texts = sorted(texts, key=len)
    vectors = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(3, 3), dtype=np.float32
    ).fit_transform(texts)
    cosine = (vectors @ vectors.T).toarray()
    digits = np.array([" ".join(re.findall(r"\d+", t)) for t in texts])
    start = np.arange(len(texts)) // near.WINDOW * near.WINDOW
    place = np.arange(len(texts))
    inside = (place >= start[:, None]) & (place < start[:, None] + 2 * near.WINDOW)
    pairs = (cosine > near.NEAR) & inside & (digits[:, None] == digits)
    np.fill_diagonal(pairs, False)
    return int((pairs.any(axis=0) | pairs.any(axis=1)).sum())


@pytest.mark.parametrize("window", [1500, 40])
def test_near_texts_are_those_of_all_cosines(monkeypatch, window) -> None:
    monkeypatch.setattr(near, "WINDOW", window)
    rng = np.random.default_rng(0)
    words = np.array(["".join(rng.choice(list("abcdefgh"), 6)) for _ in range(150)])
    texts = [" ".join(rng.choice(words, 12)) for _ in range(150)]
    texts += [t.replace(" ", "  ", 1) + " x" for t in texts[:40]]  # near
    texts += [t + f" {n}" for n, t in enumerate(texts[40:80])]  # other digits
    texts += [" ".join(reversed(t.split())) for t in texts[80:100]]  # the same 3-grams
    assert near.near_pairs(texts) == all_near_pairs(texts) >= 20


def test_places_are_those_of_a_sort() -> None:
    rng = np.random.default_rng(0)
    for n in (5, 32, 33, 80):
        candidates = rng.integers(0, 20, 200).astype(np.float32)
        targets = candidates[rng.choice(200, n, replace=False)]
        above = (candidates[:, None] > targets).sum(axis=0)
        tied = (candidates[:, None] == targets).sum(axis=0) - 1
        assert places_of(targets, candidates).tolist() == (above + tied / 2).tolist()


def test_what_is_left_out_is_said_once(clean, monkeypatch) -> None:
    rows, table = clean
    monkeypatch.setattr(item_checks, "MOST_ITEMS", 30)
    monkeypatch.setattr(pair_checks, "MOST_USERS", 10)
    monkeypatch.setattr(pair_checks, "MOST_CELLS", 1000)
    found = [f for f in audit(task_of(rows, table)) if f.code == "left_out"]
    assert len(found) == 1 and found[0].severity == "note"
    for said in (
        f"among 30 of {N_ITEMS}",
        "single users were looked for among 10 of",
        "known under another id",
    ):
        assert said in found[0].evidence


def test_texts_and_references_are_made_once(clean_task, monkeypatch) -> None:
    """A grocery table costs seconds each time that its words are read."""
    calls = Counter()

    def counted(name, function):
        def call(*arguments, **named):
            calls[name] += 1
            return function(*arguments, **named)

        return call

    monkeypatch.setattr(material, "words_of", counted("words", material.words_of))
    monkeypatch.setattr(material, "Reference", counted("reference", material.Reference))
    monkeypatch.setattr(Text, "__call__", counted("texts", Text.__call__))
    ev = evaluate({n: make(n) for n in BASELINES}, clean_task.split, clean_task.protocol)
    assert ev.settings and calls == {"words": 2, "reference": 1, "texts": 1}
