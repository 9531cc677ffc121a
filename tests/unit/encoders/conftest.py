"""Tiny random models of several architectures, written where a test may read them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

TEXT = "green black tea coffee usb cable organic strong mild for the home of and a"
WORDS = TEXT.split(" ")
ENCODERS, DECODERS = ("bert", "roberta", "t5"), ("gpt2", "llama", "qwen2")


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network, no cache and no encoder of the person who runs the tests."""
    monkeypatch.setenv("RECNB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECNB_ENCODER", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def words() -> Any:
    """A tokenizer that knows `WORDS` and nothing else."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {word: row for row, word in enumerate(special + WORDS)}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    return core


def bytes_and_merges() -> Any:
    """A tokenizer that falls back to bytes, as Qwen's do: nothing is unknown."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator([TEXT], trainer)
    return core


def write_tokenizer(folder: Path, kind: str, side: str) -> int:
    """Write a tokenizer and return the size of its vocabulary."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    if kind == "qwen2":
        core, end = bytes_and_merges(), "<|endoftext|>"
        special = {"unk_token": end, "eos_token": end, "pad_token": end}
    else:
        core, special = words(), {"unk_token": "[UNK]"}
        if kind != "gpt2":  # as published, GPT-2 has no padding token
            special["pad_token"] = "[PAD]"
    if kind in ENCODERS:
        core.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    PreTrainedTokenizerFast(
        tokenizer_object=core, padding_side=side, model_max_length=64, **special
    ).save_pretrained(folder)
    return core.get_vocab_size()


def write_model(folder: Path, kind: str, side: str = "right", seed: int = 0, dim: int = 16) -> Path:
    """A model of 2 layers and `dim` dimensions, and its tokenizer."""
    import torch
    import transformers as hf

    folder.mkdir(parents=True, exist_ok=True)
    size = write_tokenizer(folder, kind, side)
    small = {
        "vocab_size": size,
        "hidden_size": dim,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 2 * dim,
        "max_position_embeddings": 64,
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": None,
        "initializer_range": 1.6 / dim**0.5,  # wide enough that the words show
    }
    config = {
        "bert": lambda: hf.BertConfig(**small),
        "roberta": lambda: hf.RobertaConfig(**small),
        "t5": lambda: hf.T5Config(
            vocab_size=size, d_model=dim, d_ff=2 * dim, d_kv=8, num_layers=2, num_heads=2
        ),
        "gpt2": lambda: hf.GPT2Config(
            vocab_size=size,
            n_embd=dim,
            n_layer=2,
            n_head=2,
            n_positions=64,
            initializer_range=1.6 / dim**0.5,
        ),
        "llama": lambda: hf.LlamaConfig(**small, num_key_value_heads=1),
        "qwen2": lambda: hf.Qwen2Config(**small, num_key_value_heads=1),
    }[kind]()
    torch.manual_seed(seed)
    hf.AutoModel.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one model an architecture, the decoders with both sides of padding."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    root = tmp_path_factory.mktemp("models")
    for kind in ENCODERS:
        write_model(root / kind, kind)
    for kind in DECODERS:
        for side in ("left", "right"):
            write_model(root / f"{kind}-{side}", kind, side)
    return root


@pytest.fixture
def bert(models: Path) -> Path:
    return models / "bert"
