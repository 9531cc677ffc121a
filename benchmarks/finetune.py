"""One epoch of fine-tuning on MovieLens-100K: the efficient step beside the plain loop.

    RECNB_DATA=folder python benchmarks/finetune.py [--seeds 0,1,2] [--epochs 2]
    RECNB_DATA=folder python benchmarks/finetune.py --quality 0 --epochs 2     # hours

Same encoder, all layers trained, same form of model (user vector and bias, projection and line of the
item's state), ratings of a random tenth for validation and a tenth left out, text: title and genres.

plain: one row per interaction, its text padded to 128 tokens, batch 16, AdamW, float32. Timed on a
stated number of steps and scaled to an epoch. `--quality` runs its batches in its order through a step of
equal gradients that pads to the longest and encodes a text that stands twice in the 16 once (equal within
1e-5: tests/unit/models/test_two_tower.py), and adds the validation MSE of each epoch to the results.
ours: the two clocks of :mod:`recnb.training.batches`, every text encoded twice an epoch; timed without the first
encoding of all texts, a forward pass once a training.

sentence-transformers: its trainer on the same rows as pairs of texts (`user 17`, the item's text; the shortest
text a user can have) with CosineSimilarityLoss, batch 16, padded to the longest of a batch, float32; timed like plain.

The plain loop wastes most of its tokens: `benchmarks/finetune_strict.py` is the time to an equal validation loss
against a loop that wastes none.

Each side runs in a process of its own, in alternation, with the same number of threads; peak memory is the process's.
The last line is `ratio: X`: the plain loop's time for one epoch, as sampled before and after ours, over ours
(median over seeds).
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
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, MAX_TOKENS, BATCH = 16, 128, 16
OURS: dict[str, Any] = {
    "l2": 0.2,
    "items_per_batch": 8,
    "live_epochs": 2,
    "head_epochs": 6,
    "lr": 1e-2,
    "lr_encoder": 5e-5,
}
PLAIN: dict[str, Any] = {"l2": 0.1, "lr": 3e-3, "lr_encoder": 5e-5}


def setting():
    """The split and the model's common settings."""
    from recnb import load
    from recnb.data import Text, splits

    split = splits.random(load("ml-100k"), test=0.1, valid=0.1)
    common = {
        "text": Text("title", "genres"),
        "loss": "mse",
        "user": "id",
        "method": "full",
        "max_tokens": MAX_TOKENS,
        "width": WIDTH,
        "dropout": 0.0,
        "patience": 99,
    }
    return split, common


def ours(seed: int, epochs: int) -> dict[str, Any]:
    """Epochs timed apart from the validation and from opening the encoder."""
    import torch

    from recnb.models import TwoTower

    split, common = setting()
    model = TwoTower(**common, **OURS, n_epochs=epochs, seed=seed)
    marks: list[tuple[int, float]] = []
    start = time.perf_counter()
    watch = model._value

    def timed(*args: Any) -> Any:
        inner = watch(*args)
        begin = [time.perf_counter()]

        def value(network: Any) -> float:
            # the states of the last part of the epoch are computed within it: FRESH
            marks.append((1, time.perf_counter() - begin[0]))
            out = inner(network)
            begin[0] = time.perf_counter()
            return out

        return value

    model._value = timed
    model.fit(split.train, split.valid)
    return {
        "seed": seed,
        "seconds_per_epoch": [m[1] for m in marks],
        "mse": [h["value"] ** 2 for h in model.learning_],
        "seconds_in_all": time.perf_counter() - start,
        "threads": torch.get_num_threads(),
        "rows": len(split.train.interactions),
    }


def per_epoch(seconds: Any, n_rows: int) -> dict[str, Any]:
    """The median step of some that were timed, scaled to an epoch of `n_rows` rows."""
    import torch

    step, n = float(np.median(seconds)), -(-n_rows // BATCH)
    return {
        "threads": torch.get_num_threads(),
        "steps_timed": len(seconds),
        "step_seconds": step,
        "steps_per_epoch": n,
        "epoch_seconds": step * n,
    }


class PlainLoop:
    """The loop as it is usually written, in plain torch: a row a rating, user vector and item text into a score.

    Parameters
    ----------
    split : Split
    batch : int
        Rows of a step.
    padded_to : int or None
        Tokens that every text is padded to, and tokenised anew in each step; None: to the longest of the batch, each
        text tokenised once.
    distinct : bool
        Encode a text that stands several times in a batch once.
    rate : float
        Factor on both learning rates of :data:`PLAIN`.
    seed : int
    encoder : TextEncoder, optional
    """

    def __init__(
        self,
        split: Any,
        batch: int = BATCH,
        padded_to: int | None = MAX_TOKENS,
        distinct: bool = False,
        rate: float = 1.0,
        seed: int = 0,
        encoder: Any = None,
    ) -> None:
        import torch

        from recnb.data import Text
        from recnb.encoders import TextEncoder

        self.batch, self.padded_to, self.distinct, self.seed = batch, padded_to, distinct, seed
        self.encoder = encoder or TextEncoder(max_tokens=MAX_TOKENS)
        self.texts = Text("title", "genres")(split.train.items)
        cut = {"truncation": True, "max_length": MAX_TOKENS}
        self.tokens = [self.encoder.tokenizer(text, **cut) for text in self.texts]
        rows = split.train.interactions
        self.rows = [rows[c].to_numpy() for c in ("user", "item", "rating")]
        self.mean = float(rows["rating"].mean())
        torch.manual_seed(seed)
        self.network = self.encoder.model.eval()  # no dropout, as on the other side
        self.users = torch.nn.Embedding(split.train.n_users, WIDTH)
        self.bias = torch.nn.Embedding(split.train.n_users, 1)
        self.project = torch.nn.Linear(self.encoder.dim, WIDTH, bias=False)
        self.line = torch.nn.Linear(WIDTH, 1, bias=False)
        torch.nn.init.normal_(self.users.weight, std=0.01)
        torch.nn.init.orthogonal_(self.project.weight)
        torch.nn.init.zeros_(self.bias.weight)
        torch.nn.init.zeros_(self.line.weight)
        states = self.states_of(np.unique(self.rows[1]))
        self.shift = states.mean(dim=0)
        self.size = (states - self.shift).norm(dim=-1).mean()
        parts = (self.users, self.bias, self.project, self.line)
        own = [p for part in parts for p in part.parameters()]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": self.network.parameters(), "lr": PLAIN["lr_encoder"] * rate},
                {"params": own},
            ],
            lr=PLAIN["lr"] * rate,
            fused=True,
        )
        self.parameters = [*self.network.parameters(), *own]

    def __len__(self) -> int:
        """Steps of an epoch."""
        return -(-len(self.rows[0]) // self.batch)

    def epoch(self, number: int) -> Iterator[None]:
        """The steps of an epoch, one each time it is asked."""
        order = np.random.default_rng([self.seed, number]).permutation(len(self.rows[0]))
        for start in range(0, len(order), self.batch):
            self.step(order[start : start + self.batch])
            yield

    def step(self, part: np.ndarray) -> None:
        """One step on some rows."""
        import torch

        users, codes, ratings = (column[part] for column in self.rows)
        place: Any = slice(None)
        if self.distinct:
            codes, place = np.unique(codes, return_inverse=True)
        items = self.vectors(self.pooled(codes, self.padded_to))[place]
        people = torch.from_numpy(users.astype(np.int64))
        wanted = torch.from_numpy(ratings.astype(np.float32))
        loss = torch.nn.functional.mse_loss(self.scores(people, items), wanted)
        penalty = self.bias(people).square().mean() + self.users(people).square().sum(-1).mean()
        loss = loss + PLAIN["l2"] * (penalty + items.square().sum(-1).mean())
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()

    def pooled(self, items: np.ndarray, padded_to: int | None = None) -> Any:
        """Sentence vectors of the texts of some items: (n, dim)."""
        from recnb.encoders.text.pooling import pool

        if padded_to is None:
            given = self.encoder.tokenizer.pad([self.tokens[i] for i in items], return_tensors="pt")
        else:
            given = self.encoder.tokenizer(
                [self.texts[i] for i in items],
                padding="max_length",
                truncation=True,
                max_length=padded_to,
                return_tensors="pt",
            )
        ids, mask = given["input_ids"], given["attention_mask"]
        return pool(self.network(input_ids=ids, attention_mask=mask).last_hidden_state, mask)

    def vectors(self, states: Any) -> Any:
        """Item vectors, centred and scaled as on the other side: (n, WIDTH)."""
        return self.project((states - self.shift) / self.size)

    def scores(self, users: Any, items: Any) -> Any:
        """Ratings of users by the vectors of items: (n,)."""
        own = self.bias(users).squeeze(-1) + self.line(items).squeeze(-1)
        return self.mean + (self.users(users) * items).sum(-1) + own

    def states_of(self, items: np.ndarray) -> Any:
        """Sentence vectors without gradients, texts of like length together."""
        import torch

        order = np.argsort([len(self.tokens[i]["input_ids"]) for i in items], kind="stable")
        with torch.no_grad():
            parts = [
                self.pooled(items[part]) for part in np.array_split(order, len(order) // 64 + 1)
            ]
        return torch.cat(parts)[torch.from_numpy(np.argsort(order))]

    def mse(self, rows: Any) -> float:
        """Mean squared error of a table of ratings, predictions cut to 1-5."""
        import torch

        distinct, place = np.unique(rows["item"], return_inverse=True)
        with torch.no_grad():
            items = self.vectors(self.states_of(distinct))[torch.from_numpy(place)]
            found = self.scores(torch.from_numpy(rows["user"].to_numpy(np.int64)), items)
        truth = rows["rating"].to_numpy(np.float32)
        return float(((found.clamp(1, 5).numpy() - truth) ** 2).mean())


def plain(steps: int) -> dict[str, Any]:
    """Seconds of a step of the plain loop: the median after two of warm-up."""
    loop = PlainLoop(setting()[0])
    seconds, going = [], loop.epoch(0)
    for k in range(steps + 2):
        start = time.perf_counter()
        next(going)
        if k >= 2:
            seconds.append(time.perf_counter() - start)
    return per_epoch(seconds, len(loop.rows[0]))


def library(steps: int) -> dict[str, Any]:
    """Seconds of a step of sentence-transformers' trainer: the median after two of warm-up."""
    import tempfile

    from datasets import Dataset as Table
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers import SentenceTransformerTrainingArguments as Arguments
    from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss
    from transformers import TrainerCallback

    from recnb.data import Text
    from recnb.encoders.loading import locate

    split, _ = setting()
    texts = Text("title", "genres")(split.train.items)
    rows = split.train.interactions
    order = np.random.default_rng(0).permutation(len(rows))[: (steps + 2) * BATCH]
    part = rows.iloc[order]
    pairs = Table.from_dict(
        {
            "sentence1": [f"user {u}" for u in part["user"]],
            "sentence2": [texts[i] for i in part["item"]],
            "score": ((part["rating"] - 1) / 4).tolist(),
        }
    )
    model = SentenceTransformer(str(locate().folder), device="cpu")
    model.max_seq_length = MAX_TOKENS
    marks: list[float] = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
            marks.append(time.perf_counter())

        def on_train_end(self, *args: Any, **kwargs: Any) -> None:
            marks.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        arguments = Arguments(
            folder,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            learning_rate=PLAIN["lr_encoder"],
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_strategy="no",
            dataloader_pin_memory=False,
        )
        SentenceTransformerTrainer(
            model=model,
            args=arguments,
            train_dataset=pairs,
            loss=CosineSimilarityLoss(model),
            callbacks=[Clock()],
        ).train()
    return per_epoch(np.diff(marks)[2:], len(rows))


def quality(seed: int, epochs: int, checkpoint: str) -> dict[str, Any]:
    """Validation MSE of the plain loop's batches, by steps of equal gradients."""
    from recnb.models import TwoTower
    from recnb.training import LIVE

    split, common = setting()

    class Plain(TwoTower):
        """Live batches in random order, whose gradients reach all parts."""

        def _plan(self, items: np.ndarray) -> Any:
            def plan(epoch: int) -> list[tuple[int, np.ndarray]]:
                order = np.random.default_rng([self.seed, epoch]).permutation(len(items))
                return [(LIVE, order[k : k + BATCH]) for k in range(0, len(order), BATCH)]

            return plan

        def _start(self, *args: Any) -> Any:
            state, network = super()._start(*args)
            network.joint = True
            return state, network

    model = Plain(**common, **PLAIN, n_epochs=epochs, seed=seed, checkpoint=checkpoint or None)
    model.fit(split.train, split.valid)
    return {"seed": seed, "mse": [h["value"] ** 2 for h in model.learning_]}


def apart(part: str, *more: str) -> dict[str, Any]:
    """Run a part in a process of its own; its result and peak memory."""
    done = subprocess.run(
        [sys.executable, __file__, "--part", part, *more], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--part")
    parser.add_argument("--quality", type=int)
    parser.add_argument("--checkpoint", default="")
    parser.add_argument("--output", type=Path, default=Path("results") / "benchmark_finetune.json")
    args = parser.parse_args()
    from recnb import load
    from recnb.data.catalog import find
    from recnb.versions import versions

    if find("ml-100k") is None:
        print("MovieLens-100K is not here: set RECNB_DATA, or: recnb data fetch ml-100k")
        sys.exit(2)
    logging.disable(logging.WARNING)
    if args.part:
        name, _, number = args.part.partition(":")
        if name == "ours":
            found = ours(int(number), args.epochs)
        else:
            found = (plain if name == "plain" else library)(args.steps)
        found["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(found))
        return
    content = json.loads(args.output.read_text()) if args.output.is_file() else {}
    if args.quality is not None:
        found = quality(args.quality, args.epochs, args.checkpoint)
        kept = [q for q in content.get("plain_quality", []) if q["seed"] != found["seed"]]
        content["plain_quality"] = [*kept, found]
        print(found)
    else:
        more = ("--epochs", str(args.epochs), "--steps", str(args.steps))
        loads = [os.getloadavg()[0]]
        slow, books, rows = [apart("plain", *more)], [], []
        for seed in args.seeds.split(","):
            rows.append(apart(f"ours:{seed}", *more))
            books.append(apart("library", *more))
            slow.append(apart("plain", *more))
            # this machine's speed drifts: an epoch of ours against the samples before and after it
            beside = (slow[-2]["epoch_seconds"] + slow[-1]["epoch_seconds"]) / 2
            mine = float(np.median(rows[-1]["seconds_per_epoch"]))
            rows[-1]["ratio"] = beside / mine
            rows[-1]["ratio_sentence_transformers"] = books[-1]["epoch_seconds"] / mine
            print("seed", seed, "ratio", round(rows[-1]["ratio"], 1), flush=True)
        loads.append(os.getloadavg()[0])
        mine = float(np.median([s for r in rows for s in r["seconds_per_epoch"]]))
        ratios = [r["ratio"] for r in rows]
        content |= {
            "data": "MovieLens-100K",
            "dataset_digest": load("ml-100k").digest,
            "protocol": "random tenth for validation, a tenth left out; title and genres; MSE",
            "plain": slow,
            "plain_settings": PLAIN | {"batch": BATCH, "padded_to": MAX_TOKENS},
            "sentence_transformers": books,
            "ours": rows,
            "ours_settings": OURS,
            "ours_epoch_seconds": mine,
            "ratio": float(np.median(ratios)),
            "ratio_sentence_transformers": float(
                np.median([r["ratio_sentence_transformers"] for r in rows])
            ),
            "load": loads,
            "device": "cpu",
            "versions": versions(),
            "date": datetime.now(UTC).date().isoformat(),
        }
        epochs = [round(one["epoch_seconds"]) for one in slow]
        print(f"plain loop: {epochs} s an epoch ({args.steps} steps timed each)")
        print(
            "sentence-transformers:", [round(one["epoch_seconds"]) for one in books], "s an epoch"
        )
        print(f"ours: {mine:.1f} s an epoch; validation MSE by epoch:")
        for row in rows:
            print("  seed", row["seed"], [round(v, 4) for v in row["mse"]])
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"written to {args.output}")
    if "ratio" in content:
        print(f"ratio: {content['ratio']:.1f}")


if __name__ == "__main__":
    main()
