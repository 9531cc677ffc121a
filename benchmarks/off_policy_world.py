"""Do off-policy intervals hold the truth, and do the diagnostics see where they cannot? In a world that knows it.

    python benchmarks/off_policy_world.py --trials 500

The world is generated (films, 2,000 users, 100 items); nothing in it is real. A log: 2,000 visitors drawn evenly and
with replacement, one visit each, three places, shown by the logging policy, propensities kept. The judged policy is a
softmax over a blurred guess of taste. The true value is computed from the truth, over all users evenly.

*Overlaps*: "good", the logging policy is a softmax over another, independent guess with a share of exploration;
"moderate" and "poor", the same, more peaked and with less exploration. *Outcomes*: click (0 or 1), and satisfaction
in stars of every shown item, which has less noise for its size. *Reward model*: logistic or linear regression on the
guess that the judged policy itself has, on the item's level and the place, cross-fitted by visitor.

*Failures*: "no overlap" (each user is never shown half of the items), "both wrong" (propensities replaced by the
shares of the items, reward model a constant), and for comparison one of the two wrong. `flagged` is the share of logs
whose diagnostics say that they cannot answer.

Each log is drawn anew; each cell (overlap or failure, outcome) has its own seeds. Results go to
`results/off_policy.json` after each cell, and finished cells are kept when it is run again. The last line is `ratio:
X`: RMSE of IPS over that of DR, stars, good overlap.
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

from recnb.effect.logs import Log, draw_log, true_values
from recnb.effect.policy import (
    ItemRewards,
    ScoreRewards,
    Settings,
    TablePolicy,
    estimate,
    estimate_propensities,
    softmax,
)
from recnb.effect.policy.policies import standardised
from recnb.files import write_json
from recnb.versions import versions
from recnb.world import World, generate

SEED, VISITORS, CARDS = 0, 2000, 3
N_USERS, N_ITEMS = 2000, 100
OUTCOMES = ("click", "satisfaction")
OVERLAPS = ("good", "moderate", "poor")
FAILURES = ("no overlap", "both wrong", "propensities wrong", "rewards wrong")
INTERVALS = ("studentised", "percentile")


class Constant(ItemRewards):
    """The mean of all, whatever is shown: a reward model that knows nothing."""

    def __init__(self) -> None:
        super().__init__(strength=1e12)


def guesses(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Two independent blurred guesses of taste, each as wrong as it is right."""
    truth = standardised(world.truth.scores)
    rng = np.random.default_rng([SEED, 1])
    return tuple(standardised(truth + rng.standard_normal(truth.shape)) for _ in range(2))  # type: ignore[return-value]


def logging_policy(guess: np.ndarray, case: str) -> np.ndarray:
    """Chances of the policy that makes the log."""
    sharp, explored = {"moderate": (1.5, 0.2), "poor": (2.0, 0.1)}.get(case, (1.0, 0.3))
    chances = softmax(sharp * guess)
    if case == "no overlap":
        barred = np.random.default_rng([SEED, 2]).random(guess.shape) < 0.5
        chances = np.where(barred, 0.0, (1 - explored) * chances + explored / guess.shape[1])
        return chances / chances.sum(axis=1, keepdims=True)
    return (1 - explored) * chances + explored / guess.shape[1]


def spoiled(log: Log, case: str) -> Log:
    """The log with propensities that do not know the user."""
    if case in ("both wrong", "propensities wrong"):
        bare = Log(log.table.drop(columns="propensity"), log.item_ids, log.context_ids, log.name)
        return estimate_propensities(bare)
    return log


def cell(world: World, case: str, outcome: str, trials: int) -> list[dict[str, Any]]:
    """Coverage, bias and RMSE of every estimator in one case; share of flagged logs."""
    logged, judged = guesses(world)
    behaviour = logging_policy(logged, case)
    target = softmax(1.5 * judged)
    policy = TablePolicy({0: target})
    wrong = case in ("both wrong", "rewards wrong")
    rewards = Constant() if wrong else ScoreRewards([lambda codes: judged[codes]])
    truth = true_values(world, target, CARDS, stars=True)[outcome]
    intervals = INTERVALS if case in OVERLAPS else INTERVALS[:1]
    held: dict[tuple[str, str], list[bool]] = {}
    values: dict[str, list[float]] = {}
    widths: dict[str, list[float]] = {}
    flagged, effective, largest, mean_weight, skewness, slates = [], [], [], [], [], []
    for trial in range(trials):
        rng = np.random.default_rng([SEED, 3, (*OVERLAPS, *FAILURES).index(case), trial])
        log = spoiled(draw_log(world, behaviour, VISITORS, rng, cards=CARDS, stars=True), case)
        for interval in intervals:
            result = estimate(
                log, {"judged": policy}, [outcome], rewards, Settings(seed=trial, interval=interval)
            )
            for r in result.records:
                if r.policy == "judged":
                    held.setdefault((r.estimator, interval), []).append(r.holds(truth))
                    if interval == INTERVALS[0]:
                        values.setdefault(r.estimator, []).append(r.value)
                        widths.setdefault(r.estimator, []).append(r.high - r.low)
        d = result.diagnostics["judged", outcome]
        flagged.append(d["answers"] == "no")
        effective.append(d["effective_share"])
        largest.append(d["largest_share"])
        mean_weight.append(d["mean_weight"])
        skewness.append(d["skewness"])
        slates.append(not d["slates_can_answer"])
    head = {
        "metric": "off_policy",
        "case": case,
        "of": outcome,
        "trials": trials,
        "n_rows": VISITORS * CARDS,
        "true_value": truth,
        "flagged": float(np.mean(flagged)),
        "effective_share": float(np.median(effective)),
        "largest_share": float(np.median(largest)),
        "mean_weight": float(np.mean(mean_weight)),
        "skewness": float(np.median(skewness)),
        "slates_flagged": float(np.mean(slates)),
    }
    out = []
    for name, found in values.items():
        estimates = np.array(found)
        for interval in intervals:
            share = float(np.mean(held[name, interval]))
            out.append(
                {
                    "model": name,
                    **head,
                    "interval": interval,
                    "group": f"{case}, {outcome}, {interval}",
                    "value": share,
                    "error": float(np.sqrt(share * (1 - share) / trials)),
                    "bias": float(estimates.mean() - truth),
                    "rmse": float(np.sqrt(((estimates - truth) ** 2).mean())),
                    "mean_width": float(np.mean(widths[name])),
                }
            )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--failures", type=int, default=200, help="trials of each failure")
    parser.add_argument("--output", type=Path, default=Path("results") / "off_policy.json")
    asked = parser.parse_args()
    world = generate("video", n_users=N_USERS, n_items=N_ITEMS, seed=SEED)
    before = json.loads(asked.output.read_text()) if asked.output.is_file() else {}
    records: list[dict[str, Any]] = before.get("records", [])
    spent = before.get("processor_seconds", 0.0)
    for case, outcome in product((*OVERLAPS, *FAILURES), OUTCOMES):
        trials = asked.trials if case in OVERLAPS else asked.failures
        done = {(r["case"], r["of"]) for r in records if r["trials"] == trials}
        if (case, outcome) in done:
            continue
        start = time.process_time()
        new = cell(world, case, outcome, trials)
        records = [r for r in records if (r["case"], r["of"]) != (case, outcome)] + new
        spent += time.process_time() - start
        write_json(asked.output, content(records, spent))
        for r in new:
            if r["interval"] == INTERVALS[0]:
                print(
                    f"{r['case']:18} {r['of']:12} {r['model']:18} coverage {r['value']:.3f} "
                    f"bias {r['bias']:+.4f} rmse {r['rmse']:.4f} flagged {r['flagged']:.2f}",
                    flush=True,
                )
    rmse = {
        r["model"]: r["rmse"] for r in records if (r["case"], r["of"]) == ("good", "satisfaction")
    }
    print(f"written to {asked.output}")
    print(f"ratio: {rmse['ips'] / rmse['dr']:.2f}")


def content(records: list[dict[str, Any]], spent: float) -> dict[str, Any]:
    """What the results file holds."""
    kept = [
        r["value"]
        for r in records
        if r["case"] in OVERLAPS[:2]
        and r["interval"] == INTERVALS[0]
        and r["model"] in ("ips", "snips", "dr")
    ]
    return {
        "data": "generated-video",
        "note": "a generated world; its truth is known and nothing in it is real",
        "world": {"domain": "video", "n_users": N_USERS, "n_items": N_ITEMS, "seed": SEED},
        "interval": "95 %, studentised bootstrap over visitors, 1,000 draws (percentile beside it)",
        "coverage_min": min(kept),
        "coverage_max": max(kept),
        "seeds": [SEED],
        "processor_seconds": round(spent, 1),
        "device": "cpu",
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
        "records": records,
    }


if __name__ == "__main__":
    main()
