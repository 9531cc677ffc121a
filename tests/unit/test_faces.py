"""The faces of packages that need torch: every name is there, and naming the package loads nothing heavy."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import recnb

FACES = (
    "recnb.encoders",
    "recnb.encoders.decoder",
    "recnb.training",
    "recnb.tuning",
    "recnb.models.language",
    "recnb.models.two_tower",
)


@pytest.mark.parametrize("face", FACES)
def test_every_name_is_there(face):
    pytest.importorskip("torch")
    package = importlib.import_module(face)
    assert package.__all__
    assert not [name for name in package.__all__ if getattr(package, name, None) is None]


def test_faces_load_nothing_heavy():
    code = f"import sys, {', '.join(FACES)}; print(*{{m.split('.')[0] for m in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(recnb.__file__).parent.parent,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & {"torch", "transformers", "peft", "accelerate"}
