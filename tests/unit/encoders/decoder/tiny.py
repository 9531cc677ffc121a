"""Tiny random decoders of several architectures, and the loop that reads one prompt at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ARCHITECTURES = ("llama", "qwen2", "qwen2-window", "qwen3", "gemma", "gemma2", "mistral", "gpt2")
CONTEXT = 96
TEXT = (
    "The Thing. The Third Man! Toy Story (1995)? Alien, Aliens; green tea Yes No A B C 1 10 "
    "user likes film next watch: would they like it"
)


def tokenizer_of(start: bool = False) -> Any:
    """Bytes and merges, as GPT-2, Llama 3 and Qwen have them; with a token for the start of a text, or none."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        special_tokens=["<end>", "<start>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator([TEXT] * 4, trainer)
    if start:
        core.post_processor = processors.TemplateProcessing(
            single="<start> $A", special_tokens=[("<start>", 1)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<end>", bos_token="<start>", pad_token="<end>"
    )


def config_of(kind: str, size: int) -> Any:
    import transformers as hf

    small: dict[str, Any] = {
        "vocab_size": size,
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": CONTEXT,
        "bos_token_id": 1,
        "eos_token_id": 0,
        "pad_token_id": 0,
        "initializer_range": 0.3,  # wide, so that another mask or position shows in every digit
    }
    apart = small | {"head_dim": 8}
    window = {"sliding_window": 7}
    turns = ["sliding_attention", "full_attention", "sliding_attention"]
    return {
        "llama": lambda: hf.LlamaConfig(**small),
        "qwen2": lambda: hf.Qwen2Config(**small),
        "qwen2-window": lambda: hf.Qwen2Config(
            **small, **window, use_sliding_window=True, max_window_layers=1
        ),
        "qwen3": lambda: hf.Qwen3Config(**apart),
        "gemma": lambda: hf.GemmaConfig(**apart),
        "gemma2": lambda: hf.Gemma2Config(
            **apart,
            **window,
            layer_types=turns,
            query_pre_attn_scalar=8,
            attn_logit_softcapping=2.0,
            final_logit_softcapping=3.0,
        ),
        "mistral": lambda: hf.MistralConfig(**apart, **window),
        "gpt2": lambda: hf.GPT2Config(
            vocab_size=size,
            n_embd=32,
            n_layer=3,
            n_head=4,
            n_positions=CONTEXT,
            bos_token_id=1,
            eos_token_id=0,
            initializer_range=0.3,
        ),
    }[kind]()


def write_decoder(folder: Path, kind: str, start: bool = False, seed: int = 0) -> Path:
    """A model of 3 layers with random weights, and its tokenizer."""
    import torch
    import transformers as hf

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizer_of(start)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    model = hf.AutoModelForCausalLM.from_config(config_of(kind, len(tokenizer)))
    with torch.no_grad():  # norms and biases too: ones and zeros hide mistakes
        for weights in model.parameters():
            if weights.ndim == 1:
                weights.add_(0.2 * torch.randn_like(weights))
    model.save_pretrained(folder)
    return folder


def plain_log_likelihoods(
    decoder: Any, prefix: list[int], continuations: Sequence[list[int]], n_scored: Sequence[int]
) -> np.ndarray:
    """The plain loop: each prompt read alone by the model itself; sums of log p of its last tokens."""
    import torch

    sums = []
    for row, n in zip(continuations, n_scored):
        ids = torch.tensor([prefix + row], device=decoder.network.device)
        with torch.no_grad():
            logits = decoder.network.model(input_ids=ids).logits[0].double()
        log_p = logits[:-1].log_softmax(dim=-1).gather(1, ids[0, 1:, None]).squeeze(1)
        sums.append(float(log_p[len(log_p) - n :].sum()))
    return np.array(sums)
