"""Do the readings of experiments keep their promises? Simulated tests whose truth is known.

    python benchmarks/experiments.py

*Peeking*: 2,000 tests without an effect, 30 days, 400 new users a day in two arms, one outcome a user (clicks:
Poisson of a user's own rate, so skewed). Each day's difference is looked at: how many tests call a difference on some
day, by the interval of one look (95 %) and by the one that holds at every look. The same with an effect: how often,
and after how many days each finds it, against one look at the planned end.

*CUPED*: 500 tests, outcome and what was before correlated by 0.3, 0.6 and 0.9: the variance of the difference over
tests, with CUPED over without, as estimated in each test (and as seen over the tests), against 1 - rho^2.

*Ratios*: 2,000 tests without an effect, clicks over items shown, users differ in both: errors at 5 % by the delta
method and by a test of rows. *Lost users*: how often a loss of 3 % of one arm is noticed at p < .001. *Holm*: five
metrics without an effect, any called different.

*Interleaving*: in the generated world (films, 2,000 users, 100 items), two rankings of known value (a blurred guess
of taste, and a better one), list of six. Of 300 tests each, with 200 to 2,000 users: how often an A/B test of clicks
a user, and team-draft interleaving of as many users, call the better one better at 5 %.

Results go to `results/experiments.json`. The last line is `ratio: X`: errors by daily looks at the interval of one
look over those at the interval that holds at every look.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from recnb.effect.experiment import (
    always_valid,
    cuped,
    mean_difference,
    mixture_scale,
    preference,
    ratio_difference,
    sample_ratio_p,
    team_draft,
)
from recnb.effect.policy.policies import standardised
from recnb.files import write_json
from recnb.metrics.intervals import holm
from recnb.versions import versions
from recnb.world import World, generate
from recnb.world.exposure import examination

SEED, DAYS, A_DAY = 0, 30, 400


def daily(effect: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Difference and standard error at the end of each day."""
    n = DAYS * A_DAY
    arm = np.arange(n) % 2
    rate = rng.gamma(1.0, 2.0, n) * (1 + effect * arm)
    clicks = rng.poisson(rate).astype(float)
    ends = np.arange(1, DAYS + 1) * A_DAY // 2
    means, variances = [], []
    for side in (0, 1):
        y = clicks[arm == side]
        m = np.cumsum(y)[ends - 1] / ends
        s = np.cumsum(y * y)[ends - 1] / ends - m**2
        means.append(m)
        variances.append(s / (ends - 1))
    return means[1] - means[0], np.sqrt(variances[0] + variances[1])


def peeking(trials: int) -> list[dict[str, Any]]:
    """Errors without an effect, and finds with one, by how it is looked at."""
    planned = daily(0.0, np.random.default_rng([SEED, 9]))[1][-1]
    scale = mixture_scale(planned)
    out = []
    for effect in (0.0, 0.08):
        called: dict[str, list[int]] = {
            "one look, daily": [],
            "always valid, daily": [],
            "one look, at the end": [],
        }
        for trial in range(trials):
            gap, error = daily(effect, np.random.default_rng([SEED, 1, int(1000 * effect), trial]))
            low, high = always_valid(gap, error, scale)
            fixed = np.abs(gap) > 1.959964 * error
            always = (low > 0) | (high < 0)
            for name, found in (("one look, daily", fixed), ("always valid, daily", always)):
                called[name].append(int(found.argmax()) + 1 if found.any() else 0)
            called["one look, at the end"].append(DAYS if fixed[-1] else 0)
        for name, days in called.items():
            first = np.array(days)
            share = float((first > 0).mean())
            out.append(
                {
                    "model": name,
                    "metric": "type_one_error" if effect == 0 else "found",
                    "group": f"effect {effect:.0%}",
                    "value": share,
                    "error": float(np.sqrt(share * (1 - share) / trials)),
                    "median_day": float(np.median(first[first > 0])) if share else None,
                    "effect": effect,
                    "trials": trials,
                    "n_users": DAYS * A_DAY,
                }
            )
    return out


def variance_reduction(trials: int) -> list[dict[str, Any]]:
    """Variance of the difference over tests, with CUPED over without."""
    out = []
    for rho in (0.3, 0.6, 0.9):
        rng = np.random.default_rng([SEED, 2, int(10 * rho)])
        n = 2000
        arm = np.arange(n) % 2
        plain, taken, estimated = [], [], []
        for _ in range(trials):
            x = rng.standard_normal(n)
            y = rho * x + np.sqrt(1 - rho**2) * rng.standard_normal(n)
            c = cuped(y, x, arm)
            both = [mean_difference(v[arm == 0], v[arm == 1]) for v in (y, c.values)]
            plain.append(both[0].difference)
            taken.append(both[1].difference)
            estimated.append((both[1].error / both[0].error) ** 2)
        left = float(np.mean(estimated))
        out.append(
            {"model": "CUPED", "metric": "variance_left", "group": f"rho {rho}", "value": left,
             "theory": 1 - rho**2, "ratio_to_theory": left / (1 - rho**2),
             "over_tests": float(np.var(taken) / np.var(plain)), "trials": trials, "n_users": n}
        )  # fmt: skip
    return out


def errors(trials: int) -> list[dict[str, Any]]:
    """Ratios by users and by rows; lost users; several metrics."""
    rng = np.random.default_rng([SEED, 3])
    n = 1000
    arm = np.arange(n) % 2
    by_users = by_rows = some = some_holm = 0
    for _ in range(trials):
        shown = rng.poisson(rng.gamma(2.0, 10.0, n)) + 1.0
        clicks = rng.binomial(shown.astype(int), rng.beta(1, 9, n)).astype(float)
        pairs = [(clicks[arm == side], shown[arm == side]) for side in (0, 1)]
        by_users += ratio_difference(*pairs).p < 0.05
        rates = [c.sum() / s.sum() for c, s in pairs]
        spread = np.sqrt(sum(r * (1 - r) / s.sum() for r, (_, s) in zip(rates, pairs)))
        by_rows += abs(rates[1] - rates[0]) > 1.959964 * spread
        five = rng.standard_normal((n, 5))
        p = np.array([mean_difference(v[arm == 0], v[arm == 1]).p for v in five.T])
        some += (p < 0.05).any()
        some_holm += (holm(p) < 0.05).any()
    noticed, false = 0, 0
    for _ in range(trials):
        users = 50_000
        first = rng.binomial(2 * users, 0.5)
        kept = np.array([first, rng.binomial(2 * users - first, 0.97)])
        noticed += sample_ratio_p(kept, np.array([0.5, 0.5])) < 0.001
        half = rng.binomial(2 * users, 0.5)
        false += sample_ratio_p(np.array([half, 2 * users - half]), np.array([0.5, 0.5])) < 0.001
    found = {
        ("delta method", "type_one_error", "ratio"): by_users,
        ("rows as units", "type_one_error", "ratio"): by_rows,
        ("p", "family_wise_error", "five metrics"): some,
        ("Holm", "family_wise_error", "five metrics"): some_holm,
        ("mismatch", "noticed", "3 % of an arm of 50,000 lost"): noticed,
        ("mismatch", "type_one_error", "none lost"): false,
    }
    return [
        {"model": m, "metric": metric, "group": group, "value": float(count / trials),
         "error": float(np.sqrt(max(count, 1) / trials * (1 - count / trials) / trials)), "trials": trials}
        for (m, metric, group), count in found.items()
    ]  # fmt: skip


def interleaved(world: World, trials: int) -> list[dict[str, Any]]:
    """How often an A/B test and interleaving of as many users find the better ranking."""
    truth = standardised(world.truth.scores)
    rng = np.random.default_rng([SEED, 4])
    noise = rng.standard_normal((2, *truth.shape))
    k = world.settings.cards
    look = examination(k)
    rankings = [
        np.argsort(-(truth + blur * z), axis=1)[:, : 3 * k] for blur, z in zip((1.5, 1.0), noise)
    ]
    click = world.truth.click
    rows = np.arange(len(truth))[:, None]
    value = [float((click[rows, r[:, :k]] * look).sum(axis=1).mean()) for r in rankings]
    out = []
    for n in (200, 500, 1000, 2000):
        right = {"A/B test": 0, "interleaving": 0}
        wrong = dict.fromkeys(right, 0)
        for trial in range(trials):
            rng = np.random.default_rng([SEED, 5, n, trial])
            who = rng.integers(0, len(truth), n)
            side = np.arange(n) % 2
            lists = np.where(side[:, None] == 1, rankings[1][who, :k], rankings[0][who, :k])
            clicks = (
                (rng.random((n, k)) < click[who[:, None], lists] * look).sum(axis=1).astype(float)
            )
            d = mean_difference(clicks[side == 0], clicks[side == 1])
            items, team = team_draft(rankings[0][who], rankings[1][who], k, rng)
            mixed = (rng.random((n, k)) < click[who[:, None], items] * look).astype(float)
            p = preference(mixed, team)
            for name, gap, chance in (
                ("A/B test", d.difference, d.p),
                ("interleaving", p.preference, p.p),
            ):
                right[name] += gap > 0 and chance < 0.05
                wrong[name] += gap < 0 and chance < 0.05
        for name, count in right.items():
            out.append(
                {"model": name, "metric": "found", "group": f"{n:,} users", "value": count / trials,
                 "wrong": wrong[name] / trials, "n_users": n, "trials": trials, "true_values": value}
            )  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--part", help="only this one; finished parts are kept")
    parser.add_argument("--output", type=Path, default=Path("results") / "experiments.json")
    asked = parser.parse_args()
    before = json.loads(asked.output.read_text(encoding="utf-8")) if asked.output.is_file() else {}
    records: list[dict[str, Any]] = before.get("records", [])
    finished: list[str] = before.get("finished", [])
    start = time.process_time() - before.get("processor_seconds", 0.0)
    world = generate("video", n_users=2000, n_items=100, seed=SEED)
    parts = {
        "peeking": lambda: peeking(asked.trials),
        "CUPED": lambda: variance_reduction(asked.trials // 4),
        "errors": lambda: errors(asked.trials),
        "interleaving": lambda: interleaved(world, asked.trials * 3 // 20),
    }
    for name, part in parts.items():
        if name in finished or (asked.part and name != asked.part):
            continue
        new = part()
        records += new
        finished.append(name)
        for r in new:
            print(f"{r['metric']:18} {r['group']:32} {r['model']:24} {r['value']:.4f}", flush=True)
        write_json(
            asked.output,
            {
                "data": "simulated, and generated-video",
                "note": "simulated tests and a generated world; nothing in it is real",
                "seeds": [SEED],
                "processor_seconds": round(time.process_time() - start, 1),
                "device": "cpu",
                "versions": versions(),
                "date": datetime.now(UTC).date().isoformat(),
                "finished": finished,
                "records": records,
            },
        )
    found = {r["model"]: r["value"] for r in records if r["group"] == "effect 0%"}
    if not found:
        return
    print(f"written to {asked.output}")
    floor = max(found["always valid, daily"], 1 / asked.trials)
    print(f"ratio: {found['one look, daily'] / floor:.1f}")


if __name__ == "__main__":
    main()
