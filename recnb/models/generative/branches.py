"""Which tokens may follow in training, and the loss among them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from recnb.models.generative.trie import Trie


class Branches(nn.Module):
    """The tree of the ids that may be targets, as tensors.

    Parameters
    ----------
    tokens : Tensor of shape (n_rows, depth), int64
    sizes : sequence of int
        Tokens of each level.
    n_known : int
        The first rows, those that may be targets.

    Attributes
    ----------
    depths : Tensor of shape (n_known,), int64
        How many tokens of each id have to be told, at least 1: those behind are told by no other id.
    """

    depths: torch.Tensor

    def __init__(self, tokens: torch.Tensor, sizes: tuple[int, ...], n_known: int) -> None:
        super().__init__()
        trie = Trie(tokens[:n_known].numpy())
        depths = np.ones(n_known, np.int64)
        for level, size in enumerate(sizes):
            open_ = np.flatnonzero(trie.counts(level) > 1)
            rows, following, _ = trie.children(level, open_)
            may = np.zeros((max(len(open_), 1), size), bool)
            may[rows, following] = True
            if not len(open_):
                may[:] = True
            number = np.zeros(len(trie.counts(level)), np.int64)
            number[open_] = np.arange(len(open_))
            nodes = trie.nodes(level)
            depths[np.isin(nodes, open_)] = level + 1
            held = {f"may{level}": may, f"node{level}": number[nodes]}
            for name, value in held.items():
                self.register_buffer(name, torch.from_numpy(value), persistent=False)
        self.register_buffer("depths", torch.from_numpy(depths), persistent=False)

    def loss(
        self, level: int, scores: torch.Tensor, targets: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        """Summed cross-entropy of a level's tokens among those with which an id goes on.

        Parameters
        ----------
        level : int
        scores : Tensor of shape (n, n_tokens)
        targets, tokens : Tensor of shape (n,), int64
            Rows of the items, and their tokens at this level.
        """
        may = getattr(self, f"may{level}")[getattr(self, f"node{level}")[targets]]
        scores = scores.float().masked_fill(~may, -torch.inf)
        return F.cross_entropy(scores, tokens, reduction="sum")
