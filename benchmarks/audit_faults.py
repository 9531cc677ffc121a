"""Thirty faults planted in clean data: does the audit see each, and is it silent without it?

    python benchmarks/audit_faults.py                     # three generated worlds
    RECNB_DATA=folder python benchmarks/audit_faults.py --data ml-100k,amazon-office-2018

A fault is caught where an error or warning of the right kind appears that the clean data do not have, or where the
input is refused with a message that names it. Random, popularity and item neighbours are judged beside, as
`recnb audit` does. Results go to `results/audit_faults.json`.

The last line is `ratio: X`: caught over planted, on all data.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recnb import evaluate, load
from recnb.data import Dataset, splits
from recnb.data.media import from_vectors
from recnb.errors import InputError
from recnb.evaluation import Protocol
from recnb.models import EASE, make, parse_models
from recnb.recommender import top_k
from recnb.versions import versions
from recnb.world import generate

MODELS = "random,popularity,itemknn"


@dataclass
class Case:
    """Data with a split, and what else is judged: what a fault is planted into."""

    rows: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame
    split: str = "user_time"
    settings: dict[str, Any] = field(default_factory=dict)
    part: np.ndarray | None = None
    media: dict[str, Any] = field(default_factory=dict)
    protocol: Protocol = field(default_factory=lambda: Protocol(draws=1000))
    extra: Callable[[splits.Split], dict[str, Any]] = lambda split: {}

    def dataset(self) -> Dataset:
        ds = Dataset.from_frames(self.rows, self.items, self.users, **self.settings)
        return ds.with_media(**self.media) if self.media else ds

    def made(self) -> splits.Split:
        if "split" in self.rows:
            return splits.predefined(self.dataset())
        return splits.make(self.dataset(), self.split)

    def findings(self) -> list[Any]:
        split = self.made()
        return evaluate(
            {**parse_models(MODELS), **self.extra(split)}, split, self.protocol
        ).findings

    def parts(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Known and test rows with ids."""
        frame = self.made().frame()
        if "rating" in self.rows:
            frame["rating"] = self.dataset().interactions["rating"].to_numpy()
        return frame[frame["part"] != "test"], frame[frame["part"] == "test"]

    def counts(self, rows: pd.DataFrame) -> pd.Series:
        return rows["item_id"].value_counts().reindex(self.items["item_id"]).fillna(0)

    def with_column(self, values: Any, name: str = "shelf_space") -> Case:
        return replace(self, items=self.items.assign(**{name: np.asarray(values)}))

    def with_text(self, added: list[str]) -> Case:
        title = self.items["title"].astype(str)
        return replace(
            self, items=self.items.assign(title=[f"{t} {a}" for t, a in zip(title, added)])
        )

    def with_lists(self, make_items: Callable[[splits.Split, np.ndarray], np.ndarray]) -> Case:
        """Lists of the population: item codes, best first, -1 for empty places."""

        def extra(split: splits.Split) -> dict[str, Any]:
            users = np.flatnonzero(np.diff(split.test.positives().indptr) > 0)
            items = make_items(split, users)
            row, place = np.nonzero(items >= 0)
            ds = split.dataset
            frame = {
                "user_id": ds.user_ids[users[row]],
                "item_id": ds.item_ids[items[row, place]],
                "rank": place + 1,
            }
            return {"theirs": pd.DataFrame(frame)}

        return replace(self, extra=extra)


def world(domain: str, seed: int = 0, n_users: int = 400, n_items: int = 300) -> Case:
    """A clean generated world, one clock, no ties, one row a pair."""
    made = generate(domain, n_users=n_users, n_items=n_items, seed=seed)
    rows = made.interactions[["user_id", "item_id", "timestamp"]].drop_duplicates(
        ["user_id", "item_id"]
    )
    rows = rows.assign(timestamp=rows["timestamp"].rank(method="first").astype(int) * 60 + 10**9)
    users = pd.DataFrame({"user_id": rows["user_id"].unique()})
    items = made.items[[c for c in ("item_id", "title", "text", "category") if c in made.items]]
    return Case(rows, items, users)


def real(name: str) -> Case:
    """A real data set as a case, its columns kept."""
    ds = load(name)
    rows = ds.interactions.copy()
    rows.insert(0, "user_id", ds.user_ids[rows["user"]])
    rows.insert(1, "item_id", ds.item_ids[rows["item"]])
    rows = rows.drop(columns=["user", "item", "split"], errors="ignore")
    items = ds.items.reset_index(names="item_id")
    users = ds.users.reset_index(names="user_id")
    settings = {"feedback": ds.feedback, "scale": ds.scale, "name": name, "duplicates": "keep"}
    return Case(rows, items, users, "user_time" if ds.order else "random", settings)


# ---------------------------------------------------------------- the faults


def _rng() -> np.random.Generator:
    return np.random.default_rng(7)


def _dense(values: pd.Series) -> np.ndarray:
    return values.to_numpy()


def test_counts(case: Case) -> Case:
    return case.with_column(case.counts(case.parts()[1]))


def all_counts(case: Case) -> Case:
    return case.with_column(case.counts(case.rows), "n_ratings")


def all_counts_renamed(case: Case) -> Case:
    return case.with_column(np.log1p(case.counts(case.rows)), "size_index")


def rated(case: Case) -> Case:
    """Ratings with item effects, where the data have none."""
    if "rating" in case.rows:
        return case
    rng = _rng()
    effect = pd.Series(rng.normal(0, 0.5, len(case.items)), index=case.items["item_id"])
    value = 3.4 + effect.reindex(case.rows["item_id"]).to_numpy() + rng.normal(0, 1, len(case.rows))
    rows = case.rows.assign(rating=np.clip(np.round(value), 1, 5))
    return replace(
        case, rows=rows, settings={**case.settings, "feedback": "explicit", "scale": (1, 5)}
    )


def mean_ratings(case: Case) -> Case:
    case = rated(case)
    mean = case.rows.groupby("item_id")["rating"].mean().reindex(case.items["item_id"])
    return case.with_column(mean.fillna(mean.mean()), "avg_rating")


def mean_ratings_renamed(case: Case) -> Case:
    case = rated(case)
    mean = case.rows.groupby("item_id")["rating"].mean().reindex(case.items["item_id"])
    return case.with_column(mean.fillna(mean.mean()).round(2), "warmth")


def trend(case: Case) -> Case:
    known, test = map(case.counts, case.parts())
    return case.with_column((test / (known + 1)).round(4), "momentum")


def band_in_text(case: Case) -> Case:
    counts = case.counts(case.parts()[1])
    band = pd.cut(counts.rank(method="first"), 5, labels=list("abcde"))
    return case.with_text([f"band{b}" for b in band])


def sales_rank_in_text(case: Case) -> Case:
    rank = case.counts(case.rows).rank(ascending=False, method="first").astype(int)
    return case.with_text([f"sales rank {r:,}" for r in rank])


def buyers_in_text(case: Case) -> Case:
    buyers = case.parts()[1].groupby("item_id")["user_id"].agg(lambda s: " ".join(map(str, s)))
    return case.with_text(buyers.reindex(case.items["item_id"]).fillna("").tolist())


def all_times_tied(case: Case) -> Case:
    return replace(case, rows=case.rows.assign(timestamp=10**9))


def test_older(case: Case) -> Case:
    part = case.made().frame()["part"]
    frame = _rows_in_order(case).assign(split=part.to_numpy())
    last = frame["timestamp"].max()
    return replace(case, rows=frame.assign(timestamp=2 * last - frame["timestamp"]))


def _rows_in_order(case: Case) -> pd.DataFrame:
    ds = case.dataset()
    rows = ds.interactions.copy()
    rows.insert(0, "user_id", ds.user_ids[rows["user"]])
    rows.insert(1, "item_id", ds.item_ids[rows["item"]])
    return rows.drop(columns=["user", "item"])


def _split_rows(case: Case) -> pd.DataFrame:
    return _rows_in_order(case).assign(split=case.made().frame()["part"].to_numpy())


def valid_is_test(case: Case) -> Case:
    rows = _split_rows(case)
    rows = rows[rows["split"] != "valid"]
    again = rows[rows["split"] == "test"].assign(split="valid")
    return _keeping(case, pd.concat([rows, again]))


def pairs_in_both(case: Case) -> Case:
    rows = _split_rows(case)
    again = rows[rows["split"] == "test"].assign(split="train")
    return _keeping(case, pd.concat([rows[rows["split"] != "valid"], _earlier(again, 10**6)]))


def copies_without_clock(case: Case) -> Case:
    rows = _split_rows(case).drop(columns=["timestamp", "position"], errors="ignore")
    test = rows[rows["split"] == "test"]
    again = test.sample(frac=0.4, random_state=0).assign(split="train")
    return _keeping(case, pd.concat([rows, again]))


def _earlier(rows: pd.DataFrame, seconds: int) -> pd.DataFrame:
    return rows.assign(timestamp=rows["timestamp"] - seconds) if "timestamp" in rows else rows


def _keeping(case: Case, rows: pd.DataFrame) -> Case:
    return replace(case, rows=rows, settings={**case.settings, "duplicates": "keep"})


def twins(case: Case, added: str = "") -> Case:
    """A fifth of the items get a twin that takes half of their rows."""
    rng = _rng()
    chosen = rng.choice(case.items["item_id"], max(12, len(case.items) // 20), replace=False)
    copy = case.items[case.items["item_id"].isin(chosen)].copy()
    copy["title"] = copy["title"].astype(str) + added
    copy["item_id"] = copy["item_id"].astype(str) + "-b"
    moved = case.rows["item_id"].isin(chosen) & (rng.random(len(case.rows)) < 0.5)
    rows = case.rows.assign(
        item_id=case.rows["item_id"]
        .astype(str)
        .where(~moved, case.rows["item_id"].astype(str) + "-b")
    )
    return replace(
        case,
        rows=rows,
        items=pd.concat([case.items.assign(item_id=case.items["item_id"].astype(str)), copy]),
    )


def editions(case: Case) -> Case:
    return twins(case, " (new edition)")


def copied_ids(case: Case) -> Case:
    rows = _split_rows(case)
    again = rows[rows["split"] == "test"].assign(split="train")
    again["item_id"] = again["item_id"].astype(str) + "-x"
    again = _earlier(again, 1)
    copy = case.items[case.items["item_id"].astype(str).isin(again["item_id"].str[:-2])].copy()
    copy["item_id"] = copy["item_id"].astype(str) + "-x"
    copy["title"] = [f"thing number {n * n} of {n}" for n in range(len(copy))]
    items = pd.concat([case.items.assign(item_id=case.items["item_id"].astype(str)), copy])
    return replace(case, rows=pd.concat([rows, again]), items=items)


def lists_on_all_rows(case: Case) -> Case:
    def lists(split: splits.Split, users: np.ndarray) -> np.ndarray:
        model = make("ease").fit(split.dataset)
        return top_k(model, users, 10, exclude=split.known)

    return case.with_lists(lists)


class FromTheFile(EASE):
    """A model that opens the file of all rows, whatever it is given."""

    everything: Any = None

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        super()._fit(type(self).everything, None)


def class_on_all_rows(case: Case) -> Case:
    def extra(split: splits.Split) -> dict[str, Any]:
        FromTheFile.everything = split.dataset
        return {"mine": FromTheFile()}

    return replace(case, extra=extra)


def half_oracle(case: Case) -> Case:
    def lists(split: splits.Split, users: np.ndarray) -> np.ndarray:
        rng, test = _rng(), split.test.positives()
        out = top_k(make("popularity").fit(split.known), users, 10, exclude=split.known)
        for row, user in enumerate(users):
            right = test[user].indices
            right = right[rng.random(len(right)) < 0.5][:10]
            rest = [i for i in out[row] if i not in set(right)]
            out[row] = rng.permutation([*right, *rest][:10])
        return out

    return case.with_lists(lists)


def _by_order(split: splits.Split, users: np.ndarray, counts: np.ndarray) -> np.ndarray:
    known = split.history.pairs()
    order = np.argsort(-counts, kind="stable")
    return np.array(
        [
            [i for i in order[: 10 + known[u].nnz] if i not in set(known[u].indices)][:10]
            for u in users
        ]
    )


def test_popularity_lists(case: Case) -> Case:
    def lists(split: splits.Split, users: np.ndarray) -> np.ndarray:
        return _by_order(split, users, np.asarray(split.test.pairs().sum(axis=0)).ravel())

    return case.with_lists(lists)


def popularity_lists(case: Case) -> Case:
    def lists(split: splits.Split, users: np.ndarray) -> np.ndarray:
        return _by_order(split, users, np.asarray(split.known.pairs().sum(axis=0)).ravel())

    return case.with_lists(lists)


def _good(split: splits.Split, users: np.ndarray) -> np.ndarray:
    return top_k(make("itemknn").fit(split.known), users, 10, exclude=split.known)


def lists_cut(case: Case) -> Case:
    return case.with_lists(lambda split, users: _good(split, users)[:, :4])


def lists_missing(case: Case) -> Case:
    def lists(split: splits.Split, users: np.ndarray) -> np.ndarray:
        out = _good(split, users)
        out[::3] = -1
        return out

    return case.with_lists(lists)


def lists_of_hits(case: Case) -> Case:
    def lists(split: splits.Split, users: np.ndarray) -> np.ndarray:
        out, test = _good(split, users), split.test.positives()
        for row, user in enumerate(users):
            if not set(out[row]) & set(test[user].indices):
                out[row] = -1
        return out

    return case.with_lists(lists)


def items_in_test_order(case: Case) -> Case:
    counts = case.counts(case.parts()[1]).to_numpy()
    return replace(case, items=case.items.iloc[np.argsort(-counts, kind="stable")])


def ids_in_test_order(case: Case) -> Case:
    counts = case.counts(case.parts()[1]).rank(ascending=False, method="first").astype(int)
    names = {old: f"item{place}" for old, place in counts.items()}
    rename = {"item_id": lambda f: f["item_id"].map(names)}
    return replace(case, rows=case.rows.assign(**rename), items=case.items.assign(**rename))


def binarised(case: Case) -> Case:
    """Liked = at least the mean of the user's test ratings."""
    case = rated(case)
    _, test = case.parts()
    mean = test.groupby("user_id")["rating"].mean()
    cut = case.rows["user_id"].astype(str).map(mean).fillna(test["rating"].mean())
    rows = case.rows.assign(rating=(case.rows["rating"] >= cut).astype(float))
    return replace(
        case, rows=rows, settings={**case.settings, "feedback": "explicit", "scale": (0, 1)}
    )


def test_of_popular(case: Case) -> Case:
    rows = _split_rows(case)
    counts = rows["item_id"].value_counts()
    popular = counts.index[: len(counts) // 4]
    return replace(case, rows=rows[(rows["split"] != "test") | rows["item_id"].isin(popular)])


def user_column(case: Case) -> Case:
    first = case.parts()[1].groupby("user_id")["item_id"].first()
    users = case.users.assign(favourite=case.users["user_id"].astype(str).map(first).fillna("none"))
    return replace(case, users=users)


def user_column_hashed(case: Case) -> Case:
    case = user_column(case)
    codes = pd.factorize(case.users.pop("favourite"))[0]
    return replace(case, users=case.users.assign(segment=[f"s{c * 7919 % 10007}" for c in codes]))


def embeddings(case: Case) -> Case:
    from sklearn.decomposition import TruncatedSVD

    ds = case.dataset()
    table = ds.pairs().astype(float)
    vectors = TruncatedSVD(min(64, ds.n_items // 3), random_state=0).fit_transform(table.T)
    return replace(case, media={"clip": from_vectors(vectors.astype(np.float32), ds.item_ids)})


# name → (fault, right codes or words of the refusal)
FAULTS: dict[str, tuple[Callable[[Case], Case], tuple[str, ...]]] = {
    "test counts as a column": (test_counts, ("column_reveals",)),
    "n_ratings over all rows": (all_counts, ("column_reveals",)),
    "counts of all rows under a neutral name": (all_counts_renamed, ("column_reveals",)),
    "avg_rating over all rows": (mean_ratings, ("column_reveals",)),
    "mean of all ratings under a neutral name": (mean_ratings_renamed, ("column_reveals",)),
    "column of the test trend": (trend, ("column_reveals",)),
    "text with a band of test counts": (band_in_text, ("text_reveals",)),
    "text with a sales rank over all rows": (sales_rank_in_text, ("text_reveals",)),
    "text with ids of test buyers": (buyers_in_text, ("pairs_revealed",)),
    "embeddings made from all rows": (embeddings, ("too_good", "vectors_reveal")),
    "items in the order of test counts": (items_in_test_order, ("order_reveals",)),
    "ids numbered by test counts": (ids_in_test_order, ("order_reveals",)),
    "user column that names a test item": (user_column, ("pairs_revealed",)),
    "user column that groups by a test item": (user_column_hashed, ("pairs_revealed",)),
    "twins with the same text": (twins, ("duplicate_items",)),
    "twins called (new edition)": (editions, ("near_duplicate_items",)),
    "test rows known under another id": (copied_ids, ("copied_rows",)),
    "exact copies of test rows, no clock": (copies_without_clock, ("overlap",)),
    "validation = test": (valid_is_test, ("overlap", "in the validation part too")),
    "the same pair in train and test": (pairs_in_both, ("overlap", "in the training part too")),
    "test older than train": (test_older, ("future_leak",)),
    "all times tied": (all_times_tied, ("tied_timestamps", "one time")),
    "test cut to popular items": (test_of_popular, ("test_filtered",)),
    "ratings cut at the mean of the test": (binarised, ("even_ratings",)),
    "lists of EASE on all rows": (lists_on_all_rows, ("too_good",)),
    "a class that reads all rows": (class_on_all_rows, ("too_good",)),
    "lists that are half oracle": (half_oracle, ("too_good",)),
    "lists by test popularity": (test_popularity_lists, ("follows_test",)),
    "lists by popularity under another name": (popularity_lists, ("repeats_popularity",)),
    "lists cut after four places": (lists_cut, ("short_lists",)),
    "lists missing for a third": (lists_missing, ("short_lists",)),
    "lists only for users with a hit": (lists_of_hits, ("short_lists",)),
}
NEEDS_CLOCK = ("all times tied", "test older than train")


def loud(findings: list[Any]) -> dict[str, Any]:
    """Errors and warnings by code."""
    return {f.code: f for f in findings if f.severity != "note"}


def attempt(name: str, case: Case, clean: dict[str, Any]) -> tuple[bool, str]:
    """Whether a fault is caught, and what was said."""
    plant, right = FAULTS[name]
    try:
        seen = loud(plant(case).findings())
    except InputError as error:
        return any(word in str(error) for word in right), f"refused: {error}"
    for code in right:
        if code in seen and (code not in clean or seen[code].evidence != clean[code].evidence):
            return True, f"{seen[code].severity} {code}: {seen[code].evidence}"
    return False, f"only {', '.join(sorted(set(seen) - set(clean))) or 'nothing new'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="video,shop,music", help="worlds, or real data by name")
    parser.add_argument("--faults", default="", help="a part of the names; nothing is written")
    parser.add_argument("--output", type=Path, default=Path("results") / "audit_faults.json")
    asked = parser.parse_args()
    records, digests = [], {}
    if asked.output.is_file() and not asked.faults:  # worlds and sets that are not asked for stay
        before = json.loads(asked.output.read_text(encoding="utf-8"))
        renewed = {name for data in asked.data.split(",") for name in (data, f"generated-{data}")}
        records = [r for r in before["records"] if r["data"] not in renewed]
        digests = {n: d for n, d in before["dataset_digest"].items() if n not in renewed}
    for data in asked.data.split(","):
        generated = data in ("video", "shop", "music", "news", "social")
        case = world(data) if generated else real(data)
        clean = loud(case.findings())
        digests[data] = case.dataset().digest
        print(f"\n{data}: clean data say {', '.join(clean) or 'nothing'}")
        for name in FAULTS:
            if asked.faults not in name or ("timestamp" not in case.rows and name in NEEDS_CLOCK):
                continue
            start = time.perf_counter()
            caught, said = attempt(name, case, clean)
            print(f"{'caught' if caught else 'MISSED':7} {name:42} {said[:150]}", flush=True)
            records.append(
                {
                    "data": f"generated-{data}" if generated else data,
                    "fault": name,
                    "metric": "caught",
                    "value": float(caught),
                    "n_users": len(case.users),
                    "evidence": said,
                    "seconds": round(time.perf_counter() - start, 2),
                }
            )
    share = float(np.mean([r["value"] for r in records]))
    if not asked.faults:
        content = {
            "data": sorted(digests),
            "dataset_digest": digests,
            "models": MODELS,
            "caught": int(sum(r["value"] for r in records)),
            "planted": len(records),
            "seeds": [0],
            "device": "cpu",
            "versions": versions(),
            "date": datetime.now(UTC).date().isoformat(),
            "records": records,
        }
        asked.output.parent.mkdir(parents=True, exist_ok=True)
        asked.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(f"written to {asked.output}")
    print(f"ratio: {share:.3f}")


if __name__ == "__main__":
    main()
