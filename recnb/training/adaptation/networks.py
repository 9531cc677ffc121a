"""What an adaptation minimises: guessed words, and distances between readings and between items."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from recnb.encoders.text.tower import TextTower

_STAYS, _OTHER = 0.1, 0.1  # of the guessed words: left as they are, and made another one


class Contrastive(nn.Module):
    """Texts of a batch told apart from each other, a positive beside each.

    Parameters
    ----------
    tower : TextTower
    temperature : float
    anchor : float
        Weight of the distance to the vectors at the start.
    """

    before: torch.Tensor

    def __init__(self, tower: TextTower, temperature: float, anchor: float = 0.0) -> None:
        super().__init__()
        self.tower, self.temperature, self.anchor = tower, temperature, anchor
        before = F.normalize(tower.all_states()[:, -1], dim=-1) if anchor else torch.zeros(0)
        self.register_buffer("before", before, persistent=False)

    def encoder_network(self) -> Any:
        """The language model."""
        return self.tower.network

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The language model's weights alone."""
        return [{"name": "encoder", "params": list(self.tower.trained_parameters())}]

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The loss of a batch, a scalar.

        Parameters
        ----------
        batch : dict
            `left`, `right` of shape (n,), int: texts and their positives. `same`, (n, n), bool: pairs besides the own
            ones that are no negatives.
        """
        left, right = batch["left"], batch["right"]
        if torch.equal(left, right):  # one text, two readings
            a, b = self._vectors(left), self._vectors(right)
            drawn, of_drawn = left, a
        else:
            drawn, place = torch.unique(torch.cat([left, right]), return_inverse=True)
            of_drawn = self._vectors(drawn)
            a, b = of_drawn[place].chunk(2)
        cosines = (a @ b.T / self.temperature).masked_fill(batch["same"], float("-inf"))
        own = torch.arange(len(left), device=left.device)
        loss = (F.cross_entropy(cosines, own) + F.cross_entropy(cosines.T, own)) / 2
        if self.anchor:
            loss = loss + self.anchor * (of_drawn - self.before[drawn]).square().sum(-1).mean()
        return loss

    def _vectors(self, texts: torch.Tensor) -> torch.Tensor:
        return F.normalize(self.tower(texts)[:, -1], dim=-1)


class Masked(nn.Module):
    """Hidden words guessed from the others.

    Parameters
    ----------
    network : torch.nn.Module
        A language model that looks both ways.
    special : Tensor of shape (n_tokens,), bool
        Tokens that are never hidden.
    mask : int
        Id of the token that hides a word.
    share : float
        Of the words that are guessed.

    Notes
    -----
    The head is new: a layer, and the word vectors as its output weights (Devlin et al. 2019, appendix A); most
    published sentence encoders come without the one that they were pretrained with.
    """

    special: torch.Tensor

    def __init__(self, network: Any, special: torch.Tensor, mask: int, share: float) -> None:
        super().__init__()
        self.network, self.mask, self.share = network, mask, share
        words = network.get_input_embeddings().weight
        dim = words.shape[1]
        self.head = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.LayerNorm(dim))
        self.bias = nn.Parameter(torch.zeros(len(words)))
        self.register_buffer("special", special, persistent=False)

    def encoder_network(self) -> Any:
        """The language model."""
        return self.network

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The language model's weights, and the head's."""
        encoder = [p for p in self.network.parameters() if p.requires_grad]
        return [
            {"name": "encoder", "params": encoder},
            {"name": "head", "params": [*self.head.parameters(), self.bias]},
        ]

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Mean cross-entropy of the guessed words of `ids`, `seen` (n, length); a scalar."""
        ids, seen = batch["ids"], batch["seen"]
        free = seen.bool() & ~self.special[ids]
        guessed = free & (torch.rand(ids.shape, device=ids.device) < self.share)
        if not guessed.any():  # a word at least
            guessed = free & (free.cumsum(1) == 1)
        chance = torch.rand(ids.shape, device=ids.device)
        told = ids.masked_fill(guessed & (chance >= _STAYS + _OTHER), self.mask)
        other = torch.randint(len(self.special), ids.shape, device=ids.device)
        told = torch.where(guessed & (chance < _OTHER), other, told)
        states = self.network(input_ids=told, attention_mask=seen).last_hidden_state[guessed]
        words = self.network.get_input_embeddings().weight
        return F.cross_entropy(self.head(states) @ words.T + self.bias, ids[guessed])
