"""Settings that suit the tiny module."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# where tiny_training lies, for these tests and for the scripts they start
sys.path.insert(0, str(Path(__file__).parent))

from recnb.training import Training


@pytest.fixture
def quick() -> Training:
    return Training(epochs=3, lr=0.05, lr_encoder=0.02, device="cpu")
