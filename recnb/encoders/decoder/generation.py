"""Writing: the likeliest next token, freely, among given texts, or so that an order of labels comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recnb.encoders.decoder.tokens import check_length, spaces_after
from recnb.encoders.text.batches import token_batches
from recnb.errors import InputError

if TYPE_CHECKING:
    from recnb.encoders.decoder.decoder import Decoder

SEPARATOR = ", "  # between the labels of an order
END = -1  # in a tree of tokens: here a text is over; no token has this id


class Trie:
    """A tree of token ids: which may come next, so that one of the given rows comes out.

    Parameters
    ----------
    rows : sequence of sequence of int
        Token ids, at least one each.

    Examples
    --------
    >>> trie = Trie([[1, 2], [1, 3, 4]])
    >>> trie.after([1]), trie.after([1, 2]), trie.row([1, 3, 4]), trie.row([1])
    ([2, 3], [-1], 1, None)
    """

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        self.tree: dict[int, Any] = {}
        for place, row in enumerate(rows):
            if not len(row):
                raise InputError(f"allowed text {place + 1} has no token", mend="leave it out")
            node = self.tree
            for token in row:
                node = node.setdefault(int(token), {})
            node.setdefault(END, place)
        self.longest = max(map(len, rows), default=0)

    def after(self, ids: Sequence[int]) -> list[int]:
        """Token ids that may follow, `END` among them where a row is complete."""
        node = self._node(ids)
        return [] if node is None else list(node)

    def row(self, ids: Sequence[int]) -> int | None:
        """Which row these ids are; None where they are none."""
        node = self._node(ids)
        return None if node is None else node.get(END)

    def _node(self, ids: Sequence[int]) -> dict[int, Any] | None:
        node = self.tree
        for token in ids:
            if token not in node:
                return None
            node = node[token]
        return node


class Order:
    """Which token may come next, so that an order of labels comes out, each of them once.

    Parameters
    ----------
    first, later : sequence of sequence of int
        Token ids of each label in the first place, and behind another one, its separator in front.

    Notes
    -----
    A label may begin as another does ("1" and "10"): then it goes on as far as the tokens allow. The last label is
    not asked for: it is what is left.
    """

    def __init__(self, first: Sequence[Sequence[int]], later: Sequence[Sequence[int]]) -> None:
        self.first, self.later = [list(map(list, rows)) for rows in (first, later)]

    def after(self, ids: Sequence[int]) -> list[int]:
        """Token ids that may follow; `END` where the order is known."""
        chosen, piece = self._read(ids)
        rows = self._open(chosen)
        if len(rows) == 1:
            return [END]
        following = {
            row[len(piece)] for row in rows.values() if _begins(row, piece) and row != piece
        }
        if piece in rows.values():
            (done,) = [label for label, row in rows.items() if row == piece]
            rest = self._open([*chosen, done])
            following |= {END} if len(rest) == 1 else {row[0] for row in rest.values()}
        return sorted(following)

    def read(self, ids: Sequence[int]) -> np.ndarray:
        """The order that these ids write, labels that are left behind in their own order."""
        chosen, piece = self._read(ids)
        chosen += [label for label, row in self._open(chosen).items() if piece and row == piece]
        return np.array(
            [*chosen, *(k for k in range(len(self.first)) if k not in chosen)], dtype=np.int64
        )

    def _open(self, chosen: Sequence[int]) -> dict[int, list[int]]:
        rows = self.later if chosen else self.first
        return {k: row for k, row in enumerate(rows) if k not in chosen}

    def _read(self, ids: Sequence[int]) -> tuple[list[int], list[int]]:
        """Labels that are complete, and the tokens of the one that is being written."""
        chosen: list[int] = []
        piece: list[int] = []
        for token in ids:
            rows = self._open(chosen)
            longer = [*piece, int(token)]
            if any(_begins(row, longer) for row in rows.values()):
                piece = longer
                continue
            chosen += [label for label, row in rows.items() if row == piece]
            piece = [int(token)]
        return chosen, piece


def generate(
    decoder: Decoder, prompts: Sequence[str], max_new_tokens: int, allowed: Any = None
) -> list[str]:
    """See :meth:`Decoder.generate`."""
    if isinstance(prompts, str):
        raise InputError("prompts is one string", mend="give a list of strings")
    if max_new_tokens < 1 and allowed is None:
        raise InputError(f"max_new_tokens={max_new_tokens}", mend="use 1 or more")
    if allowed is None:
        rows = _write(decoder, prompts, max_new_tokens, None)
        return [decoder.tokens.tokenizer.decode(row, skip_special_tokens=True) for row in rows]
    texts: list[str] | None = None
    if isinstance(allowed, Trie):
        tries = [allowed] * len(prompts)
    else:
        texts = list(allowed)
        if not texts:
            raise InputError("no text is allowed", mend="allow one or more")
        made: dict[str, Trie] = {}
        tries = []
        for prompt in prompts:
            space = spaces_after(prompt)
            if space not in made:
                made[space] = Trie(decoder.tokens.endings([space + text for text in texts]))
            tries.append(made[space])
    longest = max((trie.longest for trie in tries), default=0)
    rows = _write(decoder, prompts, longest + 1, [trie.after for trie in tries])
    if texts is None:
        return [decoder.tokens.tokenizer.decode(row, skip_special_tokens=True) for row in rows]
    return [texts[trie.row(row)] for trie, row in zip(tries, rows)]  # type: ignore[index]


def permutations(
    decoder: Decoder, prompts: Sequence[str], labels: Sequence[Sequence[str]]
) -> list[np.ndarray]:
    """See :meth:`Decoder.rank_permutations`."""
    if len(prompts) != len(labels):
        raise InputError(
            f"{len(prompts)} prompts and {len(labels)} lists of labels", mend="give one for each"
        )
    orders, longest = [], 0
    for prompt, names in zip(prompts, labels):
        if len(names) > 1:
            decoder.tokens.answers(names)
        elif not names:
            raise InputError("no labels to put in order", mend="give one or more")
        first = decoder.tokens.endings([spaces_after(prompt) + name for name in names])
        later = decoder.tokens.endings([SEPARATOR + name for name in names])
        orders.append(Order(first, later))
        longest = max(longest, sum(max(map(len, pair)) for pair in zip(first, later)) + 1)
    rows = _write(decoder, prompts, longest, [order.after for order in orders])
    return [order.read(row) for order, row in zip(orders, rows)]


def _write(
    decoder: Decoder,
    prompts: Sequence[str],
    most: int,
    after: Sequence[Callable[[Sequence[int]], list[int]]] | None,
) -> list[list[int]]:
    """Ids that the model writes after each prompt, up to the end of the text, which is left out."""
    import torch
    from transformers import GenerationConfig

    from recnb.encoders.text.network import quiet

    network = decoder.network
    rows = decoder.tokens.beginnings(prompts)
    for place, row in enumerate(rows):
        check_length(len(row) + most, place, decoder.context, decoder.name)
    ends = _ends(network)
    # not the model's own settings: some of them punish repetition, or draw
    settings = GenerationConfig(
        do_sample=False, num_beams=1, max_new_tokens=most, eos_token_id=ends, pad_token_id=ends[0]
    )
    out: list[list[int]] = [[]] * len(rows)
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    for batch in token_batches(lengths[order] + most, decoder.budget):
        chosen = order[batch]
        width = int(lengths[chosen].max())
        ids = np.full((len(chosen), width), ends[0], dtype=np.int64)
        there = np.arange(width) >= width - lengths[chosen][:, None]
        ids[there] = np.concatenate([rows[k] for k in chosen])

        def allow(text: int, written: Any, chosen: np.ndarray = chosen, width: int = width) -> Any:
            assert after is not None
            ids = written[width:].tolist()
            if ends[0] in ids:  # over: what follows is padding
                return [ends[0]]
            return [ends[0] if token == END else token for token in after[chosen[text]](ids)]

        with torch.inference_mode(), quiet():
            found = network.model.generate(
                input_ids=torch.from_numpy(ids).to(network.device),
                attention_mask=torch.from_numpy(there.astype(np.int64)).to(network.device),
                generation_config=settings,
                prefix_allowed_tokens_fn=None if after is None else allow,
            )
        for k, row in zip(chosen, found[:, width:].tolist()):
            stops = [place for place, token in enumerate(row) if token in ends]
            out[k] = row[: stops[0]] if stops else row
    return out


def _ends(network: Any) -> list[int]:
    """Ids that end a text."""
    told = network.model.generation_config.eos_token_id
    ids = [told] if isinstance(told, int) else list(told or [])
    if network.tokenizer.eos_token_id is not None:
        ids.append(network.tokenizer.eos_token_id)
    return list(dict.fromkeys(map(int, ids))) or [0]


def _begins(row: list[int], piece: list[int]) -> bool:
    return row[: len(piece)] == piece
