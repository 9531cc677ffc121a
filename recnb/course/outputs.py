"""What is kept of an executed notebook, so that two clean runs give the same file."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from recnb.course.notebook import source_digest
from recnb.course.records import MIME, in_order

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python"}
DIGITS = 6  # significant digits of a stored record: what another processor reproduces
ADDRESS = re.compile(r"(?: at)? 0x[0-9a-fA-F]{6,16}\b")
PROGRESS = re.compile(r"\d+%\|.*\||\d+(?:\.\d+)?(?:it|s|B|batch|epoch)/(?:s|it)\b")
COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
WIDGET = "application/vnd.jupyter.widget-view+json"
COLLAPSED = {"source_hidden": True, "outputs_hidden": True}  # under a solution
ADDED = {"injected-parameters", "papermill-error-cell-tag"}  # cells that papermill puts in


def normalise(nb: Any, replace: Mapping[str, str] | None = None) -> Any:
    """Return a copy of an executed notebook as it is committed.

    Parameters
    ----------
    nb : NotebookNode
        Executed, in order.
    replace : mapping, optional
        Texts to put back in outputs, for example a temporary folder by its declared name.

    Returns
    -------
    NotebookNode
        Kernel ``python3``; counts 1 to n over the executed cells; only `tags` in the metadata of
        cells, and solutions collapsed; no injected cell, no widgets (their static form stays), no
        stderr, no progress bars, no addresses; records
        without their cost and with six significant digits. Normalising twice changes nothing.

    Notes
    -----
    A cell that did not run keeps no count, so the check of stored notebooks still finds it. The
    notebook's metadata name the code that ran (`recnb.course.notebook.source_digest`): where the
    code is edited later, its outputs are known to be stale.
    """
    clean = copy.deepcopy(nb)
    clean.cells = [c for c in clean.cells if not ADDED & set(c.metadata.get("tags", []))]
    stamp = clean.metadata.get("recnb", {}).get("executed")
    clean.metadata = type(clean.metadata)(
        {"kernelspec": dict(KERNEL), "language_info": dict(LANGUAGE)}
    )
    if stamp:
        clean.metadata["recnb"] = {"executed": stamp}
    count = 0
    for cell in clean.cells:
        names = sorted(set(cell.metadata.get("tags", [])))
        cell.metadata = type(cell.metadata)({"tags": names} if names else {})
        if "solution" in names:
            cell.metadata["jupyter"] = dict(COLLAPSED)
        if cell.cell_type != "code":
            continue
        if cell.execution_count is not None:
            count += 1
            cell.execution_count = count
        outputs = [_output(output, cell.execution_count, replace or {}) for output in cell.outputs]
        cell.outputs = _joined([output for output in outputs if output is not None])
    return clean


def stamped(nb: Any) -> Any:
    """Return a copy that says which code its outputs are from."""
    marked = copy.deepcopy(nb)
    marked.metadata["recnb"] = {"executed": source_digest(nb)}
    return marked


def collect_records(nb: Any) -> list[dict[str, Any]]:
    """Return what `recnb.course.record` left in the outputs of a notebook, in order."""
    found = []
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            if MIME in output.get("data", {}):
                told = dict(output["data"][MIME])
                found.append({**told, "rows": [in_order(row) for row in told["rows"]]})
    return found


def texts(output: Any) -> list[str]:
    """Return the readable texts of an output: stream, error, plain, HTML and Markdown."""
    if output.output_type == "stream":
        return [_whole(output.text)]
    if output.output_type == "error":
        return [f"{output.ename}: {output.evalue}"]
    return [_whole(v) for k, v in output.get("data", {}).items() if k.startswith("text/")]


def _output(output: Any, count: int | None, replace: Mapping[str, str]) -> Any:
    if output.output_type == "stream":
        if output.name == "stderr":
            return None
        output.text = _text(output.text, replace)
        return output if output.text else None
    if output.output_type == "error":
        output.traceback = [_text(line, replace) for line in output.traceback]
        return output
    if WIDGET in output.data:
        output.data.pop(WIDGET)
        if "text/html" not in output.data:  # nothing but the widget
            return None
    for kind, value in output.data.items():
        if kind == MIME:
            record = {k: v for k, v in value.items() if k != "run"}
            output.data[kind] = _rounded(record)
        elif kind.startswith("text/"):
            output.data[kind] = _text(value, replace)
        elif isinstance(value, str) and kind.startswith("image/"):
            output.data[kind] = value.strip() + ("\n" if kind == "image/svg+xml" else "")
    sizes = {
        kind: {k: v for k, v in told.items() if k in ("width", "height")}
        for kind, told in output.metadata.items()
        if isinstance(told, dict)
    }
    output.metadata = {kind: size for kind, size in sizes.items() if size}
    if output.output_type == "execute_result":
        output.execution_count = count
    return output


def _text(text: Any, replace: Mapping[str, str]) -> str:
    kept = []
    for line in _whole(text).replace("\r\n", "\n").split("\n"):
        line = COLOUR.sub("", line.rsplit("\r", 1)[-1])  # what a terminal would still show
        if PROGRESS.search(line):
            continue
        for found, name in replace.items():
            line = line.replace(found, name)
        kept.append(ADDRESS.sub("", line))
    return "\n".join(kept)


def _whole(text: Any) -> str:
    return text if isinstance(text, str) else "".join(text)


def _joined(outputs: list[Any]) -> list[Any]:
    """One output for what was printed in a row, however the kernel cut it."""
    joined: list[Any] = []
    for output in outputs:
        if output.output_type == "stream" and joined and joined[-1].output_type == "stream":
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list) else value
