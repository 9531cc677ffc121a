"""Drawings: an inch is an inch, arrows end where boxes begin, what learns can be told in grey."""

from __future__ import annotations

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pytest
from matplotlib.text import Annotation

from recnb.plots.drawings import arrow, box, sketch


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_a_sheet_has_its_size_in_inches_and_no_axes() -> None:
    ax = sketch(6, 2.5)
    ax.figure.canvas.draw()
    place = ax.get_window_extent()
    assert (place.width / 100, place.height / 100) == pytest.approx((6, 2.5))
    inch = ax.transData.transform([(0, 0), (1, 1)])
    assert (inch[1] - inch[0]).tolist() == pytest.approx([100, 100])
    assert not ax.axison


def test_boxes_say_what_learns_without_colour() -> None:
    ax = sketch()
    box(ax, 1, 1, "learns", learns=True)
    box(ax, 3, 1, "frozen", frozen=True)
    learning, frozen = ax.patches
    assert learning.get_facecolor() != frozen.get_facecolor() == (1, 1, 1, 1)
    assert (learning.get_linestyle(), frozen.get_linestyle()) == ("-", "--")


def test_words_fit_their_box_and_arrows_join_boxes() -> None:
    ax = sketch()
    item = box(ax, 1, 0.5, "item text")
    user = box(ax, 4, 2.5, "user's history", width=1.8)
    arrow(ax, item.top, user.bottom, "gather")
    ax.figure.canvas.draw()
    for patch, words in zip(ax.patches, ax.texts, strict=False):
        inner, outer = words.get_window_extent(), patch.get_window_extent()
        assert outer.x0 < inner.x0 and inner.x1 < outer.x1
    (drawn,) = [text for text in ax.texts if isinstance(text, Annotation)]
    assert (drawn.xyann, drawn.xy) == ((1, 0.75), (4, 2.25))
