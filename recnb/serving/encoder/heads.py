"""Fewer attention heads: those whose absence moves the vectors least are cut out of a text encoder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from recnb.encoders.text.encoder import TextEncoder
from recnb.encoders.text.network import open_model
from recnb.errors import InputError
from recnb.files import whole_folder, write_json
from recnb.progress import tell
from recnb.serving.encoder.distil import copy_tokenizer, teach

HEADS = "heads.json"
_ASKED = 128  # texts that each head's absence is measured on, at most


class NarrowEncoder(TextEncoder):
    """A text encoder in a folder that :func:`fewer_heads` wrote; transformers has no place for such a shape.

    Parameters
    ----------
    folder : path
    **settings
        As of :class:`~recnb.encoders.TextEncoder`.

    Raises
    ------
    InputError
        The folder says nothing of heads.
    """

    def __init__(self, folder: str | Path, **settings: Any) -> None:
        path = Path(folder) / HEADS
        if not path.is_file():
            raise InputError("no heads.json here", file=str(folder), mend="cut heads first")
        super().__init__(folder, **settings)
        self.heads: list[list[int]] = json.loads(path.read_text(encoding="utf-8"))

    @cached_property
    def model(self) -> Any:
        """The network, on its device; opened at first use."""
        import torch
        from safetensors.torch import load_file
        from transformers import AutoModel

        with torch.random.fork_rng():  # the weights that it starts with are replaced
            network = AutoModel.from_config(self.config)
        cut(network, self.heads)
        network.load_state_dict(load_file(self.source.folder / "model.safetensors"))
        return network.to(self.device).eval()


def fewer_heads(
    encoder: TextEncoder,
    share: float,
    texts: Sequence[str],
    folder: str | Path,
    epochs: int = 3,
    lr: float = 1e-4,
    seed: int = 0,
) -> NarrowEncoder:
    """A text encoder with a share of its attention heads, taught on texts to give the vectors of the whole one.

    Parameters
    ----------
    encoder : TextEncoder
        Of BERT's architecture.
    share : float
        Of the heads that stay, above 0 and below 1; at least one a layer.
    texts : sequence of str
        What the encoder will read, such as the catalogue's texts.
    folder : path
    epochs : int
        Passes over the texts; 0 only cuts.
    lr : float
    seed : int

    Raises
    ------
    InputError
        Another architecture, or no head to cut.

    Notes
    -----
    A head's worth is the mean of one minus the cosine between the vectors with and without it, over 128 texts: it is
    taken out and put back, one after another (Michel et al., section 3.2). Those worth least over all layers go. Their
    rows of query, key and value and their columns of the output are removed, so that the network computes less.

    References
    ----------
    Michel, Levy & Neubig (2019), "Are sixteen heads really better than one?", sections 3.2 and 4.
    """
    from safetensors.torch import save_file

    student = open_model(encoder.source, "float32", encoder.device)
    layers = attention(student, encoder.name)
    n_heads = int(student.config.num_attention_heads)
    stay = round(share * n_heads * len(layers))
    if not len(layers) <= stay < n_heads * len(layers):
        raise InputError(
            f"share={share} of {len(layers)} layers with {n_heads} heads",
            mend="keep at least one head a layer, and not all",
        )
    kept = chosen(worth(encoder, student, texts, seed), stay)
    cut(student, kept)
    teach(student, encoder, list(dict.fromkeys(texts)), epochs, lr, seed)
    with whole_folder(folder, ours=HEADS) as part:
        student.config.save_pretrained(part)
        save_file(
            {k: v.contiguous() for k, v in student.state_dict().items()},
            part / "model.safetensors",
            metadata={"format": "pt"},
        )
        copy_tokenizer(encoder, part)
        write_json(part / HEADS, kept)
    settings: dict[str, Any] = {"pooling": encoder.pooling, "max_tokens": encoder.max_tokens}
    return NarrowEncoder(folder, device=encoder.device, normalise=encoder.normalise, **settings)


def worth(encoder: TextEncoder, network: Any, texts: Sequence[str], seed: int = 0) -> np.ndarray:
    """How far the vectors move without each head: ndarray of shape (n_layers, n_heads), 0 to 2."""
    import torch

    from recnb.encoders.text.batches import pad
    from recnb.encoders.text.pooling import pool

    unique = [text for text in dict.fromkeys(texts) if text.strip()]
    drawn = np.random.default_rng(seed).permutation(len(unique))[:_ASKED]
    rows, _ = encoder.tokens([unique[n] for n in drawn])
    ids, mask = (
        torch.from_numpy(a).to(encoder.device)
        for a in pad(rows, encoder.tokenizer.pad_token_id or 0)
    )

    def read() -> Any:
        with torch.inference_mode():
            states = network(input_ids=ids, attention_mask=mask).last_hidden_state
            return torch.nn.functional.normalize(pool(states, mask, encoder.pooling), dim=-1)

    whole, layers = read(), attention(network, encoder.name)
    n_heads = int(network.config.num_attention_heads)
    out = np.zeros((len(layers), n_heads))
    for at, layer in enumerate(layers):
        tell("measuring heads", at, len(layers))
        size = layer.self.attention_head_size
        for head in range(n_heads):

            def silent(_: Any, given: tuple[Any, ...], head: int = head, size: int = size) -> Any:
                states = given[0].clone()
                states[..., head * size : (head + 1) * size] = 0
                return (states, *given[1:])

            hook = layer.output.dense.register_forward_pre_hook(silent)
            try:
                out[at, head] = 1 - float((read() * whole).sum(dim=-1).mean())
            finally:
                hook.remove()
    return out


def chosen(values: np.ndarray, stay: int) -> list[list[int]]:
    """The heads of each layer that stay: the best of each, and the best of the others.

    Examples
    --------
    >>> chosen(np.array([[0.1, 0.2, 0.3], [0.0, 0.01, 0.02]]), stay=3)
    [[1, 2], [2]]
    """
    order = values.copy()
    order[np.arange(len(order)), order.argmax(axis=1)] = np.inf
    kept = np.zeros(values.size, bool)
    kept[np.argsort(-order, axis=None, kind="stable")[:stay]] = True
    return [np.flatnonzero(row).tolist() for row in kept.reshape(values.shape)]


def attention(network: Any, name: str) -> list[Any]:
    """The attention blocks of a network, layer by layer."""
    layers = getattr(getattr(network, "encoder", None), "layer", None)
    blocks = [getattr(layer, "attention", None) for layer in layers or []]
    if not blocks or not all(hasattr(getattr(b, "self", None), "query") for b in blocks):
        raise InputError(f"the heads of {name} are not where BERT has them", mend="take a BERT")
    return blocks


def cut(network: Any, kept: Sequence[Sequence[int]]) -> None:
    """Remove all other heads from a network, in place."""
    import torch
    from transformers.pytorch_utils import prune_linear_layer

    for block, heads in zip(attention(network, "the network"), kept):
        size = block.self.attention_head_size
        index = torch.LongTensor([h * size + n for h in heads for n in range(size)])
        for part in ("query", "key", "value"):
            setattr(block.self, part, prune_linear_layer(getattr(block.self, part), index))
        block.output.dense = prune_linear_layer(block.output.dense, index, dim=1)
        block.self.num_attention_heads = len(heads)
        block.self.all_head_size = len(index)
