"""The words of a language model: which may be hidden, and which stand near each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from recnb.errors import InputError

_BLOCK = 1024  # words compared with all others at once
_SHORTEST = 3  # letters of a word that has synonyms


@dataclass(frozen=True)
class Vocabulary:
    """What may happen to a token.

    Parameters
    ----------
    special : Tensor of shape (n_tokens,), bool
        Tokens that stay: padding, separators, the mask.
    mask : int
        Id of the token that hides a word.
    near : Tensor of shape (n_tokens, k), int, optional
        Ids of each token's nearest; its own id where it has none.
    """

    special: torch.Tensor
    mask: int
    near: torch.Tensor | None = None

    @classmethod
    def of(
        cls, tokenizer: Any, vectors: torch.Tensor, n_near: int = 4, least: float = 0.5
    ) -> Vocabulary:
        """Of a tokenizer and the language model's word vectors.

        Parameters
        ----------
        tokenizer : transformers tokenizer
        vectors : Tensor of shape (n_tokens, dim)
            `network.get_input_embeddings().weight`.
        n_near : int
            Synonyms kept of a word; 0: none are looked for.
        least : float
            Least cosine of two words that may stand for each other. Whole words of letters only, so that no word
            is cut to pieces.

        Raises
        ------
        InputError
            The tokenizer has neither a mask nor an unknown token.
        """
        mask = tokenizer.mask_token_id
        mask = tokenizer.unk_token_id if mask is None else mask
        if mask is None:
            raise InputError(
                "this tokenizer has neither a mask nor an unknown token", mend="set word_dropout=0"
            )
        special = torch.zeros(len(vectors), dtype=torch.bool)
        special[[i for i in tokenizer.all_special_ids if i < len(vectors)]] = True
        if not n_near:
            return cls(special, int(mask))
        words = _whole_words(tokenizer, len(vectors))
        return cls(
            special, int(mask), _nearest(vectors.detach().float().cpu(), words, n_near, least)
        )

    def reach(self, ids: np.ndarray) -> np.ndarray:
        """Ids that these can become, themselves among them, rising."""
        near = [] if self.near is None else [self.near[torch.from_numpy(ids)].flatten().numpy()]
        return np.unique(np.concatenate([ids, [self.mask], *near])).astype(np.int64)

    def cut(self, kept: np.ndarray) -> Vocabulary:
        """The same for a table of the rows `kept` only, rising; what is near and not among them counts as none."""
        rows = torch.from_numpy(kept)
        near = None
        if self.near is not None:
            near = torch.searchsorted(rows, self.near[rows].contiguous()).clamp(max=len(rows) - 1)
            there = rows[near] == self.near[rows]
            near = torch.where(there, near, torch.arange(len(rows))[:, None])
        return Vocabulary(self.special[rows], int(np.searchsorted(kept, self.mask)), near)

    def noisy(self, ids: torch.Tensor, dropout: float, synonyms: float) -> torch.Tensor:
        """Token ids with some hidden and some replaced, drawn from torch's random state.

        Parameters
        ----------
        ids : Tensor, int
        dropout, synonyms : float
            Shares of the tokens that are not special.
        """
        fixed = self.special.to(ids.device)[ids]
        if synonyms:
            if self.near is None:
                raise InputError("this vocabulary knows no synonyms", mend="n_near of at least 1")
            near = self.near.to(ids.device)[ids]
            which = torch.randint(near.shape[-1], (*ids.shape, 1), device=ids.device)
            swap = (torch.rand(ids.shape, device=ids.device) < synonyms) & ~fixed
            ids = torch.where(swap, near.gather(-1, which)[..., 0], ids)
        if dropout:
            hide = (torch.rand(ids.shape, device=ids.device) < dropout) & ~fixed
            ids = ids.masked_fill(hide, self.mask)
        return ids


def _whole_words(tokenizer: Any, n: int) -> torch.Tensor:
    """Ids of tokens that are a word of letters: "Ġ" and "▁" begin one in tokenizers that mark the start."""
    held = tokenizer.convert_ids_to_tokens(range(min(n, len(tokenizer))))
    marked = sum(str(t)[:1] in "Ġ▁" for t in held) > len(held) / 10
    keep = []
    for i, token in enumerate(map(str, held)):
        if marked and token[:1] not in "Ġ▁":
            continue
        word = token.lstrip("Ġ▁")
        if len(word) >= _SHORTEST and word.isalpha():
            keep.append(i)
    return torch.tensor(keep, dtype=torch.long)


def _nearest(vectors: torch.Tensor, words: torch.Tensor, k: int, least: float) -> torch.Tensor:
    near = torch.arange(len(vectors))[:, None].repeat(1, k)
    if len(words) < 2:
        return near
    unit = F.normalize(vectors[words], dim=1)
    for start in range(0, len(words), _BLOCK):
        rows = torch.arange(start, min(start + _BLOCK, len(words)))
        cosines = unit[rows] @ unit.T
        cosines[torch.arange(len(rows)), rows] = -1.0
        best, which = cosines.topk(min(k, len(words) - 1), dim=1)
        own = words[rows][:, None].expand_as(which)
        near[words[rows], : which.shape[1]] = torch.where(best >= least, words[which], own)
    return near
