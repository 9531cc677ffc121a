"""Where a figure is drawn: the axes that are given, or new ones of the course's size."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ONE_PANEL = (6.0, 4.0)  # inches
DPI = 100


def axes(ax: Axes | None, height: float = ONE_PANEL[1]) -> Axes:
    """The given axes, or those of a new figure 6 in wide at 100 dpi."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    size = (ONE_PANEL[0], height)
    _, made = plt.subplots(figsize=size, dpi=DPI, layout="constrained")
    return made


def rows_height(n: int) -> float:
    """Height in inches for `n` rows of dots: never under one panel's half, so that 10 pt labels do not touch.

    Examples
    --------
    >>> rows_height(3), rows_height(20)
    (2.0, 6.9)
    """
    return round(max(2.0, 1.1 + 0.29 * n), 2)


def quiet(ax: Axes, grid: str = "x") -> None:
    """Take away what carries no information: two spines, tick marks of names; a light grid along one axis."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.grid(axis=grid, color="#dddddd", linewidth=0.8)  # type: ignore[arg-type]
    ax.set_axisbelow(True)


def plain_log(ax: Axes, which: str) -> None:
    """A log axis whose ticks are written as plain numbers (0.01, 1, 1,000), which every reader knows."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis = ax.xaxis if which == "x" else ax.yaxis
    (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    low, high = sorted(ax.get_xlim() if which == "x" else ax.get_ylim())
    steps = (1.0, 2.0, 5.0) if high / low < 100 else (1.0,)
    axis.set_major_locator(LogLocator(10, subs=steps, numticks=9))
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}" if v >= 1 else f"{v:g}"))
    axis.set_minor_formatter(NullFormatter())
