"""A tiny module with all that makes a training hard to repeat, and its batches."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

N_USERS, N_ITEMS = 6, 7


class Tiny(torch.nn.Module):
    """Users and item vectors; draws from all three random generators, and has buffers."""

    def __init__(self, seed: int = 0, noise: bool = True) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.users = torch.nn.Embedding(N_USERS, 4)
        self.encoder = torch.nn.Linear(3, 4)
        self.norm = torch.nn.LayerNorm(4)
        self.unused = torch.nn.Linear(2, 2)  # gets a gradient in batches with users only
        self.register_buffer("seen", torch.zeros(1))
        self.register_buffer("level", torch.zeros(1))  # a running mean, as of a batch norm
        self.register_buffer("items", torch.randn(N_ITEMS, 3, generator=generator))
        for p in self.parameters():
            p.data = torch.randn(p.shape, generator=generator) * 0.3
        self.noise = noise

    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        if self.training:
            self.level.lerp_(batch["ratings"].mean(), 0.1)
        vectors = self.norm(self.encoder(self.items[batch["items"]]))
        if self.noise and self.training:
            self.seen += 1
            vectors = torch.nn.functional.dropout(vectors, 0.3)
            vectors = vectors * (1 + 0.1 * random.random() + 0.1 * np.random.rand())  # noqa: NPY002
        scores = (self.users(batch["users"]) * vectors).sum(1)
        if batch.get("extra"):
            scores = scores + self.unused(torch.ones(2)).sum()
        return ((scores - batch["ratings"]) ** 2).mean()

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [
            {"name": "encoder", "params": self.encoder.parameters()},
            {"name": "tables", "params": self.users.parameters()},
            {"name": "head", "params": [*self.norm.parameters(), *self.unused.parameters()]},
        ]


def batches_of(epoch: int, n: int = 5, size: int = 4) -> list[dict[str, Any]]:
    """`n` batches, others in each epoch."""
    rng = np.random.default_rng(epoch)
    return [
        {
            "users": torch.as_tensor(rng.integers(0, N_USERS, size)),
            "items": torch.as_tensor(rng.integers(0, N_ITEMS, size)),
            "ratings": torch.as_tensor(rng.normal(size=size), dtype=torch.float32),
            "extra": bool(number % 2),
        }
        for number in range(n)
    ]


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    """Whether all weights and buffers agree to the last bit."""
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[n], right[n]) for n in left)
