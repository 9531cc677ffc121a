"""Does each modality earn its place, and does it matter how they are fused? Generated and real data, same controls.

    RECNB_DATA=folder python benchmarks/fusion.py [--tasks world,films,…] [--seeds 0,1,2]

Tasks (a seed is another split, another start, and in `world` another world; new items or users judged by NDCG@10):

world: generated films, new items. A third of taste stands in the text, is seen in the picture and heard in the sound
each, and half of the items have their theme told by all three; taste alone decides (no popularity, no quality).
larger: the same with twice the items and a third more users; subsets and true latents.
complementary, redundant: as world, where no picture and sound tells the theme, or all do and nothing else; subsets.
films: MovieLens-100K, new items: title, plot, and attributes (genres, people, years).
posters: the films of MovieLens-100K that have a poster, new items: title, plot, attributes, and the posters as
EfficientNet-Lite0 (ImageNet, frozen) reads them, in 256 dimensions by the singular vectors of all films; not all
subsets. Not among the default tasks: `--tasks posters --no-cost --output results/posters.json`.
office: Amazon Office 2018, new items: title, description, brand.
music: Last.fm 2011, new users: the artists' name and tags, the tags of training users only; with and without a learned
id. Of the real data the 600 most used items, as two processor cores allow.

Every modality is a table of vectors made once from what is known before the test: pictures and sounds by small networks
trained on the training rows, texts by the frozen encoder beside 256 dimensions of their weighted words, attributes by
the singular vectors of their ones. Every arm of a task is a two tower of the same settings, its epochs chosen on
validation rows, fitted on the training rows. Rate and dropout of the worlds were chosen once, on the validation rows of
`world` with seed 0; those of the real data are usual ones, with 15 epochs at most, as two processor cores allow.

Arms: every subset of the modalities side by side; in `world` all of them under every fusion; all with an id; all with
one modality shuffled between items or replaced by noise of the same size; in the worlds the true latents in place of
all or some, in `world` those of text, picture and sound as three modalities under every fusion, and the picture
missing for 0 to 100 % of the new items after training with and without modality dropout. The ratings of IMDb are among
the attributes of the films.

One value a user and seed; intervals and p are over users, each once, and over splits, which are a sample too
(`recnb.metrics.over_splits`); users of different worlds are different people; Holm over the controls of a task.
Finished fits lie in `.benchmarks/fusion/`; results go to `results/fusion.json`. The last line is `ratio: X`: seconds
of an epoch of text alone over those of the fusion.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb import evaluate, load
from recnb.data import Text, splits
from recnb.data.catalog import find
from recnb.data.media import from_vectors, noise, shuffled, thinned
from recnb.data.readers.tags import tag_text
from recnb.encoders import ImageEncoder, TextEncoder
from recnb.evaluation import Protocol
from recnb.metrics.intervals import holm, resampled_means
from recnb.metrics.over_splits import OverSplits, over_splits
from recnb.metrics.shapley import shapley, subsets
from recnb.models import TwoTower, make
from recnb.models.common.item_tables import singular_vectors, tfidf_vectors, unit
from recnb.models.two_tower.fusion import FUSIONS
from recnb.models.two_tower.modalities import Modalities
from recnb.versions import versions
from recnb.world import generate, write_world

WORLD: dict[str, Any] = {
    "n_users": 600,
    "n_items": 600,
    "text_strength": 1 / 3,
    "exposure_bias": 0.0,
    "quality": 0.0,
    "visits": 40.0,
}
WORLDS: dict[str, dict[str, float]] = {
    "world": {"redundancy": 0.5},
    "larger": {"redundancy": 0.5},
    "complementary": {"redundancy": 0.0},
    "redundant": {"redundancy": 1.0, "picture": 0.0, "sound": 0.0},
}
NAMES = {
    **dict.fromkeys(WORLDS, ("text", "picture", "sound")),
    "films": ("title", "plot", "attributes"),
    "office": ("title", "description", "brand"),
    "music": ("name", "tags"),
}
POSTERS = {"posters": ("title", "plot", "attributes", "posters")}
DEFAULT_TASKS = ",".join(NAMES)
NAMES |= POSTERS
DATA = {
    "films": "ml-100k",
    "posters": "ml-100k-posters",
    "office": "amazon-office-2018",
    "music": "lastfm-hetrec-2011",
}
MODEL: dict[str, Any] = {
    "user": "mean",
    "width": 64,
    "dropout": 0.3,
    "lr": 5e-3,
    "n_epochs": 40,
    "patience": 8,
    "rows_per_batch": 2048,
    "modality_dropout": 0.0,
}
REAL = {"dropout": 0.1, "lr": 2e-3, "n_epochs": 15, "patience": 15}
ITEMS = 600  # of the real data
MISSING = (0.0, 0.3, 0.5, 0.7, 0.9, 1.0)
DROPPED = 0.3
DRAWS = 2000
PROTOCOL = Protocol(k=10, metrics=("ndcg",), draws=1000)


def texts_as_vectors(sentences: list[str]) -> np.ndarray:
    """The frozen encoder's vectors beside those of the weighted words, both of length 1; 0 without text."""
    read = unit(TextEncoder(normalise=False, max_tokens=128).encode(sentences))
    words, _, _ = tfidf_vectors(sentences, 2, 0.5, 2)
    turn = singular_vectors(words, 256)[:, ::-1]
    return np.hstack([read, unit(words @ turn)]).astype(np.float32)


def of_texts(sentences: list[str], ids: np.ndarray) -> Any:
    """Vectors of the items that have a text."""
    here = np.array([bool(s.strip()) for s in sentences])
    return from_vectors(texts_as_vectors(sentences)[here], ids[here])


def prepared(task: str, seed: int) -> tuple[Any, dict[str, float]]:
    """A split whose data hold every modality as vectors; in `world` the truth too."""
    if task in WORLDS:
        world = generate("video", seed=seed, **size_of(task))
        with tempfile.TemporaryDirectory() as folder:
            write_world(world, folder, **WORLDS[task])
            ds = load(folder)
            split = splits.cold_item(ds, seed=seed)
            makers = Modalities(("image", "audio"), "cnn", "cnn", lambda texts: None, seed)
            (picture, sound), _ = makers.learn(split.train)
        row = {item: k for k, item in enumerate(world.truth.item_ids)}
        order = [row[item] for item in ds.item_ids]
        latents = world.truth.item_vectors[order].astype(np.float32)
        hidden = np.array([name.startswith("hidden:") for name in world.truth.dimensions])
        media = {
            "text": of_texts(Text()(ds), ds.item_ids),
            "picture": from_vectors(picture, ds.item_ids),
            "sound": from_vectors(sound, ds.item_ids),
            "latents": from_vectors(latents, ds.item_ids),
            "told": from_vectors(latents[:, ~hidden], ds.item_ids),
            "hidden": from_vectors(latents[:, hidden], ds.item_ids),
            "seen": from_vectors(latents[:, hidden][:, :4], ds.item_ids),
            "heard": from_vectors(latents[:, hidden][:, 4:], ds.item_ids),
        }
        return with_vectors(split, ds, media), {}
    ds = load(DATA[task])
    if task == "music":
        ds = most_used(ds)
        split = splits.cold_user(ds, seed=seed)
        trained = np.bincount(split.train.interactions["user"], minlength=ds.n_users) > 0
        tags = pd.read_parquet(Path(find(DATA[task])) / "tag_assignments.parquet")  # type: ignore[arg-type]
        told = tag_text(tags, users=set(ds.user_ids[trained])).reindex(ds.item_ids).fillna("")
        media = {
            "name": of_texts(Text("title")(ds), ds.item_ids),
            "tags": of_texts(told.tolist(), ds.item_ids),
        }
        return with_vectors(split, ds, media), {"items with tags": float((told != "").mean())}
    facts = {}
    if task == "posters":
        seen = ds.media["image"].rows(ds.item_ids) >= 0
        facts["films with a poster"] = float(seen.sum())
        ds = ds.rows(seen[ds.interactions["item"].to_numpy()])
    ds = most_used(ds)
    split = splits.cold_item(ds, seed=seed)
    column = {"films": "plot", "posters": "plot", "office": "text"}[task]
    makers = Modalities(("attributes",), "cnn", "cnn", lambda texts: None, seed)
    (attributes,), here = makers.learn(split.train)
    media = {
        "title": of_texts(Text("title")(ds), ds.item_ids),
        NAMES[task][1]: of_texts(Text(column)(ds), ds.item_ids),
        NAMES[task][2]: from_vectors(attributes[here[:, 0]], ds.item_ids[here[:, 0]]),
    }
    if task == "posters":
        media["posters"] = posters_as_vectors(ds)
    return with_vectors(split, ds, media), facts


def posters_as_vectors(ds: Any) -> Any:
    """What a network that was trained on photographs makes of the posters, centred, in few dimensions."""
    files = [ds.media["image"].files[row] for row in ds.media["image"].rows(ds.item_ids)]
    read = ImageEncoder("efficientnet-lite0", cache=False).encode(files)  # (n_items, 1280)
    read = read - read.mean(axis=0)
    left, size, _ = np.linalg.svd(read, full_matrices=False)
    return from_vectors(unit((left * size)[:, :256]).astype(np.float32), ds.item_ids)


def size_of(task: str) -> dict[str, Any]:
    """Settings of a world."""
    return WORLD | {"n_users": 800, "n_items": 1200} if task == "larger" else WORLD


def most_used(ds: Any) -> Any:
    """The part of a data set that two processor cores can try every arm on."""
    used = np.sort(np.asarray(ds.pairs().sum(axis=0)).ravel())
    return ds.k_core(user=1, item=int(used[-ITEMS]))


def with_vectors(split: Any, ds: Any, media: dict[str, Any]) -> Any:
    """The same split of data that hold these vectors (under names that no reader has taken)."""
    gone = dict.fromkeys(ds.media)
    fresh = ds.with_media(**gone, **{f"{name}_vectors": m for name, m in media.items()})
    return replace(split, dataset=fresh)


def changed(split: Any, **media: Any) -> Any:
    """The same split with some of its vectors replaced."""
    given = {f"{name}_vectors": m for name, m in media.items()}
    return replace(split, dataset=split.dataset.with_media(**given))


def arms_of(task: str) -> dict[str, tuple[tuple[str, ...], dict[str, Any], tuple[str, str] | None]]:
    """Name → modalities, settings, and what is done to one of the modalities."""
    names = NAMES[task]
    if task == "posters":
        return poster_arms()
    out: dict[str, Any] = {"+".join(part): (part, {}, None) for part in subsets(names)[1:]}
    fusions = {"world": FUSIONS[1:], "larger": ("late",)}  # the first is what all others use
    for how in fusions.get(task, ()):
        out[how] = (names, {"fusion": how}, None)
    out["with id"] = ((*names, "id"), {}, None)
    for name in names if task != "larger" else ():
        out[f"{name} shuffled"] = (names, {}, ("shuffled", name))
        out[f"{name} noise"] = (names, {}, ("noise", name))
    if task == "music":
        for name in names:
            out[f"{name}+id"] = ((name, "id"), {}, None)
        out["tags shuffled, with id"] = ((*names, "id"), {}, ("shuffled", "tags"))
    if task in fusions:
        out["late, with id"] = ((*names, "id"), {"fusion": "late"}, None)
        out["latents"] = (("latents",), {}, None)
        out["latents, with id"] = (("latents", "id"), {}, None)
        out["latents of the text, picture, sound"] = (("told", *names[1:]), {}, None)
        out["text, latents of the others"] = (("text", "hidden"), {}, None)
    if task == "world":
        for how in FUSIONS:
            out[f"{how}, truly read"] = (("told", "seen", "heard"), {"fusion": how}, None)
        out["modality dropout"] = (names, {"modality_dropout": DROPPED}, None)
    return out


def poster_arms() -> dict[str, Any]:
    """What posters are compared with: each source alone, the texts, all without and with posters, the controls."""
    names = NAMES["posters"]
    tried = [(name,) for name in names]
    tried += [names[:2], names[:3], names, (*names[:2], "posters"), names[2:]]
    out: dict[str, Any] = {"+".join(part): (part, {}, None) for part in tried}
    for kind in ("shuffled", "noise"):
        out[f"posters {kind}"] = (names, {}, (kind, "posters"))
    return out


def judged(model: Any, split: Any) -> pd.Series:
    """NDCG@10 of each user, of new items among themselves where the split has such."""
    rows = evaluate({"model": model}, split, PROTOCOL).per_user
    shelf = "shelf" if (rows["candidates"] == "shelf").any() else "catalogue"
    rows = rows[(rows["metric"] == "ndcg") & (rows["candidates"] == shelf)]
    return rows.set_index(rows["user_id"].astype(str))["value"]


def fit(
    split: Any, names: tuple[str, ...], settings: dict[str, Any], seed: int, task: str = "world"
) -> TwoTower:
    modalities = "+".join(n if n == "id" else f"{n}_vectors" for n in names)
    own = MODEL | (REAL if task in DATA else {})
    model = TwoTower(modalities=modalities, seed=seed, **{**own, **settings})
    model.fit(split.train, split.valid)
    return model


def without(model: TwoTower, split: Any, modality: str, share: float, seed: int) -> TwoTower:
    """The fitted model where a share of the new items have lost a modality."""
    ds = split.dataset
    new = ds.item_ids[np.asarray(split.candidates)]
    left = thinned(from_vectors(np.ones((len(new), 1), np.float32), new), share, seed)
    lost = np.flatnonzero(np.isin(ds.item_ids, np.setdiff1d(new, left.ids)))
    return model.without(modality, lost)


def run(task: str, seed: int, kept: Path, only: list[str]) -> dict[str, dict[str, Any]]:
    """Every arm of one seed, each kept in a file."""
    split, facts = None, {}
    out = {}

    def get(name: str, make_values: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        nonlocal split, facts
        file = kept / f"{task}-{seed}-{name.replace(' ', '_')}.json"
        if not file.is_file():
            if split is None:
                split, facts = prepared(task, seed)
            file.write_text(json.dumps(make_values()))
        found = json.loads(file.read_text())
        out[name] = found
        return found

    def values(series: pd.Series, **more: Any) -> dict[str, Any]:
        name = more.pop("name")
        print(task, seed, name, round(series.mean(), 4), more.get("epochs", ""), flush=True)
        return {"users": series.index.tolist(), "values": series.tolist(), **more}

    def arm(name: str, names: tuple[str, ...], settings: dict, change: tuple | None) -> dict:
        data = split
        if change is not None:
            kind, of = change
            given = data.dataset.media[f"{of}_vectors"]
            made = {"shuffled": shuffled, "noise": noise}[kind](given, seed)
            data = changed(split, **{of: made})
        start = time.perf_counter()
        model = fit(data, names, settings, seed, task)
        seconds = time.perf_counter() - start
        more = {"epochs": model.n_epochs_, "seconds": seconds / len(model.learning_)}
        return values(judged(model, data), name=name, parameters=model.parameters()[0], **more)

    def missing() -> dict[str, Any]:
        found = {}
        for share_dropped in (0.0, DROPPED):
            model = fit(split, NAMES[task], {"modality_dropout": share_dropped}, seed)
            for share in MISSING:
                series = judged(
                    without(model, split, f"{NAMES[task][1]}_vectors", share, seed), split
                )
                found[f"{share_dropped}/{share}"] = series.tolist()
                print(task, seed, "missing", share_dropped, share, round(series.mean(), 4), flush=True)  # fmt: skip
        return {"users": series.index.tolist(), "values": found}

    def about() -> dict[str, Any]:
        assert split is not None
        return {"facts": facts, "digest": split.dataset.digest, "split": split.digest}

    for name, (names, settings, change) in arms_of(task).items():
        if only and name not in only:
            continue
        get(name, lambda n=name, m=names, s=settings, c=change: arm(n, m, s, c))
    for name in ("random", "popularity") + (("itemknn", "ease") if task == "music" else ()):
        get(name, lambda n=name: values(judged(_classical(n, seed).fit(split.train), split), name=n))  # fmt: skip
    if task in WORLDS and task != "larger":
        get("missing", missing)
    get("about", about)
    return out


def _classical(name: str, seed: int) -> Any:
    return make(name, seed=seed) if name == "random" else make(name)


def frame_of(task: str, found: dict[int, dict[str, dict[str, Any]]]) -> pd.DataFrame:
    """Users of all seeds by arms, indexed by "seed/user"; a seed of a world has users of its own."""
    own = task in WORLDS
    return pd.concat(
        pd.DataFrame(
            {
                name: pd.Series(
                    part["values"],
                    index=[f"{seed}/{seed}-{u}" if own else f"{seed}/{u}" for u in part["users"]],
                )
                for name, part in parts.items()
                if name not in ("missing", "about")
            }
        )
        for seed, parts in found.items()
    )


def row_of(values: np.ndarray, index: pd.Index, **more: Any) -> dict[str, Any]:
    """A mean with its interval over users and splits; `index` holds "seed/user"."""
    found = spread_of(values, index)
    value = {"value": found.value, "low": found.low, "high": found.high}
    return {**more, **value, "n_users": found.n_users, "by_seed": found.by_split}


def spread_of(values: np.ndarray, index: pd.Index) -> OverSplits:
    """Users of all seeds, each once. Users of different worlds are different people."""
    seeds, users = zip(*(name.split("/", 1) for name in index))
    return over_splits(values, users, seeds)


def summary(task: str, found: dict[int, dict[str, dict[str, Any]]]) -> dict[str, list[dict]]:
    """Values, paired differences, shares and curves of a task, with intervals."""
    frame, names = frame_of(task, found), NAMES[task]
    everything = "+".join(names)
    out: dict[str, list[dict]] = {"records": [], "differences": [], "shares": [], "missing": []}
    for name in frame:
        row = row_of(
            frame[name].to_numpy(), frame.index, task=task, model=name, metric="ndcg", k=10
        )
        row["candidates"] = "catalogue" if task == "music" else "shelf"
        out["records"].append(row)
    rest = {name: "+".join(n for n in names if n != name) for name in names}
    pairs = [(f"{name} {kind}", rest[name]) for name in names for kind in ("shuffled", "noise")]
    pairs += [(everything, rest[name]) for name in names]
    best = max(names, key=lambda name: frame[name].mean())
    pairs += [(how, best) for how in (everything, *FUSIONS) if how in frame]
    pairs += [("with id", everything), ("late", everything), ("late, with id", everything)]
    if task == "music":
        pairs += [
            ("with id", "tags shuffled, with id"),
            ("with id", "name+id"),
            ("with id", "ease"),
        ]
    if task == "posters":
        pairs += [("title+plot+posters", "title+plot"), ("attributes+posters", "attributes")]
        pairs += [("posters", "random"), (everything, "posters shuffled")]
    rows = []
    for one, other in pairs:
        if one not in frame or other not in frame:
            continue
        d = spread_of((frame[one] - frame[other]).to_numpy(), frame.index)
        told = {"difference": d.value, "low": d.low, "high": d.high, "p": d.p}
        told |= {"n_users": d.n_users, "by_seed": d.by_split}
        rows.append({"task": task, "model": one, "to": other, **told})
    for row, p in zip(rows, holm(np.array([row["p"] for row in rows]))):
        row["p_holm"] = float(p)
    out["differences"] = rows
    table = {p: frame["+".join(p)].to_numpy() for p in subsets(names)[1:] if "+".join(p) in frame}
    whole = len(table) == 2 ** len(names) - 1
    for name, values in (
        shapley(table | {(): frame["random"].to_numpy()}) if whole else {}
    ).items():
        row = row_of(
            values, frame.index, task=task, model=name, metric="shapley share of ndcg", k=10
        )
        out["shares"].append(row)
    if "latents" in frame:
        known = [n for n in frame if n.startswith(("latents of", "text, latents")) or "truly" in n]
        for how in (everything, *FUSIONS, "with id", "late, with id", "modality dropout", *known):
            if how in frame:
                out["shares"].append(_way(task, frame, how, best))
    if all("missing" in parts for parts in found.values()):
        out["missing"] = _missing(task, found, frame[rest[names[1]]])
    return out


def _way(task: str, frame: pd.DataFrame, how: str, best: str) -> dict[str, Any]:
    """How far a fusion comes from the best single modality to the true latents."""
    oracle = "latents, with id" if how.endswith("with id") else "latents"  # like with like
    columns = frame[[how, best, oracle]].to_numpy()
    means = resampled_means(columns, None, DRAWS, 0)
    way = (means[:, 0] - means[:, 1]) / (means[:, 2] - means[:, 1])
    at = columns.mean(axis=0)
    low, high = np.quantile(way, [0.025, 0.975])
    return {
        "task": task, "model": how, "metric": f"share of the way from {best} to {oracle}",
        "value": float((at[0] - at[1]) / (at[2] - at[1])), 
        "low": float(low), "high": float(high), "n_users": len(frame),
    }  # fmt: skip


def _missing(task: str, found: dict[int, dict[str, dict[str, Any]]], rest: pd.Series) -> list[dict]:
    """The curve over the share of new items that lost their picture, and what dropout saves at one half.

    Where no picture is left, a model that never had any (`rest`) says what of the loss was to be avoided.
    """
    curves = {
        key: np.concatenate([parts["missing"]["values"][key] for parts in found.values()])
        for key in next(iter(found.values()))["missing"]["values"]
    }
    rows: list[dict] = []
    for key, values in curves.items():
        dropped, share = map(float, key.split("/"))
        rows.append(row_of(values, rest.index, task=task, modality_dropout=dropped, missing=share))
    columns = np.column_stack([curves[f"{d}/{s}"] for d in (0.0, DROPPED) for s in (0.0, 0.5)])
    means = resampled_means(columns, None, DRAWS, 0)
    at = columns.mean(axis=0)
    ratio = (means[:, 2] - means[:, 3]) / (means[:, 0] - means[:, 1])
    low, high = np.quantile(ratio, [0.025, 0.975])
    rows.append(
        {
            "task": task, "metric": "loss at one half missing, with modality dropout over without",
            "value": float((at[2] - at[3]) / (at[0] - at[1])), 
            "low": float(low), "high": float(high), "n_users": len(columns),
        }
    )  # fmt: skip
    for dropped in (0.0, DROPPED):
        row = row_of(
            rest.to_numpy() - curves[f"{dropped}/1.0"],
            rest.index,
            task=task,
            modality_dropout=dropped,
        )
        rows.append(row | {"metric": "avoidable loss where all are missing"})
    return rows


def cost(seed: int = 0) -> dict[str, float]:
    """Processor seconds of an epoch on one thread, text alone and fused, in turns; the median of three."""
    import torch

    torch.set_num_threads(1)
    split, _ = prepared("world", seed)
    told: dict[str, list[float]] = {}
    for _ in range(3):
        for name, names, more in (
            ("text", ("text",), {}),
            *((how, NAMES["world"], {"fusion": how}) for how in FUSIONS),
        ):
            seconds = []
            for epochs in (1, 4):
                start = time.process_time()
                TwoTower(
                    modalities="+".join(f"{n}_vectors" for n in names), seed=seed,
                    **{**MODEL, **more, "n_epochs": epochs},
                ).fit(split.train)  # fmt: skip
                seconds.append(time.process_time() - start)
            told.setdefault(name, []).append((seconds[1] - seconds[0]) / 3)
    return {name: float(np.median(values)) for name, values in told.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", default=DEFAULT_TASKS)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--arms", default="", help="only these, for a trial: nothing is written")
    parser.add_argument("--no-cost", action="store_true")
    parser.add_argument("--keep", type=Path, default=Path(".benchmarks") / "fusion")
    parser.add_argument("--output", type=Path, default=Path("results") / "fusion.json")
    args = parser.parse_args()
    tasks, seeds = args.tasks.split(","), [int(s) for s in args.seeds.split(",")]
    gone = {DATA[t] for t in tasks if t in DATA and find(DATA[t]) is None}
    if gone:
        print(f"{', '.join(sorted(gone))} not here: set RECNB_DATA, or: recnb data fetch NAME")
        sys.exit(2)
    logging.disable(logging.WARNING)
    args.keep.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {}
    if args.output.is_file():
        content = json.loads(args.output.read_text())
    for task in tasks:
        only = [a for a in args.arms.split(",") if a]
        found = {seed: run(task, seed, args.keep, only) for seed in seeds}
        if only:
            continue
        for part, rows in summary(task, found).items():
            before = [row for row in content.get(part, []) if row["task"] != task]
            content[part] = before + rows
            print(pd.DataFrame(rows).drop(columns=["task"], errors="ignore").round(4).to_string())
        content.setdefault("tasks", {})[task] = {
            "data": DATA.get(task, "generated-video"),
            "modalities": list(NAMES[task]),
            "items": size_of(task)["n_items"] if task in WORLDS else ITEMS,
            "settings": MODEL | (size_of(task) | WORLDS[task] if task in WORLDS else REAL),
            **{f"seed {s}": parts["about"] for s, parts in found.items()},
        }
    if args.arms:
        return
    if not args.no_cost:
        content["seconds_per_epoch"] = cost()
        print(content["seconds_per_epoch"])
    content |= {
        "seeds": seeds,
        "interval": "95 % over users, each once, and splits; Holm over the controls of a task",
        "device": "cpu",
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"written to {args.output}")
    times = content.get("seconds_per_epoch")
    if times:
        print(f"ratio: {times['text'] / times['concat']:.2f}")


if __name__ == "__main__":
    main()
