"""A user's candidates scored by a decoder: the shared pass beside the plain loop of padded prompts.

    RECNB_DATA=folder python benchmarks/decoder.py [--users 3] [--plain-users 1]
    RECNB_DATA=folder python benchmarks/decoder.py --model Qwen/Qwen2.5-0.5B-Instruct --device cuda --dtype bfloat16

Each user has a history of 20 titles and 100 candidates (real titles; MovieLens-100K where its folder is there, else the
grocery catalogue). Three questions: *likelihood*, log p of the title as the assistant's turn; *label*, log p of Yes and
No, the candidate in the assistant's turn (the usual wording of `lm_yes`); *label, in the question*, the candidate in
the user's turn, so that what closes the turn stands behind it and is read for each.

ours: the history once, candidates as trees in rows, the head only where it is asked (`recnb.encoders.decoder`).
plain: a prompt a candidate, in batches of 16 padded to the longest of the batch, logits of all places.
strict: the plain loop as a careful engineer writes it: prompts sorted by length, padded on the left, logits only of the
places that are asked for.

All in one process and with the same number of threads, in alternation; processor seconds on a CPU, since other work on
the machine disturbs them less, and seconds on a GPU. Plain loops are slow and run on fewer users, or on a part of a
user's candidates (then scaled: every candidate costs a prompt); every form's numbers are compared.

`share` is the arithmetic that a form needs (2 operations a weight and token read, embeddings apart, the head
where it runs) over what the device does in a large matrix product of the same number format. The last line is
`ratio: X`: seconds a user of the plain loop over ours, the smaller of likelihood and label. Where the format is
float32, the shared pass runs in bfloat16 and int8 besides: seconds, and how far the numbers move.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

HISTORY, CANDIDATES, BATCH = 20, 100, 16
TOLERANCE = {"float32": 1e-4, "bfloat16": 1.0, "int8": 1.0}  # nats
LABELS = ("Yes", "No")
QUESTIONS = ("likelihood", "label", "label, in the question")


@dataclass
class Case:
    """One user's prompts of one question: token ids, and how many at the end are asked for."""

    prefix: str
    rests: list[str]
    rows: list[list[int]] = field(default_factory=list)
    scored: list[int] = field(default_factory=list)


def people(decoder: Any, data: str, n: int, seed: int) -> list[dict[str, Case]]:
    """Prompts of some users for all questions, by templates of the package."""
    from recnb import load
    from recnb.models.common.histories import Histories
    from recnb.models.language.prompt import Prompts
    from recnb.models.language.templates import open_template

    ds = load(data)
    titles = ds.items["title"].astype(str).tolist()
    thing = "film" if data == "ml-100k" else "product"
    ask, judge, inside = (
        Prompts(decoder, open_template(name, kind), titles, thing)
        for name, kind in (("plain", "title"), ("turn", "answer"), ("plain", "answer"))
    )
    histories = Histories.of(ds)
    enough = np.flatnonzero(np.diff(histories.start) >= HISTORY)
    rng = np.random.default_rng(seed)
    out = []
    for user in rng.permutation(enough)[:n]:
        told = histories.last(int(user), HISTORY)
        others = np.setdiff1d(np.arange(len(titles)), told.items)
        codes = rng.choice(others, CANDIDATES, replace=False)
        asked = (
            ask.for_titles([told], [codes]),
            judge.about_items([told], [codes]),
            inside.about_items([told], [codes]),
        )
        found = {name: Case(p[0], rests[0]) for name, (p, rests) in zip(QUESTIONS, asked)}
        out.append(with_ids(decoder, found))
    return out


def with_ids(decoder: Any, found: dict[str, Case]) -> dict[str, Case]:
    """The prompts' token ids, for the loops."""
    for name, case in found.items():
        answers = decoder.tokens.endings(labels_of(case))
        (beginning,) = decoder.tokens.beginnings([case.prefix])
        space = " " * (len(case.prefix) - len(case.prefix.rstrip(" ")))
        ends = decoder.tokens.endings([(space + rest).rstrip(" ") for rest in case.rests])
        if name == "likelihood":
            case.rows, case.scored = [beginning + end for end in ends], [len(end) for end in ends]
        else:  # one prompt a candidate: both labels are read off its last place
            assert all(len(answer) == 1 for answer in answers)
            case.rows, case.scored = [beginning + end for end in ends], [1] * len(ends)
    return found


def labels_of(case: Case) -> list[str]:
    """The answer words as they stand behind a candidate, with the space that belongs to them."""
    rest = case.rests[0]
    return [" " * (len(rest) - len(rest.rstrip(" "))) + label for label in LABELS]


def ours(decoder: Any, name: str, case: Case) -> np.ndarray:
    if name == "likelihood":
        return decoder.log_likelihoods([case.prefix], [case.rests])[0][:, :1]
    return decoder.label_log_probabilities([case.prefix], [case.rests], LABELS)[0]


def loop(decoder: Any, name: str, case: Case, strict: bool) -> np.ndarray:
    """A prompt a candidate, padded; `strict`: sorted, and logits only where they are asked for."""
    import torch

    network = decoder.network
    labels = [answer[0] for answer in decoder.tokens.endings(labels_of(case))]
    order = np.arange(len(case.rows))
    if strict:
        order = np.argsort([-len(row) for row in case.rows], kind="stable")
    out = np.zeros((len(order), 1 if name == "likelihood" else 2))
    for start in range(0, len(order), BATCH):
        part = order[start : start + BATCH]
        rows = [case.rows[k] for k in part]
        width = max(map(len, rows))
        ids = torch.zeros(len(rows), width, dtype=torch.long)
        there = torch.zeros_like(ids)
        for place, row in enumerate(rows):
            at = slice(width - len(row), width) if strict else slice(0, len(row))
            ids[place, at], there[place, at] = torch.tensor(row), 1
        keep = max(case.scored[k] for k in part) + (name == "likelihood") if strict else 0
        positions = (there.cumsum(dim=1) - 1).clamp(min=0)
        with torch.inference_mode():
            logits = network.model(
                input_ids=ids.to(network.device),
                attention_mask=there.to(network.device),
                position_ids=positions.to(network.device),
                logits_to_keep=keep,
                use_cache=False,
            ).logits.float()
            for place, (k, row) in enumerate(zip(part, rows)):
                end = logits.shape[1] if strict else len(row)
                if name != "likelihood":
                    out[k] = logits[place, end - 1].log_softmax(dim=-1)[labels].cpu().numpy()
                    continue
                n = case.scored[k]
                log_p = logits[place, end - 1 - n : end - 1].log_softmax(dim=-1)
                targets = torch.tensor(row[-n:], device=log_p.device)
                out[k] = float(log_p.gather(1, targets[:, None]).sum())
    return out


def operations(decoder: Any, name: str, case: Case, form: str) -> float:
    """Floating-point operations of a user in the layers' matrices and the head; attention is left out."""
    from recnb.encoders.decoder.packing import pack

    network = decoder.network
    head = network.model.get_output_embeddings().weight.numel()
    table = network.model.get_input_embeddings().weight.numel()
    total = sum(weights.numel() for weights in network.model.parameters())
    tied = (
        network.model.get_output_embeddings().weight is network.model.get_input_embeddings().weight
    )
    layers = total - table - (0 if tied else head)
    if form == "ours":
        (beginning,) = decoder.tokens.beginnings([case.prefix])
        n = len(beginning)
        ends = [row[n:] for row in case.rows]
        scored = case.scored
        if name != "likelihood":
            ends, scored = [[*end, 0] for end in ends], [1] * len(ends)
        packed = pack(ends, n, scored)
        read, headed = n + packed.n_tokens, len(np.unique(packed.sources))
    elif form == "strict":
        order = np.argsort([-len(row) for row in case.rows], kind="stable")
        groups = [order[k : k + BATCH] for k in range(0, len(order), BATCH)]
        read = sum(len(g) * max(len(case.rows[k]) for k in g) for g in groups)
        more = name == "likelihood"
        headed = sum(len(g) * (max(case.scored[k] for k in g) + more) for g in groups)
    else:
        groups = [range(k, min(k + BATCH, len(case.rows))) for k in range(0, len(case.rows), BATCH)]
        read = headed = sum(len(g) * max(len(case.rows[k]) for k in g) for g in groups)
    return 2.0 * (read * layers + headed * head)


def clock(device: str) -> Callable[[], float]:
    """Processor seconds on a CPU; seconds, all work done, on a GPU."""
    if not device.startswith("cuda"):
        return time.process_time
    import torch

    def now() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return now


def rate(network: Any, now: Callable[[], float]) -> float:
    """Operations a second of a large matrix product in the network's number format."""
    import torch

    n = 8192 if network.device.type == "cuda" else 1536
    a = torch.randn(n, n, device=network.device, dtype=network.dtype)
    a @ a
    best = 0.0
    for _ in range(5):
        start = now()
        a @ a
        best = max(best, 2.0 * n**3 / max(now() - start, 1e-9))
    return best


def first(case: Case, n: int) -> Case:
    """The first `n` candidates."""
    return Case(case.prefix, case.rests[:n], case.rows[:n], case.scored[:n])


def measure(
    decoder: Any, users: list[Any], plain_users: int, plain_candidates: int
) -> list[dict[str, Any]]:
    """Rows of (question, form): seconds a user, tokens, the largest difference to ours."""
    now = clock(decoder.place)
    peak = rate(decoder.network, now)
    forms: dict[str, Callable[..., np.ndarray]] = {
        "ours": ours,
        "plain": lambda d, name, case: loop(d, name, case, strict=False),
        "strict": lambda d, name, case: loop(d, name, case, strict=True),
    }
    for name, case in users[0].items():  # warm
        ours(decoder, name, case)
    seconds: dict[tuple[str, str], list[float]] = {}
    worst: dict[tuple[str, str], float] = {}
    work: dict[tuple[str, str], list[float]] = {}
    for k, user in enumerate(users):
        for name, case in user.items():
            found: dict[str, np.ndarray] = {}
            for form, run in forms.items():
                if form != "ours" and k >= plain_users:
                    continue
                part = case if form == "ours" else first(case, plain_candidates)
                scale = len(case.rows) / len(part.rows)
                start = now()
                found[form] = run(decoder, name, part)
                seconds.setdefault((name, form), []).append(scale * (now() - start))
                work.setdefault((name, form), []).append(
                    scale * operations(decoder, name, part, form)
                )
                off = float(np.abs(found[form] - found["ours"][: len(part.rows)]).max())
                worst[name, form] = max(off, worst.get((name, form), 0.0))
                print(f"user {k + 1}, {name}, {form}: {seconds[name, form][-1]:.2f} s", flush=True)
    rows = []
    for (name, form), times in seconds.items():
        each = float(np.median(times))
        base = float(np.median(seconds[name, "ours"][: len(times)]))
        rows.append(
            {
                "question": name,
                "form": form,
                "users": len(times),
                "seconds_per_user": each,
                "milliseconds_per_candidate": 1000 * each / CANDIDATES,
                "to_ours": each / base,
                "largest_difference": worst[name, form],
                "gigaoperations_per_user": float(np.mean(work[name, form])) / 1e9,
                "share": float(np.sum(work[name, form]) / np.sum(times) / peak),
            }
        )
    return rows


def precisions(args: argparse.Namespace, exact: Any, users: list[Any]) -> list[dict[str, Any]]:
    """What other number formats cost and save: the shared pass on the first user, against `exact`."""
    from recnb.encoders.decoder import Decoder

    now = clock(exact.place)
    rows = []
    for dtype in ("bfloat16", "int8"):
        rough = Decoder(args.model, device=args.device, dtype=dtype)
        for name, case in users[0].items():
            expected = ours(exact, name, case)
            ours(rough, name, first(case, 2))  # warm
            start = now()
            found = ours(rough, name, case)
            seconds = now() - start
            off = np.abs(found - expected) / np.array(case.scored)[:, None]
            rows.append(
                {
                    "dtype": dtype,
                    "question": name,
                    "seconds_per_user": seconds,
                    "largest_difference_per_token": float(off.max()),
                    "mean_difference_per_token": float(off.mean()),
                }
            )
            print(f"{dtype}, {name}: {seconds:.2f} s, {off.max():.2f} nats a token", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--users", type=int, default=5)
    parser.add_argument("--plain-users", type=int, default=2)
    parser.add_argument(
        "--plain-candidates", type=int, default=CANDIDATES, help="of a user; scaled"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", default="results/benchmark_decoder.json")
    args = parser.parse_args()
    import torch

    from recnb.encoders.decoder import Decoder

    load_before = os.getloadavg()
    there = (
        Path(os.environ.get("RECNB_DATA", ""), "ml-100k").exists() and "RECNB_DATA" in os.environ
    )
    data = "ml-100k" if there else "grocery"
    decoder = Decoder(args.model, device=args.device, dtype=args.dtype)
    users = people(decoder, data, max(args.users, args.plain_users), args.seed)
    rows = measure(decoder, users, args.plain_users, args.plain_candidates)
    for row in rows:
        assert row["largest_difference"] <= TOLERANCE[decoder.precision], row
    print(f"{'question':24}{'form':8}{'s a user':>10}{'to ours':>9}{'difference':>12}{'share':>7}")
    for row in rows:
        print(
            f"{row['question']:24}{row['form']:8}{row['seconds_per_user']:10.2f}"
            f"{row['to_ours']:9.1f}{row['largest_difference']:12.1e}{row['share']:7.2f}"
        )
    plain = {row["question"]: row["to_ours"] for row in rows if row["form"] == "plain"}
    strict = {row["question"]: row["to_ours"] for row in rows if row["form"] == "strict"}
    record = {
        "benchmark": "decoder",
        "what": f"{CANDIDATES} candidates of a user after a history of {HISTORY}: the shared pass and the plain loop",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {k: v for k, v in vars(args).items() if k != "output"}
        | {"history": HISTORY, "candidates": CANDIDATES, "batch": BATCH},
        "data": data,
        "decoder": decoder.settings | {"parameters": decoder.parameters},
        "device": {
            "cpus": os.cpu_count(),
            "machine": platform.machine(),
            "threads": torch.get_num_threads(),
            "gpu": torch.cuda.get_device_name() if args.device.startswith("cuda") else None,
        },
        "seconds_are": "processor seconds" if decoder.place == "cpu" else "seconds",
        "versions": {name: version(name) for name in ("numpy", "torch", "transformers")},
        "python": platform.python_version(),
        "load_average_before": load_before,
        "load_average_after": os.getloadavg(),
        "forms": rows,
        "formats": precisions(args, decoder, users) if decoder.precision == "float32" else [],
        "to_plain": plain,
        "to_strict": strict,
        "ratio": min(plain["likelihood"], plain["label"]),
    }
    output = Path(args.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=1) + "\n")
    print(f"ratio: {record['ratio']:.1f}")


if __name__ == "__main__":
    main()
