"""Figures of tuning a language model: LoRA beside a matrix, what rank its updates use, value against parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recnb.plots.canvas import DPI, axes, quiet
from recnb.plots.palette import BLACK, BLUE, GREY, ORANGE, VERMILION, look_of
from recnb.plots.values import one_measure
from recnb.plots.words import metric_axis, people, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FROZEN = "#e4e4e4"


def plot_lora(n_in: int = 384, n_out: int = 384, rank: int = 8, ax: Axes | None = None) -> Axes:
    """Draw LoRA beside a matrix: the frozen W, the thin A and B, and how their outputs meet.

    Parameters
    ----------
    n_in, n_out, rank : int
        Shapes that are written on the drawing; the rectangles are not to scale.
    ax : Axes, optional
        Default: a new one, 10 x 4 in.

    Examples
    --------
    >>> any("73,728" in text.get_text() for text in plot_lora().texts)
    False
    >>> any("6,144 parameters" in text.get_text() for text in plot_lora().texts)
    True
    """
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(10, 4), dpi=DPI, layout="constrained")
    ax.set(xlim=(0, 20), ylim=(0, 8), aspect="equal")
    ax.axis("off")
    _box(ax, (0.6, 3.5), (0.7, 1.6), "white", "x", f"{n_in:,} numbers\nof a word")
    _box(ax, (5.8, 4.9), (2.8, 2.8), FROZEN, "W", f"{n_out:,} × {n_in:,}, frozen", BLACK)
    _box(ax, (4.2, 1.4), (2.8, 0.75), BLUE, "A", f"{rank} × {n_in:,}, learned", "white")
    _box(ax, (8.8, 0.6), (0.75, 2.8), VERMILION, "B", f"{n_out:,} × {rank}, starts at 0", "white")
    ax.text(12.2, 2.0, r"$\times\; \alpha / r$", ha="center", va="center", fontsize=13)
    ax.text(15.2, 4.3, "+", ha="center", va="center", fontsize=20, bbox=_round(GREY))
    _box(ax, (17.6, 3.5), (0.7, 1.6), "white", "h", f"{n_out:,} numbers")
    for start, end in (
        ((1.6, 4.7), (5.6, 6.3)),
        ((1.6, 3.9), (4.0, 1.8)),
        ((7.2, 1.8), (8.6, 1.8)),
        ((9.8, 2.0), (11.2, 2.0)),
        ((13.2, 2.2), (14.7, 3.8)),
        ((8.8, 6.3), (14.7, 4.8)),
        ((15.8, 4.3), (17.4, 4.3)),
    ):
        ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": BLACK, "lw": 1.4})
    ax.text(10.2, 7.3, f"{n_in * n_out:,} parameters, as they were", va="center")
    added = rank * (n_in + n_out)
    ax.text(11.2, 0.7, f"{added:,} parameters, {added / (n_in * n_out):.1%}", va="center")
    return ax


def _box(
    ax: Axes,
    corner: tuple[float, float],
    size: tuple[float, float],
    fill: str,
    name: str,
    below: str,
    ink: str = BLACK,
) -> None:
    """A rectangle with its name inside and a line of words under it."""
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle(corner, *size, facecolor=fill, edgecolor=BLACK, linewidth=1.2))
    x, y = corner[0] + size[0] / 2, corner[1] + size[1] / 2
    ax.text(x, y, f"${name}$", ha="center", va="center", color=ink, fontsize=14)
    ax.text(x, corner[1] - 0.15, below, ha="center", va="top", fontsize=10)


def _round(colour: str) -> dict:
    return {"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": colour}


def plot_spectra(spectra: Mapping[str, np.ndarray], ax: Axes | None = None) -> Axes:
    """Draw the singular values of learned updates, one line a matrix, one colour a kind of matrix.

    Parameters
    ----------
    spectra : mapping of name to ndarray of shape (rank,)
        Descending, by the name of the matrix; the last word of a name is its kind (`query`, `value`).
    ax : Axes, optional

    Examples
    --------
    >>> spectra = {"layer 1 query": np.array([2.0, 1.0]), "layer 1 value": np.array([3.0, 1.0])}
    >>> [text.get_text() for text in plot_spectra(spectra).get_legend().get_texts()]
    ['query, a line for each layer', 'value, a line for each layer']
    """
    ax = axes(ax)
    kinds = list(dict.fromkeys(name.split()[-1] for name in spectra))
    looks = dict(
        zip(kinds, ((BLUE, "o"), (ORANGE, "s"), (VERMILION, "^"), (GREY, "D")), strict=False)
    )
    labelled: set[str] = set()
    for name, values in spectra.items():
        kind = name.split()[-1]
        colour, marker = looks[kind]
        label = None if kind in labelled else f"{plain(kind)}, a line for each layer"
        labelled.add(kind)
        at = np.arange(1, len(values) + 1)
        ax.plot(at, values, marker, linestyle="-", color=colour, ms=4, lw=1, alpha=0.7, label=label)
    ax.set(xlabel="Singular value, by size", ylabel="Size", ylim=(0, None), xticks=at)
    ax.legend(frameon=False)
    quiet(ax, "y")
    return ax


def plot_by_parameters(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw value against parameters trained; what trains none is a dashed line across.

    Parameters
    ----------
    frame : DataFrame with `model, metric, k, value, low, high, n_users, trained`
        Rows of one metric; `trained` counts parameters of the language model.
    ax : Axes, optional

    Examples
    --------
    >>> frame = pd.DataFrame({"model": ["full", "head_only"], "metric": "ndcg", "k": 10, "value": [0.3, 0.2],
    ...                       "low": [0.28, 0.19], "high": [0.32, 0.21], "n_users": 900, "trained": [11000000, 0]})
    >>> [text.get_text() for text in plot_by_parameters(frame).texts]
    ['full', 'head_only: none']
    """
    rows = one_measure(frame)
    ax = axes(ax)
    trained = rows[rows["trained"] > 0].sort_values("trained", kind="stable")
    for row in trained.to_dict("records"):
        look = look_of(row)
        ax.plot([row["trained"]] * 2, [row["low"], row["high"]], color=look.colour, linewidth=1.6)
        ax.plot([row["trained"]], [row["value"]], linestyle="none", **look.marks(6))
    ax.set_xscale("log")
    ax.margins(x=0.12)
    _label(
        ax, {_method(r["model"]): (r["trained"], r["value"]) for r in trained.to_dict("records")}
    )
    for row in rows[rows["trained"] == 0].to_dict("records"):
        ax.axhspan(row["low"], row["high"], color=GREY, alpha=0.12)
        ax.axhline(row["value"], color=GREY, linestyle="--", linewidth=1.4)
        across = ax.get_yaxis_transform()
        said = f"{_method(row['model'])}: none"
        ax.text(0.98, row["value"], said, color=GREY, transform=across, ha="right", va="bottom")
    metric, k = rows["metric"].iloc[0], rows["k"].iloc[0]
    ax.set_xlabel("Parameters of the language model that are trained (log)")
    ax.set_ylabel(metric_axis(metric, k))
    ax.set_title(f"95 % intervals, {people(rows['n_users'])}", loc="left")
    quiet(ax, "y")
    return ax


def _method(model: str) -> str:
    """The part of a name that tells methods apart."""
    return plain(model.partition("@")[2] or model)


def _label(ax: Axes, points: Mapping[str, tuple[float, float]], size: float = 9) -> None:
    """Write names beside points, where no other name or point stands."""
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]
    pixels = DPI / 72
    taken = []
    for x, y in points.values():
        across, up = ax.transData.transform((x, y))
        taken.append((across - 5, up - 5, across + 5, up + 5))
    for name, (x, y) in points.items():
        across, up = ax.transData.transform((x, y))
        wide, high = len(name) * size * 0.62 * pixels, size * 1.1 * pixels
        near = any(0 < one[0] + 5 - across < 15 and abs(one[1] + 5 - up) < 10 for one in taken)
        sides = (-1, 1) if near else (1, -1)  # away from a neighbour on the right
        for right, rise in ((side, rise) for rise in (4, -12, 16, -24) for side in sides):
            left = across + 6 * pixels if right > 0 else across - 6 * pixels - wide
            box = (left, up + rise * pixels, left + wide, up + rise * pixels + high)
            if not any(_overlap(box, other) for other in taken):
                break
        taken.append(box)
        side = "left" if right > 0 else "right"
        offset = (6 * right, rise)
        ax.annotate(name, (x, y), offset, textcoords="offset points", fontsize=size, ha=side)


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
