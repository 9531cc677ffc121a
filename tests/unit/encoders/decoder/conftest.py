"""Tiny decoders where a test may read them, and the real one from its package."""

from __future__ import annotations

from pathlib import Path

import pytest

from recnb.encoders.decoder import Decoder
from tests.unit.encoders.decoder.tiny import ARCHITECTURES, write_decoder


@pytest.fixture(scope="session")
def decoders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one decoder an architecture, and one whose tokenizer begins every text with a token."""
    root = tmp_path_factory.mktemp("decoders")
    for kind in ARCHITECTURES:
        write_decoder(root / kind, kind)
    write_decoder(root / "start", "llama", start=True)
    return root


@pytest.fixture(scope="session")
def llama(decoders: Path) -> Decoder:
    return Decoder(str(decoders / "llama"), device="cpu", batch_tokens=64)


@pytest.fixture(scope="session")
def real() -> Decoder:
    """SmolLM2-135M-Instruct, converted once into the cache of whoever runs the tests."""
    decoder = Decoder(device="cpu")
    assert decoder.network  # opened before a test points the cache elsewhere
    return decoder
