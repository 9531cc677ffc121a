"""Fine-tuning to an equal validation loss: the efficient step beside a loop that wastes nothing it can help.

    RECNB_DATA=folder OMP_NUM_THREADS=1 python benchmarks/finetune_strict.py [--seeds 0,1,2] [--search 20] [--most 90]

MovieLens-100K, every eighth film by a hash of its id, so that a film has as many ratings as in the whole; the model,
text and split are those of `benchmarks/finetune.py`, and so is the loop: plain torch, but padded to the longest text of
the batch, each text tokenised once, a text that stands several times in a batch encoded once, fused AdamW, batches of
16, 64 and 256 with rates that grow with the root of the batch.

Both sides get the same search: three rates each, a third, once and three times their usual ones, each run for the same
processor seconds from the same start; the setting of the lowest validation loss is kept. It then runs with other seeds
until the loss has not fallen for a while or the time is up. The clock counts processor seconds of one thread from the
moment that the language model is open: tokenising and the first encoding of all texts are in it, the validation is not.

What is compared: the time to come down to a loss that both reach. From the loss before the first step (everybody's
mean) to the higher of both sides' lowest, 80, 90, 95 and 100 % of the way. A side that has fallen below the level
within an interval between two validations counts the later one. Each run is a process of its own.

The last line is `ratio: X`: the careful loop's time over ours at 95 % of the way, median over seeds.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from finetune import MAX_TOKENS, OURS, PLAIN, PlainLoop, setting

EVERY = 8  # one film of so many
BATCHES = (16, 64, 256)
RATES = (1 / 3, 1.0, 3.0)
WAYS = (0.8, 0.9, 0.95, 1.0)
PER_EPOCH = 4  # validations of the careful loop
WAIT = 0.4  # of the time so far: so long without a lower loss ends a run
# Half an epoch each, so that the loss is known more often.
MINE = OURS | {"live_epochs": 1, "head_epochs": 3}


class Enough(Exception):
    """The time is up."""


class Curve:
    """Processor seconds and validation loss of a run; the validation's own seconds are left out."""

    def __init__(self, most: float) -> None:
        self.most, self.points, self.best = most, [], (np.inf, 0.0)
        self.start = time.process_time()

    def add(self, loss: Callable[[], float]) -> None:
        """Measure; ends the run where its time is up or the loss has long not fallen."""
        now = time.process_time()
        spent, value = now - self.start, loss()
        self.points.append((round(spent, 2), round(value, 5)))
        self.best = min(self.best, (value, spent))
        self.start += time.process_time() - now
        if spent > self.most or spent > (1 + WAIT) * max(self.best[1], 10.0):
            raise Enough


def part_of(seed: int) -> tuple[Any, dict[str, Any]]:
    """The split over every eighth film."""
    from recnb.data import splits
    from recnb.hashing import hash_ids

    split, common = setting()
    ds = split.dataset
    ds = ds.keep(items=hash_ids(ds.item_ids) % EVERY == 0)
    return splits.random(ds, test=0.1, valid=0.1, seed=seed), common


def careful(batch: int, rate: float, seed: int, most: float) -> list[tuple[float, float]]:
    """The careful loop's curve."""
    from recnb.encoders import TextEncoder

    split, _ = part_of(seed)
    valid = split.valid.interactions
    encoder = TextEncoder(max_tokens=MAX_TOKENS)
    curve = Curve(most)
    grown = rate * (batch / BATCHES[0]) ** 0.5
    loop = PlainLoop(split, batch, None, True, grown, seed, encoder)
    marks = {round(len(loop) * k / PER_EPOCH) for k in range(1, PER_EPOCH + 1)}
    with suppress(Enough):
        curve.add(lambda: loop.mse(valid))
        for epoch in range(1000):
            for step, _ in enumerate(loop.epoch(epoch), 1):
                if step in marks:
                    curve.add(lambda: loop.mse(valid))
    return curve.points


def efficient(rate: float, seed: int, most: float) -> list[tuple[float, float]]:
    """Our curve."""
    from recnb.models import TwoTower

    split, common = part_of(seed)
    given = MINE | {name: MINE[name] * rate for name in ("lr", "lr_encoder")}
    model = TwoTower(**common, **given, n_epochs=1000, seed=seed)
    opened, measured = model.open_encoder, model._value
    curve: list[Curve] = []

    def opening() -> Any:
        encoder = opened()
        curve[:] = [Curve(most)]
        return encoder

    def value(*args: Any) -> Any:
        inner = measured(*args)

        def loss(network: Any) -> float:
            out: list[float] = []
            curve[0].add(lambda: out.append(inner(network)) or out[0] ** 2)  # type: ignore[func-returns-value]
            return out[0]

        return loss

    model.open_encoder, model._value = opening, value
    with suppress(Enough):
        model.fit(split.train, split.valid)
    return curve[0].points


def apart(**what: Any) -> dict[str, Any]:
    """A run in a process of its own: what it was given, its curve and peak memory."""
    done = subprocess.run(
        [sys.executable, __file__, "--part", json.dumps(what)], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    out = what | json.loads(done.stdout.strip().splitlines()[-1])
    best = min(loss for _, loss in out["curve"])
    print({k: v for k, v in what.items() if k != "most"}, "lowest", best, flush=True)
    return out


def lowest(run: dict[str, Any]) -> float:
    """The lowest loss of a run."""
    return min(loss for _, loss in run["curve"])


def time_to(run: dict[str, Any], level: float) -> float:
    """Processor seconds until the loss is at a level or below."""
    return next(seconds for seconds, loss in run["curve"] if loss <= level)


def ratios(slow: dict[str, Any], fast: dict[str, Any]) -> list[dict[str, float]]:
    """Times of both to each of the levels that both reach."""
    start, end = slow["curve"][0][1], max(lowest(slow), lowest(fast))
    rows = []
    for way in WAYS:
        level = start + way * (end - start)
        times = time_to(slow, level), time_to(fast, level)
        rows.append(
            {"way": way, "mse": level, "careful_seconds": times[0], "our_seconds": times[1]}
        )
        rows[-1]["ratio"] = times[0] / times[1]
    return rows


def search(side: str, most: float, **more: Any) -> list[dict[str, Any]]:
    """A side with each of the rates, each for the same time."""
    return [apart(side=side, rate=rate, seed=100, most=most, **more) for rate in RATES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument(
        "--search", type=float, default=20, help="processor seconds of each setting"
    )
    parser.add_argument("--most", type=float, default=90, help="processor seconds of a run")
    parser.add_argument("--part")
    parser.add_argument(
        "--output", type=Path, default=Path("results") / "benchmark_finetune_strict.json"
    )
    args = parser.parse_args()
    from recnb.data.catalog import find

    if find("ml-100k") is None:
        print("MovieLens-100K is not here: set RECNB_DATA, or: recnb data fetch ml-100k")
        sys.exit(2)
    logging.disable(logging.WARNING)
    if args.part:
        one_part(json.loads(args.part))
        return
    tried = [run for batch in BATCHES for run in search("careful", args.search, batch=batch)]
    slow, fast = min(tried, key=lowest), search("efficient", args.search)
    quick = min(fast, key=lowest)
    pairs = []
    for seed in args.seeds.split(","):
        new = {"seed": int(seed), "most": args.most}
        runs = [
            apart(**{k: v for k, v in kept(run).items() if k not in new}, **new)
            for run in (slow, quick)
        ]
        pairs.append({"careful": runs[0], "ours": runs[1], "levels": ratios(*runs)})
        print([round(level["ratio"], 1) for level in pairs[-1]["levels"]], flush=True)
    write(args.output, tried + fast, pairs)


def kept(run: dict[str, Any]) -> dict[str, Any]:
    """What a run was given."""
    return {k: run[k] for k in ("side", "rate", "batch", "seed", "most") if k in run}


def one_part(what: dict[str, Any]) -> None:
    """A run in this process; its curve is the last line."""
    import torch

    torch.set_num_threads(1)
    run = {"careful": careful, "efficient": efficient}[what.pop("side")]
    curve = run(**what)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"curve": curve, "peak_memory_mb": peak}))


def write(output: Path, tried: list[dict[str, Any]], pairs: list[dict[str, Any]]) -> None:
    """Put the result into its file and print it."""
    from recnb.versions import versions

    split, _ = part_of(0)
    ways = [
        {"way": way, **{k: [pair["levels"][at][k] for pair in pairs] for k in ("mse", "ratio")}}
        for at, way in enumerate(WAYS)
    ]
    for row in ways:
        row["median"] = float(np.median(row["ratio"]))
        print(
            f"{row['way']:.0%} of the way: {row['median']:.1f} times ({np.round(row['ratio'], 1)})"
        )
    content = {
        "data": f"MovieLens-100K, every {EVERY}th film",
        "dataset_digest": split.dataset.digest,
        "users": len(np.unique(split.dataset.interactions["user"])),
        "items": split.dataset.n_items,
        "rows": len(split.train.interactions),
        "what": "processor seconds to an equal validation MSE, one thread: the careful loop over ours",
        "careful_settings": PLAIN,
        "our_settings": MINE,
        "tried": [kept(run) | {"mse": lowest(run)} for run in tried],
        "runs": pairs,
        "levels": ways,
        "ratio": next(row["median"] for row in ways if row["way"] == 0.95),
        "load": os.getloadavg()[0],
        "device": "cpu",
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"written to {output}\nratio: {content['ratio']:.1f}")


if __name__ == "__main__":
    main()
