"""A language model adapted without labels: what each way moves, and that the folder is used by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from recnb.data import Dataset  # noqa: E402
from recnb.encoders import TextEncoder  # noqa: E402
from recnb.errors import InputError  # noqa: E402
from recnb.models import make  # noqa: E402
from recnb.training.adaptation import Adaptation, adapt, used_together  # noqa: E402
from tests.unit.encoders.conftest import WORDS, write_model  # noqa: E402

N = 24
QUICK = {
    "n_epochs": 20,
    "lr": 3e-3,
    "batch_size": 8,
    "temperature": 0.2,
    "max_tokens": 16,
    "device": "cpu",
}

STEADY = {**QUICK, "lr": 5e-3, "dropout": 0.0}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_model(tmp_path_factory.mktemp("encoder") / "bert", "bert")
    tokens = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(tokens | {"mask_token": "[UNK]"}))
    return folder


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RECNB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.set_num_threads(1)


def world() -> Dataset:
    """Texts of random words; even and odd items are used by other people, which one word of four tells."""
    rng = np.random.default_rng(0)
    told, rest = ("strong", "mild"), [w for w in WORDS if w not in ("strong", "mild")]
    items = pd.DataFrame(
        {
            "item_id": [f"i{k:02d}" for k in range(N)],
            "title": [
                " ".join([*rng.choice(rest, 3, replace=False), told[k % 2]]) for k in range(N)
            ],
        }
    )
    rows = [
        (f"u{u:02d}", f"i{i:02d}")
        for u in range(20)
        for i in rng.choice(N // 2, 7, replace=False) * 2 + u % 2
    ]
    return Dataset.from_frames(pd.DataFrame(rows, columns=["user_id", "item_id"]), items)


def cosines(encoder: TextEncoder, texts: list[str]) -> np.ndarray:
    vectors = encoder.encode(texts)
    return vectors @ vectors.T


def gap(matrix: np.ndarray) -> float:
    """Mean cosine of items that the same people use, less that of the others."""
    same = np.arange(N)[:, None] % 2 == np.arange(N)[None, :] % 2
    return float(matrix[same & ~np.eye(N, dtype=bool)].mean() - matrix[~same].mean())


def test_items_used_together_come_nearer_and_the_folder_is_used_by_name(bert, tmp_path):
    ds = world()
    texts = ds.items["title"].tolist()
    near = used_together(ds, k=5)
    assert (near.weights.nonzero()[0] % 2 == near.weights.nonzero()[1] % 2).mean() == 1.0
    done = adapt(texts, tmp_path / "out", Adaptation("together", **STEADY), str(bert), near)
    before, after = (TextEncoder(name, max_tokens=16) for name in (bert, done.folder))
    assert gap(cosines(after, texts)) > gap(cosines(before, texts)) + 0.2
    assert done.history[-1]["loss"] < done.history[0]["loss"] and done.n_texts == len(set(texts))
    assert after.checksum == done.checksum != before.checksum and after.name == "out"
    facts = json.loads((done.folder / "adapted.json").read_text())
    assert facts["from_checksum"] == before.checksum and facts["settings"]["method"] == "together"
    model = make(f"text_frozen[encoder={done.folder}]").fit(ds)
    assert model.reads().language_models[0].name == "out"
    anchored = Adaptation("together", **STEADY, anchor=50.0, n_layers=1)
    kept = adapt(texts, tmp_path / "kept", anchored, str(bert), near)
    moved = [
        np.abs(cosines(TextEncoder(f, max_tokens=16), texts) - cosines(before, texts)).mean()
        for f in (kept.folder, done.folder)
    ]
    assert moved[0] < 0.5 * moved[1]


def test_two_readings_spread_the_texts(bert, tmp_path):
    texts = world().items["title"].tolist()
    done = adapt(texts, tmp_path / "out", Adaptation("simcse", **QUICK), str(bert))
    off = ~np.eye(N, dtype=bool)
    before, after = (
        cosines(TextEncoder(name, max_tokens=16), texts)[off].mean() for name in (bert, done.folder)
    )
    assert after < before - 0.05 and done.history[-1]["loss"] < done.history[0]["loss"]


def test_hidden_words_are_guessed_better_and_a_killed_adaptation_ends_alike(
    bert, tmp_path, monkeypatch
):
    texts = [
        "green tea organic mild",
        "usb cable strong black",
        "black coffee for the home",
    ] * 4 + ["", "a"]
    how = {**QUICK, "n_epochs": 30, "batch_size": 4, "masked": 0.3}
    done = adapt(texts, tmp_path / "out", Adaptation("masked", **how), str(bert))
    assert done.history[-1]["loss"] < 0.7 * done.history[0]["loss"] and done.n_texts == 4
    from recnb.training import loop

    real, calls = loop._step, []

    def killed(*args):
        calls.append(1)
        if len(calls) == 17:
            raise KeyboardInterrupt
        return real(*args)

    again = Adaptation("masked", **how, checkpoint=str(tmp_path / "run"))
    monkeypatch.setattr(loop, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        adapt(texts, tmp_path / "again", again, str(bert))
    assert not (tmp_path / "again").exists()
    assert adapt(texts, tmp_path / "again", again, str(bert)).checksum == done.checksum


@pytest.mark.parametrize(
    "settings, texts, words",
    [
        ({"method": "mlm"}, ["a", "b"], "masked, simcse, together"),
        ({"method": "together"}, ["a", "b"], "without neighbours"),
        ({"batch_size": 1}, ["a", "b"], "texts are compared"),
        ({}, ["tea", "tea", " "], "fewer than two texts"),
    ],
)
def test_what_cannot_be_is_one_line(bert, tmp_path, settings, texts, words):
    with pytest.raises(InputError, match=words):
        adapt(texts, tmp_path / "out", Adaptation(**settings), str(bert))


def test_a_folder_of_something_else_and_a_language_model_without_a_mask(
    models_without_mask, tmp_path
):
    with pytest.raises(InputError, match="no word that hides"):
        adapt(["tea", "usb"], tmp_path / "out", Adaptation("masked"), str(models_without_mask))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(InputError, match="holds something else"):
        adapt(["tea", "usb"], tmp_path / "mine", Adaptation(), str(models_without_mask))


@pytest.fixture
def models_without_mask(tmp_path) -> Path:
    return write_model(tmp_path / "plain", "gpt2")


def test_items_that_nobody_shares_have_no_neighbours():
    rows = pd.DataFrame({"user_id": list("abc"), "item_id": list("xyz")})
    with pytest.raises(InputError, match="liked by 2 people both"):
        used_together(Dataset.from_frames(rows))
