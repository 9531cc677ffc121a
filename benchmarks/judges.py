"""How far do wording, order and place move a decoder that judges candidates, and how far off are its probabilities?

    RECNB_DATA=folder python benchmarks/judges.py [--data ml-100k] [--users 40] [--judges lm_yes,lm_likelihood]

A decoder of 135M parameters, as it is. Candidates are the test rows of people drawn by a hash (`user_time`), at
most ten each, liked or not; everything before is their history, of which the last ten rows are told. Each judge is
asked in all its wordings: pooled AUC with an interval over people, and Kendall's tau with its usual wording; the
same candidates in other orders; and for `lm_list` where the candidates at each place of the prompt come out.
`lm_yes` is calibrated on 600 validation rows, at most five of a person (expected calibration error before and after,
the latter with numbers from other people, and that of probabilities that are right). Parts that are done are kept in
`.benchmarks/judges` and not computed again; results go to `results/judges.json` after each.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from recnb import Dataset, load
from recnb.data import splits
from recnb.files import write_json
from recnb.models import make
from recnb.models.common.histories import Histories
from recnb.models.language.listwise import LMList
from recnb.models.language.questions import Question, from_later
from recnb.models.language.sensitivity import Judged, order, position_bias, wording
from recnb.models.language.templates import template_names
from recnb.versions import versions

JUDGES = ("lm_yes", "lm_likelihood", "lm_list")
CANDIDATES = 10
CALIBRATING = 600  # validation rows
DRAWS = 2000
KEPT = Path(".benchmarks") / "judges"
OUTPUT = Path("results") / "judges.json"


def asked_of(split: splits.Split, users: int) -> list[Question]:
    """The candidates of some people: those of both answers only."""
    questions = from_later(Histories.of(split.known), split.test, 10, None)
    few = [
        Question(q.user, q.told, q.items[:CANDIDATES], q.liked[:CANDIDATES])
        for q in questions
        if len(q.items) >= CANDIDATES and 0 < q.liked[:CANDIDATES].mean() < 1
    ]
    return few[:users]


def parts_of(name: str, model: Any, questions: list[Question]) -> dict[str, Any]:
    """What is measured of a judge, a function each."""

    @cache
    def own() -> Judged:
        return Judged.by(model, questions)

    out: dict[str, Any] = {
        f"wording {one}": lambda one=one: wording(model, questions, [one], DRAWS, own())
        for one in template_names(model.kind)
    }
    out["order"] = lambda: order(model, questions, draws=DRAWS)
    if isinstance(model, LMList):
        out["position"] = lambda: position_bias(model, questions, draws=DRAWS)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", default="ml-100k")
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--judges", default=",".join(JUDGES))
    parser.add_argument("--minutes", type=float, default=np.inf, help="begin no part after so many")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    told = parser.parse_args()
    end = time.monotonic() + 60 * told.minutes
    ds: Dataset = load(told.data)
    split = splits.user_time(ds)
    questions = asked_of(split, told.users)
    records: list[dict[str, Any]] = []
    for name in told.judges.split(","):
        settings = {"thing": "film"} if told.data.startswith("ml-") else {}
        model: Any = make(name, **settings).fit(split.known)
        for part, measure in parts_of(name, model, questions).items():
            file = KEPT / f"{told.data}-{len(questions)}-{name}-{part.replace(' ', '-')}.json"
            if not file.is_file():
                if time.monotonic() > end:
                    print(f"left: {name} {part}")
                    continue
                start = time.perf_counter()
                rows = json.loads(measure().to_json(orient="records"))
                seconds = time.perf_counter() - start
                write_json(file, {"rows": rows, "seconds": seconds})
                print(f"{name} {part}: {seconds:.0f} s", flush=True)
            held = json.loads(file.read_text(encoding="utf-8"))
            head = {"model": name, "study": part.split(" ")[0], "data": told.data}
            records += [{**head, "metric": row.pop("measure"), **row} for row in held["rows"]]
            write(told.output, ds, split, questions, records)
        if name == "lm_yes":
            records += calibration(told.data, settings, split)
            write(told.output, ds, split, questions, records)


def calibration(data: str, settings: dict[str, Any], split: splits.Split) -> list[dict[str, Any]]:
    """Expected calibration error of `lm_yes` before and after, and by chance alone."""
    file = KEPT / f"{data}-calibration-{CALIBRATING}.json"
    if not file.is_file():
        model: Any = make("lm_yes", **settings, valid_rows=CALIBRATING)
        write_json(file, model.fit(split.train, split.valid).calibration_)
    found = json.loads(file.read_text(encoding="utf-8"))
    head = {"model": "lm_yes", "study": "calibration", "data": data, "n_rows": found["n"]}
    head |= {"n_users": found["people"], "slope": found["slope"], "shift": found["shift"]}
    return [
        {**head, "metric": "ece", "template": when, "value": found[when]}
        for when in ("before", "after", "chance")
    ]


def write(
    output: Path,
    ds: Dataset,
    split: splits.Split,
    questions: list[Question],
    records: list[dict[str, Any]],
) -> None:
    """The results so far."""
    write_json(
        output,
        {
            "benchmark": "judges: wording, order, place, calibration",
            "data": ds.name,
            "dataset_digest": ds.digest,
            "split_digest": split.digest,
            "language_model": "SmolLM2-135M-Instruct, 135M, as it is",
            "users": len(questions),
            "candidates": CANDIDATES,
            "interval": f"95 % percentile bootstrap over users, {DRAWS:,} draws",
            "device": "cpu",
            "versions": versions(),
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "records": records,
        },
    )


if __name__ == "__main__":
    main()
