"""Who is seen, what sharing attention costs, what a feedback loop makes of it, what an off-policy slate earns.

    RECNB_DATA=FOLDER python benchmarks/fairness.py [--seeds 3]

*Real data* (MovieLens-100K, `user_time` split, ten places; Amazon Office, 1,500 drawn users): for each model the
attention of three classes of items (the tenth, the next two fifths and the rest by likes) beside their share of likes,
Gini of attention, share of attention that is not by merit (`unearned`), popularity lift, miscalibration over genres
(MovieLens), and the gap in NDCG between groups of users (MovieLens: gender; activity). `frontier`: NDCG against
`unearned` where a bonus moves items up that have had less than their due.

*Suppliers* (Amazon Office by brand, `user_time`; Book-Crossing by publisher, 3,000 drawn users, no clock and so a
random split; grocery by manufacturer, `user_time`, with what was bought before, as buying again counts there): Gini of
the suppliers' attention, and the share of it that would have to move for all to have the same (`unequal`) or a share by
the likes of their items (`unearned`), these with intervals over users; and the attention of three classes of suppliers.
Items without a supplier take no part.

*World* (generated news, nothing in it is real): eight days, a text model and a popularity model alone and together;
what each shows (true clicks a visit, Gini, variety within a list, distance between users); and on the last evening the
true clicks of the text model when it learns from what it has shown itself, from what popularity has shown, and from
both, paired by user. `slates`: five cards drawn from a log of 3,000 visitors that prefers popular items; true clicks a
visit of a policy over text features learned by REINFORCE with no correction, the correction of single cards, that of
slates, beside the logging policy, the best order by the same features' true taste, and the oracle.

Finished parts are kept in the results file, `results/fairness.json`. The last line is `ratio: X`: true clicks of
the slate-corrected policy over those of the uncorrected one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from in_parts import measure_missing

from recnb import load, splits, top_k
from recnb.behaviour.mix import item_categories
from recnb.data import Split
from recnb.effect.bandit import SlatePolicy
from recnb.effect.fairness import (
    exposure_table,
    frontier,
    inequality,
    item_exposure,
    live_days,
    ndcg_of,
    supplier_exposure,
    true_clicks,
    unearned,
    with_interval,
)
from recnb.effect.logs.world import draw_log
from recnb.metrics import group_gap, miscalibration, popularity_lift
from recnb.metrics.intervals import bootstrap, paired
from recnb.models import make
from recnb.world import World, generate
from recnb.world.exposure import examination

MODELS = ("popularity", "itemknn", "ease", "tfidf", "text_frozen")
K, CARDS = 10, 5
CLASSES = ("head: most liked tenth", "middle", "tail: rest")
SUPPLIERS = {
    "amazon-office-2018@1500": "brand",
    "bookcrossing-small@3000": "publisher",
    "grocery@800": "manufacturer",
}


def split_of(data: str) -> Split:
    """A data set by name, `@n` keeps n drawn users, split by time where it has an order."""
    plain, _, n = data.partition("@")
    ds = load(plain)
    ds = ds.sample_users(int(n), seed=0) if n else ds
    ordered = {"timestamp", "position"} & set(ds.interactions)
    return splits.user_time(ds) if ordered else splits.random(ds)


def classes_of(merit: np.ndarray) -> np.ndarray:
    """The most liked tenth, the next two fifths, the rest."""
    order = np.argsort(-merit, kind="stable")
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order)) / len(order) * 10
    return np.array(CLASSES, dtype=object)[(place >= 1) * 1 + (place >= 5) * 1]


def suppliers(data: str, name: str) -> list[dict[str, Any]]:
    """One model on one data set: who supplies what is shown."""
    split = split_of(data)
    known, column = split.known, SUPPLIERS[data]
    model = make(name).fit(known)
    again = data.startswith("grocery")
    lists = top_k(model, k=K, exclude=None if again else known)
    merit = np.bincount(known.positives().indices, minlength=known.n_items).astype(float)
    named = known.items[column].astype("string").fillna("").str.strip().to_numpy(dtype=object)
    head = {
        "data": data,
        "model": name,
        "by": column,
        "digest": split.digest,
        "n_users": len(lists),
    }
    rows = supplier_exposure(lists, named, merit).to_dict("records")
    out = [
        {
            **head,
            "metric": f"suppliers, {r['measure']}",
            **{str(k): v for k, v in r.items() if v == v},
        }
        for r in rows
    ]
    here = named != ""
    lists = np.where((lists >= 0) & here[lists], lists, -1)
    codes, _ = pd.factorize(named)
    of_supplier = np.bincount(codes[here], weights=merit[here], minlength=codes.max() + 1)
    listed = np.flatnonzero(np.bincount(codes[here], minlength=codes.max() + 1))
    classes = np.full(codes.max() + 1, "", dtype=object)
    classes[listed] = classes_of(of_supplier[listed])
    table = exposure_table(lists, classes[codes], np.where(here, merit, 0.0))
    for row in table[table["group"] != ""].to_dict("records"):
        shares = {str(k): v for k, v in row.items()}
        out.append({**head, "metric": "suppliers, exposure", "value": row["exposure"], **shares})
    return out


def real(data: str, name: str) -> list[dict[str, Any]]:
    """One model on one data set."""
    split = split_of(data)
    known, liked, relevant = split.known, split.known.positives(), split.test.positives()
    model = make(name).fit(known)
    lists = top_k(model, k=K, exclude=known)
    merit = np.bincount(liked.indices, minlength=known.n_items).astype(float)
    classes = classes_of(merit)
    head = {"data": data, "model": name, "digest": split.digest}
    rows = exposure_table(lists, classes, merit).to_dict("records")
    out = [
        {
            **head,
            "metric": "exposure",
            "value": row["exposure"],
            **{str(k): v for k, v in row.items()},
        }
        for row in rows
    ]
    exposure = item_exposure(lists, known.n_items)
    out.append({**head, "metric": "gini", "value": inequality(exposure)})
    out.append({**head, "metric": "unearned", "value": unearned(exposure, merit)})
    lift = popularity_lift(lists, liked, merit)
    out.append({**head, "metric": "popularity_lift", **with_interval(lift)})
    ndcg = ndcg_of(lists, relevant)
    judged = np.isfinite(ndcg)
    out.append({**head, "metric": "ndcg", **with_interval(ndcg)})
    if "genres" in known.items:
        shares = item_categories(known, "genres")[0]
        out.append(
            {
                **head,
                "metric": "miscalibration",
                **with_interval(miscalibration(lists, liked, shares, "js")),
            }
        )
    groups: dict[str, np.ndarray] = {}
    activity = np.diff(liked.indptr)
    groups["activity"] = np.where(
        activity <= np.median(activity[judged]), "less active", "more active"
    )
    if "gender" in known.users:
        groups["gender"] = known.users["gender"].to_numpy(dtype=object)
    for column, labels in groups.items():
        gaps = group_gap(ndcg[judged], labels[judged]).to_dict("records")
        out += [
            {**head, "metric": "ndcg gap", "by": column, **{str(k): v for k, v in g.items()}}
            for g in gaps
        ]
    scores = model.score(np.arange(known.n_users)).astype(np.float64)
    steps = frontier(scores, relevant, merit, K, (0.0, 0.1, 0.25, 0.5, 1.0, 2.0), known.pairs())
    out += [
        {**head, "metric": "frontier", "value": s["ndcg"], **{str(k): v for k, v in s.items()}}
        for s in steps.to_dict("records")
    ]
    return out


def loop(seed: int) -> list[dict[str, Any]]:
    """Days of two models, alone and together."""
    world = generate("news", n_users=400, n_items=200, seed=seed)
    models = {"text": make("text_frozen"), "popularity": make("popularity")}
    head = {"data": "generated-news", "seed": seed, "world": asdict(world.settings)}
    out: list[dict[str, Any]] = []
    runs = {
        name: live_days(world, {m: models[m] for m in chosen}, days=8, visits=400, cards=CARDS, seed=seed)
        for name, chosen in (("text alone", ["text"]), ("popularity alone", ["popularity"]), ("both", list(models)))
    }  # fmt: skip
    for name, run in runs.items():
        days = run.days.to_dict("records")
        out += [
            {
                **head,
                "metric": "days",
                "group": name,
                "value": d["clicks"],
                **{str(k): v for k, v in d.items()},
            }
            for d in days
        ]
    both = runs["both"]
    sources = {
        "its own": both.seen_by("text"),
        "popularity's": both.seen_by("popularity"),
        "both": both.data,
    }
    clicks = {
        name: true_clicks(world, models["text"], data, CARDS) for name, data in sources.items()
    }
    for name, values in clicks.items():
        row = {
            **head,
            "metric": "learned from",
            "group": name,
            "n_interactions": len(sources[name].interactions),
        }
        d = paired(values, clicks["its own"])
        row |= {
            "difference": d.difference,
            "difference_low": d.low,
            "difference_high": d.high,
            "p": d.p,
        }
        out.append({**row, **with_interval(values)})
    return out


def features(world: World) -> np.ndarray:
    """What a service would know of pairs: likeness of texts to a user's past, popularity, freshness; standardised."""
    from recnb.data import Dataset

    ds = Dataset.from_frames(world.interactions, world.items, world.users)
    likeness = make("text_frozen").fit(ds).score(np.arange(ds.n_users)).astype(np.float64)
    counts = np.log1p(np.bincount(ds.interactions["item"], minlength=ds.n_items))
    new = world.items["published"].to_numpy(dtype=np.float64)

    def z(values: np.ndarray) -> np.ndarray:
        return (values - values.mean(axis=-1, keepdims=True)) / values.std(axis=-1, keepdims=True)

    wide = (np.broadcast_to(z(v), likeness.shape) for v in (counts, new))
    like = z(likeness)
    return np.stack([like, *wide, like**2], axis=2)


def slates(seed: int) -> list[dict[str, Any]]:
    """A policy from another's log, by every correction."""
    world = generate("news", n_users=400, n_items=200, seed=seed)
    truth, look, x = world.truth, examination(CARDS), features(world)
    logged = np.exp(1.5 * x[:, :, 1])
    logged /= logged.sum(axis=1, keepdims=True)
    log = draw_log(world, logged, 3000, np.random.default_rng([seed, 5]), cards=CARDS)
    at = pd.Index(truth.user_ids).get_indexer(log.context_ids)

    def earned(shown: np.ndarray) -> np.ndarray:
        return np.take_along_axis(truth.click, shown, axis=1) @ look

    def first(scores: np.ndarray) -> np.ndarray:
        return np.argsort(-scores, axis=1, kind="stable")[:, :CARDS]

    values = {
        "oracle": earned(first(truth.click)),
        "logging policy, its likeliest": earned(first(logged)),
        "logging policy, drawn": (logged * truth.click).sum(axis=1) * look.sum(),
        "text likeness": earned(first(x[:, :, 0])),
    }
    for correction in ("none", "item", "slate"):
        policy = SlatePolicy(correction, CARDS).fit(log, x[at], look)
        values[f"reinforce, {correction}"] = earned(policy.slates(x))
    out = []
    for name, clicks in values.items():
        d = paired(clicks, values["reinforce, none"])
        low, high = bootstrap(clicks)
        out.append(
            {"data": "generated-news", "seed": seed, "metric": "slates", "group": name, "value": float(clicks.mean()),
             "low": low, "high": high, "difference": d.difference, "difference_low": d.low,
             "difference_high": d.high, "p": d.p, "n_users": len(clicks), "n_rows": log.n}
        )  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", default="ml-100k,amazon-office-2018@1500")
    parser.add_argument("--suppliers", default=",".join(SUPPLIERS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("results") / "fairness.json")
    asked = parser.parse_args()
    parts: dict[str, Callable[[], list[dict[str, Any]]]] = {}
    for data in filter(None, asked.sets.split(",")):
        parts |= {f"{data} {name}": partial(real, data, name) for name in MODELS}
    for data in filter(None, asked.suppliers.split(",")):
        parts |= {f"suppliers {data} {name}": partial(suppliers, data, name) for name in MODELS}
    for seed in range(asked.seeds):
        parts |= {f"loop {seed}": partial(loop, seed), f"slates {seed}": partial(slates, seed)}
    show(measure_missing(asked.output, parts))


def show(records: list[dict[str, Any]]) -> None:
    """A line a record, and the ratio."""
    for r in records:
        numbers = {k: round(v, 4) for k, v in r.items() if isinstance(v, float)}
        named = [str(r[c]) for c in ("data", "seed", "model", "metric", "group", "by") if c in r]
        print(" ".join(named), numbers)
    of = {
        c: np.mean([r["value"] for r in records if r.get("group") == f"reinforce, {c}"])
        for c in ("slate", "none")
    }
    print(f"ratio: {of['slate'] / of['none']:.3f}")


if __name__ == "__main__":
    main()
