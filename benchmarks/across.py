"""Where does a language model help? One study over ten data sets, three situations, by activity, with its cost.

    RECNB_DATA=FOLDER python benchmarks/across.py [--sets ml-100k,grocery,…] [--work FOLDER]

Groceries, office goods, games, beauty, films, artists, books, pages of a portal, coats, generated news. Large sets are
cut to a core where rows would be few, and to a random sample of users; sizes and rows per item stand beside
each result. Artists are read by their names alone, since their tags were written by the people who are judged. Each
model that reads text with a language model is compared with the best one without, chosen on the validation part
(`recnb.study.across`); new items and new users are drawn several times.

Finished cells are kept in the work folder, so a stopped run goes on.
Results: `results/across.json`. The last line is `ratio: X`: on new items, the mean over data sets of the value with a
language model over that without one, both chosen on validation.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recnb import load
from recnb.data import Dataset, catalog
from recnb.errors import InputError
from recnb.evaluation import Protocol
from recnb.files import write_json
from recnb.models import parse_models
from recnb.study.across import AcrossPlan, read_set, run_across
from recnb.study.across.plan import MODELS
from recnb.versions import versions

PLAN = AcrossPlan(protocol=Protocol(metrics=("ndcg",)))
IMPLICIT = ("amazon-beauty-2014",)  # no name of the catalogue


def plain(name: str) -> Dataset:
    """A data set by its name, in the form that may be judged."""
    if name == "grocery":
        return load(name, min_households=250)
    if name in IMPLICIT:
        folder = catalog.find(name)
        if folder is None:
            raise InputError(f"no folder '{name}'", mend="set RECNB_DATA to the folder with it")
        return load(folder, feedback="implicit", name=name)
    ds = load(name)
    if name == "lastfm-hetrec-2011":
        return replace(ds, items=ds.items[["title"]]).with_notes("names of artists, no tags")
    return ds


SETS = {
    "ml-100k": "ml-100k:10@500",
    "grocery": "grocery@500",
    "amazon-office-2018": "amazon-office-2018:4@1500",
    "amazon-games-2018": "amazon-games-2018:11@1000",
    "amazon-beauty-2014": "amazon-beauty-2014:10@1000",
    "lastfm-hetrec-2011": "lastfm-hetrec-2011:10@600",
    "bookcrossing-small": "bookcrossing-small:10@800",
    "msweb": "msweb:3@1500",
    "coat": "coat",
    "generated-news": "generated-news@500",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--draws", default="0,1,2,3", help="by which new items and users are drawn")
    parser.add_argument("--work", type=Path, default=Path("across"), help="where cells are kept")
    parser.add_argument("--output", type=Path, default=Path("results") / "across.json")
    args = parser.parse_args()
    # Vectors of this study alone: the first cell of a set pays for reading its texts.
    os.environ["RECNB_CACHE"] = str(args.work.resolve() / "vectors")
    start = time.process_time()
    data = {name: partial(read_set, SETS.get(name, name), plain) for name in args.sets.split(",")}
    say = partial(print, flush=True)
    plan = replace(PLAN, draws=tuple(map(int, args.draws.split(","))))
    result = run_across(
        data, parse_models(MODELS), plan, args.work, "benchmarks/across.py", report=say
    )
    del result["reports"]  # they stay in the work folder
    result["differences"] = result.pop("rows")
    result |= {
        "records": [record for one in result["sets"] for record in values_of(one)],
        "note": "ndcg@10; relative change over users (and draws), pooled over data sets by Paule and Mandel, Hartung "
        "and Knapp; Holm over all rows, and over the pooled rows",
        "samples": {name: SETS.get(name, name) for name in data},
        "processor_seconds": round(time.process_time() - start, 1),
        "device": "cpu",
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    write_json(args.output, result)
    show(result)


def values_of(one: dict[str, Any]) -> list[dict[str, Any]]:
    """What each model reached on a data set in a situation."""
    head = {key: one[key] for key in ("data", "situation", "metric", "k")}
    return [
        {
            **head,
            "model": name,
            "value": value,
            "valid": one["valid"][name],
            "n_users": one["judged"],
        }
        for name, value in one["values"].items()
    ]


def show(result: dict[str, Any]) -> None:
    """The pooled rows, then the ratio."""
    for r in result["pooled"]:
        if r["change"] is not None:
            print(
                f"{r['situation']:6} {r['model']:22} {r['n_sets']:3} sets {r['change']:+8.1%} "
                f"({r['low']:+.1%} to {r['high']:+.1%}) I2 {r['i2']:.0%} p {r['p_holm']:.3f}"
            )
    new = [r["log"] for r in result["differences"] if r["situation"] == "items" and r["chosen"]]
    ratio = float(np.exp(np.mean([log for log in new if log is not None])))
    print(f"ratio: {ratio:.3f}")


if __name__ == "__main__":
    main()
