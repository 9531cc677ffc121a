"""Residual-quantised autoencoder: codes whose centres are learned together with the space they are in."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from recnb.models.generative.identifiers import Identifiers, residual_kmeans
from recnb.training import Training, train

COMMITMENT = 0.25
BATCH = 1024


class RQVAE(nn.Module):
    """An autoencoder between whose halves the state is replaced by a sum of centres.

    Parameters
    ----------
    dim, width : int
        Of the vectors and of the space of the centres.
    n_codes, n_levels : int

    References
    ----------
    D. Lee et al. (2022), "Autoregressive image generation using residual quantization", section 3.1; S. Rajput et al.
    (2023), "Recommender systems with generative retrieval", section 3.1.
    """

    def __init__(self, dim: int, width: int, n_codes: int, n_levels: int) -> None:
        super().__init__()
        middle = max(width, dim // 3)
        self.encode = nn.Sequential(nn.Linear(dim, middle), nn.ReLU(), nn.Linear(middle, width))
        self.decode = nn.Sequential(nn.Linear(width, middle), nn.ReLU(), nn.Linear(middle, dim))
        self.books = nn.ParameterList(torch.randn(n_codes, width) for _ in range(n_levels))

    def quantise(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The sum of centres, the loss that draws centres and states together, and the codes."""
        rest, total, codes = states, torch.zeros_like(states), []
        loss = states.new_zeros(())
        for book in self.books:
            nearest = torch.cdist(rest.detach(), book.detach()).argmin(1)
            centre = book[nearest]
            loss = loss + F.mse_loss(centre, rest.detach())
            loss = loss + COMMITMENT * F.mse_loss(rest, centre.detach())
            total, rest = total + centre, rest - centre.detach()
            codes.append(nearest)
        # the gradient of the decoder passes to the encoder as if nothing had been replaced
        return states + (total - states).detach(), loss, torch.stack(codes, dim=1)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        quantised, loss, _ = self.quantise(self.encode(vectors))
        return F.mse_loss(self.decode(quantised), vectors) * vectors.shape[1] + loss

    @torch.no_grad()
    def latent(self, vectors: torch.Tensor) -> torch.Tensor:
        """The states that are quantised."""
        return self.encode(vectors)


def rqvae_codes(
    vectors: np.ndarray,
    n_codes: int = 256,
    n_levels: int = 3,
    width: int = 32,
    n_epochs: int = 100,
    seed: int = 0,
) -> tuple[Identifiers, dict[str, np.ndarray]]:
    """Identifiers by a trained autoencoder, and the weights of its encoder for new items (:func:`encoded`).

    The centres start at residual k-means of the untrained encoder's states, without which most are never used.

    Parameters
    ----------
    vectors : ndarray of shape (n_items, dim)
    n_codes, n_levels, width, n_epochs, seed : int
    """
    rows = torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = RQVAE(rows.shape[1], width, n_codes, n_levels)
    start = residual_kmeans(network.latent(rows).numpy(), n_codes, n_levels, seed)
    network.books = nn.ParameterList(torch.from_numpy(centres) for centres in start.books)

    def batches(epoch: int) -> Any:
        order = np.random.default_rng([seed, epoch]).permutation(len(rows))
        return [rows[order[at : at + BATCH]] for at in range(0, len(rows), BATCH)]

    train(network, batches, Training(epochs=n_epochs, lr=1e-3, seed=seed, schedule="cosine"))
    network.cpu()
    books = [book.detach().numpy() for book in network.books]
    with torch.no_grad():
        codes = network.quantise(network.encode(rows))[2].numpy()
    weights = {
        name: value.detach().numpy()
        for name, value in network.state_dict().items()
        if name.startswith("encode.")
    }
    return Identifiers.of(codes, books), weights


def encoded(vectors: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Vectors in the space of the centres."""
    first = vectors @ weights["encode.0.weight"].T + weights["encode.0.bias"]
    out = np.maximum(first, 0) @ weights["encode.2.weight"].T + weights["encode.2.bias"]
    return out.astype(np.float32)
