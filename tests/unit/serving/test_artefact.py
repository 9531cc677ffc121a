"""An artefact is what its manifest says, or it is refused in one line before the first request."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest

from recnb.errors import InputError
from recnb.recommender import load_model
from recnb.serving import manifest, open_artefact
from recnb.serving.export import export


def test_what_is_written_is_read_back(artefact_of, report, films):
    artefact = open_artefact(artefact_of("als"))
    head = artefact.head
    assert (head["users"], head["items"]) == (films.n_users, films.n_items)
    assert head["abilities"] == ["known users", "history", "similar", "text", "new items"]
    assert set(artefact.indexes) == {"text", "taste"}
    users = np.arange(5)
    np.testing.assert_array_equal(
        artefact.model.score(users), load_model(report / "models/als-0").score(users)
    )
    # train and valid are known, the test part is not
    assert artefact.known.nnz < films.pairs().nnz
    assert artefact.items["title"].tolist() == films.items["title"].tolist()
    assert {"ndcg"} <= {r["metric"] for r in head["evaluation"]["results"]}
    run = json.loads((artefact.folder / "evaluation/run.json").read_text())
    assert run["dataset"]["digest"] == films.digest


def test_the_encoder_reads_as_torch_does(artefact_of, encoder):
    served = open_artefact(artefact_of("ease")).encoder
    texts = ["green tea", "", "a much longer text " * 40, "tea"]
    vectors, counts = served.encode_counted(texts)
    np.testing.assert_allclose(vectors, encoder.encode(texts), atol=1e-5)
    assert counts[1].tolist() == [0, 0] and not vectors[1].any()
    assert counts[0].tolist() == [2, 0] and served.encode_counted(["\u4e2d"])[1][0, 1] == 0


def test_the_seed_may_be_left_out_and_data_may_stand_in(report, films, tmp_path):
    artefact = export(report / "models/popularity", tmp_path / "a", films, encoder=None)
    assert artefact.known.nnz == films.pairs().nnz and artefact.encoder is None
    with pytest.raises(InputError, match=r"als-0, ease-0"):
        export(report / "models/nothing", tmp_path / "b")
    lone = tmp_path / "lone"
    shutil.copytree(report / "models/ease-0", lone)
    with pytest.raises(InputError, match="--data"):
        export(lone, tmp_path / "b")
    with pytest.raises(InputError, match="is not what the model was fitted on"):
        export(lone, tmp_path / "b", films.sample_users(20))
    assert not (tmp_path / "b").exists()


def test_an_earlier_artefact_is_replaced_and_nothing_else(report, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("x")
    with pytest.raises(InputError, match="holds something else"):
        export(report / "models/popularity", tmp_path / "mine", encoder=None)
    for _ in range(2):
        export(report / "models/popularity", tmp_path / "ours", encoder=None)


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _rehashed(folder, change):
    """Change the manifest and give it a digest that fits."""
    head = json.loads((folder / manifest.NAME).read_text())
    change(head)
    head["digest"] = manifest.digest(head)
    (folder / manifest.NAME).write_text(json.dumps(head))


def _foreign_class(folder):
    path = folder / "model/model.json"
    path.write_text(
        path.read_text().replace("recnb.models.classical.linear:EASE", "antigravity:EASE")
    )
    entry = {"bytes": path.stat().st_size, "sha256": manifest._sha256(path)}
    _rehashed(folder, lambda head: head["files"].update({"model/model.json": entry}))


FAULTS = {
    "cut": (lambda f: os.truncate(f / "model/model.safetensors", 1000), "model.safetensors' has"),
    "flipped": (lambda f: _flip(f / "text.faiss"), "'text.faiss' was changed or damaged"),
    "missing": (lambda f: (f / "items.parquet").unlink(), "'items.parquet' is missing"),
    "unlisted": (lambda f: (f / "more.json").write_text("{}"), "'more.json' is not listed"),
    "pickle": (
        lambda f: (f / "model/a.pkl").write_bytes(b""),
        "of a format that no artefact holds",
    ),
    "code": (lambda f: (f / "a.py").write_text(""), "of a format that no artefact holds"),
    "link": (lambda f: (f / "a.json").symlink_to("/etc/hostname"), "is a link"),
    "edited": (
        lambda f: (f / manifest.NAME).write_text(
            (f / manifest.NAME).read_text().replace("ease", "best")
        ),
        "changed after it was written",
    ),
    "no json": (lambda f: (f / manifest.NAME).write_text("{"), "no json"),
    "another kind": (lambda f: (f / manifest.NAME).write_text("[]"), "no recnb artefact"),
    "no manifest": (lambda f: (f / manifest.NAME).unlink(), "recnb export MODEL_DIR"),
    "newer": (lambda f: _rehashed(f, lambda h: h.update(schema=99)), "schema 99"),
    "no files": (lambda f: _rehashed(f, lambda h: h.pop("files")), "'files' is missing"),
    "other sizes": (lambda f: _rehashed(f, lambda h: h.update(users=3)), "other sizes"),
    "other index": (
        lambda f: _rehashed(f, lambda h: h["indexes"]["text"].update(dim=7)),
        "not 200 of 7",
    ),
    "foreign class": (_foreign_class, "of a module that is not imported"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_refused_in_one_line(artefact_of, tmp_path, fault):
    folder = tmp_path / "a"
    shutil.copytree(artefact_of("ease"), folder)
    open_artefact(folder)
    change, problem = FAULTS[fault]
    change(folder)
    with pytest.raises(InputError, match=problem) as caught:
        open_artefact(folder)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("precision", "smaller"), [("float16", 1.7), ("int8", 3), ("int8_static", 3)]
)
def test_narrow_weights_are_smaller_and_near(encoder, films, tmp_path, precision, smaller, caplog):
    from recnb.serving.encoder.compress import save_encoder
    from recnb.serving.encoder.onnx import OnnxEncoder

    texts = films.items["title"].tolist()
    settings = save_encoder(encoder, tmp_path / "q", precision, texts)
    vectors = OnnxEncoder(tmp_path / "q", settings).encode(texts)
    full = encoder.encode(texts)
    assert ((vectors * full).sum(axis=1) > 0.95).all()
    weights = sum(p.numel() for p in encoder.model.parameters()) * 4
    assert (tmp_path / "q/model.onnx").stat().st_size < weights / smaller
    assert ("no GPU" in caplog.text) == (precision == "float16")
    assert not {p.name for p in (tmp_path / "q").iterdir()} - {
        "model.onnx",
        "tokenizer.json",
        "encoder.json",
    }


def test_fewer_layers_taught_come_nearer_to_the_whole(wide_encoder, films, tmp_path):
    from recnb.serving.encoder.distil import fewer_layers

    texts = films.items["title"].tolist()
    full = wide_encoder.encode(texts)

    def nearness(epochs: int) -> float:
        student = fewer_layers(wide_encoder, 1, texts, tmp_path / str(epochs), epochs, lr=1e-3)
        assert student.n_layers == 1
        return float((student.encode(texts) * full).sum(axis=1).mean())

    assert nearness(8) > nearness(0) + 0.02
    with pytest.raises(InputError, match="n_layers=2 of 2"):
        fewer_layers(wide_encoder, 2, texts, tmp_path / "x")


def test_a_shorter_vector_is_the_first_numbers_of_the_long_one(wide_encoder, report, tmp_path):
    artefact = export(report / "models/ease", tmp_path / "a", encoder=wide_encoder, dim=8)
    texts = artefact.text(artefact.items)
    first = wide_encoder.encode(texts)[:, :8]
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    np.testing.assert_allclose(artefact.encoder.encode(texts), first, atol=1e-5)
    np.testing.assert_allclose(artefact.indexes["text"].vectors(np.arange(9)), first[:9], atol=1e-5)
    with pytest.raises(InputError, match="dim=33"):
        export(report / "models/ease", tmp_path / "b", encoder=wide_encoder, dim=33)


def test_the_heads_that_matter_least_are_cut_and_the_rest_is_taught(wide_encoder, films, tmp_path):
    import torch

    from recnb.serving.encoder.heads import NarrowEncoder, attention, fewer_heads, worth

    texts = films.items["title"].tolist()
    full = wide_encoder.encode(texts)
    values = worth(wide_encoder, wide_encoder.model, texts)
    assert values.shape == (2, 2) and (values > 0).all()
    gone = fewer_heads(wide_encoder, 0.75, texts, tmp_path / "cut", epochs=0)
    (row, column), kept = np.argwhere(values == values.min())[0], gone.heads
    assert [len(kept[row]), len(kept[1 - row])] == [1, 2] and kept[row] == [1 - column]
    # what is left computes what the whole one does without the head
    whole = wide_encoder.model
    dense = attention(whole, "")[row].output.dense
    with torch.no_grad():
        before = dense.weight.clone()
        dense.weight[:, 16 * column : 16 * (column + 1)] = 0
        expected = wide_encoder._embed(wide_encoder.tokens(texts[:9])[0], (2,), False)
        dense.weight.copy_(before)
    read = gone.encode(texts)
    np.testing.assert_allclose(read[:9], expected, atol=1e-5)
    taught = fewer_heads(wide_encoder, 0.75, texts, tmp_path / "taught", epochs=8, lr=1e-3)
    nearness = [(e.encode(texts) * full).sum(axis=1).mean() for e in (gone, taught)]
    assert nearness[1] > nearness[0] + 0.5 * (1 - nearness[0]) > 0
    again = NarrowEncoder(tmp_path / "taught", device="cpu", cache=False)
    np.testing.assert_allclose(taught.encode(texts), again.encode(texts), atol=1e-6)
    with pytest.raises(InputError, match=r"share=0\.2"):
        fewer_heads(wide_encoder, 0.2, texts, tmp_path / "x")
