"""Every notebook in full on a GPU: what it records is what was measured before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recnb.course import run_notebook
from recnb.course.notebook import find_notebooks
from tools.notebooks.expected import compare

ROOT = Path(__file__).parents[2]
EXPECTED = ROOT / "tests" / "notebooks" / "expected"
HOUR = 3600.0

pytestmark = pytest.mark.gpu


def test_a_gpu_computes() -> None:
    import torch

    ones = torch.ones(64, 64, device="cuda")
    assert float((ones @ ones).sum()) == 64**3


@pytest.mark.parametrize("path", find_notebooks(ROOT), ids=lambda path: path.stem)
def test_recorded_values_are_as_expected(path: Path, tmp_path: Path) -> None:
    file = EXPECTED / f"{path.name[:2]}.json"
    if not file.exists():
        command = f"python -m tools.notebooks.expected {path.name[:2]}"
        pytest.fail(f"no values are expected yet; measure them here: {command}", pytrace=False)
    expected = json.loads(file.read_text(encoding="utf-8"))
    run = run_notebook(
        path, None, expected["profile"], tmp_path, cell_timeout=HOUR, notebook_timeout=2 * HOUR
    )
    (record,) = run.records
    assert compare(record["rows"], expected) == []
