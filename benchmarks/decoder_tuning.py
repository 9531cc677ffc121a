"""A pass over the rows when a decoder is tuned on its answer: a history read once for its candidates, or once for each.

    RECNB_DATA=folder python benchmarks/decoder_tuning.py [--groups 16] [--candidates 16] [--history 20]

SmolLM2-135M with LoRA on MovieLens-100K. The same rows, the same steps (two histories and all their candidates), the
same optimiser, two ways: packed, as `lm_yes@lora` does it (a history and its candidates are one sequence whose tokens
see their own prompt alone), and the usual loop (one prompt a row, padded to the longest of its batch of 16; its
head runs at the answers alone too, which spares it all other logits). Losses and gradients of both are compared
first: they must agree. Seconds are of the clock, the median over steps, both ways in turn. Results go to
`results/decoder_tuning.json`.

The last line is `ratio: X`: the usual loop's time over ours.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from recnb import load
from recnb.data.catalog import find
from recnb.data.text import Text
from recnb.encoders.decoder import Decoder
from recnb.encoders.text.batches import pad
from recnb.files import write_json
from recnb.models.common.histories import Histories
from recnb.models.language.prompt import Prompts
from recnb.models.language.questions import Question, from_rows
from recnb.models.language.templates import open_template
from recnb.models.language.tuned.network import AnswerNetwork, lessons, opened
from recnb.models.language.tuned.recipe import Recipe
from recnb.training.optimiser import make_optimiser
from recnb.training.settings import Training
from recnb.versions import versions

BATCH = 16  # prompts that the usual loop pads together
PER_STEP = 2  # histories


class Plain:
    """The usual loop's rows: one prompt each, and which tokens its answers are."""

    def __init__(self, prompts: Prompts, question: Question) -> None:
        tokens = prompts.decoder.tokens
        (prefix,), (suffixes,) = prompts.about_items([question.told], [question.items])
        start = tokens.beginnings([prefix])[0]
        self.rows = [start + end for end in tokens.endings(suffixes)]
        self.answers = [row[0] for row in tokens.answers(prompts.template.answers)]
        self.liked = torch.from_numpy(question.liked.astype(np.float32))

    @property
    def n_tokens(self) -> int:
        return sum(map(len, self.rows))

    def backward(self, network: AnswerNetwork, n: int) -> float:
        """Add the gradients of the summed loss over `n`; return it."""
        total = 0.0
        for k in range(0, len(self.rows), BATCH):
            rows = self.rows[k : k + BATCH]
            ids, mask = (torch.from_numpy(a) for a in pad(rows, 0))
            states = network.network.base(input_ids=ids, attention_mask=mask).last_hidden_state
            last = states[torch.arange(len(rows)), mask.sum(dim=1) - 1]
            yes, no = network.network.head(last)[:, self.answers].T
            loss = F.binary_cross_entropy_with_logits(
                yes - no, self.liked[k : k + BATCH], reduction="sum"
            )
            (loss / n).backward()
            total += float(loss.detach()) / n
        return total


def gradients(network: AnswerNetwork) -> dict[str, torch.Tensor]:
    found = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
    network.zero_grad(set_to_none=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--groups", type=int, default=16)
    parser.add_argument("--candidates", type=int, default=16)
    parser.add_argument("--history", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path("results") / "decoder_tuning.json")
    told = parser.parse_args()
    if find("ml-100k") is None:
        print("MovieLens-100K is not here: set RECNB_DATA, or: recnb data fetch ml-100k")
        sys.exit(2)
    torch.manual_seed(0)
    ds = load("ml-100k")
    decoder = Decoder(device="cpu")
    titles = [t.rstrip(".") for t in Text("title", max_words=24)(ds)]
    prompts = Prompts(decoder, open_template("plain", "answer"), titles, "film")
    every = from_rows(Histories.of(ds), ds, told.history, told.candidates, None)
    full = [
        q for q in every if len(q.items) == told.candidates and len(q.told.items) == told.history
    ]
    questions = full[: told.groups]
    network = opened(decoder, Recipe("lora"))
    with torch.no_grad():  # a start at which all parts get gradients
        for name, p in network.named_parameters():
            if "lora_B" in name:
                p.normal_(std=0.02)
    packed, plain = lessons(prompts, questions), [Plain(prompts, q) for q in questions]
    steps = [slice(k, k + PER_STEP) for k in range(0, len(questions), PER_STEP)]

    def packed_step(step: slice) -> float:
        loss = network([one.parts() for one in packed[step]])
        loss.backward()
        return float(loss.detach())

    def plain_step(step: slice) -> float:
        n = sum(len(one.rows) for one in plain[step])
        return sum(one.backward(network, n) for one in plain[step])

    losses = packed_step(steps[0]), gradients(network), plain_step(steps[0]), gradients(network)
    off = max(
        float((g - losses[3][n]).abs().max() / losses[3][n].abs().max())
        for n, g in losses[1].items()
    )
    print(
        f"losses {losses[0]:.6f} and {losses[2]:.6f}; gradients differ by {off:.1e} of the largest"
    )
    assert abs(losses[0] - losses[2]) < 1e-4 and off < 1e-3

    optimiser = make_optimiser(network, Training(lr=1e-3))
    seconds: dict[str, list[float]] = {"packed": [], "plain": []}
    for step in steps:
        for name, take in (("packed", packed_step), ("plain", plain_step)):
            start = time.perf_counter()
            optimiser.zero_grad(set_to_none=True)
            take(step)
            optimiser.step()
            seconds[name].append(time.perf_counter() - start)
    tokens = {
        "packed": sum(one.ids.numel() for one in packed),
        "plain": sum(p.n_tokens for p in plain),
    }
    rows = PER_STEP * told.candidates
    table: list[dict[str, Any]] = []
    for name, times in seconds.items():
        per_row = median(times) / rows
        table.append({"way": name, "seconds_per_1000_rows": 1000 * per_row, "tokens": tokens[name]})
        print(f"{name}: {1000 * per_row:.0f} s for 1,000 rows, {tokens[name]:,} tokens")
    ratio = median(seconds["plain"]) / median(seconds["packed"])
    write_json(
        told.output,
        {
            "benchmark": "a pass over the rows when a decoder is tuned on its answer",
            "data": "MovieLens-100K",
            "dataset_digest": ds.digest,
            "language_model": "SmolLM2-135M-Instruct with LoRA",
            "history": told.history,
            "candidates": told.candidates,
            "rows": len(questions) * told.candidates,
            "gradients_differ_by": off,
            "ratio": ratio,
            "ratio_of_tokens": tokens["plain"] / tokens["packed"],
            "device": "cpu",
            "threads": torch.get_num_threads(),
            "versions": versions(),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "records": table,
        },
    )
    print(f"ratio: {ratio:.1f}")


if __name__ == "__main__":
    main()
