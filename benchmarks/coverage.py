"""Do the intervals and the Holm correction keep their promise? Measured where the truth is known.

    python benchmarks/coverage.py
    python benchmarks/coverage.py --skewed     # the third part alone, the others as recorded

The world is generated (films, 1,000 users, 400 items); nothing in it is real. Popularity and EASE
learn from its rows. The truth says with what probability each user takes each item next, so every
user's test is drawn afresh, 200 times: 200,000 persons with a test set each, of the size the user
has in the last fifth of the world's own rows, among the items the user does not have yet.

*True value* of a metric: its mean over all these persons. A trial draws 100, 300 or 1,000 of them,
as a study would, and asks whether the 95 % bootstrap interval of `recnb.metrics.bootstrap` (2,000
draws) holds the true value; 500 trials for each size. Lists stay the same throughout: the interval
speaks about users and their choices, not about training again.

*Null comparisons*: six models that are the same but for noise (each user's six lists come from the
same scores with independent noise of one size), five compared with the first through
`recnb.metrics.paired` and `holm`, 500 times with 300 users each. The family-wise error is the share
of trials in which any of the five is called different at 5 %.

*Skewed values*: one test item a person, as in leave-one-out; then most score 0. The values above 0 (and the differences
of EASE and popularity other than 0) are those of the population, and so many zeros are mixed in that 50, 80, 90 or 97 %
are. Samples of 20 to 1,000 persons, 2,000 trials each, 1,000 draws, four intervals: percentile, bca (both by
`recnb.metrics`), studentised (bootstrap-t) and normal theory (Student's t). `error` is the Monte-Carlo standard
error of a share. A sample without any hit has the interval 0 to 0 under every method and cannot hold the truth.

Results go to `results/coverage.json`. The last line is `ratio: X`: the family-wise error without the
correction over that with it.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from recnb.data import Dataset, splits
from recnb.metrics import evaluate_lists
from recnb.metrics.intervals import bca_ends
from recnb.metrics.trials import coverage_trials, null_trials
from recnb.models import make
from recnb.recommender import top_k
from recnb.versions import versions
from recnb.world import World, generate
from recnb.world.outcomes import draw_outcomes

SEED, K, LEVEL = 0, 10, 0.95
METRICS = ("ndcg", "recall", "hit_rate")
MODELS = ("popularity", "ease")
SIZES = (100, 300, 1000)
COPIES = 200
INTERVALS = ("percentile", "bca", "studentised", "normal theory")
ZEROS = (0.5, 0.8, 0.9, 0.97)
SKEWED_SIZES = (20, 50, 100, 200, 500, 1000)
N_NULL = 6  # models that do not differ


def prepared(world: World) -> tuple[Dataset, splits.Split, np.ndarray]:
    """The world's data set, split, and the number of items each user takes in a test."""
    ds = Dataset.from_frames(
        world.interactions, world.items, feedback="implicit", name="generated-video"
    )
    split = splits.user_time(ds)
    return ds, split, np.maximum(np.diff(split.test.pairs().indptr), 1)


def lists_of(ds: Dataset, split: splits.Split) -> dict[str, np.ndarray]:
    """Top-k lists of fitted models, and those of the models that differ by noise only."""
    users = np.arange(ds.n_users)
    known = split.known
    out = {
        name: top_k(make(name).fit(known), users, K, exclude=known, candidates=None)
        for name in MODELS
    }
    scores = make("ease").fit(known).score(users)
    barred = known.pairs().toarray() > 0
    rng = np.random.default_rng([SEED, 3])
    for number in range(N_NULL):
        noisy = scores + rng.normal(0, scores.std(), scores.shape)
        noisy[barred] = -np.inf
        out[f"null {number}"] = np.argsort(-noisy, axis=1)[:, :K]
    return out


def population(world: World, copies: int, single: bool = False) -> dict[str, np.ndarray]:
    """Per-person values of all lists: metric to (persons, models); `single`: one test item a person."""
    ds, split, sizes = prepared(world)
    sizes = np.ones_like(sizes) if single else sizes
    lists = lists_of(ds, split)
    order = pd.Index(world.truth.user_ids).get_indexer(pd.Index(ds.user_ids))
    column = pd.Index(world.truth.item_ids).get_indexer(pd.Index(ds.item_ids))
    demand = world.truth.demand[np.ix_(order, column)]
    barred = split.known.pairs()
    rng = np.random.default_rng([SEED, 4])
    parts = []
    for _ in range(copies):
        taken = draw_outcomes(demand, sizes, rng, barred)
        values = {name: evaluate_lists(one, taken, METRICS, K) for name, one in lists.items()}
        parts.append({m: np.column_stack([values[n][m] for n in lists]) for m in METRICS})
    return {m: np.vstack([part[m] for part in parts]) for m in METRICS}


def coverage(values: dict[str, np.ndarray], trials: int) -> list[dict[str, Any]]:
    """Coverage of each metric, model and sample size, and of the difference of the two models."""
    columns = [(m, name) for m in METRICS for name in (*MODELS, "ease less popularity")]
    table = []
    for metric in METRICS:
        popular, ease = values[metric][:, 0], values[metric][:, 1]
        table += [popular, ease, ease - popular]
    stacked = np.column_stack(table)
    out = []
    for n in SIZES:
        held, width = coverage_trials(stacked, n, trials, draws=2000, seed=SEED, level=LEVEL)
        for at, (metric, model) in enumerate(columns):
            share = float(held[:, at].mean())
            out.append(
                {
                    "model": model,
                    "metric": "coverage",
                    "of": metric,
                    "k": K,
                    "group": f"{metric}, {n} users",
                    "value": share,
                    "n_users": n,
                    "true_value": float(stacked[:, at].mean()),
                    "mean_width": float(width[:, at].mean()),
                    "trials": trials,
                    "within_93_to_97": 0.93 <= share <= 0.97,
                }
            )
    return out


def family_wise(values: dict[str, np.ndarray], trials: int, n: int = 300) -> list[dict[str, Any]]:
    """Share of null trials with a false discovery, with and without the correction."""
    p, p_holm = null_trials(values["ndcg"][:, len(MODELS) :], n, trials, draws=2000, seed=SEED)
    head = {"metric": "family_wise_error", "of": "ndcg", "k": K, "n_users": n, "trials": trials}
    return [
        {"model": name, **head, "value": float((found < 1 - LEVEL).any(axis=1).mean())}
        for name, found in (("p", p), ("p_holm", p_holm))
    ]


def distribution(values: np.ndarray, zeros: float) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values and their shares, so many of them zero."""
    distinct, counts = np.unique(np.round(values[values != 0], 12), return_counts=True)
    shares = counts / counts.sum() * (1 - zeros)
    return np.concatenate([[0.0], distinct]), np.concatenate([[zeros], shares])


def four_intervals(
    sample: np.ndarray, points: np.ndarray, rng: np.random.Generator
) -> dict[str, tuple[float, float]]:
    """Each interval of one sample, given as the count of each distinct value.

    Resamples of a sample with few distinct values are multinomial counts, which costs little.
    """
    n = int(sample.sum())
    mean, spread = _moments(sample, points, n)
    tail = (1 - LEVEL) / 2
    half = student.ppf(1 - tail, n - 1) * spread
    if spread == 0:
        return dict.fromkeys(INTERVALS, (mean, mean))
    drawn = rng.multinomial(n, sample / n, size=1000)
    means, spreads = _moments(drawn, points, n)
    without = np.repeat((n * mean - points) / (n - 1), sample)
    low, high = np.quantile(means, [tail, 1 - tail])
    # A resample without spread tells how far its mean lies, not in which units: as far as can be.
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.nan_to_num((means - mean) / spreads, nan=0.0, posinf=np.inf, neginf=-np.inf)
    first, last = np.quantile(far, [tail, 1 - tail], method="inverted_cdf")
    return {
        "percentile": (low, high),
        "bca": bca_ends(means, mean, without, LEVEL),
        "studentised": (mean - last * spread, mean - first * spread),
        "normal theory": (mean - half, mean + half),
    }


def _moments(counts: np.ndarray, points: np.ndarray, n: int) -> tuple[Any, Any]:
    """Means and their standard errors."""
    mean = counts @ points / n
    return mean, np.sqrt(np.maximum(counts @ points**2 / n - mean**2, 0) / (n - 1))


def _finite(value: Any) -> float | None:
    """A number for json; None where it has no end."""
    return float(value) if np.isfinite(value) else None


def skewed(values: np.ndarray, trials: int) -> list[dict[str, Any]]:
    """Coverage where most score 0, of values and of paired differences."""
    ease, popular = values[:, MODELS.index("ease")], values[:, MODELS.index("popularity")]
    rng = np.random.default_rng([SEED, 5])
    out = []
    for model, column in (("ease", ease), ("ease less popularity", ease - popular)):
        for zeros, n in product(ZEROS, SKEWED_SIZES):
            points, shares = distribution(column, zeros)
            truth = float(points @ shares)
            held = dict.fromkeys(INTERVALS, 0)
            widths: dict[str, list[float]] = {name: [] for name in INTERVALS}
            flat = 0
            for sample in rng.multinomial(n, shares, size=trials):
                flat += int((sample > 0).sum() == 1)
                for name, (low, high) in four_intervals(sample, points, rng).items():
                    held[name] += int(low <= truth <= high)
                    widths[name].append(high - low)
            for name in INTERVALS:
                share = held[name] / trials
                out.append(
                    {
                        "model": model,
                        "metric": "coverage_skewed",
                        "of": "ndcg",
                        "k": K,
                        "interval": name,
                        "zeros": zeros,
                        "group": f"{model}, {zeros:.0%} zeros, {n} users, {name}",
                        "value": share,
                        "error": float(np.sqrt(share * (1 - share) / trials)),
                        "n_users": n,
                        "true_value": truth,
                        "median_width": _finite(np.median(widths[name])),
                        "unbounded": float(np.mean(~np.isfinite(widths[name]))),
                        "without_a_hit": flat / trials,
                        "trials": trials,
                    }
                )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--skewed", action="store_true", help="the skewed part alone")
    parser.add_argument("--output", type=Path, default=Path("results") / "coverage.json")
    asked = parser.parse_args()
    start = time.process_time()
    world = generate("video", n_users=1000, n_items=400, seed=SEED)
    hard = skewed(population(world, COPIES // 4, single=True)["ndcg"], 4 * asked.trials)
    print(
        pd.DataFrame(hard)
        .pivot_table(index=["model", "zeros", "n_users"], columns="interval", values="value")
        .to_string()
    )
    if asked.skewed:
        before = json.loads(asked.output.read_text(encoding="utf-8"))
        rest = [row for row in before["records"] if row["metric"] != "coverage_skewed"]
        before |= {"records": rest + hard, "date_of_skewed": datetime.now(UTC).date().isoformat()}
        asked.output.write_text(json.dumps(before, indent=1) + "\n", encoding="utf-8")
        print(f"written to {asked.output}")
        errors = {
            row["model"]: row["value"] for row in rest if row["metric"] == "family_wise_error"
        }
        print(f"ratio: {errors['p'] / max(errors['p_holm'], 1 / asked.trials):.2f}")
        return
    values = population(world, COPIES)
    covered = coverage(values, asked.trials)
    errors = family_wise(values, asked.trials)
    table = pd.DataFrame(covered).pivot_table(
        index=["of", "model"], columns="n_users", values="value", sort=False
    )
    print(table.to_string(), "\n")
    for row in errors:
        print(f"family-wise error by {row['model']}: {row['value']:.3f}")
    shares = np.array([row["value"] for row in covered])
    content = {
        "data": "generated-video",
        "note": "a generated world; its truth is known and nothing in it is real",
        "world": {"domain": "video", "n_users": 1000, "n_items": 400, "seed": SEED},
        "dataset_digest": prepared(world)[0].digest,
        "population": len(values["ndcg"]),
        "interval": "95 % percentile bootstrap over users, 2,000 draws",
        "true_value": "mean over all persons of the population",
        "coverage_min": float(shares.min()),
        "coverage_max": float(shares.max()),
        "coverage_mean": float(shares.mean()),
        "within_93_to_97": int(sum(row["within_93_to_97"] for row in covered)),
        "cells": len(covered),
        "seeds": [SEED],
        "processor_seconds": round(time.process_time() - start, 1),
        "device": "cpu",
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
        "records": covered + errors + hard,
    }
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    asked.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(
        f"coverage {shares.min():.3f} to {shares.max():.3f}, mean {shares.mean():.3f}; "
        f"{content['processor_seconds']} s of one processor; written to {asked.output}"
    )
    print(f"ratio: {errors[0]['value'] / max(errors[1]['value'], 1 / asked.trials):.2f}")


if __name__ == "__main__":
    main()
