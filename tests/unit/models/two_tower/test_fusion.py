"""Several modalities of an item in the two tower: each fusion learns, copes with gaps, is kept and grows."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from recnb.data import Dataset  # noqa: E402
from recnb.data.media import from_vectors, open_audio, open_image, read_audio, read_images, thinned  # noqa: E402
from recnb.errors import InputError  # noqa: E402
from recnb.models import make  # noqa: E402
from recnb.models.two_tower.fusion import FUSIONS, Fuse  # noqa: E402
from recnb.models.two_tower.modalities import chosen  # noqa: E402
from recnb.models.two_tower.modalities.cnn import SmallCNN, cnn_features, fit_cnn, read_inputs  # noqa: E402
from recnb.recommender import load_model  # noqa: E402
from recnb.world import generate, write_world  # noqa: E402

QUICK = {"width": 8, "n_epochs": 12, "lr": 0.02, "dropout": 0.0, "max_tokens": 16}


pytestmark = pytest.mark.usefixtures("with_tiny_bert")


def quarters(n_known: int = 40, n_items: int = 48) -> Dataset:
    """Two hidden bits an item: `left` tells the one, `right` the other; users like one of the four kinds."""
    rng = np.random.default_rng(0)
    rows = []
    for u in range(40):
        alike = [i for i in range(n_known) if i % 4 == u % 4]
        rows += [(f"u{u:02d}", f"i{i:02d}") for i in rng.choice(alike, 6, replace=False)]
    ids = [f"i{i:02d}" for i in range(n_items)]
    items = pd.DataFrame({"item_id": ids, "title": [f"green tea {i % 3}" for i in range(n_items)]})
    bits = np.array([[i % 2, i // 2 % 2] for i in range(n_items)]) * 2.0 - 1

    def noisy(column: int) -> np.ndarray:
        return np.column_stack([bits[:, column], rng.normal(0, 0.3, (n_items, 3))])

    ds = Dataset.from_frames(pd.DataFrame(rows, columns=["user_id", "item_id"]), items)
    return ds.with_media(
        left=from_vectors(noisy(0), ds.item_ids), right=from_vectors(noisy(1), ds.item_ids)
    )


def accuracy(model, ds: Dataset, items: slice = slice(40, 48)) -> float:
    """Share of users whose best new item is of their kind."""
    best = model.score(np.arange(ds.n_users))[:, items].argmax(axis=1) + items.start
    return float((best % 4 == np.arange(ds.n_users) % 4).mean())


@pytest.mark.parametrize("how", FUSIONS)
def test_fused_knows_what_neither_modality_knows(how: str) -> None:
    ds = quarters()
    found = {
        names: accuracy(make("fusion", modalities=names, fusion=how, **QUICK).fit(ds), ds)
        for names in ("left", "right", "left+right")
    }
    assert found["left+right"] > 0.9
    assert max(found["left"], found["right"]) < 0.75


@pytest.mark.parametrize("how", FUSIONS)
def test_save_load_and_new_items(how: str, tmp_path: Path) -> None:
    ds = quarters()
    model = make("fusion", modalities="text+left+right", fusion=how, **QUICK).fit(ds)
    model.save(tmp_path / "model")
    back = load_model(tmp_path / "model")
    users = np.arange(ds.n_users)
    np.testing.assert_allclose(back.score(users), model.score(users), atol=1e-5)
    more = pd.DataFrame(
        {
            "item_id": ["n1", "n2"],
            "title": [ds.items["title"].iloc[44], "new"],
            "left": [ds.media["left"].vectors[44], None],
            "right": [ds.media["right"].vectors[44], None],
        }
    )
    grown = back.with_items(more)
    scores = grown.score(users)
    assert scores.shape == (40, 50) and np.isfinite(scores).all()
    twin = scores[:, 48] - model.score(users)[:, 44]  # as its like, but for the rule for ties
    assert np.abs(twin).max() < 1e-2
    np.testing.assert_allclose(scores[:, :48], model.score(users), atol=1e-5)


@pytest.mark.parametrize("how", FUSIONS)
def test_a_missing_modality_has_a_stand_in_that_learns(how: str) -> None:
    tables = [torch.randn(6, 5), torch.randn(6, 3)]
    here = torch.ones(6, 2, dtype=torch.bool)
    here[:3, 1] = False
    fuse = Fuse(how, tables, here, 8)
    tables[1][:3] = 9.0
    moved = Fuse(how, tables, here, 8)
    moved.load_state_dict(fuse.state_dict())
    codes = torch.arange(6)
    torch.testing.assert_close(fuse(codes)[:3], moved(codes)[:3])  # what is not there is not read
    (fuse(codes) - 1).square().sum().backward()
    assert fuse.mix.missing.grad[1].abs().sum() > 0
    assert fuse.mix.missing.grad[0].abs().sum() == 0


def test_modality_dropout_leaves_one_and_is_off_when_scoring() -> None:
    torch.manual_seed(0)
    fuse = Fuse("concat", [torch.ones(400, 1), torch.ones(400, 1)], torch.ones(400, 2).bool(), 4,
                modality_dropout=0.6)  # fmt: skip
    fuse.shift.zero_()
    with torch.no_grad():
        fuse.mix.maps[0].weight[:], fuse.mix.maps[1].weight[:] = 1.0, 10.0
        fuse.size.fill_(1.0)
        seen = fuse.train()(torch.arange(400))[:, 0].round().int().tolist()
        assert set(seen) == {1, 10, 11}
        # both kept 0.16, both dropped 0.36 and so both kept again
        assert abs(seen.count(11) / 400 - 0.52) < 0.08
        assert set(fuse.eval()(torch.arange(400))[:, 0].round().int().tolist()) == {11}


def test_a_lost_picture_costs_less_after_modality_dropout() -> None:
    ds = quarters()
    kept = {}
    for share in (0.0, 0.5):
        model = make("fusion", modalities="left+right", modality_dropout=share, **QUICK).fit(ds)
        scores = model.without("right", np.arange(40, 48)).score(np.arange(40))[:, 40:48]
        half = np.arange(40)[:, None] % 2 == np.arange(40, 48)[None] % 2
        kept[share] = float((scores[half].mean() - scores[~half].mean()) / scores.std())
    assert kept[0.5] > 0.5  # the bit that is still told decides


@pytest.mark.parametrize("how", ["concat", "cross_attention", "late"])
def test_without_scores_like_items_that_never_had_it(how: str, tmp_path: Path) -> None:
    """The copy scores as the model does with new items that never had the modality; the model stays as it was."""
    ds = quarters()
    model = make("fusion", modalities="text+left+right", fusion=how, **QUICK).fit(ds)
    users, before = np.arange(ds.n_users), model.score(np.arange(ds.n_users))
    more = pd.DataFrame(
        {
            "item_id": ["n1", "n2"],
            "title": ds.items["title"].iloc[[44, 45]].to_numpy(),
            "left": list(ds.media["left"].vectors[[44, 45]]),
        }
    )
    lacking = model.without("right", np.array([44, 45]))
    grown = lacking.with_items(more).score(users)
    assert np.abs(grown[:, 48:] - grown[:, 44:46]).max() < 1e-2  # but for the rule for ties
    assert np.abs(grown[:, 44:46] - before[:, 44:46]).max() > 0.05
    np.testing.assert_array_equal(grown[:, :44], before[:, :44])
    np.testing.assert_array_equal(model.score(users), before)
    lacking.save(tmp_path / "m")
    np.testing.assert_allclose(
        load_model(tmp_path / "m").score(users), lacking.score(users), atol=1e-5
    )
    every = model.without("text")
    assert not every.state_["items"]["present"][:, 0].any()
    filled = model.without("left", np.array([3]), fill=ds.media["left"].vectors[5])
    assert np.array_equal(filled.state_["items"]["tables"]["left"][3], ds.media["left"].vectors[5])
    present = [m.state_["items"]["present"] for m in (filled, model)]
    assert np.array_equal(*present)


@pytest.mark.parametrize(
    ("modality", "fill", "message"),
    [
        ("picture", None, "no modality 'picture' in the model; one of text, left, right"),
        ("text", 0.0, "'text' has no fixed vectors to fill"),
        ("left", np.ones(3), "a fill of shape \\(3,\\) for 'left'; a number, or a vector of 4"),
    ],
)
def test_without_refuses(modality, fill, message) -> None:
    model = make("fusion", modalities="text+left+right", **{**QUICK, "n_epochs": 1}).fit(quarters())
    with pytest.raises(InputError, match=message):
        model.without(modality, fill=fill)


def test_a_text_alone_has_no_modality_to_lose() -> None:
    model = make("text_dot", **{**QUICK, "n_epochs": 1})
    with pytest.raises(InputError, match="not fitted"):
        model.without("text")
    with pytest.raises(InputError, match="the model reads one modality"):
        model.fit(quarters()).without("text")


def test_lora_tunes_the_text_beside_a_picture() -> None:
    pytest.importorskip("peft")
    ds = quarters()
    settings = {**QUICK, "n_epochs": 2, "size": 2}
    model = make("fusion@lora", modalities="text+left", **settings).fit(ds)
    assert model.tuned_parameters() > 0
    assert np.isfinite(model.score(np.arange(3))).all()
    assert model.adapter().method == "lora"


def test_pictures_and_sounds_by_small_networks(tmp_path: Path, monkeypatch) -> None:
    world = generate("video", n_users=150, n_items=90, seed=0, text_strength=0.2)
    write_world(world, tmp_path / "data")
    ds = Dataset.from_folder(tmp_path / "data")
    opened: list[str] = []
    for kind, reader in (("image", open_image), ("audio", open_audio)):

        def counted(file, *rest, _kind=kind, _reader=reader):
            opened.append(_kind)
            return _reader(file, *rest)

        monkeypatch.setattr(f"recnb.models.two_tower.modalities.cnn.open_{kind}", counted)
    model = make("fusion", **{**QUICK, "n_epochs": 2}).fit(ds)
    assert opened.count("image") == opened.count("audio") == 90  # each once
    assert model.state_["reader"]["names"] == ["text", "image", "audio"]
    model.save(tmp_path / "model")
    back = load_model(tmp_path / "model")
    item = ds.item_ids[5]
    twin = ds.items.iloc[[5]].drop(columns=["published"], errors="ignore")
    twin = twin.assign(
        image=str(tmp_path / "data" / "images" / f"{item}.png"),
        audio=str(tmp_path / "data" / "audio" / f"{item}.wav"),
    ).set_axis(["twin"], axis=0)
    for column, value in (("image", np.zeros((4, 4))), ("audio", 7)):
        with pytest.raises(InputError, match="give the path") as caught:
            back.with_items(twin.assign(**{column: [value]}))
        assert caught.value.column == column and "twin" in str(caught.value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back.with_items(twin.assign(image=None))
    grown = back.with_items(twin)
    a, b = grown.item_vectors()[[5, -1]]
    np.testing.assert_allclose(a, b, atol=1e-3)


def test_the_small_network_reads_what_users_see(tmp_path: Path) -> None:
    """Pictures red or blue, sounds high or low, one taste each: features of unseen files tell them apart."""
    soundfile = pytest.importorskip("soundfile")
    from PIL import Image
    from scipy import sparse

    rng = np.random.default_rng(0)
    n = 120
    for kind in ("images", "audio"):
        (tmp_path / kind).mkdir()
    for i in range(n):
        colour = (200, 60, 60) if i % 2 else (60, 60, 200)
        noise = rng.normal(0, 20, (20, 20, 3))
        picture = (np.array(colour) + noise).clip(0, 255).astype(np.uint8)
        Image.fromarray(picture).save(tmp_path / "images" / f"i{i:03d}.png")
        time = np.arange(8000) / 8000
        wave = np.sin(2 * np.pi * (1200 if i % 2 else 300) * time) + rng.normal(0, 0.2, 8000)
        soundfile.write(tmp_path / "audio" / f"i{i:03d}.wav", 0.3 * wave, 8000)
    ids = [f"i{i:03d}" for i in range(n)]
    known = np.arange(80)
    pairs = np.zeros((60, n))
    for u in range(60):
        pairs[u, rng.choice(known[known % 2 == u % 2], 12, replace=False)] = 1
    for kind, media in (
        ("image", read_images(tmp_path / "images", ids)),
        ("audio", read_audio(tmp_path / "audio", ids)),
    ):
        inputs = read_inputs(kind, media.files)
        network = fit_cnn(kind, inputs, np.arange(n), sparse.csr_matrix(pairs), 4, n_epochs=15)
        features = cnn_features(network, inputs)
        assert isinstance(network, SmallCNN) and features.shape == (n, 64)
        means = [features[known[known % 2 == side]].mean(axis=0) for side in (0, 1)]
        gaps = [np.linalg.norm(features[80:] - mean, axis=1) for mean in means]
        assert ((gaps[1] < gaps[0]) == (np.arange(80, n) % 2 == 1)).mean() > 0.95
    with pytest.raises(InputError, match="too few"):
        fit_cnn("image", inputs[:10], np.arange(10), sparse.csr_matrix(pairs))


def test_items_without_any_of_it_and_thinned_media() -> None:
    ds = quarters()
    ds = ds.with_media(left=thinned(ds.media["left"], 0.5, seed=0))
    model = make("fusion", modalities="left+right", **QUICK).fit(ds)
    assert model.state_["items"]["present"].sum(axis=0).tolist() == [len(ds.media["left"]), 48]
    assert np.isfinite(model.score(np.arange(5))).all()


def test_vectors_alone_need_no_text() -> None:
    ds = quarters()
    bare = Dataset.from_frames(
        pd.DataFrame({"user_id": ds.user_ids[ds.interactions["user"]],
                      "item_id": ds.item_ids[ds.interactions["item"]]})
    )  # fmt: skip
    bare = bare.with_media(left=ds.media["left"])
    model = make("fusion", modalities="left", **QUICK)
    assert not model.needs_text and make("fusion", modalities="text+left").needs_text
    auto = make("fusion", **QUICK).fit(bare)  # takes what is there
    assert auto.state_["reader"]["names"] == ["left"]
    assert np.isfinite(model.fit(bare).score(np.arange(3))).all()
    assert model.parameters()[1] == model.parameters()[0]  # no language model in it


def test_what_cannot_be_fused_is_refused_in_one_line() -> None:
    ds = quarters()
    plain = ds.with_media(left=None, right=None)
    for data, settings, said in (
        (plain, {}, "neither pictures nor sounds"),
        (ds, {"modalities": "text+smell"}, "no modality 'smell'"),
        (ds, {"modalities": "text,left"}, "joined by +"),
        (ds, {"modalities": ["text", "left"]}, "write them as text"),
        (ds, {"modalities": "text+image"}, "has no image of items.*images/ beside"),
        (ds, {"image_encoder": "CNN"}, "image_encoder='CNN'.*'cnn', a folder"),
        (ds, {"audio_encoder": None}, "audio_encoder=None"),
        (ds, {"modality_dropout": "a"}, "modality_dropout='a'"),
        (ds, {"modalities": "left+left"}, "stands twice"),
        (ds, {"modalities": "id"}, "nothing to fuse"),
        (ds, {"fusion": "magic"}, "fusion='magic'"),
        (ds, {"modality_dropout": 1.0}, "modality_dropout"),
        (ds, {"modalities": "left", "method": "full"}, "tunes a language model"),
        (ds, {"modalities": "left", "user": "mean+text"}, "user's text"),
        (ds, {"modalities": "left", "head": "weighted_sum"}, "sums over layers"),
        (ds, {"modalities": "left", "words": 4}, "words are those of a text"),
        (ds, {"fusion": "bottleneck", "width": 6}, "heads"),
    ):
        with pytest.raises(InputError, match=said):
            make("fusion", **{**QUICK, **settings}).fit(data)
    assert chosen(None, ds) == () and chosen("auto", ds) == ("text", "left", "right")
