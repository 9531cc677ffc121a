"""What a notebook found, as data: written once at its end, read back by the runner and the tests.

A record travels as an output of a type of its own, so that nobody ever parses printed text. The
reader sees a table of the same rows. Costs (seconds, memory, device) differ from run to run; they
stand in the data only, and `recnb.course.normalise` takes them out of what is committed.
"""

from __future__ import annotations

import math
import numbers
import platform
import sys
import time
from collections.abc import Mapping
from typing import Any

from recnb.course.render import as_html, as_text
from recnb.errors import InputError

MIME = "application/vnd.recnb.record+json"
SCHEMA = 1
FIRST = ("model", "metric", "k", "candidates", "value", "low", "high", "n_users", "seed")
IDENTITY = (
    "data",
    "split",
    "model",
    "metric",
    "k",
    "candidates",
    "group",
    "people",
    "strength",
    "day",
    "task",
    "seed",
)
WHOLE = ("k", "n_users", "seed")
_IMPORTED = time.perf_counter()


def record(rows: Any, *, seed: int | None = None, device: str | None = None, **extras: Any) -> None:
    """Record what a notebook found and show it to the reader as a table. Call it once, at the end.

    Parameters
    ----------
    rows : DataFrame, list of mappings, one such mapping, or mapping of metric to value
        One row per finding: `metric` (str) and `value` (finite number), and what there is of
        `model`, `low` and `high` (the interval), `n_users`, `seed`, `k` and other columns.
    seed : int, optional
        Put into every row that has no seed of its own.
    device : str, optional
        Where the work ran, default: the GPU's name where torch has one, else ``"cpu"``.
    **extras
        Other facts by name: numbers, texts, or lists and mappings of them.

    Raises
    ------
    InputError
        No rows, a missing `metric`, a value that is no finite number, an interval that does not
        hold its value, two rows that differ in no text, cut-off or seed, an extra that is no plain data.

    Notes
    -----
    Seconds are counted from the import of this module, which the setup cell does.

    Examples
    --------
    >>> record({"metric": "ndcg", "value": 0.25, "low": 0.2, "high": 0.3, "n_users": 40}, seed=0)
    metric  value    low   high n_users seed
      ndcg 0.2500 0.2000 0.3000      40    0
    """
    found = checked_rows(rows, seed=seed)
    facts = {name: _plain(value, name) for name, value in extras.items()}
    bundle = {
        MIME: {"schema": SCHEMA, "rows": found, "extras": facts, "run": _run(device)},
        "text/html": as_html(found, facts),
        "text/plain": as_text(found, facts),
    }
    _show(bundle)


def checked_rows(rows: Any, seed: int | None = None) -> list[dict[str, Any]]:
    """Return the rows of a record as plain data, in one order of columns.

    Parameters
    ----------
    rows, seed
        As in `record`.

    Raises
    ------
    InputError
        As in `record`.

    Examples
    --------
    >>> checked_rows({"rmse": 0.9, "mae": 0.7})
    [{'metric': 'rmse', 'value': 0.9}, {'metric': 'mae', 'value': 0.7}]
    """
    if hasattr(rows, "to_dict"):  # a DataFrame
        rows = rows.to_dict("records")
    elif isinstance(rows, Mapping):
        named = "metric" in rows
        rows = [rows] if named else [{"metric": name, "value": rows[name]} for name in rows]
    found, seen = [], set()
    for number, row in enumerate(rows, start=1):
        plain = {str(name): _plain(value, str(name), number) for name, value in row.items()}
        plain = {name: value for name, value in plain.items() if value is not None}
        if seed is not None:
            plain.setdefault("seed", int(seed))
        _check(plain, number)
        identity = _identity(plain)
        if identity in seen:
            raise InputError(
                f"{plain['metric']} is recorded twice", row=number, mend="name what differs"
            )
        seen.add(identity)
        found.append(in_order(plain))
    if not found:
        raise InputError("nothing to record", mend="pass at least one row")
    return found


def _identity(row: Mapping[str, Any]) -> frozenset[tuple[str, Any]]:
    """What tells a row from others: the columns of :data:`IDENTITY`, and any other that holds text."""
    return frozenset(
        (name, value if isinstance(value, str | int | float) else repr(value))
        for name, value in row.items()
        if name in IDENTITY or isinstance(value, str)
    )


def in_order(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with the usual columns first; a notebook file sorts them by name."""
    order = [*FIRST, *(name for name in row if name not in FIRST)]
    return {name: row[name] for name in order if name in row}


def _check(row: Mapping[str, Any], number: int) -> None:
    if not isinstance(row.get("metric"), str):
        raise InputError("a row names no metric", column="metric", row=number)
    for name in ("value", "low", "high"):
        if name not in row and name != "value":
            continue
        if isinstance(row.get(name), bool) or not isinstance(row.get(name), int | float):
            raise InputError(f"{row.get(name)!r} is no number", column=name, row=number)
    low, high = row.get("low", row["value"]), row.get("high", row["value"])
    room = 1e-9 * max(
        abs(low), abs(high), 1.0
    )  # the last digits of a mean are not those of its ends
    if not low - room <= row["value"] <= high + room:
        problem = f"value {row['value']} is outside its interval {low} to {high}"
        raise InputError(problem, column="value", row=number)


def _plain(value: Any, name: str, row: int | None = None) -> Any:
    """Numpy scalars and nested containers as JSON can hold them; None for a missing cell."""
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, numbers.Real):
        number = float(value)
        if name in WHOLE and number.is_integer():
            return int(number)  # a frame with an empty cell holds whole numbers as floats
        if math.isnan(number) and row is not None and name != "value":
            return None  # an empty cell of a frame
        if not math.isfinite(number):
            raise InputError(f"{number} is no finite number", column=name, row=row)
        return number
    if isinstance(value, Mapping):
        return {str(key): _plain(part, f"{name}.{key}") for key, part in value.items()}
    if isinstance(value, list | tuple) or hasattr(value, "tolist"):
        parts = value.tolist() if hasattr(value, "tolist") else value
        return [_plain(part, name) for part in parts]
    kind = type(value).__name__
    raise InputError(
        f"a {kind} cannot be recorded", column=name, row=row, mend="pass numbers or text"
    )


def _run(device: str | None) -> dict[str, Any]:
    """What this run cost and where: never part of a committed output."""
    run: dict[str, Any] = {
        "seconds": round(time.perf_counter() - _IMPORTED, 2),
        "device": device or "cpu",
        "python": platform.python_version(),
        "packages": _versions(),
    }
    try:
        import resource
    except ImportError:  # Windows
        pass
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        run["peak_memory_mb"] = round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)
    torch = sys.modules.get("torch")  # only if the notebook loaded it
    if torch is not None and torch.cuda.is_available():
        run["device"] = device or torch.cuda.get_device_name()
        run["peak_gpu_memory_mb"] = round(torch.cuda.max_memory_allocated() / (1 << 20), 1)
    return run


def _versions() -> dict[str, str]:
    names = ("numpy", "pandas", "scipy", "sklearn", "torch", "transformers", "peft", "implicit")
    loaded = {name: sys.modules[name] for name in names if name in sys.modules}
    return {name: str(getattr(module, "__version__", "?")) for name, module in loaded.items()}


def _show(bundle: dict[str, Any]) -> None:
    try:
        from IPython import get_ipython
        from IPython.display import publish_display_data
    except ImportError:
        shell = None
    else:
        shell = get_ipython()
    if shell is None:  # a plain script: the table alone
        sys.stdout.write(bundle["text/plain"] + "\n")
    else:
        publish_display_data(bundle)
