"""Pictures and sounds of the generated world: they tell what they should, no more, and are read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recnb import load
from recnb.data.media import open_audio, open_image
from recnb.errors import InputError
from recnb.world import MediaSettings, generate, write_world
from recnb.world.media import draw_picture, make_sound, media_truth


@pytest.fixture(scope="module")
def world():
    return generate("video", n_users=40, n_items=300, seed=3, text_strength=0.4)


def hidden(world) -> np.ndarray:
    names = world.truth.dimensions
    return world.truth.item_vectors[:, [n.startswith("hidden:") for n in names]]


def correlations(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    n = left.shape[1]
    return np.corrcoef(left.T, right.T)[:n, n:]


def test_picture_and_sound_tell_a_half_of_the_hidden_traits_each(world) -> None:
    truth = media_truth(world)
    table = correlations(np.column_stack([truth.picture, truth.sound]), hidden(world))
    assert np.diag(table).min() > 0.95
    assert np.abs(table - np.diag(np.diag(table))).max() < 0.3  # unit vectors: a little is shared


def test_how_much_they_tell_is_set(world) -> None:
    blind = media_truth(world, MediaSettings(picture=0.0, sound=0.5))
    table = correlations(np.column_stack([blind.picture, blind.sound]), hidden(world))
    assert np.abs(np.diag(table)[:4]).max() < 0.2
    assert ((np.diag(table)[4:] > 0.5) & (np.diag(table)[4:] < 0.85)).all()  # root of one half


def test_redundancy_is_the_share_whose_theme_is_told(world) -> None:
    own = media_truth(world, MediaSettings(redundancy=1.0)).picture_theme
    for share in (0.0, 0.5):
        told = media_truth(world, MediaSettings(redundancy=share)).picture_theme
        chance = share + (1 - share) / 16
        assert abs((told == own).mean() - chance) < 3 * np.sqrt(chance * (1 - chance) / len(own))


def test_a_picture_shows_each_trait() -> None:
    def of(amounts: list[float], theme: int = 0) -> np.ndarray:
        rng = np.random.default_rng(0)
        return np.asarray(draw_picture(np.array(amounts), theme, 16, 64, rng), float)

    middle = of([0.5] * 4)
    assert of([1.0, 0.5, 0.5, 0.5]).mean() > middle.mean() + 20
    warm = of([0.5, 1.0, 0.5, 0.5])
    assert (warm[..., 0] - warm[..., 2]).mean() > (middle[..., 0] - middle[..., 2]).mean() + 50
    assert (
        of([0.5, 0.5, 0.5, 1.0]).std(axis=(0, 1)).mean()
        > of([0.5, 0.5, 0.5, 0.0]).std(axis=(0, 1)).mean()
    )
    large, small = (of([0.5, 0.5, size, 0.0], theme=5) for size in (1.0, 0.0))
    plain = of([0.5, 0.5, 0.0, 0.0], theme=5)
    assert np.abs(large - plain).mean() > 5 > np.abs(small - plain).mean()


def test_a_sound_has_each_trait() -> None:
    def spectrum(amounts: list[float]) -> np.ndarray:
        wave = make_sound(np.array(amounts), 3, 2.0, 8000, np.random.default_rng(0))
        return np.abs(np.fft.rfft(wave / 32768.0)) ** 2

    hertz = np.fft.rfftfreq(16000, 1 / 8000)

    def share(power: np.ndarray, low: float, high: float) -> float:
        return float(power[(hertz >= low) & (hertz < high)].sum() / power.sum())

    def strongest(power: np.ndarray) -> float:
        tune = (hertz > 150) & (hertz < 2500)
        return float(hertz[tune][power[tune].argmax()])

    high, low = spectrum([1.0, 0, 0, 0]), spectrum([0.0, 0, 0, 0])
    assert strongest(high) > 2 * strongest(low)
    for column, band in ((1, (60, 100)), (2, (3250, 3350)), (3, (3400, 4000))):
        loud = [0.5, 0.0, 0.0, 0.0]
        loud[column] = 1.0
        assert share(spectrum(loud), *band) > 10 * share(spectrum([0.5, 0, 0, 0]), *band)


def test_a_sound_tells_its_theme_by_two_bells() -> None:
    bells = (1100, 1290, 1515, 1780, 2090, 2455, 2880)  # Hz
    hertz = np.fft.rfftfreq(16000, 1 / 8000)
    told = []
    for theme in range(16):
        # a low tune, and nothing beside it
        wave = make_sound(np.zeros(4), theme, 2.0, 8000, np.random.default_rng(theme))
        power = np.abs(np.fft.rfft(wave / 32768.0)) ** 2
        peaks = [power[np.abs(hertz - bell) < 2].max() for bell in bells]
        floor = [power[np.abs(hertz - bell - 40) < 2].max() for bell in bells]
        loud = np.array(peaks) > 30 * np.array(floor)
        assert loud.sum() == 2
        told.append(tuple(loud))
    assert len(set(told)) == 16


def test_written_and_read_back(world, tmp_path: Path) -> None:
    truth = write_world(world, tmp_path / "data")
    again = write_world(world, tmp_path / "data")  # the same folder, the same bytes
    assert (truth.picture == again.picture).all()
    ds = load(tmp_path / "data")
    assert ds.feedback == "explicit" and ds.n_items == 300
    assert set(ds.media) == {"image", "audio"}
    assert [len(ds.media[name]) for name in ("image", "audio")] == [300, 300]
    item = world.items["item_id"].iloc[0]
    assert open_image(tmp_path / "data" / "images" / f"{item}.png").size == (64, 64)
    assert len(open_audio(tmp_path / "data" / "audio" / f"{item}.wav", 8000, 9.0)) == 16000
    one, two = (
        write_world(world, tmp_path / name) and load(tmp_path / name).digest for name in ("a", "b")
    )
    assert one == two


def test_settings_out_of_range_are_refused(world, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="picture = 2"):
        write_world(world, tmp_path, picture=2)
    with pytest.raises(InputError, match="unknown setting 'colour'"):
        write_world(world, tmp_path, colour=1)
    assert not list(tmp_path.iterdir())
