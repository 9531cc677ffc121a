"""Seven ways to make one vector of three, and what stands in for one that is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from recnb.plots.drawings.sketch import Box, arrow, box, sketch
from recnb.plots.palette import BLUE, GREEN, GREY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE, TALL = 2.5, 2.85  # inches of a panel
SOURCES = (("text", BLUE), ("picture", VERMILION), ("sound", GREEN))


def draw_fusions(ax: Axes | None = None) -> Axes:
    """Draw concat, weighted, gated, cross_attention, bottleneck, low_rank and late: sources below, item above."""
    ax = sketch(4 * WIDE, 2 * TALL, ax)
    drawn = {
        "concat": _joined("one linear map"),
        "weighted": _weighted,
        "gated": _joined("gates that look at\nall, then a sum", 0.56),
        "cross_attention": _crossing,
        "bottleneck": _bottleneck,
        "low_rank": _joined("products of\ncoordinates", 0.56),
        "late": _late,
    }
    for at, (name, draw) in enumerate(drawn.items()):
        x, y = (at % 4) * WIDE + (WIDE / 2 if at > 3 else 0), TALL * (1 - at // 4)
        ax.text(
            x + WIDE / 2, y + TALL - 0.2, name, ha="center", va="center", fontsize=10, weight="bold"
        )
        draw(ax, x, y)
    return ax


def _sources(ax: Axes, x: float, y: float) -> list[Box]:
    return [
        box(ax, x + 0.45 + 0.8 * at, y + 0.35, name, width=0.7, height=0.34, colour=colour)
        for at, (name, colour) in enumerate(SOURCES)
    ]


def _item(ax: Axes, x: float, y: float, text: str = "item vector") -> Box:
    return box(ax, x + WIDE / 2, y + 2.3, text, width=1.2, height=0.34)


def _joined(text: str, height: float = 0.4) -> Callable[[Axes, float, float], None]:
    def draw(ax: Axes, x: float, y: float) -> None:
        below, item = _sources(ax, x, y), _item(ax, x, y)
        mix = box(
            ax, x + WIDE / 2, y + 1.4, text, width=2.1, height=height, colour=GREY, learns=True
        )
        for source in below:
            arrow(ax, source.top, (source.x, mix.bottom[1]))
        arrow(ax, mix.top, item.bottom)

    return draw


def _weighted(ax: Axes, x: float, y: float) -> None:
    below, item = _sources(ax, x, y), _item(ax, x, y)
    total = box(ax, x + WIDE / 2, y + 1.55, "+", width=0.4, height=0.36, colour=GREY)
    for at, source in enumerate(below):
        weight = box(
            ax,
            source.x,
            y + 0.95,
            f"× w{'₁₂₃'[at]}",
            width=0.6,
            height=0.32,
            colour=GREY,
            learns=True,
        )
        arrow(ax, source.top, weight.bottom)
        arrow(ax, weight.top, total.bottom)
    arrow(ax, total.top, item.bottom)


def _crossing(ax: Axes, x: float, y: float) -> None:
    below, item = _sources(ax, x, y), _item(ax, x, y)
    seen = [
        box(ax, s.x, y + 1.5, "looks", width=0.66, height=0.34, colour=GREY, learns=True)
        for s in below
    ]
    for to in seen:
        for source in below:
            arrow(ax, source.top, to.bottom, colour=GREY)
        arrow(ax, to.top, item.bottom)


def _bottleneck(ax: Axes, x: float, y: float) -> None:
    below, item = _sources(ax, x, y), _item(ax, x, y)
    shared = box(
        ax,
        x + WIDE / 2,
        y + 1.45,
        "2 shared\nvectors",
        width=0.9,
        height=0.54,
        colour=GREY,
        learns=True,
    )
    for source, corner in zip(below, (-0.35, 0.0, 0.35), strict=True):
        end = (shared.x + corner, shared.bottom[1])
        arrow(ax, source.top, end)
        arrow(ax, end, source.top)
    arrow(ax, shared.top, item.bottom)


def _late(ax: Axes, x: float, y: float) -> None:
    below, total = _sources(ax, x, y), _item(ax, x, y, "sum of scores")
    for source in below:
        score = box(
            ax, source.x, y + 1.35, "score", width=0.66, height=0.34, colour=GREY, learns=True
        )
        arrow(ax, source.top, score.bottom)
        arrow(ax, score.top, total.bottom)


def draw_stand_in(ax: Axes | None = None) -> Axes:
    """An item that lacks its picture: the maps of the other two, and a learned vector in its place."""
    ax = sketch(6.4, 2.5, ax)
    item = box(ax, 5.5, 1.25, "item\nvector", width=1.1, height=0.6)
    for at, (name, colour) in enumerate(SOURCES):
        y = 2.1 - 0.85 * at
        lost = name == "picture"
        source = box(
            ax,
            0.9,
            y,
            f"no {name}" if lost else name,
            width=1.1,
            height=0.42,
            colour=GREY if lost else colour,
            frozen=lost,
        )
        words = "learned stand-in" if lost else "its linear map"
        made = box(
            ax,
            3.1,
            y,
            words,
            width=1.6,
            height=0.42,
            colour=VERMILION if lost else GREY,
            learns=True,
        )
        if not lost:
            arrow(ax, source.right, made.left)
        arrow(ax, made.right, item.left)
    return ax
