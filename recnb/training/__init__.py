"""Training of networks: settings, one loop, the efficient step, checkpoints that survive a kill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

# Loaded at first use: torch only where something needs it.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "batches": ["FRESH", "HEAD", "LIVE", "BatchPlan", "Batches"],
        "checkpoint": ["forget"],
        "loop": ["Trained", "train"],
        "learning_rates": ["RangeTest", "range_test"],
        "losses": ["catalogue_softmax"],
        "memory": ["SavedBytes", "state_bytes"],
        "optimiser": ["rate"],
        "regularisation": ["Regularisation", "Regularised", "divergence", "smoothed_loss"],
        "settings": ["Training"],
        "steps": ["RowScorer", "StepCosts", "gradients_of", "labelled_rows", "step_costs"],
        "wrapping": ["fewer_activations"],
    },
)

if TYPE_CHECKING:
    from recnb.training.batches import FRESH as FRESH
    from recnb.training.batches import HEAD as HEAD
    from recnb.training.batches import LIVE as LIVE
    from recnb.training.batches import Batches as Batches
    from recnb.training.batches import BatchPlan as BatchPlan
    from recnb.training.checkpoint import forget as forget
    from recnb.training.learning_rates import RangeTest as RangeTest
    from recnb.training.learning_rates import range_test as range_test
    from recnb.training.loop import Trained as Trained
    from recnb.training.loop import train as train
    from recnb.training.losses import catalogue_softmax as catalogue_softmax
    from recnb.training.memory import SavedBytes as SavedBytes
    from recnb.training.memory import state_bytes as state_bytes
    from recnb.training.optimiser import rate as rate
    from recnb.training.regularisation import Regularisation as Regularisation
    from recnb.training.regularisation import Regularised as Regularised
    from recnb.training.regularisation import divergence as divergence
    from recnb.training.regularisation import smoothed_loss as smoothed_loss
    from recnb.training.settings import Training as Training
    from recnb.training.steps import RowScorer as RowScorer
    from recnb.training.steps import StepCosts as StepCosts
    from recnb.training.steps import gradients_of as gradients_of
    from recnb.training.steps import labelled_rows as labelled_rows
    from recnb.training.steps import step_costs as step_costs
    from recnb.training.wrapping import fewer_activations as fewer_activations
