"""How far can a seller climb, in text models and in classical ones, at equal cost, and what do defences cost?

    RECNB_DATA=FOLDER python benchmarks/attacks.py [--sets ml-100k,amazon-office-2018@1500] [--models tfidf,text_dot,…]

Items of little popularity are pushed by 20 edits each: words written into the text (read by a fitted model), or
interactions of invented users (a model of pairs is trained again). Places gained, per edit, share of the lists reached,
with intervals over the targets; a convention makes a word and an invented interaction cost the same. `lm_yes` ranks
among 20 drawn items and is given orders hidden in the text as well. Defences: texts cleaned at the door; training on
data in which a fifth of the items carry the attack (`hardened`, for keywords); four rounds of attacker and defender
(`best responses`, TF-IDF), the attacker writing the ten words that gain most against the model as it stands, the
defender taking these out of every text. Their price is NDCG@10 against the undefended model, paired by user.

Finished parts are kept in the results file. Results: `results/attacks.json`. The last line is `ratio: X`: the largest
mean places an edit of a text model over that of a classical one, the mean over the data sets.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from in_parts import measure_missing
from sklearn.base import clone

from recnb import load, splits
from recnb.data import Split
from recnb.effect.attacks import (
    best_responses,
    hardened,
    pick_targets,
    stuffing,
    summary,
    text_gains,
)
from recnb.evaluation import Protocol, evaluate
from recnb.metrics.intervals import paired
from recnb.models import make
from recnb.recommender import Recommender
from recnb.study.attacks import AttackPlan, attacked

PLAN = AttackPlan(edits=20, targets=30, users=300, fed=15)
MODELS = "popularity,itemknn,ease,tfidf,text_frozen,text_dot,lm_yes"
HARDENED = ("tfidf", "text_dot")


def ndcg(model: Recommender, split: Split) -> np.ndarray:
    """NDCG@10 of each judged user."""
    return evaluate({"m": model}, split, Protocol(metrics=("ndcg",))).per_user["value"].to_numpy()


def with_items(split: Split, items: Any) -> Split:
    """The same division of data with other texts."""
    return split.with_dataset(replace(split.dataset, items=items))


def price(after: np.ndarray, before: np.ndarray) -> dict[str, float]:
    """What a defence costs, paired by user."""
    d = paired(after, before)
    return {
        "ndcg": float(before.mean()),
        "ndcg_defended": float(after.mean()),
        "difference": d.difference,
        "difference_low": d.low,
        "difference_high": d.high,
        "n_users": len(after),
    }


def trained_on_attacks(
    split: Split, name: str, model: Recommender, plain: Recommender
) -> list[dict[str, Any]]:
    """Keywords against a model that was trained with a fifth of the items carrying them; `plain` was not."""
    known, edit = split.known, stuffing(split.known, PLAN.edits)
    rng = np.random.default_rng(PLAN.seed)
    users = np.sort(rng.choice(known.n_users, min(PLAN.users, known.n_users), replace=False))
    targets = pick_targets(known, PLAN.targets, PLAN.seed).tolist()
    tough = with_items(split, hardened(known, edit, 0.2, PLAN.seed).items)
    fitted = clone(model).fit(tough.known)
    cost = price(ndcg(fitted, tough), ndcg(plain, split))
    out = []
    for way, one, data in (("undefended", plain, known), ("hardened", fitted, tough.known)):
        gains = summary(text_gains(one, data, targets, [edit], users, PLAN.k)).to_dict("records")
        out += [
            {
                "model": name,
                "kind": "defence",
                "defence": way,
                **g,
                **(cost if way == "hardened" else {}),
            }
            for g in gains
        ]
    return out


def rounds_of(split: Split, name: str, model: Recommender) -> list[dict[str, Any]]:
    """Attacker and defender, each answering the other."""
    known = split.known
    users = np.sort(
        np.random.default_rng(0).choice(known.n_users, min(150, known.n_users), replace=False)
    )
    targets = pick_targets(known, 15, PLAN.seed).tolist()
    before = ndcg(clone(model).fit(known), split)
    prices: list[dict[str, float]] = []

    def quality(fitted: Recommender, data: Any) -> float:
        prices.append(price(ndcg(fitted, with_items(split, data.items)), before))
        return prices[-1]["ndcg_defended"]

    found = best_responses(model, known, targets, users, quality, rounds=4, n_words=10, tried=40)
    return [
        {"model": name, "kind": "best responses", "round": at + 1, "words": list(r.words), "places": r.attacked, **p}
        for at, (r, p) in enumerate(zip(found, prices))
    ]  # fmt: skip


def measured(data: str, name: str) -> list[dict[str, Any]]:
    """All records of a model on a data set."""
    plain, _, n = data.partition("@")
    ds = load(plain)
    split = splits.user_time(ds.sample_users(int(n), seed=0) if n else ds)
    model = make(name)
    fitted = clone(model).fit(split.known)
    part = attacked(split, split.known, name, model, PLAN, fitted)
    records = [{**r, "kind": "attack"} for r in part["records"]]
    for d in part["defences"]:
        head = {
            "model": name,
            "kind": "door",
            "texts_changed": d["texts_changed"],
            "ndcg": d["ndcg"],
        }
        head |= {"ndcg_defended": d["ndcg_defended"], "difference": d["difference"]}
        head |= {"difference_low": d["low"], "difference_high": d["high"], "n_users": d["n_users"]}
        records += [{**head, **gain} for gain in d["gains"]]
    if name in HARDENED:
        records += trained_on_attacks(split, name, model, fitted)
    if name == "tfidf":
        records += rounds_of(split, name, model)
    return [{"data": data, **r, "digest": split.digest} for r in records]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", default="ml-100k,amazon-office-2018@1500")
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--output", type=Path, default=Path("results") / "attacks.json")
    asked = parser.parse_args()
    parts = {
        f"{data} {name}": partial(measured, data, name)
        for data in asked.sets.split(",")
        for name in asked.models.split(",")
    }
    show(measure_missing(asked.output, parts))


def show(records: list[dict[str, Any]]) -> None:
    """A line a record, and the ratio."""
    for r in records:
        what = r.get("attack") or f"round {r['round']}"
        low, high = r.get("low", np.nan), r.get("high", np.nan)
        cost = (
            f"NDCG {r['difference']:+.4f} ({r['difference_low']:+.4f} to {r['difference_high']:+.4f})"
            if "difference" in r
            else ""
        )
        named = r.get("defence", r["kind"])
        print(
            f"{r['data']:24} {r['model']:11} {named:14} {what:28} "
            f"{r['places']:+9.1f} ({low:+.1f} to {high:+.1f}) {cost}"
        )
    ratios = []
    for data in {r["data"] for r in records}:
        best = {
            text: max(
                (r["per_edit"] for r in records
                 if r["data"] == data and r["kind"] == "attack" and (r["how"] == "read") == text), default=np.nan,
            )
            for text in (True, False)
        }  # fmt: skip
        ratios.append(best[True] / best[False])
    print(f"ratio: {np.nanmean(ratios):.2f}")


if __name__ == "__main__":
    main()
