"""What each step of making a text encoder and its vectors smaller costs in accuracy, and buys in time and bytes.

    RECNB_DATA=folder python benchmarks/compress.py [--sets ml-100k,amazon-office-2018] [--texts 300]

New items ranked among themselves (`cold_item`) by `text_frozen` with its defaults, the same splits and settings for
each form: PyTorch in float32; ONNX in float32, in float16 (where no GPU is, the processor computes it in 32 bits), and
with 8-bit weights (dynamic, and static, calibrated on the catalogue's texts); half of the layers, with and without
teaching; half and a quarter of the attention heads, taught; and the full encoder's vectors cut to their first numbers,
turned to their main directions (PCA) and cut, rounded to 16 and 8 bits, and product-quantised. Difference to PyTorch
in float32: NDCG@10, paired, interval over users, and two one-sided tests within 1 %, for each split seed.

Time is taken in one run over all encoders in turn, text by text, on one thread: milliseconds are the median of one
text at a time, the throughput is of batches of 64. What a form needs (files, vectors) is kept under `.benchmarks` and
made once; `--time-again` takes the time anew. Writes `results/compress.json` after each set.

The last line is `ratio: X`: milliseconds of PyTorch in float32 over those of the dynamic 8-bit weights.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from recnb import evaluate, load
from recnb.data import Dataset, Text, splits
from recnb.encoders import TextEncoder
from recnb.evaluation import Protocol
from recnb.files import write_json
from recnb.metrics import equivalence
from recnb.models.content.meaning import TextFrozen
from recnb.serving.encoder.compress import save_encoder
from recnb.serving.encoder.distil import fewer_layers
from recnb.serving.encoder.heads import NarrowEncoder, fewer_heads
from recnb.serving.encoder.onnx import EncoderSettings, OnnxEncoder
from recnb.versions import versions

KEPT = Path(".benchmarks") / "compress"
EPOCHS = 5
Encode = Callable[[list[str]], np.ndarray]
FORMS: dict[str, Encode] = {}  # a form's vectors of texts

# form: the network that it is made of, and the precision of its weights
SERVED = {
    "onnx float32": ("full", "float32"),
    "onnx float16": ("full", "float16"),
    "onnx int8": ("full", "int8"),
    "onnx int8_static": ("full", "int8_static"),
    "3 layers, cut, onnx float32": ("layers-0", "float32"),
    "3 layers, taught, onnx float32": ("layers-5", "float32"),
    "3 layers, taught, onnx int8": ("layers-5", "int8"),
    "half of the heads, taught, onnx float32": ("heads-0.5", "float32"),
    "half of the heads, taught, onnx int8": ("heads-0.5", "int8"),
    "a quarter of the heads, taught, onnx int8": ("heads-0.25", "int8"),
}


class Form(TextFrozen):
    """`text_frozen` with the vectors of one form."""

    def __init__(
        self,
        form: str = "torch",
        way: str = "auto",
        l2: float | str = "auto",
        rank: int | str | None = "auto",
    ) -> None:
        super().__init__(way=way, l2=l2, rank=rank)
        self.form = form

    def _meaning(self, texts: list[str], learn: bool) -> np.ndarray:
        vectors = FORMS[self.form](texts)
        if learn:
            self.shift_ = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        return vectors - self.shift_


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1; rows of zeros stay."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def network(name: str, full: TextEncoder, texts: list[str], folder: Path) -> Any:
    """One of the networks, made once."""
    if name == "full":
        return full
    kind, _, number = name.partition("-")
    at = folder / name
    if kind == "layers":
        if not (at / "config.json").is_file():
            fewer_layers(full, 3, texts, at, int(number))
        return TextEncoder(at, device="cpu", max_tokens=full.max_tokens)
    if not (at / "config.json").is_file():
        fewer_heads(full, float(number), texts, at, EPOCHS)
    return NarrowEncoder(at, device="cpu", max_tokens=full.max_tokens)


def encoders(texts: list[str], folder: Path, networks: list[str]) -> dict[str, tuple[Encode, int]]:
    """Each encoder of these networks as it is timed, and the bytes of its network."""
    full = TextEncoder(device="cpu")
    uncached = TextEncoder(device="cpu", cache=False)
    weights = sum(p.numel() * p.element_size() for p in uncached.model.parameters())
    out: dict[str, tuple[Encode, int]] = {"torch": (uncached.encode, weights)}
    for form, (name, precision) in SERVED.items():
        if name.partition("-")[0] not in networks:
            continue
        at = folder / f"{name}-{precision}"
        if not (at / "done").is_file():
            print(f"{folder.name}: making {form}", flush=True)
            save_encoder(network(name, full, texts, folder), at, precision, texts)
            (at / "done").touch()
        told = json.loads((at / "encoder.json").read_text())
        served = OnnxEncoder(at, EncoderSettings.from_json(told, str(at)))
        out[form] = served.encode, (at / "model.onnx").stat().st_size
    return out


def vectors_of(form: str, read: Encode, texts: list[str], folder: Path) -> np.ndarray:
    """A form's vectors of all texts, made once."""
    file = folder / "vectors" / f"{form.replace(', ', '-').replace(' ', '_')}.npy"
    if not file.is_file():
        file.parent.mkdir(exist_ok=True)
        full = form == "torch"  # whose vectors may be in the cache
        made = (TextEncoder(device="cpu").encode if full else read)(texts)
        np.save(file, made)
    return np.load(file)


def codecs(vectors: np.ndarray) -> dict[str, tuple[np.ndarray, int]]:
    """The full encoder's vectors made smaller in other ways, and bytes of a vector."""
    import faiss

    out: dict[str, tuple[np.ndarray, int]] = {}
    dim = vectors.shape[1]
    filled = vectors[np.linalg.norm(vectors, axis=1) > 0]
    for numbers in (dim // 2, dim // 4, dim // 8):
        out[f"first {numbers} numbers"] = unit(vectors[:, :numbers]), 4 * numbers
        turn = faiss.PCAMatrix(dim, numbers)
        turn.train(filled)
        out[f"PCA {numbers} numbers"] = unit(turn.apply(vectors)), 4 * numbers
    for title, factory in (
        ("16 bit", "SQfp16"),
        ("8 bit", "SQ8"),
        (f"PQ {dim // 8} bytes", f"PQ{dim // 8}"),
    ):
        index = faiss.index_factory(dim, factory)
        index.train(filled)
        out[title] = index.sa_decode(index.sa_encode(vectors)), index.sa_code_size()
    return out


def timed(
    readers: dict[str, tuple[Encode, int]], texts: list[str]
) -> dict[str, tuple[float, float]]:
    """Of each encoder the milliseconds of one text, the median, and texts a second in batches; in turn."""
    ones: dict[str, list[float]] = {form: [] for form in readers}
    many: dict[str, list[float]] = {form: [] for form in readers}
    for read, _ in readers.values():
        read(texts[:4])
    for text in texts:
        for form, (read, _) in readers.items():
            start = time.perf_counter()
            read([text])
            ones[form].append(time.perf_counter() - start)
    for at in range(0, len(texts), 64):
        batch = texts[at : at + 64]
        for form, (read, _) in readers.items():
            start = time.perf_counter()
            read(batch)
            many[form].append((time.perf_counter() - start) / len(batch))
    return {f: (1000 * float(np.median(ones[f])), 1 / float(np.median(many[f]))) for f in readers}


def judged(ds: Dataset, forms: list[str], split_seed: int) -> dict[str, Any]:
    """NDCG of all forms on the new items of one split, and the differences to PyTorch."""
    split = splits.cold_item(ds, seed=split_seed)
    protocol = Protocol(k=10, metrics=("ndcg",), draws=2000)
    ev = evaluate({form: Form(form) for form in forms}, split, protocol)
    metric, _, shelf = ev.headline
    values = ev.per_user
    values = values[(values["metric"] == metric) & (values["candidates"] == shelf)]
    wide = values.pivot(index="user_id", columns="model", values="value")
    changes = ev.compare(to="torch", metric="ndcg").set_index("model")
    rows: dict[str, dict[str, Any]] = {}
    for form in forms:
        row: dict[str, Any] = {"ndcg": float(wide[form].mean())}
        if form != "torch":
            same = equivalence(wide[form], wide["torch"], margin=0.01)
            change = changes.loc[form]
            row["difference"] = [float(change[c]) for c in ("difference", "low", "high")]
            row["relative"] = [same.relative, same.low, same.high]
            row["equivalent"] = bool(same.equivalent)
        rows[form] = row
    return {"seed": split_seed, "split": split.digest, "users": len(wide), "forms": rows}


def one_set(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """All forms on one data set."""
    ds: Dataset = load(name)
    texts = list(dict.fromkeys(Text()(ds)))
    folder = KEPT / name
    folder.mkdir(parents=True, exist_ok=True)
    readers = encoders([text for text in texts if text], folder, arguments.networks.split(","))
    forms: dict[str, dict[str, Any]] = {}
    place = {text: row for row, text in enumerate(texts)}
    FORMS.clear()

    def known(form: str, vectors: np.ndarray, **facts: Any) -> None:
        FORMS[form] = lambda asked: vectors[[place[text] for text in asked]]
        forms[form] = {"vector_bytes": 4 * vectors.shape[1], **facts}

    for form, (read, size) in readers.items():
        known(form, vectors_of(form, read, texts, folder), encoder_bytes=size)
    for form, (vectors, size) in codecs(
        vectors_of("torch", readers["torch"][0], texts, folder)
    ).items():
        known(form, vectors, vector_bytes=size)
    clock = folder / "time.json"
    times = json.loads(clock.read_text()) if clock.is_file() else {}
    if arguments.time_again or set(readers) - set(times):
        filled = [text for text in texts if text]
        order = np.random.default_rng(0).permutation(len(filled))[: arguments.texts]
        times = timed(readers, [filled[n] for n in order])
        write_json(clock, times)
    for form in readers:
        ms, per_second = times[form]
        forms[form] |= {"ms": ms, "texts_per_second": per_second}
    seeds = [judged(ds, list(forms), seed) for seed in arguments.split_seeds]
    show(name, forms, seeds[0])
    return {
        "name": name,
        "dataset": ds.digest,
        "texts": len(texts),
        "forms": forms,
        "splits": seeds,
    }


def show(name: str, forms: dict[str, dict[str, Any]], first: dict[str, Any]) -> None:
    """The table of one set."""
    print(f"\n{name}: {first['users']:,} users judged on new items")
    for form, facts in forms.items():
        row = first["forms"][form]
        change = ""
        if "relative" in row:
            change = "{:+7.2%} ({:+.2%}..{:+.2%})".format(*row["relative"])
            change += " equivalent" if row["equivalent"] else ""
        cost = f"{facts['vector_bytes']} bytes a vector"
        if "ms" in facts:
            cost = f"{facts['ms']:.2f} ms {facts['texts_per_second']:,.0f}/s {facts['encoder_bytes'] / 1e6:.1f} MB"
        print(f"{form:42} NDCG@10 {row['ndcg']:.4f} {change:40} {cost}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sets", default="ml-100k,amazon-office-2018")
    parser.add_argument(
        "--networks", default="full,layers,heads", help="heads take longest to teach"
    )
    parser.add_argument("--texts", type=int, default=300, help="that are read when time is taken")
    parser.add_argument(
        "--split-seeds", type=lambda t: [int(n) for n in t.split(",")], default=[0, 1, 2]
    )
    parser.add_argument("--time-again", action="store_true", help="take the time anew")
    parser.add_argument("--output", type=Path, default=Path("results/compress.json"))
    arguments = parser.parse_args()
    import faiss
    import torch

    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    done: list[dict[str, Any]] = []
    for name in arguments.sets.split(","):
        done.append(one_set(name, arguments))
        result = {
            "benchmark": "compress",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": {
                "texts": arguments.texts,
                "split_seeds": arguments.split_seeds,
                "epochs": EPOCHS,
            },
            "versions": versions(),
            "load_average": list(os.getloadavg()),
            "sets": done,
        }
        write_json(arguments.output, result)
    forms = done[0]["forms"]
    print(f"ratio: {forms['torch']['ms'] / forms['onnx int8']['ms']:.2f}")


if __name__ == "__main__":
    main()
