"""The two tower, and three ways of looking back at a history, as drawings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recnb.plots.drawings.sketch import SIZE, arrow, box, sketch
from recnb.plots.palette import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ATTENTIONS = (  # name, who asks, shares of coffee, filter paper and soap, colour
    ("additive", "one learned question\nfor everybody", (0.3, 0.5, 0.2), BLUE),
    (
        "multi-head",
        "several learned questions,\na slice of the vector each",
        (0.6, 0.2, 0.2),
        GREEN,
    ),
    ("target-aware", "the candidate asks:\nespresso cups?", (0.5, 0.4, 0.1), VERMILION),
)


def draw_two_tower(ax: Axes | None = None) -> Axes:
    """The two tower: text to item vector, items to user vector, both to a score.

    Examples
    --------
    >>> words = [text.get_text() for text in draw_two_tower().texts]
    >>> "score r(u, v)" in words
    True
    """
    ax = sketch(6.0, 4.5, ax)
    ax.text(1.5, 0.12, "user tower", ha="center", color=BLUE, fontweight="bold", fontsize=SIZE)
    ax.text(4.5, 0.12, "item tower", ha="center", color=ORANGE, fontweight="bold", fontsize=SIZE)
    taken = box(ax, 1.5, 0.65, "items the user took\ncoffee, filter paper, milk", width=2.3)
    vectors = box(ax, 1.5, 1.55, "their item vectors", width=1.9, colour=BLUE)
    user = box(ax, 1.5, 2.45, "user vector $h_u$\ntheir mean", width=1.9, colour=BLUE)
    text = box(ax, 4.5, 0.65, "text of an item\n“Coffee: ground, 12 oz”", width=2.3)
    model = box(ax, 4.5, 1.55, "language model\nfrozen", width=1.9, colour=ORANGE, frozen=True)
    item = box(ax, 4.5, 2.45, "item vector $h_v$", width=1.9, colour=ORANGE)
    head = box(ax, 3.0, 3.3, "head $f(h_u, h_v)$\nlearns", width=1.9, colour=GREEN, learns=True)
    score = box(ax, 3.0, 4.15, "score r(u, v)", width=1.4)
    pairs = [(taken, vectors), (vectors, user), (text, model), (model, item), (head, score)]
    for one, other in pairs:
        arrow(ax, one.top, other.bottom)
    arrow(ax, user.top, (head.x - 0.6, head.bottom[1]))
    arrow(ax, item.top, (head.x + 0.6, head.bottom[1]))
    arrow(ax, model.left, vectors.right, colour=GREY)
    ax.text(3.0, 1.62, "same model", ha="center", va="bottom", color=GREY, fontsize=SIZE)
    return ax


def draw_attentions(ax: Axes | None = None) -> Axes:
    """Three attentions over one history: who asks, and which share each item gets.

    Examples
    --------
    >>> sum("question" in text.get_text() for text in draw_attentions().texts)
    2
    """
    ax = sketch(10.0, 3.3, ax)
    for at, (name, who, shares, colour) in enumerate(ATTENTIONS):
        x = 1.7 + 3.3 * at
        ax.text(x, 3.1, name, ha="center", color=colour, fontweight="bold", fontsize=SIZE)
        ask = box(ax, x, 2.55, who, width=2.3, colour=colour, learns=at < 2)
        user = box(ax, x, 0.3, "user vector $h_u$", width=1.6, height=0.42, colour=colour)
        for k, (item, share) in enumerate(zip(("coffee", "filters", "soap"), shares, strict=True)):
            one = box(ax, x + 1.02 * (k - 1), 1.45, item, width=0.86, height=0.42)
            _line(ax, ask.bottom, one.top, GREY, 1.0)
            ends = user.x + 0.35 * (k - 1), user.top[1]
            _line(ax, one.bottom, ends, colour, 10 * share)
            ax.text(
                one.x + (0.1 if k else -0.36),
                1.1,
                f"{share:.1f}",
                fontsize=SIZE,
                color=BLACK,
                va="center",
            )
    return ax


def _line(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, width: float
) -> None:
    ax.plot(*zip(start, end, strict=True), color=colour, linewidth=width, alpha=0.7, zorder=0)
