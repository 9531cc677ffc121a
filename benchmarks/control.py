"""Does a list obey a wish in words, and what does it cost: a decoder, a plain filter, an edited history.

    RECNB_DATA=folder python benchmarks/control.py [--data ml-100k,grocery] [--items 600] [--minutes 60]

The base is `ease`, untuned, fitted on all that is known (`user_time`), on three draws of four fifths of the users.
Lists of ten are made from the catalogue's most used items (600), so that a decoder of 135M parameters can be asked
about all of them on a CPU, and so that all ways choose among the same. Every way reads the same columns. The weight of
the decoder and of the edit is the highest that costs at most a tenth of the base's NDCG@10 on the validation part; the
whole grid of weights is recorded beside it. A filter has no weight.

Adherence is the share of a list that obeys the wish's rule on the item columns; the price is NDCG@10 of the base less
that of the steered list, on the same users. `ndcg_obeying` counts only test rows that obey: what a person with this
wish would have taken. Odd wishes (a contradiction, one that no item fulfils, no wish at all) show how far lists move.

The decoder's answers are kept in `.benchmarks/control`, a file a wish and wording, and not asked again; results go to
`results/control.json` after each wish.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from recnb import Dataset, load
from recnb.data import splits
from recnb.data.text import Text
from recnb.files import write_json
from recnb.hashing import hash_ids
from recnb.metrics import RelevantItems, adherence, evaluate_lists, paired
from recnb.models import EASE, Asked, Condition, Edited, Filter, Rule, moved
from recnb.models.common.item_tables import split_value
from recnb.models.language.control.measure import Measured
from recnb.models.language.control.steered import WEIGHTS, places, steered
from recnb.models.language.control.ways import Fit, Way
from recnb.models.language.control.wish import Wish
from recnb.models.language.templates import template_names
from recnb.recommender.blocks import top_k_rows
from recnb.versions import versions

K, PRICE, DRAWS, BOOTSTRAPS, MOVED_USERS = 10, 0.1, 3, 2000, 200
KEPT = Path(".benchmarks") / "control"
OUTPUT = Path("results") / "control.json"
LIGHT = ("comedy", "animation", "children's", "musical", "romance")
HEAVY = ("drama", "horror", "thriller", "war", "crime", "film-noir")


def one(column: str, *values: str, wanted: bool = True) -> Condition:
    """A condition on one column."""
    return Condition((column,), values, wanted=wanted)


def holding(items: pd.DataFrame, *words: str, wanted: bool = True) -> Condition:
    """Categories and departments in whose names one of the words stands."""
    values = {p for c in ("category", "department") for cell in items[c] for p in split_value(cell)}
    return Condition(
        ("category", "department"),
        tuple(sorted(v for v in values if any(word in v for word in words))),
        wanted=wanted,
    )


def wishes_of(data: str, items: pd.DataFrame) -> dict[str, Rule]:
    """Wishes with what obeys them, by the columns."""
    if data == "grocery":
        meat = (
            "meat",
            "beef",
            "pork",
            "chicken",
            "turkey",
            "sausage",
            "bacon",
            "ham",
            "frankfurter",
        )
        return {
            "no meat": Rule.of(holding(items, *meat, wanted=False)),
            "only private label": Rule.of(one("brand", "private")),
            "only produce": Rule.of(one("department", "produce")),
            "something for breakfast": Rule.of(
                holding(items, "breakfast", "cereal", "egg", "bagel", "waffle", "pancake", "yogurt")
            ),
            "no sweets": Rule.of(
                holding(
                    *(
                        items,
                        "sweet",
                        "candy",
                        "cookie",
                        "cake",
                        "ice cream",
                        "chocolate",
                        "pastry",
                    ),
                    *("doughnut", "dessert"),
                    wanted=False,
                )
            ),
            "only frozen food": Rule.of(holding(items, "frozen")),
            "no soft drinks": Rule.of(holding(items, "soft drink", wanted=False)),
        }
    return {
        "only before 1990": Rule.of(Condition(("year",), high=1989)),
        "no horror": Rule.of(one("genres", "horror", wanted=False)),
        "no drama": Rule.of(one("genres", "drama", wanted=False)),
        "only comedy": Rule.of(one("genres", "comedy")),
        "only sci-fi": Rule.of(one("genres", "sci-fi")),
        "a film for children": Rule.of(one("genres", "children's", "animation")),
        "something lighter": Rule.of(one("genres", *LIGHT), one("genres", *HEAVY, wanted=False)),
        "surprise me": Rule.of(Condition(("most_used",), ("no",))),
    }


ODD = {
    "ml-100k": {
        "contradicts itself": "only before 1950 and only after 1990",
        "no item fulfils it": "only films from the year 3000",
        "no wish": "the weather is nice today",
        "no words": "asdf qwer zxcv",
    },
    "grocery": {
        "contradicts itself": "only milk and no milk",
        "no item fulfils it": "only wedding dresses",
        "no wish": "the weather is nice today",
    },
}
COLUMNS = {
    "ml-100k": ("title", "year", "genres"),
    "grocery": ("title", "category", "department", "brand"),
}


@dataclass
class Fold:
    """The base's places among the shelf for some users, and what they took."""

    users: np.ndarray
    order: np.ndarray  # (n_users, n_shelf), 1 the best; what is known shares the last place
    barred: np.ndarray  # (n_users, n_shelf), bool
    relevant: sparse.csr_matrix  # (n_users, n_shelf)
    hashes: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, known: Dataset, asked: Dataset, shelf: np.ndarray) -> Fold:
        """Fit the base on what is known, and ask it about the users of the other rows."""
        barred = known.pairs().astype(bool)
        relevant = asked.positives()
        relevant = sparse.csr_matrix(relevant - relevant.multiply(barred))[:, shelf]
        relevant.eliminate_zeros()
        users = np.flatnonzero(np.diff(relevant.indptr))
        scores = EASE().fit(known).score(users)[:, shelf]
        hashes = hash_ids(known.user_ids)[users], hash_ids(known.item_ids)[shelf]
        closed = sparse.csr_matrix(barred[users][:, shelf])
        order = places(scores, *hashes, None, closed)
        return cls(users, order, closed.toarray(), relevant[users], hashes)

    def scores(self, fit: np.ndarray | None, weight: float, hard: bool) -> np.ndarray:
        """Steered scores, minus infinity where an item is known."""
        fit = np.zeros(self.order.shape[1]) if fit is None else fit
        out = steered(self.order, fit, weight, hard and fit.any())
        return np.where(self.barred, -np.inf, out)

    def lists(self, fit: np.ndarray | None, weight: float = 0.0, hard: bool = False) -> np.ndarray:
        """The best ten of each user."""
        scores = self.scores(fit, weight, hard).astype(np.float32)
        return top_k_rows(scores, K, *self.hashes)

    @cached_property
    def base(self) -> np.ndarray:
        """The lists of the base."""
        return self.lists(None)

    def ndcg(self, lists: np.ndarray) -> np.ndarray:
        """NDCG@10 a user."""
        return evaluate_lists(lists, RelevantItems(self.relevant), ["ndcg"], K)["ndcg"]

    def ndcg_obeying(self, lists: np.ndarray, obeys: np.ndarray) -> np.ndarray:
        """The same on the test rows that obey; NaN for who has none."""
        mine = sparse.csr_matrix(self.relevant.multiply(obeys[None].astype(float)))
        mine.eliminate_zeros()
        some = np.diff(mine.indptr) > 0
        out = np.full(len(lists), np.nan)
        if some.any():
            out[some] = evaluate_lists(lists[some], RelevantItems(mine[some]), ["ndcg"], K)["ndcg"]
        return out


@dataclass
class Bench:
    """One data set: its shelf, its draws, and the answers to wishes."""

    data: str
    n_items: int
    records: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ds = load(self.data)
        split = splits.user_time(self.ds)
        used = np.bincount(split.known.interactions["item"], minlength=self.ds.n_items)
        order = np.lexsort((self.ds.item_ids.astype(str), -used))
        self.shelf = np.sort(order[: self.n_items])
        self.used = used[self.shelf]
        columns = list(COLUMNS[self.data])
        self.items = self.ds.items.iloc[self.shelf][columns]
        first = np.isin(self.shelf, order[:100])
        self.ruled = self.items.assign(most_used=np.where(first, "yes", "no"))
        self.text = Text(*columns)
        self.split_digest = split.digest
        self.tests, self.valids = [], []
        for draw in range(DRAWS):
            of_draw = np.random.default_rng(draw).random(self.ds.n_users) < 0.8
            parts = [
                part.rows(of_draw[part.interactions["user"].to_numpy()])
                for part in (split.train, split.valid, split.known, split.test)
            ]
            self.valids.append(Fold.of(parts[0], parts[1], self.shelf))
            self.tests.append(Fold.of(parts[2], parts[3], self.shelf))

    def kept(self, name: str, wish: str) -> Path:
        """Where the answers to a wish are kept."""
        words = f"{self.data} {len(self.shelf)} {name} {wish}".replace(",", "").replace(" ", "-")
        return KEPT / f"{words}.json"

    def fit(self, name: str, way: Way, wish: str) -> Fit:
        """How well the shelf fits; a decoder's answers are kept."""
        file = self.kept(name, wish)
        if name.startswith("decoder") and file.is_file():
            held = json.loads(file.read_text(encoding="utf-8"))
            return Fit(np.array(held["values"]))
        start = time.perf_counter()
        found = way.fit_of(Wish.of(wish), self.items, self.used)
        if name.startswith("decoder"):
            seconds = time.perf_counter() - start
            assert found.values is not None
            write_json(file, {"values": found.values.tolist(), "seconds": seconds})
            print(f"{self.data} {name} '{wish}': {seconds:.0f} s", flush=True)
        return found

    def chosen(self, fit: np.ndarray) -> float:
        """The highest weight of the grid within the price, on the validation parts of the draws together."""
        values = [
            float(np.mean([fold.ndcg(fold.lists(fit, weight)).mean() for fold in self.valids]))
            for weight in WEIGHTS
        ]
        return max(w for w, v in zip(WEIGHTS, values) if v >= (1 - PRICE) * values[0] or not w)

    def over_draws(self, measure: Any) -> np.ndarray:
        """Means over draws of a user's values: (n_users,), NaN for who is in none."""
        table = np.full((DRAWS, self.ds.n_users), np.nan)
        for draw, fold in enumerate(self.tests):
            table[draw, fold.users] = measure(fold)
        seen = ~np.isnan(table)
        n = seen.sum(axis=0)
        return np.where(n > 0, np.where(seen, table, 0).sum(axis=0) / np.maximum(n, 1), np.nan)

    def measure(self, wish: str, rule: Rule, name: str, fit: Fit, weight: float) -> dict[str, Any]:
        """Adherence and price of one way at one weight."""
        obeys = rule.mask(self.ruled)

        made = {id(fold): fold.lists(fit.values, weight, fit.hard) for fold in self.tests}

        def lists(fold: Fold) -> np.ndarray:
            return made[id(fold)]

        share = self.over_draws(lambda fold: adherence(lists(fold), obeys))
        base_share = self.over_draws(lambda fold: adherence(fold.base, obeys))
        mine = self.over_draws(lambda fold: fold.ndcg(lists(fold)))
        base = self.over_draws(lambda fold: fold.ndcg(fold.base))
        obeying = self.over_draws(lambda fold: fold.ndcg_obeying(lists(fold), obeys))
        base_obeying = self.over_draws(lambda fold: fold.ndcg_obeying(fold.base, obeys))
        by_draw = [float(adherence(lists(fold), obeys).mean()) for fold in self.tests]
        return {
            "data": self.data,
            "wish": wish,
            "way": name,
            "weight": None if fit.hard else weight,
            "obeying_items": float(obeys.mean()),
            "understood": fit.values is not None,
            "said": "; ".join(fit.said),
            **flat("adherence", asdict(Measured.of(share))),
            "adherence_by_draw": by_draw,
            "adherence_of_base": float(np.nanmean(base_share)),
            **flat("ndcg", asdict(Measured.of(mine))),
            "ndcg_of_base": float(np.nanmean(base)),
            **flat("ndcg_less_base", difference(mine, base)),
            **flat("ndcg_obeying_less_base", difference(obeying, base_obeying)),
            "ndcg_obeying_of_base": float(np.nanmean(base_obeying)),
        }

    def odd(self, what: str, wish: str, name: str, fit: Fit) -> dict[str, Any]:
        """How far the lists of some users move at the usual weight."""
        fold = self.tests[0]
        rows = slice(0, MOVED_USERS)
        new, old = fold.scores(fit.values, 1.0, fit.hard)[rows], fold.scores(None, 0.0, False)[rows]
        overlap, tau = moved(new, old, K)
        return {
            "data": self.data,
            "odd": what,
            "wish": wish,
            "way": name,
            "weight": None if fit.hard else 1.0,
            "understood": fit.values is not None,
            "said": "; ".join(fit.said),
            **flat("overlap", asdict(Measured.of(overlap))),
            **flat("kendall", asdict(Measured.of(tau))),
        }


def difference(values: np.ndarray, base: np.ndarray) -> dict[str, float]:
    """The paired difference over users."""
    some = ~np.isnan(values) & ~np.isnan(base)
    if not some.any():
        return {"difference": np.nan, "low": np.nan, "high": np.nan, "n": 0}
    return asdict(paired(values[some], base[some], draws=BOOTSTRAPS))


def flat(name: str, values: dict[str, float]) -> dict[str, float | None]:
    """A value under its name, and its interval, p and n under names that begin with it."""
    value, *_ = values
    return {
        name if key == value else f"{name}_{key.removesuffix('_users')}": None if v != v else v
        for key, v in values.items()
    }


def ways_of(bench: Bench, wordings: list[str]) -> dict[str, Way]:
    """The ways side by side; the decoder in several wordings."""
    thing = "product" if bench.data == "grocery" else "film"
    ways: dict[str, Way] = {"filter": Filter(), "history": Edited(text=bench.text)}
    for wording in wordings:
        name = "decoder" if wording == "plain" else f"decoder, {wording}"
        ways[name] = Asked(template=wording, text=bench.text, thing=thing, dtype="bfloat16")
    return ways


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", default="ml-100k,grocery")
    parser.add_argument("--items", type=int, default=600)
    parser.add_argument("--wordings", default="plain")
    parser.add_argument(
        "--minutes", type=float, default=np.inf, help="ask nothing new after so many"
    )
    parser.add_argument("--output", type=Path, default=OUTPUT)
    told = parser.parse_args()
    wordings = sorted(told.wordings.split(","), key=lambda name: name != "plain")
    if unknown := set(wordings) - set(template_names("wish")):
        parser.error(f"no wording {', '.join(sorted(unknown))}")
    end = time.monotonic() + 60 * told.minutes
    benches = [Bench(data, told.items) for data in told.data.split(",")]
    for bench, name, way, wish in sorted(asked(benches, wordings), key=costly):
        asks = costly((bench, name, way, wish)) and not bench.kept(name, wish).is_file()
        if asks and time.monotonic() > end:
            print(f"left: {bench.data} {name} '{wish}'", flush=True)
            continue
        fit = bench.fit(name, way, wish)
        rules = wishes_of(bench.data, bench.items)
        if wish in rules:
            bench.records += rows_of(bench, wish, rules[wish], name, fit)
        else:
            what = next(k for k, v in ODD[bench.data].items() if v == wish)
            bench.records.append(bench.odd(what, wish, name, fit))
        write(told.output, benches, told.items)


Task = tuple[Bench, str, Way, str]


def asked(benches: list[Bench], wordings: list[str]) -> list[Task]:
    """All wishes by all ways; odd ones in the first wording only. The data sets take turns."""
    rows: list[list[Task]] = []
    for bench in benches:
        rules = wishes_of(bench.data, bench.items)
        for name, way in ways_of(bench, wordings).items():
            odd = list(ODD[bench.data].values()) if "," not in name else []
            rows.append([(bench, name, way, wish) for wish in [*rules, *odd]])
    return [task for turn in zip_longest(*rows) for task in turn if task is not None]


def costly(task: Task) -> int:
    """Whether a decoder is asked: after all else, the plain wording first."""
    return 1 + ("," in task[1]) if task[1].startswith("decoder") else 0


def rows_of(bench: Bench, wish: str, rule: Rule, name: str, fit: Fit) -> list[dict[str, Any]]:
    """A way at its chosen weight, and at all of the grid."""
    if fit.hard or fit.values is None:
        return [{**bench.measure(wish, rule, name, fit, 0.0), "chosen": True}]
    chosen = bench.chosen(fit.values)
    return [
        {**bench.measure(wish, rule, name, fit, weight), "chosen": weight == chosen}
        for weight in sorted({chosen, 1.0, 4.0})
    ]


def write(output: Path, benches: list[Bench], n_items: int) -> None:
    """The results so far."""
    write_json(
        output,
        {
            "benchmark": "control: adherence to wishes in words, and its price",
            "data": [
                {
                    "name": b.ds.name,
                    "dataset_digest": b.ds.digest,
                    "split_digest": b.split_digest,
                    "users": [len(fold.users) for fold in b.tests],
                }
                for b in benches
            ],
            "language_model": "SmolLM2-135M-Instruct, 135M, as it is, bfloat16; all-MiniLM-L6-v2 for the edit",
            "base": "ease, untuned",
            "items": f"the {n_items} most used",
            "price": f"weights cost at most {PRICE:.0%} of NDCG@{K} on the validation part",
            "draws": f"{DRAWS} draws of four fifths of the users",
            "interval": f"95 % percentile bootstrap over users, {BOOTSTRAPS:,} draws",
            "device": "cpu",
            "versions": versions(),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "records": [r for b in benches for r in b.records],
        },
    )


if __name__ == "__main__":
    main()
