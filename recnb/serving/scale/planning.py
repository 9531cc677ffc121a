"""What a larger service would need: memory, machines and money by calculation from measured unit costs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from recnb.errors import InputError

HOURS = 730  # of a month
_GB = 1e9


@dataclass(frozen=True)
class UnitCosts:
    """What one of each costs, as measured.

    Attributes
    ----------
    known_ms, history_ms, text_ms : float
        Processor milliseconds of the service for a request, network and logs included, at `items` items. The search
        in the larger index is added to it, so that the small catalogue's own stays in: on the safe side.
    items : int
        Of the catalogue that they were measured on.
    index_items, index_dim : int
        Vectors of the measured index and their length.
    index_bytes : float
        Of its file, for all items.
    index_ms : float
        Of a search in it, on one thread.
    process_bytes : float
        Memory of the service's process above its index and its model.
    encode_ms : float
        Of one item's text, in batches, on one thread.
    sources : tuple of str
        Files that these come from.
    """

    known_ms: float
    history_ms: float
    text_ms: float
    items: int
    index_items: int
    index_dim: int
    index_bytes: float
    index_ms: float
    process_bytes: float
    encode_ms: float
    sources: tuple[str, ...] = ()

    @classmethod
    def recorded(cls, folder: Path) -> UnitCosts:
        """From `serving.json`, `item_index.json` and `compress.json` of a folder of results.

        Raises
        ------
        InputError
            One is missing or holds no such measurement.
        """
        names = ("serving", "item_index", "compress")
        serving, index, compress = (_read(folder / f"{name}.json") for name in names)
        try:
            rows = serving["measured"]
            ours = [r for r in rows.values() if r.get("server") == "recnb"]
            ms = {
                kind: min(r["server_cpu_ms"] for r in ours if r["kind"] == kind)
                for kind in ("known", "history", "text")
            }
            lists = index["indexes"]
            forms = compress["sets"][0]["forms"]
            return cls(
                **{f"{kind}_ms": value for kind, value in ms.items()},
                items=serving["settings"]["items"],
                index_items=index["settings"]["items"],
                index_dim=index["settings"]["dim"],
                index_bytes=lists["ivfpq"]["n_bytes"],
                index_ms=lists["ivfpq"]["ms"],
                process_bytes=1e6 * rows["start recnb"]["memory_mb"],
                encode_ms=1000 / forms["onnx int8"]["texts_per_second"],
                sources=tuple(f"results/{name}.json" for name in names),
            )
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise InputError(
                f"a measurement is missing ({error})",
                file=str(folder),
                mend="run benchmarks/serving.py, item_index.py and compress.py to their end",
            ) from None


@dataclass(frozen=True)
class Line:
    """A quantity, how it is calculated, and its value.

    Attributes
    ----------
    name, formula : str
        The formula with its numbers.
    value : float
    unit : str
    """

    name: str
    formula: str
    value: float
    unit: str


@dataclass(frozen=True)
class Plan:
    """A calculation, line by line."""

    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> float:
        """The value of a line."""
        return next(line.value for line in self.lines if line.name == name)


@dataclass(frozen=True)
class Wanted:
    """What the service is to hold and to answer, and what machines cost.

    Attributes
    ----------
    items, users, qps : float
    dim : int
        Numbers of a vector.
    history : float
        Known items of a user.
    cold : float
        Share of requests with a history or a text instead of a known user.
    new_items : float
        Items a day whose text is encoded.
    cores, memory_gb : float
        Of a machine.
    core_hour, gb_hour : float
        Money of a core and of a gigabyte of memory for an hour.
    busy : float
        Share of a machine's processors and memory that is used at most.
    copies : int
        Machines that can answer each request, at least.
    """

    items: float
    users: float
    qps: float
    dim: int = 128
    history: float = 50
    cold: float = 0.2
    new_items: float = 0
    cores: float = 16
    memory_gb: float = 128
    core_hour: float = 0.03
    gb_hour: float = 0.004
    busy: float = 0.6
    copies: int = 2

    def check(self) -> None:
        """Raise where a number has no meaning."""
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name in ("cold", "new_items", "core_hour", "gb_hour") else 1e-9
            if not math.isfinite(value) or value < least:
                raise InputError(f"{field.name}={value}", mend="give a number above 0")
        for name in ("busy", "cold"):
            if getattr(self, name) > 1:
                raise InputError(f"{name}={getattr(self, name)}", mend="give a share, at most 1")


def plan(wanted: Wanted, costs: UnitCosts) -> Plan:
    """Memory, machines and money.

    Parameters
    ----------
    wanted : Wanted
    costs : UnitCosts

    Returns
    -------
    Plan

    Notes
    -----
    *Search.* Lists grow as ``4 sqrt(n)``, of which ``0.8 sqrt(lists)`` are searched: the vectors looked at, and so the
    time, grow as ``n ** 0.75``. A catalogue that no machine holds is cut into shards; each request then asks all.
    *Users* are spread over the machines by their id: each machine holds its share, so that memory for them adds up over
    machines and not over copies. What is not calculated: traffic between machines, training, the network's limits.

    Examples
    --------
    >>> costs = UnitCosts(1, 2, 15, 50_000, 1_000_000, 128, 240e6, 1.0, 0.4e9, 2.0)
    >>> small = plan(Wanted(items=1e6, users=1e6, qps=100), costs)
    >>> small["machines"], round(small["index"], 2)
    (2, 0.24)
    """
    wanted.check()
    w, c = wanted, costs
    lines: list[Line] = []

    def line(name: str, formula: str, value: float, unit: str) -> float:
        lines.append(Line(name, formula, value, unit))
        return value

    per_item = c.index_bytes / c.index_items * w.dim / c.index_dim
    index = line(
        "index",
        f"{w.items:,.0f} items x {per_item:.0f} bytes ({c.index_bytes / c.index_items:.0f} measured at "
        f"{c.index_dim} numbers)",
        w.items * per_item / _GB,
        "GB",
    )
    known = line(
        "users",
        f"{w.users:,.0f} users x ({w.dim} numbers x 2 bytes + {w.history:.0f} known items x 4 bytes)",
        w.users * (2 * w.dim + 4 * w.history) / _GB,
        "GB",
    )
    room = line(
        "room of a machine",
        f"{w.busy:.0%} of {w.memory_gb:,.0f} GB - {c.process_bytes / _GB:.2f} GB of the process",
        w.busy * w.memory_gb - c.process_bytes / _GB,
        "GB",
    )
    if room <= 0:
        raise InputError("a machine has no room beside the process", mend="give --memory-gb more")
    # half of the room is left for users
    shards = line(
        "shards",
        f"index / (room / 2) = {index:,.1f} / {room / 2:,.1f}",
        max(1, math.ceil(2 * index / room)),
        "",
    )
    by_memory = line(
        "machines for memory",
        f"{w.copies} copies x {shards:.0f} shards, and users / (room - index of a shard)",
        max(w.copies * shards, math.ceil(known / (room - index / shards))),
        "",
    )
    search = line(
        "search",
        f"{c.index_ms:.2f} ms x ({w.items / shards:,.0f} / {c.index_items:,}) ** 0.75 x {shards:.0f} shards",
        c.index_ms * (w.items / shards / c.index_items) ** 0.75 * shards,
        "ms",
    )
    request = line(
        "request",
        f"{1 - w.cold:.0%} x {c.known_ms:.2f} ms + {w.cold:.0%} x {c.history_ms:.2f} ms + search",
        (1 - w.cold) * c.known_ms + w.cold * c.history_ms + search,
        "ms",
    )
    cores = line(
        "cores",
        f"{w.qps:,.0f} a second x {request:.2f} ms / 1000 / {w.busy:.0%}",
        w.qps * request / 1000 / w.busy,
        "",
    )
    by_cores = line("machines for cores", f"cores / {w.cores:.0f}", math.ceil(cores / w.cores), "")
    machines = line("machines", "the larger of both", max(by_memory, by_cores, w.copies), "")
    line(
        "encoding the catalogue",
        f"{w.items:,.0f} x {c.encode_ms:.2f} ms on one core",
        w.items * c.encode_ms / 3.6e6,
        "core hours",
    )
    encode = line(
        "encoding a day",
        f"{w.new_items:,.0f} new items x {c.encode_ms:.2f} ms",
        w.new_items * c.encode_ms / 3.6e6,
        "core hours",
    )
    hour = w.cores * w.core_hour + w.memory_gb * w.gb_hour
    month = line(
        "month",
        f"{machines:.0f} machines x {HOURS} h x ({w.cores:.0f} x {w.core_hour} + {w.memory_gb:.0f} x {w.gb_hour}) "
        f"+ 30 x {encode:.2f} x {w.core_hour}",
        machines * HOURS * hour + 30 * encode * w.core_hour,
        "money",
    )
    line(
        "a million requests",
        "month / requests of a month",
        month / (w.qps * 3600 * HOURS) * 1e6,
        "money",
    )
    notes = (
        f"measured on {c.items:,} items (service) and {c.index_items:,} vectors (index)",
        f"from {', '.join(c.sources) or 'what was given'}",
        f"extrapolated {w.items / c.index_items:,.0f} times in items; prices are the options --core-hour and --gb-hour",
    )
    return Plan(tuple(lines), notes)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            "no such results",
            file=str(path),
            mend=f"run benchmarks/{path.stem}.py, or name a folder with --results",
        ) from None
