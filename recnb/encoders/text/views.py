"""Other readings of a text: with words hidden, or in the place of others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recnb.encoders.text.encoder import TextEncoder
    from recnb.encoders.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class WordNoise:
    """Changes some words of a text, always the same ones: for :meth:`recnb.encoders.TextEncoder.encode_layers`.

    Parameters
    ----------
    word_dropout, synonyms : float
        Shares of the words that are hidden, and that give way to a near one.
    view : int
        Another number changes other words.
    """

    word_dropout: float = 0.0
    synonyms: float = 0.0
    view: int = 0

    @property
    def key(self) -> dict[str, Any]:
        """What vectors depend on, for the cache."""
        return {"word_dropout": self.word_dropout, "synonyms": self.synonyms, "view": self.view}

    def __call__(self, encoder: TextEncoder, text: str, ids: list[int]) -> list[int]:
        """Token ids of a text with changed words."""
        import torch

        if not ids:
            return ids
        seed = int.from_bytes(sha256(f"{self.view} {text}".encode()).digest()[:7], "big")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            words = vocabulary_of(encoder, bool(self.synonyms))
            return words.noisy(torch.tensor(ids), self.word_dropout, self.synonyms).tolist()


class _Opened:
    """An encoder known by its weights, so that its vocabulary is computed once a process."""

    def __init__(self, encoder: TextEncoder) -> None:
        self.checksum = encoder.checksum
        self.encoder: TextEncoder | None = encoder

    def __hash__(self) -> int:
        return hash(self.checksum)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Opened) and self.checksum == other.checksum


def vocabulary_of(encoder: TextEncoder, synonyms: bool) -> Vocabulary:
    """The words of an encoder; their nearest ones where `synonyms` asks for them."""
    return _vocabulary(_Opened(encoder), synonyms)


@lru_cache(maxsize=4)
def _vocabulary(opened: _Opened, synonyms: bool) -> Vocabulary:
    from recnb.encoders.text.vocabulary import Vocabulary

    encoder, opened.encoder = opened.encoder, None  # what is kept is not the network
    assert encoder is not None
    vectors = encoder.model.get_input_embeddings().weight
    return Vocabulary.of(encoder.tokenizer, vectors, n_near=4 if synonyms else 0)
