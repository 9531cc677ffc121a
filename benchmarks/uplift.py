"""Does recommending by the effect of showing sell more than recommending by the chance of purchase?

    python benchmarks/uplift.py

The world is generated (shop, 1,000 users, 80 items); nothing in it is real. A user finds items alone, in proportion
to demand, in two visits; an item that is shown can be clicked and taken besides. The effect of showing is what that
adds.

A randomised trial: 60,000 (user, item) pairs, each shown with chance 0.5. Features: a blurred guess of the user's
taste, the log of the item's interactions, their squares and product. Learners: S, T, X, DR over logistic regression
(effects: linear regression), fitted on half of the pairs; on the other half their Qini and the uplift among the best
tenth, intervals over users. Then six items are shown to each user, the best by each learner, by the chance of
purchase when shown, by popularity, at random, and by the true effect. `value` is the number of purchases a user that
showing adds, from the truth; `difference` is that less the one by chance of purchase, paired by user.

Each world (seed) is a part: finished parts are kept in the results file and not measured again. Records without a
`seed` are over all worlds: the random-effects mean of the worlds, each with the error of its users, and its interval,
t over the worlds (`recnb.metrics.studies.pooled`); `n_above` and `n_below` of the worlds have a difference that is
clear of zero.

Results go to `results/uplift.json`. The last line is `ratio: X`: purchases added by the DR-learner's items over those
added by the likeliest purchases.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from in_parts import measure_missing
from scipy.stats import norm
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recnb.effect.policy.policies import standardised
from recnb.effect.uplift import LEARNERS, Uplift, counterfactuals, qini, uplift_at
from recnb.files import write_json
from recnb.metrics.intervals import bootstrap, paired
from recnb.metrics.studies import pooled
from recnb.world import generate

DATA = "generated-shop"
N_USERS, N_ITEMS, PAIRS, SHOWN, K = 1000, 80, 60_000, 0.5, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=8, help="worlds")
    parser.add_argument("--output", type=Path, default=Path("results") / "uplift.json")
    asked = parser.parse_args()
    parts = {f"world {seed}": partial(measured, seed) for seed in range(asked.seeds)}
    records = [r for r in measure_missing(asked.output, parts) if "seed" in r]
    overall = over_worlds(records)
    kept = json.loads(asked.output.read_text(encoding="utf-8"))
    note = "a generated world; its truth is known and nothing in it is real"
    write_json(asked.output, kept | {"data": DATA, "note": note, "records": records + overall})
    show(overall)
    print(f"written to {asked.output}")


def over_worlds(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A record for each model and metric over the worlds: their mean, and how far it may be off."""
    out = []
    for metric, model in dict.fromkeys((r["metric"], r["model"]) for r in records):
        rows = [r for r in records if (r["metric"], r["model"]) == (metric, model)]
        if len(rows) < 2:
            continue
        mean = pooled([r["value"] for r in rows], [_error(r["low"], r["high"]) for r in rows])
        row = {"data": DATA, "model": model, "metric": metric, "n_worlds": len(rows), "n_users": rows[0]["n_users"],
               "value": mean.value, "low": mean.low, "high": mean.high}  # fmt: skip
        if metric == "added" and model != "purchase":
            ends = [(r["difference_low"], r["difference_high"]) for r in rows]
            gap = pooled([r["difference"] for r in rows], [_error(*pair) for pair in ends])
            clear = {
                "n_above": sum(low > 0 for low, _ in ends),
                "n_below": sum(high < 0 for _, high in ends),
            }
            row |= clear | {
                "difference": gap.value,
                "difference_low": gap.low,
                "difference_high": gap.high,
                "p": gap.p,
            }
        out.append(row)
    return out


def _error(low: float, high: float) -> float:
    """The standard error of a mean over users, from its interval of 95 %."""
    return (high - low) / (2 * norm.ppf(0.975))


def show(overall: list[dict[str, Any]]) -> None:
    """A line a model over the worlds, and the ratio."""
    added = {r["model"]: r for r in overall if r["metric"] == "added"}
    for name, r in added.items():
        less = ""
        if "difference" in r:
            ends = f"{r['difference_low']:+.4f} to {r['difference_high']:+.4f}"
            less = f", less purchase {r['difference']:+.4f} ({ends}), above {r['n_above']}, below {r['n_below']}"
        print(f"{name:18} added {r['value']:.4f} ({r['low']:.4f} to {r['high']:.4f}){less}")
    if added:
        print(f"ratio: {added['dr']['value'] / added['purchase']['value']:.3f}")


def measured(seed: int) -> list[dict[str, Any]]:
    """One world, one trial, every learner."""
    world = generate("shop", n_users=N_USERS, n_items=N_ITEMS, seed=seed)
    c = counterfactuals(world, visits=2)
    rng = np.random.default_rng([seed, 1])
    guess = standardised(world.truth.scores)
    guess = standardised(guess + 0.7 * rng.standard_normal(guess.shape))
    counts = world.interactions["item_id"].value_counts().reindex(world.truth.item_ids).fillna(0)
    popular = np.log1p(counts.to_numpy(dtype=np.float64))
    popular = np.broadcast_to((popular - popular.mean()) / popular.std(), guess.shape)
    every = np.stack([guess, popular, guess**2, popular**2, guess * popular], axis=2)
    user, item = rng.integers(0, N_USERS, PAIRS), rng.integers(0, N_ITEMS, PAIRS)
    treated = (rng.random(PAIRS) < SHOWN).astype(float)
    chance = np.where(treated == 1, c.shown[user, item], c.without[user, item])
    bought = (rng.random(PAIRS) < chance).astype(int)
    x, p = every[user, item], np.full(PAIRS, SHOWN)
    train = user % 2 == 0
    outcome = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    scores = {
        "effect, the truth": c.effect,
        "popularity": popular,
        "random": rng.random(guess.shape),
    }
    likely = outcome.fit(x[train & (treated == 1)], bought[train & (treated == 1)])
    flat = every.reshape(-1, every.shape[2])
    scores["purchase"] = likely.predict_proba(flat)[:, 1].reshape(guess.shape)
    for kind in LEARNERS:
        model = Uplift(kind, outcome, LinearRegression(), seed=seed)
        model.fit(x[train], treated[train], bought[train], p[train])
        scores[kind] = model.predict(flat).reshape(guess.shape)
    out: list[dict[str, Any]] = []
    held = ~train
    added = {}
    for name, score in scores.items():
        of_rows = (
            score[user[held], item[held]],
            treated[held],
            bought[held].astype(float),
            p[held],
        )
        for metric, found in (
            ("qini", qini(*of_rows, unit=user[held])),
            ("uplift_at_10_percent", uplift_at(*of_rows, share=0.1, unit=user[held])),
        ):
            out.append(
                {"data": DATA, "model": name, "metric": metric, "seed": seed, "value": found.value, "low": found.low,
                 "high": found.high, "n_users": N_USERS // 2, "n_rows": int(held.sum())}
            )  # fmt: skip
        best = np.argsort(-score, axis=1)[:, :K]
        added[name] = np.take_along_axis(c.effect, best, axis=1).sum(axis=1)
    for name, values in added.items():
        low, high = bootstrap(values)
        d = paired(values, added["purchase"])
        out.append(
            {"data": DATA, "model": name, "metric": "added", "k": K, "seed": seed, "value": float(values.mean()),
             "low": low, "high": high, "difference": d.difference, "difference_low": d.low, "difference_high": d.high,
             "p": d.p, "n_users": N_USERS}
        )  # fmt: skip
    return out


if __name__ == "__main__":
    main()
