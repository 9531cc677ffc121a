"""What training minimises: a loss over scores, soft labels, a second pass, a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch.nn import functional as F

from recnb.training import losses
from recnb.training.losses import weighted_mean


class Scores(NamedTuple):
    """Scores of the rows' items, of shape (n,), and of their candidates, (n, m); None where ratings are predicted."""

    own: torch.Tensor
    others: torch.Tensor | None


@dataclass(frozen=True)
class Objective:
    """A loss with what is added to it against overfitting.

    Parameters
    ----------
    loss : str
        Of :data:`recnb.training.losses.LOSSES`.
    smoothing : float
        Share of the label that is spread over the open candidates; of two classes, half of it to each.
    r_drop : float
        Weight of the divergence of two passes.
    taught : float
        Weight of the divergence from a teacher, against 1 less this of the loss.
    temperature : float
        By which the scores of teacher and student are divided (Hinton et al. 2015, section 2).
    """

    loss: str = "softmax"
    smoothing: float = 0.0
    r_drop: float = 0.0
    taught: float = 0.0
    temperature: float = 1.0

    def value(self, scores: Scores, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The loss of a batch, a scalar."""
        hard = self._hard(scores, batch)
        if not self.taught or "teacher" not in batch:
            return hard
        t = self.temperature
        logits, open_ = _row(scores, batch)
        shares = F.softmax((batch["teacher"] / t).masked_fill(~open_, float("-inf")), dim=1)
        soft = -(shares * _log_shares(logits / t, open_)).sum(1)
        soft = soft + (shares * shares.clamp(min=1e-30).log()).sum(1)
        return (1 - self.taught) * hard + self.taught * t**2 * weighted_mean(
            soft, batch.get("shares")
        )

    def _hard(self, scores: Scores, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        own, others = scores
        if others is None:
            return losses.squared(own, batch["ratings"])
        open_, shares, s = batch["open"], batch.get("shares"), self.smoothing
        if self.loss in ("bce", "bpr"):
            loss = losses.binary if self.loss == "bce" else losses.bpr
            hard = loss(own, others, open_, shares=shares)
            # a smoothed label is a mixture of the label and its opposite
            return (
                hard
                if not s
                else (1 - s / 2) * hard + s / 2 * loss(-own, -others, open_, shares=shares)
            )
        log_q = (batch.get("own_log_q"), batch.get("log_q"))
        hard = losses.softmax(own, others, open_, *log_q, shares)
        if not s:
            return hard
        own_log_q, other_log_q = log_q
        if own_log_q is not None and other_log_q is not None:
            own, others = own - own_log_q, others - other_log_q
        logits, all_open = _row(Scores(own, others), batch)
        even = -_log_shares(logits, all_open).sum(1) / all_open.sum(1)
        return (1 - s) * hard + s * weighted_mean(even, shares)

    def apart(self, a: Scores, b: Scores, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Symmetric divergence of two passes, the mean over rows: of what the loss takes the scores for.

        Shares of the candidates for softmax and InfoNCE, yes or no of each for the others, normal distributions of
        unit variance for ratings.
        """
        shares = batch.get("shares")
        if a.others is None or b.others is None:
            return (a.own - b.own).square().mean() / 2
        open_ = batch["open"]
        if self.loss == "bce":
            others = _two(a.others, b.others).masked_fill(~open_, 0).sum(1)
            return weighted_mean(_two(a.own, b.own) + others / open_.sum(1).clamp(min=1), shares)
        if self.loss == "bpr":
            rows = (
                _two(a.own[:, None] - a.others, b.own[:, None] - b.others)
                .masked_fill(~open_, 0)
                .sum(1)
            )
            return weighted_mean(rows / open_.sum(1).clamp(min=1), shares)
        (left, all_open), (right, _) = _row(a, batch), _row(b, batch)
        p, q = _log_shares(left, all_open), _log_shares(right, all_open)
        return weighted_mean(((p.exp() - q.exp()) * (p - q)).sum(1) / 2, shares)


def _row(scores: Scores, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """The row's item and its candidates side by side, (n, 1 + m), and which of them count."""
    assert scores.others is not None
    first = torch.ones_like(batch["open"][:, :1])
    return torch.cat([scores.own[:, None], scores.others], 1), torch.cat([first, batch["open"]], 1)


def _log_shares(logits: torch.Tensor, open_: torch.Tensor) -> torch.Tensor:
    """Logarithms of the softmax over open places; 0 at the others, so that sums pass over them."""
    shares = F.log_softmax(logits.masked_fill(~open_, float("-inf")), dim=1)
    return shares.masked_fill(~open_, 0.0)


def _two(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Symmetric divergence of two classes, from the logits of one."""
    return (torch.sigmoid(a) - torch.sigmoid(b)) * (a - b) / 2
