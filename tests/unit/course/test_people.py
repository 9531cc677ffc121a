"""One user's history and lists: hits are those of the judge, shown with and without widgets."""

from __future__ import annotations

import builtins
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from recnb.course import browse, example_user, lists_of, normalise
from recnb.course.people import WIDGET
from recnb.data import Dataset, Split, splits
from recnb.errors import InputError
from recnb.evaluation import Evaluation, Protocol, evaluate


@pytest.fixture(scope="module")
def split() -> Split:
    rng = np.random.default_rng(1)
    rows = pd.DataFrame(
        [(f"u{u}", f"i{i}", t) for t, (u, i) in enumerate(rng.integers(0, 12, (200, 2)))],
        columns=["user_id", "item_id", "timestamp"],
    ).drop_duplicates(["user_id", "item_id"])
    items = pd.DataFrame({"item_id": [f"i{i}" for i in range(12)]})
    items["title"] = [f"<Title> {'long ' * 20 if i == 0 else i}" for i in range(12)]
    return splits.user_time(Dataset.from_frames(rows, items), test=0.3, valid=0.1)


@pytest.fixture(scope="module")
def ev(split: Split) -> Evaluation:
    rng = np.random.default_rng(2)
    shape = (split.dataset.n_users, split.dataset.n_items)
    scores = {name: rng.random(shape).astype(np.float32) for name in ("one", "two")}
    return evaluate(scores, split, Protocol(k=3, metrics=("recall", "hit_rate"), draws=1000))


def test_hits_are_those_that_the_judge_counted(ev: Evaluation, split: Split) -> None:
    values = ev.per_user.query("metric == 'recall'").set_index(["model", "user_id"])["value"]
    relevant = split.test.interactions.groupby("user")["item"].nunique()
    for user in ev.lists["user_id"].unique():
        shown = lists_of(ev, user, split)
        n = relevant[split.dataset.users.index.get_loc(user)]
        for model in ("one", "two"):
            assert shown.hits(model) / n == pytest.approx(values[model, user])


def test_history_is_newest_first_and_holds_no_test_item(ev: Evaluation, split: Split) -> None:
    user = str(ev.lists["user_id"].iloc[0])
    shown = lists_of(ev, user, split, n=2, n_known=3)
    rows = split.dataset.interactions
    code = split.dataset.users.index.get_loc(user)
    mine = rows[rows["user"] == code].sort_values("timestamp")
    ids = split.dataset.item_ids[mine["item"]].tolist()
    n_later = len(split.test.interactions.query("user == @code"))
    assert [item for item, _ in shown.known] == ids[: len(ids) - n_later][::-1][:3]
    assert [item for item, _ in shown.later] == ids[len(ids) - n_later :][:3]
    assert (shown.n_known, shown.n_later) == (len(ids) - n_later, n_later)
    assert all(len(listed) == 2 for listed in shown.lists.values())


def test_text_is_escaped_shortened_and_reasons_stand_below(ev: Evaluation, split: Split) -> None:
    user = str(ev.lists["user_id"].iloc[0])
    page = lists_of(ev, user, split, models=["two"], why=lambda *_: "a < b")._repr_html_()
    assert "<Title>" not in page and "&lt;Title&gt;" in page
    assert page.count("<small>a &lt; b</small>") == 3
    assert "one:" not in page
    assert all(len(title) <= 60 for _, title in lists_of(ev, user, split).known)


def test_hits_are_marked(ev: Evaluation, split: Split) -> None:
    for user in ev.lists["user_id"].unique():
        shown = lists_of(ev, user, split, n_known=0)
        hits = sum(shown.hits(model) for model in shown.lists)
        assert shown._repr_html_().count("✓ ") == hits
        assert repr(shown).count("✓ ") == hits


def test_an_example_shows_what_the_numbers_say(ev: Evaluation) -> None:
    values = ev.per_user.query("metric == 'recall'").pivot(index="user_id", columns="model")[
        "value"
    ]
    gap = values["one"] - values["two"]
    assert gap[example_user(ev, "one", "two", rank=1)] == gap.max()
    assert gap[example_user(ev, "two", "one", rank=1)] == gap.min()
    assert example_user(ev, "one", seed=3) == example_user(ev, "one", seed=3)


def test_a_browser_turns_pages_and_keeps_a_static_one(ev: Evaluation, split: Split) -> None:
    shown = browse(ev, split, first="u3", n_users=5)
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", WIDGET}
    assert bundle["text/html"] == lists_of(ev, "u3", split)._repr_html_()
    menu, page = shown.widget().children
    other = next(user for user in shown.users if user != "u3")
    menu.value = other
    assert page.value == lists_of(ev, other, split)._repr_html_()
    output = new_output("execute_result", data=bundle, execution_count=1)
    nb = new_notebook(cells=[new_code_cell("a", outputs=[output], execution_count=1)])
    (kept,) = normalise(nb).cells[0].outputs
    assert set(kept.data) == {"text/plain", "text/html"}


def test_without_widgets_the_static_page_is_shown(
    ev: Evaluation, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("ipywidgets"):
            raise ImportError(name)
        return load(name, *rest)

    monkeypatch.setitem(__import__("sys").modules, "ipywidgets", None)
    monkeypatch.setattr(builtins, "__import__", without)
    assert set(browse(ev, split)._repr_mimebundle_()) == {"text/plain", "text/html"}


@pytest.fixture(scope="module")
def rated() -> Split:
    """Explicit data: about half of what is taken later is disliked."""
    rng = np.random.default_rng(3)
    rows = pd.DataFrame(
        [
            (f"u{u}", f"i{i}", 1 + t % 5, t)
            for t, (u, i) in enumerate(rng.integers(0, 14, (300, 2)))
        ],
        columns=["user_id", "item_id", "rating", "timestamp"],
    ).drop_duplicates(["user_id", "item_id"])
    ds = Dataset.from_frames(rows, feedback="explicit", scale=(1, 5))
    return splits.user_time(ds, test=0.4, valid=0.1)


@pytest.mark.parametrize("relevant_from", [None, 3.0])
def test_what_was_disliked_is_no_hit(rated: Split, relevant_from: float | None) -> None:
    scores = np.random.default_rng(4).random((rated.dataset.n_users, rated.dataset.n_items))
    protocol = Protocol(k=8, metrics=("recall",), draws=1000, relevant_from=relevant_from)
    ev = evaluate({"one": scores.astype(np.float32)}, rated, protocol)
    value = ev.per_user.set_index("user_id")["value"]
    test = rated.test.interactions
    liked = test[test["rating"] >= (relevant_from or 4.0)]
    n = liked["user"].map(dict(enumerate(rated.dataset.user_ids))).value_counts()
    disliked = 0
    for held in (ev, replace(ev, split_frame=None)):
        for user in value.index:
            shown = lists_of(held, user, rated)
            assert len(shown.hit_items) == n[user]
            assert shown.hits("one") / n[user] == pytest.approx(value[user])
            listed, later = dict(shown.lists["one"]), dict(shown.later)
            disliked += len((set(listed) & set(later)) - shown.hit_items)
            marked = sum(item in shown.hit_items for item in later) + shown.hits("one")
            assert repr(shown).count("✓ ") == marked
    assert disliked > 20  # items that were listed and taken, and do not count


def test_a_user_who_was_not_judged_is_shown_without_lists(ev: Evaluation, split: Split) -> None:
    user = str(ev.lists["user_id"].iloc[0])
    others = replace(ev, lists=ev.lists[ev.lists["user_id"] != user])
    for given in (split, None):
        shown = lists_of(others, user, given)
        assert shown.n_known > 0 and all(not listed for listed in shown.lists.values())
        assert "Not judged" in shown._repr_html_() and "Marked" not in shown._repr_html_()


def test_wrong_names_are_told(ev: Evaluation, split: Split) -> None:
    with pytest.raises(InputError, match="no lists of user 'nobody'"):
        lists_of(ev, "nobody", split)
    with pytest.raises(InputError, match="no list of model 'three'; one of one, two"):
        lists_of(ev, str(ev.lists["user_id"].iloc[0]), split, models=["three"])
