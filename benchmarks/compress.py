"""What each step of making a text encoder and its vectors smaller costs in accuracy, and buys in time and bytes.

    RECNB_DATA=folder python benchmarks/compress.py [--sets ml-100k,amazon-office-2018] [--texts 400]

New items ranked among themselves (`cold_item`) by `text_frozen` with its defaults, the same split and settings for
each encoder: PyTorch in float32, ONNX in float32 and with 8-bit weights (dynamic, and static, calibrated on the
catalogue's texts), half of the layers with and without teaching, and the vectors of the full one cut to fewer numbers,
rounded to 16 and 8 bits, and product-quantised. Difference to PyTorch in float32: NDCG@10, paired, interval over
users, and two one-sided tests within 1 %. Milliseconds are of one text at a time on one thread, the median; the
throughput of batches stands beside it. Writes `results/compress.json` after each set.

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
from recnb.metrics import equivalence
from recnb.models.content.meaning import TextFrozen
from recnb.serving.encoder.compress import save_encoder
from recnb.serving.encoder.distil import fewer_layers
from recnb.serving.encoder.onnx import OnnxEncoder
from recnb.versions import versions

KEPT = Path(".benchmarks") / "compress"
Encode = Callable[[list[str]], np.ndarray]
FORMS: dict[str, Encode] = {}  # how a form reads texts


class Form(TextFrozen):
    """`text_frozen` with the vectors of one form."""

    def __init__(self, form: str = "torch") -> None:
        super().__init__()
        self.form = form

    @classmethod
    def _get_param_names(cls) -> list[str]:
        return ["form"]

    def _meaning(self, texts: list[str], learn: bool) -> np.ndarray:
        vectors = FORMS[self.form](texts)
        if learn:
            self.shift_ = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        return vectors - self.shift_


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def codec(name: str, vectors: np.ndarray) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """Vectors through one of faiss's codecs and back, and its bytes a vector."""
    import faiss

    index = faiss.index_factory(vectors.shape[1], name)
    index.train(vectors)
    size = index.sa_code_size()

    def through(given: np.ndarray) -> np.ndarray:
        return index.sa_decode(index.sa_encode(np.ascontiguousarray(given)))

    return through, size


def encoders(texts: list[str], folder: Path) -> dict[str, tuple[Encode, Encode, int]]:
    """Each encoder: how it reads the catalogue, how it reads when it is timed, and its bytes."""
    full = TextEncoder(device="cpu")
    uncached = TextEncoder(device="cpu", cache=False)
    weights = sum(p.numel() * p.element_size() for p in full.model.parameters())
    out = {"torch": (full.encode, uncached.encode, weights)}
    for precision in ("float32", "int8", "int8_static"):
        settings = save_encoder(full, folder / precision, precision, texts)
        served = OnnxEncoder(folder / precision, settings)
        size = (folder / precision / "model.onnx").stat().st_size
        out[f"onnx {precision}"] = served.encode, served.encode, size
    for epochs in (0, 5):
        name = f"3 layers, {'taught' if epochs else 'cut'}"
        student = fewer_layers(full, 3, texts, folder / f"layers{epochs}", epochs)
        for precision in ("float32", "int8"):
            at = folder / f"layers{epochs}-{precision}"
            served = OnnxEncoder(at, save_encoder(student, at, precision, texts))
            size = (at / "model.onnx").stat().st_size
            out[f"{name}, onnx {precision}"] = served.encode, served.encode, size
    return out


def timed(read: Encode, texts: list[str]) -> tuple[float, float]:
    """Milliseconds of one text at a time, the median; texts a second in batches."""
    read(texts[:4])
    one = []
    for text in texts:
        start = time.perf_counter()
        read([text])
        one.append(time.perf_counter() - start)
    start = time.perf_counter()
    read(texts)
    return 1000 * float(np.median(one)), len(texts) / (time.perf_counter() - start)


def one_set(name: str, n_texts: int, split_seed: int) -> dict[str, Any]:
    """All forms on one data set."""
    ds: Dataset = load(name)
    split = splits.cold_item(ds, seed=split_seed)
    texts = [text for text in dict.fromkeys(Text()(ds)) if text]
    rows: dict[str, dict[str, Any]] = {}
    folder = KEPT / name
    asked = [texts[n] for n in np.random.default_rng(0).permutation(len(texts))[:n_texts]]
    for form, (read, clock, size) in encoders(texts, folder).items():
        FORMS[form] = read
        ms, per_second = timed(clock, asked)
        rows[form] = {"encoder_bytes": size, "ms": ms, "texts_per_second": per_second}
    base = FORMS["torch"]
    vectors = base(texts)
    for numbers in (192, 96, 48):
        FORMS[f"first {numbers} numbers"] = lambda t, n=numbers: unit(base(t)[:, :n])
        rows[f"first {numbers} numbers"] = {"vector_bytes": 4 * numbers}
    for title, factory in (("16 bit", "SQfp16"), ("8 bit", "SQ8"), ("PQ 48 bytes", "PQ48")):
        through, size = codec(factory, vectors)
        FORMS[title] = lambda t, through=through: through(base(t))
        rows[title] = {"vector_bytes": size}
    protocol = Protocol(k=10, metrics=("ndcg",), draws=2000)
    ev = evaluate({form: Form(form) for form in FORMS}, split, protocol)
    metric, _, shelf = ev.headline
    values = ev.per_user
    values = values[(values["metric"] == metric) & (values["candidates"] == shelf)]
    wide = values.pivot(index="user_id", columns="model", values="value")
    changes = ev.compare(to="torch", metric="ndcg").set_index("model")
    for form, row in rows.items():
        row["ndcg"] = float(wide[form].mean())
        row.setdefault("vector_bytes", 4 * vectors.shape[1])
        if form != "torch":
            same = equivalence(wide[form], wide["torch"], margin=0.01)
            told = changes.loc[form]
            row["difference"] = [float(told[c]) for c in ("difference", "low", "high")]
            row["relative"] = [same.relative, same.low, same.high]
            row["equivalent"] = same.equivalent
    print(f"\n{name}: {len(wide):,} users, {len(texts):,} texts")
    for form, row in rows.items():
        print(
            f"{form:32} NDCG@10 {row['ndcg']:.4f}"
            + (f" {row['relative'][0]:+7.2%} ({row['relative'][1]:+.2%}..{row['relative'][2]:+.2%})"
               f" {'equivalent' if row['equivalent'] else ''}" if form != "torch" else "")
            + (f" {row['ms']:.2f} ms {row['texts_per_second']:,.0f}/s {row['encoder_bytes'] / 1e6:.1f} MB"
               if "ms" in row else f" {row['vector_bytes']} bytes a vector")
        )  # fmt: skip
    digests = {"dataset": ds.digest, "split": split.digest}
    return {"name": name, "users": len(wide), "texts": len(texts), **digests, "forms": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sets", default="ml-100k,amazon-office-2018")
    parser.add_argument("--texts", type=int, default=400, help="that are read when time is taken")
    parser.add_argument("--split-seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("results/compress.json"))
    arguments = parser.parse_args()
    done: list[dict[str, Any]] = []
    for name in arguments.sets.split(","):
        FORMS.clear()
        done.append(one_set(name, arguments.texts, arguments.split_seed))
        result = {
            "benchmark": "compress",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": {"texts": arguments.texts, "split_seed": arguments.split_seed},
            "versions": versions(),
            "load_average": list(os.getloadavg()),
            "sets": done,
        }
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    forms = done[0]["forms"]
    print(f"ratio: {forms['torch']['ms'] / forms['onnx int8']['ms']:.2f}")


if __name__ == "__main__":
    main()
