"""Against overfitting: noise on the words, on their vectors, on the labels, and averages of the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "losses": ["divergence", "smoothed_loss"],
        "settings": ["ADVERSARIAL", "AVERAGES", "Regularisation"],
        "shell": ["Regularised"],
    },
)

if TYPE_CHECKING:
    from recnb.training.regularisation.losses import divergence as divergence
    from recnb.training.regularisation.losses import smoothed_loss as smoothed_loss
    from recnb.training.regularisation.settings import ADVERSARIAL as ADVERSARIAL
    from recnb.training.regularisation.settings import AVERAGES as AVERAGES
    from recnb.training.regularisation.settings import Regularisation as Regularisation
    from recnb.training.regularisation.shell import Regularised as Regularised
