"""Sentences of different lengths as rows of tokens: padded to a block, to the longest, or packed without padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from recnb.plots.drawings.sketch import SIZE, sketch
from recnb.plots.palette import BLUE, GREEN, GREY, ORANGE, PURPLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (BLUE, ORANGE, GREEN, PURPLE)


def draw_padding(
    lengths: Sequence[int] = (7, 4, 9, 7),
    same: Sequence[int] = (0, 1, 2, 0),
    block: int = 16,
    ax: Axes | None = None,
) -> Axes:
    """Four ways to send the same sentences through a network: block, longest, distinct, packed.

    Parameters
    ----------
    lengths : sequence of int
        Tokens of each row's sentence.
    same : sequence of int
        Rows with the same number have the same sentence, and the same colour.
    block : int
        Length that the first way pads to.
    ax : Axes, optional

    Examples
    --------
    >>> titles = [text.get_text() for text in draw_padding().texts]
    >>> [title for title in titles if "tokens" in title][-1]
    'each once, packed: 20 tokens'
    """
    ax = sketch(10.0, 3.9, ax)
    distinct = [list(same).index(kind) for kind in dict.fromkeys(same)]
    once = [(lengths[k], same[k]) for k in distinct]
    every = list(zip(lengths, same, strict=True))
    longest, most = max(lengths), max(length for length, _ in once)
    total = sum(length for length, _ in once)
    ways = [
        (f"padded to {block}: {block * len(every)} tokens", every, block, False),
        (f"padded to the longest: {longest * len(every)} tokens", every, longest, False),
        (f"each sentence once: {most * len(once)} tokens", once, most, False),
        (f"each once, packed: {total} tokens", once, total, True),
    ]
    places = ((0.2, 2.2), (5.2, 2.2), (0.2, 0.25), (5.2, 0.25))
    for (x, y), (title, rows, width, packed) in zip(places, ways, strict=True):
        ax.text(x, y + 1.32, title, fontsize=SIZE, fontweight="bold")
        _rows(ax, x, y, rows, width, packed)
    return ax


def _rows(
    ax: Axes, x: float, y: float, rows: list[tuple[int, int]], width: int, packed: bool
) -> None:
    from matplotlib.patches import Rectangle

    side, start = 0.22, 0
    for at, (length, kind) in enumerate(rows):
        top = y + 1.0 - 0.3 * (0 if packed else at)
        for token in range(start, start + (length if packed else width)):
            word = packed or token < length
            ax.add_patch(
                Rectangle(
                    (x + side * token, top),
                    side * 0.9,
                    side * 0.9,
                    facecolor=COLOURS[kind % len(COLOURS)] if word else "white",
                    edgecolor=GREY,
                    linewidth=0.6,
                    hatch=None if word else "///",
                    alpha=0.85,
                )
            )
        start += length if packed else 0


def draw_clocks(ax: Axes | None = None) -> Axes:
    """Two clocks: a live batch moves the language model, head batches between them move users and head.

    Examples
    --------
    >>> len(draw_clocks().patches) > 10
    True
    """
    from matplotlib.patches import Rectangle

    ax = sketch(10.0, 2.3, ax)
    rows = (("language model", 1.35, ORANGE), ("users and head", 0.55, BLUE))
    for name, y, _ in rows:
        ax.text(0.1, y + 0.2, name, fontsize=SIZE, va="center")
    ticks = np.arange(16)
    for tick in ticks:
        live = tick % 4 == 0
        name, y, colour = rows[0] if live else rows[1]
        ax.add_patch(
            Rectangle((1.7 + 0.5 * tick, y), 0.42, 0.42, facecolor=colour, edgecolor="white")
        )
    ax.text(1.7, 1.95, "all rows of a few items: each text once", fontsize=SIZE, color=ORANGE)
    ax.text(1.7, 0.15, "random rows, item vectors from a table: cheap", fontsize=SIZE, color=BLUE)
    ax.annotate("", (9.8, 1.15), (1.6, 1.15), arrowprops={"arrowstyle": "-|>", "color": GREY})
    ax.text(9.75, 1.22, "steps", fontsize=SIZE, color=GREY, ha="right")
    return ax
