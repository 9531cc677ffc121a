"""Training of networks: settings, one loop, checkpoints that survive a kill."""

from __future__ import annotations

from recnb.training.checkpoint import forget
from recnb.training.loop import Trained, train
from recnb.training.settings import Training

__all__ = ["Trained", "Training", "forget", "train"]
