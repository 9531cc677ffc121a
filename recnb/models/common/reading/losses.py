"""Losses of the next item over drawn negatives; the whole catalogue's is in :mod:`recnb.training.losses`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from recnb.training.losses import catalogue_softmax

LOSSES = ("auto", "softmax", "sampled", "gbce")
FEW = 8  # negatives that each target draws for itself; more are drawn for the batch as a whole
MOST_ITEMS = 20_000  # up to here "auto" takes all items as candidates


@dataclass(frozen=True)
class NextItem:
    """A loss over states and targets.

    Parameters
    ----------
    name : {"softmax", "sampled", "gbce"}
        Cross-entropy over the catalogue; over drawn items, corrected for how they were drawn; binary cross-entropy
        whose positive part is flattened, see `calibration`.
    n_negatives : int
        Items drawn: for each target up to 8, else for the batch.
    calibration : float
        Of "gbce", from 0 (plain binary cross-entropy) to 1 (scores as a softmax would have them).

    References
    ----------
    X. Yi et al. (2019), "Sampling-bias-corrected neural modeling", equation 3 (log-Q); A. Petrov & C. Macdonald (2023),
    "gSASRec: reducing overconfidence in sequential recommendation trained with negative sampling", equations 4 and 10.
    """

    name: str
    n_negatives: int = 256
    calibration: float = 0.75

    def __call__(
        self,
        states: torch.Tensor,
        table: torch.Tensor,
        targets: torch.Tensor,
        shares: torch.Tensor | None,
    ) -> torch.Tensor:
        """The mean over the targets.

        Parameters
        ----------
        states : Tensor of shape (n, width)
        table : Tensor of shape (n_items, width)
        targets : Tensor of shape (n,), int64
        shares : Tensor of shape (n_items,), optional
            How often each item is drawn, for "sampled"; uniform for "gbce".
        """
        if self.name == "softmax":
            return catalogue_softmax(states, table, targets)
        positive = (states * table[targets]).sum(1).float()
        drawn = self._draw(len(targets), len(table), shares, states.device)
        if drawn.ndim == 1:
            negative = (states @ table[drawn].T).float()
            same = targets[:, None] == drawn
        else:
            negative = torch.einsum("nd,nkd->nk", states, table[drawn]).float()
            same = targets[:, None] == drawn
        if self.name == "sampled":
            assert shares is not None
            # the expected number of times that an item is drawn; the target is there for certain
            expected = (shares * self.n_negatives).clamp(min=1e-30).log()
            negative = negative - expected[drawn]
            scores = torch.cat([positive[:, None], negative.masked_fill(same, -torch.inf)], dim=1)
            return (scores.logsumexp(1) - positive).mean()
        power = self._power(len(table))
        zeros = F.softplus(negative).masked_fill(same, 0)
        return (power * F.softplus(-positive) + zeros.sum(1)).mean()

    def _draw(
        self, n: int, n_items: int, shares: torch.Tensor | None, device: torch.device
    ) -> torch.Tensor:
        """Negatives, (n, n_negatives) or (n_negatives,); from the loop's random stream."""
        shape = (n, self.n_negatives) if self.n_negatives <= FEW else (self.n_negatives,)
        if self.name == "gbce" or shares is None:
            return torch.randint(n_items, shape, device=device)
        size = shape[0] * (shape[1] if len(shape) > 1 else 1)
        return torch.multinomial(shares, size, replacement=True).view(shape)

    def _power(self, n_items: int) -> float:
        rate = min(self.n_negatives / max(n_items - 1, 1), 1.0)
        return rate * (self.calibration * (1 - 1 / rate) + 1 / rate)
