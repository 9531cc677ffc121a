"""The network over joint sequences: what a token is besides its word, a head, and the losses."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from recnb.encoders.text.joint import JointTower, Sequences

SCALE = 4.0  # of the cosine at the start, where it ranks
THOUGHTS = 3  # of an item in a history: not known, not liked, liked


class Match(nn.Module):
    """A number for how well a vector fits a history: a line through both, their product and difference, and the cosine.

    Parameters
    ----------
    dim : int
    dropout : float
    scale : float
        Of the cosine at the start.

    Notes
    -----
    The line starts at zero, so that before any training it is the cosine, as in a frozen encoder.

    Examples
    --------
    >>> match, x = Match(4), torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    >>> match(x, torch.stack([x, -x], dim=1)).tolist()
    [[4.0, -4.0]]
    """

    def __init__(self, dim: int, dropout: float = 0.0, scale: float = SCALE) -> None:
        super().__init__()
        self.dim, self.dropout = dim, nn.Dropout(dropout)
        self.line = nn.Linear(4 * dim, 1)
        self.scale = nn.Parameter(torch.tensor(float(scale)))
        nn.init.zeros_(self.line.weight)
        nn.init.zeros_(self.line.bias)

    def forward(self, history: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        """Scores of shape (n, m) of vectors (n, m, dim) for histories (n, dim)."""
        cosine = (F.normalize(history, dim=-1)[:, None] * F.normalize(vectors, dim=-1)).sum(-1)
        h = F.layer_norm(history, (self.dim,))[:, None].expand_as(vectors)
        v = F.layer_norm(vectors, (self.dim,))
        read = torch.cat([h, v, h * v, (h - v).abs()], dim=-1)
        return self.line(self.dropout(read)).squeeze(-1) + self.scale * cosine


class JointNetwork(nn.Module):
    """Scores of candidates that were read together with a history.

    Parameters
    ----------
    tower : JointTower
    sees : {"own", "slate", "all"}
        See :class:`recnb.encoders.text.joint.Sequences`.
    loss : {"bce", "softmax", "mse", "tokens"}
        Cross-entropy of each candidate, wanted or not; of each wanted one among itself and the row's unwanted ones;
        squared error of ratings; cross-entropy of each token, whose label is its candidate's.
    max_history : int
    slots : int
        Places of a slate that a token is told apart by; 0: a candidate's place is not told.
    mean : float
        Added to every score: the mean rating.
    dropout : float
    table_lr : float
        Learning rate of the learned vectors below.

    Notes
    -----
    How long ago an item of the history was, what was thought of it, whether a token is the history's or a candidate's,
    and a candidate's place in the slate are learned vectors added to what enters the joint layers; they start at zero.
    """

    mean: torch.Tensor

    def __init__(
        self,
        tower: JointTower,
        sees: str,
        loss: str,
        max_history: int,
        slots: int = 0,
        mean: float = 0.0,
        dropout: float = 0.0,
        table_lr: float = 1e-4,
    ) -> None:
        super().__init__()
        self.tower, self.sees, self.loss, self.table_lr = tower, sees, loss, table_lr
        dim = tower.dim
        self.age = nn.Embedding(max_history, dim)
        self.thought = nn.Embedding(THOUGHTS, dim)
        self.kind = nn.Embedding(2, dim)
        self.slot = nn.Embedding(slots + 1, dim) if slots else None
        for table in self._tables():
            nn.init.zeros_(table.weight)
        # a rating is at first the mean
        self.match = Match(dim, dropout, 0.0 if loss == "mse" else SCALE)
        self.register_buffer("mean", torch.tensor(float(mean)))

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The language model's parameters and all else, for the optimiser."""
        encoder = list(self.tower.trained_parameters())
        tables = [t.weight for t in self._tables()]
        groups: list[dict[str, Any]] = [
            {"name": "encoder", "params": encoder},
            {"name": "head", "params": list(self.match.parameters())},
            # Adam moves noise as fast as signal: a place in a slate has no signal
            {"name": "tables", "params": tables, "lr": self.table_lr},
        ]
        return [group for group in groups if group["params"]]

    def _tables(self) -> list[nn.Embedding]:
        tables = (self.age, self.thought, self.kind, self.slot)
        return [table for table in tables if table is not None]

    def encoder_network(self) -> nn.Module:
        """The language model, for gradient checkpointing."""
        return self.tower.network

    def read(self, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Last states of the tokens (n, length, dim), and which part each is in (n, length, n_parts).

        1 in its part, -1 for a token of the history that was not liked, else 0.
        """
        part = batch["part"]
        added = self.kind((part > 0).long()) + self.thought(batch["thought"])
        added = added + self.age(batch["age"]) * (part == 0)[..., None]
        if self.slot is not None:
            added = added + self.slot(batch["slot"])
        sequences = Sequences(batch["tokens"], part, batch["position"], self.sees)
        states = self.tower.read(sequences, added)
        inside = F.one_hot(part + 1, int(batch["n_candidates"]) + 2)[..., 1:]
        # what was not liked counts against
        sign = torch.where((part == 0) & (batch["thought"] == 1), -1, 1)
        return states, (inside * sign[..., None]).to(states.dtype)

    def scores(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Scores of the candidates of each row: (n, n_candidates); of places without a candidate anything."""
        states, inside = self.read(batch)
        pooled = _means(states, inside)
        if self.loss == "tokens":
            tokens = self.match(pooled[:, 0], states)[..., None]
            return _means(tokens, inside)[:, 1:, 0]
        return self.match(pooled[:, 0], pooled[:, 1:]) + self.mean

    def token_scores(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """A score for every token: (n, length)."""
        states, inside = self.read(batch)
        return self.match(_means(states, inside)[:, 0], states)

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The loss of a batch.

        Parameters
        ----------
        batch : dict
            As :func:`recnb.models.language.joint.sequences.batch_of` gives it, and `labels` of shape (n, n_candidates),
            float: 1 wanted, 0 not, or ratings; NaN where there is no candidate. Where each candidate has its sequence,
            `at` of shape (n_sequences, 2) is its place among the labels.
        """
        labels = batch["labels"]
        if self.loss == "tokens":
            return self._token_loss(batch, labels)
        scores, there = self._placed(batch), ~labels.isnan()
        wanted = torch.where(there, labels, 0)
        if self.loss == "mse":
            return (scores - wanted)[there].square().mean()
        if self.loss == "bce":
            return F.binary_cross_entropy_with_logits(scores[there], wanted[there])
        unwanted = (there & (wanted == 0))[:, None, :]
        own = torch.eye(labels.shape[1], dtype=torch.bool, device=labels.device)[None]
        among = scores[:, None, :].masked_fill(~(unwanted | own), float("-inf"))
        loss = torch.logsumexp(among, dim=-1) - scores
        return loss[there & (wanted == 1)].mean()

    def logits(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Scores of all candidates of a batch, one after the other; of yes or no ("bce")."""
        return self._placed(batch)[~batch["labels"].isnan()]

    def targets(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Their labels."""
        labels = batch["labels"]
        return labels[~labels.isnan()]

    def entry(self) -> nn.Module:
        """Where noise on words and their vectors enters."""
        layer = self.tower.entry()
        assert layer is not None  # at least one layer is trained
        return layer

    def _placed(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Scores in the places of the labels."""
        scores = self.scores(batch)
        if "at" not in batch:
            return scores
        row, column = batch["at"].unbind(1)  # a sequence for each candidate
        return torch.zeros_like(batch["labels"]).index_put((row, column), scores[:, 0])

    def _token_loss(self, batch: dict[str, torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        scores, part = self.token_scores(batch), batch["part"]
        of_token = labels.gather(1, (part - 1).clamp(min=0))
        there = (part > 0) & ~of_token.isnan()
        return F.binary_cross_entropy_with_logits(scores[there], of_token[there])


def _means(states: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Mean states of the parts of each row, with their signs: (n, n_parts, dim); zero where a part has no token."""
    total = torch.bmm(inside.transpose(1, 2), states)
    return total / inside.abs().sum(dim=1).clamp(min=1)[..., None]
