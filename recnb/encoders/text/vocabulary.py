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
    near : Tensor of shape (n_tokens, k), int, or NearWords, optional
        Ids of each token's nearest; its own id where it has none.
    """

    special: torch.Tensor
    mask: int
    near: torch.Tensor | NearWords | None = None

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
        near = NearWords(vectors.detach().float().cpu(), words, n_near, least)
        return cls(special, int(mask), near)

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


class NearWords:
    """Each word's nearest, looked for when it is first asked for: comparing all with all takes seconds.

    Indexed like a tensor of shape (n_tokens, k) by a tensor of ids.
    """

    def __init__(self, vectors: torch.Tensor, words: torch.Tensor, k: int, least: float) -> None:
        self._words, self._least = words, least
        self._unit = F.normalize(vectors[words], dim=1)
        self._rows = torch.arange(len(vectors))[:, None].repeat(1, k)
        self._place = torch.full((len(vectors),), -1)  # among the words, of those still to look for
        if len(words) > 1:
            self._place[words] = torch.arange(len(words))

    def __getitem__(self, ids: torch.Tensor) -> torch.Tensor:
        at = ids.cpu()
        asked = torch.unique(self._place[at])
        for part in asked[asked >= 0].split(_BLOCK):
            self._look(part)
        return self._rows[at].to(ids.device)

    def to(self, device: Any) -> NearWords:
        """Itself: what is asked for goes to where the ids are."""
        return self

    def _look(self, part: torch.Tensor) -> None:
        cosines = self._unit[part] @ self._unit.T
        cosines[torch.arange(len(part)), part] = -1.0
        best, which = cosines.topk(min(self._rows.shape[1], len(self._words) - 1), dim=1)
        ids = self._words[part]
        near = torch.where(best >= self._least, self._words[which], ids[:, None])
        self._rows[ids, : which.shape[1]] = near
        self._place[ids] = -1
