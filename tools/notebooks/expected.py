"""What a notebook is expected to record, measured over seeds: ``python -m tools.notebooks.expected``.

A tolerance that passes a wrong value tests nothing. Here it is three times the spread that was
measured, and `weak_rows` tells where a useless recommender would still pass.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from recnb.course.notebook import find_notebooks, find_root
from recnb.course.records import IDENTITY
from recnb.course.running.runner import run_notebook
from recnb.errors import InputError
from recnb.files import write_text

SPREADS = 3.0  # tolerance in standard deviations over seeds
FLOOR = 1e-3  # relative: what another processor may change in a model without a seed
BASELINES = ("random", "popularity")
QUALITY = frozenset(
    [
        "hit_rate",
        "recall",
        "precision",
        "f1",
        "ndcg",
        "average_precision",
        "reciprocal_rank",
        "auc",
        "rmse",
        "mae",
    ]
)
Identity = tuple[tuple[str, Any], ...]


def identity(row: Mapping[str, Any]) -> Identity:
    """Return what a row is about, without its seed."""
    return tuple((n, row[n]) for n in IDENTITY if n != "seed" and row.get(n) is not None)


def summarise(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return mean and spread over records of several seeds, for the measures of quality.

    Parameters
    ----------
    records : sequence of mappings
        One record for each seed, at least two.

    Raises
    ------
    InputError
        Fewer than two records, or a row that not every record has.

    Examples
    --------
    >>> runs = [{"rows": [{"model": "ease", "metric": "ndcg", "value": v}]} for v in (0.2, 0.3)]
    >>> summarise(runs)
    [{'model': 'ease', 'metric': 'ndcg', 'value': 0.25, 'spread': 0.0707107, 'n': 2}]
    """
    if len(records) < 2:
        raise InputError("a spread needs two seeds or more", mend="pass --seeds 0,1,2")
    values: dict[Identity, list[float]] = {}
    for record in records:
        for row in record["rows"]:
            if row["metric"] in QUALITY:
                values.setdefault(identity(row), []).append(float(row["value"]))
    summary = []
    for key, found in values.items():
        if len(found) % len(records):
            raise InputError(f"{dict(key)} is not in every run", mend="record the same rows always")
        numbers = {"value": _short(mean(found)), "spread": _short(stdev(found)), "n": len(found)}
        summary.append({**dict(key), **numbers})
    return summary


def tolerance(row: Mapping[str, Any]) -> float:
    """Return how far a value may be from an expected row's."""
    return max(SPREADS * float(row["spread"]), FLOOR * abs(float(row["value"])))


def compare(rows: Iterable[Mapping[str, Any]], expected: Mapping[str, Any]) -> list[str]:
    """Return where recorded rows are not what is expected; an empty list where all are.

    Parameters
    ----------
    rows : iterable of mappings
        Of a record.
    expected : mapping
        The content of ``expected/NN.json``.

    Examples
    --------
    >>> told = {"rows": [{"metric": "ndcg", "value": 0.25, "spread": 0.01}]}
    >>> compare([{"metric": "ndcg", "value": 0.27}], told)
    []
    >>> compare([{"metric": "ndcg", "value": 0.0}], told)
    ['metric=ndcg: 0 is not 0.25 within 0.03']
    """
    found: dict[Identity, list[float]] = {}
    for row in rows:
        found.setdefault(identity(row), []).append(float(row["value"]))
    if not expected["rows"]:
        return ["nothing is expected"]
    problems = []
    for row in expected["rows"]:
        key = identity(row)
        name = " ".join(f"{n}={v}" for n, v in key)
        allowed = tolerance(row)
        if key not in found:
            problems.append(f"{name}: not recorded")
        for value in found.get(key, []):
            if not abs(value - row["value"]) <= allowed:
                problems.append(f"{name}: {value:g} is not {row['value']:g} within {allowed:g}")
    return problems


def weak_rows(expected: Mapping[str, Any]) -> list[str]:
    """Return the expected rows that 0, 1, the random or the popularity ranker would pass.

    Parameters
    ----------
    expected : mapping
        The content of ``expected/NN.json``.

    Examples
    --------
    >>> row = {"model": "ease", "metric": "ndcg", "value": 0.0255, "spread": 0.02}
    >>> weak_rows({"rows": [row]})
    ['model=ease metric=ndcg: 0 would pass']
    """
    rows, weak = expected["rows"], []
    for row in rows:
        impostors: dict[str, float] = {"0": 0.0, "1": 1.0}
        if row.get("model") not in BASELINES:
            place = [(n, v) for n, v in identity(row) if n != "model"]
            for other in rows:
                same = [(n, v) for n, v in identity(other) if n != "model"] == place
                if same and other.get("model") in BASELINES:
                    impostors[f"the {other['model']} ranker"] = float(other["value"])
        name = " ".join(f"{n}={v}" for n, v in identity(row))
        for who, value in impostors.items():
            if not compare([{**row, "value": value}], {"rows": [row]}):
                weak.append(f"{name}: {who} would pass")
    return weak


def measure(
    path: str | Path, seeds: Sequence[int], profile: str, output_dir: str | Path
) -> dict[str, Any]:
    """Run a notebook once for each seed and return what is to be expected of it.

    Raises
    ------
    InputError
        It records nothing, or as `summarise`.
    """
    records = []
    for seed in seeds:
        run = run_notebook(path, {"SEED": seed}, profile, output_dir)
        if len(run.records) != 1:
            raise InputError(f"{len(run.records)} records, not one", file=str(path))
        records.append(run.records[0])
    return {
        "notebook": Path(path).name,
        "profile": profile,
        "device": records[0]["run"]["device"],
        "packages": records[0]["run"]["packages"],
        "date": datetime.date.today().isoformat(),
        "seeds": list(seeds),
        "rows": summarise(records),
    }


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write ``tests/notebooks/expected/NN.json``; 1 where a row would test nothing."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks.expected", description=__doc__)
    parser.add_argument("numbers", nargs="+", help="numbers of notebooks")
    parser.add_argument("--seeds", default="0,1,2", help="comma-separated, two or more")
    parser.add_argument("--profile", default="gpu", choices=("smoke", "cpu", "gpu"))
    asked = parser.parse_args(arguments)
    seeds = [int(seed) for seed in asked.seeds.split(",")]
    weak = 0
    for path in find_notebooks(numbers=asked.numbers):
        with tempfile.TemporaryDirectory() as folder:
            content = measure(path, seeds, asked.profile, folder)
        place = find_root() / "tests" / "notebooks" / "expected" / f"{path.name[:2]}.json"
        write_text(place, json.dumps(content, indent=1) + "\n")
        lines = [f"{path.name}: {line}" for line in weak_rows(content)]
        weak += len(lines)
        sys.stdout.write("\n".join(lines or [f"{path.name}: ok"]) + "\n")
    return 1 if weak else 0


if __name__ == "__main__":
    sys.exit(main())
