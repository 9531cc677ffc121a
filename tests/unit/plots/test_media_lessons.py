"""Figures of pictures, sounds and fusions draw what they are given, and refuse what they cannot draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recnb.data.media import from_vectors, read_images
from recnb.errors import InputError
from recnb.plots import (
    draw_fusions,
    draw_stand_in,
    plot_gains,
    plot_ladder,
    plot_missing,
    plot_pictures,
)

pytest.importorskip("matplotlib")
Image = pytest.importorskip("PIL.Image", reason="the extra recnb[media] is not installed")


def test_a_sheet_of_pictures_marks_hits_and_leaves_gaps(tmp_path: Path) -> None:
    for at, name in enumerate(("a", "b", "c")):
        Image.new("RGB", (64, 64), (80 * at, 10, 10)).save(tmp_path / f"{name}.png")
    media = read_images(tmp_path, ["a", "b", "c"])
    grid = plot_pictures(media, {"liked": ["a", "b", "none"], "list": ["c"]}, marked={"b"})
    assert grid.shape == (2, 3)
    assert [len(ax.images) for ax in grid.flat] == [1, 1, 0, 1, 0, 0]
    framed = [
        ax.spines["left"].get_visible() and ax.spines["left"].get_linewidth() > 3 for ax in grid[0]
    ]
    assert framed == [False, True, False]
    with pytest.raises(InputError, match="vectors"):
        plot_pictures(from_vectors([[1.0]], ids=["a"]), {"row": ["a"]})


def test_a_ladder_has_a_row_a_model_and_one_line_at_the_top_value() -> None:
    names = ["random", "text", "both", "oracle"]
    table = pd.DataFrame({"model": names, "metric": "ndcg", "k": 10, "n_users": 50})
    table["value"] = [0.1, 0.2, 0.3, 0.5]
    table["low"], table["high"] = table["value"] - 0.02, table["value"] + 0.02
    ax = plot_ladder(table, {"chance": ["random"], "subsets": ["text", "both"]}, top="oracle")
    assert [label.get_text() for label in ax.get_yticklabels()] == names[:3]
    drawn = np.concatenate([line.get_xdata() for line in ax.lines if line.get_marker() != "None"])
    np.testing.assert_allclose(drawn, [0.1, 0.2, 0.3])


def test_gains_and_gaps_show_every_row() -> None:
    rows = pd.DataFrame({"model": ["text", "picture"], "group": "alone", "value": [0.1, 0.2]})
    rows = rows.assign(low=0.0, high=0.3, n_users=9)
    assert plot_gains(rows).lines[0].get_xdata().tolist() == [0.1, 0.2]
    curve = rows.assign(model="plain", share=[0.0, 0.5])
    ax = plot_missing(curve, {"value": 0.2, "low": 0.1, "high": 0.3}, "picture")
    assert [line.get_label() for line in ax.lines] == ["never had a picture", "plain"]


def test_drawings_name_what_they_draw() -> None:
    words = {text.get_text() for text in draw_fusions().texts}
    assert {
        "concat",
        "weighted",
        "gated",
        "cross_attention",
        "bottleneck",
        "low_rank",
        "late",
    } <= words
    assert "learned stand-in" in {text.get_text() for text in draw_stand_in().texts}
