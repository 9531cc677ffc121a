"""A small convolutional network that reads pictures or sounds, trained on the interactions of one data set."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from recnb.data.media import open_audio, open_image
from recnb.errors import InputError
from recnb.models.common.item_tables import item_factors
from recnb.training import Training, train

PIXELS = 64
RATE, SECONDS, MELS, WINDOW = 8000, 4.0, 64, 512
HOP = WINDOW // 2
KINDS = ("image", "audio")


class SmallCNN(nn.Module):
    """Three convolutions, a pooling, a layer of features and the factors that they predict.

    Parameters
    ----------
    kind : {"image", "audio"}
        Of a picture mean and deviation of each channel are kept; of a sound the frequencies stay apart and only time
        is pooled, since a shift along them is another sound.
    n_factors : int
        Columns of the target.
    width : int
        Features.

    Notes
    -----
    The target are the item factors of the training interactions, so that the network needs no labels.

    References
    ----------
    A. van den Oord, S. Dieleman, B. Schrauwen, Deep content-based music recommendation, NeurIPS 2013, section 5.2.
    """

    def __init__(self, kind: str, n_factors: int, width: int = 64) -> None:
        super().__init__()
        if kind not in KINDS:
            raise InputError(f"kind={kind!r}", mend=f"one of {', '.join(KINDS)}")
        self.kind, self.width = kind, width
        sizes = (3 if kind == "image" else 1, 24, 48, 64)
        blocks = []
        for before, after in itertools.pairwise(sizes):
            conv = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
            blocks += [conv, nn.BatchNorm2d(after), nn.GELU()]
        self.trunk = nn.Sequential(*blocks)
        pooled = 2 * sizes[-1] * (1 if kind == "image" else MELS // 8)
        self.embed = nn.Sequential(nn.Dropout(0.2), nn.Linear(pooled, width), nn.GELU())
        self.top = nn.Linear(width, n_factors)

    def features(self, inputs: torch.Tensor) -> torch.Tensor:
        """Features of pictures (n, 3, 64, 64) or spectrograms (n, 1, 64, frames), scaled to a few units: (n, width)."""
        maps = self.trunk(inputs)
        if self.kind == "image":
            flat = maps.flatten(2)
            pooled = torch.cat([flat.mean(-1), flat.std(-1)], dim=1)
        else:
            pooled = torch.cat([maps.mean(-1).flatten(1), maps.amax(-1).flatten(1)], dim=1)
        return self.embed(pooled)

    def forward(self, batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Weighted mean squared error of the factors predicted from (inputs, factors, weights)."""
        inputs, factors, weights = batch
        wrong = (self.top(self.features(inputs)) - factors).square().mean(dim=1)
        return (wrong * weights).sum() / weights.sum()


def read_inputs(kind: str, files: Sequence[str | Path], frames: int | None = None) -> torch.Tensor:
    """What the network sees of files.

    Parameters
    ----------
    kind : {"image", "audio"}
    files : sequence of path
    frames : int, optional
        Length of the spectrograms; by default that of the longest sound, of which the first four seconds are read.

    Returns
    -------
    Tensor of shape (n, 3, 64, 64) or (n, 1, 64, frames), float32
        Pictures squared and scaled to -1 to 1; log-mel spectrograms at 8 kHz, each less its own maximum, in units of
        20 dB, as far down as 80 dB.
    """
    if kind == "image":
        size = (PIXELS, PIXELS)
        pictures = [np.asarray(open_image(file).resize(size)) for file in files]
        stacked = np.stack(pictures) if pictures else np.zeros((0, *size, 3), np.uint8)
        return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 127.5 - 1
    from transformers.audio_utils import mel_filter_bank

    bank = mel_filter_bank(WINDOW // 2 + 1, MELS, 40.0, RATE / 2, RATE, norm=None)
    filters = torch.from_numpy(np.asarray(bank)).float().T  # (mels, frequencies)
    window, found = torch.hann_window(WINDOW), []
    for file in files:
        wave = torch.from_numpy(open_audio(file, RATE, SECONDS))
        wave = nn.functional.pad(wave, (0, max(0, 2 * WINDOW - len(wave))))
        power = torch.stft(wave, WINDOW, HOP, window=window, return_complex=True).abs() ** 2
        level = 10 * torch.log10(filters @ power + 1e-10)
        found.append((level - level.max()).clamp(min=-80) / 20)
    frames = frames or max((part.shape[1] for part in found), default=8)
    out = torch.full((len(found), 1, MELS, frames), -4.0)
    for row, part in enumerate(found):
        out[row, 0, :, : part.shape[1]] = part[:, :frames]
    return out


def fit_cnn(
    kind: str,
    inputs: torch.Tensor,
    items: np.ndarray,
    liked: Any,
    n_factors: int = 32,
    width: int = 64,
    n_epochs: int = 60,
    patience: int = 8,
    lr: float = 3e-3,
    seed: int = 0,
) -> SmallCNN:
    """Train a network on the items that have both a file and users.

    Parameters
    ----------
    kind : {"image", "audio"}
    inputs : Tensor
        Of :func:`read_inputs`.
    items : ndarray of shape (n,), int
        Item code of each input.
    liked : csr_matrix of shape (n_users, n_items)
        Training pairs.
    n_factors : int
        Of the interactions, at most; see :func:`recnb.models.common.item_tables.item_factors`.
    width, n_epochs, lr, seed
    patience : int
        Epochs without a better error on a tenth of the items, which the network does not learn from, before it stops.

    Returns
    -------
    SmallCNN
        On the CPU, in evaluation mode.

    Raises
    ------
    InputError
        Fewer than 20 items have both.
    """
    users = np.asarray((liked > 0).sum(axis=0)).ravel()
    rows = np.flatnonzero(users[items] > 0)
    if len(rows) < 20:
        raise InputError(
            f"{len(rows)} items have a file and users: too few to train a network on",
            mend="name a pretrained encoder or give vectors",
        )
    factors = item_factors(liked, n_factors)
    # an item of many users has a long vector; its direction is what it is about
    target = factors[items] / np.sqrt(np.maximum(users[items], 1))[:, None]
    target = (target - target[rows].mean(axis=0)) / target[rows].std()
    weights = np.sqrt(users[items])
    rng = np.random.default_rng(seed)
    rows = rng.permutation(rows)
    aside, own = rows[: max(4, len(rows) // 10)], rows[max(4, len(rows) // 10) :]
    goal = torch.from_numpy(target.astype(np.float32))
    weight = torch.from_numpy(weights.astype(np.float32))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SmallCNN(kind, goal.shape[1], width)

    def batches(epoch: int) -> list[tuple[torch.Tensor, ...]]:
        draw = np.random.default_rng([seed, epoch])
        parts = np.array_split(draw.permutation(own), max(1, len(own) // 64))
        return [
            (_varied(kind, inputs[part], draw), goal[part], weight[part])
            for part in map(torch.from_numpy, parts)
        ]

    def closeness(module: Any) -> float:
        device = next(module.parameters()).device
        given = (t[torch.from_numpy(aside)].to(device) for t in (inputs, goal, weight))
        return -float(module(tuple(given)))

    settings = Training(
        epochs=n_epochs, lr=lr, weight_decay=0.05, warmup=0.05, schedule="cosine", patience=patience, seed=seed
    )  # fmt: skip
    train(network, batches, settings, closeness)
    return network.cpu().eval()


@torch.no_grad()
def cnn_features(network: SmallCNN, inputs: torch.Tensor) -> np.ndarray:
    """Features of all inputs: (n, width), float32."""
    if not len(inputs):
        return np.zeros((0, network.width), np.float32)
    return torch.cat([network.features(part) for part in inputs.split(256)]).numpy()


def _varied(kind: str, inputs: torch.Tensor, draw: np.random.Generator) -> torch.Tensor:
    """What means the same: a picture mirrored, turned and moved, a sound begun at another moment."""
    if kind == "audio":
        return inputs.roll(int(draw.integers(inputs.shape[-1])), dims=-1)
    if draw.random() < 0.5:
        inputs = inputs.flip(-1)
    return inputs.rot90(int(draw.integers(4)), dims=(-2, -1))
