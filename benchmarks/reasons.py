"""Are the reasons of a recommendation the model's own? Deletion and insertion curves against chance and popularity.

    RECNB_DATA=FOLDER python benchmarks/reasons.py [--sets ml-100k,amazon-office-2018@1500] [--users 120]

Each model is fitted on the known part of a `user_time` split. For a drawn user its first recommendation is explained:
by past items (exactly for EASE and TF-IDF, by leaving one out for the two tower) and, for the two that read text, by
words (exactly for TF-IDF, by integrated gradients for the two tower). Then reasons are taken away one by one, the
strongest first, and the *standing* of the item is read: how far it is above the mean of the user's scores, in
standard deviations. `fall` is the mean loss over the steps of deletion, `rise` the mean standing with the reasons
alone (less that of the whole), `flip` the share of recommendations that have left the first ten after three
deletions. Against: five random orders, and popularity (the most popular past items first, the most frequent words
first). `reset`: the order of a network with all weights drawn anew, the language model's among them, judged on the
fitted network. `difference` is reasons less the other order, paired by user; for `reset` also reset less random
(`over_random`). `stability`: Kendall's tau between the values of three seeds, for the two tower. `sets`: the sizes of
the smallest sets found without which the item would not be listed.

A part is a data set, a model and a seed. Finished parts are kept in the results file and not computed again; what the
seeds of a model said stands beside it (`reasons_values.json`) until their stability is judged. Results:
`results/reasons.json`. The last line is `ratio: X`: the fall by the reasons over the fall by chance, the mean over all
parts.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from in_parts import measure_missing

from recnb import load, splits
from recnb.data import Dataset
from recnb.effect.reasons import (
    Asked,
    Curves,
    PastItems,
    Retold,
    WordOrder,
    Words,
    compared,
    item_words,
    past_curves,
    past_items,
    random_orders,
    smallest_set,
    stability,
    word_curves,
    word_reader,
)
from recnb.files import write_json
from recnb.metrics.intervals import paired
from recnb.models import make

MODELS = {"ease": 1, "tfidf": 1, "text_dot": 3}  # and how many seeds
K, STEPS, RANDOM, FLIPPED = 10, 8, 5, 3
VALUES = {
    "fall": lambda c: c.fall,
    "rise": lambda c: c.rise,
    "flip": lambda c: float(c.flipped[min(FLIPPED, len(c.flipped) - 1)]),
}


def data_of(name: str) -> Dataset:
    """A data set by name; `@n` keeps n drawn users."""
    name, _, n = name.partition("@")
    ds = load(name)
    return ds.sample_users(int(n), seed=0) if n else ds


def drawn(model: Any, n: int) -> list[tuple[Asked, int]]:
    """Users with at least five likes, none of them twice, and the first recommendation of each."""
    order = np.random.default_rng(0).permutation(len(model.user_ids_))
    out: list[tuple[Asked, int]] = []
    for user in order.tolist():
        history = np.asarray(model.history_of(user)).tolist()
        if len(set(history)) == len(history) >= 5:
            asked = Asked.of(model, user)
            out.append((asked, int(asked.best(1)[0])))
        if len(out) == n:
            break
    return out


def judged(
    head: dict[str, Any], users: list[int], curves: dict[str, list[Curves]]
) -> list[dict[str, Any]]:
    """Records of one kind of reasons."""
    out = []
    for metric, value in VALUES.items():
        found = compared(users, curves, value)
        for order, numbers in found.items():
            out.append(
                {**head, "metric": metric, "order": order, "n_users": len(set(users)), **numbers}
            )
        if "reset" in curves:
            random = [
                np.mean([value(curves[f"random {r}"][i]) for r in range(RANDOM)])
                for i in range(len(users))
            ]
            d = paired(np.array([value(c) for c in curves["reset"]]), np.array(random))
            out[-1] = out[-1] if out[-1]["order"] != "reset" else {
                **out[-1], "over_random": d.difference, "over_random_low": d.low, "over_random_high": d.high
            }  # fmt: skip
    return out


def by_past(
    head: dict[str, Any], asked: list[tuple[Asked, int]], popular: np.ndarray
) -> tuple[list[dict[str, Any]], list[PastItems]]:
    """Past items: curves, and the smallest sets."""
    curves: dict[str, list[Curves]] = {}
    parts, sizes = [], []
    for at, (one, item) in enumerate(asked):
        part = past_items(one, item)
        orders = {"reasons": part.order, "popularity": part.items[np.argsort(-popular[part.items])]}
        for r, order in enumerate(random_orders(part.items, RANDOM, at)):
            orders[f"random {r}"] = order
        for kind, order in orders.items():
            curves.setdefault(kind, []).append(past_curves(one, item, order, K, STEPS))
        gone = smallest_set(one, item, K, part)
        sizes.append(len(gone.items) if gone else 0)
        parts.append(part)
    users = [int(one.user or 0) for one, _ in asked]
    records = judged({**head, "reasons": "past items"}, users, curves)
    held = np.bincount(np.minimum(sizes, 6), minlength=7) / len(sizes)
    names = ["none", "1", "2", "3", "4", "5", "6 or more"]
    few = {"metric": "sets", "value": float(held[1:4].sum())}  # at most three are enough
    records.append({**head, "reasons": "past items", **few, **dict(zip(names, held.tolist()))})
    return records, parts


def by_words(
    head: dict[str, Any], model: Any, ds: Dataset, asked: list[tuple[Asked, int]], reset: bool
) -> tuple[list[dict[str, Any]], list[Words]]:
    """Words: curves, and for a network the order of one drawn anew."""
    retold = Retold(model, ds.items)
    readers = {"reasons": word_reader(model, ds.items)}
    frequent: dict[str, int] = {}
    for item in range(ds.n_items):
        for word in retold.words_of(item):
            frequent[word] = frequent.get(word, 0) + 1
    told = {
        kind: [item_words(one, item, retold, reader) for one, item in asked]
        for kind, reader in readers.items()
    }
    if reset:
        reader = model.word_reader(ds.items, reset=0)
        told["reset"] = [item_words(one, item, retold, reader) for one, item in asked]
    orders: dict[str, list[WordOrder]] = {}
    for at, (one, item) in enumerate(asked):
        words = told["reasons"][at]
        named: dict[str, Any] = {kind: held[at].order for kind, held in told.items()}
        named["popularity"] = sorted(words.words, key=lambda w: -frequent[w])
        for r, order in enumerate(random_orders(words.words, RANDOM, at)):
            named[f"random {r}"] = order
        named = dict(sorted(named.items(), key=lambda kv: kv[0] == "reset"))  # reset last
        for kind, order in named.items():
            orders.setdefault(kind, []).append(WordOrder(one, item, order))
    flat = [order for held in orders.values() for order in held]
    drawn_curves = word_curves(flat, retold, K, STEPS)
    n = len(asked)
    curves = {kind: drawn_curves[at * n : (at + 1) * n] for at, kind in enumerate(orders)}
    users = [int(one.user or 0) for one, _ in asked]
    return judged({**head, "reasons": "words"}, users, curves), told["reasons"]


class Values:
    """What the seeds of a model say of the same recommendations, kept in a file until all have spoken."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def all(self) -> dict[str, Any]:
        return json.loads(self.path.read_text(encoding="utf-8")) if self.path.is_file() else {}

    def put(self, part: str, values: dict[str, Any]) -> None:
        write_json(self.path, self.all() | {part: values})

    def drop(self, parts: list[str]) -> None:
        kept = {part: values for part, values in self.all().items() if part not in parts}
        if kept:
            write_json(self.path, kept)
        else:
            self.path.unlink(missing_ok=True)


def part_of(name: str, model: str, n_users: int, seed: int) -> str:
    """A part by name; the seed is told where there are several."""
    return f"{name} {model} {n_users}" + (f" seed {seed}" if MODELS[model] > 1 else "")


def measured(
    name: str, model_name: str, n_users: int, seed: int, values: Values
) -> list[dict[str, Any]]:
    """All records of a seed of a model on a data set."""
    ds = data_of(name)
    known = splits.user_time(ds).known
    popular = np.bincount(known.interactions["item"], minlength=ds.n_items)
    several = MODELS[model_name] > 1
    model = make(model_name, **({"seed": seed} if several else {})).fit(known)
    if seed == 0:
        asked = drawn(model, n_users)
    else:  # the recommendations of the first seed are explained by all
        first = values.all()[part_of(name, model_name, n_users, 0)]["asked"]
        asked = [(Asked.of(model, user), item) for user, item in first]
    head = {"data": name, "model": model_name, "seed": seed}
    records, parts = by_past(head, asked, popular)
    given: dict[str, Any] = {
        "asked": [[int(one.user or 0), item] for one, item in asked],
        "past items": [part.values.tolist() for part in parts],
    }
    if model_name != "ease":
        more, words = by_words(head, model, ds, asked, several and seed == 0)
        records += more
        given["words"] = [w.values.tolist() for w in words]
    if several:
        values.put(part_of(name, model_name, n_users, seed), given)
    for record in records:
        record |= {"digest": known.digest, "n_recommendations": len(asked)}
    return records


def stable(name: str, model: str, n_users: int, values: Values) -> list[dict[str, Any]]:
    """How far the seeds of a model agree, from what they said."""
    parts = [part_of(name, model, n_users, seed) for seed in range(MODELS[model])]
    said = [values.all()[part] for part in parts]
    digest = splits.user_time(data_of(name)).known.digest
    records = []
    for kind in ("past items", "words"):
        of_seeds = [[np.array(v) for v in one[kind]] for one in said]
        records.append(
            {"data": name, "model": model, "reasons": kind, "metric": "stability",
             "value": stability(of_seeds), "n_seeds": len(said), "digest": digest,
             "n_recommendations": len(said[0]["asked"])}
        )  # fmt: skip
    return records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", default="ml-100k,amazon-office-2018@1500")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--users", type=int, default=120)
    parser.add_argument("--output", type=Path, default=Path("results") / "reasons.json")
    asked = parser.parse_args()
    values = Values(asked.output.with_name("reasons_values.json"))
    parts: dict[str, Any] = {}
    for name in asked.sets.split(","):
        for model in asked.models.split(","):
            for seed in range(MODELS[model]):
                part = part_of(name, model, asked.users, seed)
                parts[part] = partial(measured, name, model, asked.users, seed, values)
            if MODELS[model] > 1:
                part = f"{name} {model} {asked.users} stability"
                parts[part] = partial(stable, name, model, asked.users, values)
    records = measure_missing(asked.output, parts)
    values.drop(list(parts))
    show(records)


def show(records: list[dict[str, Any]]) -> None:
    """A line a record, and the ratio."""
    ratios = []
    rows = [r for r in records if r["metric"] in VALUES]
    for r in rows:
        ends = f"{r['value']:+.3f} ({r['low']:+.3f} to {r['high']:+.3f})"
        less = ""
        if "difference" in r:
            less = f"less this {r['difference']:+.3f} ({r['difference_low']:+.3f} to {r['difference_high']:+.3f})"
        print(
            f"{r['data']:24} {r['model']:9} {r['seed']} {r['reasons']:10} {r['metric']:4} {r['order']:10} {ends} {less}"
        )
        if r["order"] == "reasons" and r["metric"] == "fall":
            chance = next(
                o for o in rows
                if o["order"] == "random" and o["metric"] == "fall"
                and all(o[c] == r[c] for c in ("data", "model", "seed", "reasons"))
            )  # fmt: skip
            ratios.append(r["value"] / max(chance["value"], 1e-9))
    for r in records:
        if r["metric"] in ("stability", "sets"):
            print({k: v for k, v in r.items() if k not in ("digest", "n_recommendations")})
    print(f"ratio: {np.mean(ratios):.2f}")


if __name__ == "__main__":
    main()
