"""One tiny evaluation, its artefacts, and a small encoder, for all tests of serving."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from recnb.data import Dataset
from recnb.encoders import TextEncoder
from recnb.models import parse_models
from recnb.study.run import Plan, run
from recnb.world.sample import sample_world


@pytest.fixture(scope="session")
def films() -> Dataset:
    world = sample_world()
    return Dataset.from_frames(
        world.interactions,
        world.items,
        world.users,
        feedback="explicit",
        scale=(1, 5),
        name="films",
    )


@pytest.fixture(scope="session")
def report(films, tmp_path_factory) -> Path:
    """The output of an evaluation that kept its models."""
    from recnb import Protocol, splits

    folder = tmp_path_factory.mktemp("serving") / "report"
    models = parse_models("popularity,ease,als,ease+tfidf")
    run(Plan(splits.random(films), models, Protocol(draws=1000)), folder, save_models=True)
    return folder


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> TextEncoder:
    """A real architecture and tokenizer with two narrow layers and random weights."""
    import torch
    from transformers import BertConfig, BertModel

    from recnb.encoders.loading import locate

    folder = tmp_path_factory.mktemp("encoder") / "tiny-bert"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        shutil.copyfile(locate().folder / name, folder / name)
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        vocab_size=30522,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(folder)
    return TextEncoder(folder, device="cpu")


@pytest.fixture(scope="session")
def artefact_of(report, encoder, tmp_path_factory):
    """Exports a model of the evaluation once; returns its folder."""
    from recnb.serving.export import export

    folder, made = tmp_path_factory.mktemp("artefacts"), {}

    def make(name: str) -> Path:
        if name not in made:
            made[name] = folder / name
            export(report / "models" / name, made[name], encoder=encoder)
        return made[name]

    return make
