"""The foot of a notebook: previous, next, and the reading path with its minutes."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest

from recnb.errors import InputError
from tools.notebooks.links import main, navigation
from tools.notebooks.structure import check

WAY = """\
"40": {topic: Metrics, minutes: 5, part: the first half}
"00": {topic: Start, minutes: 10, part: all}
"01": {topic: Aside, minutes: 20}
"""


@pytest.fixture
def three(stored: Path) -> Path:
    for name in ("01_aside.ipynb", "40_metrics.ipynb"):
        shutil.copy(stored, stored.with_name(name))
    (stored.parent / "path.yaml").write_text(WAY)
    return stored


def test_a_notebook_leads_on(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(three.parent)
    before = nbformat.read(three, as_version=4)
    assert main([]) == 0 and main([]) == 0  # twice is once
    after = nbformat.read(three, as_version=4)
    assert len(after.cells) == len(before.cells)
    foot = after.cells[-1].source
    assert "**00 Start** · [01 Aside](01_aside.ipynb) →" in foot and "←" not in foot
    path = "[40](40_metrics.ipynb) (the first half, 5 min) → **00** (10 min)"  # as the file has it
    assert f"Reading path (15 minutes): {path}." in foot
    middle = navigation(three.with_name("01_aside.ipynb"))
    assert (
        "← [00 Start](00_small.ipynb) · **01 Aside** · [40 Metrics](40_metrics.ipynb) →" in middle
    )
    assert "→" not in navigation(three.with_name("40_metrics.ipynb")).split("\n\n")[0]
    assert check(three) == []


def test_an_old_foot_and_a_notebook_without_a_place_are_caught(
    three: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert any("does not lead on" in problem for problem in check(three))
    (three.parent / "path.yaml").write_text(WAY.replace('"01"', '"02"'))
    with pytest.raises(InputError, match=r"path\.yaml: notebook 01 has no entry"):
        check(three)
    monkeypatch.chdir(three.parent)
    assert main(["00"]) == 2
    assert "notebook 01 has no entry" in capsys.readouterr().err
