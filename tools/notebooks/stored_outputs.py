"""What is stored in a notebook: one clean run, in order, of this very code, and small."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recnb.course.notebook import source_digest, tags
from recnb.course.outputs import collect_records, normalise, texts

MAX_NOTEBOOK, MAX_FIGURE = 500_000, 100_000  # bytes
# an absolute path of two parts or more; URLs, closing HTML tags and "and/or" are none
PATH = re.compile(r"(?<![\w/.:<&;])(?:/[\w.+-]+){2,}|(?<!\w)[A-Za-z]:\\[\w.\\-]+")
# web addresses, and sounds kept inside a page, whose letters may look like a path
ELSEWHERE = re.compile(r"https?://\S+|data:\w+/[\w.+-]+;base64,[\w+/=]+")
REPAIR = "run: python -m tools.notebooks.store"


def stored(nb: Any, path: Path) -> Iterator[str]:
    """Yield what is wrong with the outputs, the counts, the metadata and the sizes."""
    yield from _counts(nb)
    yield from _normal(nb)
    if nb.metadata.get("recnb", {}).get("executed") != source_digest(nb):
        yield f"stored outputs are stale: the code was changed after the run; {REPAIR}"
    for i, cell in enumerate(nb.cells):
        for output in cell.get("outputs", []):
            yield from (f"cell {i + 1}: {problem}" for problem in _output(output, tags(cell)))
    records = len(collect_records(nb))
    if records != 1:
        yield f"{records} records are stored, there is to be one; {REPAIR}"
    size = path.stat().st_size
    if size > MAX_NOTEBOOK:
        yield f"the file has {size // 1000} kB, at most {MAX_NOTEBOOK // 1000}"


def _counts(nb: Any) -> Iterator[str]:
    counts = [cell.execution_count for cell in nb.cells if cell.cell_type == "code"]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are not 1 to {len(counts)} in order; {REPAIR}"


def _normal(nb: Any) -> Iterator[str]:
    clean = normalise(nb)
    if nb.metadata != clean.metadata:
        names = sorted(set(nb.metadata) - set(clean.metadata)) or ["kernelspec, language_info"]
        yield f"metadata of the notebook are not normalised ({', '.join(names)}); {REPAIR}"
    if len(nb.cells) != len(clean.cells):
        yield f"a cell that papermill put in is stored; {REPAIR}"
        return
    for i, (cell, other) in enumerate(zip(nb.cells, clean.cells, strict=True)):
        if cell.metadata != other.metadata:
            names = sorted(set(cell.metadata) - {"tags"}) or ["tags"]
            what = "metadata beyond sorted tags and the folding of solutions"
            yield f"cell {i + 1}: {what} ({', '.join(names)}); {REPAIR}"
        if cell.get("outputs") != other.get("outputs"):
            what = "stderr, a progress bar, a widget, an address or costs"
            yield f"cell {i + 1}: output is not normalised ({what}); {REPAIR}"


def _output(output: Any, cell_tags: list[str]) -> Iterator[str]:
    if output.output_type == "error" and "raises-exception" not in cell_tags:
        yield f"an error is stored: {output.ename}"
    for text in texts(output):
        found = PATH.search(ELSEWHERE.sub("", text))
        if found:
            yield f"a path of the machine in the output: '{found.group()}'"
    for kind, value in output.get("data", {}).items():
        if not kind.startswith("image/"):
            continue
        text = value if isinstance(value, str) else "".join(value)
        size = len(text.encode()) if "svg" in kind else len(base64.b64decode(text))
        if size > MAX_FIGURE:
            yield f"a figure has {size // 1000} kB, at most {MAX_FIGURE // 1000}"
