"""Which words of an item moved a score: integrated gradients through the language model, the head and the user."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from recnb import optional
from recnb.encoders.text.pooling import pool
from recnb.encoders.text.tower import put_tuned, watch
from recnb.models.two_tower.batches import UserFacts
from recnb.models.two_tower.network import TwoTowerNetwork
from recnb.models.two_tower.settings import Tuning
from recnb.models.two_tower.state import TowerState

_WORD = re.compile(r"\w+")
_AT_ONCE = 32  # texts of one pass


class GradientWords:
    """Words of items and what each adds to a score, from a text of masks to the text as it is.

    Parameters
    ----------
    state : TowerState
    network : TwoTowerNetwork
    encoder : TextEncoder
        As it was pretrained; changed.
    items : DataFrame
        A row for each item.
    steps : int
    reset : int, optional
        Seed of weights that are drawn anew.

    Notes
    -----
    The baseline is the text with every token but the special ones masked. Values of a word's tokens and of its
    occurrences are added. They add up to the score less that of the baseline, as far as `steps` points integrate it.

    References
    ----------
    Sundararajan, Taly and Yan, Axiomatic attribution for deep networks, ICML 2017, equation 1. Adebayo et al., Sanity
    checks for saliency maps, NeurIPS 2018 (weights drawn anew).
    """

    exact = False

    def __init__(
        self,
        state: TowerState,
        network: TwoTowerNetwork,
        encoder: Any,
        items: pd.DataFrame,
        steps: int = 24,
        reset: int | None = None,
    ) -> None:
        optional.check_installed("integrated gradients", "captum")
        self.length = state.settings.users.max_history
        self.layers, self.pooling, self.steps = state.language.layers, encoder.pooling, steps
        self.traits = state.users.traits
        self.tokenizer, self.max_tokens = encoder.tokenizer, encoder.max_tokens
        self.texts = state.reader.sentences(items)
        self.language = whole_network(encoder, state.settings.tuning, state.tuned)
        self.network = network
        if reset is not None:
            self.network = copy.deepcopy(network)
            drawn_anew([self.language, self.network], reset)
        self.language.eval()
        self.network.eval()
        self.vectors = self._vectors(reset is not None)

    @torch.no_grad()
    def _vectors(self, anew: bool) -> torch.Tensor:
        """Vectors of all items; from fresh states where the weights are not those that made the table."""
        network = self.network
        if anew:
            distinct = list(dict.fromkeys(self.texts))
            at = {text: row for row, text in enumerate(distinct)}
            states = self._states_of(distinct)
            network.states, network.place = states, torch.tensor([at[t] for t in self.texts])
            given = nn.functional.normalize(states, dim=-1) if network.unit else states
            network.shift = given.mean(dim=0)
            size = (given - network.shift).norm(dim=-1).mean(dim=0).clamp(min=1e-6)
            network.size = size[:, None]
        return network.vectors(torch.arange(len(self.texts)))

    def _ids(self, text: str) -> tuple[torch.Tensor, list[tuple[int, int]], torch.Tensor]:
        """Token ids, where each token stands in the text, and which tokens are special."""
        told = self.tokenizer(
            text,
            truncation=True,
            max_length=self.max_tokens,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
        )
        special = torch.tensor(told["special_tokens_mask"], dtype=torch.bool)
        return torch.tensor(told["input_ids"]), told["offset_mapping"], special

    def _states_of(self, texts: list[str]) -> torch.Tensor:
        """Pooled states of texts, those of one length together: (n, n_layers, dim)."""
        rows = [self._ids(text)[0] for text in texts]
        order = sorted(range(len(rows)), key=lambda at: -len(rows[at]))
        parts, start = [], 0
        while start < len(order):
            length = len(rows[order[start]])
            alike = [at for at in order[start : start + _AT_ONCE] if len(rows[at]) == length]
            parts.append(self._states(torch.stack([rows[at] for at in alike])))
            start += len(alike)
        back = torch.empty(len(order), dtype=torch.int64)
        back[torch.tensor(order)] = torch.arange(len(order))
        return torch.cat(parts)[back]

    def _states(self, ids: torch.Tensor) -> torch.Tensor:
        """Pooled states of texts of one length, (n, n_layers, dim)."""
        seen = torch.ones_like(ids)
        found = watch(self.language, ids, seen, self.layers)
        return torch.stack([pool(states, seen, self.pooling) for states in found], dim=1)

    def _person(self, history: np.ndarray, item: int) -> torch.Tensor:
        """The user's vector, (1, width)."""
        batch = UserFacts.of_strangers([history], self.length, self.traits).batch(np.arange(1))
        batch["users"].zero_()
        known = (batch["history"], batch["here"], batch.get("values"))
        return self.network.people(batch, self.vectors, known, self.vectors[item][None])

    def parts(self, history: np.ndarray, item: int) -> tuple[list[str], np.ndarray]:
        """Words of an item, in lower case, and what each adds to its score for a history.

        Parameters
        ----------
        history : ndarray of shape (n,), int
            Codes, the oldest first.
        item : int

        Returns
        -------
        words : list of str
            In the order of the text; empty where it has no token.
        values : ndarray of shape (n_words,), float64
        """
        from captum.attr import LayerIntegratedGradients

        text = self.texts[item]
        ids, places, special = self._ids(text)
        if not text.strip() or bool(special.all()):
            return [], np.zeros(0)
        with torch.no_grad():
            person = self._person(np.asarray(history), item)
        tokenizer = self.tokenizer
        mask = next(
            (t for t in (tokenizer.mask_token_id, tokenizer.pad_token_id) if t is not None),
            tokenizer.eos_token_id,
        )
        baseline = torch.where(special, ids, torch.full_like(ids, mask))

        def score(batch: torch.Tensor) -> torch.Tensor:
            return self._score(batch, person, item)

        method = LayerIntegratedGradients(score, self.language.get_input_embeddings())
        found = method.attribute(
            ids[None], baseline[None], n_steps=self.steps, internal_batch_size=_AT_ONCE
        )
        values = found.detach().sum(dim=-1)[0].double().cpu().numpy()
        return by_word(text, places, np.where(special.numpy(), 0.0, values))

    def _score(self, ids: torch.Tensor, person: torch.Tensor, item: int) -> torch.Tensor:
        """Scores of texts of one length that stand for an item, (n,)."""
        network = self.network
        vectors = network.head.items(network.read(self._states(ids)))
        code = torch.tensor([item])
        if network.item_table is not None:
            vectors = vectors + network.item_table(code) * network.known_items[code][:, None]
        pairs = network.head.pairs(person.expand(len(ids), -1), vectors)
        return pairs + network.line(vectors).squeeze(-1)


def by_word(
    text: str, places: list[tuple[int, int]], values: np.ndarray
) -> tuple[list[str], np.ndarray]:
    """Values of tokens added up by word, whatever its case.

    Examples
    --------
    >>> words, values = by_word("Aliens (1986), aliens", [(0, 3), (3, 6), (8, 12), (15, 21)], np.arange(4.0))
    >>> words, values.tolist()
    (['aliens', '1986'], [4.0, 2.0])
    """
    shares: dict[str, float] = {}
    spans = [(m.start(), m.end(), m.group().lower()) for m in _WORD.finditer(text)]
    for start, stop, word in spans:
        inside = [v for (a, b), v in zip(places, values) if a < stop and b > start and b > a]
        shares[word] = shares.get(word, 0.0) + float(np.sum(inside))
    return list(shares), np.array(list(shares.values()))


def whole_network(encoder: Any, tuning: Tuning, tuned: dict[str, np.ndarray]) -> Any:
    """The language model as tuned, with all of its layers and its whole vocabulary."""
    network, adapt = encoder.model, tuning.adapt()
    if adapt is not None:
        network = adapt(network)
    if tuned:
        put_tuned(network, tuned)
    return network


def drawn_anew(networks: list[nn.Module], seed: int) -> None:
    """Draw every weight again, as at the start of a training from nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for network in networks:
            for module in network.modules():
                fresh = getattr(module, "reset_parameters", None)
                if callable(fresh):
                    fresh()
