"""Benchmarks made of parts: each finished part stands in the results file and is not measured again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recnb.files import write_json
from recnb.versions import versions


def measure_missing(
    output: Path, parts: Mapping[str, Callable[[], list[dict[str, Any]]]]
) -> list[dict[str, Any]]:
    """Measure the parts that the file does not hold, write it after each one, and return all its records."""
    kept: dict[str, Any] = {"records": [], "finished": {}}
    if output.is_file():
        kept = json.loads(output.read_text(encoding="utf-8"))
    for part, measure in parts.items():
        if part in kept["finished"]:
            continue
        start = time.process_time()
        kept["records"] += measure()
        kept["finished"][part] = round(time.process_time() - start, 1)
        kept |= {"device": "cpu", "versions": versions(), "date": f"{datetime.now(UTC):%Y-%m-%d}"}
        write_json(output, kept)
        print(f"{part}: {kept['finished'][part]} s", flush=True)
    return kept["records"]
