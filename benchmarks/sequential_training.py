"""Trained sequence models: seconds of an epoch beside the usual loops, and quality on the academic sets.

    RECNB_DATA=folder python benchmarks/sequential_training.py --part speed
    RECNB_DATA=folder python benchmarks/sequential_training.py --part quality [--rows beauty,movies] [--seeds 0,1,2]

speed: Amazon Beauty 2014, each user's events but the last two; 64 dimensions, 2 layers and heads, dropout .5, one
thread. Two usual loops, written plainly here, beside ours with the same loss and batch; some steps of each in
alternation, in seconds of the processor, scaled to an epoch.
 - padded: the loop of the original model (W.-C. Kang & J. McAuley 2018, as in its PyTorch port): every user padded to
   50 events, binary cross-entropy of every position with one drawn negative; 128 users a step.
 - prefixes: the loop of RecBole: every prefix of every user a row of its own, padded to 50, cross-entropy over the
   catalogue at its last event; 256 rows a step, and ours 256 users a step.

quality: per row of ROWS the settings with the best NDCG@10 on the valid items among its candidates (seed 0, with early
stopping); then for each seed a fit on train and valid with the epochs found, judged on the test items: the whole
catalogue less the known ones. Data and splits are those of `published_tables.py`. Differences in NDCG@10, paired by
user, to the model without text, to `transitions` with the settings that `published_tables.py` found (its defaults where
it has not been there yet) and to the counting model that was best there on the valid items; for everybody, in thirds
of the users by their known events, in thirds by the rows of the judged item, and where it has none. Holm within a data
set over the differences for everybody.

Results go to `results/sequential_training.json`, row by row; what is finished is not computed again, and a row that was
measured on another machine stays until it is measured here. The last line is `ratio: X`: the prefixes' time over ours,
or the first row's NDCG@10 over its goal.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from published_tables import (
    NEXT,
    TO,
    best_counted,
    load,
    protocol_of,
    recorded,
    recorded_model,
    recorded_settings,
    with_earlier,
)
from sklearn.base import clone
from torch import nn
from torch.nn import functional as F

from recnb import evaluate
from recnb.data import Split
from recnb.evaluation import Evaluation, Protocol
from recnb.files import write_json
from recnb.metrics import bootstrap, holm, paired
from recnb.models import SASRec, make
from recnb.models.common.reading.batches import Windows
from recnb.versions import versions

FILE = "sequential_training.json"
KEPT = Path(".benchmarks")  # what is finished, for the next call
PROTOCOL = Protocol(k=(5, 10), metrics=("ndcg", "recall"), draws=2000)
LENGTH, WIDTH = 50, 64
LEAST = 20  # users of a group that is shown
_BEAUTY = {"dropout": 0.5, "batch_size": 256, "n_epochs": 60, "patience": 4}
_MOVIES = {
    "length": 100, "dropout": 0.5, "lr": 2e-3, "batch_size": 128, "n_epochs": 60, "patience": 5,
}  # fmt: skip
_OFFICE = {**_BEAUTY, "lr": 2e-3, "batch_size": 128, "patience": 5}
_GAMES = [{**_BEAUTY, "lr": 2e-3, "loss": "sampled"}, {**_BEAUTY, "lr": 2e-3}]
# Data set, model, candidates for its settings, and the NDCG@10 that a fair baseline has to reach.
ROWS: dict[str, tuple[str, str, list[dict[str, Any]], float | None]] = {
    "beauty": (
        "amazon-beauty-2014", "sasrec",
        [{**_BEAUTY, "lr": 2e-3}, {**_BEAUTY, "lr": 1e-3, "width": 128}], 0.0438,
    ),
    "movies": ("ml-100k", "sasrec", [_MOVIES], 0.0917),
    "movies_text": ("ml-100k", "sasrec[items=text]", [_MOVIES], None),
    "movies_both": ("ml-100k", "sasrec[items=both]", [_MOVIES], 0.097),
    "beauty_text": (
        "amazon-beauty-2014", "sasrec[items=text]", [{**_BEAUTY, "lr": 2e-3}], None,
    ),
    "beauty_both": (
        "amazon-beauty-2014", "sasrec[items=both]", [{**_BEAUTY, "lr": 2e-3}], None,
    ),
    "movies_start": ("ml-100k", "sasrec[start=text]", [_MOVIES], None),
    "beauty_start": (
        "amazon-beauty-2014", "sasrec[start=text]", [{**_BEAUTY, "lr": 2e-3}], None,
    ),
    "toys": ("amazon-toys-2014", "sasrec", [{**_BEAUTY, "lr": 2e-3}], 0.0432),
    "sports": ("amazon-sports-2014", "sasrec", [{**_BEAUTY, "lr": 2e-3}], 0.0225),
    "office": ("amazon-office-2018", "sasrec", [_OFFICE], None),
    "office_text": ("amazon-office-2018", "sasrec[items=text]", [_OFFICE], None),
    "office_both": ("amazon-office-2018", "sasrec[items=both]", [_OFFICE], None),
    "office_start": ("amazon-office-2018", "sasrec[start=text]", [_OFFICE], None),
    "games": ("amazon-games-2018", "sasrec", _GAMES, None),
    "games_text": ("amazon-games-2018", "sasrec[items=text]", _GAMES, None),
    "games_both": ("amazon-games-2018", "sasrec[items=both]", _GAMES, None),
    "games_start": ("amazon-games-2018", "sasrec[start=text]", _GAMES, None),
    "beauty_gru4rec": ("amazon-beauty-2014", "gru4rec", [{**_BEAUTY, "lr": 2e-3}], None),
    "beauty_hstu": ("amazon-beauty-2014", "hstu", [{**_BEAUTY, "lr": 2e-3}], None),
}  # fmt: skip


# ------------------------------------------------------------------------- speed


class Usual(nn.Module):
    """The model as it is usually written: padded rows, `nn.MultiheadAttention`, pointwise convolutions."""

    def __init__(self, n_items: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.items = nn.Embedding(n_items + 1, WIDTH, padding_idx=0)
        self.places = nn.Embedding(LENGTH + 1, WIDTH, padding_idx=0)
        self.dropout, self.last = nn.Dropout(dropout), nn.LayerNorm(WIDTH)
        self.attention = nn.ModuleList(
            nn.MultiheadAttention(WIDTH, 2, dropout, batch_first=True) for _ in range(2)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(4))
        self.wide = nn.ModuleList(nn.Conv1d(WIDTH, 4 * WIDTH, 1) for _ in range(2))
        self.narrow = nn.ModuleList(nn.Conv1d(4 * WIDTH, WIDTH, 1) for _ in range(2))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """States of rows of items, (n, LENGTH, WIDTH); 0 is padding, in front."""
        places = torch.arange(1, LENGTH + 1) * (rows > 0)
        x = self.dropout(self.items(rows) * WIDTH**0.5 + self.places(places))
        ahead = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
        for layer in range(2):
            asked = self.norms[2 * layer](x)
            read = self.attention[layer](asked, asked, asked, attn_mask=ahead, need_weights=False)
            x = x + read[0]
            wide = self.wide[layer](self.norms[2 * layer + 1](x).transpose(1, 2)).relu()
            x = x + self.dropout(self.narrow[layer](self.dropout(wide)).transpose(1, 2))
        return self.last(x)

    def of_positions(self, rows: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Binary cross-entropy of each position, with one drawn item."""
        states, real = self(rows), targets > 0
        drawn = torch.randint(1, self.items.num_embeddings, targets.shape)
        own = (states * self.items(targets)).sum(-1)[real]
        other = (states * self.items(drawn)).sum(-1)[real]
        return (F.softplus(-own) + F.softplus(other)).mean()

    def of_last(self, rows: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of the newest position over the catalogue."""
        return F.cross_entropy(self(rows)[:, -1] @ self.items.weight[1:].T, targets - 1)


def padded_rows(source: Windows) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of every user, (n, LENGTH), items from 1, zeros in front."""
    inputs, targets = (np.zeros((len(source), LENGTH), np.int64) for _ in range(2))
    for row, (start, size) in enumerate(zip(source.starts, source.sizes)):
        inputs[row, -size:] = source.items[start : start + size] + 1
        targets[row, -size:] = source.targets[start : start + size] + 1
    return inputs, targets


def prefix_rows(inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every prefix as a row of its own, with its one target."""
    users, places = np.nonzero(inputs)
    out = np.zeros((len(users), LENGTH), np.int64)
    for row, (user, place) in enumerate(zip(users, places)):
        out[row, LENGTH - 1 - place :] = inputs[user, : place + 1]
    return out, targets[users, places]


class Clock:
    """Steps of one loop, timed."""

    def __init__(self, network: nn.Module, n_steps: int) -> None:
        self.network, self.n_steps = network.train(), n_steps
        self.optimiser = torch.optim.AdamW(network.parameters(), fused=True)
        self.seconds: list[float] = []

    def step(self, loss_of: Any, *batch: Any) -> None:
        start = time.process_time()
        self.optimiser.zero_grad(set_to_none=True)
        loss_of(*batch).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.seconds.append(time.process_time() - start)

    def row(self, **more: Any) -> dict[str, Any]:
        """The median step, without the first two, scaled to an epoch."""
        step = float(np.median(self.seconds[2:]))
        return {
            "epoch_seconds": step * self.n_steps,
            "step_seconds": step,
            "low": float(np.quantile(self.seconds[2:], 0.25)),
            "high": float(np.quantile(self.seconds[2:], 0.75)),
            "steps_timed": len(self.seconds) - 2,
            "steps_per_epoch": self.n_steps,
            **more,
        }


def speed(n_steps: int) -> dict[str, Any]:
    """Both loops, each beside ours with its loss and batch."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    split = load("amazon-beauty-2014")
    train, rng, out = split.train, np.random.default_rng(0), {}
    for loop, batch, settings in (
        ("padded", 128, {"loss": "gbce", "n_negatives": 1, "calibration": 0.0}),
        ("prefixes", 256, {"loss": "softmax"}),
    ):
        model = SASRec(batch_size=batch, dropout=0.5, positions="learned", **settings)
        source, network = model.prepared(train)
        epoch = source.epoch(0)
        inputs, targets = padded_rows(source)
        n_items = int(source.items.max()) + 1
        usual = Usual(n_items)
        if loop == "prefixes":
            inputs, targets = prefix_rows(inputs, targets)
        order = rng.permutation(len(inputs))
        theirs, ours = Clock(usual, -(-len(inputs) // batch)), Clock(network, len(epoch))
        for number in range(n_steps):
            rows = order[number * batch : (number + 1) * batch]
            x, y = torch.from_numpy(inputs[rows]), torch.from_numpy(targets[rows])
            theirs.step(usual.of_positions if loop == "padded" else usual.of_last, x, y)
            ours.step(network, epoch[number])
        rows = [theirs.row(loop=loop, batch=batch), ours.row(loop="ours", batch=batch, **settings)]
        out[loop] = {
            "loops": rows, "ratio": rows[0]["epoch_seconds"] / rows[1]["epoch_seconds"],
        }  # fmt: skip
        print(loop, json.dumps(out[loop]), flush=True)
    return out


# ----------------------------------------------------------------------- quality


def quality(row: str, seeds: tuple[int, ...], most: int, held: dict[str, Any], save: Any) -> None:
    """One row: its first candidates on the valid items, then every seed on the test items."""
    name, spec, candidates, goal = ROWS[row]
    split = load(name)
    kept = held.setdefault("quality", {}).setdefault(row, {"data": name, "model": spec})
    kept |= {"dataset_digest": split.dataset.digest, "split": split.digest, "goal": goal}
    tried = kept.setdefault("candidates", [])
    for settings in candidates[len(tried) : most]:
        start = time.perf_counter()
        model = make(spec, seed=0, **settings).fit(split.train, split.valid)
        best = max(epoch["value"] for epoch in model.learning_)
        seconds = time.perf_counter() - start
        tried.append(
            {
                "settings": settings, "valid_ndcg": best, "n_epochs": model.n_epochs_,
                "epochs_run": len(model.learning_), "seconds": seconds,
                "epoch_seconds": seconds / len(model.learning_),
            }
        )  # fmt: skip
        print(row, tried[-1], flush=True)
        save()
    best = max(tried, key=lambda one: one["valid_ndcg"])
    model = make(spec, **{**best["settings"], "n_epochs": best["n_epochs"]})
    values = kept.setdefault("seeds", {})
    if kept.get("chosen", best["settings"]) != best["settings"]:
        values.clear()  # those fits had the settings that were best before
    kept["chosen"] = best["settings"]
    for seed in seeds:
        if str(seed) in values and users_of(row, seed).is_file():
            continue
        start = time.perf_counter()
        fitted = clone(model).set_params(seed=seed).fit(split.known)
        seconds = time.perf_counter() - start
        ev = evaluate({spec: fitted}, split, protocol_of(name, PROTOCOL))
        keep_users(row, seed, ev)
        table = ev.table()
        values[str(seed)] = {
            "fit_seconds": seconds,
            "parameters": fitted.parameters(),
            **{
                f"{one['metric']}@{one['k']}": [
                    one["value"], one["low"], one["high"], int(one["n_users"]),
                ]
                for one in table.to_dict("records")
            },
        }  # fmt: skip
        print(row, seed, values[str(seed)], flush=True)
        save()


def users_of(row: str, seed: int) -> Path:
    return KEPT / "sequential_training" / f"{row}-{seed}.parquet"


def keep_users(row: str, seed: int, ev: Evaluation) -> None:
    """NDCG@10 of every user, for differences to other rows."""
    each = ev.per_user
    each = each[(each["metric"] == "ndcg") & (each["k"] == 10)]
    users_of(row, seed).parent.mkdir(parents=True, exist_ok=True)
    each[["user_id", "value"]].to_parquet(users_of(row, seed))


def kept_users(row: str) -> pd.Series | None:
    """NDCG@10 by user, the mean over seeds."""
    files = sorted(users_of(row, 0).parent.glob(f"{row}-[0-9]*.parquet"))
    if not files:
        return None
    return pd.concat(
        [pd.read_parquet(f).set_index("user_id")["value"] for f in files], axis=1
    ).mean(axis=1)


def means(held: dict[str, Any]) -> list[dict[str, Any]]:
    """NDCG@10 of each row, the mean over its seeds, with an interval over users."""
    out = []
    for row in ROWS:
        kept = held["quality"].get(row)
        if kept is None or (values := kept_users(row)) is None:
            continue
        fits = list(kept["seeds"].values())
        low, high = bootstrap(values)
        out.append(
            {
                "data": kept["data"], "model": kept["model"], "row": row, "metric": "ndcg@10",
                "value": float(values.mean()), "low": float(low), "high": float(high),
                "n_users": len(values), "seeds": len(fits),
                "fit_seconds": float(np.mean([fit["fit_seconds"] for fit in fits])),
                "parameters": fits[0]["parameters"],
            }
        )  # fmt: skip
    return out


def counted(name: str, model: str, split: Split) -> pd.Series:
    """NDCG@10 by user of a model that counts, its settings from the published tables, else its defaults."""
    settings = recorded_settings(name, model)
    label = f"{name}-{model}-{zlib.crc32(json.dumps(settings, sort_keys=True).encode())}"
    if (found := kept_users(label)) is None:
        fitted = recorded_model(name, model).fit(split.known)
        keep_users(label, 0, evaluate({model: fitted}, split, protocol_of(name, PROTOCOL)))
        found = kept_users(label)
    assert found is not None
    return found


def thirds(split: Split, several: bool) -> dict[str, pd.Series]:
    """By user: the third of the known events; of the judged item's rows, where it is one, and whether it has none."""
    ds, known, test = split.dataset, split.known.interactions, split.test.interactions
    events = pd.Series(np.bincount(known["user"], minlength=ds.n_users), ds.user_ids)
    out = {"known events": _thirds(events)}
    if not several:
        rows = np.bincount(known["item"], minlength=ds.n_items)[test["item"].to_numpy()]
        judged = pd.Series(rows, ds.user_ids[test["user"].to_numpy()])
        out["rows of the item"] = _thirds(judged)
        out["new item"] = judged[judged == 0].map({0: "no rows"})
    return out


def _thirds(numbers: pd.Series) -> pd.Series:
    names = ["lowest third", "middle third", "highest third"]
    return pd.cut(numbers.rank(pct=True), [0, 1 / 3, 2 / 3, 1], labels=names)


def compared(name: str, rows: list[str]) -> list[dict[str, Any]]:
    """Differences between the rows of one data set."""
    split = load(name)
    of = {row: values for row in rows if (values := kept_users(row)) is not None}
    pairs = [(row, rows[0]) for row in list(of)[1:] if rows[0] in of]
    for to in dict.fromkeys((TO, best_counted(recorded(name)) or TO)):
        pairs += [(row, to) for row in of if row in rows]
        of[to] = counted(name, to, split)
    groups = {"": pd.Series("everybody", split.dataset.user_ids), **thirds(split, name in NEXT)}
    return [
        {"data": name, "row": row, "to": to, **one}
        for row, to in pairs
        for one in by_groups(of[row], of[to], groups)
    ]


def corrected(differences: list[dict[str, Any]], *family: str) -> list[dict[str, Any]]:
    """The differences for everybody with Holm's p, within each family."""
    families: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for one in differences:
        if not one.get("by"):
            families.setdefault(tuple(one[key] for key in family), []).append(one)
    for whole in families.values():
        for one, p in zip(whole, holm([one["p"] for one in whole])):
            one["p_holm"] = float(p)
    return differences


def by_groups(of: pd.Series, to: pd.Series, groups: dict[str, pd.Series]) -> list[dict[str, Any]]:
    """Differences of values by user, in each group of each grouping that has at least LEAST of them."""
    out = []
    for what, group in groups.items():
        both = pd.DataFrame({"of": of, "to": to, "group": group}).dropna()
        for label, part in both.groupby(both["group"].astype(str)):
            if len(part) < LEAST:
                continue
            d = paired(part["of"], part["to"])
            ends = {"difference": d.difference, "low": d.low, "high": d.high, "p": d.p}
            head = {"by": what, "group": label, "value": float(part["of"].mean())}
            out.append({**head, **ends, "n_users": d.n})
    return out


def flat(held: dict[str, Any], file: Path) -> dict[str, Any]:
    """What is finished, and what the file has besides, as lists of records: the form of `published_tables.json`."""
    candidates, records = [], []
    for row, kept in held.get("quality", {}).items():
        same = {key: kept[key] for key in ("data", "model")}
        candidates += [{**same, **one} for one in kept.get("candidates", [])]
        for seed, found in kept.get("seeds", {}).items():
            more = {key: found[key] for key in ("fit_seconds", "parameters")}
            records += [
                {
                    **same,
                    "row": row,
                    "seed": int(seed),
                    "metric": name,
                    **dict(zip(_INTERVAL, value)),
                    **more,
                }
                for name, value in found.items()
                if "@" in name
            ]
    speeds = held.get("speed", {})
    lists = {
        "speed": [{"beside": name, **row} for name, one in speeds.items() for row in one["loops"]],
        "candidates": candidates,
        "records": records,
        "means": held.get("means", []),
        "differences": held.get("differences", []),
    }
    lists = with_earlier(file, lists, ("beside", "data", "model", "row", "to"))
    corrected(lists["differences"], "data")
    epochs = {
        beside: [one["epoch_seconds"] for one in lists["speed"] if one["beside"] == beside]
        for beside in dict.fromkeys(one["beside"] for one in lists["speed"])
    }
    return {
        "what": "sequence models that are trained: an epoch beside the usual loops, and quality",
        "interval": "95 % percentile bootstrap over users, 2,000 draws",
        "device": "cpu, one thread",
        "date": datetime.now(UTC).date().isoformat(),
        "versions": versions(),
        "speed_ratios": {beside: theirs / ours for beside, (theirs, ours) in epochs.items()},
        **lists,
    }


_INTERVAL = ("value", "low", "high", "n_users")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", choices=("speed", "quality"), default="speed")
    parser.add_argument("--rows", default="beauty,movies,movies_text,movies_both")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--candidates", type=int, default=2, help="settings tried, at most")
    parser.add_argument("--steps", type=int, default=22, help="of each loop, two of them not timed")
    parser.add_argument("--output", default="results")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    file, journal = Path(args.output) / FILE, KEPT / FILE
    held = json.loads(journal.read_text(encoding="utf-8")) if journal.is_file() else {}
    rows = args.rows.split(",")

    def save() -> None:
        if journal.is_file():  # another call may have measured other rows meanwhile
            others = json.loads(journal.read_text(encoding="utf-8")).get("quality", {})
            measured = {row: one for row, one in held.get("quality", {}).items() if row in rows}
            held["quality"] = others | measured
        for path, content in ((journal, held), (file, flat(held, file))):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, content)

    if args.part == "speed":
        held["speed"] = speed(args.steps)
        save()
        print(f"ratio: {held['speed']['prefixes']['ratio']:.2f}")
        return
    for row in rows:
        quality(row, tuple(map(int, args.seeds.split(","))), args.candidates, held, save)
    of_data: dict[str, list[str]] = {}
    for row, (name, *_) in ROWS.items():
        if row in held["quality"]:
            of_data.setdefault(name, []).append(row)
    held["means"] = means(held)
    held["differences"] = [d for name, some in of_data.items() for d in compared(name, some)]
    save()
    first = held["quality"][rows[0]]
    mean = np.mean([value["ndcg@10"][0] for value in first["seeds"].values()])
    print(f"ratio: {mean / (first['goal'] or mean):.3f}")


if __name__ == "__main__":
    main()
