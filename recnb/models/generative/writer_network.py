"""A causal language model with new words for items, and what it remembers while it writes ids."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from recnb.encoders.decoder import Network
from recnb.models.generative.branches import Branches
from recnb.models.generative.settings import Writer
from recnb.tuning.methods import tune

HISTORY, TITLE, ITEM = "Taken so far, the oldest first:", "Item:", "\nId:"


class Vocabulary(nn.Module):
    """A word table with further rows behind it: the tokens of ids, level by level."""

    def __init__(self, words: nn.Embedding, levels: nn.ParameterList) -> None:
        super().__init__()
        self.words, self.levels = words, levels

    @property
    def weight(self) -> torch.Tensor:
        """The old words."""
        return self.words.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        n = len(self.weight)
        old = self.words(ids.clamp(max=n - 1))
        new = ids >= n
        if not new.any():
            return old
        rows = torch.cat(list(self.levels))[ids[new] - n].to(old.dtype)
        return old.masked_scatter(new[..., None], rows)


class WriterNetwork(nn.Module):
    """Writes the tokens of the next item's id after those of a history.

    Parameters
    ----------
    network : Network
        Of its own: it is changed.
    tokens : Tensor of shape (n_rows, depth), int64
        The id of each row.
    sizes : sequence of int
        Tokens of each level.
    n_known : int
        The first rows, those that may be targets.
    writer : Writer
    words : list of list of int
        The text of each of them in the decoder's words; empty where texts are not learned from.
    dropout : float
        Of the states that predict.
    """

    tokens: torch.Tensor
    spelled: torch.Tensor
    firsts: torch.Tensor

    def __init__(
        self,
        network: Network,
        tokens: torch.Tensor,
        sizes: tuple[int, ...],
        n_known: int,
        writer: Writer,
        words: list[list[int]],
        dropout: float,
    ) -> None:
        super().__init__()
        table = network.base.get_input_embeddings()
        old = table.weight.detach()
        n, width = old.shape
        mean, spread = old.mean(0), old.std(0)
        # before the model, which holds them as well: their names are these
        self.levels = nn.ParameterList(
            mean + 0.1 * spread * torch.randn(size, width) for size in sizes
        )
        self.model, self.words, self.dropout = network.model, words, nn.Dropout(dropout)
        self._network = [network]  # no module
        tune(
            network.base, writer.method, writer.size, writer.alpha, writer.targets,
            writer.tuned_layers,
        )  # fmt: skip
        network.base.set_input_embeddings(Vocabulary(table, self.levels))
        firsts = n + torch.tensor([0, *np.cumsum(sizes)[:-1].tolist()])
        self.register_buffer("tokens", tokens, persistent=False)
        self.register_buffer(
            "spelled", tokens + firsts, persistent=False
        )  # in the grown vocabulary
        self.register_buffer("firsts", firsts, persistent=False)
        self.branches = Branches(tokens, sizes, n_known)
        spoken = network.tokenizer([HISTORY, TITLE, ITEM], add_special_tokens=False)["input_ids"]
        self.history, self.title, self.item = spoken

    @staticmethod
    def longest(network: Network, length: int, depth: int) -> int:
        """Tokens of a window of so many events and the one that follows."""
        spoken = network.tokenizer(HISTORY, add_special_tokens=False)["input_ids"]
        return len(spoken) + (length + 1) * depth

    @property
    def network(self) -> Network:
        """What reads and scores."""
        return self._network[0]

    @property
    def begin(self) -> torch.Tensor:
        """A parameter that says where the network is."""
        return self.levels[0]

    def encoder_network(self) -> nn.Module:
        """The decoder, for :func:`recnb.training.fewer_activations`."""
        return self.model

    def parameter_groups(self) -> list[dict[str, Any]]:
        """New words are a table: they do not decay."""
        new = {id(p) for p in self.levels}
        old = [p for p in self.model.parameters() if p.requires_grad and id(p) not in new]
        groups = [("tables", list(self.levels)), ("encoder", old)]
        return [{"name": name, "params": params} for name, params in groups if params]

    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Mean over the targets of minus the log-probability of their ids, texts' ids among them."""
        rows, starts = [], []
        ends = np.cumsum(batch["sizes"])
        for size, end in zip(batch["sizes"], ends):
            items = torch.cat([batch["tokens"][end - size : end], batch["targets"][end - 1 : end]])
            rows.append((self.history, items))
            starts.append(1)  # the first event is no target
        if self.words and self.training:
            for row in torch.randint(len(self.words), (len(rows),)).tolist():
                told = [*self.title, *self.words[row], *self.item]
                rows.append((told, torch.tensor([row], device=self.tokens.device)))
                starts.append(0)
        states = self._read([self._spell(told, items) for told, items in rows])
        total, n = states.new_zeros((), dtype=torch.float32), 0
        depth = self.tokens.shape[1]
        for state, (told, items), start in zip(states, rows, starts):
            items = items[start:]
            first = len(told) + start * depth - 1  # the state before an id tells its first token
            own = state[first : first + len(items) * depth].view(len(items), depth, -1)
            total = total + self._loss(self.dropout(own), items)
            n += len(items)
        return total / n

    def _loss(self, states: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Summed over some items; `states` is (n, depth, width)."""
        depths, total = self.branches.depths[items], states.new_zeros((), dtype=torch.float32)
        for level in range(int(depths.max())):
            some = torch.nonzero(depths > level)[:, 0]
            scores = self.scores(level, states[some, level])
            tokens = self.tokens[items[some], level]
            total = total + self.branches.loss(level, scores, items[some], tokens)
        return total

    def scores(self, level: int, states: torch.Tensor) -> torch.Tensor:
        """Scores of a level's tokens, (n, n_tokens)."""
        return states @ self.levels[level].T.to(states.dtype)

    def _spell(self, told: list[int], items: torch.Tensor) -> torch.Tensor:
        """Words, then ids."""
        words = torch.tensor(told, dtype=torch.int64, device=self.tokens.device)
        return torch.cat([words, self.spelled[items].flatten()])

    def _read(self, rows: list[torch.Tensor]) -> torch.Tensor:
        """States of texts of unlike lengths, padded behind: (n, length, width)."""
        ids = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        positions, seen = _causal(ids, torch.tensor([len(row) for row in rows]))
        return self.network.read(ids, positions, seen)[0]


def _causal(ids: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions, and who sees whom, of texts that are padded behind."""
    n, length = ids.shape
    places = torch.arange(length, device=ids.device)
    real = places < lengths.to(ids.device)[:, None]
    seen = (places[:, None] >= places)[None] & real[:, None, :] & real[:, :, None]
    return places.expand(n, -1), seen


class Written:
    """Histories that were read, and the tokens written after them so far.

    Parameters
    ----------
    network : WriterNetwork
    batch : dict
        Of :func:`recnb.models.common.reading.packed.pack`.

    Notes
    -----
    A history is read once. The tokens of all its beams are read as one text in which each sees its own beam alone.
    """

    def __init__(self, network: WriterNetwork, batch: dict[str, Any]) -> None:
        self.network, self.level = network, 0
        rows = [
            network._spell(network.history, items)
            for items in batch["tokens"].split(list(batch["sizes"]))
        ]
        back = torch.argsort(batch["order"].to(network.tokens.device))
        lengths = torch.tensor([len(row) for row in rows], device=back.device)[back]
        ids = nn.utils.rnn.pad_sequence(rows, batch_first=True)[back]
        positions, seen = _causal(ids, lengths)
        states, self.past = network.network.read(ids, positions, seen, keep=True)
        self.lengths = lengths
        self.newest = states[torch.arange(len(lengths), device=back.device), lengths - 1]
        self.written = torch.zeros(len(lengths), 0, dtype=torch.int64, device=back.device)

    def step(
        self, users: torch.Tensor, parents: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        """Scores of the next token, (n, n_tokens); see :func:`recnb.models.generative.beam.best_ids`."""
        level, network = self.level, self.network
        self.level += 1
        if not level:
            return network.scores(0, self.newest[users]).float()
        spelled = (tokens + network.firsts[level - 1])[:, None]
        self.written = torch.cat([self.written[parents], spelled], dim=1)  # (n, level)
        n_users = len(self.lengths)
        counts = torch.bincount(users, minlength=n_users)
        nth = torch.arange(len(users), device=users.device) - (counts.cumsum(0) - counts)[users]
        most = int(counts.max())
        ids = self.written.new_zeros(n_users, most, level)
        ids[users, nth] = self.written
        real = torch.zeros(n_users, most, dtype=torch.bool, device=ids.device)
        real[users, nth] = True
        place = torch.arange(level, device=ids.device).repeat(most)
        beam = torch.arange(most, device=ids.device).repeat_interleave(level)
        own = (beam[:, None] == beam) & (place[:, None] >= place)
        seen = own[None] & real.repeat_interleave(level, 1)[:, :, None]
        positions = self.lengths[:, None] + place
        states, _ = network.network.read(ids.flatten(1), positions, seen, self.past)
        last = states.view(n_users, most, level, -1)[users, nth, -1]
        return network.scores(level, last).float()
