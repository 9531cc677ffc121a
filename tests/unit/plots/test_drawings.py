"""Drawings say in words what their boxes show, and count what they draw."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.plots import (
    draw_attentions,
    draw_clocks,
    draw_padding,
    draw_two_tower,
    plot_map,
    plot_memory,
    plot_shares,
    plot_work,
)


def words(ax: object) -> list[str]:
    return [text.get_text() for text in ax.texts]  # type: ignore[attr-defined]


def test_the_two_tower_names_its_parts() -> None:
    said = " ".join(words(draw_two_tower()))
    assert all(part in said for part in ("user tower", "item tower", "frozen", "learns"))


def test_shares_of_each_attention_sum_to_one() -> None:
    shares = [float(word) for word in words(draw_attentions()) if word.startswith("0.")]
    assert len(shares) == 9
    assert np.allclose(np.reshape(shares, (3, 3)).sum(axis=1), 1)


def test_padding_draws_as_many_squares_as_it_says() -> None:
    ax = draw_padding(lengths=(2, 5, 2), same=(0, 1, 0), block=6)
    said = [int(word.split(": ")[1].split()[0]) for word in words(ax) if "tokens" in word]
    assert said == [18, 15, 10, 7]
    assert len(ax.patches) == sum(said)
    hatched = sum(patch.get_hatch() is not None for patch in ax.patches)
    assert hatched == (18 - 9) + (15 - 9) + (10 - 7)


def test_clocks_show_more_steps_of_the_head() -> None:
    colours = pd.Series([patch.get_facecolor() for patch in draw_clocks().patches])
    assert sorted(colours.value_counts()) == [4, 12]


def test_map_keeps_distances_of_a_plane() -> None:
    plane = np.array([[0, 0], [3, 0], [0, 4], [3, 4.0]])
    vectors = plane @ np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0][:2]
    ax = plot_map(vectors, ["a", "b", "c", "d"], list("wxyz"), named=4)
    points = np.array([line.get_xydata()[0] for line in ax.lines if len(line.get_xydata())])
    gaps = np.linalg.norm(points[:, None] - points, axis=2)
    assert sorted(np.round(gaps[np.triu_indices(4, 1)], 6)) == pytest.approx([3, 3, 4, 4, 5, 5])


def test_map_sees_no_part_that_all_share() -> None:
    vectors = np.random.default_rng(1).normal(size=(9, 4))
    here, there = (
        plot_map(v, ["a"] * 9, ["t"] * 9).lines[1].get_xydata() for v in (vectors, vectors + 50)
    )
    assert np.allclose(here, there)


def test_shares_stand_in_percent() -> None:
    ax = plot_shares(np.array([[0.25], [0.75]]), ["old", "new"], ["tea"])
    assert words(ax) == ["25", "75"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["old", "new"]


def test_memory_adds_up_its_parts() -> None:
    frame = pd.DataFrame(
        {"weights": [1e6, 1e6], "gradients": [1e6, 0], "optimiser": [2e6, 0], "kept": [5e6, 3e6]},
        ["plain", "frozen"],
    )
    assert [word.strip() for word in words(plot_memory(frame))] == ["9", "4"]


def test_work_is_held_against_the_first() -> None:
    ax = plot_work(pd.Series({"plain": 128.0, "short": 1.25}), "Tokens")
    assert words(ax) == ["128", "1.2"]
    assert ax.lines[0].get_xdata()[0] == 128
