"""How long do IPS, SNIPS and DR with their intervals take on a million rows?

    python benchmarks/off_policy.py

The log is drawn: 1,000,000 rows of 200,000 contexts and 100 items, its logging policy and the judged one softmaxes of
random scores, clicks with known chances; each row is a unit. Timed is everything from the log to the table: chances of
the shown items, cross-fitted means of items as the reward model, weights, three estimates, 1,000 bootstrap draws,
diagnostics.

The peer is the plain way in NumPy over the same weights: for each draw, draw a million row numbers, take the rows,
compute the three estimates; percentiles at the end. It is timed over some draws and scaled. The same is timed with
200,000 users of five rows as units. Results go to `results/benchmark_off_policy.json`; the last line is `ratio: X`, the
peer's time of all draws over ours, in which reading the policy is included.
"""

from __future__ import annotations

import argparse
import resource
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb.effect.logs import Log
from recnb.effect.policy import ScorePolicy, Settings, estimate, showings, softmax
from recnb.effect.policy.rewards import ItemRewards
from recnb.files import write_json
from recnb.versions import versions

CONTEXTS, ITEMS, SEED, DRAWS = 200_000, 100, 0, 1000


def drawn(n_rows: int, users: bool) -> tuple[Log, ScorePolicy]:
    """A log of so many rows and the policy to judge on it."""
    rng = np.random.default_rng(SEED)
    left, right = rng.standard_normal((CONTEXTS, 8)), rng.standard_normal((ITEMS, 8)) / 8**0.5
    behaviour = softmax(left @ right.T)
    context = np.repeat(np.arange(CONTEXTS), n_rows // CONTEXTS)
    stairs = np.cumsum(behaviour, axis=1)
    item = np.empty(n_rows, np.int64)
    for start in range(0, n_rows, 100_000):
        block = context[start : start + 100_000]
        item[start : start + 100_000] = (rng.random((len(block), 1)) > stairs[block]).sum(axis=1)
    item = np.minimum(item, ITEMS - 1)
    chance = 0.02 + 0.1 * rng.random(ITEMS)
    names = np.array([f"i{at:03d}" for at in range(ITEMS)], dtype=object)
    ids = np.array([f"c{at:06d}" for at in range(CONTEXTS)], dtype=object)
    table = pd.DataFrame(
        {
            "user_id" if users else "context": ids[context],
            "item_id": names[item],
            "propensity": behaviour[context, item],
            "click": (rng.random(n_rows) < chance[item]).astype(float),
        }
    )
    log = Log(table, names, ids, "drawn")
    policy = ScorePolicy(lambda codes: left[codes] @ right.T + chance * 10, "softmax")
    log.item, log.context, log.unit  # noqa: B018 - ids are codes before the clock starts, as after reading
    return log, policy


def plain(log: Log, policy: ScorePolicy, draws: int) -> float:
    """Seconds of the loop over draws, scaled to all of them; its weights are given."""
    r = log.outcome("click")
    shown = showings(log, policy, r, ItemRewards())
    w = shown.chance / log.propensity
    q, v = shown.expected, shown.value
    rng = np.random.default_rng(SEED)
    n_units = int(log.unit.max()) + 1
    rows_of = np.argsort(log.unit, kind="stable").reshape(n_units, -1)
    values = []
    start = time.perf_counter()
    for _ in range(draws):
        rows = rows_of[rng.integers(0, n_units, n_units)].ravel()
        wr, rr = w[rows], r[rows]
        ips = (wr * rr).mean()
        snips = (wr * rr).sum() / wr.sum()
        dr = (v[rows] + wr * (rr - q[rows])).mean()
        values.append((ips, snips, dr))
    np.quantile(values, [0.025, 0.975], axis=0)
    return (time.perf_counter() - start) * DRAWS / draws


def measured(n_rows: int, users: bool, draws: int) -> dict[str, Any]:
    """Seconds and peak memory of ours and of the loop."""
    log, policy = drawn(n_rows, users)
    settings = Settings(estimators=("ips", "snips", "dr"), draws=DRAWS)
    start = time.perf_counter()
    result = estimate(log, {"judged": policy}, ["click"], settings=settings)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    loop = plain(log, policy, draws)
    return {
        "model": "users of five rows" if users else "rows",
        "metric": "seconds",
        "group": f"{n_rows:,} rows, units are {'users' if users else 'rows'}",
        "value": seconds,
        "peer_seconds": loop,
        "peer_draws_timed": draws,
        "ratio": loop / seconds,
        "peak_memory_mb": peak,
        "n_rows": n_rows,
        "n_units": result.log["units"],
        "draws": DRAWS,
        "estimates": {r.estimator: [r.value, r.low, r.high] for r in result.records},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer-draws", type=int, default=30)
    parser.add_argument(
        "--output", type=Path, default=Path("results") / "benchmark_off_policy.json"
    )
    asked = parser.parse_args()
    records = [measured(asked.rows, users, asked.peer_draws) for users in (False, True)]
    for r in records:
        print(
            f"{r['group']:36} {r['value']:6.1f} s, plain loop {r['peer_seconds']:7.1f} s "
            f"({r['ratio']:.0f} times), peak {r['peak_memory_mb']:,.0f} MB"
        )
    write_json(
        asked.output,
        {
            "data": "drawn",
            "note": "a drawn log; nothing in it is real",
            "ratio": min(r["ratio"] for r in records),
            "seconds": max(r["value"] for r in records),
            "peak_memory_mb": max(r["peak_memory_mb"] for r in records),
            "seeds": [SEED],
            "device": "cpu",
            "versions": versions(),
            "date": datetime.now(UTC).date().isoformat(),
            "records": records,
        },
    )
    print(f"written to {asked.output}")
    print(f"ratio: {min(r['ratio'] for r in records):.1f}")


if __name__ == "__main__":
    main()
