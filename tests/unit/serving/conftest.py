"""One tiny evaluation, its artefacts, and a small encoder, for all tests of serving."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from recnb.data import Dataset
from recnb.encoders import TextEncoder
from recnb.models import parse_models
from recnb.study.run import Study, run
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
    models = parse_models("popularity,ease,als")
    run(Study(splits.random(films), models, Protocol(draws=1000)), folder, save_models=True)
    return folder


def tiny_encoder(folder: Path, spread: float) -> TextEncoder:
    """A real architecture and tokenizer with two narrow layers and random weights of a standard deviation."""
    import torch
    from transformers import BertConfig, BertModel

    from recnb.encoders.loading import locate

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
        initializer_range=spread,
    )
    BertModel(config).save_pretrained(folder)
    return TextEncoder(folder, device="cpu")


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> TextEncoder:
    """A small encoder, as it is initialised by default."""
    return tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny-bert", 0.02)


@pytest.fixture(scope="session")
def wide_encoder(tmp_path_factory) -> TextEncoder:
    """A small encoder whose vectors of different texts lie apart."""
    return tiny_encoder(tmp_path_factory.mktemp("encoder") / "wide-bert", 0.3)


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


class Served:
    """The real process behind a real socket."""

    def __init__(self, folder: Path, *artefacts: Path, options: tuple[str, ...] = ()) -> None:
        self.state = folder / "state"
        self.command = [sys.executable, "-m", "recnb.cli.main", "serve", *map(str, artefacts)]
        self.command += ["--port", "0", "--state", str(self.state), *options]
        self.log = folder / "serve.log"
        self.start()

    def start(self) -> None:
        with self.log.open("w") as log:
            self.process = subprocess.Popen(self.command, stderr=log, stdout=log)
        self.url = self.said(r"on (https?://\S+)")

    def said(self, pattern: str, seconds: float = 90) -> str:
        """What the process prints, waited for."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = re.findall(pattern, self.log.read_text())
            if found:
                return found[-1]
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def worker(self) -> psutil.Process:
        """The process that answers."""
        (child,) = psutil.Process(self.process.pid).children()
        return child

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@pytest.fixture
def serve(tmp_path):
    """Starts a process of its own over some artefacts; ended with the test."""
    started = []

    def start(*artefacts: Path, options: tuple[str, ...] = ()) -> Served:
        started.append(Served(tmp_path, *artefacts, options=options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.stop()


@pytest.fixture(scope="session")
def served(artefact_of, tmp_path_factory):
    """Two models, keys asked for: the process and its keys by scope."""
    from recnb.serving.keys import KeyFile

    folder = tmp_path_factory.mktemp("served")
    (folder / "state").mkdir()
    file = KeyFile(folder / "state/keys.json")
    keys = {scope: file.add(scope, (scope,), rate=5000) for scope in ("read", "items", "admin")}
    keys["expired"] = file.add("expired", ("admin",), days=1e-9)
    keys["slow"] = file.add("slow", ("read",), rate=2)
    one = Served(
        folder, artefact_of("ease"), artefact_of("als"), options=("--milliseconds", "5000")
    )
    one.keys = keys
    yield one
    one.stop()


@pytest.fixture(scope="session")
def client(served):
    import httpx

    headers = {"authorization": f"Bearer {served.keys['admin']}"}
    with httpx.Client(base_url=served.url, headers=headers, timeout=60) as one:
        yield one
